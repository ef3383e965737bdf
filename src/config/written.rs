//! The configuration as it is written, checked into what the modules take.
//!
//! Knows every key, its type and its bounds; a value that is out of them is told with its key.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{Config, ConfigError, WorkerSettings};
use crate::aws::{BucketAccess, Role};
use crate::ingest::source::custom::mapping::Mapping;
use crate::ingest::source::declared::{Declarations, Declared};
use crate::ingest::{IngestLimits, LocalFiles};
use crate::intel::{IntelPlaces, Network};
use crate::lake::bucket::WriteSettings;
use crate::lake::catalog::CatalogPlace;
use crate::lake::store::Place;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Written {
    lake: Option<String>,
    lake_kms_key: Option<String>,
    lake_acl: Option<String>,
    catalog: Option<String>,
    catalog_busy_timeout: Option<String>,
    catalog_connections_max: Option<u32>,
    log: Option<String>,
    ingest: WrittenIngest,
    worker: WrittenWorker,
    settle: WrittenSettle,
    detect: WrittenDetect,
    query: WrittenQuery,
    sources: Vec<WrittenSource>,
    buckets: Vec<WrittenBucket>,
    intel: WrittenIntel,
    investigate: WrittenInvestigate,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSource {
    place: String,
    mapping: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBucket {
    place: String,
    role_arn: Option<String>,
    external_id: Option<String>,
    region: Option<String>,
    #[serde(default)]
    request_payer: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenIntel {
    mmdb: Vec<PathBuf>,
    aws_ip_ranges: Option<PathBuf>,
    corporate: Vec<String>,
    indicators: Vec<PathBuf>,
    accounts: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenInvestigate {
    public_keys: Vec<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenIngest {
    lanes: Option<usize>,
    batch_stored_bytes_max: Option<u64>,
    segment_plain_bytes_max: Option<usize>,
    record_bytes_max: Option<usize>,
    inflated_bytes_max: Option<u64>,
    lease: Option<String>,
    batch_age_max: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenWorker {
    queue: Option<String>,
    dead_letter_queue: Option<String>,
    listen: Option<std::net::SocketAddr>,
    deliveries_max: Option<u32>,
    shutdown_deadline: Option<String>,
    local_files: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenSettle {
    every: Option<String>,
    derive_every: Option<String>,
    jobs: Option<usize>,
    input_bytes_max: Option<u64>,
    file_bytes_max: Option<usize>,
    spill_folder: Option<PathBuf>,
    hot_grace: Option<String>,
    orphan_age: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenDetect {
    lease: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenQuery {
    memory_bytes: Option<usize>,
    spill_folder: Option<PathBuf>,
}

impl WrittenSource {
    /// Reads the mapping, whose path is relative to the configuration's.
    fn declared(self, folder: &Path) -> Result<Declared, ConfigError> {
        let mapping = self.mapping.map(|path| {
            let path = folder.join(path);
            let text = std::fs::read_to_string(&path)
                .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
            let mapping = Mapping::read(&text).map_err(|source| ConfigError::Mapping { path, source })?;
            Ok::<_, ConfigError>(Arc::new(mapping))
        });
        Ok(Declared { place: Place::read(&self.place)?, mapping: mapping.transpose()? })
    }
}

impl WrittenBucket {
    fn access(self) -> Result<BucketAccess, ConfigError> {
        let wrong = |what: String| ConfigError::Value { key: "buckets", what };
        let Place::Bucket { bucket, prefix } = Place::read(&self.place)? else {
            return Err(wrong(format!("place {} is no s3://bucket/prefix", self.place)));
        };
        if self.external_id.is_some() && self.role_arn.is_none() {
            return Err(wrong(format!("{}: an external_id is said to a role; give role_arn", self.place)));
        }
        let role = self.role_arn.map(|arn| Role { arn, external_id: self.external_id });
        Ok(BucketAccess { bucket, prefix, role, region: self.region, request_payer: self.request_payer })
    }
}

impl WrittenIntel {
    /// Reads networks; paths are relative to the configuration's.
    fn places(self, folder: &Path) -> Result<IntelPlaces, ConfigError> {
        let network = |text: &String| {
            let what = format!("{text} is no network such as 203.0.113.0/24");
            Network::read(text).ok_or(ConfigError::Value { key: "intel.corporate", what })
        };
        let beside = |path: PathBuf| folder.join(path);
        Ok(IntelPlaces {
            corporate: self.corporate.iter().map(network).collect::<Result<_, _>>()?,
            mmdb: self.mmdb.into_iter().map(beside).collect(),
            aws_ip_ranges: self.aws_ip_ranges.map(beside),
            indicators: self.indicators.into_iter().map(beside).collect(),
            accounts: self.accounts.map(beside),
        })
    }
}

impl Written {
    /// Checks all of it; paths are relative to `folder`.
    pub(super) fn check(self, folder: &Path) -> Result<Config, ConfigError> {
        let lake = self.lake.as_deref().map(Place::read).transpose()?;
        let catalog = self.catalog.as_deref().map(CatalogPlace::read);
        let lake_writes = WriteSettings { kms_key: self.lake_kms_key, acl: self.lake_acl };
        if let Some(acl) = lake_writes.acl.as_ref().filter(|acl| !WriteSettings::is_acl(acl)) {
            let what = format!("{acl} is no canned ACL of S3 such as bucket-owner-full-control");
            return Err(ConfigError::Value { key: "lake_acl", what });
        }
        let mut config = Config { lake, lake_writes, catalog, log: self.log, ..Config::default() };
        put_duration(
            &mut config.catalog_limits.busy_timeout,
            self.catalog_busy_timeout.as_deref(),
            "catalog_busy_timeout",
        )?;
        let connections = ("catalog_connections_max", 1..=1000);
        put(&mut config.catalog_limits.connections_max, self.catalog_connections_max, connections)?;
        let ingest = &mut config.ingest;
        put(&mut ingest.lanes, self.ingest.lanes, ("ingest.lanes", 1..=256))?;
        let bytes = ("ingest.batch_stored_bytes_max", 1024..=1 << 32);
        put(&mut ingest.batch_stored_bytes_max, self.ingest.batch_stored_bytes_max, bytes)?;
        let segment = &mut ingest.segment;
        let bytes = ("ingest.segment_plain_bytes_max", 1024..=1 << 30);
        put(&mut segment.plain_bytes_max, self.ingest.segment_plain_bytes_max, bytes)?;
        put(
            &mut segment.record_bytes_max,
            self.ingest.record_bytes_max,
            ("ingest.record_bytes_max", 1024..=1 << 30),
        )?;
        let bytes = ("ingest.inflated_bytes_max", 1024..=1 << 50);
        put(&mut segment.unpack.inflated_bytes_max, self.ingest.inflated_bytes_max, bytes)?;
        put_duration(&mut ingest.lease, self.ingest.lease.as_deref(), "ingest.lease")?;
        put_duration(
            &mut ingest.batch_age_max,
            self.ingest.batch_age_max.as_deref(),
            "ingest.batch_age_max",
        )?;
        let worker = self.worker.check(ingest)?;
        config.worker = worker;
        let settle = &mut config.settle;
        put(&mut settle.jobs, self.settle.jobs, ("settle.jobs", 1..=256))?;
        put(
            &mut settle.input_bytes_max,
            self.settle.input_bytes_max,
            ("settle.input_bytes_max", 1024..=1 << 36),
        )?;
        put(
            &mut settle.file_bytes_max,
            self.settle.file_bytes_max,
            ("settle.file_bytes_max", 1 << 20..=1 << 28),
        )?;
        settle.spill_folder = self.settle.spill_folder;
        put_duration(&mut settle.every, self.settle.every.as_deref(), "settle.every")?;
        put_duration(&mut settle.derive_every, self.settle.derive_every.as_deref(), "settle.derive_every")?;
        put_duration(&mut settle.hot_grace, self.settle.hot_grace.as_deref(), "settle.hot_grace")?;
        put_duration(&mut settle.orphan_age, self.settle.orphan_age.as_deref(), "settle.orphan_age")?;
        put_duration(&mut config.detect.lease, self.detect.lease.as_deref(), "detect.lease")?;
        config.query_memory_bytes = self.query.memory_bytes;
        config.query_spill_folder = self.query.spill_folder;
        let declared = self.sources.into_iter().map(|source| source.declared(folder));
        config.declarations = Declarations(declared.collect::<Result<_, _>>()?);
        config.intel = self.intel.places(folder)?;
        config.public_keys = self.investigate.public_keys.iter().map(|path| folder.join(path)).collect();
        let buckets = self.buckets.into_iter().map(WrittenBucket::access);
        config.buckets = buckets.collect::<Result<_, _>>()?;
        Ok(config)
    }
}

impl WrittenWorker {
    fn check(self, ingest: &mut IngestLimits) -> Result<WorkerSettings, ConfigError> {
        // From the third delivery on a message is tried alone: only then is it known to be what fails.
        put(&mut ingest.deliveries_max, self.deliveries_max, ("worker.deliveries_max", 3..=1000))?;
        ingest.fetch_deliveries_max = ingest.deliveries_max;
        if self.local_files {
            ingest.local_files = LocalFiles::Read;
        }
        let mut worker = WorkerSettings {
            queue: self.queue,
            dead_letter_queue: self.dead_letter_queue,
            listen: self.listen,
            ..WorkerSettings::default()
        };
        let deadline = self.shutdown_deadline.as_deref();
        put_duration(&mut worker.shutdown_deadline, deadline, "worker.shutdown_deadline")?;
        Ok(worker)
    }
}

fn put<T: PartialOrd + std::fmt::Display>(
    slot: &mut T,
    value: Option<T>,
    (key, bounds): (&'static str, std::ops::RangeInclusive<T>),
) -> Result<(), ConfigError> {
    let Some(value) = value else { return Ok(()) };
    if !bounds.contains(&value) {
        let what = format!("{value} is not between {} and {}", bounds.start(), bounds.end());
        return Err(ConfigError::Value { key, what });
    }
    *slot = value;
    Ok(())
}

fn put_duration(slot: &mut Duration, value: Option<&str>, key: &'static str) -> Result<(), ConfigError> {
    let Some(value) = value else { return Ok(()) };
    let wrong = || ConfigError::Value { key, what: format!("{value} is no duration such as 30s, 10m or 1h") };
    let duration: jiff::SignedDuration = value.parse().map_err(|_no_duration| wrong())?;
    *slot = Duration::try_from(duration).map_err(|_negative| wrong())?;
    Ok(())
}
