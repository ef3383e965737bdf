//! The loop around the writing trail: lanes, leases, shutdown.
//!
//! N equal lanes; a lane takes its messages from receive to delete, so the
//! acknowledgement stays beside the work. While it works, a guard extends the
//! lease of its claims and the visibility of its messages; the guard ends with the
//! work. While queue, catalog or lake are away a lane keeps its messages, waits and
//! says so: deliveries are not used up. Shutdown stops receiving, lets lanes finish,
//! and leaves the rest to redelivery.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::acknowledge::dead_letter;
use super::error::{Fate, IngestError, Setback, back_off, chain};
use super::lane::Lane;
use super::limits::Outage;
use super::notification::{Notice, ObjectRef, read_notification};
use super::queue::{Queue, QueueMessage, Received, receipt_handles};
use super::trail::Trail;
use crate::lake::catalog::{BatchId, CatalogError, ObjectId};

/// Runs lanes until the queue is closed, shutdown is asked for, or one of them cannot go on.
///
/// # Errors
/// The first failure that no waiting will mend.
pub async fn run<Q: Queue + 'static>(
    trail: Arc<Trail<Q>>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), IngestError> {
    let mut lanes = JoinSet::new();
    let (stop, stopped) = watch::channel(false);
    for _ in 0..trail.limits.lanes.max(1) {
        let stop = Stop { wished: shutdown.clone(), failed: stopped.clone() };
        lanes.spawn(run_lane(Arc::clone(&trail), stop));
    }
    let mut result = Ok(());
    while let Some(ended) = lanes.join_next().await {
        let ended = ended.unwrap_or(Err(IngestError::Lost { what: "a lane" }));
        if ended.is_err() {
            // The others finish what they have in hand and stop.
            stop.send_replace(true);
        }
        result = result.and(ended);
    }
    result
}

/// What tells a lane to stop: somebody's wish, or another lane that cannot go on.
#[derive(Debug, Clone)]
struct Stop {
    wished: watch::Receiver<bool>,
    failed: watch::Receiver<bool>,
}

impl Stop {
    /// Waits until the lane has to stop.
    async fn wait(&mut self) {
        // Cancel-safe: the watches keep their value.
        tokio::select! {
            () = asked(&mut self.wished) => {}
            () = asked(&mut self.failed) => {}
        }
    }

    /// Sleeps, or wakes early when the lane has to stop. Says whether it has.
    async fn is_asked_within(&mut self, pause: Duration) -> bool {
        tokio::time::timeout(pause, self.wait()).await.is_ok()
    }
}

/// Waits until a watch says so. A sender that is gone never will.
pub(super) async fn asked(stop: &mut watch::Receiver<bool>) {
    let is_gone = stop.wait_for(|stop| *stop).await.is_err();
    if is_gone {
        std::future::pending::<()>().await;
    }
}

async fn run_lane<Q: Queue + 'static>(trail: Arc<Trail<Q>>, mut stop: Stop) -> Result<(), IngestError> {
    let mut lane = Lane::new(trail.limits.segment);
    let mut failures = 0;
    loop {
        let mut gathered = Vec::new();
        // Cancel-safe: what was gathered is kept outside, what is on its way is left to redelivery.
        let ended = tokio::select! {
            ended = gather(&trail, &mut gathered) => ended,
            () = stop.wait() => Ok(Gathered::Last),
        };
        if matches!(ended, Ok(Gathered::Last)) && stop.is_asked_within(Duration::ZERO).await {
            put_back(&trail, &gathered, Duration::ZERO).await;
            return Ok(());
        }
        for messages in apart(gathered) {
            carry(&trail, &mut lane, &messages, &mut stop).await?;
        }
        match ended {
            Ok(Gathered::More) => failures = 0,
            Ok(Gathered::Last) => return Ok(()),
            Err(error) => {
                failures += 1;
                if !outlast(&trail, &error, failures, &mut stop).await {
                    return if stop.is_asked_within(Duration::ZERO).await { Ok(()) } else { Err(error) };
                }
            }
        }
    }
}

/// Whether more may come.
#[derive(Debug)]
enum Gathered {
    More,
    Last,
}

