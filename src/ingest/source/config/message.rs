//! Opens what messages of AWS Config are wrapped in.

use crate::ingest::json::{Document, Item, Kind};
use crate::ingest::source::document::record::Mapped;

/// Messages within a message, which may be text.
const PARTS: [&str; 2] = ["invokingEvent", "Message"];

/// What messages of AWS Config have, and others with a type hardly have.
const OF_MESSAGES: [&str; 6] = [
    "configRuleName",
    "configurationItem",
    "configurationItemSummary",
    "configSnapshotId",
    "s3ObjectKey",
    "notificationCreationTime",
];

/// Says whether a body wraps a message of AWS Config, or is one.
pub(super) fn is_one(body: Item<'_>) -> bool {
    if body.member("messageType").is_some_and(|kind| kind.text().is_some()) {
        return OF_MESSAGES.into_iter().any(|name| body.member(name).is_some());
    }
    inner(body).is_some_and(|part| match part.kind() {
        Kind::Object => is_one(part),
        _ => part.text().is_some_and(|text| text.contains("\"messageType\"")),
    })
}

/// Gives the innermost message to `normalize`.
///
/// # Errors
/// Those of `normalize`, or the text in a message is no JSON.
pub(super) fn open(
    body: Item<'_>,
    normalize: impl Fn(Item<'_>) -> Result<Mapped, &'static str>,
) -> Result<Mapped, &'static str> {
    let Some(part) = inner(body) else { return normalize(body) };
    if part.kind() == Kind::Object {
        return normalize(part);
    }
    let text = part.text().ok_or("a message that is no text")?;
    // A number is known to end only by what follows it, so the text goes on behind the document.
    let text = format!("{text}\n");
    let document = Document::read(&text, 0).map_err(|_stop| "a message of AWS Config that is no JSON")?;
    normalize(document.root())
}

fn inner(body: Item<'_>) -> Option<Item<'_>> {
    PARTS.into_iter().find_map(|name| body.member(name))
}
