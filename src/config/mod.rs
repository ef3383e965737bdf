//! Reads the configuration: one TOML file, and `ASHIATO_*` over it.
//!
//! The only reader of files and environment for settings. Takes what a person
//! wrote, refuses what it does not know, and fills the limits that the modules
//! define; they never see a file, a flag or the environment.

mod written;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::aws::BucketAccess;
use crate::detect::DetectLimits;
use crate::ingest::IngestLimits;
use crate::ingest::source::custom::mapping::MappingError;
use crate::ingest::source::declared::Declarations;
use crate::intel::IntelPlaces;
use crate::lake::bucket::WriteSettings;
use crate::lake::catalog::{CatalogLimits, CatalogPlace};
use crate::lake::settle::SettleLimits;
use crate::lake::store::{Place, StoreError};
use crate::query::QueryLimits;
use written::Written;

/// The file that is read when `--config` names none.
pub const DEFAULT_FILE: &str = "ashiato.toml";

/// Everything that can be set.
#[derive(Debug, Default)]
pub struct Config {
    /// The lake.
    pub lake: Option<Place>,
    /// How its objects are written when it is in a bucket.
    pub lake_writes: WriteSettings,
    /// The catalog, when it is no file beside the lake.
    pub catalog: Option<CatalogPlace>,
    /// Bounds of the catalog.
    pub catalog_limits: CatalogLimits,
    /// What is logged: `tracing`'s directives.
    pub log: Option<String>,
    /// Bounds of the writing trail.
    pub ingest: IngestLimits,
    /// What `ashiato worker` reads, and how it ends.
    pub worker: WorkerSettings,
    /// Bounds of settling.
    pub settle: SettleLimits,
    /// Memory a query may use before it spills, bytes.
    pub query_memory_bytes: Option<usize>,
    /// Where a query spills to.
    pub query_spill_folder: Option<PathBuf>,
    /// Places whose logs are OCSF already or become it by a mapping.
    pub declarations: Declarations,
    /// Buckets that are reached in a way of their own.
    pub buckets: Vec<BucketAccess>,
    /// What is known beside the logs.
    pub intel: IntelPlaces,
    /// Bounds of detections.
    pub detect: DetectLimits,
    /// Files with the public keys of CloudTrail's digests.
    pub public_keys: Vec<PathBuf>,
}

/// What `ashiato worker` reads, and how it ends.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// The URL of the queue.
    pub queue: Option<String>,
    /// The URL of the queue for dead letters; without it they are left to the queue's redrive policy.
    pub dead_letter_queue: Option<String>,
    /// Where health and metrics are served; nowhere without it.
    pub listen: Option<std::net::SocketAddr>,
    /// How long batches in hand may take after SIGTERM: containers are killed after 30 s.
    pub shutdown_deadline: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            queue: None,
            dead_letter_queue: None,
            listen: None,
            shutdown_deadline: Duration::from_secs(25),
        }
    }
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The text is no TOML, or a key or value is not known.
    #[error("{origin}")]
    Parse {
        /// The file, or the environment.
        origin: String,
        /// What and where.
        #[source]
        source: toml::de::Error,
    },
    /// An `ASHIATO_*` variable is no setting.
    #[error("{name} is no setting; the settings are {known}")]
    UnknownVariable {
        /// The variable.
        name: String,
        /// All there are.
        known: String,
    },
    /// A number or duration is out of its bounds.
    #[error("{key}: {what}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong.
        what: String,
    },
    /// The lake's place is none.
    #[error("lake")]
    Lake(#[from] StoreError),
    /// A mapping says something that cannot be.
    #[error("mapping {path}")]
    Mapping {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: MappingError,
    },
}

/// Every setting, as the file spells it. A variable is `ASHIATO_` and the key in capitals, dots as underscores.
const KEYS: [&str; 33] = [
    "lake",
    "lake_kms_key",
    "lake_acl",
    "catalog",
    "catalog_busy_timeout",
    "catalog_connections_max",
    "log",
    "ingest.lanes",
    "ingest.batch_stored_bytes_max",
    "ingest.segment_plain_bytes_max",
    "ingest.record_bytes_max",
    "ingest.inflated_bytes_max",
    "ingest.lease",
    "ingest.batch_age_max",
    "worker.queue",
    "worker.dead_letter_queue",
    "worker.listen",
    "worker.deliveries_max",
    "worker.shutdown_deadline",
    "worker.local_files",
    "settle.every",
    "settle.derive_every",
    "settle.jobs",
    "settle.input_bytes_max",
    "settle.file_bytes_max",
    "settle.spill_folder",
    "settle.hot_grace",
    "settle.orphan_age",
    "detect.lease",
    "query.memory_bytes",
    "query.spill_folder",
    "sources",
    "buckets",
];

