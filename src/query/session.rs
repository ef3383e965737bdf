//! One engine for the process, one session for each query.
//!
//! The engine holds what queries share: the memory they may take together, the
//! disk they spill to, the store of the lake. A session holds the names and the
//! dialect. The dialect is DuckDB's: in it `actor.user.uid` parses (`user` is a
//! word of its own in the generic and PostgreSQL ones), `"x"` quotes a name,
//! `[...]` reaches into lists and maps, and functions take lambdas.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::Dialect;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::error::{Cause, QueryError};
use super::intel;
use super::news::{self, News};
use super::reader::STORE_URL;
use super::shared::Scans;
use super::views::{ATHENA_CATALOGS, CATALOG, Databases, Names, SCHEMA, Unlisted};
use super::{athena, derived, element};
use crate::intel::Intel;
use crate::lake::{Catalog, Lake};

/// What queries may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryLimits {
    /// Memory of sorts, joins and groups of all queries together; past it they spill.
    /// 512 MiB leave room beside a worker on a small machine.
    pub memory_bytes: usize,
    /// Where they spill to; the system's temporary folder when not set.
    pub spill_dir: Option<PathBuf>,
    /// How much they may spill. 20 GiB, so that a wrong join does not fill a disk.
    pub spill_bytes_max: u64,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self { memory_bytes: 512 << 20, spill_dir: None, spill_bytes_max: 20 << 30 }
    }
}

/// The most a sort holds back for merging what it spilled; DataFusion's own default.
const MERGE_BYTES_MAX: usize = 10 << 20;

/// Which part of the memory, beside it, remembers footers of files: some 50 kB each.
const FOOTERS_SHARE: usize = 8;

/// How many consumers an error names when memory is gone.
const CONSUMERS_NAMED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);

/// Requests of one scan that are under way together where the lake is in a bucket. Each is some 25 ms away, and of a
/// thousand small files each is a few: with one for each of two cores, an investigation took a minute.
const BUCKET_REQUESTS: usize = 32;

/// The same of a folder: what is not in memory, a disk gives the sooner the more wait for it. From 16 on it was slower.
const FOLDER_REQUESTS: usize = 8;

/// What all queries of a process share.
#[derive(Clone)]
pub struct Engine {
    catalog: Catalog,
    requests: usize,
    intel: Arc<Intel>,
    news: Option<Arc<News>>,
    runtime: Arc<RuntimeEnv>,
    limits: QueryLimits,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The surroundings of one query.
pub(super) struct Session {
    pub(super) context: SessionContext,
    pub(super) catalog: Catalog,
    pub(super) counts: Arc<Scans>,
}

impl Engine {
    /// Sets the engine up. Build one a process: the memory limit counts inside one engine.
    ///
    /// # Errors
    /// The folder for spilling cannot be used.
    pub fn new(catalog: Catalog, lake: &Lake, limits: QueryLimits) -> Result<Self, QueryError> {
        let runtime = runtime(lake, &limits).map_err(|error| QueryError::Engine(Cause::from(&error)))?;
        let requests = if lake.place.as_bucket().is_some() { BUCKET_REQUESTS } else { FOLDER_REQUESTS };
        Ok(Self { catalog, requests, intel: Arc::default(), news: None, runtime, limits })
    }

    /// Returns the engine with what is known beside the logs.
    #[must_use]
    pub fn with_intel(self, intel: Intel) -> Self {
        Self { intel: Arc::new(intel), ..self }
    }

    /// Returns the engine for a run of detections: `new_cloudtrail` and the like are what it judges.
    #[must_use]
    pub fn with_news(self, news: News) -> Self {
        Self { news: Some(Arc::new(news)), ..self }
    }

    /// Returns the engine for a part of what is judged: new events of this stretch of time alone.
    #[must_use]
    pub fn within(self, times: (i64, i64)) -> Self {
        let news = self.news.map(|news| Arc::new(News { times: Some(times), ..News::clone(&news) }));
        Self { news, ..self }
    }

    /// Returns the limits.
    pub fn limits(&self) -> &QueryLimits {
        &self.limits
    }

    /// Opens a session that nothing of an earlier query reaches into.
    pub(super) fn session(&self) -> Session {
        let counts = Arc::new(Scans::of(self.requests));
        let state = SessionStateBuilder::new()
            .with_config(self.config())
            .with_runtime_env(Arc::clone(&self.runtime))
            .with_default_features()
            .with_optimizer_rules(element::rules())
            .build();
        let context = SessionContext::new_with_state(state);
        athena::register(&context);
        derived::function::register(&context);
        if self.news.is_some() {
            context.register_udf(news::few());
        }
        context.register_udf(intel::ip_info(Arc::clone(&self.intel)));
        let names = Names::new(
            self.catalog.clone(),
            (Arc::clone(&self.intel), self.news.clone()),
            Arc::clone(&counts),
        );
        context.register_catalog(CATALOG, Arc::new(Databases(Arc::clone(&names))));
        for name in ATHENA_CATALOGS {
            let names = Arc::clone(&names);
            context.register_catalog(name, Arc::new(Unlisted(Databases(names))));
        }
        Session { context, catalog: self.catalog.clone(), counts }
    }

    fn config(&self) -> SessionConfig {
        let config = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(true);
        let partitions = config.target_partitions().max(self.requests);
        // A sort in every partition holds this back, so together they stay at a quarter.
        let merge_bytes = (self.limits.memory_bytes / partitions / 4).min(MERGE_BYTES_MAX);
        // A merge holds two batches of every partition; with rows of 8 KiB they stay at half.
        let batch_rows = (self.limits.memory_bytes / partitions / (32 << 10)).clamp(256, 8192);
        let mut config = config.with_batch_size(batch_rows);
        let options = config.options_mut();
        options.sql_parser.dialect = Dialect::DuckDB;
        options.execution.sort_spill_reservation_bytes = merge_bytes;
        // Rows are wide and needles few: filter columns are read first, in the order of the filters, the rest for rows
        // that pass.
        options.execution.parquet.pushdown_filters = true;
        // A scan says itself in how many partitions it is read.
        options.optimizer.repartition_file_scans = false;
        config
    }
}

fn runtime(lake: &Lake, limits: &QueryLimits) -> Result<Arc<RuntimeEnv>> {
    let mode = match &limits.spill_dir {
        Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let disk =
        DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(limits.spill_bytes_max);
    // Fair: each of the spilling operators gets its share, and none starves the next.
    let pool = TrackConsumersPool::new(FairSpillPool::new(limits.memory_bytes), CONSUMERS_NAMED);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_metadata_cache_limit(limits.memory_bytes / FOOTERS_SHARE)
        .with_disk_manager_builder(disk)
        .build_arc()?;
    let url = ObjectStoreUrl::parse(STORE_URL)?;
    runtime.register_object_store(url.as_ref(), Arc::clone(&lake.store));
    Ok(runtime)
}
