//! Writes what a worker counted in Prometheus' text.
//!
//! Labels have few values: sources, reasons, states. What is told of each account and
//! Region, up to 100,000 lines, is a text of its own, so that only who wants it pays for it.

use std::fmt::{Error, Write};

use crate::ingest::freshness::{Freshness, Places};
use crate::ingest::histogram::Histogram;
use crate::ingest::progress::{Counts, QueueDepth, Snapshot};

/// A count of a source: its name, what it is, and where it is found.
type Count = (&'static str, &'static str, fn(&Counts) -> u64);

const BY_SOURCE: [Count; 8] = [
    ("objects", "objects read", |counts| counts.objects),
    ("records", "records found", |counts| counts.records),
    ("events", "records that became events", |counts| counts.events),
    ("set_aside_records", "records set aside", |counts| counts.set_aside),
    ("duplicate_records", "records left out as duplicates", |counts| counts.skipped),
    ("unreadable_objects", "objects of which nothing could be read", |counts| counts.failed),
    ("stored_bytes", "bytes as stored", |counts| counts.stored_bytes),
    ("unpacked_bytes", "bytes unpacked", |counts| counts.plain_bytes),
];

const NEWEST_EVENT: (&str, &str) = (
    "ashiato_ingest_newest_event_timestamp_seconds",
    "time of the newest event in the lake, of what this worker read",
);
const LAST_COMMIT: (&str, &str) =
    ("ashiato_ingest_last_commit_timestamp_seconds", "when logs were last made visible by this worker");

/// Writes everything but what is told of single accounts and Regions.
pub(super) fn write_metrics(snapshot: &Snapshot, places: &Places) -> Result<String, Error> {
    let mut text = String::new();
    for (name, help, count) in BY_SOURCE {
        let name = format!("ashiato_ingest_{name}_total");
        head(&mut text, (&name, help), "counter")?;
        for (source, counts) in &snapshot.sources {
            writeln!(text, "{name}{{source=\"{source}\"}} {}", count(counts))?;
        }
    }
    let name = "ashiato_ingest_skipped_objects_total";
    head(&mut text, (name, "objects left alone"), "counter")?;
    for (reason, count) in &snapshot.skipped {
        writeln!(text, "{name}{{reason=\"{}\"}} {count}", reason.text())?;
    }
    for (name, help, kind, count) in [
        ("known_objects_total", "objects that were in the lake already", "counter", snapshot.already),
        ("held_objects_total", "objects another worker held", "counter", snapshot.held),
        ("dead_letters_total", "messages dead-lettered", "counter", snapshot.dead_letters),
        ("files_total", "files written", "counter", snapshot.files),
        ("file_bytes_total", "bytes of files written", "counter", snapshot.file_bytes),
        ("waiting_lanes", "lanes that wait for queue, catalog or lake", "gauge", snapshot.waiting),
    ] {
        let name = format!("ashiato_ingest_{name}");
        head(&mut text, (&name, help), kind)?;
        writeln!(text, "{name} {count}")?;
    }
    let batches = ("ashiato_ingest_batch_duration_seconds", "from the messages of a batch to its commit");
    write_histogram(&mut text, batches, &snapshot.batch_durations)?;
    let ages = ("ashiato_ingest_message_age_seconds", "age of messages when their rows could be queried");
    write_histogram(&mut text, ages, &snapshot.message_ages)?;
    for (queue, depth) in
        [("queue", snapshot.queue.as_ref()), ("dead_letter_queue", snapshot.dead_letter_queue.as_ref())]
    {
        write_depth(&mut text, queue, depth)?;
    }
    let sources = places.by_source();
    for (name, value) in
        [(NEWEST_EVENT, Freshness::event_seconds as Of), (LAST_COMMIT, Freshness::commit_seconds)]
    {
        head(&mut text, name, "gauge")?;
        for (source, seen) in &sources {
            writeln!(text, "{}{{source=\"{source}\"}} {}", name.0, value(seen))?;
        }
    }
    Ok(text)
}

type Of = fn(&Freshness) -> f64;

/// Writes how fresh the logs of each source, account and Region are.
pub(super) fn write_places(places: &Places) -> Result<String, Error> {
    let mut text = String::new();
    for (name, value) in
        [(NEWEST_EVENT, Freshness::event_seconds as Of), (LAST_COMMIT, Freshness::commit_seconds)]
    {
        head(&mut text, name, "gauge")?;
        for (place, seen) in places.iter() {
            // Accounts are digits and Regions letters, digits and hyphens: nothing to escape.
            let (source, account, region) = (place.source, place.account, &place.region);
            let labels = format!("source=\"{source}\",account=\"{account}\",region=\"{region}\"");
            writeln!(text, "{}{{{labels}}} {}", name.0, value(seen))?;
        }
    }
    Ok(text)
}

fn head(text: &mut String, (name, help): (&str, &str), kind: &str) -> Result<(), Error> {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn write_histogram(text: &mut String, name: (&str, &str), histogram: &Histogram) -> Result<(), Error> {
    head(text, name, "histogram")?;
    let name = name.0;
    for (bound, count) in histogram.buckets() {
        writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {count}")?;
    }
    let (count, sum) = (histogram.count(), histogram.sum().as_secs_f64());
    writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}")
}

/// Writes nothing of a queue that cannot be asked: an old number would hide that.
fn write_depth(text: &mut String, queue: &str, depth: Option<&QueueDepth>) -> Result<(), Error> {
    let name = format!("ashiato_{queue}_messages");
    head(text, (&name, "messages in it, about, as the service counts them"), "gauge")?;
    let Some(QueueDepth { visible, in_flight, delayed }) = depth else { return Ok(()) };
    for (state, count) in [("visible", visible), ("in_flight", in_flight), ("delayed", delayed)] {
        writeln!(text, "{name}{{state=\"{state}\"}} {count}")?;
    }
    Ok(())
}
