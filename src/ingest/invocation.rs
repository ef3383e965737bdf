//! The writing trail behind a Lambda event source: the messages of one invocation.
//!
//! Takes the messages that Lambda hands over and gives back which of them must come
//! again. The trail is the worker's: claim, lane, commit. To *delete* a message means
//! to leave it out of the answer, since Lambda deletes what the answer does not name.
//! Promises:
//! - what is not done when the time is up comes again, and its claims are released;
//! - an outage lets messages wait longer each time, so that Lambda's deliveries, which
//!   nobody can hold back, are not used up in minutes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::acknowledge::dead_letter;
use super::error::{Fate, IngestError, Setback, back_off, chain};
use super::lane::Lane;
use super::queue::{Queue, QueueMessage, Received, receipt_handles};
use super::sqs::SqsQueue;
use super::trail::Trail;
use super::worker::{announced_bytes, apart, asked};
use crate::lake::catalog::BatchId;

/// How long giving claims back may take: the database may be what is away.
const RELEASE_MAX: Duration = Duration::from_secs(2);

/// The messages of one invocation.
#[derive(Debug)]
pub struct InvocationQueue {
    sqs: Arc<SqsQueue>,
    /// Deliveries that must come again as it looks now, and how long they are to be hidden.
    kept: Mutex<HashMap<String, Option<Duration>>>,
}

impl InvocationQueue {
    /// Returns the messages of an invocation as a queue; all are kept until they are deleted.
    pub fn new(sqs: Arc<SqsQueue>, messages: &[QueueMessage]) -> Self {
        let kept = messages.iter().map(|message| (message.receipt_handle.clone(), None)).collect();
        Self { sqs, kept: Mutex::new(kept) }
    }

    /// Says whether a message must come again.
    pub fn keeps(&self, message: &QueueMessage) -> bool {
        self.kept().contains_key(&message.receipt_handle)
    }

    /// Hides what is kept for as long as was wished. Where that fails it is hidden for the queue's own time.
    pub async fn hide_kept(&self) {
        let mut wishes: HashMap<Duration, Vec<String>> = HashMap::new();
        for (receipt_handle, wish) in self.kept().iter() {
            if let Some(wish) = wish {
                wishes.entry(*wish).or_default().push(receipt_handle.clone());
            }
        }
        for (wish, receipt_handles) in wishes {
            if let Err(error) = self.sqs.extend(&receipt_handles, wish).await {
                tracing::debug!(error = chain(&error), "visibility not changed, it runs out by itself");
            }
        }
    }

