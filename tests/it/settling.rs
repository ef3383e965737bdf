//! Settling inside workers: one of them is at it, whatever is killed, and nobody reads a row twice.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use ashiato::aws::Aws;
use ashiato::ingest::commit::commit;
use ashiato::lake::bucket::WriteSettings;
use ashiato::lake::catalog::CatalogLimits;
use ashiato::lake::settle::{SettleLimits, settle};
use ashiato::lake::store::Place;
use ashiato::lake::{Catalog, Lake};

use crate::archive::{REGION, Site, assert_same_rows, blocking, event_id, file, gzip, key, record};
use crate::crash::{
    assert_all_files_known, early, generated, kills, read_once, site_of_two, sweeping, trail, wait,
    write_uncommitted,
};
use crate::worker::{Rig, signal, stop, until};

const HOT: &str = "select count(*) from files where kind = 'hot' and state = 'visible'";
const SETTLED: &str = "select count(*) from files where kind = 'settled' and state = 'visible'";
const PARTITIONS: &str = "select count(*) from (select source_name, event_day, account, region from files
    where kind = 'settled' and state = 'visible' group by 1, 2, 3, 4) as partitions";
const SETTLE_DUTIES: &str = "select count(*) from duties where duty = 'settle'";
const RUNS: &str = "select count(*) from settlings";

fn settling(site: Site, every: &str) -> Site {
    site.with("ASHIATO_SETTLE_EVERY", every)
}

#[test]
fn one_of_two_workers_settles_what_both_read() {
    let site = generated();
    let expected = read_once(&site);
    let rig = Rig::new(settling(site.beside("worked"), "1s"));
    rig.announce_all();
    let workers = [rig.start(), rig.start()];
    rig.until_empty();
    // Hot files first become further files of their partitions, and these one in the next round of the same run.
    until("all is settled, and a past day's partition is one file", || {
        let settled = rig.site.count(SETTLED);
        settled > 0 && rig.site.count(HOT) == 0 && settled == rig.site.count(PARTITIONS)
    });
    let ran = workers.map(stop);
    assert!(ran.iter().any(|ran| ran.err.contains("\"settled\"")), "{ran:?}");
    assert!(!ran.iter().any(|ran| ran.err.contains("another worker does this now")), "{ran:?}");
    assert_same_rows(&rig.site.rows(), &expected);
    assert_eq!(rig.site.count("select count(*) from duties where lease_until > 0"), 0, "nobody has to wait");
    let sweeper = sweeping(rig.site);
    sweeper.settle().ended(0);
    assert_all_files_known(&sweeper);
}

#[test]
fn what_comes_late_joins_its_partition_at_the_next_run() {
    let rig = Rig::new(settling(Site::new(), "1s"));
    let put = |name: &str, records: &[_]| {
        rig.site.put(&key(REGION, name), &gzip(&file(records)));
        rig.announce(&key(REGION, name));
    };
    put("a", &[record(1), record(3)]);
    let worker = rig.start();
    rig.until_empty();
    until("it is settled", || rig.site.count(SETTLED) == 1);
    // Record 1 comes again, as AWS delivers some twice.
    put("late", &[record(2), record(1)]);
    until("the late one joined", || {
        rig.site.count(RUNS) > 1 && rig.site.count(HOT) == 0 && rig.site.count(SETTLED) == 1
    });
    stop(worker);
    assert_eq!(rig.site.uids(), [1, 2, 3].map(event_id));
    assert_eq!(rig.site.status()["duplicates_removed"], 1);
}

