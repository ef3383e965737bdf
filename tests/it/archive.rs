//! Builds archives of true shape, runs the binary on them and reads the rows back.
//!
//! Records are invented: accounts 111122223333 and 444455556666, addresses of the documentation ranges.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use ashiato::lake::catalog::CatalogPlace;
use serde_json::{Value, json};
use sqlx::Connection as _;

/// The first account.
pub(crate) const ACCOUNT: &str = "111122223333";
/// Another account of the same organization.
pub(crate) const OTHER_ACCOUNT: &str = "444455556666";
/// Where most records are made.
pub(crate) const REGION: &str = "eu-west-1";

/// A record as CloudTrail writes them, number `number` of its archive.
pub(crate) fn record(number: u32) -> Value {
    record_of(number, ACCOUNT, REGION)
}

/// A record of some account and Region.
pub(crate) fn record_of(number: u32, account: &str, region: &str) -> Value {
    let arn = format!("arn:aws:sts::{account}:assumed-role/deploy/build-{number}");
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": format!("AROAEXAMPLEROLE:build-{number}"),
            "arn": arn,
            "accountId": account,
            "accessKeyId": "ASIAEXAMPLEKEY000001",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAEXAMPLEROLE",
                    "arn": format!("arn:aws:iam::{account}:role/deploy"),
                    "accountId": account,
                    "userName": "deploy",
                },
                "attributes": {"creationDate": "2025-01-05T09:00:00Z", "mfaAuthenticated": "false"},
            },
        },
        "eventTime": format!("2025-01-05T10:{:02}:{:02}Z", number / 60 % 60, number % 60),
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": region,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.15.0",
        "requestParameters": {"instancesSet": {"items": [{"instanceId": "i-0123456789abcdef0"}]}},
        "responseElements": null,
        "requestID": format!("00000000-0000-4000-9000-{number:012}"),
        "eventID": event_id(number),
        "readOnly": true,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": account,
        "eventCategory": "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"},
    })
}

/// The id of record `number`.
pub(crate) fn event_id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// The text of a file of these records.
pub(crate) fn file(records: &[Value]) -> Vec<u8> {
    json!({"Records": records}).to_string().into_bytes()
}

/// Text that cannot be packed well, the same for the same seed.
pub(crate) fn noise(seed: u64, length: usize) -> String {
    let mut chance = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| chance.alphanumeric()).take(length).collect()
}

/// Packs a file.
pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// The key of a file, as an organization trail writes it.
pub(crate) fn key(region: &str, name: &str) -> String {
    format!(
        "o-example123/AWSLogs/o-example123/{ACCOUNT}/CloudTrail/{region}/2025/01/05/{ACCOUNT}_CloudTrail_{region}_20250105T1005Z_{name}.json.gz"
    )
}

/// What a run of the binary gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Checks the exit code, and that nothing panicked.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.err.contains("panicked"), "{self:#?}");
        self
    }
}

/// An archive and a lake in a temporary folder.
pub(crate) struct Site {
    root: Arc<tempfile::TempDir>,
    lake: String,
    variables: Vec<(&'static str, String)>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("archive")).unwrap();
        Self { root: Arc::new(root), lake: "lake".to_owned(), variables: Vec::new() }.prepare()
    }

    /// The same archive and settings with another lake.
    pub(crate) fn beside(&self, lake: &str) -> Self {
        Self { root: Arc::clone(&self.root), lake: lake.to_owned(), variables: self.variables.clone() }
            .prepare()
    }

