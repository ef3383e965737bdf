//! Security groups that were opened, the trail that was stopped, and who did it through whom.

use jiff::Timestamp;
use serde_json::json;

use super::calls::{Call, close, ec2, group_read, group_tag, iam, new_key, open, policy_text, trail};
use super::story::{Cause, REGION, Root, Scenario, Story, at};

pub(super) const CASES: &[fn(Story) -> Scenario] = &[
    two_people_a_minute_apart,
    the_second_only_repeats,
    rule_changed_by_ci,
    opened_closed_opened,
    resolved_by_now,
    opened_by_another_session_of_the_console,
    switched_role_in_the_console,
    from_an_account_without_logs,
    cloudformation_with_a_role_of_its_own,
    all_ports_by_an_instance,
    trail_stopped,
    trail_deleted,
    key_of_the_root_user,
    key_that_is_old,
    policy_that_allows_all,
    role_for_an_account_outside,
    by_the_command_line_of_identity_center,
    named_by_source_identity,
];

fn changed() -> Timestamp {
    at(0, "10:15:30")
}

fn noticed() -> Timestamp {
    at(0, "10:41:00")
}

const WORLD: &str = "0.0.0.0/0";

fn named(who: &str) -> String {
    who.to_owned()
}

/// A group with what goes on around it.
fn group(story: &mut Story, port: u32) -> (String, String) {
    let (id, other) = (story.ec2("sg", 1), story.ec2("sg", 2));
    story.bustle(&open(&id, port, WORLD), &open(&other, port, WORLD), &group_read(&id));
    let arn = format!("arn:aws:ec2:{REGION}:{}:security-group/{id}", story.account);
    (id, arn)
}

/// EC2.19: one opens the database's port, another the web's a minute later.
fn two_people_a_minute_apart(mut story: Story) -> Scenario {
    let (id, arn) = group(&mut story, 3306);
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato"));
    let cause = story.did(&mio, changed(), &open(&id, 3306, WORLD));
    story.did(&ren, at(0, "10:16:20"), &open(&id, 443, WORLD));
    story.did(&ren, at(0, "10:16:40"), &open(&id, 5432, "10.0.0.0/8"));
    let finding = story.control("EC2.19", ("AwsEc2SecurityGroup", &arn), noticed());
    story.ends(
        "two_people_a_minute_apart",
        &finding,
        Cause::Event(cause),
        Root::Is("iam_user", named("mio.tanaka")),
    )
}

/// Two ask for the same: what is there already is refused to the second.
fn the_second_only_repeats(mut story: Story) -> Scenario {
    let (id, arn) = group(&mut story, 22);
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato"));
    let cause = story.did(&mio, changed(), &open(&id, 22, WORLD));
    story.failed(&ren, at(0, "10:15:58"), &open(&id, 22, WORLD), "Client.InvalidPermission.Duplicate");
    story.did(&ren, at(0, "10:16:30"), &group_tag(&id));
    let finding = story.control("EC2.13", ("AwsEc2SecurityGroup", &arn), noticed());
    story.ends(
        "the_second_only_repeats",
        &finding,
        Cause::Event(cause),
        Root::Is("iam_user", named("mio.tanaka")),
    )
}

