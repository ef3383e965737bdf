//! Which later change takes back what an earlier one brought about.
//!
//! Takes two changes of one resource, the later with its verdict, and says whether the earlier still holds after it. A call that sets
//! something whole replaces what was set before; a call that adds is taken back by its counterpart on the same thing. Promises
//! that a later call of which the request does not tell takes nothing back.

use serde_json::Value;

use super::rows::EventRow;
use super::sign::{Sign, Verdict};

/// Calls that set one thing whole: the last one counts.
const SETTINGS: [&[&str]; 22] = [
    &["PutBucketPolicy", "DeleteBucketPolicy"],
    &["PutBucketAcl"],
    &[
        "PutBucketPublicAccessBlock",
        "PutPublicAccessBlock",
        "DeleteBucketPublicAccessBlock",
        "DeletePublicAccessBlock",
    ],
    &["PutAccountPublicAccessBlock", "DeleteAccountPublicAccessBlock"],
    &["PutBucketEncryption", "DeleteBucketEncryption"],
    &["PutBucketLogging"],
    &["PutBucketVersioning"],
    &["PutKeyPolicy"],
    &["SetQueueAttributes"],
    &["SetTopicAttributes"],
    &["UpdateAssumeRolePolicy"],
    &["PutResourcePolicy", "DeleteResourcePolicy"],
    &["SetRepositoryPolicy", "DeleteRepositoryPolicy"],
    &["PutFileSystemPolicy", "DeleteFileSystemPolicy"],
    &["ModifyDBInstance"],
    &["ModifyDBCluster"],
    &["ModifyCluster"],
    &["UpdateClusterConfig"],
    &["ModifySubnetAttribute"],
    &["ModifyInstanceMetadataOptions"],
    &["CreateFunctionUrlConfig", "UpdateFunctionUrlConfig", "DeleteFunctionUrlConfig"],
    &["CreatePolicyVersion"],
];

/// A call, its counterpart, and the members by which both name the same thing; without any it is the resource itself.
const COUNTERPARTS: [(&str, &str, &[&str]); 18] = [
    ("StopLogging", "StartLogging", &["name"]),
    ("DeleteTrail", "CreateTrail", &["name"]),
    ("StopConfigurationRecorder", "StartConfigurationRecorder", &["configurationRecorderName"]),
    ("DisableSecurityHub", "EnableSecurityHub", &[]),
    ("DeleteDetector", "CreateDetector", &[]),
    ("DisableEbsEncryptionByDefault", "EnableEbsEncryptionByDefault", &[]),
    ("ScheduleKeyDeletion", "CancelKeyDeletion", &[]),
    ("DisableKeyRotation", "EnableKeyRotation", &[]),
    ("AddPermission", "RemovePermission", &["statementId", "label"]),
    ("CreateGrant", "RevokeGrant", &["grantId"]),
    ("CreateAccessKey", "DeleteAccessKey", &["accessKeyId"]),
    ("CreateLoginProfile", "DeleteLoginProfile", &[]),
    ("DeactivateMFADevice", "EnableMFADevice", &[]),
    ("AttachUserPolicy", "DetachUserPolicy", &["policyArn"]),
    ("PutUserPolicy", "DeleteUserPolicy", &["policyName"]),
    ("PutRolePolicy", "DeleteRolePolicy", &["policyName"]),
    ("PutGroupPolicy", "DeleteGroupPolicy", &["policyName"]),
    ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress", &["securityGroupRuleId"]),
];

/// Returns the calls that can take a call back.
pub(super) fn takes_back(operation: &str) -> impl Iterator<Item = &'static str> {
    let settings = SETTINGS.iter().filter(move |calls| calls.contains(&operation));
    let counterparts = COUNTERPARTS.iter().filter(move |(done, _, _)| *done == operation);
    settings.flat_map(|calls| calls.iter().copied()).chain(counterparts.map(|(_, by, _)| *by))
}

/// Says whether a later change takes back an earlier one that brought a state about. `sign` is how the earlier one showed it,
/// `verdict` what the same control makes of the later.
pub(super) fn undoes(later: (&EventRow, Option<Sign>, Verdict), earlier: (&EventRow, Sign)) -> bool {
    let ((later, later_sign, verdict), (earlier, sign)) = (later, earlier);
    let (Some(by), Some(done)) = (later.operation.as_deref(), earlier.operation.as_deref()) else {
        return false;
    };
    if SETTINGS.iter().any(|calls| calls.contains(&done) && calls.contains(&by)) {
        return verdict == Verdict::Against && speaks_of_it(later, later_sign);
    }
    let (request, said) = (read(&later.request), [read(&earlier.request), read(&earlier.response)]);
    COUNTERPARTS.iter().any(|(call, counterpart, members)| {
        let is_same = |name: &&str| {
            let named = texts(&request, name);
            said.iter().any(|said| texts(said, name).iter().any(|text| named.contains(text)))
        };
        *call == done && *counterpart == by && (members.is_empty() || members.iter().any(is_same))
    }) || (by == "RevokeSecurityGroupIngress" && closes(later, sign))
        || (by == done && sign == Sign::Shared && unshares(&request))
}

