//! Scans of more files than DataFusion holds at once: a few files, each read forty times under numbers of its own.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::physical_plan::{ExecutionPlan, collect};

use super::lake::{A, B, Fixture, NEW_YEAR, event};
use crate::lake::Table;
use crate::lake::catalog::FileKind;
use crate::query::session::Session;
use crate::query::shared::Scans;
use crate::query::table::LakeTable;

const FILES: i32 = 26;
const TIMES: i32 = 40;
const MINUTE: i64 = 60_000;

/// What a statement over the table `many` gave.
struct Answer {
    numbers: Vec<i64>,
    bytes_read: u64,
    /// Figures that DataFusion holds when the statement has ended.
    measured: usize,
}

struct Many {
    _fixture: Fixture,
    session: Session,
    counts: Arc<Scans>,
}

impl Many {
    /// The number of a file's event is its minute.
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let mut files = Vec::new();
        for minute in 0..FILES {
            let account = if minute % 2 == 0 { A } else { B };
            let time = NEW_YEAR + i64::from(minute) * MINUTE;
            let name = format!("f{minute}");
            let event = event(&minute.to_string(), time, account, "eu-west-1");
            files.push(fixture.write(Table::ApiActivity, FileKind::Hot, &name, &[event]).await);
        }
        let named = (0..FILES * TIMES).zip(files.iter().cycle().cloned()).collect();
        let session = fixture.engine().session();
        let counts = Arc::new(Scans::default());
        let schema = MemorySchemaProvider::new();
        let table = LakeTable::of(&[Table::ApiActivity], named, Arc::clone(&counts));
        schema.register_table("many".to_owned(), Arc::new(table)).unwrap();
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema("of", Arc::new(schema)).unwrap();
        session.context.register_catalog("files", Arc::new(catalog));
        Self { _fixture: fixture, session, counts }
    }

    /// Runs a statement whose columns are numbers.
    async fn ask(&self, sql: &str) -> Answer {
        let before = self.counts.bytes_read();
        let frame = self.session.context.sql(sql).await.unwrap();
        let plan = frame.create_physical_plan().await.unwrap();
        let batches = collect(Arc::clone(&plan), self.session.context.task_ctx()).await.unwrap();
        let columns = batches.iter().flat_map(|batch| batch.columns().iter().cloned());
        let numbers =
            columns.flat_map(|column| column.as_primitive::<Int64Type>().values().to_vec()).collect();
        Answer { numbers, bytes_read: self.counts.bytes_read() - before, measured: measured(&plan) }
    }
}

fn measured(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let own = plan.metrics().map_or(0, |metrics| metrics.iter().count());
    own + plan.children().into_iter().map(measured).sum::<usize>()
}

#[tokio::test]
async fn of_many_files_each_row_comes_once_and_what_was_measured_goes() {
    let many = Many::new().await;
    let all = many
        .ask("select count(*), count(distinct part), sum((time - 1735689600000) / 60000) from files.of.many")
        .await;
    assert_eq!(all.numbers, [1040, 1040, 325 * 40]);
    // Of each file DataFusion measures some thirty things.
    assert!(all.measured < 200, "{} figures are held", all.measured);
}

#[tokio::test]
async fn of_many_files_those_are_read_that_can_have_the_rows() {
    let many = Many::new().await;
    let all = many.ask("select cast(max(length(metadata.uid)) as bigint) from files.of.many").await;
    assert_eq!(all.numbers, [2]);
    let one = many
        .ask("select cast(max(length(metadata.uid)) as bigint), count(*) from files.of.many where time = 1735689660000")
        .await;
    assert_eq!(one.numbers, [1, 40]);
    assert!(one.bytes_read < all.bytes_read / 20, "{} of {} bytes", one.bytes_read, all.bytes_read);
    let others = many
        .ask("select count(*) from files.of.many where part % 26 < 10 and actor.user.uid like '%111122223333%'")
        .await;
    assert_eq!(others.numbers, [200]);
}

#[tokio::test]
async fn of_many_files_a_limit_counts_over_all() {
    let many = Many::new().await;
    // More than the files of a step, fewer than those of two.
    for limit in [3, 300, 1039, 5000] {
        let some = many.ask(&format!("select time from files.of.many limit {limit}")).await;
        assert_eq!(some.numbers.len(), limit.min(1040), "{limit}");
    }
}

#[tokio::test]
async fn of_many_files_the_latest_are_read_first_where_the_latest_are_asked_for() {
    let many = Many::new().await;
    let all = many.ask("select time from files.of.many").await;
    let latest = many.ask("select time from files.of.many order by time desc limit 60").await;
    let minute = |number| NEW_YEAR + number * MINUTE;
    let expected: Vec<i64> = [25; 40].into_iter().chain([24; 20]).map(minute).collect();
    assert_eq!(latest.numbers, expected);
    assert!(latest.bytes_read < all.bytes_read / 2, "{} of {} bytes", latest.bytes_read, all.bytes_read);
    let first = many.ask("select time from files.of.many order by time limit 60").await;
    let expected: Vec<i64> = [0; 40].into_iter().chain([1; 20]).map(minute).collect();
    assert_eq!(first.numbers, expected);
    assert!(first.bytes_read < all.bytes_read / 2, "{} of {} bytes", first.bytes_read, all.bytes_read);
}
