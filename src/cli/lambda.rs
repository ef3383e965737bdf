//! `ashiato lambda`: the writing trail behind a Lambda event source.
//!
//! Takes the events of an SQS event source and answers which messages must come again
//! (`batchItemFailures`); Lambda deletes the others. What cannot be done in the time of
//! an invocation is among those that come again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use tokio::sync::{RwLock, watch};
use tokio::time::Instant;

use super::worker::Ends;
use super::{Ending, Session, now};
use crate::aws::Aws;
use crate::config::{FunctionFacts, WorkerSettings};
use crate::ingest::archive::Archive;
use crate::ingest::invocation::{InvocationQueue, run_invocation};
use crate::ingest::progress::{Progress, Totals};
use crate::ingest::sqs::{SqsQueue, SqsSettings};
use crate::ingest::{IngestLimits, Outage, QueueMessage, Trail};
use crate::lake::catalog::CatalogPlace;
use crate::lake::{Catalog, Lake};

/// What is kept of an invocation's time for giving claims back and answering, at most.
const MARGIN: Duration = Duration::from_secs(10);

/// Memory of a lane at work, with room for objects that unpack to much.
const LANE_MIB: u64 = 192;

/// What an SQS event source hands over.
#[derive(Debug, Deserialize)]
struct SqsEvent {
    #[serde(rename = "Records")]
    records: Vec<SqsRecord>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SqsRecord {
    message_id: String,
    receipt_handle: String,
    body: String,
    #[serde(default)]
    attributes: SqsAttributes,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SqsAttributes {
    approximate_receive_count: Option<String>,
    sent_timestamp: Option<String>,
}

/// Which messages must come again.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    batch_item_failures: Vec<ItemFailure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: String,
}

/// What lasts from one invocation to the next.
struct Function {
    aws: Arc<Aws>,
    settings: WorkerSettings,
    archive: Arc<Archive>,
    catalog: Catalog,
    lake: Lake,
    limits: IngestLimits,
    stop: watch::Receiver<bool>,
    /// Read while an invocation is worked on.
    busy: RwLock<()>,
}

/// Refuses to start where it cannot work.
pub(crate) fn check(catalog: &CatalogPlace) -> anyhow::Result<()> {
    anyhow::ensure!(
        FunctionFacts::read().is_some(),
        "this is no Lambda function: `ashiato lambda` is started by Lambda; `ashiato worker` runs anywhere"
    );
    anyhow::ensure!(
        matches!(catalog, CatalogPlace::Postgres(_)),
        "a function's files go with it: its catalog must be PostgreSQL, set ASHIATO_CATALOG=postgres://…"
    );
    Ok(())
}

pub(crate) async fn run(session: Session<'_>) -> anyhow::Result<Ending> {
    let Session { config, aws, catalog, lake, .. } = session;
    let facts = FunctionFacts::read().context("this is no Lambda function")?;
    let limits = limits_of(config.ingest, facts.memory_mib);
    let (stop, stopped) = watch::channel(false);
    let archive = Arc::new(Archive::new(config.declarations, Arc::clone(&aws)));
    let function = Function {
        aws,
        settings: config.worker,
        archive,
        catalog,
        lake,
        limits,
        stop: stopped,
        busy: RwLock::new(()),
    };
    let mut ends = Ends::listen()?;
    tracing::info!(lanes = limits.lanes, memory_mib = facts.memory_mib, "function started");
    let serve = lambda_runtime::run(service_fn(async |event| function.answer(event).await));
    tokio::pin!(serve);
    // Cancel-safe: what is cancelled is only the wait for the next invocation, as below.
    tokio::select! {
        ended = &mut serve => ended.map_err(|error| anyhow::anyhow!("Lambda's runtime API: {error}"))?,
        () = ends.next() => {
            tracing::info!("stopping: claims are released, the messages come again");
            stop.send_replace(true);
            // The runtime goes on until the invocation in hand has given its claims back. An answer that is not
            // sent is a failure to Lambda: all its messages come again, and what was committed adds nothing.
            tokio::select! {
                _idle = function.busy.write() => {}
                ended = &mut serve => ended.map_err(|error| anyhow::anyhow!("Lambda's runtime API: {error}"))?,
            }
        }
    }
    Ok(Ending::Done)
}

/// The bounds of a function: nobody looks on, as with a worker, so what is away is waited for.
fn limits_of(limits: IngestLimits, memory_mib: u64) -> IngestLimits {
    IngestLimits { lanes: limits.lanes.min(lanes_of(memory_mib)), outage: Outage::Wait, ..limits }
}

/// As many lanes as the memory is for, beside the program itself.
fn lanes_of(memory_mib: u64) -> usize {
    usize::try_from(memory_mib.saturating_sub(LANE_MIB) / LANE_MIB).unwrap_or(1).max(1)
}

impl Function {
    async fn answer(&self, event: LambdaEvent<SqsEvent>) -> Result<Answer, lambda_runtime::Error> {
        let _busy = self.busy.read().await;
        let LambdaEvent { payload, context } = event;
        let left = Duration::from_millis(context.deadline)
            .saturating_sub(Duration::from_millis(u64::try_from(now().as_millisecond()).unwrap_or(0)));
        let deadline = Instant::now() + left.saturating_sub(MARGIN.min(left / 5));
        let Some(arn) = payload.records.first().map(|record| record.event_source_arn.clone()) else {
            return Ok(Answer { batch_item_failures: Vec::new() });
        };
        let messages: Vec<QueueMessage> = payload.records.into_iter().map(read_record).collect();
        let trail = Arc::new(self.trail(&arn, &messages).await?);
        run_invocation(&trail, &messages, (deadline, self.stop.clone())).await;
        let failures: Vec<_> = messages
            .iter()
            .filter(|message| trail.queue.keeps(message))
            .map(|message| ItemFailure { item_identifier: message.id.clone() })
            .collect();
        let Totals { objects, events, set_aside, unreadable, already, dead_letters } =
            trail.progress.snapshot().totals();
        let (messages, kept) = (messages.len(), failures.len());
        tracing::info!(
            messages,
            kept,
            objects,
            events,
            set_aside,
            unreadable,
            already,
            dead_letters,
            "invocation done"
        );
        Ok(Answer { batch_item_failures: failures })
    }

