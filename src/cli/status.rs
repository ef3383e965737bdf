//! `ashiato status`: what is in the lake, how fresh it is, what was set aside.

use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use super::{Ending, Session, now, table};
use crate::aws::Aws;
use crate::config::WorkerSettings;
use crate::ingest::progress::QueueDepth;
use crate::ingest::sqs::{SqsQueue, SqsSettings};
use crate::lake::catalog::{DaySummary, DerivedSummary, PlaceSummary, SetAsideSummary, SourceSummary};
use crate::lake::path::EventDay;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Lag is the time since the newest event of a source that is in the lake.

Examples:
  ashiato status --lake /var/lake
  ashiato status --lake /var/lake --days
  ashiato status --lake /var/lake --places | head   (whose logs have stopped?)
  ashiato status --lake /var/lake --json | jq .sources")]
pub(crate) struct StatusArgs {
    /// Also list every table, account, Region and day.
    #[arg(long)]
    days: bool,
    /// Also list how fresh each source, account and Region is, what was silent longest first.
    #[arg(long)]
    places: bool,
    /// Also ask how many messages wait in worker.queue.
    #[arg(long)]
    queue: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: StatusArgs, session: Session<'_>) -> anyhow::Result<Ending> {
    let Session { config, aws, catalog, lake, out, .. } = session;
    let (sources, days) = (catalog.sources().await?, catalog.days().await?);
    let (reasons, failed) = (catalog.set_aside_reasons().await?, catalog.failed_objects().await?);
    let (duplicates, derived) = (catalog.duplicates().await?, catalog.derived_sizes().await?);
    let now_ms = now().as_millisecond();
    let places = if args.places { catalog.places().await? } else { Vec::new() };
    let depth = if args.queue { Some(ask_queue(&config.worker, &aws).await?) } else { None };
    if args.json {
        let failed = failed.iter().map(|(id, reason)| json!({"object": id.to_string(), "reason": reason}));
        let failed: Vec<_> = failed.collect();
        let status = json!({
            "lake": lake.place.to_string(),
            "sources": sources.iter().map(|source| source_json(source, now_ms)).collect::<Vec<_>>(),
            "days": days.iter().map(day_json).collect::<Vec<_>>(),
            "places": args.places.then(|| places.iter().map(place_json).collect::<Vec<_>>()),
            "queue": depth.map(|QueueDepth { visible, in_flight, delayed }| {
                json!({"visible": visible, "in_flight": in_flight, "delayed": delayed})
            }),
            "set_aside": reasons.iter().map(reason_json).collect::<Vec<_>>(),
            "unreadable": failed,
            "duplicates_removed": duplicates,
            "derived": derived.iter().map(derived_json).collect::<Vec<_>>(),
        });
        writeln!(out, "{status:#}")?;
        return Ok(Ending::Done);
    }
    writeln!(out, "lake {}", lake.place)?;
    if sources.is_empty() {
        writeln!(out, "nothing was read yet: `ashiato ingest PLACE` reads an archive")?;
    } else {
        print_sources(out, &sources, now_ms)?;
    }
    print_tables(out, &days)?;
    print_derived(out, &derived)?;
    if args.days {
        let rows: Vec<_> = days.iter().map(day_cells).collect();
        writeln!(out)?;
        table::print(out, &["table", "account", "region", "day", "hot rows", "settled rows"], &rows)?;
    }
    if args.places {
        let rows: Vec<_> = places.iter().map(|place| place_cells(place, now_ms)).collect();
        let headings = ["source", "account", "region", "objects", "newest event", "lag", "silent for"];
        writeln!(out)?;
        table::print(out, &headings, &rows)?;
    }
    if let Some(QueueDepth { visible, in_flight, .. }) = depth {
        writeln!(out, "\nabout {visible} messages wait in the queue, {in_flight} are in hand")?;
    }
    if duplicates > 0 {
        writeln!(out, "\n{duplicates} duplicates removed by settling")?;
    }
    print_reasons(out, &reasons)?;
    for (id, reason) in failed {
        writeln!(out, "cannot read {}: {}", table::name(&id.to_string()), table::name(&reason))?;
    }
    Ok(Ending::Done)
}

/// Asks what lies in the worker's queue.
async fn ask_queue(settings: &WorkerSettings, aws: &Aws) -> anyhow::Result<QueueDepth> {
    let url = settings.queue.clone().context("which queue? set worker.queue or ASHIATO_WORKER_QUEUE")?;
    let settings = SqsSettings { url: url.clone(), dead_letter_url: None, visibility: Duration::ZERO };
    Ok(SqsQueue::open(settings, aws).await.depth(&url).await?)
}

fn place_cells(place: &PlaceSummary, now_ms: i64) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let since = |time: Option<i64>| time.map_or_else(|| "-".to_owned(), |time| lag(now_ms - time));
    vec![
        place.source.clone(),
        text(&place.account),
        text(&place.region),
        place.objects.to_string(),
        place.time_max.map_or_else(|| "-".to_owned(), table::moment),
        since(place.time_max),
        since(place.finished_at),
    ]
}

