//! One digest file of CloudTrail, and whether it was signed.
//!
//! A digest is signed over its end, its place, the hash of its content and the signature of the digest before
//! it; the signature itself lies in the object's metadata, and again in the digest behind it.

use serde::Deserialize;

use super::content::unhex;
use super::place::{LogKey, ObjectPlace, tail};
use super::public_key::PublicKeys;

/// The only way in which CloudTrail signs.
const SIGNATURE_ALGORITHM: &str = "SHA256withRSA";

/// The only way in which it hashes.
const HASH_ALGORITHM: &str = "SHA-256";

/// A digest as it was read.
#[derive(Debug, Clone)]
pub(super) struct Digest {
    /// Where it lies.
    pub(super) place: ObjectPlace,
    /// What it says.
    pub(super) document: Document,
    /// Its content, unpacked.
    pub(super) text: Vec<u8>,
    /// The SHA-256 of that.
    pub(super) sha256: String,
    /// The signature in its metadata.
    pub(super) signature: Option<String>,
}

/// The text of a digest.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    pub(super) aws_account_id: String,
    pub(super) digest_end_time: String,
    pub(super) digest_s3_bucket: String,
    pub(super) digest_s3_object: String,
    pub(super) digest_public_key_fingerprint: String,
    pub(super) digest_signature_algorithm: String,
    pub(super) previous_digest_s3_object: Option<String>,
    pub(super) previous_digest_hash_value: Option<String>,
    pub(super) previous_digest_signature: Option<String>,
    pub(super) log_files: Vec<LogFile>,
}

/// A log file that a digest covers.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogFile {
    s3_object: String,
    hash_value: String,
    hash_algorithm: String,
}

/// Whether a digest was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signed {
    /// With a key of the list.
    Yes,
    /// It cannot be told, for this reason.
    Unknown(String),
    /// What lies there is not what was signed.
    No(&'static str),
}

impl Digest {
    /// Says whether it was signed, by the signature in its metadata or by `found`, the one that the digest behind it names.
    pub(super) fn signed(&self, keys: &PublicKeys, found: Option<&str>) -> Signed {
        let Document { digest_s3_object, digest_public_key_fingerprint: fingerprint, .. } = &self.document;
        if tail(digest_s3_object).is_none() || tail(digest_s3_object) != tail(&self.place.key) {
            return Signed::No("it was signed for another place");
        }
        if self.document.digest_signature_algorithm != SIGNATURE_ALGORITHM {
            return Signed::No("it names another way of signing than CloudTrail's");
        }
        let Some(key) = keys.get(fingerprint) else {
            return Signed::Unknown(format!("there is no public key {fingerprint} in the lists given"));
        };
        let Some(signature) = self.signature.as_deref().or(found) else {
            return Signed::Unknown(
                "its signature is not there: a copy needs the metadata of the object".to_owned(),
            );
        };
        let is_right = unhex(signature)
            .is_some_and(|signature| key.has_signed(self.signed_text().as_bytes(), &signature));
        if is_right { Signed::Yes } else { Signed::No("its signature is not that of its content") }
    }

    fn signed_text(&self) -> String {
        let Document {
            digest_end_time, digest_s3_bucket, digest_s3_object, previous_digest_signature, ..
        } = &self.document;
        let previous = previous_digest_signature.as_deref().unwrap_or("null");
        format!("{digest_end_time}\n{digest_s3_bucket}/{digest_s3_object}\n{}\n{previous}", self.sha256)
    }

    /// Returns the hash it has of a log file.
    pub(super) fn hash_of(&self, log: &ObjectPlace, key: &LogKey) -> Option<&str> {
        let listed = self.document.log_files.iter().find(|file| tail(&file.s3_object) == tail(&log.key))?;
        let is_usable =
            listed.hash_algorithm == HASH_ALGORITHM && self.document.aws_account_id == key.account;
        is_usable.then_some(listed.hash_value.as_str())
    }

    /// Returns the place of the digest before it; none of the first of a trail.
    pub(super) fn previous(&self) -> Option<ObjectPlace> {
        self.place.beside(self.document.previous_digest_s3_object.as_deref()?)
    }

    /// Says whether a digest is the one before it.
    pub(super) fn follows(&self, other: &ObjectPlace) -> bool {
        self.previous().is_some_and(|previous| previous == *other)
    }

    /// Says whether the digest before it has the content that it knows.
    pub(super) fn knows(&self, previous: &Self) -> bool {
        self.document.previous_digest_hash_value.as_deref() == Some(previous.sha256.as_str())
    }
}

/// The trail a digest is of, as its key tells: everything before the time.
pub(super) fn trail(key: &str) -> &str {
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    let name = name.split('.').next().unwrap_or(name);
    let name = name.strip_suffix("_backfill").unwrap_or(name);
    name.rsplit_once('_').map_or(name, |(trail, _)| trail)
}
