//! What was found: the kind of sensitive data.

use crate::ingest::json::Item;
use crate::ingest::source::document::take;
use crate::ocsf::event::Object;

/// Macie's categories in OCSF's words. Where an object has several, the first of these counts.
const CATEGORIES: [(&str, i64, &str); 4] = [
    ("CREDENTIALS", 6, "Security"),
    ("FINANCIAL_INFORMATION", 3, "Financial"),
    ("PERSONAL_INFORMATION", 1, "Personal"),
    ("CUSTOM_IDENTIFIER", 99, "CUSTOM_IDENTIFIER"),
];

/// Adds the kind of data and how it was found. All that was counted stays as it is.
pub(super) fn add(event: &mut Object, finding: Item<'_>) {
    let Some(details) =
        finding.get("classificationDetails").filter(|details| details.children().next().is_some())
    else {
        return detected_by(event, 12, "Data Security Posture Management");
    };
    detected_by(event, 4, "Data Discovery & Classification");
    event.text("metadata.product.feature.uid", take::text(details, "jobArn"));
    event.text("metadata.product.feature.name", take::text(details, "originType"));
    let sensitive: Vec<Item<'_>> =
        details.get("result.sensitiveData").into_iter().flat_map(Item::elements).collect();
    let custom: Vec<Item<'_>> =
        details.get("result.customDataIdentifiers.detections").into_iter().flat_map(Item::elements).collect();
    let has = |category: &str| {
        sensitive.iter().any(|item| take::filled(*item, "category").as_deref() == Some(category))
            || (category == "CUSTOM_IDENTIFIER" && !custom.is_empty())
    };
    if let Some((_, id, caption)) = CATEGORIES.into_iter().find(|(category, _, _)| has(category)) {
        event.integer("data_security.category_id", id);
        event.constant("data_security.category", caption);
    }
    let types = sensitive.iter().flat_map(|item| item.get("detections")).flat_map(Item::elements);
    let types = types.filter_map(|detection| take::filled(detection, "type"));
    let names = custom.iter().filter_map(|detection| take::filled(*detection, "name"));
    let all: Vec<_> = types.chain(names).collect();
    if !all.is_empty() {
        event.constant("data_security.detection_pattern", &all.join(", "));
    }
}

/// Data in buckets rests.
fn detected_by(event: &mut Object, id: i64, caption: &str) {
    event.integer("data_security.detection_system_id", id);
    event.constant("data_security.detection_system", caption);
    event.integer("data_security.data_lifecycle_state_id", 1);
    event.constant("data_security.data_lifecycle_state", "Data at-Rest");
}