fn place_json(place: &PlaceSummary) -> serde_json::Value {
    json!({
        "source": place.source, "account": place.account, "region": place.region, "objects": place.objects,
        "newest_event": place.time_max.map(table::moment), "last_commit": place.finished_at.map(table::moment),
    })
}

fn print_reasons(out: &mut dyn std::io::Write, reasons: &[SetAsideSummary]) -> std::io::Result<()> {
    if reasons.is_empty() {
        return Ok(());
    }
    let cells = |reason: &SetAsideSummary| {
        vec![reason.count.to_string(), reason.source.clone(), reason.reason.clone()]
    };
    writeln!(out)?;
    table::print(out, &["set aside", "source", "reason"], &reasons.iter().map(cells).collect::<Vec<_>>())
}

fn print_sources(
    out: &mut dyn std::io::Write,
    sources: &[SourceSummary],
    now_ms: i64,
) -> std::io::Result<()> {
    let rows: Vec<Vec<String>> = sources
        .iter()
        .map(|source| {
            let counts = [source.objects, source.records, source.events, source.set_aside, source.failed];
            let lag = source.time_max.map_or_else(|| "-".to_owned(), |time| lag(now_ms - time));
            let ends = [table::bytes(source.stored_bytes), table::bytes(source.plain_bytes)];
            let newest = source.time_max.map_or_else(|| "-".to_owned(), table::moment);
            std::iter::once(source.source.clone())
                .chain(counts.iter().map(ToString::to_string))
                .chain(ends)
                .chain([newest, lag])
                .collect()
        })
        .collect();
    writeln!(out)?;
    let headings = [
        "source",
        "objects",
        "records",
        "events",
        "set aside",
        "unreadable",
        "stored",
        "unpacked",
        "newest event",
        "lag",
    ];
    table::print(out, &headings, &rows)
}

fn print_tables(out: &mut dyn std::io::Write, days: &[DaySummary]) -> std::io::Result<()> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for group in days.chunk_by(|a, b| a.table == b.table) {
        let Some(first) = group.first() else { continue };
        let distinct = |of: fn(&DaySummary) -> String| {
            group.iter().map(of).collect::<std::collections::BTreeSet<_>>().len().to_string()
        };
        let span = (group.iter().map(|day| day.day).min(), group.iter().map(|day| day.day).max());
        rows.push(vec![
            first.table.clone(),
            group.iter().map(|day| day.hot_rows).sum::<u64>().to_string(),
            group.iter().map(|day| day.settled_rows).sum::<u64>().to_string(),
            distinct(|day| day.account.clone()),
            distinct(|day| day.region.clone()),
            distinct(|day| day.day.to_string()),
            format!("{}..{}", span.0.unwrap_or(0), span.1.unwrap_or(0)),
        ]);
    }
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    table::print(out, &["table", "hot rows", "settled rows", "accounts", "regions", "days", "span"], &rows)
}

fn print_derived(out: &mut dyn std::io::Write, derived: &[DerivedSummary]) -> std::io::Result<()> {
    if derived.is_empty() {
        return Ok(());
    }
    let cells = |one: &DerivedSummary| {
        vec![one.derived.to_string(), one.rows.to_string(), one.files.to_string(), table::bytes(one.bytes)]
    };
    writeln!(out)?;
    table::print(out, &["derived", "rows", "files", "size"], &derived.iter().map(cells).collect::<Vec<_>>())
}

fn lag(millis: i64) -> String {
    let minutes = millis.max(0) / 60_000;
    match minutes {
        0..=119 => format!("{minutes} min"),
        120..=2879 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}

fn day_cells(day: &DaySummary) -> Vec<String> {
    let number =
        EventDay::read(&format!("{:08}", day.day)).map_or_else(|| day.day.to_string(), |day| day.to_string());
    let rows = [day.hot_rows.to_string(), day.settled_rows.to_string()];
    [day.table.clone(), day.account.clone(), day.region.clone(), number].into_iter().chain(rows).collect()
}

fn source_json(source: &SourceSummary, now_ms: i64) -> serde_json::Value {
    json!({
        "source": source.source, "objects": source.objects, "unreadable": source.failed,
        "records": source.records, "events": source.events, "set_aside": source.set_aside,
        "skipped": source.skipped, "stored_bytes": source.stored_bytes, "plain_bytes": source.plain_bytes,
        "newest_event": source.time_max.map(table::moment),
        "lag_seconds": source.time_max.map(|time| (now_ms - time) / 1000),
    })
}

fn day_json(day: &DaySummary) -> serde_json::Value {
    json!({
        "table": day.table, "account": day.account, "region": day.region, "day": format!("{:08}", day.day),
        "hot_rows": day.hot_rows, "settled_rows": day.settled_rows,
    })
}

fn derived_json(one: &DerivedSummary) -> serde_json::Value {
    json!({"table": one.derived.name(), "rows": one.rows, "files": one.files, "bytes": one.bytes})
}

fn reason_json(reason: &SetAsideSummary) -> serde_json::Value {
    json!({"source": reason.source, "reason": reason.reason, "count": reason.count})
}
