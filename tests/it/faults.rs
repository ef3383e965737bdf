//! A world that breaks under a worker: clocks that differ, messages that are lost in the middle, a database that
//! is started anew. Rows there once, messages gone.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ashiato::ingest::archive::Archive;
use ashiato::ingest::progress::Progress;
use ashiato::ingest::{IngestLimits, LocalFiles, Outage, Trail, run};
use ashiato::lake::catalog::CatalogLimits;
use ashiato::lake::{Catalog, Lake};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::archive::{REGION, Site, assert_same_rows, blocking, event_id, file, gzip, key, record};
use crate::crash::{generated, read_once};
use crate::sqs::{DEAD, LOGS, open};
use crate::worker::{Rig, stop, until};

#[test]
fn work_whose_messages_were_lost_is_given_up_and_done_once() {
    const RECORDS: u32 = 30_000;
    let site = Site::new();
    let name = key(REGION, "large");
    site.put(&name, &gzip(&file(&(0..RECORDS).map(record).collect::<Vec<_>>())));
    // The work may be over before the guard looks again; that round proves nothing.
    for round in 0..10 {
        let rig = Rig::new(site.beside(&format!("worked-{round}")));
        rig.announce(&name);
        let worker = rig.start();
        until("it is worked on", || rig.fake.messages(LOGS).iter().any(|message| message.receive_count == 1));
        rig.fake.run_out();
        rig.until_empty();
        let ran = stop(worker);
        assert_eq!(rig.site.query("select count(*) as n from cloudtrail")[0]["n"], RECORDS);
        assert_eq!(rig.site.count("select count(*) from objects where state = 'committed'"), 1);
        assert!(rig.fake.messages(DEAD).is_empty(), "{ran:?}");
        if ran.err.contains("to others while it was worked on") {
            return;
        }
    }
    panic!("every round was over too soon");
}

#[test]
fn messages_out_of_order_and_twice_add_no_row() {
    let site = generated();
    let expected = read_once(&site);
    let rig = Rig::new(site.beside("worked"));
    rig.announce_all();
    rig.announce_all();
    rig.fake.shuffle(7);
    let workers = [rig.start(), rig.start()];
    rig.until_empty();
    drop(workers.map(stop));
    assert_same_rows(&rig.site.rows(), &expected);
}

#[expect(clippy::disallowed_methods, reason = "a worker's clock, in a test of clocks")]
fn fast() -> Timestamp {
    Timestamp::now().checked_add(SignedDuration::from_mins(10)).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a worker's clock, in a test of clocks")]
fn slow() -> Timestamp {
    Timestamp::now().checked_sub(SignedDuration::from_mins(10)).unwrap()
}

#[test]
fn workers_whose_clocks_differ_by_minutes_read_everything_once() {
    let site = generated();
    let expected = read_once(&site);
    let rig = Rig::new(site.beside("worked"));
    rig.announce_all();
    rig.announce_all();
    blocking(async {
        let (finish, finished) = watch::channel(false);
        let worker = async |clock: fn() -> Timestamp| {
            let limits = IngestLimits {
                lease: Duration::from_secs(1),
                batch_age_max: Duration::from_millis(100),
                batch_stored_bytes_max: 20_000,
                outage: Outage::Wait,
                local_files: LocalFiles::Read,
                ..IngestLimits::default()
            };
            let lake = Lake::in_folder(rig.site.lake()).unwrap();
            let catalog =
                Catalog::open_with(&rig.site.catalog_place(), CatalogLimits::default()).await.unwrap();
            let trail = Trail {
                queue: open(&rig.fake, limits.visibility()),
                archive: Arc::new(Archive::default()),
                catalog: catalog.clone(),
                lake,
                limits,
                progress: Arc::new(Progress::default()),
                clock,
            };
            run(Arc::new(trail), finished.clone()).await.unwrap();
            catalog.close().await;
        };
        let ending = async {
            while !rig.fake.messages(LOGS).is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            finish.send_replace(true);
        };
        tokio::join!(worker(fast), worker(slow), ending);
    });
    assert_same_rows(&rig.site.rows(), &expected);
    assert_eq!(rig.site.count("select count(*) from objects where state = 'claimed'"), 0);
}

/// `ASHIATO_TEST_POSTGRES_RESTART` is a command that starts the server of `ASHIATO_TEST_POSTGRES` anew.
#[test]
#[ignore = "starts the tests' PostgreSQL anew, so it runs alone"]
fn a_database_started_anew_under_two_workers_costs_nothing() {
    #[expect(clippy::disallowed_methods, reason = "no setting of the program: only tests read it")]
    let restart = std::env::var("ASHIATO_TEST_POSTGRES_RESTART").expect("a command that restarts PostgreSQL");
    let site = generated();
    let expected = read_once(&site);
    let mut said = String::new();
    for round in 0..3 {
        let rig = Rig::new(site.beside(&format!("worked-{round}")));
        rig.announce_all();
        let workers = [rig.start(), rig.start()];
        let all = rig.fake.messages(LOGS).len();
        until("some is done", || rig.fake.messages(LOGS).len() < all);
        assert!(Command::new("sh").args(["-c", &restart]).status().unwrap().success());
        rig.until_empty();
        said.extend(workers.map(|worker| stop(worker).err));
        assert_same_rows(&rig.site.rows(), &expected);
        assert!(rig.fake.messages(DEAD).is_empty());
    }
    assert!(said.contains("waiting, nothing is lost"), "nobody noticed: {said}");
}

#[test]
fn what_two_records_say_is_there_once_the_world_is_whole_again() {
    let rig = Rig::of(2);
    rig.fake.faults(|faults| (faults.throttled, faults.failing_entries) = (5, 5));
    let ran = rig.work();
    assert_eq!(rig.site.uids(), (0..4).map(event_id).collect::<Vec<_>>(), "{ran:?}");
}
