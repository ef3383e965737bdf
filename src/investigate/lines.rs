//! What was done, as lines: the timeline, what was created, what was refused, what was done to logging.
//!
//! Takes events of the credentials in question and gives lines, bounded, with what is to be said of each. Promises that
//! changes, refusals and sign-ins stand alone, reads together by the name of their call, and that of many the
//! weighty ones are kept.

use serde_json::Value;

use super::answer::{Created, Line, Note, NoteKind};
use super::rows::EventRow;

/// How many lines a timeline has.
pub(super) const TIMELINE_MAX: usize = 250;

/// How many characters of a name from a request are kept.
const NAME_CHARS_MAX: usize = 300;

/// Calls that stop or blind logging and the security services, and what to say of them.
const LOGGING: [(&str, &str); 34] = [
    ("StopLogging", "stops a trail"),
    ("DeleteTrail", "deletes a trail"),
    ("UpdateTrail", "changes a trail"),
    ("PutEventSelectors", "changes what a trail records"),
    ("PutInsightSelectors", "changes what a trail analyses"),
    ("DeleteEventDataStore", "deletes a store of events"),
    ("StopEventDataStoreIngestion", "stops a store of events"),
    ("StopConfigurationRecorder", "stops Config"),
    ("DeleteConfigurationRecorder", "deletes Config's recorder"),
    ("DeleteDeliveryChannel", "deletes Config's delivery"),
    ("PutConfigurationRecorder", "changes what Config records"),
    ("DeleteConfigRule", "deletes a rule of Config"),
    ("DeleteDetector", "deletes GuardDuty's detector"),
    ("UpdateDetector", "changes GuardDuty's detector"),
    ("CreateFilter", "lets GuardDuty hide findings"),
    ("CreateIPSet", "lets GuardDuty trust addresses"),
    ("ArchiveFindings", "archives findings"),
    ("DisassociateFromMasterAccount", "leaves GuardDuty's administrator"),
    ("DisassociateFromAdministratorAccount", "leaves the administrator"),
    ("DisassociateMembers", "lets members go"),
    ("DeleteMembers", "deletes members"),
    ("StopMonitoringMembers", "stops watching members"),
    ("DisableSecurityHub", "disables Security Hub"),
    ("BatchDisableStandards", "disables standards"),
    ("UpdateStandardsControl", "changes a control"),
    ("BatchUpdateFindings", "changes findings"),
    ("DisableMacie", "disables Macie"),
    ("DeleteAnalyzer", "deletes an analyzer"),
    ("DeleteFlowLogs", "deletes flow logs"),
    ("DeleteLogGroup", "deletes a log group"),
    ("DeleteLogStream", "deletes a log stream"),
    ("PutRetentionPolicy", "changes how long logs are kept"),
    ("DeleteResolverQueryLogConfig", "deletes the log of DNS queries"),
    ("LeaveOrganization", "leaves the organisation"),
];

/// Calls that create something, what they create, and where its id stands in the answer or the request.
const CREATES: [(&str, &str, &[&str]); 32] = [
    ("CreateAccessKey", "access_key", &["/accessKey/accessKeyId"]),
    ("CreateUser", "user", &["/user/arn", "/userName"]),
    ("CreateLoginProfile", "login_profile", &["/loginProfile/userName", "/userName"]),
    ("CreateRole", "role", &["/role/arn", "/roleName"]),
    ("CreatePolicy", "policy", &["/policy/arn", "/policyName"]),
    ("CreatePolicyVersion", "policy_version", &["/policyArn"]),
    ("CreateGroup", "group", &["/group/arn", "/groupName"]),
    ("CreateInstanceProfile", "instance_profile", &["/instanceProfile/arn", "/instanceProfileName"]),
    ("CreateVirtualMFADevice", "mfa_device", &["/virtualMFADevice/serialNumber"]),
    ("CreateSAMLProvider", "saml_provider", &["/sAMLProviderArn", "/name"]),
    ("CreateOpenIDConnectProvider", "oidc_provider", &["/openIDConnectProviderArn", "/url"]),
    ("CreateServiceLinkedRole", "role", &["/role/arn", "/aWSServiceName"]),
    ("CreateTrustAnchor", "trust_anchor", &["/trustAnchor/trustAnchorArn", "/name"]),
    ("CreateProfile", "profile", &["/profile/profileArn", "/name"]),
    ("RunInstances", "instance", &["/instancesSet/items/0/instanceId"]),
    ("CreateKeyPair", "key_pair", &["/keyPairId", "/keyName"]),
    ("ImportKeyPair", "key_pair", &["/keyPairId", "/keyName"]),
    ("CreateSecurityGroup", "security_group", &["/groupId"]),
    ("CreateSnapshot", "snapshot", &["/snapshotId"]),
    ("CreateImage", "image", &["/imageId"]),
    ("CreateVolume", "volume", &["/volumeId"]),
    ("CreateNetworkInterface", "network_interface", &["/networkInterface/networkInterfaceId"]),
    ("CreateVpc", "vpc", &["/vpc/vpcId"]),
    ("CreateFunction", "function", &["/functionArn", "/functionName"]),
    ("CreateBucket", "bucket", &["/bucketName"]),
    ("CreateDBInstance", "db_instance", &["/dBInstanceArn", "/dBInstanceIdentifier"]),
    ("CreateDBSnapshot", "db_snapshot", &["/dBSnapshotArn", "/dBSnapshotIdentifier"]),
    ("CreateStack", "stack", &["/stackId", "/stackName"]),
    ("CreateSecret", "secret", &["/arn", "/name"]),
    ("CreateTopic", "topic", &["/topicArn", "/name"]),
    ("CreateQueue", "queue", &["/queueUrl", "/queueName"]),
    ("CreateKey", "kms_key", &["/keyMetadata/arn"]),
];

