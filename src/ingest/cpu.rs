//! Runs work that computes on the pool of CPU threads.
//!
//! An async block computes for well under a millisecond; what takes longer goes
//! through here, so that timers, leases and fetches stay on time.

use super::error::IngestError;

/// Runs `work` on the CPU pool and gives its result.
///
/// # Errors
/// The work ended without a result: it panicked.
pub async fn compute<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, IngestError> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    rayon::spawn(move || {
        // The receiver is gone only when the lane was dropped; the result is of no use then.
        drop(sender.send(work()));
    });
    receiver.await.map_err(|_no_sender| IngestError::Lost { what })
}
