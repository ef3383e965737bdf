//! Which resources a call names, each under one name.
//!
//! Takes what a record says (its `resources`, request and response) and gives canonical
//! ids, so that an ARN in one record and a bare name in the next are the same resource:
//! the ARN without what does not tell two apart (paths of IAM names, keys of buckets,
//! versions), or the bare id where it is unique in all of AWS (`sg-…`, `i-…`).
//! Where ids lie: the request and response syntax of each service's API reference; how
//! ARNs read: the Service Authorization Reference.

use std::collections::BTreeSet;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Names of a call that only reads are kept up to so many: it may list thousands, and nothing came of it.
pub(super) const READ_NAMES_MAX: usize = 32;
/// Names of a call that changes something: EC2 takes a thousand ids.
pub(super) const NAMES_MAX: usize = 1_000;
/// Longer texts are no ids.
const ID_BYTES_MAX: usize = 512;

/// Where a call was made: what a bare name is missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// `s3.amazonaws.com`.
    pub(super) service: &'a str,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
}

impl Place<'_> {
    fn service(&self) -> &str {
        self.service.split('.').next().unwrap_or_default()
    }

    fn partition(&self) -> &'static str {
        if self.region.starts_with("cn-") {
            "aws-cn"
        } else if self.region.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        let (region, account) = match service {
            "iam" => ("", self.account),
            "s3" => ("", ""),
            _ => (self.region, self.account),
        };
        format!("arn:{}:{service}:{region}:{account}:{resource}", self.partition())
    }
}

/// Adds the resources that a request or response names.
pub(super) fn named_in(json: &str, (place, max): (Place<'_>, usize), found: &mut BTreeSet<String>) {
    let walk = Walk { key: "", place, max, found };
    // What is cut off or no JSON has named what it has named until there.
    drop(walk.deserialize(&mut serde_json::Deserializer::from_str(json)));
}

/// Returns the one name of a resource, from an ARN or an id.
pub(in crate::query) fn canonical(id: &str) -> String {
    let parts: Vec<&str> = id.splitn(6, ':').collect();
    let &["arn", partition, service, region, account, resource] = parts.as_slice() else {
        return id.to_owned();
    };
    let (kind, name) = resource.split_once('/').unwrap_or(("", resource));
    let last = name.rsplit('/').next().unwrap_or(name);
    let resource = match service {
        "iam" if !kind.is_empty() => format!("{kind}/{last}"),
        "s3" => resource.split('/').next().unwrap_or(resource).to_owned(),
        "ec2" if is_ec2_id(last) => return last.to_owned(),
        "secretsmanager" => without_suffix(resource).to_owned(),
        "lambda" => resource.splitn(3, ':').take(2).collect::<Vec<_>>().join(":"),
        "logs" => resource.trim_end_matches(":*").to_owned(),
        "cloudformation" if kind == "stack" => {
            format!("stack/{}", name.split('/').next().unwrap_or(name))
        }
        _ => resource.to_owned(),
    };
    format!("arn:{partition}:{service}:{region}:{account}:{resource}")
}

/// A secret's ARN ends in a hyphen and six characters that a request may leave out.
fn without_suffix(resource: &str) -> &str {
    match resource.rsplit_once('-') {
        Some((name, suffix))
            if suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            name
        }
        _ => resource,
    }
}

/// The prefixes of ids that Amazon EC2 and VPC give.
const EC2_PREFIXES: [&str; 24] = [
    "acl", "ami", "dopt", "eipalloc", "eni", "fl", "i", "igw", "key", "lt", "nat", "pcx", "pl", "rtb", "sg",
    "sgr", "snap", "subnet", "tgw", "vgw", "vol", "vpc", "vpce", "vpn",
];

