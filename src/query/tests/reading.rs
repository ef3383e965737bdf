//! Which files are read, and what of them is seen.

use super::lake::{A, B, DAY, Event, Fixture, NEW_YEAR, event};
use crate::lake::Table;
use crate::lake::catalog::{BatchId, FileKind};
use crate::lake::path::{EventDay, hot_key};
use crate::query::{Params, run};

/// `files` is how many of the visible ones may be opened.
async fn check(fixture: &Fixture, sql: &str, ids: &[&str], files: (u64, u64)) {
    let (found, stats) = fixture.ask(sql).await;
    assert_eq!(found, ids, "{sql}");
    assert_eq!((stats.files_opened, stats.files_visible), files, "{sql}");
    assert_eq!(stats.rows, ids.len() as u64, "{sql}");
}

#[tokio::test]
async fn every_table_has_account_region_and_day() {
    let fixture = Fixture::new().await;
    let nobody = Event { account: None, region: None, ..event("1", NEW_YEAR - 1, A, "eu-west-1") };
    fixture.hot(Table::ApiActivity, "h", &[nobody]).await;
    fixture.settled(Table::ApiActivity, "s", &[event("2", NEW_YEAR, A, "eu-west-1")]).await;
    let sql =
        "select concat_ws(' ', metadata.uid, accountid, region, eventday) from api_activity order by time";
    check(&fixture, sql, &["1 external unknown 20241231", "2 111122223333 eu-west-1 20250101"], (2, 2)).await;
    let sql = "select metadata.uid from api_activity where accountid = 'external' and eventday = '20241231'";
    check(&fixture, sql, &["1"], (1, 2)).await;
    let (columns, _) = fixture.ask("describe api_activity").await;
    assert_eq!(columns[columns.len() - 3..], ["accountid", "region", "eventday"]);
}

#[tokio::test]
async fn hot_and_settled_rows_come_each_once() {
    let fixture = Fixture::with_events().await;
    let sql = "select metadata.uid from api_activity order by 1";
    check(&fixture, sql, &["1", "2", "3", "4"], (3, 3)).await;
    // Settling day one: the settled file shows in the same moment the hot one hides.
    let day = EventDay::of(NEW_YEAR).unwrap();
    let replaced = hot_key(Table::ApiActivity, day, "h1");
    let events = [event("1", NEW_YEAR, A, "eu-west-1"), event("2", NEW_YEAR + 1000, B, "us-east-1")];
    fixture.settle(Table::ApiActivity, "s2", &events, &[replaced]).await;
    check(&fixture, sql, &["1", "2", "3", "4"], (3, 3)).await;
}

#[tokio::test]
async fn planned_and_unknown_files_are_not_seen() {
    let fixture = Fixture::with_events().await;
    let events = [event("planned", NEW_YEAR, A, "eu-west-1")];
    let file = fixture.write(Table::ApiActivity, FileKind::Settled, "p", &events).await;
    fixture.catalog.plan_files(&BatchId("p".to_owned()), &[file], super::lake::now()).await.unwrap();
    fixture.write(Table::ApiActivity, FileKind::Hot, "unknown", &events).await;
    let sql = "select metadata.uid from api_activity order by 1";
    check(&fixture, sql, &["1", "2", "3", "4"], (3, 3)).await;
}

#[tokio::test]
async fn filters_choose_files() {
    let fixture = Fixture::with_events().await;
    let cases: [(&str, &[&str], u64); 12] = [
        ("eventday = '20250101'", &["1", "2"], 1),
        ("eventday between '20250102' and '20250109'", &["3", "4"], 2),
        ("eventday in ('20250102', '20250107')", &["3", "4"], 2),
        ("eventday >= 20250102", &["3", "4"], 2),
        ("accountid = '444455556666'", &["2", "4"], 2),
        ("cloud.account.uid = '444455556666' and region = 'eu-west-1'", &["4"], 1),
        ("region in ('us-east-1', 'ap-south-1')", &["2", "3"], 2),
        ("cloud.region = 'us-east-1' and eventday < '20250102'", &["2"], 1),
        ("time >= 1735689600000 and time < 1735689600500", &["1"], 1),
        ("time_dt >= timestamp '2025-01-02 00:00:00'", &["3", "4"], 2),
        ("time_dt < date '2025-01-02'", &["1", "2"], 1),
        ("cast(time_dt as date) = date '2025-01-01'", &["1", "2"], 1),
    ];
    for (filter, ids, files) in cases {
        let sql = format!("select metadata.uid from api_activity where {filter} order by 1");
        check(&fixture, &sql, ids, (files, 3)).await;
    }
    let never = "select metadata.uid from api_activity where accountid = '1' and region = 'x'";
    check(&fixture, never, &[], (0, 3)).await;
}

