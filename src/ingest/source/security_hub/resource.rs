//! The resources a finding is about.

use std::borrow::Cow;

use super::frame::product_field;
use crate::ingest::json::{Item, Kind};
use crate::ingest::source::document::labels::take_labels;
use crate::ocsf::event::{Object, Value};

/// Sets the first resource, where the class has room for one. The others stay where they are.
pub(super) fn set_one(body: Item<'_>, event: &mut Object) {
    let first = body.get("Resources").into_iter().flat_map(Item::elements).map(|item| read(body, item));
    if let Some(resource) = first.into_iter().find(|resource| !resource.is_empty()) {
        event.set("resource", Value::Object(resource));
    }
}

/// Sets all resources.
pub(super) fn set_all(body: Item<'_>, event: &mut Object) {
    let items = body.get("Resources").into_iter().flat_map(Item::elements);
    let mut resources: Vec<Object> = items.map(|item| read(body, item)).collect();
    resources.retain(|resource| !resource.is_empty());
    let owner = product_field(body, "ResourceOwnerAccount").map(Cow::into_owned);
    for resource in &mut resources {
        resource.text("owner.account.uid", owner.as_deref().map(Cow::Borrowed));
    }
    event.objects("resources", resources);
}

/// Reads a resource. One without an id is none to OCSF.
fn read(body: Item<'_>, item: Item<'_>) -> Object {
    let mut resource = Object::default();
    let Some(uid) = item.take_text("Id") else { return resource };
    resource.text("uid", Some(uid));
    resource.text("type", item.take_text("Type"));
    resource.text("cloud_partition", item.take_text("Partition"));
    resource.text("region", item.take_text("Region"));
    resource.texts("labels", take_labels(item, "Tags"));
    resource.text("data", item.take_json("Details"));
    let criticality = body.get("Criticality").filter(|value| value.kind() == Kind::Number);
    if let Some(value) = criticality {
        value.take();
        resource.constant("criticality", value.json());
    }
    resource
}
