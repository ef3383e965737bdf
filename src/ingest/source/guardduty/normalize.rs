//! Makes a Detection Finding of a GuardDuty finding.

use super::{action, attack, malware, process, resource, sequence};
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
    finding(record).is_some()
}

/// The finding of a record: its body, or what an envelope without `detail-type` holds, as rules that
/// rewrite messages leave it.
fn finding(record: Record<'_>) -> Option<Item<'_>> {
    [Some(record.body), record.body.get("detail")].into_iter().flatten().find(|item| is_finding(*item))
}

fn is_finding(item: Item<'_>) -> bool {
    let is_object = |path| item.get(path).is_some_and(|value| value.kind() == Kind::Object);
    let text = |path| item.get(path).and_then(Item::text).unwrap_or_default();
    let is_of_guardduty = text("service.serviceName") == "guardduty"
        || item.get("service.detectorId").is_some()
        || text("arn").contains(":guardduty:");
    is_object("service") && is_object("resource") && is_of_guardduty
}

/// Makes an event of a record.
///
/// # Errors
/// Why it cannot be one.
pub fn normalize(record: Record<'_>) -> Result<Mapped, &'static str> {
    let finding = finding(record).ok_or("no GuardDuty finding")?;
    let (created, modified) = (take_time(finding, "createdAt"), take_time(finding, "updatedAt"));
    let is_archived = finding.get("service.archived").is_some_and(|archived| archived.json() == "true");
    let status = if is_archived { Status::Suppressed } else { Status::New };
    let frame = Finding {
        table: Table::Detection,
        created,
        modified,
        severity: severity(finding),
        status: Some(status),
    };
    let mut event = frame.event("GuardDuty");
    name(&mut event, finding)?;
    let seen = seen(&mut event, finding);
    product(&mut event, record, finding);
    let account = take::account(record, finding, "accountId");
    let region = take::region(record, finding, "region");
    let owner = resource::Owner { account: account.as_deref(), region: region.as_deref(), finding };
    let mut resources = resource::resources(owner);
    resources.extend(sequence::resources(finding));
    event.objects("resources", resources);
    evidences(&mut event, owner);
    event.objects("finding_info.attacks", attack::attacks(finding));
    event.objects("finding_info.related_events", sequence::related_events(finding));
    add_observables(&mut event);
    let time = modified.or(created).or(seen).or_else(|| take_time(record.whole, "time"));
    Ok(Mapped { table: Table::Detection, time, account, region, event })
}

/// The number by which GuardDuty weighs a finding, 0.1 to 10, in the words it has for its ranges.
fn severity(finding: Item<'_>) -> Severity {
    let number = finding.get("severity").filter(|item| item.kind() == Kind::Number);
    match number.and_then(|number| number.json().parse::<f64>().ok()) {
        Some(number) if number >= 9.0 => Severity::Critical,
        Some(number) if number >= 7.0 => Severity::High,
        Some(number) if number >= 4.0 => Severity::Medium,
        Some(_) => Severity::Low,
        None => Severity::Unknown,
    }
}

fn name(event: &mut Object, finding: Item<'_>) -> Result<(), &'static str> {
    let arn = take::text(finding, "arn");
    let kept_id = finding.get("id").and_then(Item::text).filter(|id| !id.is_empty());
    event.text("finding_info.uid", Some(arn.or(kept_id).ok_or("a GuardDuty finding without arn and id")?));
    let kind = take::text(finding, "type");
    let title = take::text(finding, "title").or_else(|| kind.clone());
    event.text("finding_info.title", Some(title.ok_or("a GuardDuty finding without title and type")?));
    event.text("finding_info.desc", take::text(finding, "description"));
    event.texts("finding_info.types", kind.into_iter().map(Into::into).collect());
    Ok(())
}

/// When and how often it was seen. Returns when it was seen last.
fn seen(event: &mut Object, finding: Item<'_>) -> Option<i64> {
    let last = take_time(finding, "service.eventLastSeen");
    event.integer("finding_info.first_seen_time_dt", take_time(finding, "service.eventFirstSeen"));
    event.integer("finding_info.last_seen_time_dt", last);
    event.integer("count", take::int(finding, "service.count"));
    event.integer("confidence_score", take::int(finding, "confidence"));
    last
}

fn product(event: &mut Object, record: Record<'_>, finding: Item<'_>) {
    event.text("metadata.log_version", take::text(finding, "schemaVersion"));
    event.text("metadata.product.feature.uid", take::text(finding, "service.detectorId"));
    event.text("metadata.product.feature.name", take::text(finding, "service.featureName"));
    event.text("metadata.event_code", take::text(record.whole, "detail-type"));
}

fn evidences(event: &mut Object, owner: resource::Owner<'_>) {
    let mut evidences = action::evidences(owner);
    process::add(&mut evidences, owner.finding);
    evidences.extend(malware::evidences(owner.finding));
    evidences.extend(sequence::evidences(owner.finding));
    let has_euid = |evidence: &Object| {
        ["process.euid", "actor.process.euid"].iter().any(|path| evidence.get(path).is_some())
    };
    if evidences.iter().any(has_euid) {
        process::name_profile(event);
    }
    event.objects("evidences", evidences);
}
