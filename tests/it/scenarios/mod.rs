//! Right answers: incidents with their true cause, root and time, and how many of them `investigate` finds.
//!
//! ```text
//! story (who, calls, finding, bustle) ─ storage, network, activity, unclear ─→ scenarios ─→ one lake ─ investigate ─→ score
//! ```
//!
//! Each scenario lives in accounts of its own, among people and machines that do much the same, and beside the archive of
//! an organization that has nothing to do with it. Half of it all is settled, half is hot. The truth is told by who tells
//! the story, never by the program: where the logs cannot tell, the right answer is that they cannot.

mod activity;
mod bustle;
mod calls;
mod finding;
mod network;
mod score;
mod storage;
mod story;
mod unclear;
mod who;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ashiato::demo::{ArchiveSpec, write_archive};
use serde_json::Value;

use crate::archive::{Site, file, gzip, text};
use score::{Scored, score};
use story::{REGION, Scenario, Story};

/// How many processes ask at once.
const ASKERS: usize = 2;

fn scenarios() -> Vec<Scenario> {
    let cases = [storage::CASES, network::CASES, activity::CASES, unclear::CASES].concat();
    cases.into_iter().zip(1..).map(|(tell, number)| tell(Story::new(number))).collect()
}

/// Writes what CloudTrail delivered: a file a day of an account in a Region.
fn deliver(site: &Site, scenarios: &[&Scenario]) {
    let mut files: BTreeMap<(String, String, String), Vec<Value>> = BTreeMap::new();
    for record in scenarios.iter().flat_map(|scenario| &scenario.records) {
        let day = text(record, "/eventTime")[..10].replace('-', "/");
        let place = (text(record, "/recipientAccountId"), text(record, "/awsRegion"), day);
        files.entry(place).or_default().push(record.clone());
    }
    for ((account, region, day), records) in files {
        let plain = day.replace('/', "");
        let name = format!("{account}_CloudTrail_{region}_{plain}T1200Z_a1b2c3d4e5f6g7h8.json.gz");
        let key = format!("AWSLogs/o-example123/{account}/CloudTrail/{region}/{day}/{name}");
        site.put(&key, &gzip(&file(&records)));
    }
    for scenario in scenarios {
        if !scenario.findings.is_empty() {
            let lines: Vec<String> = scenario.findings.iter().map(Value::to_string).collect();
            site.put(&format!("events/{}.json.gz", scenario.name), &gzip(lines.join("\n").as_bytes()));
        }
        if !scenario.flows.is_empty() {
            let fields = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";
            let lines = format!("{fields}\n{}\n", scenario.flows.join("\n"));
            let account = scenario.flows[0].split(' ').nth(1).unwrap();
            let key = format!(
                "AWSLogs/{account}/vpcflowlogs/{REGION}/2026/02/04/{account}_vpcflowlogs_{REGION}_fl-1_20260204T1030Z_a.log.gz"
            );
            site.put(&key, &gzip(lines.as_bytes()));
        }
    }
}

/// One lake with all of them, half of it settled.
fn lake(scenarios: &[Scenario]) -> Site {
    let site = Site::new();
    let spec = ArchiveSpec {
        accounts: 4,
        regions: 2,
        start: story::at(0, "06:00:00"),
        hours: 6,
        events: 3_000,
        records_per_file: (100, 500),
        incident: false,
        ..ArchiveSpec::demo()
    };
    write_archive(&site.archive(), &spec, |_| {}).unwrap();
    let half = |odd: usize| scenarios.iter().skip(odd).step_by(2).collect::<Vec<_>>();
    deliver(&site, &half(0));
    site.ingest().ended(0);
    site.settle().ended(0);
    deliver(&site, &half(1));
    site.ingest().ended(0);
    site
}

fn investigate(site: &Site, subject: &str) -> Value {
    let ran = site.run(&["investigate", subject, "--format", "json"]).ended(0);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:#?}"))
}

/// Investigates subjects, some at once; the answers are in their order.
fn investigate_all(site: &Site, subjects: &[&str]) -> Vec<Value> {
    let (next, answers) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..ASKERS {
            scope.spawn(|| {
                while let Some(subject) = subjects.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let answer = investigate(site, subject);
                    answers.lock().unwrap().insert(*subject, answer);
                }
            });
        }
    });
    let answers = answers.into_inner().unwrap();
    subjects.iter().map(|subject| answers[subject].clone()).collect()
}

/// Events of a temporary key, and whether the lake has where it came from.
fn temporary_keys(site: &Site) -> Vec<(String, i64, bool)> {
    let rows = site.query(
        "with made as (
           select credential, actor, session_created, sum(events) as events
           from footprints where credential like 'ASIA%' group by credential, actor, session_created
         ),
         issued as (select distinct child_credential as issued from session_edge where child_credential is not null),
         begun as (
           select distinct m.credential as begun
           from made as m join session_edge as e on e.child_actor = m.actor
           where e.issued_at between m.session_created - interval '5 seconds' and m.session_created + interval '5 seconds'
         )
         select credential, cast(sum(events) as bigint) as events,
           bool_or(issued is not null or begun is not null) as has_parent
         from made left join issued on issued = credential left join begun on begun = credential
         group by credential order by credential",
    );
    let told =
        |row: &Value| (text(row, "/credential"), row["events"].as_i64().unwrap(), row["has_parent"] == true);
    rows.iter().map(told).collect()
}

/// The share of events by temporary keys of which the origin is known, or is said not to be in the logs.
fn traced(site: &Site) -> (i64, i64, i64) {
    let keys = temporary_keys(site);
    let all: i64 = keys.iter().map(|(_, events, _)| events).sum();
    let parented: i64 = keys.iter().filter(|(_, _, has)| *has).map(|(_, events, _)| events).sum();
    let rest: Vec<&(String, i64, bool)> = keys.iter().filter(|(_, _, has)| !has).collect();
    let subjects: Vec<&str> = rest.iter().map(|(key, _, _)| key.as_str()).collect();
    let answers = investigate_all(site, &subjects);
    let said = rest.iter().zip(answers).filter(|(_, answer)| {
        let why = text(answer, "/root/why");
        why.contains("origin outside the window") || why.contains("no record issued")
    });
    (all, parented, said.map(|((_, events, _), _)| events).sum())
}

#[test]
fn causes_and_roots_are_those_of_the_stories() {
    let scenarios = scenarios();
    assert!(scenarios.len() >= 28);
    let site = std::mem::ManuallyDrop::new(lake(&scenarios)); // DEBUG
    let subjects: Vec<&str> = scenarios.iter().map(|scenario| scenario.subject.as_str()).collect();
    let answers = investigate_all(&site, &subjects);
    let scored: Vec<Scored> =
        scenarios.iter().zip(&answers).map(|(scenario, answer)| score(scenario, answer)).collect();
    let (events, parented, outside) = traced(&site);
    let (table, sums) = score::table(&scored);
    let keys = format!(
        "{events} events by temporary keys: {parented} with a parent, {outside} said to come from outside the window"
    );
    std::io::stderr().lock().write_all(format!("\n{table}\n{sums}\n{keys}\n").as_bytes()).unwrap();
    assert_eq!(sums.confidently_wrong, 0, "{sums}");
    assert!(sums.causes_right * 100 >= sums.causes * 95, "{sums}");
    assert!(sums.roots_right * 100 >= sums.roots * 95, "{sums}");
    assert!((parented + outside) * 100 >= events * 95, "{keys}");
}
