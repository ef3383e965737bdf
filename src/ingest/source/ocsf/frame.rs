//! What OCSF demands of an event, from what is there.

use std::borrow::Cow;

use super::class::is_finding;
use super::rules::{OTHER, OUTCOMES, SEVERITIES, STATES, caption, is_string};
use crate::ingest::json::Item;
use crate::ingest::source::document::record::Record;
use crate::ingest::source::time::{take_time, time_of};
use crate::lake::table::Table;
use crate::ocsf::class::Class;
use crate::ocsf::event::{Object, Value};

/// What stands where a source does not say.
const UNKNOWN: &str = "unknown";

/// Returns when an event happened. Some findings say only when they changed, or nothing but their envelope.
pub(super) fn time(record: Record<'_>, event: &Object) -> Option<i64> {
    let of_event = |path: &str| match event.get(path) {
        Some(Value::Integer(time)) => Some(*time),
        _ => None,
    };
    let time = take_time(record.body, "time");
    let written = record.body.get("time_dt").and_then(|item| Some((item, time_of(item)?)));
    if let Some((item, (written, true))) = written
        && time.is_none_or(|time| time == written)
    {
        item.take();
    }
    let time = time.or(written.map(|(_, (time, _))| time));
    let changed = ["finding_info.modified_time_dt", "finding_info.created_time_dt"];
    time.or_else(|| changed.into_iter().find_map(of_event))
        .or_else(|| record.whole.get("time").and_then(time_of).map(|(time, _)| time))
}

