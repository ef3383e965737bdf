//! A preflight, by the built binary against the tests' services: each right that is missing is named, with its
//! resource, and nothing is left behind or taken away.

use serde_json::Value;

use crate::archive::{REGION, Ran, gzip, key};
use crate::from_s3::{ARCHIVE, Cloud};
use crate::s3::{EXTERNAL_ID, ROLE, Rules};
use crate::sqs::{DEAD, LOGS};

/// Services, with everything configured and one object in the archive.
fn cloud() -> Cloud {
    let Cloud { site, s3, sqs } = Cloud::new();
    let catalog = site.root().join("catalog.sqlite").display().to_string();
    let site = site
        .with("ASHIATO_WORKER_QUEUE", &sqs.url(LOGS))
        .with("ASHIATO_WORKER_DEAD_LETTER_QUEUE", &sqs.url(DEAD))
        .with("ASHIATO_LAKE", "s3://the-lake/rows")
        .with("ASHIATO_CATALOG", &catalog);
    s3.put(ARCHIVE, &key(REGION, "a"), &gzip(b"{}"));
    Cloud { site, s3, sqs }
}

fn preflight(cloud: &Cloud) -> Ran {
    cloud.site.run(&["preflight", "--archive", &format!("s3://{ARCHIVE}/o-example123")])
}

