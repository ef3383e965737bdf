//! Buckets, databases, keys, queues, topics, functions, snapshots that were opened or lost: one cause each.

use serde_json::{Value, json};

use super::calls::{
    Call, block, bucket, bucket_policy, bucket_read, ec2, kms, modify_db, object, policy_text,
    share_db_snapshot, tagged, tls_policy,
};
use super::story::{Cause, REGION, Root, Scenario, Story, at};
use super::who::{TERRAFORM, Who};

pub(super) const CASES: &[fn(Story) -> Scenario] = &[
    bucket_policy_by_a_user,
    bucket_block_by_sso,
    bucket_acl_by_a_chain,
    bucket_shared_with_an_account,
    account_block_by_root,
    bucket_opened_weeks_ago,
    bucket_guarded_again_and_opened,
    database_snapshot_after_a_refusal,
    database_made_public,
    database_snapshot_shared_twice,
    key_scheduled_for_deletion,
    key_policy_for_another_account,
    function_opened_by_cloudformation,
    queue_opened_by_ci,
    topic_opened_by_saml,
    snapshot_shared,
    image_shared,
    secret_for_everybody,
    bucket_public_as_macie_saw_it,
    secrets_put_as_macie_found,
    bucket_deleted,
    many_instances_terminated,
];

fn changed() -> jiff::Timestamp {
    at(0, "10:15:30")
}

fn noticed() -> jiff::Timestamp {
    at(0, "10:41:00")
}

fn everybody() -> Value {
    json!("*")
}

fn named(who: &str) -> String {
    who.to_owned()
}

fn bucket_arn(name: &str) -> String {
    format!("arn:aws:s3:::{name}")
}

/// What goes on around a bucket.
fn around(story: &mut Story, name: &str, own: &Call) {
    let other = story.own("assets");
    let elsewhere = match own.operation {
        "PutBucketPolicy" => bucket_policy(&other, &everybody()),
        "PutBucketPublicAccessBlock" => block(&other, false),
        _ => bucket(own.operation, &other, "acl", json!({"x-amz-acl": "public-read"})),
    };
    story.bustle(own, &elsewhere, &bucket_read(name));
}

/// S3.2: an IAM user's long-term key puts a public policy; before and after it others put harmless things.
fn bucket_policy_by_a_user(mut story: Story) -> Scenario {
    let name = story.own("exports");
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato"));
    let made = bucket("CreateBucket", &name, "location", Value::Null);
    story.did(&ren, at(-20, "08:00:00"), &made);
    story.did(&ren, at(-20, "08:00:04"), &tls_policy(&name));
    let open = bucket_policy(&name, &everybody());
    around(&mut story, &name, &open);
    let cause = story.did(&mio, changed(), &open);
    story.did(&ren, at(0, "10:16:20"), &tagged(&name));
    let id = story.control("S3.2", ("AwsS3Bucket", &bucket_arn(&name)), noticed());
    story.ends("bucket_policy_by_a_user", &id, Cause::Event(cause), Root::Is("iam_user", named("mio.tanaka")))
}

/// A policy finding of Macie, of the change a user made.
fn bucket_public_as_macie_saw_it(mut story: Story) -> Scenario {
    let name = story.own("brochures");
    let (kana, ren) = (story.user("kana.mori"), story.user("ren.sato"));
    let open = bucket_policy(&name, &everybody());
    around(&mut story, &name, &open);
    let cause = story.did(&kana, changed(), &open);
    story.did(&ren, at(0, "10:17:00"), &tagged(&name));
    let id = story.macie("Policy:IAMUser/S3BucketPublic", (&name, None), noticed());
    let root = Root::Is("iam_user", named("kana.mori"));
    story.ends("bucket_public_as_macie_saw_it", &id, Cause::Event(cause), root)
}

