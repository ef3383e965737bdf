//! Decides which files an archive holds: where, when and how large.
//!
//! Takes an [`ArchiveSpec`], gives [`Delivery`]s in the order of time. CloudTrail delivers about every five minutes
//! where something happened, so a busy place has a file in most slots and a quiet one in few. Promises that the
//! sizes are skewed (most files near the smallest, few near the largest, those in busy places) and that there are
//! somewhat more files in office hours.
//!
//! Not here: what is in them (`activity`).

use super::organization::{BUILD, Organization, Place};
use super::spec::ArchiveSpec;
use super::text::civil;
use fastrand::Rng;

/// Seconds between two deliveries of a place.
pub(super) const SLOT_SECONDS: i64 = 300;

/// Records in a file of the build agents' place, when they are spread over many files.
const PART_RECORDS: u64 = 64;

/// One file to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Delivery {
    /// Which five minutes it covers, counted from the start.
    pub(super) slot: u32,
    /// Where.
    pub(super) place: Place,
    /// How many records it holds.
    pub(super) records: u64,
}

/// Returns how many slots an archive spans; at least one.
pub(super) fn slots(spec: &ArchiveSpec) -> u32 {
    spec.hours.max(1).saturating_mul(12)
}

/// Plans the files of an archive, in the order in which they are written.
pub(super) fn deliveries(spec: &ArchiveSpec, organization: &Organization, rng: &mut Rng) -> Vec<Delivery> {
    let places = organization.places();
    let mut running = Vec::with_capacity(places.len());
    let mut total = 0;
    for place in &places {
        total += organization.weight(*place);
        running.push((total, *place));
    }
    let mut plan = Vec::new();
    let mut left = spec.events;
    while left > 0 {
        let records = size(spec, rng).min(left);
        left -= records;
        let throws = [rng.u64(0..total.max(1)), rng.u64(0..total.max(1))];
        let places = throws.map(|throw| {
            let at = running.partition_point(|(upto, _)| *upto <= throw);
            running.get(at).map_or(Place { account: 0, region: 0 }, |(_, place)| *place)
        });
        let large = records > spec.records_per_file.0.saturating_mul(8);
        let [first, second] = places;
        // A large file lies in the busier of two places.
        let place =
            if large && organization.weight(second) > organization.weight(first) { second } else { first };
        // Where an incident is played out, the key that leaks has to be in use around the clock before.
        let parts =
            if spec.incident && place == organization.home(BUILD) { records / PART_RECORDS + 1 } else { 1 };
        for part in 0..parts {
            let records = records / parts + u64::from(part < records % parts);
            plan.push(Delivery { slot: slot(spec, rng), place, records });
        }
    }
    plan.sort_unstable();
    plan
}

/// Throws the size of one file: log-uniform, with the chance bent towards the small end.
fn size(spec: &ArchiveSpec, rng: &mut Rng) -> u64 {
    let least = spec.records_per_file.0.max(1);
    let most = spec.records_per_file.1.clamp(least, least.max(spec.events / 12));
    let range = whole(most) / whole(least);
    let bend = rng.f64().powi(if range > 1_000.0 { 4 } else { 2 });
    rounded(whole(least) * range.powf(bend)).clamp(least, most)
}

/// Throws the slot of one file; the hours of the office come up half again as often.
fn slot(spec: &ArchiveSpec, rng: &mut Rng) -> u32 {
    let slot = rng.u32(0..slots(spec));
    let second = spec.start.as_second() + i64::from(slot) * SLOT_SECONDS;
    let office = (7..18).contains(&civil(second).hour());
    if office || rng.u8(0..3) > 0 { slot } else { rng.u32(0..slots(spec)) }
}

#[expect(clippy::cast_precision_loss, reason = "a file holds far fewer than 2^52 records")]
fn whole(value: u64) -> f64 {
    value as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is positive, and a cast from a float saturates"
)]
fn rounded(value: f64) -> u64 {
    value.round() as u64
}