/// The checks that are not fine, as action and resource.
fn missing(cloud: &Cloud) -> Vec<(String, String)> {
    let words = ["preflight", "--json", "--archive", &format!("s3://{ARCHIVE}")];
    let told: Value = serde_json::from_str(&cloud.site.run(&words).out).unwrap();
    let checks = told["checks"].as_array().unwrap();
    let bad: Vec<_> = checks
        .iter()
        .filter(|check| ["missing", "failed"].contains(&check["verdict"].as_str().unwrap()))
        .map(|check| {
            (check["action"].as_str().unwrap().to_owned(), check["resource"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(told["failed"], bad.len());
    bad
}

#[test]
fn with_every_right_all_is_fine_and_nothing_is_left_behind() {
    let cloud = cloud();
    cloud.sqs.send(LOGS, "{}");
    let ran = preflight(&cloud).ended(0);
    for part in [
        "(sts:GetCallerIdentity): arn:aws:iam::111122223333:user/x\n",
        "(sqs:GetQueueAttributes): about 1 messages wait\n",
        "(sqs:ReceiveMessage)\n",
        "(sqs:ChangeMessageVisibility): probed\n",
        "(sqs:DeleteMessage): probed\n",
        "(sqs:SendMessage): probed\n",
        "(s3:ListBucket): s3://the-archive/o-example123\n",
        "(s3:GetObject): s3://the-archive/o-example123/AWSLogs/",
        "ok        lake: write (s3:PutObject): s3://the-lake/rows\n",
        "ok        lake: delete (s3:DeleteObject)\n",
        "ok        catalog: write\n",
        "note      catalog: a file serves the workers of one machine only",
    ] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    assert!(!ran.out.contains("missing") && !ran.out.contains("failed"), "{}", ran.out);
    assert!(cloud.s3.keys("the-lake").is_empty());
    assert_eq!((cloud.sqs.messages(LOGS).len(), cloud.sqs.messages(DEAD).len()), (1, 0));
    // The message can be received at once.
    assert_eq!(preflight(&cloud).ended(0).out.matches("about 1 messages wait").count(), 1);
}

#[test]
fn each_missing_right_on_a_queue_is_named() {
    const LOGS_ARN: &str = "arn:aws:sqs:eu-west-1:111122223333:logs";
    const DEAD_ARN: &str = "arn:aws:sqs:eu-west-1:111122223333:dead";
    let cloud = cloud();
    for (operation, action, resources) in [
        ("ReceiveMessage", "sqs:ReceiveMessage", vec![LOGS_ARN]),
        ("ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility", vec![LOGS_ARN]),
        ("DeleteMessageBatch", "sqs:DeleteMessage", vec![LOGS_ARN]),
        ("SendMessageBatch", "sqs:SendMessage", vec![DEAD_ARN]),
        ("GetQueueAttributes", "sqs:GetQueueAttributes", vec![LOGS_ARN, DEAD_ARN]),
    ] {
        cloud.sqs.faults(|faults| faults.denied = vec![operation]);
        let expected: Vec<_> =
            resources.into_iter().map(|resource| (action.to_owned(), resource.to_owned())).collect();
        assert_eq!(missing(&cloud), expected);
    }
    let ran = preflight(&cloud).ended(1);
    assert!(
        ran.out.contains("missing: sqs:GetQueueAttributes on arn:aws:sqs:eu-west-1:111122223333:logs\n"),
        "{ran:?}"
    );
    assert!(ran.out.contains("do: add it to the policy of the role"), "{ran:?}");
    assert!(ran.err.contains("2 of "), "{ran:?}");
}

#[test]
fn each_missing_right_on_a_bucket_is_named() {
    let cloud = cloud();
    let object = format!("arn:aws:s3:::{ARCHIVE}/{}", key(REGION, "a"));
    let check = |bucket: &str, rules: Rules, action: &str, resource: &str| {
        cloud.s3.rules(bucket, rules);
        let found = missing(&cloud);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, action);
        assert!(found[0].1.starts_with(resource), "{found:?}");
        cloud.s3.rules(bucket, Rules::default());
    };
    let denied = |operation| Rules { denied: vec![operation], ..Rules::default() };
    check(ARCHIVE, denied("ListObjectsV2"), "s3:ListBucket", "arn:aws:s3:::the-archive");
    check(ARCHIVE, denied("GetObject"), "s3:GetObject", &object);
    // S3 that says nothing but "Access Denied": what was asked is named.
    check(ARCHIVE, Rules { is_denied: true, ..Rules::default() }, "s3:GetObject", &object);
    let sealed = Rules { is_kms_denied: true, ..Rules::default() };
    check(ARCHIVE, sealed, "kms:Decrypt", "arn:aws:kms:eu-west-1:444455556666:key/x");
    check("the-lake", denied("PutObject"), "s3:PutObject", "arn:aws:s3:::the-lake/rows/preflight/");
    check("the-lake", denied("GetObject"), "s3:GetObject", "arn:aws:s3:::the-lake/rows/preflight/");
    check("the-lake", denied("ListObjectsV2"), "s3:ListBucket", "arn:aws:s3:::the-lake");
    check("the-lake", denied("DeleteObjects"), "s3:DeleteObject", "arn:aws:s3:::the-lake/rows/preflight/");
    assert_eq!(missing(&cloud), [], "nothing is wrong any more");
}

#[test]
fn a_role_that_cannot_be_taken_on_is_named_and_one_that_can_reads() {
    let cloud = cloud();
    cloud.s3.rules(ARCHIVE, Rules { wants_role: true, ..Rules::default() });
    let declare = |external_id: &str| {
        cloud.declare(&format!(
            "[[buckets]]\nplace = \"s3://{ARCHIVE}\"\nrole_arn = \"{ROLE}\"\nexternal_id = \"{external_id}\"\n"
        ));
    };
    declare("wrong");
    let found = missing(&cloud);
    assert!(found.contains(&("sts:AssumeRole".to_owned(), ROLE.to_owned())), "{found:?}");
    declare(EXTERNAL_ID);
    assert_eq!(missing(&cloud), []);
}

#[test]
fn what_is_not_there_is_told_as_what_it_is() {
    let Cloud { site, s3, sqs } = cloud();
    let url = sqs.url("no-such");
    let cloud = Cloud { site: site.with("ASHIATO_WORKER_QUEUE", &url), s3, sqs };
    let ran = cloud.site.run(&["preflight", "--archive", "s3://no-such-bucket"]).ended(1);
    assert!(ran.out.contains("check the name and the Region"), "{ran:?}");
    assert!(ran.out.contains("NoSuchBucket"), "{ran:?}");
    let name = key(REGION, "no-such");
    let ran = cloud.site.run(&["preflight", "--object", &format!("s3://{ARCHIVE}/{name}")]).ended(1);
    assert!(ran.out.contains("failed    archive: read (s3:GetObject)"), "{ran:?}");
    // Nothing of AWS is configured: only what is there is asked.
    let site = crate::archive::Site::new();
    let ran = site.run(&["preflight"]).ended(0);
    assert!(ran.out.contains("not asked queue"), "{ran:?}");
    assert!(ran.out.contains("ok        lake: delete"), "{ran:?}");
}
