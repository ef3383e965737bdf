//! Investigations on the real binary: a lake of a few records, a subject, and who, what, when must come out.
//!
//! Each scenario has its true cause, actor and root; where the logs cannot tell, nobody may be named.

use serde_json::{Value, json};

use crate::archive::{ACCOUNT, OTHER_ACCOUNT, REGION, Site, file, gzip, key};

const GROUP: &str = "sg-0123456789abcdef0";

/// A call of somebody at a time of 2025-01-05.
fn call(
    number: u32,
    (time, who): (&str, &Value),
    (service, name): (&str, &str),
    request: impl Into<Value>,
) -> Value {
    let is_read = ["Get", "List", "Describe"].iter().any(|start| name.starts_with(start));
    json!({
        "eventVersion": "1.11",
        "userIdentity": who,
        "eventTime": format!("2025-01-05T{time}Z"),
        "eventSource": format!("{service}.amazonaws.com"),
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.15.0 \u{1b}[31mred",
        "requestParameters": request.into(),
        "responseElements": null,
        "requestID": format!("00000000-0000-4000-9000-{number:012}"),
        "eventID": format!("00000000-0000-4000-8000-{number:012}"),
        "readOnly": is_read,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": who.get("accountId").cloned().unwrap_or(json!(ACCOUNT)),
        "eventCategory": "Management",
    })
}

fn with(mut record: Value, path: &str, value: Value) -> Value {
    record[path] = value;
    record
}

fn user(name: &str) -> Value {
    json!({
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLEUSER",
        "arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}"),
        "accountId": ACCOUNT,
        "accessKeyId": "AKIAEXAMPLEKEY000001",
        "userName": name,
    })
}

fn session((account, role, name): (&str, &str, &str), key: &str, began: &str) -> Value {
    json!({
        "type": "AssumedRole",
        "principalId": format!("AROAEXAMPLEROLE:{name}"),
        "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{name}"),
        "accountId": account,
        "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAEXAMPLEROLE",
                "arn": format!("arn:aws:iam::{account}:role/{role}"),
                "accountId": account,
                "userName": role,
            },
            "attributes": {"creationDate": format!("2025-01-05T{began}Z"), "mfaAuthenticated": "false"},
        },
    })
}

/// A record that gives a session of a role.
fn assume(
    number: u32,
    (time, who): (&str, &Value),
    (account, role, name): (&str, &str, &str),
    key: &str,
) -> Value {
    let request = json!({"roleArn": format!("arn:aws:iam::{account}:role/{role}"), "roleSessionName": name});
    let response = json!({
        "credentials": {"accessKeyId": key, "expiration": "Jan 5, 2025, 11:00:00 PM", "sessionToken": "t"},
        "assumedRoleUser": {
            "assumedRoleId": format!("AROAEXAMPLEROLE:{name}"),
            "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{name}"),
        },
    });
    with(call(number, (time, who), ("sts", "AssumeRole"), request), "responseElements", response)
}

fn opened(port: u32, cidr: &str) -> Value {
    let range = json!({"ipProtocol": "tcp", "fromPort": port, "toPort": port, "ipRanges": {"items": [{"cidrIp": cidr}]}});
    json!({"groupId": GROUP, "ipPermissions": {"items": [range]}})
}

/// A finding of a control, as Security Hub sends it.
fn finding(control: &str, (kind, resource): (&str, &str), at: &str) -> Value {
    let at = format!("2025-01-05T{at}.000Z");
    json!({
        "version": "0",
        "id": "8e5622f9-d81c-4d81-612a-9319e7ee2506",
        "detail-type": "Security Hub Findings - Imported",
        "source": "aws.securityhub",
        "account": ACCOUNT,
        "time": at,
        "region": REGION,
        "resources": [],
        "detail": {"findings": [{
            "SchemaVersion": "2018-10-08",
            "Id": format!("arn:aws:securityhub:{REGION}:{ACCOUNT}:security-control/{control}/finding/{control}"),
            "ProductArn": format!("arn:aws:securityhub:{REGION}::product/aws/securityhub"),
            "ProductName": "Security Hub",
            "GeneratorId": format!("security-control/{control}"),
            "AwsAccountId": ACCOUNT,
            "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
            "FirstObservedAt": at,
            "CreatedAt": at,
            "UpdatedAt": at,
            "Severity": {"Label": "HIGH", "Normalized": 70},
            "Title": "A control",
            "Description": "It fails.",
            "Resources": [{"Type": kind, "Id": resource, "Region": REGION, "Partition": "aws"}],
            "Compliance": {"Status": "FAILED", "SecurityControlId": control},
            "WorkflowState": "NEW",
            "Workflow": {"Status": "NEW"},
            "RecordState": "ACTIVE",
        }]},
    })
}

