//! What the catalog asks of SQLite: no statement reads a whole table that grows with the lake.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use ashiato::lake::catalog::CatalogPlace;

use crate::archive::{Ran, Site, blocking};
use crate::derived;

/// Statements of a run, by their log.
fn asked(ran: &Ran) -> Vec<String> {
    let statement = |line: &str| {
        // What is said to a person is no line of the log.
        let line: Value = serde_json::from_str(line).ok()?;
        let fields = line.get("fields")?.clone();
        let whole = fields.get("db.statement")?.as_str()?.trim();
        let sql = if whole.is_empty() { fields.get("summary")?.as_str()? } else { whole };
        Some(sql.to_owned())
    };
    ran.err.lines().filter_map(statement).collect()
}

/// How SQLite does it, a line a step.
fn plan(site: &Site, sql: &str) -> Vec<String> {
    blocking(async {
        let mut catalog = site.catalog().await;
        let steps = sqlx::query(AssertSqlSafe(format!("explain query plan {sql}")));
        let steps = steps.fetch_all(&mut catalog).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        catalog.close().await.unwrap();
        steps.iter().map(|step| step.get::<String, _>(3)).collect()
    })
}

/// What is read whole, and by which verb.
const READ_WHOLE: [(&str, &str); 15] = [
    // What is left to do, which partial indexes hold alone.
    ("detect", "SCAN files USING INDEX files_unjudged"),
    ("quarantine", "SCAN objects USING INDEX objects_unread"),
    ("quarantine", "SCAN quarantine"),
    ("settle", "SCAN files USING INDEX files_hot"),
    ("settle", "SCAN files USING INDEX files_retired"),
    // Partitions of several files are found by counting them.
    ("settle", "SCAN crowded"),
    ("settle", "SCAN files USING COVERING INDEX files_settled"),
    // The values of a statement under a name.
    ("settle", "SCAN gone"),
    ("settle", "SCAN told"),
    // A person asks how much there is of everything.
    ("status", "SCAN f USING INDEX files_hot"),
    ("status", "SCAN files USING INDEX files_settled"),
    ("status", "SCAN objects"),
    ("status", "SCAN parts"),
    ("status", "SCAN quarantine"),
    ("status", "SCAN settlings"),
];

/// Whether a step reads a table from its first row to its last.
fn is_whole(step: &str) -> bool {
    step.starts_with("SCAN ")
        && !["VALUES CLAUSE", "CONSTANT ROW", "_sqlx_"].iter().any(|small| step.contains(small))
}

#[test]
fn no_statement_reads_a_table_that_grows() {
    let site = crate::crash::sweeping(derived::site()).with("ASHIATO_LOG", "warn,sqlx::query=debug");
    if matches!(site.catalog_place(), CatalogPlace::Postgres(_)) {
        eprintln!("skipped: these are SQLite's plans");
        return;
    }
    let mut statements = BTreeMap::new();
    for words in [
        &["ingest", "archive"][..],
        &["query", "select count(*) from cloudtrail where src_endpoint.ip = '192.0.2.7'"],
        &["derive"],
        &["settle"],
        &["ingest", "archive"],
        &["query", "select count(*) from footprints where credential = 'AKIAIOSFODNN7EXAMPLE'"],
        &["query", "select count(*) from cloudtrail where metadata.uid = 'none'", "--stats"],
        &["detect"],
        &["investigate", "latest"],
        &["quarantine", "list"],
        &["quarantine", "retry"],
        &["derive", "--rebuild"],
        &["settle"],
        &["status"],
    ] {
        let ran = site.run(words);
        assert!(ran.code.is_some_and(|code| code <= 3), "{words:?}: {ran:#?}");
        for sql in asked(&ran) {
            statements.entry(sql).or_insert(words[0]);
        }
    }
    assert!(statements.len() > 60, "the log has statements: {}", statements.len());
    let planned = statements.iter().filter(|(sql, _)| is_planned(sql));
    let steps = planned.flat_map(|(sql, verb)| plan(&site, sql).into_iter().map(move |step| (*verb, step)));
    let whole: BTreeSet<_> = steps.filter(|(_, step)| is_whole(step)).collect();
    let whole: BTreeSet<_> = whole.iter().map(|(verb, step)| (*verb, step.as_str())).collect();
    assert_eq!(whole, BTreeSet::from(READ_WHOLE));
}

/// Statements that SQLite plans; the others begin and end transactions.
fn is_planned(sql: &str) -> bool {
    let word = sql.split_whitespace().next().unwrap_or_default().to_lowercase();
    ["select", "update", "delete", "insert"].contains(&word.as_str())
}
