//! Unpacks the bytes of one object, piece by piece.
//!
//! Takes pieces of a stored object in order and appends the text inside to a
//! buffer. Gzip, Zstandard and Parquet are told by their first bytes; key suffix and
//! `Content-Encoding` are hints at best, since writers set them as they please.
//! Promises:
//! - every member of a multi-member gzip is read;
//! - past [`UnpackLimits::inflated_bytes_max`] it stops with an error and never cuts silently;
//! - a step appends at most [`STEP_GROWTH_MAX`] bytes more than asked for, however dense the
//!   packing, so a bomb cannot fill the memory.
//!
//! Not here: finding records in the text (`source`).

use std::io::Write;

use bytes::{Buf, Bytes};
use flate2::write::MultiGzDecoder;

use super::parquet_rows::{PARQUET, ParquetRows};

/// How many packed bytes are unpacked in one step. Deflate grows at most 1,032 times.
const STEP_BYTES: usize = 16 * 1024;

/// What one step may append beyond the room that was asked for.
pub const STEP_GROWTH_MAX: usize = STEP_BYTES * 1032;

/// Bounds of unpacking.
#[derive(Debug, Clone, Copy)]
pub struct UnpackLimits {
    /// Bytes an object may have when unpacked. CloudTrail's largest files are far below 1 GiB; eight leave
    /// room for a merged archive and stop a bomb.
    pub inflated_bytes_max: u64,
    /// A Parquet object may have this many bytes as stored: it is held as a whole. AWS closes a flow log file
    /// at 75 MB.
    pub parquet_bytes_max: usize,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self { inflated_bytes_max: 8 << 30, parquet_bytes_max: 256 << 20 }
    }
}

/// Why an object cannot be unpacked further.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It grew past the limit.
    #[error("grew past {limit_bytes} bytes when unpacked")]
    Oversized {
        /// The limit.
        limit_bytes: u64,
    },
    /// The packing is broken.
    #[error("broken {packing} after {plain_bytes} unpacked bytes: {source}")]
    Broken {
        /// Gzip or Zstandard.
        packing: &'static str,
        /// How far it could be read.
        plain_bytes: u64,
        /// What the decoder said.
        source: std::io::Error,
    },
}

/// Unpacks one object.
pub struct Unpacker {
    packing: Packing,
    limits: UnpackLimits,
    plain_bytes: u64,
}

enum Packing {
    /// No byte has come yet.
    Unknown,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Vec<u8>>>),
    /// The file so far; its end says where its parts are.
    Parquet(Vec<u8>),
    ParquetRows(Box<ParquetRows>),
    None,
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacker").field("plain_bytes", &self.plain_bytes).finish_non_exhaustive()
    }
}

impl Unpacker {
    /// Starts at the first byte of an object.
    pub fn new(limits: UnpackLimits) -> Self {
        Self { packing: Packing::Unknown, limits, plain_bytes: 0 }
    }

    /// Returns how much text came out so far.
    pub fn plain_bytes(&self) -> u64 {
        self.plain_bytes
    }

    /// Unpacks from `piece`, passing over what it used, until `out` holds `full_at` bytes or the piece ends.
    ///
    /// # Errors
    /// The packing is broken or the text grew past its limit; what was unpacked before is in `out`.
    pub fn unpack(
        &mut self,
        piece: &mut Bytes,
        out: &mut Vec<u8>,
        full_at: usize,
    ) -> Result<(), UnpackError> {
        if matches!(self.packing, Packing::Unknown) && !piece.is_empty() {
            self.packing = packing_of(piece).map_err(|source| self.broken("zstd", source))?;
        }
        while !piece.is_empty() && out.len() < full_at {
            if let Packing::Parquet(file) = &mut self.packing {
                return take_parquet(file, piece, self.limits.parquet_bytes_max);
            }
            let step = piece.get(..STEP_BYTES.min(piece.len())).unwrap_or_default();
            let before = out.len();
            let result = self.packing.step(step, out);
            piece.advance(step.len());
            self.count(out.len() - before)?;
            result.map_err(|source| self.broken(self.packing.name(), source))?;
        }
        Ok(())
    }