/// Macie finds credentials in an object: whoever put it, not who put another one later, copied it, read it or changed the
/// bucket.
fn secrets_put_as_macie_found(mut story: Story) -> Scenario {
    let name = story.own("backups");
    let (kana, ren) = (story.user("kana.mori"), story.user("ren.sato"));
    let cause = story.did(&kana, at(-2, "09:14:00"), &object("PutObject", &name, "home/kana.tar"));
    story.did(&ren, at(-1, "09:20:00"), &object("GetObject", &name, "home/kana.tar"));
    story.did(&ren, changed(), &object("PutObject", &name, "home/ren.tar"));
    // A copy to elsewhere keeps the key, and names the bucket it comes from.
    let mut copy = object("CopyObject", &story.own("elsewhere"), "home/kana.tar");
    copy.request["x-amz-copy-source"] = json!(format!("{name}/home/kana.tar"));
    copy.resources.push(("AWS::S3::Object", bucket_arn(&format!("{name}/home/kana.tar"))));
    story.did(&ren, at(0, "10:18:00"), &copy);
    story.did(&ren, at(0, "10:20:00"), &tls_policy(&name));
    let of = (name.as_str(), Some("home/kana.tar"));
    let id = story.macie("SensitiveData:S3Object/Credentials", of, noticed());
    let root = Root::Is("iam_user", named("kana.mori"));
    story.ends("secrets_put_as_macie_found", &id, Cause::Event(cause), root)
}

/// S3.8: a person of Identity Center switches the guard off in the console; Terraform had switched it on.
fn bucket_block_by_sso(mut story: Story) -> Scenario {
    let name = story.own("reports");
    let account = story.account.clone();
    let plan = (account.as_str(), "terraform-apply", "baseline-12");
    let plan =
        story.web_identity(at(-3, "07:00:00"), plan, "repo:asahi-example/baseline:ref:refs/heads/main");
    story.did(&plan, at(-3, "07:01:00"), &block(&name, true));
    around(&mut story, &name, &block(&name, false));
    let person = story.sso(at(0, "09:55:00"), "AdministratorAccess", "haru.ito@example.com");
    let cause = story.did(&person, changed(), &block(&name, false));
    let id = story.control("S3.8", ("AwsS3Bucket", &bucket_arn(&name)), noticed());
    let root = Root::Is("sso_user", named("haru.ito@example.com"));
    story.ends("bucket_block_by_sso", &id, Cause::Event(cause), root)
}

/// A rule of Config: a canned list that lets everybody read, by a user through a role.
fn bucket_acl_by_a_chain(mut story: Story) -> Scenario {
    let name = story.own("pictures");
    let open = bucket("PutBucketAcl", &name, "acl", json!({"x-amz-acl": "public-read"}));
    around(&mut story, &name, &open);
    let user = story.user("yui.kato");
    let account = story.account.clone();
    let session = story.assume(&user, at(0, "10:10:00"), (&account, "storage-operator", "yui"));
    let cause = story.did(&session, changed(), &open);
    let private = bucket("PutBucketAcl", &name, "acl", json!({"x-amz-acl": "private"}));
    story.did(&user, at(-2, "11:00:00"), &private);
    let rule = "s3-bucket-public-read-prohibited";
    let id = story.rule(rule, ("AWS::S3::Bucket", &name), ("NON_COMPLIANT", noticed()));
    story.ends("bucket_acl_by_a_chain", &id, Cause::Event(cause), Root::Is("iam_user", named("yui.kato")))
}

/// Access Analyzer: of three policies the one that names the account outside.
fn bucket_shared_with_an_account(mut story: Story) -> Scenario {
    let name = story.own("partners");
    let outside = "999900001111";
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato"));
    let ours = json!({"AWS": format!("arn:aws:iam::{}:root", story.other_account(1))});
    let theirs = json!({"AWS": [format!("arn:aws:iam::{}:root", story.other_account(1)), format!("arn:aws:iam::{outside}:root")]});
    story.did(&ren, at(-1, "10:00:00"), &bucket_policy(&name, &ours));
    around(&mut story, &name, &bucket_policy(&name, &theirs));
    let cause = story.did(&mio, changed(), &bucket_policy(&name, &theirs));
    story.did(&ren, at(0, "10:18:00"), &tagged(&name));
    let principal = json!({"AWS": format!("arn:aws:iam::{outside}:root")});
    let id = story.external(("AWS::S3::Bucket", &bucket_arn(&name)), &principal, noticed());
    story.ends(
        "bucket_shared_with_an_account",
        &id,
        Cause::Event(cause),
        Root::Is("iam_user", named("mio.tanaka")),
    )
}