    /// Sets a setting of every run.
    pub(crate) fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.variables.push((variable, value.to_owned()));
        self
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.root().join("archive")
    }

    pub(crate) fn lake(&self) -> PathBuf {
        self.root().join(&self.lake)
    }

    /// All files of the lake but its catalog.
    pub(crate) fn lake_files(&self) -> Vec<String> {
        let mut files = files_below(&self.lake());
        files.retain(|path| !path.starts_with("catalog.sqlite"));
        files
    }

    /// Writes an object of the archive.
    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        let path = self.archive().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Prepares a run in which nothing of this process's environment is seen.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ashiato"));
        command
            .args(words)
            .env_clear()
            .env("HOME", self.root())
            .env("ASHIATO_LAKE", self.lake())
            .envs(self.postgres().map(|url| ("ASHIATO_CATALOG", url)))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.root())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        Ran::of(self.command(words).output().unwrap())
    }

    pub(crate) fn ingest(&self) -> Ran {
        self.run(&["ingest", "archive"])
    }

    pub(crate) fn settle(&self) -> Ran {
        self.run(&["settle"])
    }

    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.run(&["status", "--json"]).ended(0).out).unwrap()
    }

    /// What is set aside or unreadable, a value an entry.
    pub(crate) fn quarantine(&self) -> Vec<Value> {
        lines(&self.run(&["quarantine", "list", "--json"]).ended(0).out)
    }

    pub(crate) fn query(&self, sql: &str) -> Vec<Value> {
        lines(&self.run(&["query", sql, "--format", "jsonl"]).ended(0).out)
    }

    /// All rows with all their columns, in one order whatever files they lie in.
    pub(crate) fn rows(&self) -> Vec<Value> {
        let mut rows = self.query("select * from cloudtrail");
        rows.sort_by_cached_key(|row| (uid(row), row.to_string()));
        rows
    }

    /// The ids of all rows, in order; a row that stands twice gives two.
    pub(crate) fn uids(&self) -> Vec<String> {
        let rows = self.query("select metadata.uid as uid from cloudtrail order by uid");
        rows.iter().map(|row| text(row, "/uid")).collect()
    }

    /// Asks the lake's catalog for one number.
    pub(crate) fn count(&self, sql: &'static str) -> i64 {
        blocking(async {
            let mut catalog = self.catalog().await;
            let count = sqlx::query_scalar(sql).fetch_one(&mut catalog).await.unwrap();
            catalog.close().await.unwrap();
            count
        })
    }

    /// Opens the lake's catalog. Close it, so that its write-ahead log does not vanish later.
    pub(crate) async fn catalog(&self) -> sqlx::AnyConnection {
        sqlx::any::install_default_drivers();
        let url = self
            .postgres()
            .unwrap_or_else(|| format!("sqlite://{}", self.lake().join("catalog.sqlite").display()));
        sqlx::AnyConnection::connect(&url).await.unwrap()
    }

    /// The database of this lake, where the tests run on PostgreSQL: `ASHIATO_TEST_POSTGRES` is the URL of a
    /// server, without a database.
    fn postgres(&self) -> Option<String> {
        #[expect(clippy::disallowed_methods, reason = "no setting of the program: only tests read it")]
        let server = std::env::var("ASHIATO_TEST_POSTGRES").ok()?;
        let folder = self.root().file_name().unwrap().to_string_lossy().to_lowercase();
        let name: String = format!("ashiato_{folder}_{}", self.lake);
        let name = name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
        Some(format!("{}/{name}", server.trim_end_matches('/')))
    }

    /// Where the lake's catalog is.
    pub(crate) fn catalog_place(&self) -> CatalogPlace {
        self.postgres().map_or_else(
            || CatalogPlace::File(self.lake().join("catalog.sqlite")),
            |url| CatalogPlace::read(&url),
        )
    }

    /// Makes the database of this lake.
    fn prepare(self) -> Self {
        self.with_database(|name| format!("create database {name}"));
        self
    }

    /// Gives another lake, whose files were copied, the same catalog; that of SQLite is one of the files.
    pub(crate) fn copy_database(&self, to: &Self) {
        let Some(url) = self.postgres() else { return };
        let (_, template) = url.rsplit_once('/').unwrap();
        to.with_database(|name| format!("drop database {name}"));
        to.with_database(|name| format!("create database {name} template {template}"));
    }

    /// Runs a statement about this lake's database, if it is in one.
    fn with_database(&self, statement: impl FnOnce(&str) -> String) {
        let Some(url) = self.postgres() else { return };
        let (server, name) = url.rsplit_once('/').unwrap();
        let words = [&format!("{server}/postgres"), "-qc", &statement(name)];
        let ran = Ran::of(Command::new("psql").args(words).output().expect("psql is installed"));
        assert!(ran.code == Some(0) || ran.err.contains("already exists"), "{ran:?}");
    }

    /// Copies an object of the archive to another key.
    pub(crate) fn copy(&self, from: &str, to: &str) {
        let bytes = std::fs::read(self.archive().join(from)).unwrap();
        self.put(to, &bytes);
    }
}

/// Runs async code of a test.
pub(crate) fn blocking<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap().block_on(work)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The id of a row of `select *`.
pub(crate) fn uid(row: &Value) -> String {
    text(row, "/metadata/uid")
}

/// A string somewhere in a value, empty when none stands there.
pub(crate) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// All files below a folder, relative to it.
pub(crate) fn files_below(root: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// Compares rows and tells the first difference only: a lake has too many to print.
#[track_caller]
pub(crate) fn assert_same_rows(found: &[Value], expected: &[Value]) {
    let differ = found.iter().zip(expected).find(|(found, expected)| found != expected);
    if let Some((one, other)) = differ {
        panic!("of {} and {} rows the first to differ:\n{one}\n{other}", found.len(), expected.len());
    }
    assert_eq!(found.len(), expected.len(), "the rest of the rows");
}