fn is_ec2_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(prefix, rest)| {
        EC2_PREFIXES.contains(&prefix)
            && (8..=17).contains(&rest.len())
            && rest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Returns the resource that a member of a request or response names, if it does.
fn resource(key: &str, value: &str, place: Place<'_>) -> Option<String> {
    if value.is_empty() || value.len() > ID_BYTES_MAX {
        return None;
    }
    if is_arn(value) {
        // Sessions and callers are no resources.
        return (!value.contains(":assumed-role/") && !value.contains(":federated-user/"))
            .then(|| canonical(value));
    }
    if is_ec2_id(value) {
        return Some(value.to_owned());
    }
    let name = Name { value, place };
    match place.service() {
        "iam" => name.of_iam(key),
        "rds" => name.of_rds(key),
        service => name.of(service, key),
    }
}

/// A bare name, and where it was said.
struct Name<'a> {
    value: &'a str,
    place: Place<'a>,
}

impl Name<'_> {
    fn arn(&self, service: &str, kind: &str) -> Option<String> {
        let plain = self.value.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}\"<>".contains(&byte));
        plain.then(|| canonical(&self.place.arn(service, &format!("{kind}{}", self.value))))
    }

    fn of_iam(&self, key: &str) -> Option<String> {
        match key {
            "userName" => self.arn("iam", "user/"),
            "roleName" => self.arn("iam", "role/"),
            "groupName" => self.arn("iam", "group/"),
            "instanceProfileName" => self.arn("iam", "instance-profile/"),
            "accessKeyId" => Some(self.value.to_owned()),
            _ => None,
        }
    }

    /// Names of RDS are lower-case whatever was asked for.
    fn of_rds(&self, key: &str) -> Option<String> {
        let kind = match key {
            "dBInstanceIdentifier" | "sourceDBInstanceIdentifier" => "db:",
            "dBClusterIdentifier" => "cluster:",
            "dBSnapshotIdentifier" => "snapshot:",
            "dBClusterSnapshotIdentifier" => "cluster-snapshot:",
            _ => return None,
        };
        let value = &self.value.to_ascii_lowercase();
        Name { value, place: self.place }.arn("rds", kind)
    }

    fn of(&self, service: &str, key: &str) -> Option<String> {
        match (service, key) {
            (_, "bucketName" | "s3BucketName" | "S3BucketName") => self.arn("s3", ""),
            ("kms", "keyId") if self.value.starts_with("alias/") => self.arn("kms", ""),
            ("kms", "keyId") => self.arn("kms", "key/"),
            ("lambda", "functionName") => {
                // A partial ARN (`account:function:name`) or a name with a version behind it.
                let value = self.value.rsplit_once("function:").map_or(self.value, |(_, name)| name);
                Name { value, place: self.place }.arn("lambda", "function:")
            }
            ("ecr", "repositoryName") => self.arn("ecr", "repository/"),
            ("sqs", "queueName") => self.arn("sqs", ""),
            ("sqs", "queueUrl") => {
                let mut parts = self.value.rsplit('/');
                let (name, account) = (parts.next()?, parts.next()?);
                let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
                let place =
                    Place { account: if is_account { account } else { self.place.account }, ..self.place };
                Name { value: name, place }.arn("sqs", "")
            }
            ("secretsmanager", "secretId" | "name") => self.arn("secretsmanager", "secret:"),
            ("ssm", "name") => {
                Name { value: self.value.trim_start_matches('/'), place: self.place }.arn("ssm", "parameter/")
            }
            ("ssm", "documentName") => self.arn("ssm", "document/"),
            ("dynamodb", "tableName") => self.arn("dynamodb", "table/"),
            ("cloudtrail", "name" | "trailName") => self.arn("cloudtrail", "trail/"),
            ("guardduty", "detectorId") => self.arn("guardduty", "detector/"),
            ("config", "configurationRecorderName") => self.arn("config", "config-recorder/"),
            ("logs", "logGroupName") => self.arn("logs", "log-group:"),
            ("events", "name" | "rule") => self.arn("events", "rule/"),
            ("eks", "name" | "clusterName") => self.arn("eks", "cluster/"),
            ("ecs", "cluster" | "clusterName") => self.arn("ecs", "cluster/"),
            ("cloudformation", "stackName") => self.arn("cloudformation", "stack/"),
            ("elasticloadbalancing", "loadBalancerName") => self.arn("elasticloadbalancing", "loadbalancer/"),
            ("redshift", "clusterIdentifier") => self.arn("redshift", "cluster:"),
            ("es", "domainName") => self.arn("es", "domain/"),
            ("bedrock", "guardrailIdentifier") => self.arn("bedrock", "guardrail/"),
            ("ec2", "keyName") => self.arn("ec2", "key-pair/"),
            _ => None,
        }
    }
}

