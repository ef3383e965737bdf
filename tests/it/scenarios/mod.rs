//! Right answers: incidents with their true cause, root and time, and how many of them `investigate` finds.
//!
//! ```text
//! story (who, calls, finding, bustle) ─ storage, network, activity, unclear ─→ scenarios ─→ lakes ─ investigate ─→ score
//! ```
//!
//! Each scenario lives in accounts of its own, among people and machines that do much the same, and beside the archive of
//! an organization that has nothing to do with it. One lake of four is hot, the others are settled. The truth is told by who tells
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

/// How many lakes the scenarios lie in: few enough to be quick, and small enough, since a question costs by the file.
const LAKES: usize = 4;

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

/// A lake with some of them; one with the strangers' archive too.
fn lake(scenarios: &[&Scenario], is_settled: bool, has_strangers: bool) -> Site {
    let site = Site::new();
    if has_strangers {
        let spec = ArchiveSpec {
            accounts: 4,
            regions: 2,
            start: story::at(0, "06:00:00"),
            hours: 6,
            events: 2_000,
            records_per_file: (100, 500),
            incident: false,
            ..ArchiveSpec::demo()
        };
        write_archive(&site.archive(), &spec, |_| {}).unwrap();
    }
    deliver(&site, scenarios);
    site.ingest().ended(0);
    if is_settled {
        site.settle().ended(0);
    }
    site
}

fn investigate(site: &Site, subject: &str) -> Value {
    let ran = site.run(&["investigate", subject, "--format", "json"]).ended(0);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:#?}"))
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
    let said = rest.iter().filter(|(key, _, _)| {
        let why = text(&investigate(site, key), "/root/why");
        why.contains("origin outside the window") || why.contains("no record issued")
    });
    (all, parented, said.map(|(_, events, _)| events).sum())
}

/// What a lake gave: its scenarios' verdicts, and how many events of temporary keys there are, have a parent, are said to
/// come from outside.
type Verdicts = (Vec<Scored>, (i64, i64, i64));

/// Builds a lake and asks it for its share of the scenarios.
fn ask(scenarios: &[Scenario], which: usize) -> Verdicts {
    let own: Vec<&Scenario> = scenarios.iter().skip(which).step_by(LAKES).collect();
    // The last lake is hot: what is derived is derived while it is asked.
    let site = lake(&own, which + 1 < LAKES, which == 0);
    let scored = own.iter().map(|scenario| score(scenario, &investigate(&site, &scenario.subject))).collect();
    (scored, traced(&site))
}

#[test]
fn causes_and_roots_are_those_of_the_stories() {
    let scenarios = scenarios();
    assert!(scenarios.len() >= 28);
    let next = AtomicUsize::new(0);
    let verdicts: Mutex<Vec<Verdicts>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..ASKERS {
            scope.spawn(|| {
                let asked = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed))
                    .take_while(|which| *which < LAKES)
                    .map(|which| ask(&scenarios, which));
                asked.for_each(|found| verdicts.lock().unwrap().push(found));
            });
        }
    });
    let (scored, traced): (Vec<_>, Vec<_>) = verdicts.into_inner().unwrap().into_iter().unzip();
    let (table, sums) = score::table(&scored.concat());
    let sum = |of: fn(&(i64, i64, i64)) -> i64| traced.iter().map(of).sum::<i64>();
    let (events, parented, outside) = (sum(|one| one.0), sum(|one| one.1), sum(|one| one.2));
    let keys = format!(
        "{events} events by temporary keys: {parented} with a parent, {outside} said to come from outside the window"
    );
    std::io::stderr().lock().write_all(format!("\n{table}\n{sums}\n{keys}\n").as_bytes()).unwrap();
    assert_eq!(sums.confidently_wrong, 0, "{sums}");
    assert!(sums.causes_right * 100 >= sums.causes * 95, "{sums}");
    assert!(sums.roots_right * 100 >= sums.roots * 95, "{sums}");
    assert!((parented + outside) * 100 >= events * 95, "{keys}");
}
