//! The queue that announces objects.
//!
//! A trait since there are two worlds: Amazon SQS, and the queue in memory through
//! which `ashiato ingest` sends what it lists, so that both go the same way.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::error::IngestError;

/// One message, in our hands until it is deleted or its visibility runs out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// Names it.
    pub id: String,
    /// What it says.
    pub body: String,
    /// Names this delivery of it.
    pub receipt_handle: String,
    /// How often it was delivered, this time included.
    pub receive_count: u32,
    /// When it was sent, where the queue says so.
    pub sent_at: Option<Timestamp>,
    /// Why it is a dead letter, when it is one of ours.
    pub reason: Option<String>,
}

/// Names the deliveries of messages.
pub fn receipt_handles(messages: &[QueueMessage]) -> Vec<String> {
    messages.iter().map(|message| message.receipt_handle.clone()).collect()
}

/// What a receive brought.
#[derive(Debug)]
pub enum Received {
    /// Messages, at least one.
    Messages(Vec<QueueMessage>),
    /// None came in the time waited.
    Nothing,
    /// None will come any more: a queue in memory that was closed and emptied.
    Closed,
}

/// A queue of messages, delivered at least once.
pub trait Queue: Send + Sync {
    /// Names the queue in the evidence of records that came in a message.
    fn name(&self) -> &str;

    /// Waits up to `wait` for messages and hides them for the visibility timeout. Called by lanes, again and
    /// again. Success promises nothing about order, nor that a message comes only once.
    fn receive(
        &self,
        messages_max: usize,
        wait: Duration,
    ) -> impl Future<Output = Result<Received, IngestError>> + Send;

    /// Hides messages for `visibility` from now on. Called while work goes on and to put work off. It may come
    /// too late: returns how many deliveries are ours no longer, so that those messages come again.
    fn extend(
        &self,
        receipt_handles: &[String],
        visibility: Duration,
    ) -> impl Future<Output = Result<usize, IngestError>> + Send;

    /// Deletes messages for good. Called after their rows can be queried, never before.
    fn delete(&self, receipt_handles: &[String]) -> impl Future<Output = Result<(), IngestError>> + Send;

    /// Takes a message out of the way, so that it can be found with its reason. Called once for a delivery;
    /// after a failure the message may come again, or be there twice.
    fn dead_letter(
        &self,
        message: &QueueMessage,
        reason: &str,
    ) -> impl Future<Output = Result<(), IngestError>> + Send;
}

/// A queue in memory with the promises of SQS: at least once, hidden for a while, back when not deleted.
#[derive(Debug)]
pub struct EmbeddedQueue {
    state: Mutex<State>,
    changed: Notify,
    visibility: Duration,
    ready_max: usize,
}

/// Names messages that belong together: it is told when the last of them has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unit(pub u64);

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Waiting>,
    in_flight: HashMap<String, InFlight>,
    units: HashMap<Unit, UnitState>,
    deliveries: u64,
    closed: bool,
}

/// A message on its way.
#[derive(Debug, Default)]
struct Waiting {
    body: String,
    receive_count: u32,
    unit: Option<Unit>,
}

#[derive(Debug)]
struct InFlight {
    message: Waiting,
    visible_at: Instant,
}

/// What is known of messages that belong together.
#[derive(Debug, Default)]
struct UnitState {
    /// Messages not ended yet.
    open: u64,
    /// No more will be sent.
    is_closed: bool,
    /// One was given up.
    is_spoiled: bool,
}

impl State {
    fn push(&mut self, body: String, unit: Option<Unit>) {
        if let Some(unit) = unit {
            self.units.entry(unit).or_default().open += 1;
        }
        self.ready.push_back(Waiting { body, receive_count: 0, unit });
    }
}

impl EmbeddedQueue {
    /// Returns an open queue. It holds at most `ready_max` messages; sending waits then.
    pub fn new(visibility: Duration, ready_max: usize) -> Self {
        Self { state: Mutex::default(), changed: Notify::new(), visibility, ready_max }
    }

    /// Sends a message, waiting while the queue is full. False once the queue is closed.
    pub async fn send(&self, body: String) -> bool {
        self.send_of(body, None).await
    }