/// A rule that was there is changed, by a job outside; what is asked about is a rule of Config.
fn rule_changed_by_ci(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (id, _) = group(&mut story, 22);
    let rule = |port: u32, cidr: &str| {
        let rule = json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIpv4": cidr});
        let rule = json!({"SecurityGroupRuleId": story_rule(&id), "SecurityGroupRule": rule, "tag": 1});
        ec2(
            "ModifySecurityGroupRules",
            json!({"ModifySecurityGroupRulesRequest": {"GroupId": id, "SecurityGroupRule": rule}}),
        )
    };
    let ren = story.user("ren.sato");
    story.did(&ren, at(-1, "10:00:00"), &rule(22, "10.0.0.0/8"));
    let subject = "repo:asahi-example/edge:ref:refs/heads/hotfix";
    let job = story.web_identity(at(0, "10:14:00"), (&account, "edge-deploy", "GitHubActions"), subject);
    let cause = story.did(&job, changed(), &rule(22, WORLD));
    story.did(&ren, at(0, "10:20:00"), &rule(443, WORLD));
    let about = ("AWS::EC2::SecurityGroup", id.as_str());
    let finding = story.rule("restricted-ssh", about, ("NON_COMPLIANT", noticed()));
    story.ends("rule_changed_by_ci", &finding, Cause::Event(cause), Root::Is("web_identity", named(subject)))
}

fn story_rule(group: &str) -> String {
    group.replacen("sg-", "sgr-", 1)
}

/// Opened, closed, opened again by somebody else: Config says when it was well.
fn opened_closed_opened(mut story: Story) -> Scenario {
    let (id, _) = group(&mut story, 3389);
    let (mio, ren, ken) = (story.user("mio.tanaka"), story.user("ren.sato"), story.user("ken.abe"));
    story.did(&mio, at(-3, "10:00:00"), &open(&id, 3389, WORLD));
    story.did(&ren, at(-3, "12:00:00"), &close(&id, 3389, WORLD));
    let cause = story.did(&ken, changed(), &open(&id, 3389, WORLD));
    let about = ("AWS::EC2::SecurityGroup", id.as_str());
    story.rule("restricted-rdp", about, ("NON_COMPLIANT", at(-3, "10:05:00")));
    story.rule("restricted-rdp", about, ("COMPLIANT", at(-3, "12:05:00")));
    let finding = story.rule("restricted-rdp", about, ("NON_COMPLIANT", noticed()));
    story.ends("opened_closed_opened", &finding, Cause::Event(cause), Root::Is("iam_user", named("ken.abe")))
}

/// It is well again: asked about is the failure before that.
fn resolved_by_now(mut story: Story) -> Scenario {
    let (id, arn) = group(&mut story, 22);
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato"));
    let cause = story.did(&mio, changed(), &open(&id, 22, WORLD));
    story.did(&ren, at(0, "13:00:00"), &close(&id, 22, WORLD));
    let about = ("AwsEc2SecurityGroup", arn.as_str());
    let finding = story.control("EC2.13", about, noticed());
    story.control_state(&finding, ("EC2.13", "PASSED"), about, (noticed(), at(0, "13:20:00")));
    story.ends("resolved_by_now", &finding, Cause::Event(cause), Root::Is("iam_user", named("mio.tanaka")))
}

/// An IAM user in the console, whose keys no record issued.
fn opened_by_another_session_of_the_console(mut story: Story) -> Scenario {
    let (id, arn) = group(&mut story, 22);
    let account = story.account.clone();
    let person = story.console(&account, "yui.kato", at(0, "08:30:00"));
    let key = story.key("ASIA", &account);
    story.did(&person, at(0, "10:00:00"), &group_read(&id));
    let cause = story.did(&person.with_key(&key), changed(), &open(&id, 22, WORLD));
    let finding = story.control("EC2.13", ("AwsEc2SecurityGroup", &arn), noticed());
    story.ends(
        "opened_by_another_session_of_the_console",
        &finding,
        Cause::Event(cause),
        Root::Is("iam_user", named("yui.kato")),
    )
}

/// A user signs in, switches to a role, and the console mints further keys for that session.
fn switched_role_in_the_console(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (id, arn) = group(&mut story, 22);
    let hub = story.other_account(1);
    let person = story.console(&hub, "haru.ito", at(0, "09:58:00"));
    let role = (account.as_str(), "ops-admin", "haru.ito");
    let session = story.assume(&person, at(0, "10:05:00"), role).in_console();
    let key = story.key("ASIA", &account);
    let cause = story.did(&session.with_key(&key), changed(), &open(&id, 22, WORLD));
    let finding = story.control("EC2.13", ("AwsEc2SecurityGroup", &arn), noticed());
    story.ends(
        "switched_role_in_the_console",
        &finding,
        Cause::Event(cause),
        Root::Is("iam_user", named("haru.ito")),
    )
}

