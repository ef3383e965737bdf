//! What keys, sessions and instances did: findings of GuardDuty, and subjects that are no finding.

use jiff::Timestamp;
use serde_json::json;

use super::calls::{Call, bucket_read, ec2, iam, open, tagged, trail};
use super::story::{Cause, REGION, Root, Scenario, Story, at, later};

pub(super) const CASES: &[fn(Story) -> Scenario] = &[
    key_used_from_elsewhere,
    trail_stopped_as_guardduty_saw_it,
    instance_credentials_outside,
    root_user_at_work,
    connection_from_outside,
    event_after_three_hops,
    key_of_a_session,
    session_of_a_job,
    service_by_itself,
    user_made_by_a_stolen_session,
    database_key_forwarded,
    forwarded_for_a_person_of_saml,
    call_that_is_not_logged,
    connection_without_flow_logs,
];

fn changed() -> Timestamp {
    at(0, "10:15:30")
}

fn named(who: &str) -> String {
    who.to_owned()
}

fn whoami() -> Call {
    Call::new("sts", "GetCallerIdentity", json!(null))
}

/// A user's key from an address on a list, while the user goes on working from home.
fn key_used_from_elsewhere(mut story: Story) -> Scenario {
    let user = story.user("mio.tanaka");
    for day in -2..=0 {
        story.did(&user, at(day, "10:14:00"), &whoami());
        story.did(&user, at(day, "10:17:00"), &bucket_read("asahi-reports"));
    }
    let thief = user.clone().from("192.0.2.201");
    let cause = story.did(&thief, changed(), &whoami());
    story.refused(&thief, at(0, "10:16:00"), &iam("ListUsers", json!(null), json!(null)));
    let kind = "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom";
    let times = (changed(), changed());
    let id = story.threat_by_key(kind, (&user, "192.0.2.201"), ("sts", "GetCallerIdentity"), times);
    story.ends("key_used_from_elsewhere", &id, Cause::Event(cause), Root::Is("iam_user", named("mio.tanaka")))
}

/// `StopLogging` with a session; an hour before, another session of the role was refused.
fn trail_stopped_as_guardduty_saw_it(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let arn = format!("arn:aws:cloudtrail:{REGION}:{account}:trail/main");
    let stop = trail("StopLogging", &arn, json!({}));
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato").from("203.0.113.9"));
    let role = |session| (account.as_str(), "audit-admin", session);
    let first = story.assume(&ren, at(0, "09:00:00"), role("ren"));
    story.refused(&first, at(0, "10:13:00"), &stop);
    let second = story.assume(&mio, at(0, "10:00:00"), role("mio"));
    let cause = story.did(&second, changed(), &stop);
    let kind = "Stealth:IAMUser/CloudTrailLoggingDisabled";
    let id = story.threat_by_key(
        kind,
        (&second, "198.51.100.24"),
        ("cloudtrail", "StopLogging"),
        (changed(), changed()),
    );
    story.ends(
        "trail_stopped_as_guardduty_saw_it",
        &id,
        Cause::Event(cause),
        Root::Is("iam_user", named("mio.tanaka")),
    )
}

/// An instance's credentials, used off the instance.
fn instance_credentials_outside(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let instance = story.ec2("i", 3);
    let role = (account.as_str(), "web-role", instance.as_str());
    let session = story.assume_by_service("ec2.amazonaws.com", at(0, "06:00:00"), role).from("10.0.3.9");
    let list = Call::new("s3", "ListBuckets", json!({"Host": "s3.amazonaws.com"}));
    for minute in [12, 14, 16, 18] {
        story.did(&session, at(0, &format!("10:{minute}:00")), &list);
    }
    let cause = story.did(&session.clone().from("192.0.2.77"), changed(), &list);
    let kind = "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS";
    let id = story.threat_by_key(
        kind,
        (&session, "192.0.2.77"),
        ("s3", "ListBuckets"),
        (changed(), later(changed(), 40)),
    );
    story.ends(
        "instance_credentials_outside",
        &id,
        Cause::Event(cause),
        Root::Is("instance", instance.clone()),
    )
}

/// The root user is used at all.
fn root_user_at_work(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let root = story.root_user(at(0, "10:10:00"));
    let look = iam("GetAccountSummary", json!(null), json!(null));
    let cause = story.did(&root, changed(), &look);
    let ren = story.user("ren.sato");
    story.did(&ren, at(0, "10:15:20"), &look);
    let kind = "Policy:IAMUser/RootCredentialUsage";
    let id = story.threat_by_key(
        kind,
        (&root, "198.51.100.24"),
        ("iam", "GetAccountSummary"),
        (changed(), changed()),
    );
    let root = Root::Is("root_user", format!("arn:aws:iam::{account}:root"));
    story.ends("root_user_at_work", &id, Cause::Event(cause), root)
}