/// Settings that are lists of tables. A variable holds one as the file would: `[{place = "s3://bucket"}]`.
const LISTS: [&str; 2] = ["sources", "buckets"];

/// Settings that are `true` or `false`.
const FLAGS: [&str; 1] = ["worker.local_files"];

fn variable(key: &str) -> String {
    format!("ASHIATO_{}", key.replace('.', "_").to_uppercase())
}

impl Config {
    /// Returns what queries may take.
    pub fn query_limits(&self) -> QueryLimits {
        let limits = QueryLimits { spill_dir: self.query_spill_folder.clone(), ..QueryLimits::default() };
        QueryLimits { memory_bytes: self.query_memory_bytes.unwrap_or(limits.memory_bytes), ..limits }
    }

    /// Reads the file that was named, or `ashiato.toml` when it is there, and the environment over it.
    ///
    /// # Errors
    /// The file cannot be read, or something in it or in the environment is no setting.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
        let variables = std::env::vars().filter(|(name, _)| name.starts_with("ASHIATO_"));
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => {
                return Err(ConfigError::Read { path: path.to_owned(), source });
            }
        };
        Self::read(&text, &path.display().to_string(), variables)
    }

    fn read(
        text: &str,
        origin: &str,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let wrong = |source| ConfigError::Parse { origin: origin.to_owned(), source };
        // Read once by itself, so that what is wrong is told with its line.
        toml::from_str::<Written>(text).map_err(wrong)?;
        let mut table: toml::Table = toml::from_str(text).map_err(wrong)?;
        for (name, value) in variables {
            set(&mut table, &name, &value)?;
        }
        let written = Written::deserialize(table)
            .map_err(|source| ConfigError::Parse { origin: "environment".to_owned(), source })?;
        let folder = Path::new(origin).parent().unwrap_or(Path::new(""));
        written.check(folder)
    }
}

/// Says whether colours are welcome on a terminal: `NO_COLOR` says they are not (no-color.org).
pub fn wants_colours() -> bool {
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
    let unwanted = std::env::var("NO_COLOR");
    !unwanted.is_ok_and(|unwanted| !unwanted.is_empty())
}

/// What Lambda says of the function that this process is, if it is one.
#[derive(Debug, Clone, Copy)]
pub struct FunctionFacts {
    /// The memory it may use, mebibytes.
    pub memory_mib: u64,
}

impl FunctionFacts {
    /// Reads what Lambda put into the environment.
    pub fn read() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
        let [api, name, version, memory] = [
            "AWS_LAMBDA_RUNTIME_API",
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_VERSION",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        ]
        .map(|name| std::env::var(name).ok());
        (api.is_some() && name.is_some() && version.is_some())
            .then(|| Some(Self { memory_mib: memory?.parse().ok()? }))?
    }
}