#[tokio::test]
async fn filters_reach_the_tables_through_views() {
    let fixture = Fixture::with_events().await;
    let sql = "select metadata.uid from cloudtrail where eventday = '20250102' order by 1";
    check(&fixture, sql, &["3", "4"], (2, 6)).await;
    let sql = "select metadata.uid from cloudtrail order by time";
    check(&fixture, sql, &["1", "5", "6", "7", "8", "2", "3", "4"], (6, 6)).await;
}

#[tokio::test]
async fn native_names_are_found_however_they_are_qualified() {
    let fixture = Fixture::with_events().await;
    let management = "amazon_security_lake_table_us_east_1_cloud_trail_mgmt_2_0";
    let sql = format!("select metadata.uid from {management} where eventday = '20250101' order by time");
    check(&fixture, &sql, &["1", "7", "8", "2"], (3, 5)).await;
    let database = "amazon_security_lake_glue_db_us_east_1";
    let s3 = "amazon_security_lake_table_us_east_1_s3_data_2_0";
    for name in [
        format!("{database}.{s3}"),
        format!("awsdatacatalog.{database}.{s3}"),
        format!("\"AwsDataCatalog\".\"{database}\".\"{s3}\""),
    ] {
        check(&fixture, &format!("select metadata.uid from {name}"), &["5"], (1, 1)).await;
    }
    let lambda = "amazon_security_lake_table_eu_west_3_lambda_execution_2_0";
    check(&fixture, &format!("select metadata.uid from {lambda}"), &["6"], (1, 1)).await;
    let missing = fixture.error("select 1 from amazon_security_lake_table_eu_west_1_waf_2_0").await;
    assert!(missing.contains("there are api_activity, data_activity"), "{missing}");
}

#[tokio::test]
async fn the_predicate_reaches_parquet() {
    let fixture = Fixture::with_events().await;
    let mut rows = run(
        &fixture.engine(),
        "explain select metadata.uid from cloudtrail where time >= 1735689600000 and accountid = '111122223333'
         and actor.user.uid = 'x'",
        &Params::default(),
    )
    .await
    .unwrap();
    let batch = rows.next().await.unwrap().unwrap();
    let plan = arrow::util::pretty::pretty_format_batches(&[batch]).unwrap().to_string();
    assert!(plan.contains("pruning_predicate=time_null_count"), "{plan}");
    assert!(!plan.contains("FilterExec"), "{plan}");
}

#[tokio::test]
async fn a_count_needs_no_file_and_the_last_rows_few_bytes() {
    let fixture = Fixture::with_events().await;
    let (count, stats) = fixture.ask("select count(*) from api_activity").await;
    assert_eq!((count, stats.bytes_read), (vec!["4".to_owned()], 0));
    let (last, _) = fixture.ask("select metadata.uid from api_activity order by time desc limit 1").await;
    assert_eq!(last, ["4"]);
    let (any, _) = fixture.ask("select metadata.uid from api_activity limit 2").await;
    assert_eq!(any.len(), 2);
}

#[tokio::test]
async fn an_empty_lake_has_its_columns() {
    let fixture = Fixture::new().await;
    check(&fixture, "select accountid from cloudtrail where region = 'x'", &[], (0, 0)).await;
    let (count, _) = fixture.ask("select count(*) from cloudtrail").await;
    assert_eq!(count, ["0"]);
}

#[tokio::test]
async fn a_file_settled_away_before_the_first_row_costs_one_new_plan() {
    let fixture = Fixture::with_events().await;
    let engine = fixture.engine();
    let sql = "select metadata.uid from api_activity order by 1";
    let mut rows = run(&engine, sql, &Params::default()).await.unwrap();
    let key = hot_key(Table::ApiActivity, EventDay::of(NEW_YEAR + DAY).unwrap(), "h2");
    let events = [event("3", NEW_YEAR + DAY, A, "us-east-1")];
    fixture.settle(Table::ApiActivity, "s3", &events, std::slice::from_ref(&key)).await;
    std::fs::remove_file(fixture.folder.path().join("lake").join(&key)).unwrap();
    let batch = rows.next().await.unwrap().unwrap();
    assert_eq!(batch.num_rows(), 4);
    assert!(rows.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_file_that_stays_gone_is_an_error() {
    let fixture = Fixture::with_events().await;
    let key = hot_key(Table::ApiActivity, EventDay::of(NEW_YEAR + DAY).unwrap(), "h2");
    std::fs::remove_file(fixture.folder.path().join("lake").join(&key)).unwrap();
    let error = fixture.error("select metadata.uid from api_activity order by 1").await;
    assert!(error.starts_with("run the query: "), "{error}");
    assert!(error.contains("h2.parquet"), "{error}");
}
