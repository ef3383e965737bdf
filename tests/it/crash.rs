//! Crashes and rivals: whatever is killed or runs twice, the rows are those of one clean run.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ashiato::demo::{ArchiveSpec, write_archive};
use ashiato::ingest::archive::Archive;
use ashiato::ingest::claim::{self, Claimed};
use ashiato::ingest::commit::{Written, commit};
use ashiato::ingest::lane::Lane;
use ashiato::ingest::list::Lister;
use ashiato::ingest::progress::Progress;
use ashiato::ingest::queue::Received;
use ashiato::ingest::{
    EmbeddedQueue, IngestError, IngestLimits, LocalFiles, Queue, QueueMessage, Setback, Trail, ingest_batch,
};
use ashiato::lake::catalog::{BatchId, CatalogError, CatalogLimits};
use ashiato::lake::store::Place;
use ashiato::lake::{Catalog, Lake};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::Connection as _;

use crate::archive::{
    OTHER_ACCOUNT, REGION, Ran, Site, assert_same_rows, blocking, event_id, file, files_below, gzip, key,
    record, record_of,
};

/// Reads how many kills the crash tests make in all: `ASHIATO_TEST_KILLS`, which only tests read. The default
/// keeps `cargo test` quick; 200 and more are for a night.
pub(crate) fn kills() -> u32 {
    #[expect(clippy::disallowed_methods, reason = "no setting of the program: only tests read it")]
    let named = std::env::var("ASHIATO_TEST_KILLS");
    named.map_or(12, |kills| kills.parse().expect("ASHIATO_TEST_KILLS is a number"))
}

/// A generated archive, and settings that make many small batches.
pub(crate) fn generated() -> Site {
    let site = Site::new()
        .with("ASHIATO_INGEST_LEASE", "1s")
        .with("ASHIATO_INGEST_BATCH_STORED_BYTES_MAX", "20000")
        .with("ASHIATO_INGEST_SEGMENT_PLAIN_BYTES_MAX", "150000");
    let spec = ArchiveSpec {
        seed: 5,
        accounts: 4,
        regions: 2,
        start: "2025-01-05T22:00:00Z".parse().unwrap(),
        hours: 4,
        events: 1500,
        records_per_file: (5, 200),
        incident: false,
    };
    let summary = write_archive(&site.archive(), &spec, |_| {}).unwrap();
    assert!(summary.records > 1200, "{summary:?}");
    site
}

/// Nothing else works on the lake: what is dead can be swept at once.
pub(crate) fn sweeping(site: Site) -> Site {
    site.with("ASHIATO_SETTLE_ORPHAN_AGE", "0s").with("ASHIATO_SETTLE_HOT_GRACE", "0s")
}

/// A lake in which the whole archive was read at once, with its rows.
pub(crate) fn read_once(site: &Site) -> Vec<Value> {
    site.ingest().ended(0);
    let rows = site.rows();
    let uids: BTreeSet<_> = rows.iter().map(crate::archive::uid).collect();
    assert_eq!(uids.len(), rows.len(), "the archive has each event once");
    assert!(site.count("select count(distinct batch) from files") > 5, "many batches");
    rows
}