    /// Notes how long deliveries are to be hidden, if they must come again.
    fn wish(&self, receipt_handles: &[String], visibility: Duration) {
        let mut kept = self.kept();
        for receipt_handle in receipt_handles {
            if let Some(wish) = kept.get_mut(receipt_handle) {
                *wish = Some(visibility);
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Option<Duration>>> {
        // Each change is one insert or remove, so a panic elsewhere leaves it whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue for InvocationQueue {
    fn name(&self) -> &str {
        self.sqs.name()
    }

    /// Lambda receives; nothing comes here.
    async fn receive(&self, _messages_max: usize, _wait: Duration) -> Result<Received, IngestError> {
        Ok(Received::Closed)
    }

    /// Only notes the wish: while the function runs Lambda hides its messages, and afterwards the last one counts.
    async fn extend(&self, receipt_handles: &[String], visibility: Duration) -> Result<usize, IngestError> {
        self.wish(receipt_handles, visibility);
        Ok(0)
    }

    async fn delete(&self, receipt_handles: &[String]) -> Result<(), IngestError> {
        let mut kept = self.kept();
        for receipt_handle in receipt_handles {
            kept.remove(receipt_handle);
        }
        Ok(())
    }

    async fn dead_letter(&self, message: &QueueMessage, reason: &str) -> Result<(), IngestError> {
        if self.sqs.has_dead_letter_queue() {
            self.sqs.dead_letter(message, reason).await?;
            return self.delete(std::slice::from_ref(&message.receipt_handle)).await;
        }
        // The redrive policy decides, by the number of deliveries.
        self.wish(std::slice::from_ref(&message.receipt_handle), back_off(message.receive_count));
        Ok(())
    }
}

/// Carries the messages of an invocation as far as the time allows; the queue then says which are kept.
pub async fn run_invocation(
    trail: &Arc<Trail<InvocationQueue>>,
    messages: &[QueueMessage],
    (deadline, stop): (Instant, watch::Receiver<bool>),
) {
    let batches = Arc::new(Mutex::new(split(messages, trail.limits.batch_stored_bytes_max)));
    let mut lanes = JoinSet::new();
    for _ in 0..trail.limits.lanes.max(1) {
        let (trail, batches, stop) = (Arc::clone(trail), Arc::clone(&batches), stop.clone());
        lanes.spawn(async move {
            let mut lane = Lane::new(trail.limits.segment);
            while let Some(messages) = next(&batches) {
                if carry(&trail, &mut lane, &messages, (deadline, stop.clone())).await == Time::Up {
                    return;
                }
            }
        });
    }
    while let Some(ended) = lanes.join_next().await {
        if let Err(error) = ended {
            tracing::error!(error = chain(&error), "a lane ended without an answer, its messages come again");
        }
    }
    trail.queue.hide_kept().await;
}

fn next(batches: &Mutex<VecDeque<Vec<QueueMessage>>>) -> Option<Vec<QueueMessage>> {
    batches.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Splits messages into batches as a worker would gather them.
fn split(messages: &[QueueMessage], stored_bytes_max: u64) -> VecDeque<Vec<QueueMessage>> {
    let mut batches = VecDeque::new();
    for messages in apart(messages.to_vec()) {
        let (mut batch, mut stored_bytes) = (Vec::new(), 0);
        for message in messages {
            stored_bytes += announced_bytes(&message.body);
            batch.push(message);
            if stored_bytes >= stored_bytes_max {
                batches.push_back(std::mem::take(&mut batch));
                stored_bytes = 0;
            }
        }
        batches.extend(Some(batch).filter(|batch| !batch.is_empty()));
    }
    batches
}

/// Whether a lane may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    Left,
    Up,
}

async fn carry(
    trail: &Arc<Trail<InvocationQueue>>,
    lane: &mut Lane,
    messages: &[QueueMessage],
    (deadline, mut stop): (Instant, watch::Receiver<bool>),
) -> Time {
    if Instant::now() >= deadline || *stop.borrow() {
        return Time::Up;
    }
    let batch = trail.name_batch();
    // Not cancel-safe and need not be: what was written is never committed, and the claims are released.
    let ended = tokio::select! {
        ended = super::ingest_batch(trail, lane, &batch, messages) => Some(ended),
        () = tokio::time::sleep_until(deadline) => None,
        () = asked(&mut stop) => None,
    };
    match ended {
        Some(Ok(())) => Time::Left,
        Some(Err(error)) => {
            release(trail, &batch).await;
            give_up(trail, &batch, messages, &error).await;
            Time::Left
        }
        None => {
            release(trail, &batch).await;
            tracing::warn!(%batch, messages = messages.len(), "out of time, the messages come again");
            trail.queue.wish(&receipt_handles(messages), Duration::ZERO);
            Time::Up
        }
    }
}

/// Gives claims back, so that nobody has to wait for their lease.
async fn release(trail: &Trail<InvocationQueue>, batch: &BatchId) {
    match tokio::time::timeout(RELEASE_MAX, trail.catalog.release(batch)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::debug!(%batch, error = chain(&error), "claims not released, their lease ends by itself");
        }
        Err(_elapsed) => tracing::debug!(%batch, "claims not released in time, their lease ends by itself"),
    }
}

/// Decides what becomes of the messages of a batch that failed.
async fn give_up(
    trail: &Trail<InvocationQueue>,
    batch: &BatchId,
    messages: &[QueueMessage],
    error: &IngestError,
) {
    let deliveries = messages.iter().map(|message| message.receive_count).max().unwrap_or(0);
    let setback = Setback::Failed(error);
    let after = match setback.fate(deliveries, &trail.limits) {
        Fate::DeadLetter => {
            for message in messages {
                dead_letter(trail, message, &setback).await;
            }
            return;
        }
        Fate::Retry { after } => after,
        // Each delivery counts, so an outage of hours must not take many: a minute, then double, an hour at most.
        Fate::Wait | Fate::Stop => (back_off(deliveries) * 60).min(Duration::from_hours(1)),
    };
    tracing::warn!(%batch, error = chain(error), seconds = after.as_secs(), "batch given up, its messages come again");
    trail.queue.wish(&receipt_handles(messages), after);
}
