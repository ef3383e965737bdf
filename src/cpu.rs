//! Runs work that computes on the pool of CPU threads.
//!
//! An async block computes for well under a millisecond; what takes longer goes
//! through here, so that timers, leases and fetches stay on time. The pool has as
//! many threads as cores, and so has the allocator few arenas: the same work on
//! tokio's many blocking threads held several times the memory.

/// Runs `work` on the CPU pool and gives its result; `None` when it panicked.
pub async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    rayon::spawn(move || {
        // The receiver is gone only when the caller was dropped; the result is of no use then.
        drop(sender.send(work()));
    });
    receiver.await.ok()
}