pub(crate) fn start(site: &Site, words: &[&str]) -> Child {
    let mut command = site.command(words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

pub(crate) fn wait(child: Child) -> Ran {
    Ran::of(child.wait_with_output().unwrap())
}

/// The time of the shortest of some clean runs: longer ones had to wait for somebody else's work.
pub(crate) fn shortest(mut run: impl FnMut(usize)) -> Duration {
    let times = (0..3).map(|number| {
        let began = Instant::now();
        run(number);
        began.elapsed()
    });
    times.min().unwrap()
}

/// Starts a run, kills it at a random moment of a clean run's time, and says whether that came before its end.
pub(crate) fn kill(site: &Site, words: &[&str], clean: Duration, chance: &mut fastrand::Rng) -> bool {
    let mut child = start(site, words);
    // A fault injector: the moment is the point.
    std::thread::sleep(clean.mul_f64(chance.f64()));
    child.kill().unwrap();
    let ran = wait(child);
    if ran.code.is_some() {
        ran.ended(0);
        return false;
    }
    true
}

/// Checks that the catalog knows all files below a lake, and that all it knows are there.
#[track_caller]
pub(crate) fn assert_all_files_known(site: &Site) {
    let known: BTreeSet<String> = blocking(async {
        let mut catalog = site.catalog().await;
        let keys = sqlx::query_scalar(
            "select file_key from files union select entry_file from quarantine
             union select file_key from derived_files where row_count > 0",
        );
        let keys = keys.fetch_all(&mut catalog).await.unwrap();
        catalog.close().await.unwrap();
        keys.into_iter().collect()
    });
    let found: BTreeSet<String> = site.lake_files().into_iter().collect();
    let stray: Vec<_> = found.symmetric_difference(&known).collect();
    assert!(stray.is_empty(), "in the lake or in the catalog alone: {stray:#?}");
    assert_derivations_count(site);
}

/// Fails if a derivation says that it counts for other files than name it.
pub(crate) fn assert_derivations_count(site: &Site) {
    let miscounted = site.count(
        "select count(*) from derivations where state = 'visible' and live <> (select count(*) from files
           where files.derivation = derivations.derivation and files.state = 'visible')",
    );
    assert_eq!(miscounted, 0, "derivations that count for other files than they say");
}

/// Copies a lake that nobody works on.
fn copy_lake(from: &Site, to: &Site) {
    for path in files_below(&from.lake()) {
        let target = to.lake().join(&path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(from.lake().join(&path), target).unwrap();
    }
    from.copy_database(to);
}

#[test]
fn ingest_killed_at_any_moment_reads_everything_once() {
    let site = sweeping(generated());
    let expected = read_once(&site);
    let clean = shortest(|run| drop(site.beside(&format!("clean-{run}")).ingest().ended(0)));
    let (mut left, mut chance, mut number) = (kills() / 2, fastrand::Rng::with_seed(1), 0);
    while left > 0 {
        let crashed = site.beside(&format!("crashed-{number}"));
        number += 1;
        while left > 0 && kill(&crashed, &["ingest", "archive"], clean, &mut chance) {
            left -= 1;
        }
        crashed.ingest().ended(0);
        assert_same_rows(&crashed.rows(), &expected);
        crashed.settle().ended(0);
        assert_same_rows(&crashed.rows(), &expected);
        crashed.settle().ended(0);
        assert_all_files_known(&crashed);
        std::fs::remove_dir_all(crashed.lake()).unwrap();
    }
}

#[test]
fn stopped_by_ctrl_c_it_finishes_what_it_has_in_hand_and_the_next_run_goes_on() {
    let site = generated();
    let expected = read_once(&site);
    // A run may be done before the signal comes; that one proves nothing.
    for attempt in 0..20 {
        let stopped = site.beside(&format!("stopped-{attempt}"));
        let mut child = start(&stopped, &["ingest", "archive"]);
        while !stopped.lake().join("hot").exists() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        if child.try_wait().unwrap().is_some() {
            continue;
        }
        let pid = child.id().to_string();
        let signal = std::process::Command::new("kill").args(["-INT", &pid]).status();
        assert!(signal.is_ok_and(|status| status.success()));
        let ran = wait(child);
        if ran.code == Some(0) {
            continue;
        }
        ran.ended(130);
        let held = stopped.count("select count(*) from objects where state = 'claimed'");
        assert_eq!(held, 0, "nobody has to wait for a lease");
        let done = stopped.count("select count(*) from objects where state = 'committed'");
        let again = stopped.ingest().ended(0).out;
        assert!(again.contains(&format!("{done} objects were in the lake already")), "{again}");
        assert_same_rows(&stopped.rows(), &expected);
        return;
    }
    panic!("no run was stopped");
}

#[test]
fn settle_killed_at_any_moment_shows_each_row_once_throughout() {
    let site = sweeping(generated());
    let expected = read_once(&site);
    let uids = site.uids();
    let lakes = ["clean-0", "clean-1", "clean-2"].map(|lake| site.beside(lake));
    lakes.iter().for_each(|lake| copy_lake(&site, lake));
    let clean = shortest(|run| drop(lakes[run].settle().ended(0)));
    assert_same_rows(&lakes[0].rows(), &expected);
    let (mut left, mut chance, mut number) = (kills().div_ceil(2), fastrand::Rng::with_seed(2), 0);
    while left > 0 {
        let crashed = site.beside(&format!("crashed-{number}"));
        number += 1;
        copy_lake(&site, &crashed);
        while left > 0 && kill(&crashed, &["settle"], clean, &mut chance) {
            left -= 1;
            assert_eq!(crashed.uids(), uids);
        }
        crashed.settle().ended(0);
        assert_same_rows(&crashed.rows(), &expected);
        crashed.settle().ended(0);
        assert_all_files_known(&crashed);
        assert_eq!(crashed.count("select count(*) from files where kind = 'hot'"), 0);
        std::fs::remove_dir_all(crashed.lake()).unwrap();
    }
}

#[test]
fn two_ingests_at_once_read_everything_once() {
    let site = generated();
    let expected = read_once(&site);
    for round in 0..2 {
        let shared = site.beside(&format!("shared-{round}"));
        let rivals = [start(&shared, &["ingest", "archive"]), start(&shared, &["ingest", "archive"])];
        for rival in rivals {
            wait(rival).ended(0);
        }
        assert_same_rows(&shared.rows(), &expected);
    }
}

#[test]
fn many_at_once_make_one_catalog() {
    blocking(async {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("catalog.sqlite");
            let opened = futures::future::join_all((0..6).map(|_| Catalog::open(&path))).await;
            for catalog in opened {
                catalog.unwrap().close().await;
            }
        }
    });
}

#[test]
fn a_second_ingest_adds_nothing() {
    let site = generated();
    let expected = read_once(&site);
    let files = site.lake_files();
    let again = site.ingest().ended(0);
    assert!(again.out.contains("objects were in the lake already"), "{}", again.out);
    assert_same_rows(&site.rows(), &expected);
    assert_eq!(site.lake_files().len(), files.len());
}

#[test]
fn two_settlings_at_once_show_each_row_once() {
    let site = generated();
    let expected = read_once(&site);
    for round in 0..3 {
        let shared = site.beside(&format!("shared-{round}"));
        copy_lake(&site, &shared);
        let rivals = [start(&shared, &["settle"]), start(&shared, &["settle"])];
        for rival in rivals {
            wait(rival).ended(0);
        }
        assert_same_rows(&shared.rows(), &expected);
        // Athena reads all that lies below ext/, so what came second must be gone at once.
        let settled = shared.lake_files().into_iter().filter(|path| path.starts_with("ext/"));
        assert_eq!(
            i64::try_from(settled.count()).unwrap(),
            shared.count("select count(*) from files where kind = 'settled' and state = 'visible'")
        );
        let sweeper = sweeping(shared);
        sweeper.settle().ended(0);
        assert_same_rows(&sweeper.rows(), &expected);
        assert_all_files_known(&sweeper);
    }
}

#[test]
fn settling_beside_an_ingest_loses_nothing() {
    let site = generated();
    let expected = read_once(&site);
    let shared = site.beside("shared");
    std::fs::create_dir(shared.root().join("empty")).unwrap();
    shared.run(&["ingest", "empty"]).ended(0);
    let mut ingest = start(&shared, &["ingest", "archive"]);
    while ingest.try_wait().unwrap().is_none() {
        shared.settle().ended(0);
    }
    wait(ingest).ended(0);
    assert_same_rows(&shared.rows(), &expected);
}

#[test]
fn what_a_crash_left_half_written_is_swept_when_it_is_old() {
    let site = Site::new();
    site.put(&key(REGION, "a"), &gzip(&file(&[record(1)])));
    site.ingest().ended(0);
    let half_written = [
        "hot/ct-api-activity/eventDay=20250105/dead-0.parquet#1",
        "ext/ct-api-activity/region=eu-west-1/accountId=111122223333/eventDay=20250105/dead-0.parquet#12",
        "quarantine/20250105/dead-0.jsonl#1",
    ];
    for path in half_written {
        let path = site.lake().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "PAR1").unwrap();
    }
    site.settle().ended(0);
    let left = site.lake_files().into_iter().filter(|path| path.contains('#'));
    assert_eq!(left.count(), 3, "somebody may be writing them");
    let sweeper = sweeping(site);
    sweeper.settle().ended(0);
    assert_all_files_known(&sweeper);
    assert_eq!(sweeper.uids(), [event_id(1)]);
}