    /// Takes what is left when the object has ended, until `out` holds `full_at` bytes. False when there is more.
    ///
    /// # Errors
    /// The packing does not end where the object does.
    pub fn finish(&mut self, out: &mut Vec<u8>, full_at: usize) -> Result<bool, UnpackError> {
        let before = out.len();
        if let Packing::Parquet(file) = &mut self.packing {
            let file = Bytes::from(std::mem::take(file));
            let rows = ParquetRows::open(file).map_err(|error| self.broken("Parquet", io_error(error)))?;
            self.packing = Packing::ParquetRows(Box::new(rows));
        }
        if let Packing::ParquetRows(rows) = &mut self.packing {
            let more = rows.lines(out, full_at);
            self.count(out.len() - before)?;
            return more.map(|more| !more).map_err(|error| self.broken("Parquet", io_error(error)));
        }
        let result = match &mut self.packing {
            Packing::Gzip(decoder) => {
                let end = decoder.try_finish();
                out.append(decoder.get_mut());
                end
            }
            Packing::Zstd(decoder) => {
                let end = decoder.flush();
                out.append(decoder.get_mut());
                end
            }
            _ => Ok(()),
        };
        self.count(out.len() - before)?;
        result.map(|()| true).map_err(|source| self.broken(self.packing.name(), source))
    }

    /// Unpacks a whole object of one gzip member at once, a third faster than piece by piece. False when it is
    /// something else, or larger than `room`; nothing has changed then.
    pub fn unpack_whole(&mut self, whole: &[u8], out: &mut Vec<u8>, room: usize) -> bool {
        let Some(size) = single_gzip_size(whole).filter(|size| *size <= room) else {
            return false;
        };
        if size as u64 > self.limits.inflated_bytes_max {
            return false;
        }
        let start = out.len();
        out.resize(start + size, 0);
        let target = out.get_mut(start..).unwrap_or_default();
        let unpacked = WHOLE.with_borrow_mut(|decoder| decoder.gzip_decompress(whole, target));
        if unpacked.is_ok_and(|length| length == size) {
            self.plain_bytes += size as u64;
            return true;
        }
        out.truncate(start);
        false
    }

    fn count(&mut self, bytes: usize) -> Result<(), UnpackError> {
        self.plain_bytes += bytes as u64;
        let limit_bytes = self.limits.inflated_bytes_max;
        if self.plain_bytes > limit_bytes { Err(UnpackError::Oversized { limit_bytes }) } else { Ok(()) }
    }

    fn broken(&self, packing: &'static str, source: std::io::Error) -> UnpackError {
        UnpackError::Broken { packing, plain_bytes: self.plain_bytes, source }
    }
}

thread_local! {
    /// One decoder a thread of the CPU pool: it is a table of 32 KiB that would be made anew for each object.
    static WHOLE: std::cell::RefCell<libdeflater::Decompressor> =
        std::cell::RefCell::new(libdeflater::Decompressor::new());
}

/// Returns the unpacked size that a gzip of one member names at its end. Every further member would start
/// with the same three bytes, so where they stand nowhere else there is none.
fn single_gzip_size(whole: &[u8]) -> Option<usize> {
    let body = whole.strip_prefix(&GZIP)?;
    if memchr::memmem::find(body, &GZIP).is_some() {
        return None;
    }
    let size = whole.last_chunk::<4>().map(|size| u32::from_le_bytes(*size))?;
    // Deflate cannot pack better than this: a larger number is a lie.
    let possible = whole.len().saturating_mul(1032);
    usize::try_from(size).ok().filter(|size| *size <= possible)
}

/// The magic number and the only method of gzip.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

fn packing_of(piece: &[u8]) -> std::io::Result<Packing> {
    if piece.starts_with(&GZIP) {
        return Ok(Packing::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))));
    }
    if piece.starts_with(&ZSTD) {
        return Ok(Packing::Zstd(Box::new(zstd::stream::write::Decoder::new(Vec::new())?)));
    }
    if piece.starts_with(&PARQUET) {
        return Ok(Packing::Parquet(Vec::new()));
    }
    Ok(Packing::None)
}

