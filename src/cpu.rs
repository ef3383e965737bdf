//! Runs work that computes on threads of its own.
//!
//! An async block computes for well under a millisecond; what takes longer goes
//! through here, so that timers, leases and fetches stay on time. A pool has as
//! many threads as cores, and so has the allocator few arenas: the same work on
//! tokio's many blocking threads held several times the memory. Merges have a pool
//! of their own: they take seconds and wait for the store, and lanes in the same
//! process must not wait behind them. A panic costs the work it happened in, not
//! the process, as rayon would have it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

static MERGES: LazyLock<Option<ThreadPool>> = LazyLock::new(|| ThreadPoolBuilder::new().build().ok());

/// Runs `work` on the CPU pool and gives its result; `None` when it panicked.
pub async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    rayon::spawn(|| run(work, sender));
    receiver.await.ok()
}

/// Runs a merge on the merges' own pool and gives its result; `None` when it panicked.
pub async fn merge<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    match MERGES.as_ref() {
        Some(pool) => pool.spawn(|| run(work, sender)),
        // Without threads to spare, the one pool does both.
        None => rayon::spawn(|| run(work, sender)),
    }
    receiver.await.ok()
}

fn run<T>(work: impl FnOnce() -> T, sender: oneshot::Sender<T>) {
    // What a panic leaves half-done is never seen again: the caller gets nothing of it.
    if let Ok(result) = catch_unwind(AssertUnwindSafe(work)) {
        // The receiver is gone only when the caller was dropped; the result is of no use then.
        drop(sender.send(result));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_itself() {
        assert_eq!(compute(|| assert!(std::hint::black_box(false), "on purpose")).await, None);
        assert_eq!(merge(|| assert!(std::hint::black_box(false), "on purpose")).await, None);
        assert_eq!((compute(|| 1).await, merge(|| 2).await), (Some(1), Some(2)));
    }
}