/// Gathers messages until a batch is full or old.
async fn gather<Q: Queue>(
    trail: &Trail<Q>,
    gathered: &mut Vec<QueueMessage>,
) -> Result<Gathered, IngestError> {
    // A first receive brings ten; when it does, the queue is full and the next ones ask for more at once.
    const FIRST: usize = 10;
    const NEXT: usize = 40;
    // Nothing is in hand before the first message: wait as long as the queue can.
    const IDLE: Duration = Duration::from_secs(20);
    let limits = &trail.limits;
    let (mut stored_bytes, mut ask, mut wait) = (0, FIRST, IDLE);
    let mut deadline = None;
    while gathered.len() < limits.batch_messages_max && stored_bytes < limits.batch_stored_bytes_max {
        match trail.queue.receive(ask, wait).await? {
            Received::Messages(messages) => {
                ask = if messages.len() < FIRST { FIRST } else { NEXT };
                stored_bytes += messages.iter().map(|message| announced_bytes(&message.body)).sum::<u64>();
                gathered.extend(messages);
            }
            Received::Closed if gathered.is_empty() => return Ok(Gathered::Last),
            Received::Nothing | Received::Closed => break,
        }
        let now = tokio::time::Instant::now();
        wait = deadline.get_or_insert(now + limits.batch_age_max).saturating_duration_since(now);
        if wait.is_zero() {
            break;
        }
    }
    Ok(Gathered::More)
}

/// The stored bytes of the objects in a message, as far as it says.
pub(super) fn announced_bytes(body: &str) -> u64 {
    match read_notification(body) {
        Ok(Notice::Objects(objects, _)) => objects.iter().filter_map(|object| object.size).sum(),
        Ok(Notice::Record { text, .. }) => text.len() as u64,
        Ok(Notice::Nothing(_)) | Err(_) => 0,
    }
}

/// Gives messages that came often a batch of their own: what is wrong with one of them then costs it alone.
pub(super) fn apart(messages: Vec<QueueMessage>) -> Vec<Vec<QueueMessage>> {
    const OFTEN: u32 = 3;
    let (often, fresh): (Vec<_>, Vec<_>) =
        messages.into_iter().partition(|message| message.receive_count >= OFTEN);
    let fresh = Some(fresh).filter(|fresh| !fresh.is_empty());
    fresh.into_iter().chain(often.into_iter().map(|message| vec![message])).collect()
}

/// Carries messages to their end, however often that takes while the world is away.
async fn carry<Q: Queue + 'static>(
    trail: &Arc<Trail<Q>>,
    lane: &mut Lane,
    messages: &[QueueMessage],
    stop: &mut Stop,
) -> Result<(), IngestError> {
    // How often a batch is read anew when one of its objects breaks off, until its deliveries have to count: they
    // bring each of its messages a batch of its own, and that object then costs itself.
    const BROKE_OFF_MAX: u32 = 3;
    let mut broke_off = 0;
    for failures in 1.. {
        let batch = trail.name_batch();
        let Err(error) = super::ingest_batch(trail, lane, &batch, messages).await else { return Ok(()) };
        if let Err(error) = trail.catalog.release(&batch).await {
            tracing::debug!(%batch, error = chain(&error), "claims not released, their lease ends by itself");
        }
        let deliveries = messages.iter().map(|message| message.receive_count).max().unwrap_or(0);
        broke_off += u32::from(matches!(error, IngestError::BrokeOff { .. }));
        let setback = Setback::Failed(&error);
        let fate = match setback.fate(deliveries, &trail.limits) {
            Fate::Wait if broke_off >= BROKE_OFF_MAX => Fate::Retry { after: back_off(deliveries) },
            fate => fate,
        };
        match fate {
            Fate::Retry { after } => {
                tracing::warn!(%batch, error = chain(&error), "batch given up, its messages come again");
                put_back(trail, messages, after).await;
                return Ok(());
            }
            Fate::DeadLetter => {
                give_up(trail, messages, &error).await;
                return Ok(());
            }
            Fate::Wait => {
                put_back(trail, messages, pause(failures) + trail.limits.visibility()).await;
                if !outlast(trail, &error, failures, stop).await {
                    put_back(trail, messages, Duration::ZERO).await;
                    return if stop.is_asked_within(Duration::ZERO).await { Ok(()) } else { Err(error) };
                }
            }
            Fate::Stop => return Err(error),
        }
    }
    Ok(())
}

/// Gives messages up that failed their batch too often. A run that somebody looks on at tells of it at its end.
async fn give_up<Q: Queue>(trail: &Trail<Q>, messages: &[QueueMessage], error: &IngestError) {
    for message in messages {
        dead_letter(trail, message, &Setback::Failed(error)).await;
        if trail.limits.outage == Outage::Stop {
            trail.progress.unreachable(announced_names(&message.body), chain(error));
        }
    }
}