    async fn trail(
        &self,
        arn: &str,
        messages: &[QueueMessage],
    ) -> Result<Trail<InvocationQueue>, lambda_runtime::Error> {
        let url = self.settings.queue.clone().or_else(|| url_of(arn));
        let url = url.ok_or_else(|| format!("{arn} is no queue of SQS"))?;
        let settings = SqsSettings {
            url,
            dead_letter_url: self.settings.dead_letter_queue.clone(),
            visibility: self.limits.visibility(),
        };
        let sqs = Arc::new(SqsQueue::open(settings, &self.aws).await);
        Ok(Trail {
            queue: InvocationQueue::new(sqs, messages),
            archive: Arc::clone(&self.archive),
            catalog: self.catalog.clone(),
            lake: self.lake.clone(),
            limits: self.limits,
            progress: Arc::new(Progress::default()),
            clock: now,
        })
    }
}

fn read_record(record: SqsRecord) -> QueueMessage {
    let SqsAttributes { approximate_receive_count, sent_timestamp } = record.attributes;
    QueueMessage {
        id: record.message_id,
        body: record.body,
        receipt_handle: record.receipt_handle,
        receive_count: approximate_receive_count.and_then(|count| count.parse().ok()).unwrap_or(1),
        sent_at: sent_timestamp.and_then(|sent| jiff::Timestamp::from_millisecond(sent.parse().ok()?).ok()),
        reason: None,
    }
}

/// The URL of a queue: `arn:aws:sqs:<region>:<account>:<name>`.
fn url_of(arn: &str) -> Option<String> {
    let mut parts = arn.splitn(6, ':');
    let (_, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, name) = (parts.next()?, parts.next()?, parts.next()?);
    let domain = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    (service == "sqs").then(|| format!("https://sqs.{region}.{domain}/{account}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::error::{AWAY_DELIVERIES_MAX, Fate, Setback};
    use crate::lake::catalog::ObjectId;

    #[test]
    fn the_arn_tells_the_url() {
        let check = |arn, url: Option<&str>| assert_eq!(url_of(arn).as_deref(), url);
        check(
            "arn:aws:sqs:eu-west-1:111122223333:logs",
            Some("https://sqs.eu-west-1.amazonaws.com/111122223333/logs"),
        );
        check(
            "arn:aws-cn:sqs:cn-north-1:111122223333:logs",
            Some("https://sqs.cn-north-1.amazonaws.com.cn/111122223333/logs"),
        );
        check("arn:aws:sns:eu-west-1:111122223333:logs", None);
        check("logs", None);
    }

    #[test]
    fn an_object_that_is_away_is_waited_for_as_long_as_by_a_worker() {
        let object = ObjectId { bucket: "b".into(), key: "k".into(), version: String::new() };
        let away = Setback::Away { object, why: "timed out".into() };
        let limits = limits_of(IngestLimits::default(), 2048);
        assert!(matches!(away.fate(AWAY_DELIVERIES_MAX - 1, &limits), Fate::Retry { .. }));
        assert_eq!(away.fate(AWAY_DELIVERIES_MAX, &limits), Fate::DeadLetter);
    }

    #[test]
    fn lanes_fit_into_the_memory() {
        assert_eq!([128, 512, 2048].map(lanes_of), [1, 1, 9]);
    }
}