/// A lake with these records and findings.
fn lake(records: &[Value], findings: &[Value]) -> Site {
    let site = Site::new();
    site.put(&key(REGION, "a"), &gzip(&file(records)));
    if !findings.is_empty() {
        let lines: Vec<String> = findings.iter().map(Value::to_string).collect();
        site.put("security-events/2025/01/05/10/security-events-1.gz", &gzip(lines.join("\n").as_bytes()));
    }
    site.ingest().ended(0);
    site
}

fn ask(site: &Site, subject: &str) -> Value {
    let ran = site.run(&["investigate", subject, "--format", "json"]).ended(0);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:#?}"))
}

/// Every question was answered, and every line has its evidence.
#[track_caller]
fn whole(answer: &Value) {
    for asked in answer["asked"].as_array().unwrap() {
        assert_eq!(asked["error"], Value::Null, "{asked:#}");
    }
    for line in answer["timeline"].as_array().unwrap() {
        assert!(line["evidence"][0]["object"].is_string(), "{line:#}");
        assert!(line["evidence"][0]["index"].is_i64(), "{line:#}");
    }
}

#[test]
fn of_two_people_a_minute_apart_the_one_whose_request_shows_it() {
    let mio = session(
        (ACCOUNT, "AWSReservedSSO_Admin_0123456789abcdef", "mio@example.com"),
        "ASIAEXAMPLEKEY000001",
        "09:00:00",
    );
    let ren = user("ren");
    let records = [
        call(1, ("10:00:00", &mio), ("ec2", "AuthorizeSecurityGroupIngress"), opened(22, "0.0.0.0/0")),
        call(2, ("10:00:40", &ren), ("ec2", "AuthorizeSecurityGroupIngress"), opened(443, "0.0.0.0/0")),
        call(3, ("10:30:00", &ren), ("ec2", "AuthorizeSecurityGroupIngress"), opened(22, "::/0")),
    ];
    let arn = format!("arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{GROUP}");
    let site = lake(&records, &[finding("EC2.13", ("AwsEc2SecurityGroup", &arn), "10:10:00")]);
    let answer = ask(&site, "latest");
    whole(&answer);
    assert_eq!(answer["cause"]["line"]["evidence"][0]["event_id"], "00000000-0000-4000-8000-000000000001");
    assert_eq!(answer["cause"]["confidence"], "high");
    assert_eq!(answer["root"]["kind"], "sso_user");
    assert_eq!(answer["root"]["name"], "mio@example.com");
    let others = answer["cause"]["runners_up"].to_string();
    assert!(others.contains("user/ren"), "{others}");
    assert!(
        answer["answer"]["text"]
            .as_str()
            .unwrap()
            .contains("mio@example.com called AuthorizeSecurityGroupIngress")
    );

    let shown = site.run(&["investigate", "latest"]).ended(0).out;
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert!(shown.contains("mio@example.com"), "{shown}");
    let json = site.run(&["investigate", "latest", "--format", "json"]).ended(0).out;
    assert!(!json.contains('\u{1b}'));
}

#[test]
fn a_chain_of_three_hops_across_accounts_ends_at_the_user() {
    let ren = user("ren");
    let build = (ACCOUNT, "build", "job");
    let deploy = (OTHER_ACCOUNT, "deploy", "release");
    let (first, second) = ("ASIAEXAMPLEKEY000001", "ASIAEXAMPLEKEY000002");
    let building = session(build, first, "09:00:00");
    let deploying = session(deploy, second, "09:30:00");
    let copy = json!({"type": "AWSAccount", "principalId": "AROAEXAMPLEROLE:job", "accountId": ACCOUNT});
    let far = assume(3, ("09:30:00", &copy), deploy, second);
    let far = with(with(far, "recipientAccountId", json!(OTHER_ACCOUNT)), "sharedEventID", json!("shared-1"));
    let near = with(assume(2, ("09:30:00", &building), deploy, second), "sharedEventID", json!("shared-1"));
    let records = [
        assume(1, ("09:00:00", &ren), build, first),
        near,
        far,
        call(
            4,
            ("09:40:00", &deploying),
            ("kms", "ScheduleKeyDeletion"),
            json!({"keyId": "k", "pendingWindowInDays": 7}),
        ),
        // A service acts with the session of its caller: another key, the same session.
        with(
            call(
                5,
                (
                    "09:41:00",
                    &with(
                        session(deploy, "ASIAEXAMPLEKEY000009", "09:30:00"),
                        "invokedBy",
                        json!("cloudformation.amazonaws.com"),
                    ),
                ),
                ("iam", "CreateRole"),
                json!({"roleName": "made"}),
            ),
            "sourceIPAddress",
            json!("cloudformation.amazonaws.com"),
        ),
    ];
    let site = lake(&records, &[]);
    let answer = ask(&site, "00000000-0000-4000-8000-000000000004");
    whole(&answer);
    assert_eq!(
        (&answer["root"]["kind"], &answer["root"]["name"]),
        (&json!("iam_user"), &json!("ren")),
        "{answer:#}"
    );
    assert_eq!(answer["root"]["confidence"], "high");
    let up: Vec<_> =
        answer["chain"].as_array().unwrap().iter().filter(|edge| edge["direction"] == "up").collect();
    assert_eq!(up.len(), 2, "{up:#?}");
    assert_eq!(up[0]["parent"]["credential"], "AKIAEXAMPLEKEY000001", "the root first");
    assert!(up[0]["evidence"][0]["object"].is_string(), "{up:#?}");

    let answer = ask(&site, "00000000-0000-4000-8000-000000000005");
    assert_eq!(answer["root"]["name"], "ren", "{:#}", answer["root"]);
    assert_eq!(answer["root"]["via"], "cloudformation.amazonaws.com");
}

