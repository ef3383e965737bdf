//! Writes record batches as Parquet.
//!
//! Takes rows in their order and gives the bytes of one file. Both hot files
//! (`ingest`) and settled ones (`lake::settle`) are written with
//! [`crate::lake::parquet`]'s settings; a hot file lives for hours, so it goes
//! without bloom filters.

use bytes::Bytes;
use parquet::errors::ParquetError;

use super::batch::ClassBatch;
use crate::lake::catalog::{FileKind, LakeFile};
use crate::lake::parquet::{Encoder, FilePurpose};
use crate::lake::path::hot_key;

/// A file not yet in the store.
#[derive(Debug, Clone)]
pub struct WrittenFile {
    /// What the catalog will say of it.
    pub file: LakeFile,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Writes a batch as one hot file under `name`.
///
/// # Errors
/// Parquet's: a mistake of ours, since it writes into memory.
pub fn write_hot(batch: &ClassBatch, name: &str) -> Result<WrittenFile, ParquetError> {
    let mut encoder = Encoder::new(batch.table, FilePurpose::Hot);
    encoder.write(&batch.rows)?;
    let bytes = encoder.finish()?;
    let file = LakeFile {
        key: hot_key(batch.table, batch.day, name),
        table: batch.table,
        kind: FileKind::Hot,
        day: batch.day,
        slices: batch.slices.clone(),
        rows: batch.rows.num_rows() as u64,
        bytes: bytes.len() as u64,
        time_min: batch.time_min,
        time_max: batch.time_max,
    };
    Ok(WrittenFile { file, bytes })
}
