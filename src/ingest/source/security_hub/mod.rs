//! Security Hub findings in the AWS Security Finding Format: over EventBridge, as its API answers, or in files.
//!
//! One finding is one event, of the class that `class` chooses: `frame` has what all have,
//! `compliance`, `vulnerability`, `resource` and `evidence` the rest. Promises:
//! - `finding_info.uid` is `Id`, which Security Hub keeps as the finding's own service gave it: an ARN of
//!   GuardDuty, Inspector or Macie. The same finding has one uid through its own export, here, and in OCSF. Of
//!   Access Analyzer it is the id in the address of the finding's page, since its `Id` is not one finding's alone. Of a rule of AWS Config it is the uid that `config` gives, where the finding tells the rule;
//! - `status` is the workflow's; a record that its product archived is `Archived`, unless somebody resolved or
//!   suppressed it: what is `New` is there now;
//! - what an action or a person set (`Custom Action`) is in the row beside the finding, in `unmapped`;
//! - `ProductFields` stay whole in `unmapped`, though columns are derived of them.
//!
//! `Insight Results` are counts of findings by some property, no findings: they are set aside.

mod class;
mod frame;
mod compliance;
mod vulnerability;
mod resource;
mod evidence;

use crate::ingest::json::Item;
use crate::ingest::source::document::observables::add_observables;
use crate::ingest::source::document::record::{Mapped, Record};
use crate::ingest::source::document::take;
use crate::lake::table::Table;

/// Says whether a record is one of these.
pub fn recognizes(record: Record<'_>) -> bool {
    record.has(&["ProductArn", "GeneratorId", "Id"]) || is_insight(record)
}

/// Makes an event of a record.
///
/// # Errors
/// Why it cannot be one.
pub fn normalize(record: Record<'_>) -> Result<Mapped, &'static str> {
    if is_insight(record) {
        return Err("results of a Security Hub insight: counts, no finding");
    }
    let body = record.body;
    if body.get("Id").and_then(Item::text).is_none_or(|id| id.is_empty()) {
        return Err("a Security Hub finding without its id");
    }
    let table = class::of(body);
    let (mut event, time) = frame::event(record, table);
    match table {
        Table::Vulnerability => {
            vulnerability::set(body, &mut event);
            resource::set_one(body, &mut event);
        }
        Table::Compliance => {
            compliance::set(body, &mut event);
            frame::remediation(body, &mut event);
            resource::set_one(body, &mut event);
        }
        _ => {
            frame::remediation(body, &mut event);
            resource::set_all(body, &mut event);
            evidence::set(body, &mut event);
        }
    }
    add_observables(&mut event);
    let account = take::account(record, body, "AwsAccountId");
    let region = take::region(record, body, "Region").or_else(|| frame::region(body));
    Ok(Mapped { table, time, account, region, event })
}

fn is_insight(record: Record<'_>) -> bool {
    record.detail_type().is_some_and(|kind| kind == "Security Hub Insight Results")
}
