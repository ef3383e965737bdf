//! Work beside the lanes of workers: of all workers on one catalog, one is at it.
//!
//! Each looks now and then whether settling is due, or deriving of what is not settled
//! yet, and takes the duty on by a lease in the catalog. The lease only saves work: two runs at once are as safe as ever. A
//! worker that dies at it is followed by another when its lease has run out; a run
//! that fails is tried again at the next look.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::catalog::{BatchId, Catalog, CatalogError, Duty};

/// How often a worker looks whether settling is due: at least ten times between two runs, and once a minute.
const LOOKS: u32 = 10;
const LOOK_EVERY_MAX: Duration = Duration::from_mins(1);

/// How long after a run that failed the next one comes, at most.
const AGAIN_AFTER: Duration = Duration::from_mins(5);

/// When a duty is due.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// The time between the end of a run and the next one.
    pub every: Duration,
    /// How long others wait for one that died at it.
    pub lease: Duration,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

/// Does `run` whenever the duty is due and nobody else is at it, until `stop` says so; a run that gives nothing has
/// failed. `then` follows each run that has not, when others may take the duty on again.
pub async fn take_turns<T>(
    (catalog, duty): (&Catalog, Duty),
    Schedule { every, lease, clock }: Schedule,
    mut stop: watch::Receiver<bool>,
    mut run: impl AsyncFnMut() -> Option<T>,
    mut then: impl AsyncFnMut(T),
) {
    let holder = BatchId(uuid::Uuid::now_v7().simple().to_string());
    let look_every = (every / LOOKS).min(LOOK_EVERY_MAX);
    let times = (every, lease);
    loop {
        match catalog.begin_duty(duty, &holder, clock(), times).await {
            Ok(true) => {
                // Not cancel-safe and need not be: what a run has written and not committed is swept.
                let done = tokio::select! {
                    done = run() => done,
                    () = hold((catalog, duty), &holder, lease, clock) => None,
                };
                if let Err(error) =
                    catalog.end_duty(duty, &holder, ended(done.is_some(), every, clock())).await
                {
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "the duty's lease ends by itself"
                    );
                }
                if let Some(done) = done {
                    then(done).await;
                }
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    duty = duty.word(),
                    "not known whether it is due"
                );
            }
        }
        // Uneven, so that workers that were started together do not look together.
        let pause = look_every.mul_f64(0.75 + fastrand::f64() / 2.0);
        // Cancel-safe: the watch keeps its value. A sender that is gone stops it too.
        if tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

/// When a run counts as done. One that failed is due again in a while, whoever looks: what fails on and on must not
/// keep all workers at it.
fn ended(is_done: bool, every: Duration, now: Timestamp) -> Timestamp {
    let early = every.saturating_sub(AGAIN_AFTER);
    if is_done { now } else { now.checked_sub(early).unwrap_or(now) }
}

/// Extends the duty's lease; ends when somebody else has taken it over.
async fn hold(
    (catalog, duty): (&Catalog, Duty),
    holder: &BatchId,
    lease: Duration,
    clock: fn() -> Timestamp,
) {
    loop {
        tokio::time::sleep(lease / 3).await;
        match catalog.renew_duty(duty, holder, clock(), lease).await {
            Ok(()) => {}
            Err(CatalogError::Fenced { .. }) => {
                tracing::warn!(duty = duty.word(), "another worker does this now");
                return;
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the duty's lease not renewed");
            }
        }
    }
}
