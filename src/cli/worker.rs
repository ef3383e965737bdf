//! `ashiato worker`: reads what a queue announces until it is told to stop.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::ingest::summary;
use super::{Ending, Session, health, now};
use crate::config::WorkerSettings;
use crate::derive::{DeriveLimits, DeriveSummary, derive};
use crate::ingest::archive::Archive;
use crate::ingest::progress::{Progress, Totals};
use crate::ingest::sqs::{SqsQueue, SqsSettings};
use crate::ingest::{IngestLimits, Outage, Trail};
use crate::lake::catalog::{Due, Duty};
use crate::lake::elected::{Schedule, take_turns};
use crate::lake::path::EventDay;
use crate::lake::settle::{SettleLimits, SettleSummary, keep_settled};
use crate::lake::{Catalog, Lake};
use crate::query::Engine;

/// How often the log says what was done.
const TELL_EVERY: Duration = Duration::from_mins(1);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Messages may be S3 events, EventBridge's, CloudTrail's, Config's or Security Lake's notices, inside SNS or not, or
findings themselves; each says by its content what it is. Region, endpoint and credentials come from the environment,
as for every AWS tool. SIGTERM or Ctrl-C stops it: batches in hand are finished, the rest comes again.

Examples:
  ashiato worker --queue https://sqs.eu-west-1.amazonaws.com/111122223333/logs --lake s3://security-lake/ashiato \\
      --catalog postgres://ashiato@db.internal/ashiato
  AWS_ENDPOINT_URL_SQS=http://127.0.0.1:4566 ashiato worker --queue http://127.0.0.1:4566/000000000000/logs")]
pub(crate) struct WorkerArgs {
    /// The queue's URL.
    #[arg(long, value_name = "URL")]
    queue: Option<String>,
    /// Where messages go that nothing can be made of, with the reason; else they are left to the queue's redrive policy.
    #[arg(long, value_name = "URL")]
    dead_letter_queue: Option<String>,
}

impl WorkerArgs {
    /// Refuses to start without a queue, before a lake is made for it.
    pub(crate) fn check(&self, settings: &WorkerSettings) -> anyhow::Result<()> {
        self.url(settings).map(drop)
    }

    fn url(&self, settings: &WorkerSettings) -> anyhow::Result<String> {
        let url = self.queue.clone().or_else(|| settings.queue.clone());
        let url = url.context(
            "which queue? give --queue URL, or set worker.queue in ashiato.toml or ASHIATO_WORKER_QUEUE",
        )?;
        url::Url::parse(&url).with_context(|| {
            format!(
                "{url} is no URL of a queue such as https://sqs.eu-west-1.amazonaws.com/111122223333/logs"
            )
        })?;
        Ok(url)
    }
}

pub(crate) async fn run(args: WorkerArgs, session: Session<'_>) -> anyhow::Result<Ending> {
    let Session { config, aws, catalog, lake, out, .. } = session;
    let started = Instant::now();
    let mut ends = Ends::listen()?;
    let query_limits = config.query_limits();
    let limits = IngestLimits { outage: Outage::Wait, ..config.ingest };
    let url = args.url(&config.worker)?;
    let dead_letter_url = args.dead_letter_queue.or(config.worker.dead_letter_queue);
    let settings = SqsSettings { url: url.clone(), dead_letter_url, visibility: limits.visibility() };
    let queue = SqsQueue::open(settings.clone(), &aws).await;
    let progress = Arc::new(Progress::default());
    let (stop, stopped) = watch::channel(false);
    let (catalog_kept, lake_kept) = (catalog.clone(), lake.clone());
    let engine = Engine::new(catalog_kept.clone(), &lake_kept, query_limits)?;
    let trail = Arc::new(Trail {
        queue,
        archive: Arc::new(Archive::new(config.declarations, Arc::clone(&aws))),
        catalog,
        lake,
        limits,
        progress: Arc::clone(&progress),
        clock: now,
    });
    let _serving = match config.worker.listen {
        Some(address) => Some(health::serve(address, Arc::clone(&trail), settings).await?),
        None => None,
    };
    let beside = keep((&engine, &catalog_kept, &lake_kept), (&config.settle, limits.lease), &stopped);
    let lanes = async {
        let ended = crate::ingest::run(trail, stopped.clone()).await;
        // When lanes end by themselves, since no waiting would mend it, settling ends too.
        stop.send_replace(true);
        ended
    };
    let work = async { tokio::join!(lanes, beside).0 };
    tokio::pin!(work);
    let mut tell = tokio::time::interval(TELL_EVERY);
    let mut told = Totals::default();
    tracing::info!(queue = url, lanes = limits.lanes, "worker started");
    let result = loop {
        // Cancel-safe: the work is pinned and only polled here; ticks and signals carry no data.
        tokio::select! {
            result = &mut work => break result,
            _ = tell.tick() => told = say(progress.snapshot().totals(), told),
            () = ends.next() => {
                tracing::info!("stopping: batches in hand are finished, the rest comes again");
                stop.send_replace(true);
                let ended = tokio::time::timeout(config.worker.shutdown_deadline, &mut work).await;
                break ended.unwrap_or_else(|_elapsed| {
                    tracing::warn!("batches in hand took longer than worker.shutdown_deadline; their messages come again");
                    Ok(())
                });
            }
        }
    };
    summary(out, &progress.snapshot(), started.elapsed())?;
    result?;
    Ok(Ending::Done)
}

