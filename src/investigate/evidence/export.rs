//! Takes an answer and what it rests on into a folder of its own.
//!
//! ```text
//! DIR/rows/<set>.jsonl   DIR/queries/<id>.sql   DIR/records/000001.json   DIR/digests/000001.json
//! DIR/public-keys.json   DIR/manifest.json: tool, files with their SHA-256, evidence with its verdict
//! ```
//!
//! Promises:
//! - nothing that is there is overwritten: the folder is new or empty, and each file is made anew;
//! - no file is named by a log: sets and queries have names of ours, everything else has a number;
//! - the manifest is written last, so a folder without one is not whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::content::hex;
use super::digest::Digest;
use super::place::ObjectPlace;
use super::verdict::Judged;
use super::verify::Verifier;
use crate::ingest::again::read_records;
use crate::ingest::archive::Archive;
use crate::ingest::fetch::FetchLimits;
use crate::ingest::segment::SegmentLimits;
use crate::query::format::text::visible_json;

/// A record that an answer rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Evidence {
    /// Its object, as `metadata.log_name` names it.
    pub object: String,
    /// Its index in that, `metadata.sequence`.
    pub index: u64,
    /// The id of its event.
    pub event_id: Option<String>,
}

/// Rows of an answer.
#[derive(Debug, Clone)]
pub struct RowSet {
    /// What they are: lower-case letters, digits and underscores.
    pub name: String,
    /// JSON lines.
    pub lines: String,
}

/// A question that was asked.
#[derive(Debug, Clone)]
pub struct QueryText {
    /// Its id in the library, or another name of ours.
    pub id: String,
    /// The statement.
    pub sql: String,
    /// The values it was asked with.
    pub params: BTreeMap<String, String>,
}

/// What is taken along.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// What was asked about, in a line.
    pub subject: String,
    /// Rows.
    pub rows: Vec<RowSet>,
    /// Questions.
    pub queries: Vec<QueryText>,
    /// Records.
    pub evidence: Vec<Evidence>,
    /// The time of the export.
    pub made_at: Timestamp,
}

/// What an export gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Files written, the manifest too.
    pub files: usize,
    /// Records of the archive among them.
    pub records: usize,
    /// Records that could not be read again, and why.
    pub lost: Vec<(Evidence, String)>,
    /// What can be said of the objects.
    pub judged: Vec<Judged>,
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Something is there already.
    #[error("{path} is there already: an export overwrites nothing")]
    Taken {
        /// What.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A set of rows or a query has a name that cannot be a file's: a mistake of ours.
    #[error("{name:?} cannot name a file of an export")]
    Name {
        /// The name.
        name: String,
    },
}

/// Writes an answer and what it rests on into a folder.
///
/// # Errors
/// A file is there already or cannot be written; what was written stays, without a manifest.
pub async fn export(
    archive: &Arc<Archive>,
    verifier: &mut Verifier,
    mut out: Folder<'_>,
    parts: &Parts,
) -> Result<Exported, ExportError> {
    for set in &parts.rows {
        out.write(Kind::Rows, &named("rows", &set.name, "jsonl")?, set.lines.as_bytes())?;
    }
    for query in &parts.queries {
        out.write(Kind::Query, &named("queries", &query.id, "sql")?, query.sql.as_bytes())?;
    }
    let (records, lost) = write_records(archive, &mut out, &parts.evidence).await?;
    let objects: BTreeSet<String> = parts.evidence.iter().map(|one| one.object.clone()).collect();
    let judged = verifier.judge(&objects.into_iter().collect::<Vec<_>>()).await;
    let digests = write_digests(&mut out, verifier)?;
    let manifest = Manifest {
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        made_at: parts.made_at.to_string(),
        subject: &parts.subject,
        queries: parts.queries.iter().map(|query| Asked { id: &query.id, params: &query.params }).collect(),
        evidence: evidence(parts, &records, &lost),
        objects: &judged,
        digests,
        files: out.files.clone(),
    };
    let text = serde_json::to_string_pretty(&manifest).unwrap_or_default();
    // A record chooses its id, and who looks at the manifest may use a terminal.
    let text = text.lines().map(visible_json).collect::<Vec<_>>().join("\n");
    out.write(Kind::Manifest, MANIFEST, text.as_bytes())?;
    Ok(Exported { files: out.files.len(), records: records.len(), lost, judged })
}

/// The file that says what the others are.
const MANIFEST: &str = "manifest.json";

/// What a file holds.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Rows,
    Query,
    Record,
    Digest,
    PublicKeys,
    Manifest,
}

#[derive(Serialize)]
struct Manifest<'a> {
    tool: Tool,
    made_at: String,
    subject: &'a str,
    queries: Vec<Asked<'a>>,
    evidence: Vec<Shown<'a>>,
    objects: &'a [Judged],
    digests: Vec<DigestFile>,
    files: Vec<Written>,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Asked<'a> {
    id: &'a str,
    params: &'a BTreeMap<String, String>,
}

/// A record and where its bytes are.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    evidence: &'a Evidence,
    file: Option<&'a str>,
    lost: Option<&'a str>,
}

/// A digest and what its signature was made of: it can be checked again with nothing but this folder.
#[derive(Serialize)]
struct DigestFile {
    file: String,
    place: String,
    signature: Option<String>,
    public_key: String,
}

#[derive(Debug, Clone, Serialize)]
struct Written {
    path: String,
    kind: Kind,
    bytes: usize,
    sha256: String,
}

