//! Reads one object of the archive and hashes what is in it.
//!
//! Digests and hashes speak of unpacked content. An object is unpacked piece by piece on the CPU pool; only digests are held.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::place::ObjectPlace;
use crate::cpu::compute;
use crate::ingest::archive::{Archive, ArchiveError, Sought};
use crate::ingest::decompress::{UnpackError, UnpackLimits, Unpacker};

/// Bytes asked for at once.
const PIECE_BYTES: u64 = 8 << 20;

/// Text unpacked at once.
const STEP_BYTES: usize = 1 << 20;

/// What is in an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    /// Its SHA-256, in hexadecimal.
    pub(super) sha256: String,
    /// The content itself, where that was asked for.
    pub(super) text: Vec<u8>,
}

/// Why an object cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContentError {
    /// The archive does not give it.
    #[error("{0}")]
    Archive(#[from] ArchiveError),
    /// It is packed in a broken way.
    #[error("{0}")]
    Unpack(#[from] UnpackError),
    /// It is larger than its like may be.
    #[error("it is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// Unpacking ended without an answer.
    #[error("unpacking it ended without an answer")]
    Lost,
}

/// What is done with the content besides hashing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Nothing.
    Hash,
    /// It is held, up to so many bytes.
    Text(usize),
}

/// Reads an object.
pub(super) async fn read(
    archive: &Archive,
    place: &ObjectPlace,
    keep: Keep,
) -> Result<Content, ContentError> {
    let sought = Sought { bucket: &place.bucket, key: &place.key, etag: "", version_id: None };
    let first = archive.first(sought, PIECE_BYTES).await?;
    let sought = Sought { etag: &first.etag, ..sought };
    let mut reading = Reading::new(keep);
    let mut read = first.bytes.len() as u64;
    reading = feed(reading, first.bytes).await?;
    while read < first.size {
        let end = first.size.min(read + PIECE_BYTES);
        let piece = archive.range(sought, read..end).await?;
        read = end;
        reading = feed(reading, piece).await?;
    }
    compute(move || reading.end()).await.ok_or(ContentError::Lost)?
}

async fn feed(reading: Reading, piece: Bytes) -> Result<Reading, ContentError> {
    compute(move || reading.take(piece)).await.ok_or(ContentError::Lost)?
}

/// An object being read.
struct Reading {
    unpacker: Unpacker,
    hasher: Sha256,
    keep: Keep,
    text: Vec<u8>,
}

impl Reading {
    fn new(keep: Keep) -> Self {
        let unpacker = Unpacker::new(UnpackLimits::default());
        Self { unpacker, hasher: Sha256::new(), keep, text: Vec::new() }
    }

    fn take(mut self, mut piece: Bytes) -> Result<Self, ContentError> {
        while !piece.is_empty() {
            let mut out = Vec::new();
            self.unpacker.unpack(&mut piece, &mut out, STEP_BYTES)?;
            self.note(&out)?;
        }
        Ok(self)
    }

    fn end(mut self) -> Result<Content, ContentError> {
        loop {
            let mut out = Vec::new();
            let is_whole = self.unpacker.finish(&mut out, STEP_BYTES)?;
            self.note(&out)?;
            if is_whole {
                return Ok(Content { sha256: hex(&self.hasher.finalize()), text: self.text });
            }
        }
    }

    fn note(&mut self, plain: &[u8]) -> Result<(), ContentError> {
        self.hasher.update(plain);
        if let Keep::Text(limit_bytes) = self.keep {
            if self.text.len() + plain.len() > limit_bytes {
                return Err(ContentError::TooLarge { limit_bytes });
            }
            self.text.extend_from_slice(plain);
        }
        Ok(())
    }
}

/// Writes bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let is_hex = text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| text.as_bytes().chunks(2).map(pair).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_comes_back() {
        assert_eq!(unhex(&hex(&[0, 7, 255])), Some(vec![0, 7, 255]));
        for wrong in ["0", "0g", "+1", "é"] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
    }
}
