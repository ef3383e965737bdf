//! Settling as part of a worker: of all workers on one catalog, one is at it.
//!
//! Each looks now and then whether settling is due and takes the duty on by a lease in
//! the catalog. The lease only saves work: two runs at once are as safe as ever. A
//! worker that dies at it is followed by another when its lease has run out; a run
//! that fails is tried again at the next look.

use std::ops::ControlFlow;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::{SettleLimits, SettleSummary, settle};
use crate::lake::catalog::{BatchId, Catalog, CatalogError, Duty};
use crate::lake::store::Lake;

/// How often a worker looks whether settling is due: at least ten times between two runs, and once a minute.
const LOOKS: u32 = 10;
const LOOK_EVERY_MAX: Duration = Duration::from_mins(1);

/// How long after a run that failed the next one comes, at most.
const AGAIN_AFTER: Duration = Duration::from_mins(5);

/// When to settle.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// The time between the end of a run and the next one.
    pub every: Duration,
    /// How long others wait for one that died at it.
    pub lease: Duration,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

/// Settles whenever that is due and nobody else does, until `stop` says so: then the files in hand are finished.
/// `then` follows each run.
pub async fn keep_settled(
    (catalog, lake): (&Catalog, &Lake),
    limits: &SettleLimits,
    Schedule { every, lease, clock }: Schedule,
    mut stop: watch::Receiver<bool>,
    mut then: impl AsyncFnMut(SettleSummary),
) {
    let holder = BatchId(uuid::Uuid::now_v7().simple().to_string());
    let look_every = (every / LOOKS).min(LOOK_EVERY_MAX);
    let times = (every, lease);
    loop {
        match catalog.begin_duty(Duty::Settle, &holder, clock(), times).await {
            Ok(true) => {
                let run = run(catalog, lake, limits, clock, &stop);
                // Not cancel-safe and need not be: what a run has written and not committed is swept.
                let done = tokio::select! {
                    done = run => done,
                    () = hold(catalog, &holder, lease, clock) => None,
                };
                if let Err(error) = catalog.end_duty(Duty::Settle, &holder, ended(done, every, clock())).await
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
                tracing::warn!(error = &error as &dyn std::error::Error, "not known whether settling is due");
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
fn ended(done: Option<SettleSummary>, every: Duration, now: Timestamp) -> Timestamp {
    let early = every.saturating_sub(AGAIN_AFTER);
    if done.is_some() { now } else { now.checked_sub(early).unwrap_or(now) }
}

/// Settles once. `None` when it failed, or was stopped before it was through.
async fn run(
    catalog: &Catalog,
    lake: &Lake,
    limits: &SettleLimits,
    clock: fn() -> Timestamp,
    stop: &watch::Receiver<bool>,
) -> Option<SettleSummary> {
    let mut is_stopped = false;
    let settled = settle(catalog, lake, limits, clock, |_, _, _| {
        is_stopped = *stop.borrow();
        if is_stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match settled.await {
        Ok(summary) => Some(summary).filter(|_| !is_stopped),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "settling failed, it is tried again");
            None
        }
    }
}

/// Extends the duty's lease; ends when somebody else has taken it over.
async fn hold(catalog: &Catalog, holder: &BatchId, lease: Duration, clock: fn() -> Timestamp) {
    loop {
        tokio::time::sleep(lease / 3).await;
        match catalog.renew_duty(Duty::Settle, holder, clock(), lease).await {
            Ok(()) => {}
            Err(CatalogError::Fenced { .. }) => {
                tracing::warn!("another worker settles now");
                return;
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the duty's lease not renewed");
            }
        }
    }
}