/// S3.1: the guard of the whole account, by the root user.
fn account_block_by_root(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let name = story.own("backup");
    around(&mut story, &name, &block(&name, false));
    let root = story.root_user(at(0, "10:05:00"));
    let settings = |is_on: bool| json!({"RestrictPublicBuckets": is_on, "BlockPublicPolicy": is_on, "BlockPublicAcls": is_on, "IgnorePublicAcls": is_on});
    let call = |is_on: bool| {
        let request = json!({"accountId": account, "PublicAccessBlockConfiguration": settings(is_on), "Host": "s3-control.amazonaws.com"});
        Call::new("s3", "PutAccountPublicAccessBlock", request)
    };
    let ren = story.user("ren.sato");
    story.did(&ren, at(-9, "10:00:00"), &call(true));
    let cause = story.did(&root, changed(), &call(false));
    let about = format!("AWS::::Account:{account}");
    let id = story.control("S3.1", ("AwsAccount", &about), noticed());
    let root = Root::Is("root_user", format!("arn:aws:iam::{account}:root"));
    story.ends("account_block_by_root", &id, Cause::Event(cause), root)
}

/// The change was four weeks before the finding; every week since somebody changed other things of it.
fn bucket_opened_weeks_ago(mut story: Story) -> Scenario {
    let name = story.own("archive");
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato").with(TERRAFORM));
    let cause = story.did(&mio, at(-28, "17:45:10"), &bucket_policy(&name, &everybody()));
    for day in [-21, -14, -7] {
        story.did(&ren, at(day, "06:00:00"), &tagged(&name));
    }
    around(&mut story, &name, &bucket_policy(&name, &everybody()));
    let id = story.control("S3.2", ("AwsS3Bucket", &bucket_arn(&name)), noticed());
    story.ends("bucket_opened_weeks_ago", &id, Cause::Event(cause), Root::Is("iam_user", named("mio.tanaka")))
}

/// Opened by one, guarded again by another, opened by a third: the finding says when it was well.
fn bucket_guarded_again_and_opened(mut story: Story) -> Scenario {
    let name = story.own("inbox");
    let (mio, ren, ken) = (story.user("mio.tanaka"), story.user("ren.sato"), story.user("ken.abe"));
    around(&mut story, &name, &block(&name, false));
    story.did(&mio, at(-2, "10:00:00"), &block(&name, false));
    story.did(&ren, at(-1, "10:00:00"), &block(&name, true));
    let cause = story.did(&ken, changed(), &block(&name, false));
    let about = bucket_arn(&name);
    let id = story.control("S3.8", ("AwsS3Bucket", &about), at(-2, "10:20:00"));
    let since = at(-2, "10:20:00");
    story.control_state(&id, ("S3.8", "PASSED"), ("AwsS3Bucket", &about), (since, at(-1, "10:20:00")));
    story.control_state(&id, ("S3.8", "FAILED"), ("AwsS3Bucket", &about), (since, noticed()));
    story.ends(
        "bucket_guarded_again_and_opened",
        &id,
        Cause::Event(cause),
        Root::Is("iam_user", named("ken.abe")),
    )
}