#[test]
fn what_the_logs_cannot_tell_is_said_with_its_reason() {
    let records = [
        call(1, ("10:00:00", &user("ren")), ("s3", "PutBucketTagging"), json!({"bucketName": "exports"})),
        call(
            2,
            ("10:01:00", &session((ACCOUNT, "deploy", "build-17"), "ASIAEXAMPLEKEY000007", "09:59:00")),
            ("ec2", "StopInstances"),
            json!({}),
        ),
    ];
    let site = lake(&records, &[finding("S3.8", ("AwsS3Bucket", "arn:aws:s3:::exports"), "11:00:00")]);
    let answer = ask(&site, "latest");
    whole(&answer);
    assert_eq!(answer["cause"], Value::Null, "{:#}", answer["cause"]);
    let why = answer["cannot_tell"].as_str().unwrap();
    assert!(why.contains("none brings this state about") && why.contains("logs begin at"), "{why}");
    assert_eq!(answer["root"]["kind"], "unknown");
    assert!(answer["notes"].to_string().contains("no flow logs"), "{:#}", answer["notes"]);

    let answer = ask(&site, "00000000-0000-4000-8000-000000000002");
    assert_eq!(
        (&answer["root"]["kind"], &answer["root"]["confidence"]),
        (&json!("role_session"), &json!("low"))
    );
    assert!(answer["root"]["why"].as_str().unwrap().contains("origin outside the window"));

    let answer = ask(&site, "AKIAEXAMPLEKEY999999");
    assert_eq!(answer["cannot_tell"], "the lake knows nothing of the subject");
}

#[test]
fn half_settled_it_says_the_same_and_empty_what_is_missing() {
    let ren = user("ren");
    let early = call(1, ("10:00:00", &ren), ("s3", "PutBucketTagging"), json!({"bucketName": "exports"}));
    let late = call(2, ("10:05:00", &ren), ("ec2", "AuthorizeSecurityGroupIngress"), opened(22, "0.0.0.0/0"));
    let subject = ren["arn"].as_str().unwrap();
    let told = |site: &Site| {
        let answer = ask(site, subject);
        whole(&answer);
        let lines = answer["timeline"].as_array().unwrap().iter();
        let lines: Vec<Value> = lines.map(|line| json!([line["time"], line["operation"]])).collect();
        (answer["answer"]["text"].clone(), answer["root"]["name"].clone(), lines)
    };
    let hot = told(&lake(&[early.clone(), late.clone()], &[]));
    assert_eq!((hot.1.as_str(), hot.2.len()), (Some("ren"), 2), "{hot:#?}");
    let site = lake(&[early], &[]);
    site.settle().ended(0);
    site.put(&key(REGION, "b"), &gzip(&file(&[late])));
    site.ingest().ended(0);
    let hot_files = "select count(*) from files where state = 'visible' and kind = 'hot'";
    let settled_files = "select count(*) from files where state = 'visible' and kind = 'settled'";
    assert_eq!((site.count(hot_files), site.count(settled_files)), (1, 1), "half of it is settled");
    assert_eq!(told(&site), hot);

    let empty = Site::new();
    empty.ingest().ended(0);
    let answer = ask(&empty, subject);
    whole(&answer);
    assert_eq!(answer["cannot_tell"], "the lake knows nothing of the subject");
    let notes = answer["notes"].to_string();
    for missing in ["no CloudTrail events", "no flow logs", "no findings"] {
        assert!(notes.contains(missing), "{missing}: {notes}");
    }
}
