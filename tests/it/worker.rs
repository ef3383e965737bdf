//! The worker, as the built binary, against a queue service: rows there once, messages gone, whatever happens.

use std::io::{Read, Write};
use std::process::Child;
use std::time::{Duration, Instant};

use ashiato::ingest::notification::{ObjectRef, write_notification};
use serde_json::{Value, json};

use crate::archive::{
    REGION, Ran, Site, assert_same_rows, blocking, event_id, file, files_below, gzip, key, record,
};
use crate::crash::{generated, kills, read_once, start, wait};
use crate::sqs::{DEAD, FakeSqs, LOGS};

/// A site whose archive is announced by a queue.
pub(crate) struct Rig {
    pub(crate) site: Site,
    pub(crate) fake: FakeSqs,
}

impl Rig {
    /// Settings under which nothing waits long.
    pub(crate) fn new(site: Site) -> Self {
        let fake = FakeSqs::start();
        let mut site = site
            .with("ASHIATO_INGEST_LEASE", "1s")
            .with("ASHIATO_INGEST_BATCH_AGE_MAX", "200ms")
            .with("ASHIATO_WORKER_DELIVERIES_MAX", "3")
            .with("ASHIATO_WORKER_LOCAL_FILES", "true");
        for (name, value) in fake.variables() {
            site = site.with(name, &value);
        }
        Self { site, fake }
    }

    /// A site with so many objects of two records each, announced.
    pub(crate) fn of(objects: u32) -> Self {
        let rig = Self::new(Site::new());
        for number in 0..objects {
            let name = key(REGION, &format!("object-{number}"));
            rig.site.put(&name, &gzip(&file(&[record(number * 2), record(number * 2 + 1)])));
            rig.announce(&name);
        }
        rig
    }

    /// Announces an object of the archive as a listing would.
    pub(crate) fn announce(&self, key: &str) {
        let path = self.site.archive().join(key).canonicalize().unwrap();
        let meta = path.metadata().unwrap();
        let changed = meta.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let object = ObjectRef {
            bucket: "file://".to_owned(),
            key: path.to_str().unwrap().trim_start_matches('/').to_owned(),
            version: format!("{}-{changed}", meta.len()),
            size: Some(meta.len()),
            ..ObjectRef::default()
        };
        self.fake.send(LOGS, &write_notification(&object));
    }

    pub(crate) fn announce_all(&self) {
        files_below(&self.site.archive()).iter().for_each(|key| self.announce(key));
    }

    pub(crate) fn start(&self) -> Child {
        let dead = self.fake.url(DEAD);
        start(&self.site, &["worker", "--queue", &self.fake.url(LOGS), "--dead-letter-queue", &dead])
    }

    /// Waits until the queue is empty.
    #[track_caller]
    pub(crate) fn until_empty(&self) {
        until("the queue is empty", || self.fake.messages(LOGS).is_empty());
    }

