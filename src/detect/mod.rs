//! Judges what was committed since the last run by rules, and tells what they find.
//!
//! ```text
//! catalog ─ objects not judged yet ─→ new_cloudtrail ─ queries/detections/*.sql ─→ findings
//!                                        footprints: what was usual ───┘              │
//!         watermark, told findings, the file: one transaction ←── find-detection ←────┘
//! ```
//!
//! [`detect`] is the whole story. Promises, which tests prove by stopping and settling in between:
//! - each committed record is judged by every rule in one run that came to its end, late ones too, and
//!   in no other, however settling rewrites files meanwhile;
//! - the same facts give the same finding, which is written once;
//! - a run that is stopped has told nothing and judged nothing;
//! - memory is bounded, however much is new: it is judged in stretches of a day at most, in the order of time.
//!
//! Not here: who is told (`cli`), and the language of rules: a rule is a statement with the columns of [`finding::Found`].

mod error;
mod rule;
mod stretch;
mod finding;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use error::DetectError;
pub use finding::{Finding, Found};
pub use rule::{Rule, Severity, rules};
pub use stretch::{Stretch, Window, stretches};

use crate::lake::catalog::{BatchId, Catalog, Told};
use crate::lake::store::Lake;
use crate::query::news::News;
use crate::query::{Engine, Params, run};

/// Bounds of a run.
#[derive(Debug, Clone, Copy)]
pub struct DetectLimits {
    /// Objects whose names are held: at 500 accounts, an hour has 100,000. Of more, as at the first run over a large
    /// archive, rows of whole files are judged, some of them perhaps twice.
    pub objects_max: u64,
    /// Events judged together, about: what a rule holds of them fits into the memory of a query.
    pub events_max: u64,
    /// Findings in one run; beyond that nobody reads them.
    pub findings_max: usize,
    /// How long others wait for a run that died.
    pub lease: Duration,
}

impl Default for DetectLimits {
    fn default() -> Self {
        Self {
            objects_max: 250_000,
            events_max: 500_000,
            findings_max: 10_000,
            lease: Duration::from_secs(30),
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detected {
    /// Events that were judged.
    pub events: u64,
    /// Findings that were told for the first time.
    pub findings: Vec<Finding>,
    /// Findings that were told before.
    pub known: u64,
    /// Findings beyond the limit, which are not told.
    pub dropped: u64,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The events of new objects are counted: of so many, or of more than are held by name.
    Counting(Option<usize>),
    /// A stretch was judged, of so many.
    Judged(Stretch, usize),
}

/// Around a new event, this is near: what happened together.
const NEAR: Duration = Duration::from_mins(30);

/// Judges what was committed since the last run that came to its end, stretch by stretch; `told` hears of each step.
///
/// # Errors
/// A rule, the catalog or the lake failed, or another run began meanwhile: nothing was told, the next run judges the same.
pub async fn detect(
    (engine, catalog, lake): (&Engine, &Catalog, &Lake),
    limits: DetectLimits,
    clock: fn() -> Timestamp,
    mut told: impl FnMut(Step),
) -> Result<Detected, DetectError> {
    let begun = catalog.begin_detection().await?;
    let objects = catalog.news(begun, limits.objects_max).await?;
    let mut detected = Detected::default();
    if objects.as_ref().is_none_or(|objects| !objects.is_empty()) {
        told(Step::Counting(objects.as_ref().map(Vec::len)));
        let objects = objects.map(Arc::new);
        let engine = engine.clone().with_news(News { done: begun.done, objects, times: None });
        let stretches = stretches(&engine, limits.events_max).await?;
        let mut seen = BTreeSet::new();
        for stretch in &stretches {
            detected.events += stretch.events;
            for rule in rules() {
                let found = stretch
                    .window
                    .in_parts(async |window| judge(&engine, &rule, window).await, DetectError::is_of_memory);
                for found in found.await? {
                    detected.add(Finding::new(rule.clone(), found), &mut seen, limits);
                }
            }
            told(Step::Judged(*stretch, stretches.len()));
        }
    }
    leave_known(catalog, &mut detected).await?;
    let (batch, now) = (BatchId(uuid::Uuid::now_v7().simple().to_string()), clock());
    let files = write::write(lake, &batch, &detected.findings, now).await?;
    let tell = |finding: &Finding| Told { uid: finding.uid.clone(), rule: finding.rule.id.to_owned() };
    let told: Vec<Told> = detected.findings.iter().map(tell).collect();
    catalog.commit_detection(begun, (&batch, &files), &told, now).await?;
    Ok(detected)
}

/// Asks a rule what it finds among new events of a window, of an engine that knows which those are.
///
/// # Errors
/// The rule cannot be asked, or gives something else than findings.
pub async fn judge(engine: &Engine, rule: &Rule, window: Window) -> Result<Vec<Found>, DetectError> {
    let wrong = |source| DetectError::Rule { rule: rule.id, source };
    let times = (window.first.as_millisecond(), window.last.as_millisecond());
    let engine = &engine.clone().within(times);
    let mut rows = run(engine, rule.sql, &params(rule, window)).await.map_err(wrong)?;
    let mut found = Vec::new();
    while let Some(batch) = rows.next().await.map_err(wrong)? {
        for number in 0..batch.num_rows() {
            let one = Found::read(&finding::Row::new(&batch, number));
            found.push(one.ok_or(DetectError::Columns { rule: rule.id })?);
        }
    }
    Ok(found)
}

impl Detected {
    /// Adds what a rule found, unless it was found in an earlier stretch.
    fn add(&mut self, finding: Finding, seen: &mut BTreeSet<String>, limits: DetectLimits) {
        if !seen.insert(finding.uid.clone()) {
            return;
        }
        if self.findings.len() >= limits.findings_max {
            self.dropped += 1;
        } else {
            self.findings.push(finding);
        }
    }
}

/// The moments that a rule may name: it is given those that stand in it.
fn params(rule: &Rule, Window { first, last }: Window) -> Params {
    let moved = |time: Timestamp, by: Duration, forth: bool| {
        let moved = if forth { time.checked_add(by) } else { time.checked_sub(by) };
        moved.unwrap_or(time).to_string()
    };
    let values = [
        ("lookback_start", moved(first, rule.lookback, false)),
        ("near_start", moved(first, NEAR, false)),
        ("near_end", moved(last, NEAR, true)),
    ];
    let named = values.into_iter().filter(|(name, _)| rule.sql.contains(&format!("${name}")));
    named.fold(Params::default(), |params, (name, value)| params.with(name, &value))
}

/// Leaves out what was told before.
async fn leave_known(catalog: &Catalog, detected: &mut Detected) -> Result<(), DetectError> {
    let uids: Vec<String> = detected.findings.iter().map(|finding| finding.uid.clone()).collect();
    let told = catalog.told(&uids).await?;
    let before = detected.findings.len();
    detected.findings.retain(|finding| !told.contains(&finding.uid));
    detected.known = (before - detected.findings.len()) as u64;
    detected.findings.sort_by(|a, b| (a.found.first_seen, &a.uid).cmp(&(b.found.first_seen, &b.uid)));
    Ok(())
}