/// The role was taken from an account of which the lake has nothing: no more than the account can be told.
fn from_an_account_without_logs(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (id, arn) = group(&mut story, 22);
    let outside = story.user_of("999900001111", "someone");
    let session = story.assume_from_outside(&outside, at(0, "10:05:00"), (&account, "partner", "support"));
    let cause = story.did(&session, changed(), &open(&id, 22, WORLD));
    let finding = story.control("EC2.13", ("AwsEc2SecurityGroup", &arn), noticed());
    story.ends(
        "from_an_account_without_logs",
        &finding,
        Cause::Event(cause),
        Root::Is("account", named("999900001111")),
    )
}

/// CloudFormation takes a role for the stack: the service acts; who updated the stack with it stands in another call.
fn cloudformation_with_a_role_of_its_own(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (id, arn) = group(&mut story, 22);
    let person = story.user("mio.tanaka");
    let role_arn = format!("arn:aws:iam::{account}:role/stack-role");
    let stack = json!({"stackName": "edge", "roleARN": role_arn, "capabilities": ["CAPABILITY_IAM"]});
    story.did(&person, at(0, "10:14:30"), &Call::new("cloudformation", "UpdateStack", stack));
    let role = (account.as_str(), "stack-role", "AWSCloudFormation");
    let host = "cloudformation.amazonaws.com";
    let session = story.assume_by_service(host, at(0, "10:14:40"), role);
    let key = session.key();
    let cause = story.did(&session.by_way_of(host, &key), changed(), &open(&id, 22, WORLD));
    let finding = story.control("EC2.13", ("AwsEc2SecurityGroup", &arn), noticed());
    story.ends(
        "cloudformation_with_a_role_of_its_own",
        &finding,
        Cause::Event(cause),
        Root::Is("iam_user", named("mio.tanaka")),
    )
}

/// EC2.18, every port: an instance's role.
fn all_ports_by_an_instance(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (id, arn) = group(&mut story, 22);
    let instance = story.ec2("i", 7);
    let role = (account.as_str(), "web-role", instance.as_str());
    let session = story.assume_by_service("ec2.amazonaws.com", at(0, "06:00:00"), role).from("10.0.3.9");
    let rule = json!({"ipProtocol": "-1", "groups": {}, "ipRanges": {"items": [{"cidrIp": WORLD}]}, "ipv6Ranges": {}, "prefixListIds": {}});
    let all =
        ec2("AuthorizeSecurityGroupIngress", json!({"groupId": id, "ipPermissions": {"items": [rule]}}));
    let cause = story.did(&session, changed(), &all);
    let finding = story.control("EC2.18", ("AwsEc2SecurityGroup", &arn), noticed());
    story.ends(
        "all_ports_by_an_instance",
        &finding,
        Cause::Event(cause),
        Root::Is("instance", instance.clone()),
    )
}

/// CloudTrail.1: one stops it, another was refused, Terraform updates it all the time.
fn trail_stopped(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let arn = |name: &str| format!("arn:aws:cloudtrail:{REGION}:{account}:trail/{name}");
    let (main, other) = (arn("main"), arn("data-events"));
    let update = json!({"isMultiRegionTrail": true, "includeGlobalServiceEvents": true, "enableLogFileValidation": true});
    story.bustle(
        &trail("StopLogging", &main, json!({})),
        &trail("UpdateTrail", &other, update),
        &trail("GetTrailStatus", &main, json!({})),
    );
    let user = story.user("mio.tanaka");
    let session = story.assume(&user, at(0, "10:00:00"), (&account, "audit-admin", "mio"));
    let cause = story.did(&session, changed(), &trail("StopLogging", &main, json!({})));
    story.did(&user, at(0, "11:30:00"), &trail("StartLogging", &main, json!({})));
    let about = format!("AWS::::Account:{account}");
    let finding = story.control("CloudTrail.1", ("AwsAccount", &about), noticed());
    story.ends("trail_stopped", &finding, Cause::Event(cause), Root::Is("iam_user", named("mio.tanaka")))
}