/// RDS.1: the first try fails, the second goes through; somebody else is refused.
fn database_snapshot_after_a_refusal(mut story: Story) -> Scenario {
    let (name, other) = (story.own("orders-final"), story.own("orders-test"));
    let call = share_db_snapshot(&name, "all");
    let look = Call::new("rds", "DescribeDBSnapshots", json!({"dBSnapshotIdentifier": name}));
    story.bustle(&call, &share_db_snapshot(&other, "all"), &look);
    let user = story.user("mio.tanaka");
    let session = story.federated(&user, at(0, "10:00:00"), "contractor");
    story.failed(&session, at(0, "10:15:02"), &call, "InvalidDBSnapshotState");
    let cause = story.did(&session, changed(), &call);
    let arn = format!("arn:aws:rds:{REGION}:{}:snapshot:{name}", story.account);
    let id = story.control("RDS.1", ("AwsRdsDbSnapshot", &arn), noticed());
    story.ends(
        "database_snapshot_after_a_refusal",
        &id,
        Cause::Event(cause),
        Root::Is("iam_user", named("mio.tanaka")),
    )
}

/// RDS.2: the name is written with capitals in the call; later changes say nothing of it.
fn database_made_public(mut story: Story) -> Scenario {
    let (name, other) = (story.own("Orders"), story.own("Carts"));
    let call = modify_db(&name, json!({"publiclyAccessible": true}));
    let look = Call::new("rds", "DescribeDBInstances", json!({"dBInstanceIdentifier": name}));
    story.bustle(&call, &modify_db(&other, json!({"publiclyAccessible": true})), &look);
    let person = story.sso(at(0, "10:00:00"), "DatabaseAdmin", "sora.mori@example.com");
    let ren = story.user("ren.sato");
    story.did(&ren, at(-5, "10:15:50"), &modify_db(&name, json!({"publiclyAccessible": false})));
    let cause = story.did(&person, changed(), &call);
    story.did(&ren, at(0, "10:15:50"), &modify_db(&name, json!({"backupRetentionPeriod": 7})));
    let arn = format!("arn:aws:rds:{REGION}:{}:db:{}", story.account, name.to_lowercase());
    let id = story.control("RDS.2", ("AwsRdsDbInstance", &arn), noticed());
    let root = Root::Is("sso_user", named("sora.mori@example.com"));
    story.ends("database_made_public", &id, Cause::Event(cause), root)
}

/// RDS.1 asks for everybody: who shares it with one account of ours afterwards is not the cause.
fn database_snapshot_shared_twice(mut story: Story) -> Scenario {
    let (name, other) = (story.own("users-final"), story.own("users-test"));
    let call = share_db_snapshot(&name, "all");
    let look = Call::new("rds", "DescribeDBSnapshots", json!({"dBSnapshotIdentifier": name}));
    story.bustle(&call, &share_db_snapshot(&other, "all"), &look);
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato"));
    let cause = story.did(&mio, changed(), &call);
    let friend = story.other_account(1);
    story.did(&ren, at(0, "10:30:00"), &share_db_snapshot(&name, &friend));
    let arn = format!("arn:aws:rds:{REGION}:{}:snapshot:{name}", story.account);
    let id = story.control("RDS.1", ("AwsRdsDbSnapshot", &arn), noticed());
    story.ends(
        "database_snapshot_shared_twice",
        &id,
        Cause::Event(cause),
        Root::Is("iam_user", named("mio.tanaka")),
    )
}

/// KMS.3, by a chain of three hops through three accounts.
fn key_scheduled_for_deletion(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (arn, other) = (key_arn(&mut story), key_arn(&mut story));
    let call = |arn: &str| kms("ScheduleKeyDeletion", arn, json!({"pendingWindowInDays": 7}));
    story.bustle(&call(&arn), &call(&other), &kms("DescribeKey", &arn, json!({})));
    let (build, tools) = (story.other_account(1), story.other_account(2));
    let user = story.user_of(&build, "nao.endo");
    let first = story.assume(&user, at(0, "09:00:00"), (&build, "pipeline", "nao"));
    let second = story.assume(&first, at(0, "09:20:00"), (&tools, "tools-admin", "nao"));
    let third = story.assume(&second, at(0, "10:00:00"), (&account, "key-admin", "nao"));
    let cause = story.did(&third, changed(), &call(&arn));
    let id = story.control("KMS.3", ("AwsKmsKey", &arn), noticed());
    story.ends(
        "key_scheduled_for_deletion",
        &id,
        Cause::Event(cause),
        Root::Is("iam_user", named("nao.endo")),
    )
}

