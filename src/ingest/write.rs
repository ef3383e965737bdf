//! Writes record batches as Parquet.
//!
//! Takes rows in their order and gives the bytes of one file: a hot one, or, of a
//! partition that is large by itself, a settled one in the Security Lake layout.
//! Both are encoded as [`crate::lake::parquet`] says.

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::errors::ParquetError;

use super::batch::{BatchError, ClassBatch};
use crate::lake::catalog::{FileKind, LakeFile};
use crate::lake::parquet::{Encoder, FilePurpose};
use crate::lake::path::{hot_key, settled_key};

/// A file not yet in the store.
#[derive(Debug, Clone)]
pub struct WrittenFile {
    /// What the catalog will say of it.
    pub file: LakeFile,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Why a file could not be made: mistakes of ours.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Columns do not fit each other.
    #[error("build columns")]
    Batch(#[from] BatchError),
    /// Parquet could not be encoded.
    #[error("encode parquet")]
    Encode(#[from] ParquetError),
}

/// Writes a batch as one file under `name`, from rows that come a few at a time.
///
/// # Errors
/// A mistake of ours, since it writes into memory.
pub fn write(
    batch: &ClassBatch,
    rows: impl Iterator<Item = Result<RecordBatch, BatchError>>,
    name: &str,
) -> Result<WrittenFile, WriteError> {
    let count = batch.len() as u64;
    let (kind, key, purpose) = match batch.settled() {
        Some(partition) => {
            (FileKind::Settled, settled_key(&partition, name), FilePurpose::Settled { rows: count })
        }
        None => (FileKind::Hot, hot_key(batch.table, batch.day, name), FilePurpose::Hot),
    };
    let mut encoder = Encoder::new(batch.table.schema(), purpose);
    for rows in rows {
        encoder.write(&rows?)?;
    }
    let bytes = encoder.finish()?;
    let file = LakeFile {
        key,
        table: batch.table,
        kind,
        day: batch.day,
        slices: batch.slices.clone(),
        rows: count,
        bytes: bytes.len() as u64,
        time_min: batch.time_min,
        time_max: batch.time_max,
    };
    Ok(WrittenFile { file, bytes })
}