#[test]
fn a_late_file_joins_a_day_that_is_settled() {
    let site = sweeping(Site::new());
    site.put(&key(REGION, "a"), &gzip(&file(&[record(1), record(3)])));
    site.ingest().ended(0);
    site.settle().ended(0);
    site.put(&key(REGION, "late"), &gzip(&file(&[record(2), record_of(4, OTHER_ACCOUNT, REGION)])));
    site.ingest().ended(0);
    let numbers = [1, 2, 3, 4].map(event_id);
    assert_eq!(site.uids(), numbers);
    let before = site.rows();
    site.settle().ended(0);
    assert_same_rows(&site.rows(), &before);
    assert_eq!(site.count("select count(*) from files where kind = 'settled'"), 2, "a file a partition");
    assert_all_files_known(&site);
}

#[test]
fn a_file_copied_under_another_region_adds_no_row_once_settled() {
    let site = Site::new();
    site.put(&key(REGION, "a"), &gzip(&file(&[record(1), record(2), record(3)])));
    site.ingest().ended(0);
    let expected = without_log_name(site.rows());
    site.copy(&key(REGION, "a"), &key("us-east-1", "copy"));
    site.ingest().ended(0);
    assert_eq!(site.uids().len(), 6, "until then both stand there");
    site.settle().ended(0);
    assert_same_rows(&without_log_name(site.rows()), &expected);
    assert_eq!(site.status()["duplicates_removed"].as_u64(), Some(3));
    // Also when the first one is settled already.
    site.copy(&key(REGION, "a"), &key("us-west-2", "copy"));
    site.ingest().ended(0);
    site.settle().ended(0);
    assert_same_rows(&without_log_name(site.rows()), &expected);
    assert_eq!(site.status()["duplicates_removed"].as_u64(), Some(6));
}

