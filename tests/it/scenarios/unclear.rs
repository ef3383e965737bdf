//! Where the logs cannot tell: nothing may be claimed, and the reason is said.

use jiff::Timestamp;
use serde_json::json;

use super::calls::{
    block, bucket_policy, bucket_read, close, group_read, group_tag, open, tagged, tls_policy, trail,
};
use super::story::{Cause, REGION, Root, Scenario, Story, at};

pub(super) const CASES: &[fn(Story) -> Scenario] = &[
    changed_before_the_logs_begin,
    only_harmless_changes,
    changed_after_it_was_noticed,
    all_were_refused,
    account_without_logs,
    closed_again_and_not_reopened,
    policy_replaced_since,
    guard_put_back_since,
    two_sessions_of_one_name,
    session_of_unknown_origin,
    trail_that_nobody_stopped,
];

fn changed() -> Timestamp {
    at(0, "10:15:30")
}

fn noticed() -> Timestamp {
    at(0, "10:41:00")
}

const WORLD: &str = "0.0.0.0/0";
const NOBODY: Root = Root::CannotTell("");

/// A bucket with people who read it and Terraform at work elsewhere.
fn quiet_bucket(story: &mut Story) -> (String, String) {
    let (name, other) = (story.own("vault"), story.own("assets"));
    story.bustle(
        &bucket_policy(&name, &json!("*")),
        &bucket_policy(&other, &json!("*")),
        &bucket_read(&name),
    );
    (name.clone(), format!("arn:aws:s3:::{name}"))
}

fn quiet_group(story: &mut Story) -> (String, String) {
    let (id, other) = (story.ec2("sg", 1), story.ec2("sg", 2));
    story.bustle(&open(&id, 22, WORLD), &open(&other, 22, WORLD), &group_read(&id));
    let arn = format!("arn:aws:ec2:{REGION}:{}:security-group/{id}", story.account);
    (id, arn)
}

fn changed_before_the_logs_begin(mut story: Story) -> Scenario {
    let (_, arn) = quiet_bucket(&mut story);
    let id = story.control("S3.2", ("AwsS3Bucket", &arn), noticed());
    story.ends("changed_before_the_logs_begin", &id, Cause::CannotTell("logs begin at"), NOBODY)
}

fn only_harmless_changes(mut story: Story) -> Scenario {
    let (name, arn) = quiet_bucket(&mut story);
    let mio = story.user("mio.tanaka");
    story.did(&mio, changed(), &tagged(&name));
    story.did(&mio, at(0, "10:16:00"), &tls_policy(&name));
    story.did(&mio, at(0, "10:17:00"), &block(&name, true));
    let id = story.control("S3.8", ("AwsS3Bucket", &arn), noticed());
    story.ends("only_harmless_changes", &id, Cause::CannotTell("none brings this state about"), NOBODY)
}

fn changed_after_it_was_noticed(mut story: Story) -> Scenario {
    let (id, arn) = quiet_group(&mut story);
    let mio = story.user("mio.tanaka");
    story.did(&mio, at(0, "11:05:00"), &open(&id, 22, WORLD));
    let finding = story.control("EC2.13", ("AwsEc2SecurityGroup", &arn), noticed());
    story.ends("changed_after_it_was_noticed", &finding, Cause::CannotTell("after it was noticed"), NOBODY)
}

fn all_were_refused(mut story: Story) -> Scenario {
    let (id, arn) = quiet_group(&mut story);
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato"));
    story.refused(&mio, changed(), &open(&id, 22, WORLD));
    story.refused(&ren, at(0, "10:16:00"), &open(&id, 22, WORLD));
    story.did(&ren, at(0, "10:17:00"), &group_tag(&id));
    let finding = story.control("EC2.13", ("AwsEc2SecurityGroup", &arn), noticed());
    story.ends("all_were_refused", &finding, Cause::CannotTell("logs begin at"), NOBODY)
}