/// Calls that change who may do what.
const RIGHTS: [&str; 20] = [
    "AttachUserPolicy",
    "AttachRolePolicy",
    "AttachGroupPolicy",
    "PutUserPolicy",
    "PutRolePolicy",
    "PutGroupPolicy",
    "SetDefaultPolicyVersion",
    "AddUserToGroup",
    "UpdateAssumeRolePolicy",
    "UpdateLoginProfile",
    "UpdateAccessKey",
    "DeactivateMFADevice",
    "PutBucketPolicy",
    "PutBucketAcl",
    "DeleteBucketPublicAccessBlock",
    "PutKeyPolicy",
    "AuthorizeSecurityGroupIngress",
    "ModifySnapshotAttribute",
    "AddPermission",
    "CreateAccountAssignment",
];

/// Where requests name what they are about, the most telling first.
const NAMED: [&str; 34] = [
    "/bucketName",
    "/groupId",
    "/roleArn",
    "/policyArn",
    "/userName",
    "/roleName",
    "/functionName",
    "/dBInstanceIdentifier",
    "/dBClusterIdentifier",
    "/dBSnapshotIdentifier",
    "/keyId",
    "/secretId",
    "/topicArn",
    "/queueUrl",
    "/tableName",
    "/snapshotId",
    "/imageId",
    "/volumeId",
    "/instanceId",
    "/instancesSet/items/0/instanceId",
    "/networkInterfaceId",
    "/vpcId",
    "/subnetId",
    "/routeTableId",
    "/networkAclId",
    "/trailName",
    "/detectorId",
    "/configurationRecorderName",
    "/logGroupName",
    "/stackName",
    "/repositoryName",
    "/clusterName",
    "/groupName",
    "/name",
];

/// Lines sorted into what they say.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) timeline: Vec<Line>,
    pub(super) created: Vec<Created>,
    pub(super) denied: Vec<Line>,
    pub(super) logging: Vec<Line>,
    pub(super) notes: Vec<Note>,
    /// Bytes that left through reads.
    pub(super) bytes_out: i64,
}

/// Says whether an error is a refusal.
pub(super) fn is_denied(error: &str) -> bool {
    ["AccessDenied", "Unauthorized", "Forbidden", "OptInRequired"].iter().any(|word| error.contains(word))
}

/// What comes from a new place or a credential in question weighs so much more.
const OF_INTEREST: u8 = 10;

/// Makes lines of events; `is_of_interest` says which belong to what is investigated beyond doubt.
pub(super) fn sort(mut rows: Vec<EventRow>, is_of_interest: &dyn Fn(&EventRow) -> bool) -> Lines {
    rows.sort_by(|one, other| one.time.cmp(&other.time).then_with(|| one.event_id.cmp(&other.event_id)));
    rows.dedup_by(|one, other| {
        one.event_id.is_some() && one.event_id == other.event_id && one.accountid == other.accountid
    });
    let mut lines = Lines::default();
    let mut weighed: Vec<Line> = Vec::with_capacity(rows.len());
    for row in &rows {
        let (weight, mut line) = line(row);
        line.weight = weight + if is_of_interest(row) { OF_INTEREST } else { 0 };
        let operation = row.operation.as_deref().unwrap_or_default();
        if row.error.as_deref().is_some_and(is_denied) {
            lines.denied.push(line.clone());
        }
        if LOGGING.iter().any(|(name, _)| *name == operation) {
            lines.logging.push(line.clone());
        }
        if row.error.is_none()
            && let Some(created) = created(row, &line)
        {
            lines.created.push(created);
        }
        lines.bytes_out += row.bytes_out.unwrap_or_default();
        weighed.push(line);
    }
    let total = weighed.len();
    let mut order: Vec<usize> = (0..total).collect();
    order.sort_by_key(|index| std::cmp::Reverse(weighed.get(*index).map_or(0, |line| line.weight)));
    let mut kept: Vec<usize> = order.into_iter().take(TIMELINE_MAX).collect();
    kept.sort_unstable();
    if kept.len() < total {
        let text = format!("the timeline shows the {} weightiest of {total} lines", kept.len());
        lines.notes.push(Note { kind: NoteKind::Cut, text });
    }
    lines.timeline = kept.into_iter().filter_map(|index| weighed.get(index).cloned()).collect();
    lines
}