/// Rows without the one column that says in which object they were found.
fn without_log_name(mut rows: Vec<Value>) -> Vec<Value> {
    for row in &mut rows {
        row["metadata"].as_object_mut().unwrap().remove("log_name").unwrap();
    }
    rows
}

/// The clock of a worker, and that of one who comes when its lease has ended.
pub(crate) fn early() -> Timestamp {
    Timestamp::from_second(1_750_000_000).unwrap()
}

fn late() -> Timestamp {
    Timestamp::from_second(1_750_003_600).unwrap()
}

pub(crate) type TestTrail = Arc<Trail<Arc<EmbeddedQueue>>>;

/// A trail on a site's lake, and the messages that announce its archive.
pub(crate) async fn trail(site: &Site, clock: fn() -> Timestamp) -> (TestTrail, Vec<QueueMessage>) {
    let lease = Duration::from_secs(60);
    let limits = IngestLimits { lease, local_files: LocalFiles::Read, ..IngestLimits::default() };
    let queue = Arc::new(EmbeddedQueue::new(limits.lease, 1000));
    let (archive, progress) = (Arc::new(Archive::default()), Arc::new(Progress::default()));
    let lister = Lister::new(Arc::clone(&queue), Arc::clone(&archive), Arc::clone(&progress));
    lister.list(&Place::Folder(site.archive())).await.unwrap();
    queue.close();
    let lake = Lake::in_folder(site.lake()).unwrap();
    let catalog = Catalog::open_with(&site.catalog_place(), CatalogLimits::default()).await.unwrap();
    let trail = Trail { queue, archive, catalog, lake, limits, progress, clock };
    let messages = receive(&trail).await.expect("the archive is announced");
    (Arc::new(trail), messages)
}

