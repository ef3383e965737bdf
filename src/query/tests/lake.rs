//! Writes a lake: rows by hand, real Parquet, a real catalog.

use arrow::array::RecordBatch;
use jiff::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use crate::lake::catalog::{BatchId, BatchOutcome, FileKind, LakeFile, Settling, Slice};
use crate::lake::path::{AccountId, EventDay, Partition, Region, hot_key, settled_key};
use crate::lake::{Catalog, Lake, Table};
use crate::ocsf::columns::Columns;
use crate::ocsf::schema::{CLOUD_TRAIL, long, map, text, time};
use crate::query::{Engine, Params, QueryError, QueryLimits, QueryStats, run};

/// 2025-01-01T00:00:00Z.
pub(super) const NEW_YEAR: i64 = 1_735_689_600_000;
pub(super) const DAY: i64 = 86_400_000;
pub(super) const A: &str = "111122223333";
pub(super) const B: &str = "444455556666";

/// One event.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) time: i64,
    pub(super) account: Option<&'static str>,
    pub(super) region: Option<&'static str>,
    pub(super) user: String,
    pub(super) operation: &'static str,
    pub(super) service: &'static str,
    pub(super) unmapped: Vec<(&'static str, String)>,
}

pub(super) fn event(id: &str, time: i64, account: &'static str, region: &'static str) -> Event {
    Event {
        id: id.to_owned(),
        time,
        account: Some(account),
        region: Some(region),
        user: format!("arn:aws:iam::{account}:user/alice"),
        operation: "GetObject",
        service: "s3.amazonaws.com",
        unmapped: vec![("recipientAccountId", account.to_owned())],
    }
}

pub(super) struct Fixture {
    pub(super) folder: TempDir,
    pub(super) catalog: Catalog,
    pub(super) lake: Lake,
}