/// Walks JSON and keeps nothing of it but names.
struct Walk<'a, 'f> {
    key: &'a str,
    place: Place<'a>,
    max: usize,
    found: &'f mut BTreeSet<String>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        if self.found.len() < self.max {
            self.found.extend(resource(self.key, value, self.place));
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if is_text_of_another_language(&key) {
                map.next_value::<IgnoredAny>()?;
            } else {
                map.next_value_seed(Walk { key: &key, place: self.place, max: self.max, found: self.found })?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items
            .next_element_seed(Walk { key: self.key, place: self.place, max: self.max, found: self.found })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Tags are an owner's words: an ARN in one names nothing that is touched.
fn is_text_of_another_language(key: &str) -> bool {
    matches!(key, "tags" | "tagSet" | "tagSpecificationSet" | "principalTags" | "userData")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Place<'_> =
        Place { service: "iam.amazonaws.com", account: "111122223333", region: "eu-west-1" };

    #[test]
    fn one_resource_has_one_name() {
        let check = |id: &str, expected: &str| assert_eq!(canonical(id), expected);
        check("arn:aws:iam::111122223333:role/service-role/x/Name", "arn:aws:iam::111122223333:role/Name");
        check("arn:aws:s3:::bucket/a/b.txt", "arn:aws:s3:::bucket");
        check("arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0", "i-0123456789abcdef0");
        check(
            "arn:aws:lambda:eu-west-1:111122223333:function:f:PROD",
            "arn:aws:lambda:eu-west-1:111122223333:function:f",
        );
        check(
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db/main-a1B2c3",
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db/main",
        );
        check("sg-0123456789abcdef0", "sg-0123456789abcdef0");
        check("arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:root");
    }

    #[test]
    fn finds_names_wherever_they_lie() {
        let check = |service: &str, json: &str, expected: &[&str]| {
            let mut found = BTreeSet::new();
            named_in(json, (Place { service, ..AT }, NAMES_MAX), &mut found);
            assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{json}");
        };
        check(
            "iam.amazonaws.com",
            r#"{"roleName":"R","policyDocument":"{\"a\":\"arn:aws:iam::1:role/x\"}"}"#,
            &["arn:aws:iam::111122223333:role/R"],
        );
        check("s3.amazonaws.com", r#"{"bucketName":"b","key":"arn"}"#, &["arn:aws:s3:::b"]);
        check(
            "ec2.amazonaws.com",
            r#"{"instancesSet":{"items":[{"instanceId":"i-0123456789abcdef0","tagSet":{"items":["sg-0123456789abcdef0"]}}]}}"#,
            &["i-0123456789abcdef0"],
        );
        check("kms.amazonaws.com", r#"{"keyId":"alias/x"}"#, &["arn:aws:kms:eu-west-1:111122223333:alias/x"]);
        check(
            "rds.amazonaws.com",
            r#"{"dBInstanceIdentifier":"Main"}"#,
            &["arn:aws:rds:eu-west-1:111122223333:db:main"],
        );
        check(
            "sqs.amazonaws.com",
            r#"{"queueUrl":"https://sqs.eu-west-1.amazonaws.com/444455556666/q"}"#,
            &["arn:aws:sqs:eu-west-1:444455556666:q"],
        );
        check("ec2.amazonaws.com", r#"{"groupId":"sg-0123456789abcdef0","#, &["sg-0123456789abcdef0"]);
    }
}
