//! Which calls are unusual, and who made them.

use crate::ingest::json::{Item, compact};
use crate::ingest::source::document::take;
use crate::ocsf::event::Object;

/// Returns the evidences: first the calls with all statistics, then the identities and errors that they are put
/// down to, each with its part of them.
pub(super) fn evidences(details: Item<'_>) -> Vec<Object> {
    let calls = calls(details);
    let context = details.get("insightContext");
    let mut all = Vec::new();
    for attribution in
        context.and_then(|context| context.get("attributions")).into_iter().flat_map(Item::elements)
    {
        let kind = attribution.get("attribute").and_then(Item::text).unwrap_or_default();
        for part in attribution.get("insight").into_iter().flat_map(Item::elements) {
            all.extend(attributed(&calls, &kind, part));
        }
    }
    let mut first = calls;
    first.text("data", context.map(take::json));
    all.insert(0, first);
    all
}

fn calls(details: Item<'_>) -> Object {
    let mut calls = Object::default();
    if let Some(operation) = take::text(details, "eventName") {
        calls.text("api.operation", Some(operation));
        calls.text("api.service.name", take::text(details, "eventSource"));
        calls.text("api.response.error", take::text(details, "errorCode"));
    }
    calls
}

/// The evidence of one value the calls are put down to, if it is of a kind that has a column. The word for no error
/// is the text `null`.
fn attributed(calls: &Object, kind: &str, part: Item<'_>) -> Option<Object> {
    let value = part.get("value").and_then(Item::text).filter(|value| !value.is_empty())?;
    let mut evidence = calls.clone();
    match kind {
        "userIdentityArn" => evidence.text("actor.user.uid", Some(value)),
        "errorCode" if value != "null" && evidence.get("api.operation").is_some() => {
            evidence.text("api.response.error", Some(value));
        }
        _ => return None,
    }
    evidence.text("data", Some(compact(part.json())));
    Some(evidence)
}
