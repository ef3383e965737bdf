//! What would hold everything behind it up: objects that break off each time. Each costs itself, and nothing else.

use crate::archive::{REGION, key};
use crate::from_s3::{ARCHIVE, Cloud};
use crate::s3::{Rules, s3_event};
use crate::sqs::LOGS;
use crate::worker::{stop, uids, until};

/// An archive with a large object that always breaks off, and small ones beside it.
fn broken_off() -> Cloud {
    let cloud = Cloud::new();
    let stored = cloud.put_big(&key(REGION, "broken"), 90..112);
    assert!(stored.bytes.len() > 9 << 20, "more than a piece: {}", stored.bytes.len());
    for number in 0..6 {
        cloud.put(ARCHIVE, &key(REGION, &format!("object-{number}")), number);
    }
    cloud.s3.rules(ARCHIVE, Rules { broken_tail: Some("broken"), ..Rules::default() });
    cloud
}

#[test]
fn an_object_that_always_breaks_off_costs_its_neighbours_nothing() {
    let cloud = broken_off();
    for name in cloud.s3.keys(ARCHIVE) {
        cloud.sqs.send(LOGS, &s3_event(ARCHIVE, &name, &cloud.s3.newest(ARCHIVE, &name).unwrap()));
    }
    let worker = cloud.start();
    until("the others are read", || cloud.sqs.messages(LOGS).len() == 1);
    assert_eq!(cloud.site.uids(), uids(0..6));
    until("it comes again by itself", || cloud.sqs.messages(LOGS)[0].receive_count >= 3);
    cloud.s3.rules(ARCHIVE, Rules::default());
    until("it is read at last", || cloud.sqs.messages(LOGS).is_empty());
    stop(worker);
    assert_eq!(cloud.site.uids(), [uids(0..6), uids(90..112)].concat());
    assert!(cloud.dead().is_empty());
}

#[test]
fn a_backfill_tells_of_an_object_that_always_breaks_off_and_reads_the_rest() {
    let cloud = broken_off();
    let ran = cloud.ingest(ARCHIVE).ended(3);
    assert_eq!(cloud.site.uids(), uids(0..6));
    assert!(ran.out.contains("broken.json.gz: fetch s3://the-archive/"), "{ran:?}");
    cloud.s3.rules(ARCHIVE, Rules::default());
    cloud.ingest(ARCHIVE).ended(0);
    assert_eq!(cloud.site.uids(), [uids(0..6), uids(90..112)].concat());
}
