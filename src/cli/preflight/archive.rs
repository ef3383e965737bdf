//! Checks places of the archive: roles are taken on, places listed, objects read, their encryption with them.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_s3::config::ProvideCredentials;
use aws_sdk_s3::types::Object;

use super::check::{Check, in_time};
use super::policy::partition;
use crate::aws::buckets::{Buckets, Reached};
use crate::aws::{Aws, Role};
use crate::lake::store::Place;

pub(super) async fn checks(aws: &Arc<Aws>, archives: &[Place], objects: &[Place]) -> Vec<Check> {
    let buckets = Buckets::new(Arc::clone(aws));
    let mut checks = Vec::new();
    for role in roles(aws) {
        checks.push(take_on(aws, role).await);
    }
    let declared = aws.accesses().iter().map(|access| (access.bucket.as_str(), access.prefix.as_str()));
    let given = archives.iter().filter_map(named);
    let places: BTreeSet<(&str, &str)> = declared.chain(given).collect();
    if places.is_empty() && objects.is_empty() {
        let why = "no place is known: give --archive s3://bucket/prefix";
        checks.push(Check::not_asked("archive", why));
    }
    for (bucket, prefix) in places {
        checks.extend(place(aws, &buckets, (bucket, prefix)).await);
    }
    for (bucket, key) in objects.iter().filter_map(named) {
        checks.push(read(aws, &buckets, (bucket, key)).await);
    }
    checks
}

fn named(place: &Place) -> Option<(&str, &str)> {
    match place {
        Place::Bucket { bucket, prefix } => Some((bucket, prefix)),
        Place::Folder(_) => None,
    }
}

/// The roles that are declared, each once.
fn roles(aws: &Aws) -> Vec<&Role> {
    let mut roles: Vec<&Role> = aws.accesses().iter().filter_map(|access| access.role.as_ref()).collect();
    roles.sort_by_key(|role| (&role.arn, &role.external_id));
    roles.dedup();
    roles
}

async fn take_on(aws: &Aws, role: &Role) -> Check {
    let what = ("role: take it on", "sts:AssumeRole", role.arn.as_str());
    let access = aws.accesses().iter().find(|access| access.role.as_ref() == Some(role));
    let settings = aws.settings(access).await;
    let Some(provider) = settings.credentials_provider() else {
        return Check::not_asked("role: take it on", "there are no credentials to begin with");
    };
    match in_time(provider.provide_credentials()).await {
        Ok(_) => Check::ok(what, &role.arn),
        Err(error) => Check::of_error(what, &error),
    }
}

async fn arn(aws: &Aws, bucket: &str, key: &str) -> String {
    let region = aws.shared().await.region().map(ToString::to_string).unwrap_or_default();
    let slash = if key.is_empty() { "" } else { "/" };
    format!("arn:{}:s3:::{bucket}{slash}{key}", partition(&region))
}

async fn place(aws: &Aws, buckets: &Buckets, (bucket, prefix): (&str, &str)) -> Vec<Check> {
    let resource = arn(aws, bucket, "").await;
    let what = ("archive: list", "s3:ListBucket", resource.as_str());
    let ask = |Reached { client, payer, .. }: Reached| async move {
        client.list_objects_v2().bucket(bucket).prefix(prefix).set_request_payer(payer).send().await
    };
    let listed = match in_time(buckets.ask(bucket, prefix, ask)).await {
        Ok(listed) => listed,
        Err(error) => {
            let why = "nothing was found to read, since listing failed: name an object with --object";
            return vec![Check::of_error(what, &error), Check::not_asked("archive: read", why)];
        }
    };
    let shown = format!("s3://{bucket}/{prefix}");
    let mut checks = vec![Check::ok(what, &shown)];
    checks.push(match newest(listed.contents()) {
        Some(key) => read(aws, buckets, (bucket, key)).await,
        None => Check::not_asked("archive: read", &format!("{shown} is empty: name an object with --object")),
    });
    checks
}

/// The newest object that has something in it.
fn newest(objects: &[Object]) -> Option<&str> {
    let full = objects.iter().filter(|object| object.size().is_some_and(|size| size > 0));
    full.max_by_key(|object| object.last_modified().map(|time| (time.secs(), time.subsec_nanos())))?.key()
}

/// Reads the first byte: S3 decrypts for it as for all of them.
async fn read(aws: &Aws, buckets: &Buckets, (bucket, key): (&str, &str)) -> Check {
    let resource = arn(aws, bucket, key).await;
    let what = ("archive: read", "s3:GetObject", resource.as_str());
    let ask = |Reached { client, payer, .. }: Reached| async move {
        let get = client.get_object().bucket(bucket).key(key).range("bytes=0-0");
        get.set_request_payer(payer).send().await
    };
    match in_time(buckets.ask(bucket, key, ask)).await {
        Ok(object) => {
            let sealed =
                object.ssekms_key_id().map(|id| format!(", encrypted with {id}")).unwrap_or_default();
            Check::ok(what, &format!("s3://{bucket}/{key}{sealed}"))
        }
        Err(error) => Check::of_error(what, &error),
    }
}
