//! Tells orchestrators and Prometheus how a worker is, and asks one.
//!
//! `/healthz` answers while the process lives, `/readyz` while no lane waits for
//! queue, catalog or lake; `/metrics` and `/metrics/accounts` in Prometheus' text. Nothing
//! can be changed over it. `ashiato health` asks it, for images that have no other client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::Ending;
use super::metrics::{write_metrics, write_places};
use crate::config::WorkerSettings;
use crate::ingest::Trail;
use crate::ingest::error::chain;
use crate::ingest::progress::Progress;
use crate::ingest::sqs::{SqsQueue, SqsSettings};

/// How often the queues are asked what lies in them: a thousandth of the calls that read them.
const ASK_EVERY: Duration = Duration::from_mins(1);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(4);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Asks the worker that listens at worker.listen of the configuration, on this machine. Exit code 0 when it answers, else 1:
what a container's health check or a Kubernetes probe wants.

Examples:
  ashiato health
  ashiato health --ready   (fails while queue, catalog or lake are away)")]
pub(crate) struct HealthArgs {
    /// Ask whether it can work, not only whether it lives.
    #[arg(long)]
    ready: bool,
}

/// Asks a worker how it is.
pub(super) async fn ask(
    args: HealthArgs,
    settings: &WorkerSettings,
    out: &mut (dyn std::io::Write + Send),
) -> anyhow::Result<Ending> {
    let address = settings.listen.context(
        "where does the worker listen? set worker.listen in ashiato.toml or ASHIATO_WORKER_LISTEN",
    )?;
    let path = if args.ready { "/readyz" } else { "/healthz" };
    let answer = tokio::time::timeout(PATIENCE, get_text(address, path)).await;
    let answer =
        answer.context("the worker does not answer")?.with_context(|| format!("ask {address}{path}"))?;
    let (head, text) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    anyhow::ensure!(head.starts_with("HTTP/1.1 200 "), "{}", super::table::printable(text.trim()));
    writeln!(out, "{}", super::table::printable(text.trim()))?;
    Ok(Ending::Done)
}

async fn get_text(address: SocketAddr, path: &str) -> std::io::Result<String> {
    const ANSWER_BYTES_MAX: u64 = 4096;
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: worker\r\nconnection: close\r\n\r\n").as_bytes())
        .await?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Starts to answer for a worker, until the set is dropped.
pub(super) async fn serve(
    address: SocketAddr,
    trail: Arc<Trail<SqsQueue>>,
    settings: SqsSettings,
) -> anyhow::Result<JoinSet<()>> {
    let listener = tokio::net::TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("listen at worker.listen, {address}"))?;
    tracing::info!(address = %listener.local_addr()?, "health and metrics are served");
    let router = Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/metrics/accounts", get(places))
        .with_state(Arc::clone(&trail.progress));
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "health and metrics are served no longer"
            );
        }
    });
    serving.spawn(watch_queues(trail, settings));
    Ok(serving)
}

/// Asks the queues again and again what lies in them, for the metrics.
async fn watch_queues(trail: Arc<Trail<SqsQueue>>, settings: SqsSettings) {
    let mut every = tokio::time::interval(ASK_EVERY);
    loop {
        every.tick().await;
        let ask = async |url: &str| match trail.queue.depth(url).await {
            Ok(depth) => Some(depth),
            Err(error) => {
                tracing::debug!(error = chain(&error), "queue not asked");
                None
            }
        };
        let queue = ask(&settings.url).await;
        let dead = match &settings.dead_letter_url {
            Some(url) => ask(url).await,
            None => None,
        };
        trail.progress.queues(queue, dead);
    }
}

async fn ready(State(progress): State<Arc<Progress>>) -> (StatusCode, &'static str) {
    match progress.snapshot().waiting {
        0 => (StatusCode::OK, "ready\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "waiting for queue, catalog or lake; the log says which\n"),
    }
}

async fn metrics(State(progress): State<Arc<Progress>>) -> Result<String, StatusCode> {
    let text = write_metrics(&progress.snapshot(), &progress.places());
    text.map_err(|_never| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn places(State(progress): State<Arc<Progress>>) -> Result<String, StatusCode> {
    write_places(&progress.places()).map_err(|_never| StatusCode::INTERNAL_SERVER_ERROR)
}
