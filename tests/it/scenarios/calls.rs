//! Calls of services as CloudTrail writes their requests and answers.

use serde_json::{Value, json};

/// A call, whoever makes it.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) service: &'static str,
    pub(super) operation: &'static str,
    pub(super) request: Value,
    pub(super) response: Value,
    /// Type and ARN.
    pub(super) resources: Vec<(&'static str, String)>,
}

impl Call {
    pub(super) fn new(service: &'static str, operation: &'static str, request: Value) -> Self {
        Self { service, operation, request, response: Value::Null, resources: Vec::new() }
    }

    pub(super) fn is_read(&self) -> bool {
        const READS: [&str; 6] = ["Get", "List", "Describe", "Head", "Lookup", "Assume"];
        READS.iter().any(|start| self.operation.starts_with(start))
    }
}

/// A call on a bucket; `part` is the part of it, as the query string has it.
pub(super) fn bucket(operation: &'static str, name: &str, part: &str, body: Value) -> Call {
    let mut request =
        json!({"bucketName": name, "Host": format!("{name}.s3.eu-west-1.amazonaws.com"), part: ""});
    if let (Some(request), Value::Object(body)) = (request.as_object_mut(), body) {
        request.extend(body);
    }
    let resources = vec![("AWS::S3::Bucket", format!("arn:aws:s3:::{name}"))];
    Call { resources, ..Call::new("s3", operation, request) }
}

/// A call on an object.
pub(super) fn object(operation: &'static str, bucket: &str, key: &str) -> Call {
    let arn = format!("arn:aws:s3:::{bucket}");
    let request =
        json!({"bucketName": bucket, "Host": format!("{bucket}.s3.eu-west-1.amazonaws.com"), "key": key});
    let resources = vec![("AWS::S3::Object", format!("{arn}/{key}")), ("AWS::S3::Bucket", arn)];
    Call { resources, ..Call::new("s3", operation, request) }
}

/// A policy of a bucket that lets a principal read.
pub(super) fn bucket_policy(name: &str, principal: &Value) -> Call {
    let statement = json!({
        "Sid": "Read",
        "Effect": "Allow",
        "Principal": principal,
        "Action": ["s3:GetObject"],
        "Resource": format!("arn:aws:s3:::{name}/*"),
    });
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
    bucket("PutBucketPolicy", name, "policy", json!({"bucketPolicy": policy}))
}

/// A policy of a bucket that only forbids plain HTTP.
pub(super) fn tls_policy(name: &str) -> Call {
    let statement = json!({
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [format!("arn:aws:s3:::{name}"), format!("arn:aws:s3:::{name}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    });
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
    bucket("PutBucketPolicy", name, "policy", json!({"bucketPolicy": policy}))
}

pub(super) fn block(name: &str, is_on: bool) -> Call {
    let settings = json!({
        "xmlns": "http://s3.amazonaws.com/doc/2006-03-01/",
        "BlockPublicAcls": is_on,
        "IgnorePublicAcls": is_on,
        "BlockPublicPolicy": is_on,
        "RestrictPublicBuckets": is_on,
    });
    let body = json!({"PublicAccessBlockConfiguration": settings});
    bucket("PutBucketPublicAccessBlock", name, "publicAccessBlock", body)
}

pub(super) fn tagged(name: &str) -> Call {
    let tags = json!({"TagSet": {"Tag": [{"Key": "team", "Value": "shop"}]}});
    bucket("PutBucketTagging", name, "tagging", json!({"Tagging": tags}))
}

/// Reads of a bucket.
pub(super) fn bucket_read(name: &str) -> Call {
    bucket("GetBucketPolicy", name, "policy", Value::Null)
}

/// A rule of a security group; `service` is the operation.
pub(super) fn ingress(operation: &'static str, group: &str, port: u32, cidr: &str) -> Call {
    let rule = json!({
        "ipProtocol": "tcp",
        "fromPort": port,
        "toPort": port,
        "groups": {},
        "ipRanges": {"items": [{"cidrIp": cidr}]},
        "ipv6Ranges": {},
        "prefixListIds": {},
    });
    let request = json!({"groupId": group, "ipPermissions": {"items": [rule]}});
    Call { response: json!({"_return": true}), ..Call::new("ec2", operation, request) }
}

pub(super) fn open(group: &str, port: u32, cidr: &str) -> Call {
    ingress("AuthorizeSecurityGroupIngress", group, port, cidr)
}

pub(super) fn close(group: &str, port: u32, cidr: &str) -> Call {
    ingress("RevokeSecurityGroupIngress", group, port, cidr)
}

/// What people do to a group that opens nothing.
pub(super) fn group_tag(group: &str) -> Call {
    ec2(
        "CreateTags",
        json!({
            "resourcesSet": {"items": [{"resourceId": group}]},
            "tagSet": {"items": [{"key": "team", "value": "shop"}]},
        }),
    )
}

pub(super) fn group_read(group: &str) -> Call {
    Call::new(
        "ec2",
        "DescribeSecurityGroups",
        json!({"securityGroupSet": {"items": [{"groupId": group}]}, "filterSet": {}}),
    )
}

pub(super) fn ec2(operation: &'static str, request: Value) -> Call {
    Call { response: json!({"_return": true}), ..Call::new("ec2", operation, request) }
}

/// Who may restore a snapshot of a database.
pub(super) fn share_db_snapshot(name: &str, with: &str) -> Call {
    let request = json!({"dBSnapshotIdentifier": name, "attributeName": "restore", "valuesToAdd": [with]});
    let attributes = json!([{"attributeName": "restore", "attributeValues": [with]}]);
    let response = json!({"dBSnapshotIdentifier": name, "dBSnapshotAttributes": attributes});
    Call { response, ..Call::new("rds", "ModifyDBSnapshotAttribute", request) }
}

pub(super) fn modify_db(name: &str, what: Value) -> Call {
    let mut request =
        json!({"dBInstanceIdentifier": name, "applyImmediately": true, "allowMajorVersionUpgrade": false});
    if let (Some(request), Value::Object(what)) = (request.as_object_mut(), what) {
        request.extend(what);
    }
    let response = json!({"dBInstanceIdentifier": name.to_lowercase(), "engine": "postgres", "dBInstanceStatus": "available"});
    Call { response, ..Call::new("rds", "ModifyDBInstance", request) }
}

/// A call on a KMS key, which is named by its ARN beside the request.
pub(super) fn kms(operation: &'static str, arn: &str, mut request: Value) -> Call {
    request["keyId"] = json!(arn.rsplit('/').next());
    Call { resources: vec![("AWS::KMS::Key", arn.to_owned())], ..Call::new("kms", operation, request) }
}

/// A policy as text, with one statement.
pub(super) fn policy_text(principal: &Value, action: &str, resource: &str) -> String {
    let statement =
        json!({"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

pub(super) fn trail(operation: &'static str, arn: &str, mut request: Value) -> Call {
    request["name"] = json!(arn);
    Call::new("cloudtrail", operation, request)
}

pub(super) fn iam(operation: &'static str, request: Value, response: Value) -> Call {
    Call { response, ..Call::new("iam", operation, request) }
}

/// A new access key; the root user names nobody.
pub(super) fn new_key(user: Option<&str>, key: &str) -> Call {
    let request = user.map_or(Value::Null, |user| json!({"userName": user}));
    let made = json!({"accessKeyId": key, "status": "Active", "userName": user, "createDate": "Feb 4, 2026 10:15:30 AM"});
    iam("CreateAccessKey", request, json!({"accessKey": made}))
}