/// A brute force on an instance, of which the flow logs have the flows.
fn connection_from_outside(mut story: Story) -> Scenario {
    let (instance, interface) = (story.ec2("i", 4), story.ec2("eni", 4));
    let flow = |from: &str, to: &str, ports: (u16, u16), start: Timestamp| {
        let start = start.as_second();
        let end = start + 50;
        format!(
            "2 {} {interface} {from} {to} {} {} 6 22 4249 {start} {end} ACCEPT OK",
            story.account, ports.0, ports.1
        )
    };
    let own = "10.0.1.17";
    let mut flows = vec![
        flow("192.0.2.88", own, (51_515, 22), changed()),
        flow(own, "192.0.2.88", (22, 51_515), later(changed(), 1)),
    ];
    for minute in 0..20_i64 {
        flows.push(flow("203.0.113.5", own, (40_000, 443), later(changed(), (minute - 10) * 60)));
        flows.push(flow(own, "10.0.9.3", (41_000, 5432), later(changed(), (minute - 10) * 60 + 3)));
    }
    story.flows = flows;
    let ren = story.user("ren.sato");
    story.did(&ren, at(-1, "10:00:00"), &whoami());
    let times = (changed(), later(changed(), 60));
    let kind = "UnauthorizedAccess:EC2/SSHBruteForce";
    let id = story.threat_on_instance(kind, (&instance, &interface, own), ("192.0.2.88", 22), times);
    let mut told = story.ends(
        "connection_from_outside",
        &id,
        Cause::Flow(named("192.0.2.88")),
        Root::Is("instance", instance),
    );
    told.time = Some(changed());
    told
}

/// An event, made with the third role of a chain.
fn event_after_three_hops(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (build, tools) = (story.other_account(1), story.other_account(2));
    let job = "repo:asahi-example/release:ref:refs/tags/v7";
    let first = story.web_identity(at(0, "10:00:00"), (&build, "github", "GitHubActions"), job);
    let second = story.assume(&first, at(0, "10:03:00"), (&tools, "release", "v7"));
    let third = story.assume(&second, at(0, "10:06:00"), (&account, "deploy", "v7"));
    let id = story.ec2("sg", 5);
    let cause = story.did(&third, changed(), &open(&id, 443, "0.0.0.0/0"));
    story.ends(
        "event_after_three_hops",
        &cause.clone(),
        Cause::Event(cause),
        Root::Is("web_identity", named(job)),
    )
}

/// A temporary key that a user got by a chain; nothing is asked but who.
fn key_of_a_session(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let hub = story.other_account(1);
    let user = story.user_of(&hub, "nao.endo");
    let session = story.assume(&user, at(0, "10:00:00"), (&account, "support", "nao"));
    for minute in 10..20 {
        story.did(&session, at(0, &format!("10:{minute}:00")), &bucket_read("asahi-reports"));
    }
    let key = session.key();
    story.ends("key_of_a_session", &key, Cause::NotAsked, Root::Is("iam_user", named("nao.endo")))
}

/// A session by its ARN.
fn session_of_a_job(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let subject = "repo:asahi-example/shop:pull_request";
    let job = story.web_identity(at(0, "10:00:00"), (&account, "plan", "run-9918"), subject);
    for minute in 10..20 {
        story.did(&job, at(0, &format!("10:{minute}:00")), &bucket_read("asahi-state"));
    }
    let arn = job.arn();
    story.ends("session_of_a_job", &arn, Cause::NotAsked, Root::Is("web_identity", named(subject)))
}

/// Auto Scaling ends an instance by itself.
fn service_by_itself(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (id, other) = (story.ec2("i", 8), story.ec2("i", 9));
    let host = "autoscaling.amazonaws.com";
    let role = (account.as_str(), "AWSServiceRoleForAutoScaling", "AutoScaling");
    let session = story.assume_by_service(host, at(0, "10:00:00"), role);
    let key = session.key();
    let session = session.by_way_of(host, &key);
    let end = |id: &str| ec2("TerminateInstances", json!({"instancesSet": {"items": [{"instanceId": id}]}}));
    let look =
        Call::new("ec2", "DescribeInstances", json!({"instancesSet": {"items": [{"instanceId": id}]}}));
    story.bustle(&end(&id), &end(&other), &look);
    let cause = story.did(&session, changed(), &end(&id));
    story.ends("service_by_itself", &id, Cause::Event(cause), Root::Is("service", named(host)))
}

