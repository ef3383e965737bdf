//! Where the data lies: the bucket and the object, as OCSF's `databucket` and as resources.

use std::borrow::Cow;

use crate::ingest::json::{Item, Kind};
use crate::ingest::source::document::labels::take_labels;
use crate::ingest::source::document::take;
use crate::ingest::source::time::take_time;
use crate::ocsf::event::Object;

/// Adds both to an event.
pub(super) fn add(event: &mut Object, finding: Item<'_>, place: (Option<&str>, Option<&str>)) {
    let resource = |path| finding.get(path).filter(|item: &Item<'_>| item.kind() == Kind::Object);
    let bucket = resource("resourcesAffected.s3Bucket");
    let object = resource("resourcesAffected.s3Object");
    if let Some(bucket) = bucket {
        databucket(event, bucket, object);
    }
    let bucket = bucket.and_then(|bucket| of_bucket(bucket, finding, place));
    let object = object.and_then(|object| of_object(object, finding, place));
    let resources: Vec<Object> = bucket.into_iter().chain(object).collect();
    if !resources.is_empty() {
        // Each of them has it.
        take::text(finding, "partition");
    }
    event.objects("resources", resources);
}

/// The values here stand in the JSON text of the resources as well.
fn databucket(event: &mut Object, bucket: Item<'_>, object: Option<Item<'_>>) {
    let (name, arn) = (take::filled(bucket, "name"), take::filled(bucket, "arn"));
    if name.is_none() && arn.is_none() {
        return;
    }
    event.text("databucket.name", name);
    event.text("databucket.uid", arn);
    event.constant("databucket.type", "S3");
    event.integer("databucket.type_id", 1);
    event.integer("databucket.created_time_dt", take_time(bucket, "createdAt"));
    let Some((object, key)) = object.and_then(|object| Some((object, take::filled(object, "key")?))) else {
        return;
    };
    let last = key.rsplit('/').next().filter(|last| !last.is_empty()).unwrap_or(&key);
    event.constant("databucket.file.name", last);
    event.integer("databucket.file.type_id", 1);
    event.text("databucket.file.path", take::filled(object, "path"));
    event.text("databucket.file.uid", take::filled(object, "versionId"));
    event.integer("databucket.file.modified_time_dt", take_time(object, "lastModified"));
    event.integer("databucket.file.size", object.take_integer("size"));
}

fn of_bucket(bucket: Item<'_>, finding: Item<'_>, place: (Option<&str>, Option<&str>)) -> Option<Object> {
    let (uid, name) = (take::filled(bucket, "arn"), take::filled(bucket, "name"));
    resource(bucket, finding, ("AwsS3Bucket", uid, name), place)
}

/// An object has no ARN of its own in a finding; it is the bucket's and the key, as Security Hub has it.
fn of_object(object: Item<'_>, finding: Item<'_>, place: (Option<&str>, Option<&str>)) -> Option<Object> {
    let key = take::filled(object, "key");
    let uid = take::filled(object, "bucketArn").zip(key.as_deref()).map(|(arn, key)| format!("{arn}/{key}"));
    resource(object, finding, ("AwsS3Object", uid.map(Cow::Owned), key), place)
}

type Named<'d> = (&'static str, Option<Cow<'d, str>>, Option<Cow<'d, str>>);

fn resource(
    item: Item<'_>,
    finding: Item<'_>,
    (kind, uid, name): Named<'_>,
    (account, region): (Option<&str>, Option<&str>),
) -> Option<Object> {
    if uid.is_none() && name.is_none() {
        return None;
    }
    let mut resource = Object::default();
    resource.constant("type", kind);
    resource.text("uid", uid);
    resource.text("name", name);
    resource.text("cloud_partition", take::filled(finding, "partition"));
    resource.text("region", region.map(Cow::Borrowed));
    resource.text("owner.account.uid", account.map(Cow::Borrowed));
    resource.texts("labels", take_labels(item, "tags"));
    resource.text("data", Some(take::json(item)));
    Some(resource)
}
