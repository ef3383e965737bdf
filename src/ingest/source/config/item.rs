//! The state of a resource as AWS Config recorded it.
//!
//! `configuration` is JSON text in the row, whether it was an object or text already. What is null or has no
//! members is null in the row.

use std::borrow::Cow;

use crate::ingest::json::{Item, Kind};
use crate::ingest::source::document::labels::take_labels;
use crate::ingest::source::document::place::of_arn;
use crate::ingest::source::document::record::{Mapped, Record};
use crate::ingest::source::document::take;
use crate::ingest::source::document::vulnerability::each;
use crate::ingest::source::time::take_time;
use crate::lake::table::Table;
use crate::ocsf::event::Object;

/// Columns of one text, and what AWS calls it: differently in files, messages and answers.
const TEXTS: [(&str, [&str; 2]); 7] = [
    ("resource.type", ["resourceType", "resourceType"]),
    ("resource.name", ["resourceName", "resourceName"]),
    ("cloud.zone", ["availabilityZone", "availibilityZone"]),
    ("status", ["configurationItemStatus", "configurationItemStatus"]),
    ("version", ["configurationItemVersion", "version"]),
    ("state_uid", ["configurationStateId", "configurationStateId"]),
    ("resource.uid_alt", ["resourceId", "resourceId"]),
];

/// Members of which columns tell back that they are empty.
const MAY_BE_EMPTY: [&str; 9] = [
    "resourceName",
    "availabilityZone",
    "ARN",
    "resourceCreationTime",
    "relatedEvents",
    "relationships",
    "tags",
    "configuration",
    "supplementaryConfiguration",
];

/// Says whether a body is a configuration item, or holds one.
pub(super) fn is_one(body: Item<'_>) -> bool {
    within(body).get("configurationItemCaptureTime").is_some()
}

/// Makes a row of a configuration item.
///
/// # Errors
/// It names no resource.
pub(super) fn normalize(record: Record<'_>, body: Item<'_>) -> Result<Mapped, &'static str> {
    let item = within(body);
    if item.get("resourceId").or_else(|| item.get("ARN")).and_then(Item::text).is_none() {
        return Err("a configuration item of no resource");
    }
    let mut row = Object::default();
    row.constant("cloud.provider", "AWS");
    let arn = item.take_text("ARN");
    let place = arn.as_deref().map(of_arn).unwrap_or_default();
    row.text("resource.uid", arn.or_else(|| item.get("resourceId").and_then(Item::text)));
    for (column, names) in TEXTS {
        row.text(column, names.into_iter().find_map(|name| text(item, name)));
    }
    row.integer("resource.created_time_dt", take_time(item, "resourceCreationTime"));
    row.texts("resource.labels", take_labels(item, "tags"));
    row.texts("related_events", item.take_texts("relatedEvents"));
    row.objects("relationships", each(item, "relationships", relationship));
    row.text("configuration", json(item, "configuration"));
    row.text("supplementary_configuration", json(item, "supplementaryConfiguration"));
    let diff = body.get("configurationItemDiff").unwrap_or(item);
    row.text("change_type", diff.take_text("changeType"));
    row.text("changes", json(diff, "changedProperties"));
    for name in MAY_BE_EMPTY {
        take_empty(item, name);
    }
    take_empty(body, "configurationItemDiff");
    let time = take_time(item, "configurationItemCaptureTime");
    let named = if item.get("awsAccountId").is_some() { "awsAccountId" } else { "accountId" };
    let account = take::account(record, item, named);
    let region = take::region(record, item, "awsRegion").or(place.0);
    Ok(Mapped { table: Table::ConfigurationItem, time, account: account.or(place.1), region, event: row })
}

/// Finds the item in a message: one, or a list of one, or a summary of what was too large.
fn within(body: Item<'_>) -> Item<'_> {
    let found = ["configurationItem", "configurationItemSummary"].into_iter().find_map(|name| {
        let item = body.member(name)?;
        match item.kind() {
            Kind::Object => Some(item),
            Kind::Array => item.elements().next(),
            _ => None,
        }
    });
    found.unwrap_or(body)
}

/// Takes a text, or a number as text: ids of states are either.
fn text<'d>(item: Item<'d>, name: &str) -> Option<Cow<'d, str>> {
    let found = item.get(name)?;
    if found.kind() != Kind::Number {
        return item.take_text(name);
    }
    found.take();
    Some(Cow::Borrowed(found.json()))
}

/// Takes a value as JSON text; what is text already is taken for JSON, which it is.
fn json<'d>(item: Item<'d>, name: &str) -> Option<Cow<'d, str>> {
    let found = item.get(name).filter(|found| !is_empty(*found))?;
    match found.text() {
        Some(text) => {
            found.take();
            Some(text)
        }
        None => item.take_json(name),
    }
}

fn relationship(item: Item<'_>) -> Object {
    let mut relationship = Object::default();
    for (column, names) in [
        ("name", ["relationshipName", "name"]),
        ("type", ["resourceType", "resourceType"]),
        ("uid", ["resourceId", "resourceId"]),
        ("resource_name", ["resourceName", "resourceName"]),
    ] {
        relationship.text(column, names.into_iter().find_map(|name| item.take_text(name)));
    }
    if !relationship.is_empty() {
        take_empty(item, "resourceId");
        take_empty(item, "resourceName");
    }
    relationship
}

fn take_empty(item: Item<'_>, name: &str) {
    if let Some(found) = item.get(name).filter(|found| is_empty(*found)) {
        found.take();
    }
}

fn is_empty(item: Item<'_>) -> bool {
    match item.kind() {
        Kind::Null => true,
        Kind::Object | Kind::Array => item.children().next().is_none(),
        _ => false,
    }
}