/// A line, and how much it weighs.
fn line(row: &EventRow) -> (u8, Line) {
    let mut line = row.line();
    let operation = row.operation.as_deref().unwrap_or_default();
    line.resource = row.request.as_deref().and_then(resource_of);
    let logging = LOGGING.iter().find(|(name, _)| *name == operation);
    let creates = CREATES.iter().find(|(name, _, _)| *name == operation);
    let is_failed = row.error.is_some();
    let weight = match (logging, creates) {
        (Some((_, words)), _) => {
            line.remark = Some(if is_failed { format!("tries to: {words}") } else { (*words).to_owned() });
            9
        }
        (None, Some((_, kind, _))) if !is_failed => {
            let id = created(row, &line).map(|created| created.id).unwrap_or_default();
            line.remark = Some(format!("creates {} {id}", kind.replace('_', " ")).trim_end().to_owned());
            8
        }
        _ if RIGHTS.contains(&operation) && !is_failed => {
            line.remark = Some("changes who may do what".to_owned());
            8
        }
        _ if operation.starts_with("AssumeRole") && !is_failed => {
            line.remark = row.response.as_deref().and_then(issued).map(|key| format!("gets {key}"));
            6
        }
        _ if operation == "ConsoleLogin" => 7,
        _ if row.error.as_deref().is_some_and(is_denied) => 5,
        _ if is_failed => 2,
        _ if row.is_read == Some(true) && row.count.unwrap_or(1) > 1 => {
            line.remark = Some(match row.bytes_out {
                Some(bytes) if bytes > 0 => format!("{} calls, {bytes} bytes out", line.count),
                _ => format!("{} calls", line.count),
            });
            3
        }
        _ if row.is_read == Some(true) => 1,
        _ => 4,
    };
    (weight, line)
}

fn issued(response: &str) -> Option<String> {
    let value: Value = serde_json::from_str(response).ok()?;
    value.pointer("/credentials/accessKeyId")?.as_str().map(cut)
}

fn created(row: &EventRow, line: &Line) -> Option<Created> {
    let operation = row.operation.as_deref()?;
    let (_, kind, paths) = CREATES.iter().find(|(name, _, _)| *name == operation)?;
    let read =
        |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let (response, request) = (read(&row.response), read(&row.request));
    let find = |value: &Option<Value>| {
        let value = value.as_ref()?;
        paths.iter().find_map(|path| value.pointer(path).and_then(Value::as_str).map(cut))
    };
    let id = find(&response).or_else(|| find(&request))?;
    Some(Created { kind: (*kind).to_owned(), id, line: line.clone() })
}

/// Says what a request is about.
pub(super) fn resource_of(request: &str) -> Option<String> {
    let value: Value = serde_json::from_str(request).ok()?;
    NAMED
        .iter()
        .find_map(|path| value.pointer(path).and_then(Value::as_str))
        .filter(|name| !name.is_empty())
        .map(cut)
}

fn cut(text: &str) -> String {
    text.chars().take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::investigate::Moment;

    fn row(second: u32, operation: &str, error: Option<&str>) -> EventRow {
        EventRow {
            time: Moment::read(&format!("2026-02-04T02:{:02}:{:02}Z", second / 60, second % 60)),
            operation: Some(operation.to_owned()),
            error: error.map(str::to_owned),
            event_id: Some(format!("{second}-{operation}")),
            ..EventRow::default()
        }
    }

    #[test]
    fn lines_go_where_they_belong() {
        let mut key = row(2, "CreateAccessKey", None);
        key.request = Some(r#"{"userName":"svc"}"#.to_owned());
        key.response = Some(r#"{"accessKey":{"accessKeyId":"AKIA1"}}"#.to_owned());
        let rows =
            vec![row(3, "StopLogging", Some("AccessDenied")), key.clone(), row(1, "ListUsers", None), key];
        let lines = sort(rows, &|_| false);
        let names: Vec<_> = lines.timeline.iter().filter_map(|line| line.operation.as_deref()).collect();
        assert_eq!(names, ["ListUsers", "CreateAccessKey", "StopLogging"], "in order, each once");
        assert_eq!(lines.created.first().map(|created| created.id.as_str()), Some("AKIA1"));
        assert_eq!(lines.timeline[1].resource.as_deref(), Some("svc"));
        assert_eq!((lines.denied.len(), lines.logging.len()), (1, 1));
        assert_eq!(lines.logging[0].remark.as_deref(), Some("tries to: stops a trail"));
    }

    #[test]
    fn of_many_lines_the_weighty_are_kept() {
        let mut rows: Vec<_> =
            (0..2 * u32::try_from(TIMELINE_MAX).unwrap()).map(|n| row(n, "PutObject", None)).collect();
        rows.push(row(1, "DeleteTrail", None));
        let lines = sort(rows, &|_| false);
        assert_eq!(lines.timeline.len(), TIMELINE_MAX);
        assert!(lines.timeline.iter().any(|line| line.operation.as_deref() == Some("DeleteTrail")));
        assert_eq!(lines.notes.len(), 1);
    }
}
