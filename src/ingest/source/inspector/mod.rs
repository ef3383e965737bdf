//! Inspector findings: over EventBridge or as its API answers.
//!
//! A vulnerability in a package or in code is a Vulnerability Finding. An open port (`NETWORK_REACHABILITY`)
//! has neither a CVE nor a weakness, without one of which OCSF has no vulnerability, so it is a Detection
//! Finding. `finding_info.uid` is `findingArn`, which Security Hub passes on as it is.
//!
//! Not here: Inspector's findings in Security Hub's format (`security_hub`).

mod vulnerability;
mod reachability;
mod resource;

use crate::ingest::json::Item;
use crate::ingest::source::document::finding::{Finding, Severity, Status};
use crate::ingest::source::document::observables::add_observables;
use crate::ingest::source::document::place::of_arn;
use crate::ingest::source::document::record::{Mapped, Record};
use crate::ingest::source::document::take;
use crate::ingest::source::time::take_time;
use crate::lake::table::Table;
use crate::ocsf::event::Object;

/// Says whether a record is one of these.
pub fn recognizes(record: Record<'_>) -> bool {
    record.has(&["findingArn", "type", "severity"])
}

/// Makes an event of a record.
///
/// # Errors
/// Why it cannot be one.
pub fn normalize(record: Record<'_>) -> Result<Mapped, &'static str> {
    let body = record.body;
    let is_vulnerability = vulnerability::is_one(body);
    let table = if is_vulnerability { Table::Vulnerability } else { Table::Detection };
    let first = take_time(body, "firstObservedAt");
    let last = take_time(body, "lastObservedAt");
    let modified = take_time(body, "updatedAt");
    let finding = Finding {
        table,
        created: first,
        modified: modified.or(last),
        severity: severity(body),
        status: status(body),
    };
    let mut event = finding.event("Inspector");
    event.integer("finding_info.first_seen_time_dt", first);
    event.integer("finding_info.last_seen_time_dt", last);
    let arn = body.take_text("findingArn").ok_or("an Inspector finding without its ARN")?;
    let (region, account) = of_arn(&arn);
    event.text("finding_info.uid", Some(arn));
    set_texts(record, &mut event);
    if is_vulnerability {
        vulnerability::set(body, &mut event);
        resource::set_one(body, &mut event);
    } else {
        reachability::set(body, &mut event);
        resource::set_all(body, &mut event);
    }
    add_observables(&mut event);
    let account = take::account(record, body, "awsAccountId").or(account);
    let region = take::region(record, body, "region").or(region);
    Ok(Mapped { table, time: modified.or(last).or(first), account, region, event })
}

fn set_texts(record: Record<'_>, event: &mut Object) {
    let body = record.body;
    event.text("metadata.event_code", record.whole.take_text("detail-type"));
    let kind = body.take_text("type");
    event.text("finding_info.title", body.take_text("title").or_else(|| kind.clone()));
    event.text("finding_info.desc", body.take_text("description"));
    event.texts("finding_info.types", kind.map(|kind| kind.into_owned()).into_iter().collect());
}

fn severity(body: Item<'_>) -> Severity {
    match body.get("severity").and_then(Item::text).as_deref() {
        Some("INFORMATIONAL") => Severity::Informational,
        Some("LOW") => Severity::Low,
        Some("MEDIUM") => Severity::Medium,
        Some("HIGH") => Severity::High,
        Some("CRITICAL") => Severity::Critical,
        Some(_) => Severity::Other,
        None => Severity::Unknown,
    }
}

fn status(body: Item<'_>) -> Option<Status> {
    match body.get("status").and_then(Item::text).as_deref() {
        Some("ACTIVE") => Some(Status::New),
        Some("SUPPRESSED") => Some(Status::Suppressed),
        Some("CLOSED") => Some(Status::Resolved),
        _ => None,
    }
}
