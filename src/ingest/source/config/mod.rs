//! AWS Config: compliance with rules, and configuration items.
//!
//! A result of a rule (`compliance`) is a Compliance Finding; a state of a resource (`item`) is a row of
//! `configuration-item`, which is no OCSF class. Either comes in many wrappings: delivered files, EventBridge,
//! SNS with its message as an object or as text, API answers, and events that invoke a rule. Promises:
//! - `finding_info.uid` is one for a rule and a resource: the rule's ARN (its name, where an API answer does not
//!   tell the ARN), the type, and the id. Security Hub's copy of a finding has the same uid where the
//!   resource goes by one id in both;
//! - a message that is text within text is read for its columns and stays whole in `unmapped`.
//!
//! Notices that tell of a delivery or an evaluation, not of a state, are set aside.

mod compliance;
mod item;
mod message;
mod uid;

pub use uid::finding_uid;

use crate::ingest::source::document::record::{Mapped, Record};

/// Says whether a record is one of these.
pub fn recognizes(record: Record<'_>) -> bool {
    item::is_one(record.body)
        || compliance::is_one(record.body)
        || message::is_one(record.body)
        || record.detail_type().is_some_and(|kind| kind.starts_with("Config "))
}

/// Makes an event of a record.
///
/// # Errors
/// Why it cannot be one.
pub fn normalize(record: Record<'_>) -> Result<Mapped, &'static str> {
    let mut mapped = message::open(record.body, |body| {
        if compliance::is_one(body) {
            return compliance::normalize(record, body);
        }
        if item::is_one(body) {
            return item::normalize(record, body);
        }
        Err("a notice of AWS Config that tells no state")
    })?;
    if mapped.table.class().is_some() {
        mapped.event.text("metadata.event_code", record.whole.take_text("detail-type"));
    }
    Ok(mapped)
}
