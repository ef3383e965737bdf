//! `ashiato quarantine`: what was set aside, why, and another try.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::watch;

use super::ingest::summary;
use super::{Ending, Session, now, table};
use crate::ingest::archive::Archive;
use crate::ingest::list::{Lister, read_places};
use crate::ingest::notification::{ObjectRef, write_notification};
use crate::ingest::progress::Progress;
use crate::ingest::quarantine::retry;
use crate::ingest::set_aside::read_lines;
use crate::ingest::{EmbeddedQueue, Trail};

#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  ashiato quarantine list --lake /var/lake
  ashiato quarantine show 3 --lake /var/lake
  ashiato quarantine retry --lake /var/lake")]
pub(crate) enum QuarantineVerb {
    /// Lists records and objects that could not be read, and why.
    List {
        /// Print JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Shows the bytes of a record, by its number in the list.
    Show {
        /// The number.
        number: usize,
    },
    /// Reads everything again that was set aside, after a fix or a new version.
    Retry,
}

pub(crate) async fn run(verb: QuarantineVerb, session: Session<'_>) -> anyhow::Result<Ending> {
    match verb {
        QuarantineVerb::List { json } => list(json, session).await,
        QuarantineVerb::Show { number } => show(number, session).await,
        QuarantineVerb::Retry => retry_all(session).await,
    }
}

async fn list(json: bool, session: Session<'_>) -> anyhow::Result<Ending> {
    let Session { catalog, out, .. } = session;
    let (entries, failed) = (catalog.set_aside().await?, catalog.failed_objects().await?);
    if json {
        for entry in entries {
            let object = entry.object.to_string();
            let line = serde_json::json!({
                "object": object, "record": entry.record_index, "source": entry.source, "reason": entry.reason,
                "entry_file": entry.entry_file, "entry_line": entry.entry_line,
            });
            writeln!(out, "{line}")?;
        }
        for (id, reason) in failed {
            writeln!(
                out,
                "{}",
                serde_json::json!({"object": id.to_string(), "record": null, "reason": reason})
            )?;
        }
        return Ok(Ending::Done);
    }
    if entries.is_empty() && failed.is_empty() {
        writeln!(out, "nothing is set aside")?;
        return Ok(Ending::Done);
    }
    let records = (1..).zip(&entries).map(|(number, entry): (usize, _)| {
        vec![
            number.to_string(),
            entry.record_index.to_string(),
            entry.reason.clone(),
            entry.object.to_string(),
        ]
    });
    let objects = failed
        .iter()
        .map(|(id, reason)| vec!["-".to_owned(), "-".to_owned(), reason.clone(), id.to_string()]);
    table::print(
        out,
        &["number", "record", "reason", "object"],
        &records.chain(objects).collect::<Vec<_>>(),
    )?;
    Ok(Ending::Done)
}

async fn show(number: usize, session: Session<'_>) -> anyhow::Result<Ending> {
    let Session { catalog, lake, out, .. } = session;
    let entries = catalog.set_aside().await?;
    let entry = number.checked_sub(1).and_then(|at| entries.get(at));
    let entry =
        entry.with_context(|| format!("no number {number}: the list has {} records", entries.len()))?;
    let lines = read_lines(&lake, &entry.entry_file).await?;
    let line = usize::try_from(entry.entry_line).ok().and_then(|at| lines.get(at));
    let line = line.with_context(|| format!("{} has no line {}", entry.entry_file, entry.entry_line))?;
    writeln!(out, "object  {}", table::name(&line.object))?;
    writeln!(out, "record  {}", line.record)?;
    writeln!(out, "reason  {}", table::name(&line.reason))?;
    let kept = if line.is_whole { "" } else { " (the first of them)" };
    writeln!(out, "bytes   {}{kept}", line.bytes().len())?;
    match (&line.text, &line.hex) {
        (Some(text), _) => writeln!(out, "{}", table::printable(text))?,
        (None, Some(hex)) => writeln!(out, "hexadecimal: {hex}")?,
        (None, None) => {}
    }
    Ok(Ending::Done)
}

async fn retry_all(session: Session<'_>) -> anyhow::Result<Ending> {
    let Session { config, aws, catalog, lake, out, .. } = session;
    let started = std::time::Instant::now();
    let failed = catalog.failed_objects().await?;
    let catalog = catalog.with_failed_claimed();
    let limits = config.ingest;
    let queue = Arc::new(EmbeddedQueue::new(limits.lease, failed.len() + 1));
    for (id, _) in &failed {
        let object = ObjectRef {
            bucket: id.bucket.clone(),
            key: id.key.clone(),
            version: id.version.clone(),
            ..ObjectRef::default()
        };
        queue.send(write_notification(&object)).await;
    }
    let (progress, archive) =
        (Arc::new(Progress::default()), Arc::new(Archive::new(config.declarations, Arc::clone(&aws))));
    let lister = Lister::new(Arc::clone(&queue), Arc::clone(&archive), Arc::clone(&progress));
    let trail = Trail { queue, archive, catalog, lake, limits, progress: Arc::clone(&progress), clock: now };
    let retried = retry(&trail).await?;
    writeln!(
        out,
        "{} records tried again, {} mended into {} events",
        retried.tried, retried.mended, retried.events
    )?;
    if !failed.is_empty() {
        let (_interrupt, interrupted) = watch::channel(false);
        read_places(trail, &lister, &[], interrupted).await?;
        summary(out, &progress.snapshot(), started.elapsed())?;
    }
    let snapshot = progress.snapshot();
    let is_bad = retried.mended < retried.tried
        || !snapshot.unreachable.is_empty()
        || snapshot.sources.values().any(|source| source.failed > 0);
    Ok(if is_bad { Ending::Incomplete } else { Ending::Done })
}