    /// Says that no more messages of a unit will be sent.
    pub fn close_unit(&self, unit: Unit) {
        self.state().units.entry(unit).or_default().is_closed = true;
    }

    /// Returns the closed units whose messages have all ended well, each once. One of which a message was given
    /// up is never returned.
    pub fn take_ended_units(&self) -> Vec<Unit> {
        let mut state = self.state();
        let mut ended = Vec::new();
        state.units.retain(|unit, of| {
            let is_over = of.is_closed && of.open == 0;
            if is_over && !of.is_spoiled {
                ended.push(*unit);
            }
            !is_over
        });
        ended
    }

    /// Sends a message of a unit, as [`Self::send`] does.
    pub async fn send_of(&self, body: String, unit: Option<Unit>) -> bool {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                if state.closed {
                    return false;
                }
                if state.ready.len() < self.ready_max {
                    state.push(body, unit);
                    drop(state);
                    self.changed.notify_waiters();
                    return true;
                }
            }
            changed.await;
        }
    }

    /// Says that nothing more will be sent.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_waiters();
    }

    /// Says that nothing more will be sent and takes back what was not delivered.
    pub fn stop(&self) {
        let mut state = self.state();
        state.closed = true;
        state.ready.clear();
        drop(state);
        self.changed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while holding the lock leaves whole messages behind: each change is one push or remove.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, messages_max: usize, now: Instant) -> Received {
        let mut state = self.state();
        let back: Vec<String> = state
            .in_flight
            .iter()
            .filter(|(_, held)| held.visible_at <= now)
            .map(|(key, _)| key.clone())
            .collect();
        for receipt_handle in back {
            if let Some(held) = state.in_flight.remove(&receipt_handle) {
                state.ready.push_back(held.message);
            }
        }
        let mut messages = Vec::new();
        while let Some(mut message) =
            if messages.len() < messages_max { state.ready.pop_front() } else { None }
        {
            state.deliveries += 1;
            message.receive_count += 1;
            let receipt_handle = state.deliveries.to_string();
            let (body, receive_count) = (message.body.clone(), message.receive_count);
            let visible_at = now + self.visibility;
            state.in_flight.insert(receipt_handle.clone(), InFlight { message, visible_at });
            messages.push(QueueMessage {
                id: receipt_handle.clone(),
                body,
                receipt_handle,
                receive_count,
                sent_at: None,
                reason: None,
            });
        }
        if !messages.is_empty() {
            Received::Messages(messages)
        } else if state.closed && state.in_flight.is_empty() {
            Received::Closed
        } else {
            Received::Nothing
        }
    }

    /// The moment the next hidden message comes back.
    fn next_visible(&self) -> Option<Instant> {
        self.state().in_flight.values().map(|held| held.visible_at).min()
    }
}

impl Queue for std::sync::Arc<EmbeddedQueue> {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn receive(&self, messages_max: usize, wait: Duration) -> Result<Received, IngestError> {
        let deadline = Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            match self.take(messages_max, Instant::now()) {
                Received::Nothing if Instant::now() < deadline => {}
                received => {
                    self.changed.notify_waiters();
                    return Ok(received);
                }
            }
            let until = self.next_visible().map_or(deadline, |visible| visible.min(deadline));
            // Cancel-safe: both branches only wait, and the state is looked at anew after either.
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    async fn extend(&self, receipt_handles: &[String], visibility: Duration) -> Result<usize, IngestError> {
        let visible_at = Instant::now() + visibility;
        let mut state = self.state();
        let mut lost = 0;
        for receipt_handle in receipt_handles {
            match state.in_flight.get_mut(receipt_handle) {
                Some(held) => held.visible_at = visible_at,
                None => lost += 1,
            }
        }
        Ok(lost)
    }