/// CloudTrail.1 again: the trail is gone, by a user's session with a second factor.
fn trail_deleted(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let arn = format!("arn:aws:cloudtrail:{REGION}:{account}:trail/main");
    let gone = trail("DeleteTrail", &arn, json!({}));
    let update = json!({"isMultiRegionTrail": true, "includeGlobalServiceEvents": true});
    story.bustle(&gone, &trail("UpdateTrail", &arn, update), &trail("GetTrailStatus", &arn, json!({})));
    let user = story.user("ken.abe");
    let session = story.session_token(&user, at(0, "10:10:00"));
    let cause = story.did(&session, changed(), &gone);
    let about = format!("AWS::::Account:{account}");
    let finding = story.control("CloudTrail.1", ("AwsAccount", &about), noticed());
    story.ends("trail_deleted", &finding, Cause::Event(cause), Root::Is("iam_user", named("ken.abe")))
}

/// IAM.4: the root user makes itself a key; users make theirs.
fn key_of_the_root_user(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (mine, theirs) = (story.key("AKIA", &account), story.key("AKIA", &account));
    let look = iam("GetAccountSummary", json!(null), json!(null));
    story.bustle(&new_key(None, &mine), &new_key(Some("svc-mail"), &theirs), &look);
    let root = story.root_user(at(0, "10:00:00"));
    let cause = story.did(&root, changed(), &new_key(None, &mine));
    let ren = story.user("ren.sato");
    story.did(&ren, at(0, "10:17:30"), &new_key(Some("ren.sato"), &theirs));
    let about = format!("AWS::::Account:{account}");
    let finding = story.control("IAM.4", ("AwsAccount", &about), noticed());
    let root = Root::Is("root_user", format!("arn:aws:iam::{account}:root"));
    story.ends("key_of_the_root_user", &finding, Cause::Event(cause), root)
}

/// IAM.3: a key older than ninety days; a new one, made last week, is not what it speaks of.
fn key_that_is_old(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (old, new) = (story.key("AKIA", &account), story.key("AKIA", &account));
    let look = iam("ListAccessKeys", json!({"userName": "svc-export"}), json!(null));
    story.bustle(&new_key(Some("svc-export"), &new), &new_key(Some("svc-mail"), &new), &look);
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato"));
    let cause = story.did(&mio, at(-91, "10:15:30"), &new_key(Some("svc-export"), &old));
    story.did(&ren, at(-7, "10:00:00"), &new_key(Some("svc-export"), &new));
    let arn = format!("arn:aws:iam::{account}:user/svc-export");
    let finding = story.control("IAM.3", ("AwsIamUser", &arn), noticed());
    story.ends("key_that_is_old", &finding, Cause::Event(cause), Root::Is("iam_user", named("mio.tanaka")))
}

/// IAM.1: a version of a policy that allows everything; an earlier version did not.
fn policy_that_allows_all(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let arn = |name: &str| format!("arn:aws:iam::{account}:policy/{name}");
    let version = |arn: &str, action: &str| {
        let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        iam(
            "CreatePolicyVersion",
            json!({"policyArn": arn, "policyDocument": policy, "setAsDefault": true}),
            json!(null),
        )
    };
    let (own, other) = (arn("team-shop"), arn("team-mail"));
    let look = iam("GetPolicy", json!({"policyArn": own}), json!(null));
    story.bustle(&version(&own, "*"), &version(&other, "*"), &look);
    let ren = story.user("ren.sato");
    let person = story.sso(at(0, "10:00:00"), "IdentityAdmin", "rin.oka@example.com");
    let cause = story.did(&person, changed(), &version(&own, "*"));
    story.did(&ren, at(-4, "10:00:00"), &version(&own, "s3:Get*"));
    let finding = story.control("IAM.1", ("AwsIamPolicy", &own), noticed());
    let root = Root::Is("sso_user", named("rin.oka@example.com"));
    story.ends("policy_that_allows_all", &finding, Cause::Event(cause), root)
}