fn set(table: &mut toml::Table, name: &str, value: &str) -> Result<(), ConfigError> {
    let Some(key) = KEYS.into_iter().find(|key| variable(key) == name) else {
        let known = KEYS.map(variable).join(", ");
        return Err(ConfigError::UnknownVariable { name: name.to_owned(), known });
    };
    let value = if LISTS.contains(&key) {
        let wrong = |source| ConfigError::Parse { origin: name.to_owned(), source };
        let mut list: toml::Table = toml::from_str(&format!("{key} = {value}")).map_err(wrong)?;
        let only = list.remove(key).filter(|_| list.is_empty());
        only.ok_or_else(|| wrong(serde::de::Error::custom("one list is wanted")))?
    } else if FLAGS.contains(&key)
        && let Ok(flag) = value.parse()
    {
        toml::Value::Boolean(flag)
    } else {
        value.parse::<i64>().map_or_else(|_| toml::Value::String(value.to_owned()), toml::Value::Integer)
    };
    match key.split_once('.') {
        None => drop(table.insert(key.to_owned(), value)),
        Some((section, key)) => {
            let section = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let Some(section) = section.as_table_mut() {
                section.insert(key.to_owned(), value);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::LocalFiles;

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::read(text, "ashiato.toml", variables).map_err(|error| {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            format!("{error}{}", source.unwrap_or_default())
        })
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let text = "lake = \"/a\"\n[ingest]\nlanes = 3\nlease = \"90s\"\n";
        let config = read(text, &[("ASHIATO_INGEST_LANES", "5"), ("ASHIATO_LAKE", "s3://b/p")]).unwrap();
        assert_eq!(config.ingest.lanes, 5);
        assert_eq!(config.ingest.lease, Duration::from_secs(90));
        assert_eq!(config.lake.unwrap().to_string(), "s3://b/p");
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert!(read("lakes = \"/a\"", &[]).unwrap_err().contains("unknown field `lakes`"));
        assert!(read("[ingest]\nlane = 1", &[]).unwrap_err().contains("unknown field `lane`"));
        assert!(read("", &[("ASHIATO_LANES", "1")]).unwrap_err().starts_with("ASHIATO_LANES is no setting"));
        assert!(read("[ingest]\nlanes = 0", &[]).unwrap_err().contains("not between 1 and 256"));
        assert!(read("lake_acl = \"mine\"", &[]).unwrap_err().contains("no canned ACL"));
        assert!(read("[ingest]\nlease = \"soon\"", &[]).unwrap_err().contains("no duration"));
    }

    #[test]
    fn messages_may_name_local_files_only_where_that_is_set() {
        let local_files = |variables: &[_]| read("", variables).map(|config| config.ingest.local_files);
        assert_eq!(local_files(&[]), Ok(LocalFiles::Refuse));
        assert_eq!(local_files(&[("ASHIATO_WORKER_LOCAL_FILES", "false")]), Ok(LocalFiles::Refuse));
        assert_eq!(local_files(&[("ASHIATO_WORKER_LOCAL_FILES", "true")]), Ok(LocalFiles::Read));
        assert!(local_files(&[("ASHIATO_WORKER_LOCAL_FILES", "yes")]).is_err());
    }

    #[test]
    fn a_list_in_the_environment_is_written_as_in_the_file() {
        let list = r#"[{place = "s3://b/p", role_arn = "arn:aws:iam::111122223333:role/r"}]"#;
        let config = read("", &[("ASHIATO_BUCKETS", list)]).unwrap();
        assert_eq!(config.buckets[0].prefix, "p");
        assert_eq!(config.buckets[0].role.as_ref().unwrap().arn, "arn:aws:iam::111122223333:role/r");
        assert!(read("", &[("ASHIATO_BUCKETS", "s3://b")]).unwrap_err().starts_with("ASHIATO_BUCKETS"));
        assert!(read("", &[("ASHIATO_BUCKETS", "[]\nlake = 1")]).unwrap_err().contains("one list is wanted"));
    }

    #[test]
    fn every_key_can_be_set_from_the_environment() {
        for key in KEYS {
            let duration = ["lease", "grace", "age", "age_max", "timeout", "deadline", "every"]
                .iter()
                .any(|end| key.ends_with(end));
            let value = if duration {
                "2s"
            } else if key.contains('.') {
                "2097152"
            } else {
                "/tmp/x"
            };
            let value = if ["lanes", "jobs"].iter().any(|end| key.ends_with(end)) { "2" } else { value };
            let value = if ["deliveries_max", "connections_max"].iter().any(|end| key.ends_with(end)) {
                "3"
            } else {
                value
            };
            let value =
                if key.ends_with("queue") { "https://sqs.eu-west-1.amazonaws.com/1/q" } else { value };
            let value = if key.ends_with("folder") { "/tmp/x" } else { value };
            let value = if key.ends_with("acl") { "bucket-owner-full-control" } else { value };
            let value = if key.ends_with("listen") { "127.0.0.1:9464" } else { value };
            let value = if FLAGS.contains(&key) { "true" } else { value };
            let value = if LISTS.contains(&key) { "[{place = \"s3://b/p\"}]" } else { value };
            read("", &[(&variable(key), value)]).unwrap();
        }
    }
}
