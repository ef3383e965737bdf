//! How files of the lake are read: every byte counted, footers remembered.
//!
//! Takes the store of an engine and gives DataFusion's readers of Parquet. One investigation asks
//! twenty questions of the same files, and a derivation four; their footers are read once, while
//! they fit into what the engine holds of them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::execution::object_store::ObjectStoreUrl;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

use super::shared::Scans;

/// How DataFusion names the store of the lake.
pub(super) const STORE_URL: &str = "ashiato://lake/";

/// What is read of a file's end to have its footer: of most settled files the footer and its indexes, in one request.
pub(super) const FOOTER_BYTES: usize = 16 * 1024;

/// Lets a source read through the engine's store.
pub(super) fn reading(
    source: ParquetSource,
    state: &dyn Session,
    counts: &Arc<Scans>,
) -> Result<ParquetSource> {
    let runtime = state.runtime_env();
    let store = runtime.object_store(ObjectStoreUrl::parse(STORE_URL)?)?;
    let store = Arc::new(Counted { store, counts: Arc::clone(counts) });
    let footers = runtime.cache_manager.get_file_metadata_cache();
    Ok(source
        .with_metadata_size_hint(FOOTER_BYTES)
        .with_parquet_file_reader_factory(Arc::new(CachedParquetFileReaderFactory::new(store, footers))))
}

/// A store that is only read, and counts what is read of it.
#[derive(Debug)]
struct Counted {
    store: Arc<dyn ObjectStore>,
    counts: Arc<Scans>,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

fn only_read() -> Error {
    Error::NotSupported { source: "queries only read".into() }
}

#[async_trait]
impl ObjectStore for Counted {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        let found = self.store.get_opts(location, options).await?;
        self.counts.add_read(found.range.end - found.range.start);
        Ok(found)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> object_store::Result<Vec<Bytes>> {
        let found = self.store.get_ranges(location, ranges).await?;
        self.counts.add_read(found.iter().map(|bytes| bytes.len() as u64).sum());
        Ok(found)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn put_opts(
        &self,
        _location: &Path,
        _payload: PutPayload,
        _options: PutOptions,
    ) -> object_store::Result<PutResult> {
        Err(only_read())
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Err(only_read())
    }

    fn delete_stream(
        &self,
        _locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        Box::pin(futures::stream::once(async { Err(only_read()) }))
    }

    async fn copy_opts(&self, _from: &Path, _to: &Path, _options: CopyOptions) -> object_store::Result<()> {
        Err(only_read())
    }
}