/// Receives all messages there are; `None` when none will come any more.
async fn receive(trail: &Trail<Arc<EmbeddedQueue>>) -> Option<Vec<QueueMessage>> {
    match trail.queue.receive(1000, Duration::ZERO).await.unwrap() {
        Received::Messages(messages) => Some(messages),
        Received::Closed => None,
        Received::Nothing => panic!("messages are hidden"),
    }
}

pub(crate) async fn claim(trail: &TestTrail, batch: &BatchId, messages: &[QueueMessage]) -> Claimed {
    let announced = claim::read_messages(messages, trail);
    claim::claim(trail, batch, announced).await.unwrap()
}

/// Carries messages up to the commit; the batch holds its claims.
pub(crate) async fn write_uncommitted(trail: &TestTrail, messages: &[QueueMessage]) -> (BatchId, Written) {
    let batch = trail.name_batch();
    let claimed = claim(trail, &batch, messages).await;
    let written = Lane::new(trail.limits.segment).write_objects(claimed.work, trail).await.unwrap();
    (batch, written)
}

pub(crate) fn site_of_two() -> (Site, Vec<String>) {
    let site = sweeping(Site::new());
    site.put(&key(REGION, "a"), &gzip(&file(&[record(1), record(2)])));
    site.put(&key(REGION, "b"), &gzip(&file(&[record(3), Value::Null])));
    (site, [1, 2, 3].map(event_id).to_vec())
}

fn nothing() -> Vec<String> {
    Vec::new()
}

#[test]
fn stopped_after_the_claim_nothing_is_seen_and_the_next_run_is_complete() {
    let (site, uids) = site_of_two();
    blocking(async {
        let (trail, messages) = trail(&site, early).await;
        let claimed = claim(&trail, &trail.name_batch(), &messages).await;
        assert_eq!(claimed.work.objects.len(), 2);
    });
    assert_eq!(site.uids(), nothing());
    site.ingest().ended(0);
    assert_eq!(site.uids(), uids);
}

#[test]
fn stopped_before_the_commit_nothing_is_seen_and_the_next_run_is_complete() {
    let (site, uids) = site_of_two();
    blocking(async {
        let (trail, messages) = trail(&site, early).await;
        let (_, written) = write_uncommitted(&trail, &messages).await;
        assert_eq!((written.outcome.files.len(), written.outcome.set_aside.len()), (1, 1));
    });
    assert_eq!(site.lake_files().len(), 2, "rows and set-aside records were written");
    assert_eq!(site.uids(), nothing());
    assert_eq!(site.quarantine(), Vec::<Value>::new());
    site.ingest().ended(0);
    assert_eq!(site.uids(), uids);
    assert_eq!(site.quarantine().len(), 1);
    site.settle().ended(0);
    assert_eq!(site.uids(), uids);
    assert_all_files_known(&site);
}

#[test]
fn stopped_before_the_delete_a_redelivery_adds_nothing() {
    let (site, uids) = site_of_two();
    blocking(async {
        let (trail, messages) = trail(&site, early).await;
        let (batch, written) = write_uncommitted(&trail, &messages).await;
        drop(commit(&trail.catalog, &batch, &written, early()).await.unwrap());
        assert_eq!(site.uids(), uids, "the commit shows the rows");

        let handles: Vec<_> = messages.iter().map(|message| message.receipt_handle.clone()).collect();
        trail.queue.extend(&handles, Duration::ZERO).await.unwrap();
        let again = receive(&trail).await.expect("undeleted messages come again");
        assert_eq!(again.len(), messages.len());
        let (batch, mut lane) = (trail.name_batch(), Lane::new(trail.limits.segment));
        ingest_batch(&trail, &mut lane, &batch, &again).await.unwrap();
        assert!(receive(&trail).await.is_none(), "deleted, for nothing is left to do");
    });
    assert_eq!(site.uids(), uids);
    assert_eq!(site.quarantine().len(), 1);
}