fn key_arn(story: &mut Story) -> String {
    let id = story.uuid();
    format!("arn:aws:kms:{REGION}:{}:key/{id}", story.account)
}

/// Access Analyzer: a key's policy names an account outside; the caller has a session with a second factor.
fn key_policy_for_another_account(mut story: Story) -> Scenario {
    let (arn, other) = (key_arn(&mut story), key_arn(&mut story));
    let outside = json!({"AWS": "arn:aws:iam::999900001111:root"});
    let own = json!({"AWS": format!("arn:aws:iam::{}:root", story.account)});
    let call = |arn: &str, principal: &Value| {
        let policy = policy_text(principal, "kms:*", "*");
        kms(
            "PutKeyPolicy",
            arn,
            json!({"policyName": "default", "policy": policy, "bypassPolicyLockoutSafetyCheck": false}),
        )
    };
    story.bustle(&call(&arn, &outside), &call(&other, &outside), &kms("DescribeKey", &arn, json!({})));
    let (user, ren) = (story.user("mio.tanaka"), story.user("ren.sato"));
    let session = story.session_token(&user, at(0, "10:01:00"));
    story.did(&ren, at(0, "10:10:00"), &call(&arn, &own));
    let cause = story.did(&session, changed(), &call(&arn, &outside));
    let id = story.external(("AWS::KMS::Key", &arn), &outside, noticed());
    story.ends(
        "key_policy_for_another_account",
        &id,
        Cause::Event(cause),
        Root::Is("iam_user", named("mio.tanaka")),
    )
}

/// Lambda.1: CloudFormation acts for a person who updated a stack.
fn function_opened_by_cloudformation(mut story: Story) -> Scenario {
    let (name, other) = (story.own("resize"), story.own("rotate"));
    let call = |name: &str| {
        let request = json!({"functionName": name, "statementId": "open", "action": "lambda:InvokeFunction", "principal": "*"});
        Call::new("lambda", "AddPermission20150331v2", request)
    };
    let look = Call::new("lambda", "GetPolicy20150331v2", json!({"functionName": name}));
    story.bustle(&call(&name), &call(&other), &look);
    let person = story.sso(at(0, "10:00:00"), "DeveloperAccess", "aoi.hara@example.com");
    let stack = Call::new(
        "cloudformation",
        "UpdateStack",
        json!({"stackName": "resize", "capabilities": ["CAPABILITY_IAM"]}),
    );
    story.did(&person, at(0, "10:14:40"), &stack);
    let key = story.key("ASIA", &story.account.clone());
    let forwarded = person.by_way_of("cloudformation.amazonaws.com", &key);
    let cause = story.did(&forwarded, changed(), &call(&name));
    let arn = format!("arn:aws:lambda:{REGION}:{}:function:{name}", story.account);
    let id = story.control("Lambda.1", ("AwsLambdaFunction", &arn), noticed());
    let root = Root::Is("sso_user", named("aoi.hara@example.com"));
    story.ends("function_opened_by_cloudformation", &id, Cause::Event(cause), root)
}

/// SQS.3: a job of a pipeline, by web identity.
fn queue_opened_by_ci(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (name, other) = (story.own("jobs"), story.own("mails"));
    let call = |name: &str| {
        let policy = policy_text(&everybody(), "sqs:SendMessage", "*");
        let url = format!("https://sqs.{REGION}.amazonaws.com/{account}/{name}");
        Call::new("sqs", "SetQueueAttributes", json!({"queueUrl": url, "attributes": {"Policy": policy}}))
    };
    let url = format!("https://sqs.{REGION}.amazonaws.com/{account}/{name}");
    let look = Call::new("sqs", "GetQueueAttributes", json!({"queueUrl": url, "attributeNames": ["All"]}));
    story.bustle(&call(&name), &call(&other), &look);
    let subject = "repo:asahi-example/shop:environment:production";
    let job = story.web_identity(at(0, "10:12:00"), (&account, "shop-deploy", "GitHubActions"), subject);
    let cause = story.did(&job, changed(), &call(&name));
    let id = story.control("SQS.3", ("AwsSqsQueue", &url), noticed());
    story.ends("queue_opened_by_ci", &id, Cause::Event(cause), Root::Is("web_identity", named(subject)))
}

