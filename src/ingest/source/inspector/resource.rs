//! The resources a finding is about.

use crate::ingest::json::Item;
use crate::ingest::source::document::labels::take_labels;
use crate::ingest::source::document::vulnerability::each;
use crate::ocsf::event::{Object, Value};

/// Sets the first resource, where the class has room for one. The others stay where they are.
pub(super) fn set_one(body: Item<'_>, event: &mut Object) {
    let found = body.get("resources").into_iter().flat_map(Item::elements).map(read);
    if let Some(resource) = found.into_iter().find(|resource| !resource.is_empty()) {
        event.set("resource", Value::Object(resource));
    }
}

/// Sets all resources.
pub(super) fn set_all(body: Item<'_>, event: &mut Object) {
    event.objects("resources", each(body, "resources", read));
}

fn read(item: Item<'_>) -> Object {
    let mut resource = Object::default();
    let Some(uid) = item.take_text("id") else { return resource };
    resource.text("uid", Some(uid));
    resource.text("type", item.take_text("type"));
    resource.text("cloud_partition", item.take_text("partition"));
    resource.text("region", item.take_text("region"));
    resource.texts("labels", take_labels(item, "tags"));
    resource.text("data", item.take_json("details"));
    resource
}