/// Fills what is demanded.
///
/// # Errors
/// The event has too little in it.
pub(super) fn complete(record: Record<'_>, table: Table, event: &mut Object) -> Result<(), &'static str> {
    let body = record.body;
    let class = table.class().unwrap_or(Class::DetectionFinding);
    set_class(body, class, event);
    set_severity(body, event);
    if has_column(table, "status_id") {
        set_status(body, if is_finding(table) { STATES } else { OUTCOMES }, event);
    }
    set_metadata(record, table, class, event);
    if is_finding(table) {
        set_finding(body, event)?;
    }
    match table {
        Table::Compliance => set_compliance(body, event),
        Table::OcsfApiActivity => {
            event.get("api.operation").ok_or("an OCSF API activity without its operation")?;
            if event.get("actor").is_none() {
                event.constant("actor.user.name", UNKNOWN);
            }
            set_endpoint(body, "src_endpoint", event, Some(UNKNOWN));
            set_endpoint(body, "dst_endpoint", event, None);
        }
        Table::OcsfAccountChange => {
            event.get("user").ok_or("an OCSF account change without the user")?;
            set_endpoint(body, "src_endpoint", event, None);
        }
        Table::OcsfAuthentication => {
            event.get("user").ok_or("an OCSF authentication without the user")?;
            set_endpoint(body, "src_endpoint", event, None);
            set_endpoint(body, "dst_endpoint", event, None);
            if event.get("service").is_none() && event.get("dst_endpoint").is_none() {
                event.constant("service.name", UNKNOWN);
            }
        }
        Table::OcsfNetwork => set_network(body, event),
        _ => {}
    }
    set_profiles(table, event);
    Ok(())
}

fn set_class(body: Item<'_>, class: Class, event: &mut Object) {
    let id = integer(body, "activity_id").and_then(|id| i32::try_from(id).ok());
    let known = id.filter(|id| class.activity(*id).is_some());
    let name = word(body, "activity_name");
    // 99 is what OCSF has for an activity of another name.
    event.class(
        class,
        known.unwrap_or(if id.is_some() { 99 } else { 0 }),
        name.as_deref().unwrap_or("Other"),
    );
}

fn set_severity(body: Item<'_>, event: &mut Object) {
    let id = integer(body, "severity_id");
    let word = word(body, "severity");
    let (id, known) = match id.and_then(|id| Some((id, caption(SEVERITIES, id)?))) {
        Some((id, known)) => (id, Cow::Borrowed(known)),
        None if word.is_some() || id.is_some() => (OTHER, word.unwrap_or(Cow::Borrowed("Other"))),
        None => (0, Cow::Borrowed("Unknown")),
    };
    event.integer("severity_id", id);
    event.text("severity", Some(known));
}

/// Sets the status. A number that our version does not know is another, and keeps its word.
fn set_status(body: Item<'_>, captions: &'static [&'static str], event: &mut Object) {
    let id = integer(body, "status_id");
    let known = id.and_then(|id| caption(captions, id)).map(Cow::Borrowed);
    event.integer("status_id", id.map(|id| if known.is_some() { id } else { OTHER }));
    event.text("status", known.or_else(|| word(body, "status")));
}

fn set_metadata(record: Record<'_>, table: Table, class: Class, event: &mut Object) {
    event.constant("metadata.version", class.version());
    if event.get("metadata.event_code").is_none() && has_column(table, "metadata.event_code") {
        event.text("metadata.event_code", record.whole.take_text("detail-type"));
    }
    if event.get("metadata.product.name").is_none() && event.get("metadata.product.uid").is_none() {
        event.constant("metadata.product.name", UNKNOWN);
    }
    if event.get("metadata.product.vendor_name").is_none() {
        event.constant("metadata.product.vendor_name", UNKNOWN);
    }
}

/// Says whether a table has a column.
fn has_column(table: Table, path: &str) -> bool {
    table.schema().leaves.iter().any(|leaf| leaf.path == path)
}

fn set_finding(body: Item<'_>, event: &mut Object) -> Result<(), &'static str> {
    if event.get("finding_info.uid").is_none() {
        let uid = word(body, "metadata.uid");
        event.text("finding_info.uid", Some(uid.ok_or("an OCSF finding without an id")?));
    }
    if event.get("finding_info.title").is_none() {
        let texts = ["finding_info.types", "message"];
        let text = texts.into_iter().find_map(|path| match event.get(path) {
            Some(Value::Text(text)) => Some(text.clone()),
            Some(Value::List(values)) => match values.first() {
                Some(Value::Text(text)) => Some(text.clone()),
                _ => None,
            },
            _ => None,
        });
        event.constant("finding_info.title", text.as_deref().unwrap_or("untitled"));
    }
    // Findings of a cloud's services, all that come here so far.
    if event.get("cloud.provider").is_none() {
        event.constant("cloud.provider", UNKNOWN);
    }
    Ok(())
}

/// Sets the verdict in the words of the native table, and a standard, which 1.1.0 wants.
fn set_compliance(body: Item<'_>, event: &mut Object) {
    let verdict = word(body, "compliance.status");
    let native = match verdict.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("pass") => Some(Cow::Borrowed("PASSED")),
        Some("fail") => Some(Cow::Borrowed("FAILED")),
        Some("warning") => Some(Cow::Borrowed("WARNING")),
        _ => None,
    };
    event.text("compliance.status", native.or(verdict));
    if event.get("compliance.standards").is_none() {
        let product = match event.get("metadata.product.name") {
            Some(Value::Text(name)) => name.clone(),
            _ => UNKNOWN.to_owned(),
        };
        event.texts("compliance.standards", vec![product]);
    }
}

/// Sets an endpoint of which our version or our columns do not know the name it goes by.
fn set_endpoint(body: Item<'_>, endpoint: &str, event: &mut Object, unnamed: Option<&str>) {
    if event.get(endpoint).is_some() {
        return;
    }
    let names = ["hostname", "domain", "name"];
    let name = names.into_iter().find_map(|name| word(body.get(endpoint)?, name));
    if let Some(name) = name.as_deref().or(unnamed) {
        let path = if endpoint == "src_endpoint" { "src_endpoint.svc_name" } else { "dst_endpoint.svc_name" };
        event.constant(path, name);
    }
}

fn set_network(body: Item<'_>, event: &mut Object) {
    set_endpoint(body, "src_endpoint", event, Some(UNKNOWN));
    set_endpoint(body, "dst_endpoint", event, Some(UNKNOWN));
    let controls = ["action", "disposition", "disposition_id"];
    if event.get("action_id").is_none() && controls.iter().any(|name| event.get(name).is_some()) {
        event.integer("action_id", 0);
    }
}

/// Sets the profiles of which the event has attributes.
fn set_profiles(table: Table, event: &mut Object) {
    let mut profiles = vec!["datetime".to_owned()];
    if event.get("cloud").is_some() {
        profiles.insert(0, "cloud".to_owned());
        if event.get("cloud.provider").is_none() {
            event.constant("cloud.provider", UNKNOWN);
        }
    }
    if table == Table::OcsfNetwork && event.get("action_id").is_some() {
        profiles.push("security_control".to_owned());
    }
    event.texts("metadata.profiles", profiles);
}

fn word<'d>(body: Item<'d>, path: &str) -> Option<Cow<'d, str>> {
    body.get(path)?.text().filter(|text| is_string(text))
}

fn integer(body: Item<'_>, path: &str) -> Option<i64> {
    body.get(path)?.json().parse().ok()
}
