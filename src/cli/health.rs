//! Tells orchestrators and Prometheus how a worker is.
//!
//! `/healthz` answers while the process lives, `/readyz` while no lane waits for
//! queue, catalog or lake, `/metrics` in Prometheus' text. Nothing can be changed over it.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::task::JoinSet;

use crate::ingest::progress::{Counts, Progress, Snapshot};

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

/// Starts to answer, until the set is dropped.
pub(super) async fn serve(address: SocketAddr, progress: Arc<Progress>) -> anyhow::Result<JoinSet<()>> {
    let listener = tokio::net::TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("listen at worker.listen, {address}"))?;
    tracing::info!(address = %listener.local_addr()?, "health and metrics are served");
    let router = Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(progress);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "health and metrics are served no longer"
            );
        }
    });
    Ok(serving)
}

async fn ready(State(progress): State<Arc<Progress>>) -> (StatusCode, &'static str) {
    match progress.snapshot().waiting {
        0 => (StatusCode::OK, "ready\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "waiting for queue, catalog or lake; the log says which\n"),
    }
}

async fn metrics(State(progress): State<Arc<Progress>>) -> Result<String, StatusCode> {
    write_metrics(&progress.snapshot()).map_err(|_never| StatusCode::INTERNAL_SERVER_ERROR)
}

fn write_metrics(snapshot: &Snapshot) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for (name, help, count) in BY_SOURCE {
        writeln!(
            text,
            "# HELP ashiato_ingest_{name}_total {help}\n# TYPE ashiato_ingest_{name}_total counter"
        )?;
        for (source, counts) in &snapshot.sources {
            writeln!(text, "ashiato_ingest_{name}_total{{source=\"{source}\"}} {}", count(counts))?;
        }
    }
    let name = "ashiato_ingest_skipped_objects_total";
    writeln!(text, "# HELP {name} objects left alone\n# TYPE {name} counter")?;
    for (reason, count) in &snapshot.skipped {
        writeln!(text, "{name}{{reason=\"{}\"}} {count}", reason.text())?;
    }
    for (name, help, kind, count) in [
        (
            "ashiato_ingest_known_objects_total",
            "objects that were in the lake already",
            "counter",
            snapshot.already,
        ),
        ("ashiato_ingest_held_objects_total", "objects another worker held", "counter", snapshot.held),
        ("ashiato_ingest_dead_letters_total", "messages dead-lettered", "counter", snapshot.dead_letters),
        ("ashiato_ingest_files_total", "files written", "counter", snapshot.files),
        ("ashiato_ingest_file_bytes_total", "bytes of files written", "counter", snapshot.file_bytes),
        (
            "ashiato_ingest_waiting_lanes",
            "lanes that wait for queue, catalog or lake",
            "gauge",
            snapshot.waiting,
        ),
    ] {
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {count}")?;
    }
    Ok(text)
}
