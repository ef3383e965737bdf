//! Objects of which nothing could be read, tried again: they are listed until they are read, whatever stops that.

use serde_json::Value;

use crate::archive::{REGION, blocking, key, text};
use crate::crash::{start, wait};
use crate::from_s3::{ARCHIVE, Cloud};
use crate::s3::{Fault, Rules};
use crate::worker::{uids, until};

const OBJECTS: u32 = 3;

/// An archive of objects that an older version could not read and this one can.
fn failed_once() -> Cloud {
    let cloud = Cloud::new();
    for number in 0..OBJECTS {
        cloud.put(ARCHIVE, &key(REGION, &format!("object-{number}")), number);
    }
    cloud.ingest(ARCHIVE).ended(0);
    blocking(async {
        let mut catalog = cloud.site.catalog().await;
        for statement in
            ["update objects set state = 'failed', reason = 'a bug', events = 0", "delete from files"]
        {
            sqlx::query(statement).execute(&mut catalog).await.unwrap();
        }
        sqlx::Connection::close(catalog).await.unwrap();
    });
    assert!(cloud.site.uids().is_empty());
    cloud
}

impl Cloud {
    /// Checks that all are listed as before.
    #[track_caller]
    fn assert_listed(&self) {
        let reasons: Vec<_> = self.site.quarantine().iter().map(|entry| text(entry, "/reason")).collect();
        assert_eq!(reasons, ["a bug"; OBJECTS as usize]);
        assert_eq!(self.site.status()["sources"][0]["unreadable"], OBJECTS);
    }

    /// Tries again and checks that all are read.
    #[track_caller]
    fn assert_mended(&self) {
        self.site.run(&["quarantine", "retry"]).ended(0);
        assert_eq!(self.site.uids(), uids(0..OBJECTS));
        assert_eq!(self.site.quarantine(), Vec::<Value>::new());
        assert_eq!(
            self.site.count("select count(*) from objects where state = 'committed' and reason is null"),
            3
        );
    }
}

#[test]
fn killed_while_it_tries_again_nothing_is_forgotten() {
    let cloud = failed_once();
    cloud.s3.fail_first("GetObject", &[Fault::Stall]);
    let gets = cloud.s3.calls("GetObject");
    let mut retry = start(&cloud.site, &["quarantine", "retry"]);
    until("it reads", || cloud.s3.calls("GetObject") > gets);
    assert_eq!(cloud.site.count("select count(*) from objects where state = 'claimed'"), 3);
    cloud.assert_listed();
    retry.kill().unwrap();
    assert_eq!(wait(retry).code, None, "killed");
    cloud.assert_listed();
    cloud.assert_mended();
}

#[test]
fn what_cannot_be_fetched_now_keeps_its_reason() {
    let cloud = failed_once();
    cloud.s3.away(true);
    cloud.site.run(&["quarantine", "retry"]).ended(1);
    cloud.assert_listed();
    assert_eq!(cloud.site.count("select count(*) from objects where state = 'failed'"), 3, "given back");
    cloud.s3.away(false);
    cloud.s3.rules(ARCHIVE, Rules { is_denied: true, ..Rules::default() });
    cloud.site.run(&["quarantine", "retry"]).ended(3);
    cloud.assert_listed();
    cloud.s3.rules(ARCHIVE, Rules::default());
    // Who only reads the archive leaves them alone.
    let ran = cloud.ingest(ARCHIVE).ended(0);
    assert!(ran.out.contains("3 objects were in the lake already"), "{ran:?}");
    cloud.assert_listed();
    cloud.assert_mended();
}
