//! Writes the least privilege that a configuration needs, as an IAM policy.
//!
//! The statements are those of `deploy/ashiato.yaml` and `deploy/archive.yaml`; a test holds them against each other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::aws::BucketAccess;
use crate::config::Config;
use crate::lake::store::Place;

/// Actions on a queue that is read.
const READ_QUEUE: [&str; 4] =
    ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"];

/// Where no Region is known, a policy holds for all.
const ANY: &str = "*";

/// Returns the policy of the role that works with this configuration.
pub(super) fn policy(
    config: &Config,
    lake: Option<&Place>,
    archives: &[Place],
    region: Option<&str>,
) -> Value {
    let partition = partition(region.unwrap_or_default());
    let mut statements = Vec::new();
    if let Some(arn) = config.worker.queue.as_deref().map(|url| queue_arn(url, region)) {
        statements.push(allow("ReadTheQueue", &READ_QUEUE, &json!(arn)));
    }
    if let Some(arn) = config.worker.dead_letter_queue.as_deref().map(|url| queue_arn(url, region)) {
        statements.push(allow(
            "SendDeadLetters",
            &["sqs:GetQueueAttributes", "sqs:SendMessage"],
            &json!(arn),
        ));
    }
    let roles: BTreeSet<&str> =
        config.buckets.iter().filter_map(|access| Some(access.role.as_ref()?.arn.as_str())).collect();
    if !roles.is_empty() {
        statements.push(allow("TakeOnRoles", &["sts:AssumeRole"], &one_or_all(&roles)));
    }
    let read = own_archives(&config.buckets, archives);
    if !read.is_empty() {
        let objects = arns(partition, read.iter().map(|(bucket, prefix)| (*bucket, format!("/{prefix}*"))));
        let buckets = arns(partition, read.iter().map(|(bucket, _)| (*bucket, String::new())));
        statements.push(allow(
            "ReadTheArchive",
            &["s3:GetObject", "s3:GetObjectVersion"],
            &one_or_all(&objects),
        ));
        statements.push(allow("ListTheArchive", &["s3:ListBucket"], &one_or_all(&buckets)));
        // Which key that is the archive knows; it may be used through S3 and for these buckets only.
        let context: BTreeSet<String> = buckets.iter().map(|arn| format!("{arn}*")).collect();
        statements.push(json!({
            "Sid": "DecryptTheArchive", "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": ANY,
            "Condition": via_s3(region, Some(&one_or_all(&context))),
        }));
    }
    if let Some(Place::Bucket { bucket, prefix }) = lake {
        let below = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let mut keep = vec!["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"];
        keep.extend(config.lake_writes.acl.as_ref().map(|_| "s3:PutObjectAcl"));
        let objects = format!("arn:{partition}:s3:::{bucket}/{below}*");
        statements.push(allow("KeepTheLake", &keep, &json!(objects)));
        let bucket = format!("arn:{partition}:s3:::{bucket}");
        statements.push(allow("ListTheLake", &["s3:ListBucket"], &json!(bucket)));
        if let Some(key) = &config.lake_writes.kms_key {
            let key = if key.starts_with("arn:") { key.as_str() } else { ANY };
            statements.push(json!({
                "Sid": "UseTheLakesKey", "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": key, "Condition": via_s3(region, None),
            }));
        }
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(sid: &str, actions: &[&str], resource: &Value) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource})
}

/// A key may be used through S3 of the Region only, and for the objects of some buckets.
fn via_s3(region: Option<&str>, context: Option<&Value>) -> Value {
    let service = region.map(|region| format!("s3.{region}.amazonaws.com"));
    let context = context.map(|context| ("kms:EncryptionContext:aws:s3:arn", context.clone()));
    let like: BTreeMap<&str, Value> = match &service {
        Some(_) => context.into_iter().collect(),
        None => context.into_iter().chain([("kms:ViaService", json!("s3.*.amazonaws.com"))]).collect(),
    };
    let mut condition = BTreeMap::new();
    if let Some(service) = service {
        condition.insert("StringEquals", json!({"kms:ViaService": service}));
    }
    if !like.is_empty() {
        condition.insert("StringLike", json!(like));
    }
    json!(condition)
}

/// The places that are read with our own rights, not a role's: each bucket and what its keys begin with.
fn own_archives<'a>(declared: &'a [BucketAccess], archives: &'a [Place]) -> BTreeSet<(&'a str, &'a str)> {
    let has_role = |bucket: &str, prefix: &str| {
        let fitting =
            declared.iter().filter(|access| access.bucket == bucket && prefix.starts_with(&access.prefix));
        fitting.max_by_key(|access| access.prefix.len()).is_some_and(|access| access.role.is_some())
    };
    let declared = declared.iter().map(|access| (access.bucket.as_str(), access.prefix.as_str()));
    let given = archives.iter().filter_map(|place| match place {
        Place::Bucket { bucket, prefix } => Some((bucket.as_str(), prefix.as_str())),
        Place::Folder(_) => None,
    });
    declared.chain(given).filter(|(bucket, prefix)| !has_role(bucket, prefix)).collect()
}

fn arns<'a>(partition: &str, parts: impl Iterator<Item = (&'a str, String)>) -> BTreeSet<String> {
    parts.map(|(bucket, rest)| format!("arn:{partition}:s3:::{bucket}{rest}")).collect()
}

fn one_or_all<T: serde::Serialize + Ord>(names: &BTreeSet<T>) -> Value {
    match names.first() {
        Some(only) if names.len() == 1 => json!(only),
        _ => json!(names),
    }
}

/// The ARN of a queue, by its URL: `https://sqs.<region>.amazonaws.com/<account>/<name>`.
pub(super) fn queue_arn(url: &str, region: Option<&str>) -> String {
    let parsed = url::Url::parse(url).ok();
    let host = parsed.as_ref().and_then(url::Url::host_str).unwrap_or_default();
    let named = host.strip_prefix("sqs.").and_then(|rest| rest.split_once(".amazonaws.com"));
    let region = named.map(|(region, _)| region).or(region).unwrap_or(ANY);
    let path = parsed.as_ref().map_or("", |url| url.path().trim_matches('/'));
    let (account, name) = path.rsplit_once('/').unwrap_or((ANY, path));
    format!("arn:{}:sqs:{region}:{account}:{name}", partition(region))
}

/// The partition a Region is in.
pub(super) fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_queue_tells_its_arn() {
        let check = |url, region, arn| assert_eq!(queue_arn(url, region), arn);
        let url = "https://sqs.eu-west-1.amazonaws.com/111122223333/logs";
        check(url, None, "arn:aws:sqs:eu-west-1:111122223333:logs");
        let url = "https://sqs.cn-north-1.amazonaws.com.cn/111122223333/logs";
        check(url, None, "arn:aws-cn:sqs:cn-north-1:111122223333:logs");
        check(
            "http://127.0.0.1:4566/000000000000/logs",
            Some("eu-west-1"),
            "arn:aws:sqs:eu-west-1:000000000000:logs",
        );
    }
}