impl Fixture {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&folder.path().join("catalog.db")).await.unwrap();
        let lake = Lake::in_folder(folder.path().join("lake")).unwrap();
        Self { folder, catalog, lake }
    }

    /// Two days, two accounts, two Regions of `api_activity`, and one event in each other table.
    pub(super) async fn with_events() -> Self {
        let fixture = Self::new().await;
        fixture
            .hot(
                Table::ApiActivity,
                "h1",
                &[event("1", NEW_YEAR, A, "eu-west-1"), event("2", NEW_YEAR + 1000, B, "us-east-1")],
            )
            .await;
        fixture.hot(Table::ApiActivity, "h2", &[event("3", NEW_YEAR + DAY, A, "us-east-1")]).await;
        fixture.settled(Table::ApiActivity, "s1", &[event("4", NEW_YEAR + DAY + 5, B, "eu-west-1")]).await;
        let mut lambda = event("6", NEW_YEAR + 7, A, "eu-west-1");
        lambda.service = "lambda.amazonaws.com";
        lambda.operation = "Invoke";
        fixture.hot(Table::DataActivity, "h3", &[event("5", NEW_YEAR + 6, A, "eu-west-1"), lambda]).await;
        fixture.hot(Table::AccountChange, "h4", &[event("7", NEW_YEAR + 8, A, "us-east-1")]).await;
        fixture.hot(Table::Authentication, "h5", &[event("8", NEW_YEAR + 9, A, "us-east-1")]).await;
        fixture
    }

    pub(super) async fn hot(&self, table: Table, name: &str, events: &[Event]) {
        let file = self.write(table, FileKind::Hot, name, events).await;
        self.catalog
            .commit(
                &BatchId(name.to_owned()),
                &BatchOutcome { files: vec![file], ..BatchOutcome::default() },
                now(),
            )
            .await
            .unwrap();
    }

    pub(super) async fn settled(&self, table: Table, name: &str, events: &[Event]) {
        self.settle(table, name, events, &[]).await;
    }

    /// Settles events into one file that takes the place of others.
    pub(super) async fn settle(&self, table: Table, name: &str, events: &[Event], replaced: &[String]) {
        let file = self.write(table, FileKind::Settled, name, events).await;
        let settling = Settling {
            batch: BatchId(name.to_owned()),
            table,
            day: file.day,
            written: vec![file],
            replaced: replaced.to_vec(),
            rows_in: 0,
            rows_out: 0,
            duplicates: 0,
        };
        self.catalog.plan_files(&settling.batch, &settling.written, now()).await.unwrap();
        self.catalog.commit_settling(&settling, now()).await.unwrap();
    }

    /// Writes a file the catalog does not know.
    pub(super) async fn write(&self, table: Table, kind: FileKind, name: &str, events: &[Event]) -> LakeFile {
        let day = EventDay::of(events[0].time).unwrap();
        let slices = slices(events);
        let key = match kind {
            FileKind::Hot => hot_key(table, day, name),
            FileKind::Settled => {
                let (account, region) = (slices[0].account, slices[0].region.clone());
                settled_key(&Partition { table, day, account, region }, name)
            }
        };
        let bytes = parquet(&rows(table, events));
        let size = bytes.len() as u64;
        self.lake.put(&key, bytes.into()).await.unwrap();
        LakeFile {
            key,
            table,
            kind,
            day,
            slices,
            rows: events.len() as u64,
            bytes: size,
            time_min: events.iter().map(|event| event.time).min().unwrap(),
            time_max: events.iter().map(|event| event.time).max().unwrap(),
        }
    }

    pub(super) fn engine(&self) -> Engine {
        self.engine_with(QueryLimits::default())
    }

    pub(super) fn engine_with(&self, limits: QueryLimits) -> Engine {
        Engine::new(self.catalog.clone(), &self.lake, limits).unwrap()
    }

    /// Returns the first column as text, and the cost.
    pub(super) async fn ask(&self, sql: &str) -> (Vec<String>, QueryStats) {
        self.ask_with(sql, &Params::default())
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}: {:?}", std::error::Error::source(&error)))
    }

    pub(super) async fn ask_with(
        &self,
        sql: &str,
        params: &Params,
    ) -> Result<(Vec<String>, QueryStats), QueryError> {
        let mut rows = run(&self.engine(), sql, params).await?;
        let mut values = Vec::new();
        while let Some(batch) = rows.next().await? {
            for row in 0..batch.num_rows() {
                let column = batch.column(0);
                values.push(arrow::util::display::array_value_to_string(column, row).unwrap());
            }
        }
        let stats = rows.stats().await?;
        Ok((values, stats))
    }

    pub(super) async fn error(&self, sql: &str) -> String {
        let error = self.ask_with(sql, &Params::default()).await.unwrap_err();
        match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }
    }
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_millisecond(NEW_YEAR).unwrap()
}

fn slices(events: &[Event]) -> Vec<Slice> {
    let mut slices: Vec<Slice> = Vec::new();
    for event in events {
        let account = event.account.and_then(AccountId::read).unwrap_or(AccountId::EXTERNAL);
        let region = event.region.and_then(Region::read).unwrap_or_else(Region::unknown);
        match slices.iter_mut().find(|slice| slice.account == account && slice.region == region) {
            Some(slice) => slice.rows += 1,
            None => slices.push(Slice { account, region, rows: 1 }),
        }
    }
    slices
}

fn rows(table: Table, events: &[Event]) -> RecordBatch {
    let mut columns = Columns::new(table.schema());
    for event in events {
        columns.text(text(CLOUD_TRAIL, "metadata.uid"), &event.id);
        columns.long(long(CLOUD_TRAIL, "time"), event.time);
        columns.long(time(CLOUD_TRAIL, "time_dt"), event.time);
        if let Some(account) = event.account {
            columns.text(text(CLOUD_TRAIL, "cloud.account.uid"), account);
        }
        if let Some(region) = event.region {
            columns.text(text(CLOUD_TRAIL, "cloud.region"), region);
        }
        columns.text(text(CLOUD_TRAIL, "actor.user.uid"), &event.user);
        columns.text(text(CLOUD_TRAIL, "api.operation"), event.operation);
        columns.text(text(CLOUD_TRAIL, "api.service.name"), event.service);
        columns.text(text(CLOUD_TRAIL, "status"), "Success");
        for (key, value) in &event.unmapped {
            columns.entry(map(CLOUD_TRAIL, "unmapped"), key, value);
        }
        columns.end_row();
    }
    columns.finish().unwrap()
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(1000)).build();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}
