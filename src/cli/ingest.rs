//! `ashiato ingest`: reads an archive once, on the path the worker will use.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;

use super::{Ending, Session, now, table};
use crate::ingest::archive::Archive;
use crate::ingest::list::{Lister, read_places};
use crate::ingest::progress::{Progress, Snapshot};
use crate::ingest::{EmbeddedQueue, Trail};
use crate::lake::store::Place;

/// Messages the queue in memory holds: enough that lanes never wait for the listing.
const QUEUED_MAX: usize = 10_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is in the lake already is skipped, so a run can be stopped and started again.

Examples:
  ashiato ingest /var/archive --lake /var/lake
  ashiato ingest s3://aws-controltower-logs-111122223333-eu-west-1/o-abc123/ --lake /var/lake
  ashiato ingest today.json.gz /var/other-archive --lake /var/lake")]
pub(crate) struct IngestArgs {
    /// Folders, files, s3://bucket or s3://bucket/prefix.
    #[arg(required = true, value_name = "PLACE")]
    places: Vec<String>,
}

impl IngestArgs {
    /// Refuses folders and files that are not there, before a lake is made for them.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        for place in &self.places {
            if let Place::Folder(path) = Place::read(place)? {
                std::fs::metadata(&path).with_context(|| format!("nothing to read at {}", path.display()))?;
            }
        }
        Ok(())
    }
}

pub(crate) async fn run(args: IngestArgs, session: Session<'_>) -> anyhow::Result<Ending> {
    let places = args.places.iter().map(|place| Place::read(place)).collect::<Result<Vec<_>, _>>()?;
    let Session { config, aws, catalog, lake, out, is_watched, .. } = session;
    let started = Instant::now();
    let (interrupt, interrupted) = watch::channel(false);
    let progress = Arc::new(Progress::default());
    let limits = config.ingest;
    let queue = Arc::new(EmbeddedQueue::new(limits.lease, QUEUED_MAX));
    let archive = Arc::new(Archive::new(config.declarations, Arc::clone(&aws)));
    let lister =
        Lister { queue: Arc::clone(&queue), archive: Arc::clone(&archive), progress: Arc::clone(&progress) };
    let trail = Trail { queue, archive, catalog, lake, limits, progress: Arc::clone(&progress), clock: now };
    let work = read_places(trail, &lister, &places, interrupted.clone());
    tokio::pin!(work);
    let bar = is_watched.then(progress_bar).transpose()?;
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    let result = loop {
        // Cancel-safe: the work is pinned and only polled here; ticks and signals carry no data.
        tokio::select! {
            result = &mut work => break result,
            _ = tick.tick() => if let Some(bar) = &bar { show(bar, &progress.snapshot(), started.elapsed()) },
            signal = tokio::signal::ctrl_c(), if !*interrupted.borrow() => {
                signal.context("wait for Ctrl-C")?;
                if let Some(bar) = &bar { bar.set_message("stopping: batches in hand are finished") }
                interrupt.send_replace(true);
            }
        }
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let snapshot = progress.snapshot();
    summary(out, &snapshot, started.elapsed())?;
    result?;
    let is_incomplete =
        !snapshot.unreachable.is_empty() || snapshot.sources.values().any(|source| source.failed > 0);
    Ok(match (*interrupted.borrow(), is_incomplete) {
        (true, _) => Ending::Interrupted,
        (false, true) => Ending::Incomplete,
        (false, false) => Ending::Done,
    })
}

fn progress_bar() -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:24} {pos}/{len} objects  {msg}  {eta} left")?;
    Ok(ProgressBar::new(0).with_style(style))
}

fn show(bar: &ProgressBar, snapshot: &Snapshot, elapsed: Duration) {
    let plain: u64 = snapshot.sources.values().map(|source| source.plain_bytes).sum();
    let done: u64 = snapshot.sources.values().map(|source| source.objects).sum();
    bar.set_length(snapshot.announced);
    bar.set_position(done + snapshot.already);
    let rate = u64::try_from(u128::from(plain) * 1000 / elapsed.as_millis().max(1)).unwrap_or(0);
    bar.set_message(format!("{} read, {}/s", table::bytes(plain), table::bytes(rate)));
}

/// Prints what a run did: a line a source, then what was left alone and why.
pub(super) fn summary(out: &mut dyn Write, snapshot: &Snapshot, elapsed: Duration) -> std::io::Result<()> {
    let mut rows = Vec::new();
    for (source, counts) in &snapshot.sources {
        let numbers =
            [counts.objects, counts.failed, counts.records, counts.events, counts.set_aside, counts.skipped];
        let bytes = [counts.stored_bytes, counts.plain_bytes].map(table::bytes);
        let cells = numbers.iter().map(ToString::to_string).chain(bytes);
        rows.push(std::iter::once((*source).to_owned()).chain(cells).collect());
    }
    let headings = [
        "source",
        "objects",
        "unreadable",
        "records",
        "events",
        "set aside",
        "duplicates",
        "stored",
        "unpacked",
    ];
    if !rows.is_empty() {
        table::print(out, &headings, &rows)?;
    }
    for (reason, count) in &snapshot.skipped {
        writeln!(out, "{count} objects left alone: {}", reason.text())?;
    }
    for (formality, count) in &snapshot.formalities {
        writeln!(out, "{count} messages without anything to read: {}", formality.text())?;
    }
    if snapshot.dead_letters > 0 && snapshot.unreachable.is_empty() {
        writeln!(out, "{} messages were dead-lettered", snapshot.dead_letters)?;
    }
    if snapshot.already > 0 {
        writeln!(out, "{} objects were in the lake already", snapshot.already)?;
    }
    for (object, reason) in snapshot.failures.iter().chain(&snapshot.unreachable) {
        writeln!(out, "cannot read {}: {}", table::name(object), table::name(reason))?;
    }
    let set_aside: u64 = snapshot.sources.values().map(|source| source.set_aside).sum();
    if set_aside > 0 {
        writeln!(out, "{set_aside} records set aside; `ashiato quarantine list` says which and why")?;
    }
    let files = format!("{} files, {}", snapshot.files, table::bytes(snapshot.file_bytes));
    writeln!(out, "{files}, {:.1} s", elapsed.as_secs_f64())
}