    /// Runs a worker until the queue is empty.
    pub(crate) fn work(&self) -> Ran {
        let worker = self.start();
        self.until_empty();
        stop(worker)
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    until_some(what, || is_so().then_some(()));
}

/// Waits until there is something, and gives it.
#[track_caller]
fn until_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Stops a worker as an orchestrator does.
#[track_caller]
pub(crate) fn stop(worker: Child) -> Ran {
    signal(&worker, "-TERM");
    let began = Instant::now();
    let ran = wait(worker).ended(0);
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    ran
}

pub(crate) fn uids(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(event_id).collect()
}

#[test]
fn everything_announced_is_read_and_the_queue_is_empty() {
    let rig = Rig::of(25);
    let ran = rig.work();
    assert_eq!(rig.site.uids(), uids(0..50));
    assert!(ran.out.contains("cloudtrail"), "{ran:?}");
    assert!(ran.err.contains("worker started"), "{ran:?}");
    assert!(rig.fake.messages(DEAD).is_empty());
    let claimed = rig.site.count("select count(*) from objects where state = 'claimed'");
    assert_eq!(claimed, 0);
}

#[test]
fn each_message_twice_adds_no_row() {
    let site = generated();
    let expected = read_once(&site);
    let rig = Rig::new(site.beside("worked"));
    rig.announce_all();
    rig.announce_all();
    let worker = rig.start();
    rig.until_empty();
    // And once more when all is committed.
    rig.announce_all();
    rig.until_empty();
    stop(worker);
    assert_same_rows(&rig.site.rows(), &expected);
}

#[test]
fn killed_in_the_middle_another_worker_takes_over() {
    let site = generated();
    let expected = read_once(&site);
    let mut chance = fastrand::Rng::with_seed(4);
    for round in 0..3 {
        let rig = Rig::new(site.beside(&format!("worked-{round}")));
        rig.announce_all();
        let mut first = rig.start();
        let all = rig.fake.messages(LOGS).len();
        until("some is done", || rig.fake.messages(LOGS).len() < all || rig.fake.calls("ReceiveMessage") > 2);
        // A fault injector: the moment is the point.
        std::thread::sleep(Duration::from_millis(chance.u64(0..200)));
        first.kill().unwrap();
        assert_eq!(wait(first).code, None, "killed");
        rig.work();
        assert_same_rows(&rig.site.rows(), &expected);
    }
}

/// Sends a signal to a worker.
pub(crate) fn signal(worker: &Child, signal: &str) {
    let pid = worker.id().to_string();
    assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

#[test]
fn stopped_in_the_middle_it_finishes_what_it_has_in_hand() {
    let site = generated();
    let expected = read_once(&site);
    // A worker may be done before the signal comes; that one proves nothing.
    for attempt in 0..20 {
        let rig = Rig::new(site.beside(&format!("worked-{attempt}")));
        rig.announce_all();
        let worker = rig.start();
        let all = rig.fake.messages(LOGS).len();
        until("some is done", || rig.fake.messages(LOGS).len() < all);
        stop(worker);
        let left = rig.fake.messages(LOGS).len();
        if left == 0 {
            continue;
        }
        let claimed = rig.site.count("select count(*) from objects where state = 'claimed'");
        assert_eq!(claimed, 0, "nobody has to wait for a lease");
        let done = rig.site.count("select count(*) from objects where state = 'committed'");
        assert_eq!(usize::try_from(done).unwrap(), all - left, "what was committed was deleted");
        rig.work();
        assert_same_rows(&rig.site.rows(), &expected);
        return;
    }
    panic!("no worker was stopped");
}

#[test]
fn killed_again_and_again_two_workers_read_everything_once() {
    let site = generated();
    let expected = read_once(&site);
    let (mut left, mut chance, mut number) = (kills(), fastrand::Rng::with_seed(3), 0);
    while left > 0 {
        let rig = Rig::new(site.beside(&format!("worked-{number}")));
        number += 1;
        rig.announce_all();
        rig.announce_all();
        let mut workers = [rig.start(), rig.start()];
        while left > 0 && !rig.fake.messages(LOGS).is_empty() {
            // A fault injector: the moment is the point.
            std::thread::sleep(Duration::from_millis(chance.u64(0..600)));
            let victim = &mut workers[chance.usize(0..2)];
            let killed = std::mem::replace(victim, rig.start());
            signal(&killed, "-KILL");
            assert_eq!(wait(killed).code, None, "killed");
            left -= 1;
        }
        rig.until_empty();
        // One of them may be too young to listen for anything gentler.
        for worker in workers {
            signal(&worker, "-KILL");
            assert_eq!(wait(worker).code, None);
        }
        assert_same_rows(&rig.site.rows(), &expected);
        assert!(rig.fake.messages(DEAD).is_empty(), "{:?}", rig.fake.messages(DEAD));
    }
}

/// Says whether others can write the catalog: SQLite's one lock may be in the hands of a frozen process.
fn can_write(site: &Site) -> bool {
    blocking(async {
        let mut catalog = site.catalog().await;
        let write = sqlx::query("update objects set source = source where state = 'none'");
        let written = tokio::time::timeout(Duration::from_secs(1), write.execute(&mut catalog)).await;
        matches!(written, Ok(Ok(_)))
    })
}

#[test]
fn a_worker_frozen_past_its_lease_and_woken_adds_nothing() {
    let site = generated().with("ASHIATO_CATALOG_BUSY_TIMEOUT", "2s");
    let expected = read_once(&site);
    for attempt in 0..20 {
        let rig = Rig::new(site.beside(&format!("worked-{attempt}")));
        rig.announce_all();
        let frozen = rig.start();
        let all = rig.fake.messages(LOGS).len();
        until("some is done", || rig.fake.messages(LOGS).len() < all);
        signal(&frozen, "-STOP");
        if !can_write(&rig.site) {
            signal(&frozen, "-KILL");
            wait(frozen);
            continue;
        }
        rig.work();
        assert_same_rows(&rig.site.rows(), &expected);
        signal(&frozen, "-CONT");
        stop(frozen);
        assert_same_rows(&rig.site.rows(), &expected);
        return;
    }
    panic!("every worker was frozen with the lock of the catalog in its hands");
}

#[test]
fn a_dead_letter_queue_that_is_not_there_keeps_nobody_from_work() {
    let rig = Rig::of(3);
    rig.fake.send(LOGS, "what is this?");
    let worker = start(
        &rig.site,
        &["worker", "--queue", &rig.fake.url(LOGS), "--dead-letter-queue", &rig.fake.url("no-such")],
    );
    until("it came again", || {
        let left = rig.fake.messages(LOGS);
        left.len() == 1 && left[0].receive_count > 1
    });
    let ran = stop(worker);
    assert!(ran.err.contains("dead letter not sent, it comes again"), "{ran:?}");
    assert_eq!(rig.site.uids(), uids(0..6));
}

#[test]
fn dead_letters_are_listed_with_their_reason_and_go_back_when_it_is_mended() {
    let rig = Rig::of(0);
    let (queue, dead) = (rig.fake.url(LOGS), rig.fake.url(DEAD));
    let rig = Rig {
        site: rig.site.with("ASHIATO_WORKER_QUEUE", &queue).with("ASHIATO_WORKER_DEAD_LETTER_QUEUE", &dead),
        fake: rig.fake,
    };
    let late = rig.site.root().join("late");
    let object = ObjectRef {
        bucket: format!("file://{}", late.display()),
        key: key(REGION, "a"),
        size: Some(1),
        ..ObjectRef::default()
    };
    rig.fake.send(LOGS, &write_notification(&object));
    rig.work();
    for _ in 0..2 {
        // Looking takes nothing away.
        let listed = rig.site.run(&["dlq", "list"]).ended(0).out;
        assert!(listed.contains("cannot fetch file://"), "{listed}");
    }
    let listed: Value = serde_json::from_str(&rig.site.run(&["dlq", "list", "--json"]).ended(0).out).unwrap();
    assert_eq!(listed["body"], Value::from(write_notification(&object)));
    let path = late.join(&object.key);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, gzip(&file(&[record(1)]))).unwrap();
    let retried = rig.site.run(&["dlq", "retry"]).ended(0).out;
    assert!(retried.starts_with("1 messages sent back to http://127.0.0.1:"), "{retried}");
    rig.work();
    assert_eq!(rig.site.uids(), [event_id(1)]);
    assert!(rig.site.run(&["dlq", "list"]).ended(0).out.starts_with("no message"));
}

#[test]
fn a_message_that_names_a_file_of_the_worker_is_a_dead_letter() {
    let rig = Rig::of(2);
    let rig = Rig { site: rig.site.with("ASHIATO_WORKER_LOCAL_FILES", "false"), fake: rig.fake };
    let event = |bucket: &str| {
        let object = ObjectRef { bucket: bucket.to_owned(), key: key(REGION, "x"), ..ObjectRef::default() };
        write_notification(&object)
    };
    for bucket in ["sqs://queue", "file:///etc", "http://127.0.0.1"] {
        rig.fake.send(LOGS, &event(bucket));
    }
    rig.work();
    assert!(rig.site.uids().is_empty());
    let dead = rig.fake.messages(DEAD);
    assert_eq!(dead.len(), 5, "{dead:?}");
    let is_told = |reason: &str| reason.contains("as a bucket, which is none; local files are read by");
    assert!(dead.iter().all(|dead| is_told(&dead.reason)), "{dead:?}");
}

#[test]
fn without_a_dead_letter_queue_the_redrive_policy_decides() {
    let rig = Rig::of(1);
    rig.fake.redrive(2);
    rig.fake.send(LOGS, "what is this?");
    let worker = start(&rig.site, &["worker", "--queue", &rig.fake.url(LOGS)]);
    rig.until_empty();
    stop(worker);
    let dead = rig.fake.messages(DEAD);
    assert_eq!((dead.len(), dead[0].body.as_str()), (1, "what is this?"));
    assert_eq!(rig.site.uids(), uids(0..2));
}

#[test]
fn two_workers_on_one_queue_read_everything_once() {
    let site = generated();
    let expected = read_once(&site);
    let rig = Rig::new(site.beside("worked"));
    rig.announce_all();
    rig.announce_all();
    let workers = [rig.start(), rig.start()];
    rig.until_empty();
    for worker in workers {
        stop(worker);
    }
    assert_same_rows(&rig.site.rows(), &expected);
}

#[test]
fn what_is_bad_costs_itself_and_is_found_with_its_reason() {
    let rig = Rig::of(3);
    let poison = key(REGION, "poison");
    rig.site.put(&poison, b"<html>");
    rig.announce(&poison);
    let gone = key(REGION, "gone");
    rig.site.put(&gone, b"x");
    rig.announce(&gone);
    std::fs::remove_file(rig.site.archive().join(&gone)).unwrap();
    rig.fake.send(LOGS, "what is this?");
    let elsewhere = ObjectRef {
        bucket: "file:///no/such/folder".to_owned(),
        key: key(REGION, "z"),
        size: Some(1),
        ..ObjectRef::default()
    };
    rig.fake.send(LOGS, &write_notification(&elsewhere));
    rig.fake.send(LOGS, r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#);
    let ran = rig.work();
    assert_eq!(rig.site.uids(), uids(0..6));
    let dead = rig.fake.messages(DEAD);
    let reason_of =
        |part: &str| dead.iter().find(|dead| dead.body.contains(part)).map(|dead| dead.reason.as_str());
    assert_eq!(dead.len(), 2, "{dead:?}");
    assert!(reason_of("what is this?").unwrap().starts_with("the message is no JSON"), "{dead:?}");
    assert!(
        reason_of("no/such/folder").unwrap().starts_with("cannot fetch file:///no/such/folder"),
        "{dead:?}"
    );
    let set_aside = rig.site.quarantine();
    assert_eq!(set_aside.len(), 1, "{set_aside:?}");
    assert!(set_aside[0]["object"].as_str().unwrap().contains("poison"), "{set_aside:?}");
    assert!(ran.out.contains("1 objects left alone: gone before it was read"), "{ran:?}");
    // A field called "message" would stand beside the message, and alarms would read one or the other.
    let said: Vec<_> = ran.err.lines().filter(|line| line.contains("message dead-lettered")).collect();
    assert!(
        !said.is_empty() && said.iter().all(|line| line.matches("\"message\":").count() == 1),
        "{said:?}"
    );
    assert!(ran.out.contains("1 messages without anything to read: S3 test event"), "{ran:?}");
}

#[test]
fn a_finding_sent_to_the_queue_is_a_row_however_often_it_comes() {
    let rig = Rig::of(1);
    let finding = json!({
        "version": "0", "id": "00000000-0000-4000-8000-0000000000ff", "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty", "account": "111122223333", "time": "2025-01-05T10:00:00Z", "region": REGION,
        "detail": {
            "schemaVersion": "2.0", "accountId": "111122223333", "region": REGION, "partition": "aws",
            "id": "0abc", "arn": "arn:aws:guardduty:eu-west-1:111122223333:detector/d/finding/0abc",
            "type": "Recon:EC2/PortProbeUnprotectedPort", "severity": 2, "title": "t", "description": "d",
            "createdAt": "2025-01-05T09:00:00.000Z", "updatedAt": "2025-01-05T10:00:00.000Z",
            "resource": {"resourceType": "Instance"}, "service": {"serviceName": "guardduty", "count": 1},
        },
    });
    rig.fake.send(LOGS, &finding.to_string());
    let sns = json!({"Type": "Notification", "MessageId": "m", "Message": finding.to_string()});
    rig.fake.send(LOGS, &sns.to_string());
    rig.work();
    rig.fake.send(LOGS, &finding.to_string());
    rig.work();
    let rows = rig.site.query("select metadata.log_name as place from finding_history");
    assert_eq!(rows.len(), 1, "{rows:?}");
    let place = rows[0]["place"].as_str().unwrap();
    assert!(place.starts_with("sqs://111122223333/logs/") && place.ends_with(".json"), "{place}");
    assert!(rig.fake.messages(DEAD).is_empty());
    assert_eq!(rig.site.quarantine(), Vec::<Value>::new());
}

#[test]
fn while_the_queue_is_away_it_waits_and_says_so() {
    let rig = Rig::of(3);
    rig.fake.faults(|faults| faults.is_away = true);
    let worker = rig.start();
    until("it has asked", || rig.fake.calls("ReceiveMessage") > 12);
    std::thread::sleep(Duration::from_secs(3));
    let asked = rig.fake.calls("ReceiveMessage");
    assert!(asked < 100, "it spins: {asked} calls");
    rig.fake.faults(|faults| faults.is_away = false);
    rig.until_empty();
    let ran = stop(worker);
    assert!(ran.err.contains("waiting, nothing is lost"), "{ran:?}");
    assert!(ran.err.contains("sqs:ReceiveMessage"), "{ran:?}");
    assert_eq!(rig.site.uids(), uids(0..6));
}

/// Asks a worker over HTTP; the status line and the body.
fn ask(address: &str, path: &str) -> Option<String> {
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: worker\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    Some(answer)
}

#[test]
fn health_and_metrics_tell_how_it_is() {
    let rig = Rig::of(3);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let rig = Rig { site: rig.site.with("ASHIATO_WORKER_LISTEN", &free), fake: rig.fake };
    let worker = rig.start();
    until("it listens", || ask(&free, "/healthz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
    rig.until_empty();
    assert!(ask(&free, "/readyz").unwrap().starts_with("HTTP/1.1 200"));
    // A message is counted when the queue has let it go, so its count comes after the queue is empty.
    let told = until_some("the last message is counted", || {
        ask(&free, "/metrics").filter(|told| told.contains("ashiato_ingest_message_age_seconds_count 3\n"))
    });
    for line in [
        "ashiato_ingest_objects_total{source=\"cloudtrail\"} 3\n",
        "ashiato_ingest_message_age_seconds_bucket{le=\"300\"} 3\n",
        "ashiato_queue_messages{state=\"visible\"} ",
        "ashiato_dead_letter_queue_messages{state=\"visible\"} 0\n",
        "ashiato_ingest_newest_event_timestamp_seconds{source=\"cloudtrail\"} 1736071205\n",
        "ashiato_ingest_events_total{source=\"cloudtrail\"} 6\n",
        "ashiato_ingest_dead_letters_total 0\n",
        "# TYPE ashiato_ingest_waiting_lanes gauge\n",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
    let places = ask(&free, "/metrics/accounts").unwrap();
    let place = "{source=\"cloudtrail\",account=\"111122223333\",region=\"eu-west-1\"} 1736071205\n";
    assert!(places.contains(&format!("ashiato_ingest_newest_event_timestamp_seconds{place}")), "{places}");
    assert_eq!(rig.site.run(&["health"]).ended(0).out, "alive\n");
    assert_eq!(rig.site.run(&["health", "--ready"]).ended(0).out, "ready\n");
    // What the worker saw, and what the catalog says to who asks.
    let queue = rig.fake.url(LOGS);
    let rig = Rig { site: rig.site.with("ASHIATO_WORKER_QUEUE", &queue), fake: rig.fake };
    let words = ["status", "--places", "--queue", "--json"];
    let status: Value = serde_json::from_str(&rig.site.run(&words).ended(0).out).unwrap();
    assert_eq!(status["places"][0]["account"], "111122223333", "{status}");
    assert_eq!(status["places"][0]["newest_event"], "2025-01-05T10:00:05Z", "{status}");
    assert_eq!(status["queue"]["visible"], 0, "{status}");
    let told = rig.site.run(&words[..3]).ended(0).out;
    assert!(told.contains("about 0 messages wait in the queue"), "{told}");
    rig.fake.faults(|faults| faults.is_away = true);
    // A long poll that began before is still answered; what is sent ends it.
    rig.fake.send(LOGS, "{}");
    until("it is not ready", || ask(&free, "/readyz").unwrap().starts_with("HTTP/1.1 503"));
    assert!(ask(&free, "/healthz").unwrap().starts_with("HTTP/1.1 200"));
    let ran = rig.site.run(&["health", "--ready"]).ended(1);
    assert!(ran.err.contains("waiting for queue, catalog or lake"), "{ran:?}");
    assert_eq!(rig.site.run(&["health"]).ended(0).out, "alive\n");
    let ran = stop(worker);
    assert!(ran.err.contains("done in the last minute"), "{ran:?}");
    assert!(rig.site.run(&["health"]).ended(1).err.contains("ask 127.0.0.1:"));
}

#[test]
fn while_the_lake_is_away_it_keeps_its_messages_and_uses_no_delivery_up() {
    let rig = Rig::of(3);
    std::fs::create_dir(rig.site.lake()).unwrap();
    let hot = rig.site.lake().join("hot");
    std::fs::write(&hot, "in the way").unwrap();
    let worker = rig.start();
    // Longer than the messages are hidden when they are received.
    std::thread::sleep(Duration::from_secs(8));
    let messages = rig.fake.messages(LOGS);
    assert_eq!(messages.len(), 3);
    assert!(messages.iter().all(|message| message.receive_count == 1), "{messages:?}");
    std::fs::remove_file(&hot).unwrap();
    rig.until_empty();
    let ran = stop(worker);
    assert!(ran.err.contains("waiting, nothing is lost"), "{ran:?}");
    assert_eq!(rig.site.uids(), uids(0..6));
}

#[test]
fn a_queue_that_is_not_there_is_told_and_ends_it() {
    let rig = Rig::of(0);
    let ran = rig.site.run(&["worker", "--queue", &rig.fake.url("no-such")]).ended(1);
    assert!(ran.err.contains("there is no queue http://127.0.0.1:"), "{ran:?}");
    assert!(ran.err.contains("check the URL and the Region"), "{ran:?}");
    let ran = rig.site.run(&["worker"]).ended(1);
    assert!(ran.err.contains("give --queue URL"), "{ran:?}");
    let ran = rig.site.run(&["worker", "--queue", "logs"]).ended(1);
    assert!(ran.err.contains("logs is no URL of a queue"), "{ran:?}");
}
