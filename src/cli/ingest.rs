//! `ashiato ingest`: reads an archive once, on the path the worker will use.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::civil::Date;
use tokio::sync::watch;

use super::{Ending, Session, now, table};
use crate::aws::Aws;
use crate::config::Config;
use crate::ingest::archive::Archive;
use crate::ingest::backfill::{Ledger, Pace, Selection, Survey, SurveyCount, SurveyPlace};
use crate::ingest::list::{Lister, Places, read_places};
use crate::ingest::progress::{Progress, Snapshot};
use crate::ingest::source::LogSource;
use crate::ingest::{EmbeddedQueue, Trail};
use crate::lake::path::AccountId;
use crate::lake::store::Place;

/// Messages the queue in memory holds: enough that lanes never wait for the listing.
const QUEUED_MAX: usize = 10_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is in the lake already is skipped, so a run can be stopped and started again; parts of a bucket that a stopped
run had read are not listed again. Limits go by what keys say; a key that does not say it is outside of them.

Examples:
  ashiato ingest /var/archive --lake /var/lake
  ashiato ingest s3://aws-controltower-logs-111122223333-eu-west-1/o-abc123/ --lake /var/lake
  ashiato ingest today.json.gz /var/other-archive --lake /var/lake
  ashiato ingest s3://org-archive --dry-run --from 2026-01-01 --sources cloudtrail,guardduty
  ashiato ingest --inventory s3://inventories/org-archive/all/2026-02-01T01-00Z/manifest.json --objects-per-second 200")]
pub(crate) struct IngestArgs {
    /// Folders, files, s3://bucket, s3://bucket/prefix or s3://bucket/key.
    #[arg(required_unless_present = "inventory", value_name = "PLACE")]
    places: Vec<String>,
    /// Reads what an S3 Inventory (CSV or Parquet) names instead of listing: s3://…/manifest.json.
    #[arg(long, value_name = "S3_URL", conflicts_with = "places")]
    inventory: Option<String>,
    /// The first day, as keys tell it: YYYY-MM-DD.
    #[arg(long, value_name = "DAY")]
    from: Option<Date>,
    /// The last day.
    #[arg(long, value_name = "DAY")]
    to: Option<Date>,
    /// Only these accounts.
    #[arg(long, value_name = "ACCOUNT,…", value_delimiter = ',', value_parser = account)]
    accounts: Vec<String>,
    /// Only these Regions.
    #[arg(long, value_name = "REGION,…", value_delimiter = ',')]
    regions: Vec<String>,
    /// Only these sources, as `status` names them.
    #[arg(long, value_name = "SOURCE,…", value_delimiter = ',', value_parser = source)]
    sources: Vec<LogSource>,
    /// Reads no more objects a second.
    #[arg(long, value_name = "NUMBER", value_parser = rate)]
    objects_per_second: Option<f64>,
    /// Reads no more stored megabytes a second.
    #[arg(long, value_name = "NUMBER", value_parser = rate)]
    megabytes_per_second: Option<f64>,
    /// Counts objects and bytes and reads nothing; needs no lake.
    #[arg(long)]
    dry_run: bool,
}

fn account(text: &str) -> Result<String, String> {
    let account = AccountId::read(text).ok_or("an account has twelve digits")?;
    Ok(account.to_string())
}

fn source(text: &str) -> Result<LogSource, String> {
    let names = || LogSource::ALL.map(LogSource::name).join(", ");
    LogSource::from_name(text).ok_or_else(|| format!("the sources are {}", names()))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "a number above 0".to_owned())
}

impl IngestArgs {
    /// Refuses folders and files that are not there, before a lake is made for them.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        for place in self.places()? {
            match place {
                Place::Folder(path) if self.inventory.is_some() => {
                    anyhow::bail!("{} is no s3://bucket/…/manifest.json", path.display());
                }
                Place::Folder(path) => {
                    let found = std::fs::metadata(&path);
                    found.with_context(|| format!("nothing to read at {}", path.display()))?;
                }
                Place::Bucket { .. } => {}
            }
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            anyhow::bail!("--from {from} is after --to {to}");
        }
        Ok(())
    }

    /// Whether nothing is to be read, only counted.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    fn places(&self) -> anyhow::Result<Vec<Place>> {
        let places = self.places.iter().chain(&self.inventory);
        Ok(places.map(|place| Place::read(place)).collect::<Result<_, _>>()?)
    }

    /// Returns what lists the places, as it is asked for.
    fn lister(&self, mut lister: Lister) -> Lister {
        lister.announcer.selection = Selection {
            from: self.from,
            to: self.to,
            accounts: self.accounts.iter().cloned().collect(),
            regions: self.regions.iter().cloned().collect(),
            sources: self.sources.iter().copied().collect(),
        };
        let bytes_per_second = self.megabytes_per_second.map(|rate| rate * 1e6);
        lister.announcer.pace = Pace::new(self.objects_per_second, bytes_per_second);
        if self.inventory.is_some() {
            lister.places = Places::Inventories;
        }
        lister
    }
}