    async fn delete(&self, receipt_handles: &[String]) -> Result<(), IngestError> {
        let mut state = self.state();
        for receipt_handle in receipt_handles {
            let unit = state.in_flight.remove(receipt_handle).and_then(|held| held.message.unit);
            if let Some(of) = unit.and_then(|unit| state.units.get_mut(&unit)) {
                of.open = of.open.saturating_sub(1);
            }
        }
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Nothing outlives this queue: who runs it is told at the end.
    async fn dead_letter(&self, message: &QueueMessage, _reason: &str) -> Result<(), IngestError> {
        {
            let mut state = self.state();
            let unit = state.in_flight.get(&message.receipt_handle).and_then(|held| held.message.unit);
            if let Some(of) = unit.and_then(|unit| state.units.get_mut(&unit)) {
                of.is_spoiled = true;
            }
        }
        self.delete(std::slice::from_ref(&message.receipt_handle)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIDDEN: Duration = Duration::from_secs(30);

    fn queue_of(bodies: &[&str]) -> EmbeddedQueue {
        let queue = EmbeddedQueue::new(HIDDEN, 10);
        let waiting = bodies.iter().map(|body| Waiting { body: (*body).to_owned(), ..Waiting::default() });
        queue.state().ready.extend(waiting);
        queue
    }

    fn take(queue: &EmbeddedQueue, now: Instant) -> Vec<QueueMessage> {
        match queue.take(10, now) {
            Received::Messages(messages) => messages,
            Received::Nothing | Received::Closed => Vec::new(),
        }
    }

    #[test]
    fn a_message_not_deleted_comes_back() {
        let (queue, start) = (queue_of(&["a"]), Instant::now());
        assert_eq!(take(&queue, start)[0].receive_count, 1);
        assert_eq!(take(&queue, start + HIDDEN / 2), []);
        let again = take(&queue, start + HIDDEN);
        assert_eq!((again[0].body.as_str(), again[0].receive_count), ("a", 2));
    }

    #[tokio::test]
    async fn closes_when_the_last_message_is_deleted() {
        let queue = std::sync::Arc::new(queue_of(&["a"]));
        queue.close();
        let held = take(&queue, Instant::now());
        assert!(matches!(queue.take(10, Instant::now()), Received::Nothing));
        queue.delete(&[held[0].receipt_handle.clone()]).await.unwrap();
        assert!(matches!(queue.receive(10, Duration::ZERO).await.unwrap(), Received::Closed));
        assert!(!queue.send("b".to_owned()).await);
    }

    #[tokio::test]
    async fn a_unit_ends_with_its_last_message_and_never_when_one_was_given_up() {
        let queue = std::sync::Arc::new(queue_of(&[]));
        let (good, bad) = (Unit(1), Unit(2));
        for unit in [good, good, bad] {
            assert!(queue.send_of("a".to_owned(), Some(unit)).await);
        }
        queue.close_unit(good);
        queue.close_unit(bad);
        let held = take(&queue, Instant::now());
        queue.dead_letter(&held[2], "why").await.unwrap();
        queue.delete(&[held[0].receipt_handle.clone()]).await.unwrap();
        assert_eq!(queue.take_ended_units(), []);
        // Given back and taken again it is still the same message.
        let again = take(&queue, Instant::now() + HIDDEN * 2);
        queue.delete(&[again[0].receipt_handle.clone()]).await.unwrap();
        assert_eq!(queue.take_ended_units(), [good]);
        assert_eq!(queue.take_ended_units(), []);
    }

    #[tokio::test]
    async fn extending_hides_longer() {
        let queue = std::sync::Arc::new(queue_of(&["a"]));
        let start = Instant::now();
        let held = take(&queue, start);
        queue.extend(&[held[0].receipt_handle.clone()], HIDDEN * 3).await.unwrap();
        assert_eq!(take(&queue, start + HIDDEN * 2), []);
        assert_eq!(take(&queue, start + HIDDEN * 4)[0].receive_count, 2);
    }

    #[tokio::test]
    async fn sending_waits_for_room() {
        let queue = std::sync::Arc::new(EmbeddedQueue::new(HIDDEN, 1));
        assert!(queue.send("a".to_owned()).await);
        let (sent, received) = tokio::join!(queue.send("b".to_owned()), queue.receive(1, Duration::ZERO));
        assert!(sent && matches!(received.unwrap(), Received::Messages(messages) if messages[0].body == "a"));
    }
}
