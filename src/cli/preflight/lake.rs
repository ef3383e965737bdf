//! Checks the lake with a probe: written, read, listed and deleted, as a worker and settling do it.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use super::check::{Check, in_time};
use super::policy::partition;
use crate::aws::Aws;
use crate::config::Config;
use crate::lake::Lake;
use crate::lake::store::Place;

/// Where probes lie, for the moment they do.
const PROBES: &str = "preflight";

pub(super) async fn checks(place: &Place, config: &Config, aws: &Arc<Aws>) -> Vec<Check> {
    let shown = place.to_string();
    let (objects, all) = resources(place, aws).await;
    let opening = Box::pin(Lake::open(place.clone(), aws, config.lake_writes.clone()));
    let lake = match in_time(opening).await {
        Ok(lake) => lake,
        Err(error) => return vec![Check::of_error(("lake: open", "", &shown), &error)],
    };
    // Names are used once.
    let key = format!("{PROBES}/{}", uuid::Uuid::now_v7().simple());
    let path = Path::from(key.as_str());
    let mut checks = Vec::new();
    let action = |action| if matches!(place, Place::Folder(_)) { "" } else { action };
    let what = ("lake: write", action("s3:PutObject"), objects.as_str());
    if let Err(error) = in_time(lake.put(&key, PutPayload::from_static(b"probe"))).await {
        return vec![
            Check::of_error(what, &error),
            Check::not_asked("lake: read, list, delete", "no probe could be written"),
        ];
    }
    checks.push(Check::ok(what, &shown));
    let what = ("lake: read", action("s3:GetObject"), objects.as_str());
    let read = in_time(async { lake.store.get(&path).await?.bytes().await }).await;
    checks.push(read.map_or_else(|error| Check::of_error(what, &error), |_| Check::ok(what, "")));
    let what = ("lake: list", action("s3:ListBucket"), all.as_str());
    let below = Path::from(PROBES);
    let listed = in_time(lake.store.list(Some(&below)).try_collect::<Vec<_>>()).await;
    checks.push(listed.map_or_else(|error| Check::of_error(what, &error), |_| Check::ok(what, "")));
    let what = ("lake: delete", action("s3:DeleteObject"), objects.as_str());
    let deleted = in_time(lake.store.delete(&path)).await;
    checks.push(deleted.map_or_else(|error| Check::of_error(what, &error), |()| Check::ok(what, "")));
    checks
}

/// What rights on the lake's objects, and on all of it, are named by.
async fn resources(place: &Place, aws: &Aws) -> (String, String) {
    match place {
        Place::Folder(folder) => (folder.display().to_string(), folder.display().to_string()),
        Place::Bucket { bucket, prefix } => {
            let region = aws.shared().await.region().map(ToString::to_string).unwrap_or_default();
            let bucket = format!("arn:{}:s3:::{bucket}", partition(&region));
            let below = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
            (format!("{bucket}/{below}*"), bucket)
        }
    }
}