/// Names what a message announces.
fn announced_names(body: &str) -> String {
    let Ok(Notice::Objects(objects, _)) = read_notification(body) else { return "a message".to_owned() };
    let names = objects
        .into_iter()
        .map(|ObjectRef { bucket, key, version, .. }| ObjectId { bucket, key, version }.to_string());
    names.collect::<Vec<_>>().join(", ")
}

/// How long a lane waits for the world after so many failures on end: 1 s, then double, 30 s at most.
fn pause(failures: u32) -> Duration {
    back_off(failures).min(Duration::from_secs(30))
}

/// Waits for what is away. False when that is no use, or when the lane has to stop.
async fn outlast<Q: Queue>(trail: &Trail<Q>, error: &IngestError, failures: u32, stop: &mut Stop) -> bool {
    let fate = Setback::Failed(error).fate(failures, &trail.limits);
    if trail.limits.outage == Outage::Stop || fate == Fate::Stop {
        return false;
    }
    let pause = pause(failures);
    tracing::warn!(error = chain(error), failures, seconds = pause.as_secs(), "waiting, nothing is lost");
    trail.progress.wait_begins();
    let is_asked = stop.is_asked_within(pause).await;
    trail.progress.wait_ends();
    !is_asked
}

/// Lets messages come again after a while. Where that fails they come when their visibility runs out.
async fn put_back<Q: Queue>(trail: &Trail<Q>, messages: &[QueueMessage], after: Duration) {
    if messages.is_empty() {
        return;
    }
    if let Err(error) = trail.queue.extend(&receipt_handles(messages), after).await {
        tracing::debug!(error = chain(&error), "visibility not changed, it runs out by itself");
    }
}

/// What can be lost while a batch is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// Another worker took the claims over.
    Claims,
    /// The queue shows all messages again.
    Messages,
}

/// Extends leases and visibility while a batch is worked on; ends when it is dropped.
#[derive(Debug)]
pub struct Hold {
    _task: JoinSet<()>,
    batch: BatchId,
    lost: watch::Receiver<Option<Loss>>,
}

impl Hold {
    /// Starts to hold a batch.
    pub fn start<Q: Queue + 'static>(
        trail: &Arc<Trail<Q>>,
        batch: &BatchId,
        messages: &[QueueMessage],
    ) -> Self {
        let receipt_handles = receipt_handles(messages);
        let (lose, lost) = watch::channel(None);
        let mut task = JoinSet::new();
        let (trail, held) = (Arc::clone(trail), batch.clone());
        task.spawn(async move {
            loop {
                tokio::time::sleep(trail.limits.lease / 3).await;
                if let Some(loss) = extend(&trail, &held, &receipt_handles).await {
                    lose.send_replace(Some(loss));
                    return;
                }
            }
        });
        Self { _task: task, batch: batch.clone(), lost }
    }

    /// Waits until the batch's claims or all its messages are lost: somebody else does the work then.
    pub async fn lost(&mut self) -> IngestError {
        let lost = self.lost.wait_for(Option::is_some).await.map(|lost| *lost);
        match lost {
            Ok(Some(Loss::Messages)) => IngestError::Lapsed { batch: self.batch.clone() },
            Ok(_) => CatalogError::Fenced { batch: self.batch.clone() }.into(),
            // The guard's task ended without losing anything; the commit will tell.
            Err(_ended) => std::future::pending().await,
        }
    }
}

/// Extends lease and visibility once; says what is lost. A failure loses nothing yet: there are two more attempts
/// before either runs out, and the commit is fenced.
async fn extend<Q: Queue>(trail: &Trail<Q>, batch: &BatchId, receipt_handles: &[String]) -> Option<Loss> {
    let lease = trail.limits.lease;
    match trail.catalog.renew(batch, (trail.clock)(), lease).await {
        Ok(()) => {}
        Err(CatalogError::Fenced { .. }) => return Some(Loss::Claims),
        Err(error) => tracing::warn!(%batch, error = chain(&error), "lease not renewed"),
    }
    match trail.queue.extend(receipt_handles, lease).await {
        // With some left the work goes on: what it commits need not be done again by those who get the others.
        Ok(ran_out) => (ran_out == receipt_handles.len()).then_some(Loss::Messages),
        Err(error) => {
            tracing::warn!(%batch, error = chain(&error), "visibility not extended");
            None
        }
    }
}