/// Of a policy only a call with a policy speaks: queues and topics have other attributes.
fn speaks_of_it(later: &EventRow, sign: Option<Sign>) -> bool {
    let is_policy = matches!(sign, Some(Sign::PublicPolicy | Sign::Grants | Sign::AdminPolicy));
    !is_policy || later.request.as_deref().is_some_and(|request| request.contains("Effect"))
}

/// A rule that is revoked in the words of the rule that was open.
fn closes(later: &EventRow, sign: Sign) -> bool {
    let asked = super::sign::Asked { request: later.request.as_deref(), ..super::sign::Asked::default() };
    matches!(sign, Sign::OpenIngress(_)) && sign.read(asked) == Verdict::Shows
}

/// Taken from everybody.
fn unshares(request: &Value) -> bool {
    let mut removed: Vec<&Value> =
        ["valuesToRemove", "accountIdsToRemove"].iter().filter_map(|name| request.get(name)).collect();
    for name in ["createVolumePermission", "launchPermission"] {
        removed.extend(request.get(name).and_then(|permission| permission.get("remove")));
    }
    removed.iter().any(|value| value.to_string().contains("\"all\""))
}

fn read(json: &Option<String>) -> Value {
    json.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// The texts of a member, at any depth; of an ARN its last part, since calls name things by either.
fn texts(value: &Value, wanted: &str) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| match member {
                Value::String(text) if name == wanted => {
                    vec![text.rsplit('/').next().unwrap_or(text).to_owned()]
                }
                _ => texts(member, wanted),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| texts(item, wanted)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::investigate::sign::Ports;

    fn row(operation: &str, request: &str) -> EventRow {
        EventRow {
            operation: Some(operation.to_owned()),
            request: Some(request.to_owned()),
            ..EventRow::default()
        }
    }

    #[test]
    fn what_was_set_is_replaced_and_what_was_added_is_taken_back() {
        let ssh = Sign::OpenIngress(Ports::Any(&[22]));
        let check = |(by, request): (&str, &str), verdict, (done, earlier): (&str, &str), sign, expected| {
            let (later, earlier) = (row(by, request), row(done, earlier));
            assert_eq!(undoes((&later, Some(sign), verdict), (&earlier, sign)), expected, "{by} {request}");
        };
        use Verdict::{Against, Silent};
        let policy = r#"{"bucketPolicy":{"Statement":[{"Effect":"Deny"}]}}"#;
        check(("PutBucketPolicy", policy), Against, ("PutBucketPolicy", "{}"), Sign::PublicPolicy, true);
        check(("PutBucketTagging", policy), Against, ("PutBucketPolicy", "{}"), Sign::PublicPolicy, false);
        let name = r#"{"attributeName":"DisplayName"}"#;
        check(("SetTopicAttributes", name), Against, ("SetTopicAttributes", "{}"), Sign::Grants, false);
        check(("ModifyDBInstance", "{}"), Silent, ("ModifyDBInstance", "{}"), Sign::True(&["x"]), false);
        let main = r#"{"name":"arn:aws:cloudtrail:eu-west-1:1:trail/main"}"#;
        check(("StartLogging", r#"{"name":"main"}"#), Against, ("StopLogging", main), Sign::Always, true);
        check(("StartLogging", r#"{"name":"other"}"#), Against, ("StopLogging", main), Sign::Always, false);
        let open = |port: u32| {
            format!(
                r#"{{"ipPermissions":{{"items":[{{"fromPort":{port},"toPort":{port},"ipRanges":{{"items":[{{"cidrIp":"0.0.0.0/0"}}]}}}}]}}}}"#
            )
        };
        let authorized = ("AuthorizeSecurityGroupIngress", open(22));
        let authorized = (authorized.0, authorized.1.as_str());
        check(("RevokeSecurityGroupIngress", &open(22)), Against, authorized, ssh, true);
        check(("RevokeSecurityGroupIngress", &open(443)), Against, authorized, ssh, false);
        let removed = r#"{"snapshotId":"s","createVolumePermission":{"remove":{"items":[{"group":"all"}]}}}"#;
        check(
            ("ModifySnapshotAttribute", removed),
            Against,
            ("ModifySnapshotAttribute", "{}"),
            Sign::Shared,
            true,
        );
    }
}