/// Parquet is read from its end: it must be in memory as a whole, packed.
fn take_parquet(file: &mut Vec<u8>, piece: &mut Bytes, limit: usize) -> Result<(), UnpackError> {
    if file.len() + piece.len() > limit {
        return Err(UnpackError::Oversized { limit_bytes: limit as u64 });
    }
    file.extend_from_slice(piece);
    piece.clear();
    Ok(())
}

fn io_error(error: impl std::error::Error + Send + Sync + 'static) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, error)
}

impl Packing {
    fn name(&self) -> &'static str {
        match self {
            Self::Gzip(_) => "gzip",
            Self::Zstd(_) => "zstd",
            Self::Parquet(_) | Self::ParquetRows(_) => "Parquet",
            Self::Unknown | Self::None => "text",
        }
    }

    fn step(&mut self, step: &[u8], out: &mut Vec<u8>) -> std::io::Result<()> {
        match self {
            Self::Gzip(decoder) => {
                let result = decoder.write_all(step);
                out.append(decoder.get_mut());
                result
            }
            Self::Zstd(decoder) => {
                let result = decoder.write_all(step);
                out.append(decoder.get_mut());
                result
            }
            Self::Parquet(_) | Self::ParquetRows(_) => Ok(()),
            Self::Unknown | Self::None => {
                out.extend_from_slice(step);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(stored: &[u8], piece: usize, limit: u64) -> (Vec<u8>, Option<String>) {
        let mut unpacker =
            Unpacker::new(UnpackLimits { inflated_bytes_max: limit, ..UnpackLimits::default() });
        let mut out = Vec::new();
        for piece in stored.chunks(piece) {
            let mut piece = Bytes::copy_from_slice(piece);
            while !piece.is_empty() {
                let full_at = out.len() + 10;
                if let Err(error) = unpacker.unpack(&mut piece, &mut out, full_at) {
                    return (out, Some(error.to_string()));
                }
            }
        }
        let end = unpacker.finish(&mut out, usize::MAX);
        (out, end.err().map(|error| error.to_string()))
    }

    #[test]
    fn reads_every_member_in_any_pieces() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let (first, second) = text.split_at(300_000);
        let members = [gzip(first), gzip(second)].concat();
        let zstd = zstd::encode_all(text.as_slice(), 1).unwrap();
        for stored in [&gzip(&text), &members, &zstd, &text] {
            for piece in [1000, 70_000, usize::MAX] {
                assert_eq!(unpack(stored, piece, u64::MAX), (text.clone(), None));
            }
        }
    }

    #[test]
    fn whole_objects_are_one_member_only() {
        let text = b"the same text the same text";
        let mut out = b"before ".to_vec();
        let mut unpacker = Unpacker::new(UnpackLimits::default());
        assert!(unpacker.unpack_whole(&gzip(text), &mut out, 1000));
        assert_eq!(out, b"before the same text the same text");
        let twice = [gzip(text), gzip(text)].concat();
        assert!(!unpacker.unpack_whole(&twice, &mut out, 1000), "a second member must not be lost");
        assert!(!unpacker.unpack_whole(&gzip(text), &mut out, 10), "no room");
        assert!(!unpacker.unpack_whole(text, &mut out, 1000), "no gzip");
        assert_eq!(out.len(), 34);
    }

    #[test]
    fn a_cut_or_garbled_object_says_so_and_keeps_what_came() {
        let stored = gzip(&b"0123456789".repeat(10_000));
        let (out, error) = unpack(&stored[..stored.len() - 9], usize::MAX, u64::MAX);
        assert!(out.len() > 50_000, "{}", out.len());
        assert!(error.unwrap().starts_with("broken gzip after"));
        let (_, error) = unpack(&[&stored[..], b"garbage"].concat(), usize::MAX, u64::MAX);
        assert!(error.is_some());
    }

    #[test]
    fn a_bomb_stops_at_the_cap() {
        let stored = gzip(&vec![b' '; 50_000_000]);
        let (out, error) = unpack(&stored, usize::MAX, 1_000_000);
        assert_eq!(error.as_deref(), Some("grew past 1000000 bytes when unpacked"));
        assert!(out.len() <= 1_000_000 + STEP_GROWTH_MAX);
    }
}
