//! Ends the messages of a batch: deleted, hidden for a while, or put among the dead letters.
//!
//! Takes what keeps messages from being deleted; a message that nothing keeps is
//! deleted. Called when the rows of the batch can be queried, and for a batch that was given up.

use super::claim::Setbacks;
use super::error::{Fate, IngestError, Setback, chain};
use super::queue::{Queue, QueueMessage};
use super::trail::Trail;

/// Ends the messages of a batch.
///
/// # Errors
/// The queue failed; messages that were not ended come again and add nothing.
pub async fn acknowledge<Q: Queue>(
    trail: &Trail<Q>,
    messages: &[QueueMessage],
    setbacks: &Setbacks,
) -> Result<(), IngestError> {
    let is_free = |(number, _): &(usize, &QueueMessage)| !setbacks.contains_key(number);
    let free = messages.iter().enumerate().filter(is_free);
    let finished: Vec<String> = free.map(|(_, message)| message.receipt_handle.clone()).collect();
    if !finished.is_empty() {
        trail.queue.delete(&finished).await?;
        let now = (trail.clock)();
        let free = messages.iter().enumerate().filter(is_free);
        free.filter_map(|(_, message)| message.sent_at).for_each(|sent| trail.progress.finished(sent, now));
    }
    for (number, setback) in setbacks {
        let Some(message) = messages.get(*number) else { continue };
        match setback.fate(message.receive_count, &trail.limits) {
            Fate::Retry { after } => {
                trail.queue.extend(std::slice::from_ref(&message.receipt_handle), after).await?;
            }
            Fate::DeadLetter => dead_letter(trail, message, setback).await,
            // Fates of whole batches; a message left as it is comes again by itself.
            Fate::Wait | Fate::Stop => {}
        }
    }
    Ok(())
}

/// Puts a message among the dead letters. Where that fails it is said and the message comes again: one bad
/// message must not keep a lane from its neighbours.
pub async fn dead_letter<Q: Queue>(trail: &Trail<Q>, message: &QueueMessage, setback: &Setback<'_>) {
    let (id, deliveries, reason) = (&message.id, message.receive_count, setback.reason());
    match trail.queue.dead_letter(message, &reason).await {
        Ok(()) => {
            trail.progress.dead_letter();
            tracing::warn!(message_id = %id, deliveries, reason, "message dead-lettered");
        }
        Err(error) => {
            tracing::error!(message_id = %id, deliveries, reason, error = chain(&error), "dead letter not sent, it comes again");
        }
    }
}