fn account_without_logs(mut story: Story) -> Scenario {
    let arn = format!("arn:aws:s3:::{}", story.own("orphan"));
    let id = story.control("S3.2", ("AwsS3Bucket", &arn), noticed());
    story.ends("account_without_logs", &id, Cause::CannotTell("no CloudTrail of the account"), NOBODY)
}

/// Opened on Monday, closed on Tuesday; on Wednesday it is open, and nothing says since when.
fn closed_again_and_not_reopened(mut story: Story) -> Scenario {
    let (id, arn) = quiet_group(&mut story);
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato"));
    story.did(&mio, at(-2, "10:00:00"), &open(&id, 22, WORLD));
    story.did(&ren, at(-1, "10:00:00"), &close(&id, 22, WORLD));
    let finding = story.control("EC2.13", ("AwsEc2SecurityGroup", &arn), noticed());
    story.ends("closed_again_and_not_reopened", &finding, Cause::CannotTell("undone"), NOBODY)
}

/// A public policy was replaced by one that is not: it cannot be what is public two days later.
fn policy_replaced_since(mut story: Story) -> Scenario {
    let (name, arn) = quiet_bucket(&mut story);
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato"));
    story.did(&mio, at(-2, "10:00:00"), &bucket_policy(&name, &json!("*")));
    story.did(&ren, at(-1, "10:00:00"), &tls_policy(&name));
    let id = story.control("S3.2", ("AwsS3Bucket", &arn), noticed());
    story.ends("policy_replaced_since", &id, Cause::CannotTell("undone"), NOBODY)
}

fn guard_put_back_since(mut story: Story) -> Scenario {
    let (name, arn) = quiet_bucket(&mut story);
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato"));
    story.did(&mio, at(-2, "10:00:00"), &block(&name, false));
    story.did(&ren, at(-1, "10:00:00"), &block(&name, true));
    let id = story.control("S3.8", ("AwsS3Bucket", &arn), noticed());
    story.ends("guard_put_back_since", &id, Cause::CannotTell("undone"), NOBODY)
}

/// Two users take the same role under the same name in the same second; the key is the console's.
fn two_sessions_of_one_name(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (id, arn) = quiet_group(&mut story);
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato").from("203.0.113.9"));
    let role = (account.as_str(), "ops-admin", "ops");
    story.assume(&mio, at(0, "10:05:00"), role);
    let session = story.assume(&ren, at(0, "10:05:00"), role).in_console();
    let key = story.key("ASIA", &account);
    let cause = story.did(&session.with_key(&key), changed(), &open(&id, 22, WORLD));
    let finding = story.control("EC2.13", ("AwsEc2SecurityGroup", &arn), noticed());
    story.ends("two_sessions_of_one_name", &finding, Cause::Event(cause), Root::CannotTell(""))
}

fn session_of_unknown_origin(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (id, arn) = quiet_group(&mut story);
    let session = story.unissued(at(0, "10:05:00"), (&account, "ops-admin", "session-1"));
    let cause = story.did(&session, changed(), &open(&id, 22, WORLD));
    let finding = story.control("EC2.13", ("AwsEc2SecurityGroup", &arn), noticed());
    story.ends(
        "session_of_unknown_origin",
        &finding,
        Cause::Event(cause),
        Root::CannotTell("origin outside the window"),
    )
}

/// Only refused tries, and updates that leave it on.
fn trail_that_nobody_stopped(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let arn = format!("arn:aws:cloudtrail:{REGION}:{account}:trail/main");
    let update =
        trail("UpdateTrail", &arn, json!({"isMultiRegionTrail": true, "includeGlobalServiceEvents": true}));
    story.bustle(&trail("StopLogging", &arn, json!({})), &update, &trail("GetTrailStatus", &arn, json!({})));
    let about = format!("AWS::::Account:{account}");
    let id = story.control("CloudTrail.1", ("AwsAccount", &about), noticed());
    story.ends("trail_that_nobody_stopped", &id, Cause::CannotTell("none brings this state about"), NOBODY)
}
