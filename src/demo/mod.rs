//! Writes a realistic CloudTrail archive of an organization that does not exist.
//!
//! Takes an [`ArchiveSpec`], gives a folder laid out like the bucket of an organization trail, and an
//! [`ArchiveSummary`] of what is in it. It serves the demo, where a stolen key is to be followed through two
//! accounts, and the benches, which need an archive of true shape and any size. Promises:
//! - equal specs give byte-identical archives;
//! - memory does not grow with the archive, only with its largest file;
//! - sessions chain as in life: temporary keys appear in the record that issued them;
//! - nothing in it exists: invented accounts, documentation addresses, keys that never were.
//!
//! [`write_companions`] adds what other services saw of the same days: flow logs and findings, which agree with
//! the incident in every address, key, instance and time.
//!
//! Not here: reading any of it back.
//!
//! ```text
//! spec → plan: which files ─┐
//!        activity: who acts ┼→ issue: credentials, scribe: calls → record: JSON → archive: gzip files
//!        incident: the leak ┘
//! companions → network: flow logs, alarm: findings → archive
//! ```

mod spec;
mod error;
mod plan;
mod organization;
mod resource;
mod inventory;
mod actor;
mod call;
mod activity;
mod incident;
mod issue;
mod sign_in;
mod grant;
mod scribe;
mod session;
mod template;
mod identifier;
mod record;
mod text;
mod chance;
mod archive;
mod network;
mod story;
mod posture;
mod alarm;
mod companions;

pub use companions::write_companions;
pub use error::DemoError;
pub use spec::{ArchiveSpec, ArchiveSummary, CompanionSummary, IncidentFacts};

use activity::World;
use archive::Vault;
use fastrand::Rng;
use issue::Desk;
use organization::{Organization, Place};
use plan::SLOT_SECONDS;
use std::path::Path;

/// After how many slots a place that is owed records gets a file for them alone: CloudTrail, too, takes up to a
/// quarter of an hour.
const SLOTS_OWED: u32 = 3;

/// Writes an archive below `root` and calls `on_object` after every file.
///
/// # Errors
///
/// Fails if a file cannot be packed or written; what was written until then stays.
pub fn write_archive(
    root: &Path,
    spec: &ArchiveSpec,
    mut on_object: impl FnMut(&ArchiveSummary),
) -> Result<ArchiveSummary, DemoError> {
    let mut chance = Rng::with_seed(spec.seed);
    let organization = Organization::new(spec, &mut chance);
    let mut vault = Vault::new(root, &organization, chance.fork());
    let plan = plan::deliveries(spec, &organization, &mut chance);
    let start = spec.start.as_second();
    let mut world = World::new(Desk::new(organization, chance.fork(), start))?;
    let mut script = incident::play(spec, &mut world, &mut vault.summary).into_iter().peekable();
    let mut plain = Vec::new();
    let mut deliveries = plan.into_iter().peekable();
    // Records written beside the plan are taken off later files, so that the archive keeps its size.
    let mut surplus = 0;
    for slot in 0..plan::slots(spec) {
        let from = start + i64::from(slot) * SLOT_SECONDS;
        let delivered = from + SLOT_SECONDS;
        while let Some((_, owed)) = script.next_if(|(second, _)| *second < delivered) {
            world.owe(owed);
        }
        while let Some(delivery) = deliveries.next_if(|delivery| delivery.slot == slot) {
            let spared = surplus.min(delivery.records / 2);
            Vault::start(&mut plain);
            let wanted = delivery.records - spared;
            let written = world.act(delivery.place, (from, SLOT_SECONDS), wanted, &mut plain);
            surplus = surplus - spared + written.saturating_sub(wanted);
            vault.deliver(world.organization(), (delivery.place, delivered), (&mut plain, written))?;
            on_object(&vault.summary);
        }
        let last = slot + 1 == plan::slots(spec);
        let creditors = if last || slot % SLOTS_OWED == 0 { world.creditors() } else { Vec::new() };
        for place in creditors {
            surplus += pay(&mut world, &mut vault, (place, delivered), &mut plain)?;
            on_object(&vault.summary);
        }
    }
    Ok(vault.summary)
}

/// Writes a file of nothing but what a place is owed, and returns how many records that were.
fn pay(
    world: &mut World,
    vault: &mut Vault,
    (place, delivered): (Place, i64),
    plain: &mut Vec<u8>,
) -> Result<u64, DemoError> {
    Vault::start(plain);
    let records = world.pay(place, plain);
    vault.deliver(world.organization(), (place, delivered), (plain, records))?;
    Ok(records)
}

#[cfg(test)]
mod tests;