/// The signals that end a worker.
pub(super) struct Ends {
    terminate: Signal,
    interrupt: Signal,
}

impl Ends {
    pub(super) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("wait for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) {
        // Cancel-safe: a signal that came is kept until it is asked for.
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn say_settled(done: SettleSummary) {
    let SettleSummary { files_in, files_out, rows_in, rows_out, duplicates, bytes_out, swept } = done;
    tracing::info!(files_in, files_out, rows_in, rows_out, duplicates, bytes_out, swept, "settled");
}

/// What a worker does beside its lanes: it settles, and derives what is settled and what is not yet.
async fn keep(
    (engine, catalog, lake): (&Engine, &Catalog, &Lake),
    (settle, lease): (&SettleLimits, Duration),
    stopped: &watch::Receiver<bool>,
) {
    let every = |every| Schedule { every, lease, clock: now };
    let settling = async {
        if !settle.every.is_zero() {
            keep_settled((catalog, lake), settle, every(settle.every), stopped.clone(), async |done| {
                say_settled(done);
                hasten_deriving(catalog).await;
            })
            .await;
        }
    };
    let hot = !settle.derive_every.is_zero();
    let derive_every = if hot { settle.derive_every } else { settle.every };
    let deriving = async {
        if !derive_every.is_zero() {
            let places = (engine, catalog, lake);
            let limits = super::derive::limits(settle);
            let run = async || {
                let began = tokio::time::Instant::now();
                let stops = || *stopped.borrow();
                // What is of the last hours waits for no archive that is read in, nor for a file that is broken.
                let hours = (Due::HotSince(yesterday(now())), limits);
                let fresh = if hot { derive_until(places, hours, stops).await } else { Some(true) };
                let late = || stops() || hot && began.elapsed() > derive_every;
                let settled = derive_until(places, (Due::Settled, limits), late).await;
                Some(fresh? && settled?)
            };
            let then = async |is_through: bool| {
                if !is_through {
                    hasten_deriving(catalog).await;
                }
            };
            take_turns((catalog, Duty::Derive), every(derive_every), stopped.clone(), run, then).await;
        }
    };
    tokio::join!(settling, deriving);
}

/// Lets the next look of any worker derive.
async fn hasten_deriving(catalog: &Catalog) {
    if let Err(error) = catalog.hasten_duty(Duty::Derive).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "derived as always");
    }
}

/// Derives what is due, and says whether that was all, or `is_over` ended it. What fails is tried again the next time,
/// and computed for queries until then.
async fn derive_until(
    places: (&Engine, &Catalog, &Lake),
    due: (Due, DeriveLimits),
    is_over: impl Fn() -> bool + Send + Sync,
) -> Option<bool> {
    let mut is_through = true;
    let derived = derive(places, due, now, |_, _, _| {
        is_through = !is_over();
        if is_through { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    match derived.await {
        Ok(DeriveSummary { derivations: 0, .. }) => Some(is_through),
        Ok(DeriveSummary { derivations, files_read, rows_read, rows, bytes, swept }) => {
            tracing::info!(derivations, files_read, rows_read, rows, bytes, swept, "derived");
            Some(is_through)
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "deriving failed, it is tried again");
            None
        }
    }
}

/// The first day whose hot files are derived before they are settled. Those of days long past come by the thousand when
/// an archive is read in, and are settled before anybody asks.
fn yesterday(now: jiff::Timestamp) -> EventDay {
    let day =
        now.checked_sub(Duration::from_hours(24)).ok().and_then(|then| EventDay::of(then.as_millisecond()));
    day.unwrap_or(EventDay::BOUNDS.1)
}

/// Says what was done since the last time; an alarm may sum it up, or miss it when nobody says it.
fn say(done: Totals, told: Totals) -> Totals {
    let Totals { objects, events, set_aside, unreadable, already, dead_letters } = done.since(told);
    tracing::info!(objects, events, set_aside, unreadable, already, dead_letters, "done in the last minute");
    done
}
