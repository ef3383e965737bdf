//! Files that are merged, where a merge can read any part of them.
//!
//! A local lake's are read where they lie. A bucket's are fetched: into memory while
//! those of a round fit, else into a file without a name that goes with the process, so
//! that a partition of any size is merged in the same memory.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use tokio::io::AsyncWriteExt;

use super::{SettleError, SettleLimits};
use crate::lake::catalog::{Catalog, FileKind, LakeFile, Slice};
use crate::lake::store::{Lake, Place};

/// A file to merge.
#[derive(Debug)]
pub(super) struct Input {
    /// Its bytes.
    pub(super) content: Content,
    /// Its accounts and Regions in the order of its rows.
    pub(super) slices: Vec<Slice>,
    /// The time of its first row, where the catalog knows it: a settled file is ordered by time.
    pub(super) first_time: Option<i64>,
}

/// The bytes of a file.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// In memory.
    Held(Bytes),
    /// On the disk.
    File(Arc<File>),
}

/// Where the files of a round are put that are not in a folder.
#[derive(Debug, Clone)]
pub(super) enum Spool {
    /// Memory.
    Memory,
    /// A folder.
    Folder(PathBuf),
}

impl Spool {
    /// Decides by the size of all files of a round.
    pub(super) fn of(files: &[LakeFile], limits: &SettleLimits) -> Self {
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        if bytes <= limits.input_bytes_max {
            Self::Memory
        } else {
            Self::Folder(limits.spill_folder.clone().unwrap_or_else(std::env::temp_dir))
        }
    }
}

/// Brings a file to where a merge can read it.
pub(super) async fn read(
    catalog: &Catalog,
    lake: &Lake,
    spool: &Spool,
    file: &LakeFile,
) -> Result<Input, SettleError> {
    let slices = if file.slices.is_empty() { catalog.slices(&file.key).await? } else { file.slices.clone() };
    let first_time = (file.kind == FileKind::Settled).then_some(file.time_min);
    let content = match (&lake.place, spool) {
        (Place::Folder(folder), _) => open(file, folder.join(&file.key)).await?,
        (Place::Bucket { .. }, spool) => fetch(lake, spool, file).await?,
    };
    Ok(Input { content, slices: in_order(slices), first_time })
}

/// Sorts slices as the rows of a file are sorted: by account, then Region.
fn in_order(mut slices: Vec<Slice>) -> Vec<Slice> {
    slices.sort_by(|a, b| (a.account, &a.region).cmp(&(b.account, &b.region)));
    slices
}

async fn open(file: &LakeFile, path: PathBuf) -> Result<Content, SettleError> {
    let wrong = |error: std::io::Error| {
        let source = match error.kind() {
            std::io::ErrorKind::NotFound => {
                object_store::Error::NotFound { path: file.key.clone(), source: Box::new(error) }
            }
            _ => object_store::Error::Generic { store: "folder", source: Box::new(error) },
        };
        SettleError::Store { what: "read", key: file.key.clone(), source }
    };
    let opened = tokio::fs::File::open(path).await.map_err(wrong)?;
    Ok(Content::File(Arc::new(opened.into_std().await)))
}

async fn fetch(lake: &Lake, spool: &Spool, file: &LakeFile) -> Result<Content, SettleError> {
    let wrong = |source| SettleError::Store { what: "read", key: file.key.clone(), source };
    let object = lake.store.get(&Path::from(file.key.as_str())).await.map_err(wrong)?;
    let Spool::Folder(folder) = spool else {
        return Ok(Content::Held(object.bytes().await.map_err(wrong)?));
    };
    let full = |source| SettleError::Spill { folder: folder.clone(), source };
    let mut spooled = tokio::fs::File::from_std(tempfile::tempfile_in(folder).map_err(full)?);
    let mut pieces = object.into_stream();
    while let Some(piece) = pieces.try_next().await.map_err(wrong)? {
        spooled.write_all(&piece).await.map_err(full)?;
    }
    spooled.flush().await.map_err(full)?;
    Ok(Content::File(Arc::new(spooled.into_std().await)))
}

impl Length for Content {
    fn len(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            // A file that cannot be asked is read as an empty one, which no Parquet file is.
            Self::File(file) => file.metadata().map_or(0, |metadata| metadata.len()),
        }
    }
}

impl ChunkReader for Content {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        match self {
            Self::Held(bytes) => Ok(Box::new(bytes.get_read(start)?)),
            // Buffered: page headers are read byte by byte.
            Self::File(file) => {
                Ok(Box::new(std::io::BufReader::new(Following { file: Arc::clone(file), at: start })))
            }
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        match self {
            Self::Held(bytes) => bytes.get_bytes(start, length),
            Self::File(file) => {
                let mut buffer = vec![0; length];
                file.read_exact_at(&mut buffer, start)?;
                Ok(buffer.into())
            }
        }
    }
}

/// Reads on from a place in a file. Several threads read one file at once, so its own position is of no use.
struct Following {
    file: Arc<File>,
    at: u64,
}

impl Read for Following {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