/// The folder being filled.
#[derive(Debug)]
pub struct Folder<'a> {
    root: &'a Path,
    files: Vec<Written>,
}

impl<'a> Folder<'a> {
    /// Makes the folder, before the work whose result goes there.
    ///
    /// # Errors
    /// Something is in it already, or it cannot be made.
    pub fn make(root: &'a Path) -> Result<Self, ExportError> {
        let wrong = |source| ExportError::Write { path: root.to_owned(), source };
        std::fs::create_dir_all(root).map_err(wrong)?;
        if std::fs::read_dir(root).map_err(wrong)?.next().is_some() {
            return Err(ExportError::Taken { path: root.to_owned() });
        }
        Ok(Self { root, files: Vec::new() })
    }

    /// Returns where it is.
    pub fn path(&self) -> &'a Path {
        self.root
    }

    fn write(&mut self, kind: Kind, path: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let whole = self.root.join(path);
        let written = whole.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
            let mut file = std::fs::File::create_new(&whole)?;
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => ExportError::Taken { path: whole },
            _ => ExportError::Write { path: whole, source },
        })?;
        let sha256 = hex(&Sha256::digest(bytes));
        self.files.push(Written { path: path.to_owned(), kind, bytes: bytes.len(), sha256 });
        Ok(())
    }
}

/// The path of a file that has a name of ours.
fn named(folder: &str, name: &str, ending: &str) -> Result<String, ExportError> {
    let is_ours = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_ours) {
        return Err(ExportError::Name { name: name.to_owned() });
    }
    Ok(format!("{folder}/{name}.{ending}"))
}

type Files = BTreeMap<(String, u64), String>;

/// Reads the records again and writes each as it stands in its object.
async fn write_records(
    archive: &Arc<Archive>,
    out: &mut Folder<'_>,
    evidence: &[Evidence],
) -> Result<(Files, Vec<(Evidence, String)>), ExportError> {
    let mut by_object: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for one in evidence {
        by_object.entry(&one.object).or_default().insert(one.index);
    }
    let (mut files, mut failed) = (Files::new(), BTreeMap::new());
    for (object, indices) in by_object {
        match records_of(archive, object, indices).await {
            Ok(records) => {
                for (index, record) in records {
                    let ending = if record.starts_with('{') { "json" } else { "txt" };
                    let path = format!("records/{:06}.{ending}", files.len() + 1);
                    out.write(Kind::Record, &path, record.as_bytes())?;
                    files.insert((object.to_owned(), index), path);
                }
            }
            Err(why) => drop(failed.insert(object, why)),
        }
    }
    let lost = evidence.iter().filter(|one| !files.contains_key(&(one.object.clone(), one.index)));
    let why = |one: &Evidence| {
        let why = failed.get(one.object.as_str()).cloned();
        (one.clone(), why.unwrap_or_else(|| "the object has no record of this index".to_owned()))
    };
    let lost = lost.map(why).collect();
    Ok((files, lost))
}

async fn records_of(
    archive: &Arc<Archive>,
    object: &str,
    indices: BTreeSet<u64>,
) -> Result<BTreeMap<u64, String>, String> {
    let place = ObjectPlace::read(object).ok_or("it is no URI of an object")?;
    if !place.is_kept() {
        return Err("it came in a message, or was made here: it lies in no bucket and no folder".to_owned());
    }
    let limits = (FetchLimits::default(), SegmentLimits::default());
    let read = read_records(archive, (&place.bucket, &place.key), indices, limits).await;
    read.map_err(|error| error.to_string())
}

/// Writes the digests that verdicts rest on, and the keys they are signed with.
fn write_digests(out: &mut Folder<'_>, verifier: &Verifier) -> Result<Vec<DigestFile>, ExportError> {
    let (mut digests, mut keys) = (Vec::new(), BTreeMap::new());
    for (number, digest) in (1..).zip(verifier.digests()) {
        let Digest { place, document, text, signature, .. } = digest.as_ref();
        let file = format!("digests/{number:06}.json");
        out.write(Kind::Digest, &file, text)?;
        let public_key = document.digest_public_key_fingerprint.clone();
        if let Some(key) = verifier.keys().get(&public_key) {
            keys.insert(public_key.clone(), key.value.clone());
        }
        digests.push(DigestFile { file, place: place.to_string(), signature: signature.clone(), public_key });
    }
    if !keys.is_empty() {
        // In the form of `list-public-keys`, so that it can be given back to `--public-keys`.
        let keys: Vec<_> = keys
            .into_iter()
            .map(|(print, value)| serde_json::json!({"Fingerprint": print, "Value": value}))
            .collect();
        let text = serde_json::json!({ "PublicKeyList": keys }).to_string();
        out.write(Kind::PublicKeys, "public-keys.json", text.as_bytes())?;
    }
    Ok(digests)
}

fn evidence<'a>(parts: &'a Parts, files: &'a Files, lost: &'a [(Evidence, String)]) -> Vec<Shown<'a>> {
    let lost: BTreeMap<&Evidence, &str> = lost.iter().map(|(one, why)| (one, why.as_str())).collect();
    let show = |evidence: &'a Evidence| Shown {
        evidence,
        file: files.get(&(evidence.object.clone(), evidence.index)).map(String::as_str),
        lost: lost.get(evidence).copied(),
    };
    parts.evidence.iter().map(show).collect()
}