/// Access Analyzer on a topic: a person of a SAML provider, through a role.
fn topic_opened_by_saml(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let arn = |name: &str| format!("arn:aws:sns:{REGION}:{account}:{name}");
    let (name, other) = (arn(&story.own("news")), arn(&story.own("alerts")));
    let call = |arn: &str, value: String| {
        Call::new(
            "sns",
            "SetTopicAttributes",
            json!({"topicArn": arn, "attributeName": "Policy", "attributeValue": value}),
        )
    };
    let open = |arn: &str| call(arn, policy_text(&json!({"AWS": "*"}), "SNS:Publish", arn));
    let look = Call::new("sns", "GetTopicAttributes", json!({"topicArn": name}));
    story.bustle(&open(&name), &open(&other), &look);
    let person = story.saml(at(0, "10:00:00"), "messaging", "jun.ono@example.com");
    let cause = story.did(&person, changed(), &open(&name));
    let shown = Call::new(
        "sns",
        "SetTopicAttributes",
        json!({"topicArn": name, "attributeName": "DisplayName", "attributeValue": "News"}),
    );
    let ren = story.user("ren.sato");
    story.did(&ren, at(0, "10:16:10"), &shown);
    let id = story.external(("AWS::SNS::Topic", &name), &json!({"AWS": "*"}), noticed());
    let root = Root::Is("federated_user", named("jun.ono@example.com"));
    story.ends("topic_opened_by_saml", &id, Cause::Event(cause), root)
}

/// A snapshot of a volume is given to an account outside, by a user's key.
fn snapshot_shared(mut story: Story) -> Scenario {
    let (id, other) = (story.ec2("snap", 1), story.ec2("snap", 2));
    let share = |id: &str, account: &str| {
        let add = json!({"add": {"items": [{"userId": account}]}});
        ec2(
            "ModifySnapshotAttribute",
            json!({"snapshotId": id, "attributeType": "CREATE_VOLUME_PERMISSION", "createVolumePermission": add}),
        )
    };
    let look = Call::new(
        "ec2",
        "DescribeSnapshotAttribute",
        json!({"snapshotId": id, "attributeType": "CREATE_VOLUME_PERMISSION"}),
    );
    story.bustle(&share(&id, "999900001111"), &share(&other, "999900001111"), &look);
    let (mio, ren) = (story.user("mio.tanaka"), story.user("ren.sato"));
    let cause = story.did(&mio, changed(), &share(&id, "999900001111"));
    let friend = story.other_account(1);
    story.did(&ren, at(0, "10:16:00"), &share(&id, &friend));
    let principal = json!({"AWS": "999900001111"});
    let arn = format!("arn:aws:ec2:{REGION}::snapshot/{id}");
    let finding = story.external(("AWS::EC2::Snapshot", &arn), &principal, noticed());
    story.ends("snapshot_shared", &finding, Cause::Event(cause), Root::Is("iam_user", named("mio.tanaka")))
}

/// An image that was shared; what is asked about is the image.
fn image_shared(mut story: Story) -> Scenario {
    let (id, other) = (story.ec2("ami", 1), story.ec2("ami", 2));
    let share = |id: &str| {
        let add = json!({"add": {"items": [{"group": "all"}]}});
        ec2(
            "ModifyImageAttribute",
            json!({"imageId": id, "attributeType": "launchPermission", "launchPermission": add}),
        )
    };
    let look = Call::new(
        "ec2",
        "DescribeImages",
        json!({"imagesSet": {"items": [{"imageId": id}]}, "filterSet": {}}),
    );
    story.bustle(&share(&id), &share(&other), &look);
    let account = story.account.clone();
    let user = story.user("mio.tanaka");
    let session = story.assume(&user, at(0, "10:00:00"), (&account, "image-builder", "bake"));
    let cause = story.did(&session, changed(), &share(&id));
    story.ends("image_shared", &id, Cause::Event(cause), Root::Is("iam_user", named("mio.tanaka")))
}

