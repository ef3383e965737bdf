//! Makes a Data Security Finding of a Macie finding.

use super::{bucket, data, policy};
use crate::ingest::json::{Item, Kind};
use crate::ingest::source::document::finding::{Finding, Severity, Status};
use crate::ingest::source::document::observables::add_observables;
use crate::ingest::source::document::record::{Mapped, Record};
use crate::ingest::source::document::take;
use crate::ingest::source::time::take_time;
use crate::lake::table::Table;
use crate::ocsf::event::Object;

/// Says whether a record is one of these.
pub fn recognizes(record: Record<'_>) -> bool {
    let is_object = |path| record.body.get(path).is_some_and(|value| value.kind() == Kind::Object);
    let has_kind = ["CLASSIFICATION", "POLICY"].into_iter().any(|kind| record.is("category", kind));
    is_object("resourcesAffected")
        && (has_kind || is_object("classificationDetails") || is_object("policyDetails"))
}

/// Makes an event of a record.
///
/// # Errors
/// Why it cannot be one.
pub fn normalize(record: Record<'_>) -> Result<Mapped, &'static str> {
    let finding = record.body;
    let (created, modified) = (take_time(finding, "createdAt"), take_time(finding, "updatedAt"));
    let is_archived = finding.get("archived").is_some_and(|archived| archived.json() == "true");
    let status = if is_archived { Status::Suppressed } else { Status::New };
    let frame = Finding {
        table: Table::DataSecurity,
        created,
        modified,
        severity: severity(finding),
        status: Some(status),
    };
    let mut event = frame.event("Macie");
    name(&mut event, record)?;
    let account = take::account(record, finding, "accountId");
    let region = take::region(record, finding, "region");
    bucket::add(&mut event, finding, (account.as_deref(), region.as_deref()));
    data::add(&mut event, finding);
    policy::add(&mut event, finding);
    add_observables(&mut event);
    let time = modified.or(created).or_else(|| take_time(record.whole, "time"));
    Ok(Mapped { table: Table::DataSecurity, time, account, region, event })
}

/// Macie's words are OCSF's, which tells them back.
fn severity(finding: Item<'_>) -> Severity {
    let Some(word) = finding.get("severity.description") else { return Severity::Unknown };
    let severity = match word.text().as_deref() {
        Some("Low") => Severity::Low,
        Some("Medium") => Severity::Medium,
        Some("High") => Severity::High,
        Some(_) => return Severity::Other,
        None => return Severity::Unknown,
    };
    word.take();
    severity
}

fn name(event: &mut Object, record: Record<'_>) -> Result<(), &'static str> {
    let finding = record.body;
    let id = take::text(finding, "id").ok_or("a Macie finding without an id")?;
    event.text("finding_info.uid", Some(id));
    let kind = take::text(finding, "type");
    let title = take::text(finding, "title").or_else(|| kind.clone());
    event.text("finding_info.title", Some(title.ok_or("a Macie finding without title and type")?));
    event.text("finding_info.desc", take::text(finding, "description"));
    event.texts("finding_info.types", kind.into_iter().map(Into::into).collect());
    event.integer("count", take::int(finding, "count"));
    event.text("metadata.log_version", take::text(finding, "schemaVersion"));
    event.text("metadata.event_code", take::text(record.whole, "detail-type"));
    Ok(())
}