#[test]
fn killed_again_and_again_while_they_settle_each_row_is_there_once() {
    let site = generated();
    let expected = read_once(&site);
    let (mut left, mut chance, mut number) = (kills(), fastrand::Rng::with_seed(11), 0);
    while left > 0 {
        let rig = Rig::new(settling(site.beside(&format!("worked-{number}")), "20ms"));
        number += 1;
        rig.announce_all();
        let mut workers = [rig.start(), rig.start()];
        while left > 0 && (!rig.fake.messages(crate::sqs::LOGS).is_empty() || rig.site.count(HOT) > 0) {
            // A fault injector: the moment is the point.
            std::thread::sleep(Duration::from_millis(chance.u64(50..500)));
            let killed = std::mem::replace(&mut workers[chance.usize(0..2)], rig.start());
            signal(&killed, "-KILL");
            assert_eq!(wait(killed).code, None, "killed");
            left -= 1;
        }
        rig.until_empty();
        until("all is settled", || rig.site.count(HOT) == 0 && rig.site.count(SETTLED) > 0);
        for worker in workers {
            signal(&worker, "-KILL");
            wait(worker);
        }
        assert_same_rows(&rig.site.rows(), &expected);
        let sweeper = sweeping(rig.site);
        sweeper.settle().ended(0);
        assert_same_rows(&sweeper.rows(), &expected);
        assert_all_files_known(&sweeper);
    }
}

#[test]
fn a_sweep_whose_clock_is_fast_leaves_a_live_batch_its_files() {
    let (site, uids) = site_of_two();
    blocking(async {
        let (trail, messages) = trail(&site, early).await;
        let (batch, written) = write_uncommitted(&trail, &messages).await;
        // To this run, which lets nothing grow old, the files are old; the batch still holds its claims.
        site.settle().ended(0);
        drop(commit(&trail.catalog, &batch, &written, early()).await.unwrap());
    });
    assert_eq!(site.uids(), uids);
    assert_eq!(site.quarantine().len(), 1);
    assert_all_files_known(&site);
}

#[test]
fn more_hot_files_than_are_merged_at_once_give_one_file_a_partition() {
    let site = generated();
    let expected = read_once(&site);
    assert!(site.count(HOT) > 9, "folded twice");
    blocking(async {
        let catalog = Catalog::open_with(&site.catalog_place(), CatalogLimits::default()).await.unwrap();
        let aws = Arc::new(Aws::default());
        let lake = Lake::open(Place::Folder(site.lake()), &aws, WriteSettings::default()).await.unwrap();
        let limits = SettleLimits { inputs_max: 3, ..SettleLimits::default() };
        let told = |_, _, _| ControlFlow::Continue(());
        settle(&catalog, &lake, &limits, early, told).await.unwrap();
        catalog.close().await;
    });
    assert_same_rows(&site.rows(), &expected);
    assert_eq!(site.count(HOT), 0);
    assert_eq!(site.count(SETTLED), site.count(PARTITIONS));
    let sweeper = sweeping(site);
    sweeper.settle().ended(0);
    assert_all_files_known(&sweeper);
}

#[test]
fn a_partition_that_one_merge_cut_into_files_is_not_due_again() {
    // Two segments, each too small to be a partition's file at once.
    let site = Site::new().with("ASHIATO_INGEST_SEGMENT_PLAIN_BYTES_MAX", "4000000");
    for part in 0..2 {
        let records: Vec<_> = (part * 5000..(part + 1) * 5000).map(record).collect();
        site.put(&key(REGION, &format!("part-{part}")), &gzip(&file(&records)));
    }
    site.ingest().ended(0);
    let expected = site.uids();
    blocking(async {
        let catalog = Catalog::open_with(&site.catalog_place(), CatalogLimits::default()).await.unwrap();
        let lake = Lake::in_folder(site.lake()).unwrap();
        let limits = SettleLimits { file_bytes_max: 40_000, ..SettleLimits::default() };
        let told = |_, _, _| ControlFlow::Continue(());
        settle(&catalog, &lake, &limits, early, told).await.unwrap();
        assert_eq!(catalog.due_files(None, &BTreeSet::new()).await.unwrap(), []);
        catalog.close().await;
    });
    assert_eq!((site.count(HOT), site.count(PARTITIONS)), (0, 1));
    assert!(site.count(SETTLED) > 1, "{:?}", site.lake_files());
    assert_eq!(site.uids(), expected);
}

#[test]
fn a_worker_that_is_told_not_to_settle_does_not() {
    let rig = Rig::new(settling(Site::new(), "0s"));
    rig.site.put(&key(REGION, "a"), &gzip(&file(&[record(1)])));
    rig.announce(&key(REGION, "a"));
    rig.work();
    assert_eq!((rig.site.count(HOT), rig.site.count(SETTLE_DUTIES)), (1, 0));
}