#[test]
fn deletes_only_after_commit() {
    let (site, uids) = site_of_two();
    blocking(async {
        let (trail, messages) = trail(&site, early).await;
        let mut lane = Lane::new(trail.limits.segment);
        let batch = trail.name_batch();
        // The lake cannot be written: the batch fails, and its messages stay.
        let hot = site.lake().join("hot");
        std::fs::write(&hot, "in the way").unwrap();
        let failed = ingest_batch(&trail, &mut lane, &batch, &messages).await;
        assert!(matches!(failed, Err(IngestError::Write { .. })), "{failed:?}");
        std::fs::remove_file(&hot).unwrap();
        assert_eq!(site.uids(), nothing());
        trail.catalog.release(&batch).await.unwrap();
        let handles: Vec<_> = messages.iter().map(|message| message.receipt_handle.clone()).collect();
        trail.queue.extend(&handles, Duration::ZERO).await.unwrap();
        let again = receive(&trail).await.expect("the messages are still there");
        ingest_batch(&trail, &mut lane, &trail.name_batch(), &again).await.unwrap();
        assert!(receive(&trail).await.is_none());
    });
    assert_eq!(site.uids(), uids);
}

#[test]
fn a_batch_whose_lease_was_taken_over_shows_nothing() {
    let (site, uids) = site_of_two();
    blocking(async {
        let (slow, messages) = trail(&site, early).await;
        let (quick, same) = trail(&site, late).await;
        let (slow_batch, quick_batch) = (slow.name_batch(), quick.name_batch());
        let mut lane = Lane::new(slow.limits.segment);
        let work = claim(&slow, &slow_batch, &messages).await.work;
        let slow_written = lane.write_objects(work, &slow).await.unwrap();

        let work = claim(&quick, &quick_batch, &same).await.work;
        assert_eq!(work.objects.len(), 2, "the lease has ended");
        let fenced = commit(&slow.catalog, &slow_batch, &slow_written, early()).await;
        assert!(matches!(fenced, Err(IngestError::Catalog(CatalogError::Fenced { .. }))), "{fenced:?}");
        assert_eq!(site.uids(), nothing());
        assert_eq!(site.quarantine(), Vec::<Value>::new());

        let quick_written = lane.write_objects(work, &quick).await.unwrap();
        drop(commit(&quick.catalog, &quick_batch, &quick_written, late()).await.unwrap());
        let fenced = commit(&slow.catalog, &slow_batch, &slow_written, late()).await;
        assert!(matches!(fenced, Err(IngestError::Catalog(CatalogError::Fenced { .. }))), "{fenced:?}");
    });
    assert_eq!(site.uids(), uids);
    site.settle().ended(0);
    assert_eq!(site.uids(), uids);
    assert_all_files_known(&site);
}

#[test]
fn a_batch_that_is_alive_keeps_its_claims() {
    let (site, _) = site_of_two();
    blocking(async {
        let (first, messages) = trail(&site, early).await;
        let (second, same) = trail(&site, early).await;
        let held = claim(&first, &first.name_batch(), &messages).await;
        assert!(held.setbacks.is_empty(), "{held:?}");
        let refused = claim(&second, &second.name_batch(), &same).await;
        assert_eq!(refused.work.objects.len(), 0);
        let held = refused.setbacks.values().filter(|setback| matches!(setback, Setback::Held(_)));
        assert_eq!(held.count(), 2, "the messages come again: the first may die");
    });
}
