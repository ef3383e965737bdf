//! Settling as part of a worker.

use std::ops::ControlFlow;

use jiff::Timestamp;
use tokio::sync::watch;

use super::{SettleLimits, SettleSummary, settle};
use crate::lake::catalog::{Catalog, Duty};
use crate::lake::elected::{Schedule, take_turns};
use crate::lake::store::Lake;

/// Settles whenever that is due and nobody else does, until `stop` says so: then the files in hand are finished.
/// `then` follows each run.
pub async fn keep_settled(
    (catalog, lake): (&Catalog, &Lake),
    limits: &SettleLimits,
    schedule: Schedule,
    stop: watch::Receiver<bool>,
    then: impl AsyncFnMut(SettleSummary),
) {
    let run = async || run(catalog, lake, limits, schedule.clock, &stop).await;
    take_turns((catalog, Duty::Settle), schedule, stop.clone(), run, then).await;
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