/// Access Analyzer on a secret, which the call names and the finding has by its ARN with a suffix.
fn secret_for_everybody(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let (name, other) = (story.own("db/main"), story.own("db/test"));
    let arn = format!("arn:aws:secretsmanager:{REGION}:{account}:secret:{name}-a1B2c3");
    let call = |name: &str| {
        let policy = policy_text(&everybody(), "secretsmanager:GetSecretValue", "*");
        Call::new(
            "secretsmanager",
            "PutResourcePolicy",
            json!({"secretId": name, "resourcePolicy": policy, "blockPublicPolicy": false}),
        )
    };
    let look = Call::new("secretsmanager", "DescribeSecret", json!({"secretId": arn}));
    story.bustle(&call(&name), &call(&other), &look);
    let task = (account.as_str(), "shop-task", "0123456789abcdef0123456789abcdef");
    let task = story.assume_by_service("ecs-tasks.amazonaws.com", at(0, "09:30:00"), task);
    let cause = story.did(&task.from("10.0.4.17"), changed(), &call(&name));
    let id = story.external(("AWS::SecretsManager::Secret", &arn), &json!({"AWS": "*"}), noticed());
    let root = Root::Is("workload", named("0123456789abcdef0123456789abcdef"));
    story.ends("secret_for_everybody", &id, Cause::Event(cause), root)
}

/// A bucket is gone: who deleted it?
fn bucket_deleted(mut story: Story) -> Scenario {
    let (name, other) = (story.own("ledger"), story.own("scratch"));
    let gone = |name: &str| {
        let resources = vec![("AWS::S3::Bucket", bucket_arn(name))];
        let request = json!({"bucketName": name, "Host": format!("{name}.s3.{REGION}.amazonaws.com")});
        Call { resources, ..Call::new("s3", "DeleteBucket", request) }
    };
    story.bustle(&gone(&name), &gone(&other), &bucket_read(&name));
    let ren = story.user("ren.sato");
    story.did(&ren, at(-9, "10:00:00"), &tagged(&name));
    let account = story.account.clone();
    let person = story.console(&account, "mio.tanaka", at(0, "10:09:00"));
    story.failed(&person, at(0, "10:14:50"), &gone(&name), "BucketNotEmpty");
    let cause = story.did(&person, changed(), &gone(&name));
    story.failed(&ren, at(0, "11:00:00"), &tagged(&name), "NoSuchBucket");
    story.ends(
        "bucket_deleted",
        &bucket_arn(&name),
        Cause::Event(cause),
        Root::Is("iam_user", named("mio.tanaka")),
    )
}

/// One call ends sixty instances; asked about is one of the last.
fn many_instances_terminated(mut story: Story) -> Scenario {
    let account = story.account.clone();
    let ids: Vec<String> = (1..=60).map(|which| story.ec2("i", which)).collect();
    let items = |ids: &[String]| json!({"instancesSet": {"items": ids.iter().map(|id| json!({"instanceId": id})).collect::<Vec<_>>()}});
    let end = |ids: &[String]| Call { response: items(ids), ..ec2("TerminateInstances", items(ids)) };
    let others: Vec<String> = (101..=110).map(|which| story.ec2("i", which)).collect();
    let look = Call::new("ec2", "DescribeInstances", items(&ids));
    story.bustle(&end(&ids), &end(&others), &look);
    let ren = story.user("ren.sato");
    let start = ec2("StartInstances", items(&ids[50..60]));
    story.did(&ren, at(-3, "06:00:00"), &start);
    let function = (account.as_str(), "cleanup-role", "cleanup");
    let function: Who = story.assume_by_service("lambda.amazonaws.com", at(0, "10:15:00"), function);
    let cause = story.did(&function, changed(), &end(&ids));
    story.ends(
        "many_instances_terminated",
        &ids[54],
        Cause::Event(cause),
        Root::Is("function", named("cleanup")),
    )
}
