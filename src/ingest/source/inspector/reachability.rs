//! A port that can be reached from elsewhere.

use std::borrow::Cow;

use crate::ingest::json::Item;
use crate::ocsf::event::Object;

/// Sets `evidences`: the interface and the port that are open, and the way to them; and how to mend it.
pub(super) fn set(body: Item<'_>, event: &mut Object) {
    if let Some(text) = body.take_text("remediation.recommendation.text") {
        event.text("remediation.desc", Some(text));
        let url = body.take_text("remediation.recommendation.Url").map(Cow::into_owned);
        event.texts("remediation.references", url.into_iter().collect());
    }
    let Some(details) = body.get("networkReachabilityDetails") else { return };
    let mut evidence = Object::default();
    set_target(details, &mut evidence);
    let protocol = details.get("protocol").and_then(Item::text);
    if protocol.is_some() {
        // Inspector looks at ways in.
        evidence.integer("connection_info.direction_id", 1);
        evidence.constant("connection_info.direction", "Inbound");
        evidence.text("connection_info.protocol_name", details.take_text("protocol"));
    }
    evidence.text("data", body.take_json("networkReachabilityDetails"));
    event.objects("evidences", vec![evidence]);
}

/// An interface at the end of the way, and the port, if one alone is open. A range stays in `data`.
fn set_target(details: Item<'_>, evidence: &mut Object) {
    let steps = details.get("networkPath.steps").into_iter().flat_map(Item::elements);
    let component = |step: Item<'_>| step.get("componentId").and_then(Item::text).map(Cow::into_owned);
    let parts: Vec<String> = steps.filter_map(component).collect();
    for (path, prefix) in [("dst_endpoint.interface_uid", "eni-"), ("dst_endpoint.instance_uid", "i-")] {
        let found = parts.iter().rfind(|part| part.starts_with(prefix));
        evidence.text(path, found.map(|part| Cow::Borrowed(part.as_str())));
    }
    let port = |path: &str| details.get(path)?.json().parse::<u16>().ok();
    let range = (port("openPortRange.begin"), port("openPortRange.end"));
    if evidence.get("dst_endpoint").is_some() && range.0 == range.1 {
        evidence.integer("dst_endpoint.port", range.0.map(i64::from));
    }
}
