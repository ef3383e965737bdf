//! What a finding is about: instances, keys, buckets, clusters, functions, databases, volumes.
//!
//! Each has its details as JSON text, the name Security Hub has for its type, and the ARN.

use std::borrow::Cow;

use crate::ingest::json::{Item, Kind};
use crate::ingest::source::document::labels::take_labels;
use crate::ingest::source::document::take;
use crate::ocsf::event::Object;

/// Whose resources they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'d> {
    pub(super) account: Option<&'d str>,
    pub(super) region: Option<&'d str>,
    pub(super) finding: Item<'d>,
}

/// One kind of resource: where its details are, its type, and where in them its id and its name are.
struct Shape {
    path: &'static str,
    kind: &'static str,
    uid: &'static str,
    name: &'static str,
}

const fn shape(path: &'static str, kind: &'static str, uid: &'static str, name: &'static str) -> Shape {
    Shape { path, kind, uid, name }
}

/// What `resource` may hold. A path to a list gives a resource an element.
const SHAPES: [Shape; 15] = [
    shape("instanceDetails", "AwsEc2Instance", "", "instanceId"),
    shape("accessKeyDetails", "AwsIamAccessKey", "accessKeyId", "userName"),
    shape("s3BucketDetails", "AwsS3Bucket", "arn", "name"),
    shape("eksClusterDetails", "AwsEksCluster", "arn", "name"),
    shape("kubernetesDetails.kubernetesWorkloadDetails", "KubernetesWorkload", "uid", "name"),
    shape("ecsClusterDetails", "AwsEcsCluster", "arn", "name"),
    shape("containerDetails", "Container", "id", "name"),
    shape("lambdaDetails", "AwsLambdaFunction", "functionArn", "functionName"),
    shape("rdsDbInstanceDetails", "AwsRdsDbInstance", "dbInstanceArn", "dbInstanceIdentifier"),
    shape("rdsLimitlessDbDetails", "AwsRdsDbShardGroup", "dbShardGroupArn", "dbShardGroupIdentifier"),
    shape("ebsVolumeDetails.scannedVolumeDetails", "AwsEc2Volume", "volumeArn", "deviceName"),
    shape("ebsVolumeDetails.skippedVolumeDetails", "AwsEc2Volume", "volumeArn", "deviceName"),
    shape("ebsSnapshotDetails", "AwsEc2Snapshot", "snapshotArn", ""),
    shape("ec2ImageDetails", "AwsEc2Image", "imageArn", ""),
    shape("recoveryPointDetails", "AwsBackupRecoveryPoint", "recoveryPointArn", "backupVaultName"),
];

/// Returns the resources of a finding.
pub(super) fn resources(owner: Owner<'_>) -> Vec<Object> {
    let Some(resource) = owner.finding.get("resource") else { return Vec::new() };
    let mut all = Vec::new();
    for shape in &SHAPES {
        let Some(found) = resource.get(shape.path) else { continue };
        if found.kind() == Kind::Array {
            for item in found.elements() {
                all.extend(owner.resource(shape, item));
                all.extend(owner.inner(item));
            }
        } else {
            all.extend(owner.resource(shape, found));
            all.extend(owner.inner(found));
        }
    }
    if !all.is_empty() {
        // Each of them has it.
        take::text(owner.finding, "partition");
    }
    all
}

/// What stands inside the details of another resource and is one of its own.
const INNER: [(&str, Shape); 2] = [
    ("taskDetails", shape("", "AwsEcsTask", "arn", "group")),
    ("s3ObjectDetails", shape("", "AwsS3Object", "objectArn", "key")),
];

impl Owner<'_> {
    /// A resource, when it has a name or an id.
    fn resource(self, shape: &Shape, details: Item<'_>) -> Option<Object> {
        let mut resource = self.named(shape, details)?;
        resource.texts("labels", take_labels(details, "tags"));
        resource.text("data", Some(take::json(details)));
        Some(resource)
    }

    /// Resources inside the details of another, whose JSON text has all of theirs.
    fn inner(self, details: Item<'_>) -> Vec<Object> {
        let mut all = Vec::new();
        for (path, shape) in &INNER {
            let Some(found) = details.get(path) else { continue };
            if found.kind() == Kind::Array {
                all.extend(found.elements().filter_map(|item| self.named(shape, item)));
            } else {
                all.extend(self.named(shape, found));
            }
        }
        all
    }

    fn named(self, shape: &Shape, details: Item<'_>) -> Option<Object> {
        let (uid, name) = (take::filled(details, shape.uid), take::filled(details, shape.name));
        let uid = uid.or_else(|| self.instance_arn(shape, name.as_deref()?).map(Cow::Owned));
        if uid.is_none() && name.is_none() {
            return None;
        }
        let mut resource = Object::default();
        resource.constant("type", shape.kind);
        resource.text("uid", uid);
        resource.text("name", name);
        resource.text("cloud_partition", take::filled(self.finding, "partition"));
        resource.text("region", self.region.map(Cow::Borrowed));
        resource.text("owner.account.uid", self.account.map(Cow::Borrowed));
        Some(resource)
    }

    /// The ARN of an instance, as Security Hub has it. Findings give its id alone.
    fn instance_arn(self, shape: &Shape, id: &str) -> Option<String> {
        if shape.kind != "AwsEc2Instance" {
            return None;
        }
        let partition = take::filled(self.finding, "partition")?;
        Some(format!("arn:{partition}:ec2:{}:{}:instance/{id}", self.region?, self.account?))
    }
}