/// A session that was stolen makes a user to come back by: who made that user?
fn user_made_by_a_stolen_session(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let victim = story.user("mio.tanaka");
    let session = story.session_token(&victim, at(0, "09:40:00"));
    story.did(&session, at(0, "09:45:00"), &whoami());
    let thief = session.from("192.0.2.44");
    let made = |name: &str| {
        let arn = format!("arn:aws:iam::{account}:user/{name}");
        let user = json!({"user": {"path": "/", "userName": name, "arn": arn, "userId": "AIDAEXAMPLEMADE"}});
        iam("CreateUser", json!({"userName": name}), user)
    };
    let look = iam("GetUser", json!({"userName": "svc-sync"}), json!(null));
    story.bustle(&made("svc-sync"), &made("svc-mail"), &look);
    let cause = story.did(&thief, changed(), &made("svc-sync"));
    let arn = format!("arn:aws:iam::{account}:user/svc-sync");
    story.ends(
        "user_made_by_a_stolen_session",
        &arn,
        Cause::Event(cause),
        Root::Is("iam_user", named("mio.tanaka")),
    )
}

/// RDS makes a grant of a key for the person who makes a database: the service acts with the person's session.
fn database_key_forwarded(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let key_id = story.uuid();
    let arn = format!("arn:aws:kms:{REGION}:{account}:key/{key_id}");
    let person = story.sso(at(0, "10:00:00"), "DatabaseAdmin", "sora.mori@example.com");
    let request = json!({"dBInstanceIdentifier": "ledger", "engine": "postgres", "kmsKeyId": arn, "storageEncrypted": true});
    story.did(&person, at(0, "10:15:28"), &Call::new("rds", "CreateDBInstance", request));
    let key = story.key("ASIA", &account);
    let forwarded = person.by_way_of("rds.amazonaws.com", &key);
    let operations = json!(["Decrypt", "Encrypt", "GenerateDataKey"]);
    let request = json!({"granteePrincipal": "rds.eu-west-1.amazonaws.com", "operations": operations});
    let cause = story.did(&forwarded, changed(), &super::calls::kms("CreateGrant", &arn, request));
    let root = Root::Is("sso_user", named("sora.mori@example.com"));
    story.ends("database_key_forwarded", &cause.clone(), Cause::Event(cause), root)
}

/// CloudFormation acts with the session of a person of a SAML provider who is in the console.
fn forwarded_for_a_person_of_saml(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let person = story.saml(at(0, "10:00:00"), "platform", "jun.ono@example.com").in_console();
    story.signed_in(&person, at(0, "10:00:00"), "No");
    story.did(
        &person,
        at(0, "10:14:40"),
        &Call::new("cloudformation", "UpdateStack", json!({"stackName": "edge"})),
    );
    let key = story.key("ASIA", &account);
    let forwarded = person.by_way_of("cloudformation.amazonaws.com", &key);
    let id = story.ec2("sg", 6);
    let cause = story.did(&forwarded, changed(), &open(&id, 443, "0.0.0.0/0"));
    let root = Root::Is("federated_user", named("jun.ono@example.com"));
    story.ends("forwarded_for_a_person_of_saml", &cause.clone(), Cause::Event(cause), root)
}

/// GuardDuty speaks of reads of objects, which this trail does not log.
fn call_that_is_not_logged(mut story: Story) -> Scenario {
    let user = story.user("mio.tanaka");
    story.did(&user, at(0, "09:00:00"), &whoami());
    story.did(&user, at(0, "10:14:00"), &tagged("asahi-reports"));
    let kind = "Exfiltration:IAMUser/AnomalousBehavior";
    let id = story.threat_by_key(kind, (&user, "192.0.2.201"), ("s3", "GetObject"), (changed(), changed()));
    let root = Root::Is("iam_user", named("mio.tanaka"));
    story.ends("call_that_is_not_logged", &id, Cause::CannotTell("no such call"), root)
}

/// A connection of an instance that has no flow logs.
fn connection_without_flow_logs(mut story: Story) -> Scenario {
    let (instance, interface) = (story.ec2("i", 5), story.ec2("eni", 5));
    let ren = story.user("ren.sato");
    let look =
        Call::new("ec2", "DescribeInstances", json!({"instancesSet": {"items": [{"instanceId": instance}]}}));
    story.did(&ren, at(0, "10:00:00"), &look);
    let kind = "UnauthorizedAccess:EC2/RDPBruteForce";
    let ends = (instance.as_str(), interface.as_str(), "10.0.1.18");
    let id = story.threat_on_instance(kind, ends, ("192.0.2.89", 3389), (changed(), changed()));
    story.ends("connection_without_flow_logs", &id, Cause::CannotTell("flow"), Root::Is("instance", instance))
}
