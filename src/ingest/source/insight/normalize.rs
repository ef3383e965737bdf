//! Makes a Detection Finding of an Insights event.

use super::evidence;
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
    let is_insight = record.is("eventType", "AwsCloudTrailInsight") || record.is("eventCategory", "Insight");
    is_insight && record.body.get("insightDetails").is_some_and(|details| details.kind() == Kind::Object)
}

/// Makes an event of a record.
///
/// # Errors
/// Why it cannot be one.
pub fn normalize(record: Record<'_>) -> Result<Mapped, &'static str> {
    let body = record.body;
    let details = body.get("insightDetails").ok_or("an Insights event without insightDetails")?;
    let time = take_time(body, "eventTime");
    let state = details.get("state").and_then(Item::text);
    let (created, status) = match state.as_deref() {
        Some("Start") => (time, Some(Status::New)),
        Some("End") => (None, Some(Status::Resolved)),
        _ => (None, None),
    };
    let frame =
        Finding { table: Table::Detection, created, modified: time, severity: Severity::Unknown, status };
    let mut event = frame.event("CloudTrail");
    name(&mut event, body)?;
    describe(&mut event, details);
    event.integer("finding_info.first_seen_time_dt", created);
    event.integer("finding_info.last_seen_time_dt", time);
    event.text("metadata.event_code", take::text(body, "eventType"));
    event.text("metadata.product.version", take::text(body, "eventVersion"));
    event.text("metadata.product.feature.name", take::text(body, "eventCategory"));
    event.objects("evidences", evidence::evidences(details));
    add_observables(&mut event);
    let account = take::account(record, body, "recipientAccountId");
    let region = take::region(record, body, "awsRegion");
    Ok(Mapped { table: Table::Detection, time, account, region, event })
}

/// The event has a name of its own, and shares another with the one that starts or ends the same.
fn name(event: &mut Object, body: Item<'_>) -> Result<(), &'static str> {
    let id = take::text(body, "eventID");
    let shared = take::text(body, "sharedEventID").or_else(|| id.clone());
    event
        .text("finding_info.uid", Some(shared.ok_or("an Insights event without sharedEventID and eventID")?));
    event.text("metadata.uid", id);
    Ok(())
}

fn describe(event: &mut Object, details: Item<'_>) {
    let text = |name| details.get(name).and_then(Item::text).filter(|text| !text.is_empty());
    let call = text("eventName").unwrap_or("unnamed".into());
    let service = text("eventSource").unwrap_or("an unnamed service".into());
    let kind = take::text(details, "insightType");
    let (title, unit) = match (kind.as_deref(), text("errorCode")) {
        (Some("ApiErrorRateInsight"), Some(error)) => {
            (format!("Unusual rate of {error} errors of {call} calls"), "errors")
        }
        (Some("ApiErrorRateInsight"), None) => (format!("Unusual rate of errors of {call} calls"), "errors"),
        _ => (format!("Unusual rate of {call} calls"), "calls"),
    };
    event.constant("finding_info.title", &title);
    let average = |path| details.get(path).filter(|item| item.kind() == Kind::Number).map(Item::json);
    let seen = average("insightContext.statistics.insight.average");
    let usual = average("insightContext.statistics.baseline.average");
    if let (Some(seen), Some(usual)) = (seen, usual) {
        let desc =
            format!("{call} of {service}: {seen} {unit} a minute on average, where {usual} are usual.");
        event.constant("finding_info.desc", &desc);
    }
    if let Some(kind) = kind {
        event.constant("finding_info.analytic.name", &kind);
        event.constant("finding_info.analytic.type", "Statistical");
        event.integer("finding_info.analytic.type_id", 3);
        event.texts("finding_info.types", vec![kind.into_owned()]);
    }
}
