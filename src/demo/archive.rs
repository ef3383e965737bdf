//! Puts records into files, the way AWS delivers them.
//!
//! Takes the records of a delivery, gives a gzip file under the key that an organization trail, or the service
//! they are of, would give it.
//! Promises that no more than one file is held in memory and that buffers are used again.

use super::error::DemoError;
use super::identifier;
use super::organization::{Organization, Place};
use super::spec::ArchiveSummary;
use super::text::civil;
use fastrand::Rng;
use libdeflater::{CompressionLvl, Compressor};
use std::path::{Path, PathBuf};

const HEAD: &[u8] = b"{\"Records\":[";
const TAIL: &[u8] = b"]}";

/// Writes the files of one archive below a folder.
pub(super) struct Vault {
    root: PathBuf,
    compressor: Compressor,
    packed: Vec<u8>,
    rng: Rng,
    /// What was written so far.
    pub(super) summary: ArchiveSummary,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Vault").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens an archive below `root`; folders are made as files need them.
    pub(super) fn new(root: &Path, organization: &Organization, rng: Rng) -> Self {
        Self {
            root: root.to_owned(),
            compressor: Compressor::new(CompressionLvl::default()),
            packed: Vec::new(),
            rng,
            summary: ArchiveSummary { organization: organization.id.clone(), ..ArchiveSummary::default() },
        }
    }

    /// Starts the text of a file in an emptied buffer.
    pub(super) fn start(plain: &mut Vec<u8>) {
        plain.clear();
        plain.extend_from_slice(HEAD);
    }

    /// Ends the text, packs it and writes it under the key of a delivery at `second`.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be packed or written.
    pub(super) fn deliver(
        &mut self,
        organization: &Organization,
        (place, second): (Place, i64),
        (plain, records): (&mut Vec<u8>, u64),
    ) -> Result<(), DemoError> {
        plain.extend_from_slice(TAIL);
        let key = self.key(organization, place, second);
        self.write(key, plain, records)
    }

    /// Packs a text and writes it under a key.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be packed or written.
    pub(super) fn write(&mut self, key: String, plain: &[u8], records: u64) -> Result<(), DemoError> {
        self.packed.resize(self.compressor.gzip_compress_bound(plain.len()), 0);
        let stored = match self.compressor.gzip_compress(plain, &mut self.packed) {
            Ok(stored) => stored,
            Err(source) => return Err(DemoError::Compress { key, source }),
        };
        self.packed.truncate(stored);
        write_file(&self.root.join(&key), &self.packed)?;
        self.summary.objects += 1;
        self.summary.records += records;
        self.summary.plain_bytes += u64::try_from(plain.len()).unwrap_or_default();
        self.summary.stored_bytes += u64::try_from(stored).unwrap_or_default();
        Ok(())
    }

    fn key(&mut self, organization: &Organization, place: Place, second: i64) -> String {
        let (account, region) = (organization.account(place.account), organization.region(place));
        let at = civil(second);
        let (year, month, day, hour, minute) = (at.year(), at.month(), at.day(), at.hour(), at.minute());
        let tail = identifier::owned(|out| identifier::alnum(out, &mut self.rng, 16));
        format!(
            "AWSLogs/{}/{account}/CloudTrail/{region}/{year}/{month:02}/{day:02}/\
             {account}_CloudTrail_{region}_{year}{month:02}{day:02}T{hour:02}{minute:02}Z_{tail}.json.gz",
            organization.id
        )
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), DemoError> {
    let fault = |source| DemoError::Write { path: path.to_owned(), source };
    match std::fs::write(path, bytes) {
        // The folder is made when it is first missed: asking before every file would cost more.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(fault)?;
            }
            std::fs::write(path, bytes).map_err(fault)
        }
        other => other.map_err(fault),
    }
}