/// Access Analyzer: a role's trust in an account outside; the finding has its path, the call its name.
fn role_for_an_account_outside(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let trust = |role: &str, who: &str| {
        let policy = policy_text(&json!({"AWS": format!("arn:aws:iam::{who}:root")}), "sts:AssumeRole", "*");
        iam("UpdateAssumeRolePolicy", json!({"roleName": role, "policyDocument": policy}), json!(null))
    };
    let look = iam("GetRole", json!({"roleName": "support"}), json!(null));
    story.bustle(&trust("support", "999900001111"), &trust("audit", "999900001111"), &look);
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato"));
    let cause = story.did(&mio, changed(), &trust("support", "999900001111"));
    story.did(&ren, at(-8, "10:00:00"), &trust("support", &account));
    let principal = json!({"AWS": "arn:aws:iam::999900001111:root"});
    let arn = format!("arn:aws:iam::{account}:role/teams/edge/support");
    let finding = story.external(("AWS::IAM::Role", &arn), &principal, noticed());
    story.ends(
        "role_for_an_account_outside",
        &finding,
        Cause::Event(cause),
        Root::Is("iam_user", named("mio.tanaka")),
    )
}

/// Identity Center gives keys to the command line by `GetRoleCredentials`, which does not tell them.
fn by_the_command_line_of_identity_center(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (id, arn) = group(&mut story, 22);
    let portal = story.other_account(1);
    let identity = json!({
        "type": "IdentityCenterUser",
        "accountId": portal,
        "onBehalfOf": {"userId": "93a8f4c2-1021-70b6-5a55-8a6a1d0e5c11", "identityStoreArn": format!("arn:aws:identitystore::{portal}:identitystore/d-9900112233")},
        "credentialId": "a1b2c3d4-5678-90ab-cdef-0123456789ab",
    });
    let person = super::who::Who::new(identity, &portal);
    let asked = json!({"role_name": "NetworkAdmin", "account_id": account});
    story.did(&person, at(0, "10:10:00"), &Call::new("sso", "GetRoleCredentials", asked));
    let role = (account.as_str(), "AWSReservedSSO_NetworkAdmin_0f1e2d3c4b5a6978", "sora.mori@example.com");
    let session = story.unissued(at(0, "10:10:00"), role);
    let cause = story.did(&session, changed(), &open(&id, 22, WORLD));
    let finding = story.control("EC2.13", ("AwsEc2SecurityGroup", &arn), noticed());
    let root = Root::Is("sso_user", named("sora.mori@example.com"));
    story.ends("by_the_command_line_of_identity_center", &finding, Cause::Event(cause), root)
}

/// Who took the role is not in the logs, but the source identity, which stays along a chain, is.
fn named_by_source_identity(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (id, arn) = group(&mut story, 22);
    let mut session = story.unissued(at(0, "10:05:00"), (&account, "ops-admin", "s-4711"));
    session.identity["sessionContext"]["sourceIdentity"] = json!("jun.ono");
    let cause = story.did(&session, changed(), &open(&id, 22, WORLD));
    let finding = story.control("EC2.13", ("AwsEc2SecurityGroup", &arn), noticed());
    story.ends(
        "named_by_source_identity",
        &finding,
        Cause::Event(cause),
        Root::Is("role_session", named("jun.ono")),
    )
}
