//! `ashiato dlq`: messages nothing could be made of, why, and another try.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;

use super::{Ending, table};
use crate::aws::Aws;
use crate::config::WorkerSettings;
use crate::ingest::Queue;
use crate::ingest::queue::receipt_handles;
use crate::ingest::sqs::{SqsQueue, SqsSettings};

/// Messages looked at in one run.
const MESSAGES_MAX: usize = 10_000;

/// How long a run may take until its messages show again by themselves.
const HIDDEN: Duration = Duration::from_mins(10);

#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
The queues are worker.queue and worker.dead_letter_queue of the configuration. A queue's redrive policy may fill the same
dead-letter queue; its messages have no reason.

Examples:
  ashiato dlq list
  ashiato dlq retry   (when the cause is mended)")]
pub(crate) enum DlqVerb {
    /// Lists messages that were dead-lettered, and why.
    List {
        /// Print JSON lines, with the whole message.
        #[arg(long)]
        json: bool,
    },
    /// Sends all of them back to the worker's queue.
    Retry,
}

pub(crate) async fn run(
    verb: DlqVerb,
    settings: &WorkerSettings,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Ending> {
    let dead = settings.dead_letter_queue.clone().context(
        "which dead-letter queue? set worker.dead_letter_queue in ashiato.toml or ASHIATO_WORKER_DEAD_LETTER_QUEUE",
    )?;
    let queue =
        SqsQueue::open(SqsSettings { url: dead, dead_letter_url: None, visibility: HIDDEN }, &Aws::default())
            .await;
    match verb {
        DlqVerb::List { json } => list(&queue, json, out).await,
        DlqVerb::Retry => {
            let target = settings.queue.as_deref();
            let target = target.context(
                "which queue do they go back to? set worker.queue in ashiato.toml or ASHIATO_WORKER_QUEUE",
            )?;
            retry(&queue, target, out).await
        }
    }
}

async fn list(queue: &SqsQueue, json: bool, out: &mut (dyn Write + Send)) -> anyhow::Result<Ending> {
    const SHOWN_CHARS: usize = 60;
    let messages = queue.take_all(MESSAGES_MAX).await?;
    queue.extend(&receipt_handles(&messages), Duration::ZERO).await?;
    if json {
        for message in messages {
            let line = serde_json::json!({"id": message.id, "reason": message.reason, "body": message.body});
            writeln!(out, "{line}")?;
        }
        return Ok(Ending::Done);
    }
    if messages.is_empty() {
        writeln!(out, "no message was dead-lettered")?;
        return Ok(Ending::Done);
    }
    let rows: Vec<_> = messages
        .into_iter()
        .map(|message| {
            let reason = message.reason.unwrap_or_else(|| "moved by the redrive policy".to_owned());
            vec![message.id, reason, message.body.chars().take(SHOWN_CHARS).collect()]
        })
        .collect();
    table::print(out, &["message", "reason", "starts with"], &rows)?;
    Ok(Ending::Done)
}

/// Sends messages back. All are taken first: one that fails again at once is not met twice.
async fn retry(queue: &SqsQueue, target: &str, out: &mut (dyn Write + Send)) -> anyhow::Result<Ending> {
    let messages = queue.take_all(MESSAGES_MAX).await?;
    for message in &messages {
        // Stopped in between, a message is there twice; what it announces is read once all the same.
        queue.send(target, &message.body, None).await?;
        queue.delete(std::slice::from_ref(&message.receipt_handle)).await?;
    }
    writeln!(out, "{} messages sent back to {target}", messages.len())?;
    Ok(Ending::Done)
}