/// Counts what a run would read.
pub(crate) async fn survey(
    args: IngestArgs,
    config: Config,
    out: &mut (dyn Write + Send),
    is_watched: bool,
) -> anyhow::Result<Ending> {
    args.check()?;
    let aws = Arc::new(Aws::new(config.buckets));
    let archive = Arc::new(Archive::new(config.declarations, aws));
    let progress = Arc::new(Progress::default());
    let queue = Arc::new(EmbeddedQueue::new(config.ingest.lease, QUEUED_MAX));
    let mut lister = args.lister(Lister::new(queue, archive, Arc::clone(&progress)));
    lister.announcer.survey = Some(Survey::default());
    let bar = is_watched.then(ProgressBar::new_spinner);
    for place in args.places()? {
        let listing = lister.list(&place);
        tokio::pin!(listing);
        let mut tick = tokio::time::interval(Duration::from_millis(200));
        // Cancel-safe: the listing is pinned and only polled here; ticks carry no data.
        loop {
            tokio::select! {
                listed = &mut listing => break listed?,
                _ = tick.tick() => if let Some(bar) = &bar { bar.set_message(found(&lister)); bar.tick() },
            }
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let counts = lister.announcer.survey.map(|survey| survey.counts()).unwrap_or_default();
    print_survey(out, counts)?;
    left_alone(out, &progress.snapshot())?;
    Ok(Ending::Done)
}

/// What a survey found so far.
fn found(lister: &Lister) -> String {
    let counts = lister.announcer.survey.as_ref().map(Survey::counts).unwrap_or_default();
    let objects: u64 = counts.values().map(|count| count.objects).sum();
    format!("{objects} objects found")
}

fn print_survey(out: &mut dyn Write, counts: BTreeMap<SurveyPlace, SurveyCount>) -> std::io::Result<()> {
    let mut sum = SurveyCount::default();
    let mut rows = Vec::new();
    for ((source, account, region), count) in counts {
        sum.objects += count.objects;
        sum.bytes += count.bytes;
        let [account, region] = [account, region].map(|text| text.unwrap_or_else(|| "-".to_owned()));
        rows.push(vec![
            source.to_owned(),
            account,
            region,
            count.objects.to_string(),
            table::bytes(count.bytes),
        ]);
    }
    if !rows.is_empty() {
        table::print(out, &["source", "account", "region", "objects", "stored"], &rows)?;
    }
    writeln!(out, "{} objects, {} would be read", sum.objects, table::bytes(sum.bytes))
}

pub(crate) async fn run(args: IngestArgs, session: Session<'_>) -> anyhow::Result<Ending> {
    let places = args.places()?;
    let Session { config, aws, catalog, lake, out, is_watched, .. } = session;
    let started = Instant::now();
    let (interrupt, interrupted) = watch::channel(false);
    let progress = Arc::new(Progress::default());
    let limits = config.ingest;
    let queue = Arc::new(EmbeddedQueue::new(limits.lease, QUEUED_MAX));
    let archive = Arc::new(Archive::new(config.declarations, aws));
    let lister = Lister::new(Arc::clone(&queue), Arc::clone(&archive), Arc::clone(&progress));
    let mut lister = args.lister(lister);
    let asked = (&lister.announcer.selection, &archive.declarations);
    lister.ledger = Some(Ledger::new(catalog.clone(), now, asked));
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
    if let Some(passed) = lister.ledger.as_ref().map(Ledger::passed).filter(|passed| *passed > 0) {
        writeln!(out, "{passed} parts of the archive were read by the run that was stopped")?;
    }
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
    left_alone(out, snapshot)?;
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

/// Prints what was left alone, by why.
fn left_alone(out: &mut dyn Write, snapshot: &Snapshot) -> std::io::Result<()> {
    for (reason, count) in &snapshot.skipped {
        writeln!(out, "{count} objects left alone: {}", reason.text())?;
    }
    Ok(())
}
