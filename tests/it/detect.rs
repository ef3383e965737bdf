//! Detections: each rule fires where it should and not a step beside it; each record is judged once.

use std::collections::BTreeSet;
use std::sync::Arc;

use ashiato::detect::{DetectLimits, Rule, judge, rules, stretches};
use ashiato::lake::Lake;
use ashiato::lake::catalog::{Catalog, CatalogLimits};
use ashiato::query::news::News;
use ashiato::query::{Engine, QueryLimits};
use serde_json::{Value, json};

use crate::archive::{ACCOUNT, OTHER_ACCOUNT, REGION, Ran, Site, blocking, file, gzip, key, text};
use crate::worker::signal;

/// Noon of the day on which things happen, and where the company calls from.
const DAY: &str = "2025-03-20";
const HOME: &str = "198.51.100.7";

/// A call, as far as rules look at it.
#[derive(Clone)]
struct Call {
    record: Value,
}

/// A moment `minutes` after noon of the day; before it where negative.
fn at(minutes: i64) -> String {
    let noon: jiff::Timestamp = format!("{DAY}T12:00:00Z").parse().unwrap();
    let moment = noon + jiff::SignedDuration::from_mins(minutes);
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn days_before(days: i64) -> i64 {
    -days * 24 * 60
}

impl Call {
    /// A user's call with a long-term key, from home with the command line.
    fn user(name: &str, key: &str, minutes: i64) -> Self {
        let record = json!({
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "IAMUser", "principalId": format!("AIDA{name}"), "accountId": ACCOUNT, "userName": name,
                "arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}"), "accessKeyId": key,
            },
            "eventTime": at(minutes), "eventSource": "ec2.amazonaws.com", "eventName": "DescribeInstances",
            "awsRegion": REGION, "sourceIPAddress": HOME, "userAgent": "aws-cli/2.15.0",
            "requestParameters": null, "responseElements": null, "readOnly": true,
            "eventType": "AwsApiCall", "managementEvent": true, "eventCategory": "Management",
            "recipientAccountId": ACCOUNT,
        });
        Self { record }
    }

    /// A role session's call.
    fn role(role: &str, session: &str, key: &str, minutes: i64) -> Self {
        let mut call = Self::user("unused", key, minutes);
        call.record["userIdentity"] = json!({
            "type": "AssumedRole", "principalId": format!("AROA{role}:{session}"), "accountId": ACCOUNT, "accessKeyId": key,
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"),
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": format!("arn:aws:iam::{ACCOUNT}:role/{role}"), "accountId": ACCOUNT},
                "attributes": {"creationDate": at(minutes.min(0)), "mfaAuthenticated": "false"},
            },
        });
        call
    }

    /// A call of a root user.
    fn root(account: &str, minutes: i64) -> Self {
        let mut call = Self::user("unused", "", minutes);
        call.record["userIdentity"] = json!({"type": "Root", "principalId": account, "accountId": account, "arn": format!("arn:aws:iam::{account}:root")});
        call.record["recipientAccountId"] = account.into();
        call
    }

    fn from(self, source: &str) -> Self {
        self.with("sourceIPAddress", source)
    }

    fn by(self, agent: &str) -> Self {
        self.with("userAgent", agent)
    }

    fn of(self, operation: &str) -> Self {
        self.with("eventName", operation)
    }

    fn denied(self) -> Self {
        self.with("errorCode", "Client.UnauthorizedOperation")
    }

    fn with(mut self, field: &str, value: &str) -> Self {
        self.record[field] = value.into();
        self
    }
}

/// A lake in which some calls were judged before others came.
struct Scene {
    site: Site,
    number: u32,
}

impl Scene {
    fn new() -> Self {
        Self { site: Site::new().with("ASHIATO_DETECT_LEASE", "2s"), number: 0 }
    }

    /// Writes calls into one object of the archive and reads it. Ids are numbers in the order of writing.
    fn come(&mut self, name: &str, calls: &[Call]) {
        let records: Vec<Value> = calls
            .iter()
            .map(|call| {
                self.number += 1;
                let mut record = call.record.clone();
                record["eventID"] = format!("00000000-0000-4000-8000-{:012}", self.number).into();
                record["requestID"] = format!("00000000-0000-4000-9000-{:012}", self.number).into();
                record
            })
            .collect();
        self.site.put(&key(REGION, name), &gzip(&file(&records)));
        self.site.ingest().ended(0);
    }

    /// Runs the detections and returns what they told: rule and fact's subject.
    fn detect(&self) -> Vec<Value> {
        let ran = self.site.run(&["detect", "--json"]);
        let found: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        ran.ended(i32::from(!found.is_empty()));
        found
    }

    /// Asks rules what they find in what was not judged yet; nothing is judged by it.
    fn ask(&self, rules: &[Rule]) -> Vec<Vec<String>> {
        blocking(async {
            let catalog =
                Catalog::open_with(&self.site.catalog_place(), CatalogLimits::default()).await.unwrap();
            let lake = Lake::in_folder(self.site.lake()).unwrap();
            let run = catalog.begin_detection().await.unwrap();
            let objects = catalog.news(run, 1000).await.unwrap();
            let engine = Engine::new(catalog.clone(), &lake, QueryLimits::default()).unwrap();
            let objects = objects.map(Arc::new);
            let engine = engine.with_news(News { done: run.done, objects, times: None });
            let stretches = stretches(&engine, DetectLimits::default().events_max).await.unwrap();
            assert!(!stretches.is_empty(), "something is new");
            let mut answers = Vec::new();
            for rule in rules {
                let mut found = Vec::new();
                for stretch in &stretches {
                    found.extend(judge(&engine, rule, stretch.window).await.unwrap());
                }
                let said =
                    found.iter().map(|found| format!("{} | {} | {}", found.fact, found.usual, found.news));
                let mut said: Vec<String> = said.collect();
                said.sort();
                answers.push(said);
            }
            catalog.close().await;
            answers
        })
    }
}

/// The rule of an id.
fn rule(id: &str) -> Rule {
    rules().find(|rule| rule.id == id).unwrap()
}

/// The statement with one condition left out, for each condition. Bounds of what is read are none.
fn without_each_condition(sql: &'static str) -> Vec<(String, String)> {
    let lines: Vec<&str> = sql.lines().collect();
    let mut altered = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let words = line.trim_start();
        let instead = match words.split(' ').next() {
            _ if words.contains("$near_") || words.ends_with("-- reads less") => continue,
            Some("where") => "where true",
            Some("and" | "or" | "having") => "",
            _ => continue,
        };
        let mut lines = lines.clone();
        lines[number] = instead;
        altered.push((words.to_owned(), lines.join("\n")));
    }
    assert!(!altered.is_empty());
    altered
}

/// Lets `before` be judged, then asks the rule about `new`: the binary tells `expected` (parts of facts, each of one
/// finding), and with any condition left out the answer is another one.
#[track_caller]
fn check(id: &str, before: &[Call], new: &[Call], expected: &[&str]) {
    let mut scene = Scene::new();
    if !before.is_empty() {
        scene.come("before", before);
        scene.detect();
    }
    scene.come("new", new);
    let rule = rule(id);
    let mut conditions = vec![String::new()];
    let mut asked = vec![rule.clone()];
    for (condition, sql) in without_each_condition(rule.sql) {
        conditions.push(condition);
        asked.push(Rule { sql: sql.leak(), ..rule.clone() });
    }
    let answers = scene.ask(&asked);
    let whole = &answers[0];
    assert_eq!(whole.len(), expected.len(), "{whole:#?}");
    for part in expected {
        assert_eq!(whole.iter().filter(|found| found.contains(part)).count(), 1, "{part}: {whole:#?}");
    }
    let same = answers.iter().zip(&conditions).skip(1).filter(|(found, _)| *found == whole);
    let idle: Vec<&String> = same.map(|(_, condition)| condition).collect();
    assert_eq!(idle, Vec::<&String>::new(), "conditions that nothing here needs; found: {whole:#?}");
    let told = scene.detect();
    let told: Vec<_> = told.iter().filter(|finding| finding["rule"] == id).collect();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for finding in &told {
        let desc = text(finding, "/finding_info/desc");
        assert!(desc.starts_with("usual: ") && desc.contains("; new: "), "{desc}");
        assert!(!finding["event_ids"].as_array().unwrap().is_empty(), "{finding}");
        assert_eq!(text(finding, "/severity").to_lowercase(), format!("{:?}", rule.severity).to_lowercase());
    }
    assert_eq!(scene.detect(), Vec::<Value>::new(), "nothing is told twice");
}

#[test]
fn a_key_from_a_new_network_with_a_new_tool_or_two_new_operations() {
    let key = |number: u32| format!("AKIAEXAMPLEKEY00000{number}");
    let call = |number: u32, minutes| Call::user(&format!("user{number}"), &key(number), minutes);
    let elsewhere = "203.0.113.9";
    let history = |number| call(number, days_before(10));
    let mut before: Vec<Call> = [1, 2, 3, 4, 6, 7].map(history).to_vec();
    // Only longer ago than it looks.
    before.push(call(8, days_before(100)));
    before.push(call(4, days_before(20)).from("192.0.2.44"));
    before.push(Call::user("session", "ASIAEXAMPLEKEY000001", days_before(10)));
    let new = [
        // A new tool; two new operations.
        call(1, 0).from(elsewhere).by("Boto3/1.34"),
        call(2, 0).from(elsewhere).of("CreateUser"),
        call(2, 5).from(elsewhere).of("ListUsers"),
        // One new operation; a network that is known; a key that is new.
        call(3, 0).from(elsewhere).of("CreateUser"),
        call(4, 0).from("198.51.100.200").by("Boto3/1.34").of("CreateUser"),
        call(4, 1).from("198.51.100.200").of("ListUsers"),
        call(5, 0).from(elsewhere).by("Boto3/1.34").of("CreateUser"),
        // What is new is done at home.
        call(6, 0).from(elsewhere),
        call(6, 5).by("Boto3/1.34").of("CreateUser"),
        // Two new networks, of which one is odd.
        call(7, 0).from(elsewhere),
        call(7, 5).from("192.0.2.5").by("Boto3/1.34"),
        call(8, 0).from(elsewhere).by("Boto3/1.34"),
        Call::user("session", "ASIAEXAMPLEKEY000001", 0).from(elsewhere).by("Boto3/1.34"),
    ];
    let (one, two, seven) = (key(1), key(2), format!("{} 192.0.2.0/24", key(7)));
    check("key_from_new_network", &before, &new, &[&one, &two, &seven]);
}

#[test]
fn new_operations_add_up_over_runs() {
    let key = "AKIAEXAMPLEKEY000001";
    let call = |minutes| Call::user("ci", key, minutes);
    let mut scene = Scene::new();
    scene.come("before", &[call(days_before(10))]);
    scene.come("first", &[call(0).from("203.0.113.9").of("CreateUser")]);
    assert_eq!(scene.detect(), Vec::<Value>::new());
    scene.come("second", &[call(30).from("203.0.113.9").of("AttachUserPolicy")]);
    let found = scene.detect();
    assert_eq!(text(&found[0], "/rule"), "key_from_new_network", "{found:#?}");
    let desc = text(&found[0], "/finding_info/desc");
    assert_eq!(
        desc,
        "usual: for 90 days from 198.51.100.0/24 with aws-cli, 1 operations; new: from 203.0.113.0/24, 2 new operations: \
         ec2.amazonaws.com AttachUserPolicy, ec2.amazonaws.com CreateUser"
    );
    // Two days later the network is nothing new.
    scene.come("third", &[call(2 * 24 * 60).from("203.0.113.9").of("DeleteUser").by("Boto3/1.34")]);
    assert_eq!(scene.detect(), Vec::<Value>::new());
}

#[test]
fn a_key_that_was_asleep() {
    let key = |number: u32| format!("AKIAEXAMPLEKEY00000{number}");
    let call = |number: u32, minutes| Call::user(&format!("user{number}"), &key(number), minutes);
    let session = |minutes| Call::user("session", "ASIAEXAMPLEKEY000001", minutes);
    let before = [
        call(1, days_before(61)),
        call(2, days_before(59)),
        call(3, days_before(450)),
        call(4, days_before(90)),
        call(4, days_before(1)),
        session(days_before(70)),
    ];
    let new = [call(1, 0), call(1, 5), call(2, 0), call(3, 0), call(4, 0), call(5, 0), session(0)];
    check("dormant_key", &before, &new, &[&key(1)]);
}

/// All of it comes at once: looked at as a whole, the key would have been used since the beginning.
#[test]
fn an_archive_of_months_is_judged_day_by_day() {
    let key = |number: u32| format!("AKIAEXAMPLEKEY00000{number}");
    let call = |number: u32, minutes| Call::user(&format!("user{number}"), &key(number), minutes);
    let mut scene = Scene::new();
    scene.come("months", &[call(1, days_before(61)), call(2, days_before(59)), call(1, 0), call(2, 0)]);
    let ran = scene.site.run(&["detect", "--json"]).ended(1);
    let found: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = found.iter().map(|found| (text(found, "/rule"), text(found, "/credential"))).collect();
    assert_eq!(told, [("dormant_key".to_owned(), key(1))]);
    assert!(ran.err.contains("3 of 3: 2 events judged"), "{ran:?}");
    assert!(ran.err.contains("4 events judged, 1 findings"), "{ran:?}");
}

#[test]
fn a_session_in_two_places() {
    let key = |number: u32| format!("ASIAEXAMPLEKEY00000{number}");
    let call = |number: u32, minutes| Call::role("deploy", &format!("build-{number}"), &key(number), minutes);
    let elsewhere = "203.0.113.9";
    // The other half of this one was judged before.
    let before = [call(2, -20), call(9, -45)];
    let new = [
        call(1, 0),
        call(1, 29).from(elsewhere),
        call(2, 5).from(elsewhere),
        // Too far from each other, in both orders; one network; another kind of address; a private one, in both orders.
        call(3, 0),
        call(3, 31).from(elsewhere),
        call(4, 0),
        call(4, 5).from("198.51.100.99"),
        call(5, 0),
        call(5, 5).from("2001:db8:1::1"),
        call(6, 0),
        call(6, 15).from("10.1.2.3"),
        call(6, 31).from(elsewhere),
        call(9, 0).from(elsewhere),
        Call::user("someone", "AKIAEXAMPLEKEY000001", 0),
        Call::user("someone", "AKIAEXAMPLEKEY000001", 5).from(elsewhere),
    ];
    check("session_from_two_networks", &before, &new, &[&key(1), &key(2)]);
}

#[test]
fn a_root_user_at_work() {
    let mut by_service = Call::root(ACCOUNT, days_before(3)).from("ec2.amazonaws.com");
    by_service.record["userIdentity"]["invokedBy"] = "ec2.amazonaws.com".into();
    let mut new_by_service = by_service.clone();
    new_by_service.record["eventTime"] = at(0).into();
    let before = [
        by_service,
        Call::root(ACCOUNT, days_before(100)),
        Call::user("someone", "AKIAEXAMPLEKEY000001", days_before(4)),
        Call::root(OTHER_ACCOUNT, days_before(5)),
    ];
    let new = [
        Call::root(ACCOUNT, 0).of("CreateAccessKey"),
        new_by_service,
        Call::root(ACCOUNT, 0).from("192.0.2.77").with("eventType", "AwsServiceEvent"),
        Call::user("someone", "AKIAEXAMPLEKEY000001", 0),
        Call::root(OTHER_ACCOUNT, 0),
        Call::root(OTHER_ACCOUNT, 1).from("203.0.113.9"),
        // The next day, and judged together with the others.
        Call::root(OTHER_ACCOUNT, 13 * 60),
    ];
    check(
        "root_activity",
        &before,
        &new,
        &[
            "111122223333 198.51.100.7 20250320 | none in 90 days | 1 calls from 198.51.100.7: CreateAccessKey",
            "444455556666 198.51.100.7 20250320 | on 1 of 90 days, last on 2025-03-15",
            "444455556666 203.0.113.9 20250320",
            "444455556666 198.51.100.7 20250321",
        ],
    );
}

#[test]
fn a_burst_of_denied_calls() {
    /// Calls of so many operations, a quarter of a minute apart; what they are like `shape` says.
    fn burst(name: &str, (calls, kinds): (i64, i64), minutes: i64, shape: fn(Call) -> Call) -> Vec<Call> {
        (0..calls)
            .map(|number| {
                let call = Call::user(name, &format!("AKIA{name}"), minutes + number / 4);
                shape(call.of(&format!("Try{}", number % kinds)))
            })
            .collect()
    }
    let denied: fn(Call) -> Call = Call::denied;
    let throttled: fn(Call) -> Call = |call| call.with("errorCode", "ThrottlingException");
    let before = [
        burst("usual", (6, 6), days_before(3), denied),
        burst("long-ago", (6, 6), days_before(20), denied),
        burst("lost-rights", (6, 6), days_before(3), |call| call),
        burst("days", (1, 1), days_before(3), denied),
        // Told before; calls that follow are no news of it.
        burst("told", (12, 6), -25, denied),
        burst("told-just-now", (12, 6), -8, denied),
    ]
    .concat();
    let new = [
        // Over the end of a stretch of ten minutes.
        burst("fires", (12, 6), 8, denied),
        burst("long-ago", (12, 6), 0, denied),
        burst("lost-rights", (12, 6), 0, denied),
        burst("days", (12, 6), 0, denied),
        burst("days", (12, 12), 13 * 60, denied),
        burst("few", (9, 9), 0, denied),
        burst("same", (12, 4), 0, denied),
        burst("slow", (12, 6), 0, denied)
            .into_iter()
            .zip(0..)
            .map(|(call, number)| call.with("eventTime", &at(number * 6)))
            .collect(),
        burst("usual", (12, 6), 0, denied),
        burst("throttled", (12, 6), 0, throttled),
        burst("throttled", (1, 1), 4, denied),
        burst("told", (1, 1), 0, denied),
        burst("told-just-now", (1, 1), -5, |call| call),
    ]
    .concat();
    let expected = ["/fires ", "/long-ago ", "/lost-rights ", "/days 2025-03-20", "/days 2025-03-21"];
    check("denied_burst", &before, &new, &expected);
}

#[test]
fn an_instance_s_credential_off_its_instance() {
    let name = |number: u32| format!("i-0123456789abcde{number:02}");
    let call =
        |number: u32, minutes| Call::role("web", &name(number), &format!("ASIAINSTANCE{number}"), minutes);
    let home = |number| call(number, days_before(2));
    let elsewhere = "203.0.113.9";
    let mut lease = Call::user("someone", "AKIAEXAMPLEKEY000001", days_before(1)).of("AssociateAddress");
    lease.record["requestParameters"] = json!({"publicIp": "2001:db8:7::1", "instanceId": name(4)});
    lease.record["responseElements"] = json!({"associationId": "eipassoc-1"});
    let before = [
        home(1),
        home(2),
        home(4),
        call(3, days_before(2)).from("192.0.2.5"),
        call(5, days_before(20)),
        call(7, days_before(2)).from("ec2.amazonaws.com"),
        home(8),
        lease,
        // A user's network is no instance's.
        Call::user("someone", "AKIAEXAMPLEKEY000001", days_before(1)).from("2001:db8:8::1"),
        Call::role("deploy", "build-1", "ASIABUILD", days_before(1)),
    ];
    let new = [
        call(1, 0).from(elsewhere),
        call(1, 1).from("198.51.100.8"),
        call(1, 2).from("10.1.2.3"),
        // The way out that another instance uses; an address it was given, and one it was not; instances not seen before.
        call(2, 0).from("192.0.2.9"),
        call(4, 0).from("2001:db8:7::1"),
        call(4, 1).from("2001:db8:9::1"),
        call(5, 0).from("2001:db8:5::1"),
        call(6, 0).from("2001:db8:6::1"),
        call(7, 0).from("2001:db8:17::1"),
        call(8, 0).from("2001:db8:8::2"),
        Call::role("deploy", "build-1", "ASIABUILD", 0).from("2001:db8:10::1"),
    ];
    let expected = [
        &format!("{} 203.0.113.0/24", name(1)),
        &format!("{} 2001:db8:9::/48", name(4)),
        &format!("{} 2001:db8:8::/48", name(8)),
    ];
    check("instance_credential_elsewhere", &before, &new, &expected.map(String::as_str));
}

/// A lake with ten findings to be made of it, in three objects.
fn crowd() -> (Scene, Vec<Vec<Call>>) {
    let call = |number: i64| Call::root(ACCOUNT, number).from(&format!("203.0.113.{number}"));
    let objects = vec![(0..3).map(call).collect(), (3..6).map(call).collect(), (6..10).map(call).collect()];
    (Scene::new(), objects)
}

/// How many findings are in the lake, and how many differ.
fn told(site: &Site) -> (usize, usize) {
    let sql = "select finding_info.uid as uid from finding_history where metadata.product.name = 'ashiato'";
    let uids: Vec<String> = site.query(sql).iter().map(|row| text(row, "/uid")).collect();
    (uids.len(), BTreeSet::from_iter(&uids).len())
}

#[test]
fn a_finding_is_a_row_and_an_answer() {
    let (mut scene, objects) = crowd();
    scene.come("a", &objects[0]);
    let ran = scene.site.run(&["detect"]).ended(1);
    assert!(ran.out.contains("High      Activity of a root user"), "{}", ran.out);
    assert!(
        ran.out.contains("usual: none in 90 days; new: 1 calls from 203.0.113.0: DescribeInstances"),
        "{}",
        ran.out
    );
    assert!(ran.err.contains("3 events judged, 3 findings"), "{}", ran.err);
    scene.site.settle().ended(0);
    let rows = scene.site.query("select * from findings where severity = 'High' order by finding_info.uid");
    assert_eq!(rows.len(), 3);
    let row = &rows[0];
    assert_eq!((row["class_uid"].as_i64(), row["type_uid"].as_i64()), (Some(2004), Some(200_401)));
    for (path, expected) in [
        ("/cloud/account/uid", ACCOUNT),
        ("/finding_info/attacks/0/sub_technique/uid", "T1078.004"),
        ("/finding_info/analytic/uid", "root_activity"),
        ("/evidences/0/actor/user/uid", "arn:aws:iam::111122223333:root"),
        (
            "/eventday",
            &jiff::Timestamp::from_millisecond(row["time"].as_i64().unwrap())
                .unwrap()
                .strftime("%Y%m%d")
                .to_string(),
        ),
    ] {
        assert_eq!(text(row, path), expected, "{path}");
    }
    assert!(ran.out.contains(&text(row, "/finding_info/uid")), "what is printed is what is stored");
    scene.site.run(&["detect"]).ended(0);
}

#[test]
fn records_are_judged_once_however_settling_and_late_ones_come_between() {
    let (mut scene, objects) = crowd();
    scene.come("a", &objects[0]);
    assert_eq!(scene.detect().len(), 3);
    scene.site.settle().ended(0);
    assert_eq!(scene.detect(), Vec::<Value>::new(), "settled files are no news");
    // Late records join the partition before they are judged: its one file has old rows and new ones.
    scene.come("b", &objects[1]);
    scene.site.settle().ended(0);
    let ran = scene.site.run(&["detect"]).ended(1);
    assert!(ran.err.contains("3 events judged, 3 findings\n"), "the new ones alone: {}", ran.err);
    scene.site.settle().ended(0);
    scene.come("c", &objects[2]);
    let ran = scene.site.run(&["detect"]).ended(1);
    assert!(ran.err.contains("4 events judged, 4 findings\n"), "{}", ran.err);
    assert_eq!(told(&scene.site), (10, 10));
    // The same records again, in another object, as AWS delivers some twice: judged, and told before.
    scene.number = 0;
    scene.come("again", &objects[0]);
    let ran = scene.site.run(&["detect"]).ended(0);
    assert!(ran.err.contains("3 events judged, 0 findings, 3 told before"), "{}", ran.err);
    assert_eq!(told(&scene.site), (10, 10));
}

#[test]
fn what_was_mended_is_judged() {
    let (mut scene, objects) = crowd();
    let mut large = objects[0][0].clone();
    large.record["userAgent"] = crate::archive::noise(3, 20_000).into();
    let site = std::mem::replace(&mut scene.site, Site::new());
    let tight = site.beside("lake").with("ASHIATO_INGEST_RECORD_BYTES_MAX", "10000");
    scene.site = tight;
    scene.come("a", &[large, objects[0][1].clone()]);
    assert_eq!(scene.detect().len(), 1);
    scene.site = site;
    scene.site.run(&["quarantine", "retry"]).ended(0);
    assert_eq!(scene.detect().len(), 1, "the mended one");
    assert_eq!(told(&scene.site), (2, 2));
}

#[test]
fn killed_again_and_again_each_finding_is_told_once() {
    let (mut scene, objects) = crowd();
    let mut chance = fastrand::Rng::with_seed(7);
    for (number, calls) in objects.iter().enumerate() {
        scene.come(&format!("part-{number}"), calls);
        for _ in 0..3 {
            let child = scene.site.command(&["detect"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
            // A fault injector: the moment is the point.
            std::thread::sleep(std::time::Duration::from_millis(chance.u64(50..900)));
            signal(&child, "-KILL");
            drop(child.wait_with_output().unwrap());
        }
        scene.site.settle().ended(0);
    }
    let ran = scene.site.run(&["detect"]);
    assert!(matches!(ran.code, Some(0 | 1)), "{ran:?}");
    assert_eq!(told(&scene.site), (10, 10));
    assert_eq!(scene.site.count("select count(*) from detections"), 10);
}

#[test]
fn a_run_that_was_taken_over_tells_nothing() {
    let (mut scene, objects) = crowd();
    scene.come("a", &objects[0]);
    blocking(async {
        let catalog =
            Catalog::open_with(&scene.site.catalog_place(), CatalogLimits::default()).await.unwrap();
        let dead = catalog.begin_detection().await.unwrap();
        let next = catalog.begin_detection().await.unwrap();
        assert_eq!(catalog.news(next, 10).await.unwrap().unwrap().len(), 1, "what the dead one had");
        assert_eq!(catalog.news(dead, 10).await.unwrap().unwrap().len(), 0);
        assert_eq!(catalog.news(next, 0).await.unwrap(), None, "too many to hold");
        let batch = ashiato::lake::catalog::BatchId("b".to_owned());
        let now = jiff::Timestamp::UNIX_EPOCH;
        assert!(catalog.commit_detection(dead, (&batch, &[]), &[], now).await.is_err());
        catalog.close().await;
    });
    assert_eq!(scene.detect().len(), 3);
}

#[test]
fn two_at_once_tell_each_finding_once() {
    let (mut scene, objects) = crowd();
    // Long enough for a run on a busy machine to be alive all the time.
    scene.site = scene.site.with("ASHIATO_DETECT_LEASE", "60s");
    objects.iter().enumerate().for_each(|(number, calls)| scene.come(&format!("part-{number}"), calls));
    let start = || {
        scene
            .site
            .command(&["detect"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let ran = [start(), start()].map(|child| Ran::of(child.wait_with_output().unwrap()));
    let codes: BTreeSet<_> = ran.iter().map(|ran| ran.code).collect();
    assert_eq!(codes, BTreeSet::from([Some(0), Some(1)]), "{ran:#?}");
    assert_eq!(told(&scene.site), (10, 10));
}

#[test]
fn what_a_log_says_stays_text() {
    let mut scene = Scene::new();
    let hostile = "'; drop table x; --<script>\u{1b}[31m\u{202e}";
    let call = |minutes| Call::user(hostile, "AKIAEXAMPLEKEY000001", minutes).by(hostile).of(hostile);
    scene.come("before", &[call(days_before(70))]);
    scene.come("a", &[call(0).from("203.0.113.9"), Call::root(ACCOUNT, 0).of(hostile).from(hostile)]);
    for words in [&["detect"][..], &["detect", "--json"]] {
        let ran = scene.site.run(words);
        assert!(matches!(ran.code, Some(0 | 1)), "{ran:?}");
        assert!(ran.out.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{:?}", ran.out);
    }
    let rows = scene.site.query("select finding_info.desc as line from findings order by line");
    assert!(rows.iter().any(|row| text(row, "/line").contains("drop table x; --<script>")), "{rows:#?}");
}

#[test]
fn an_empty_or_missing_lake_is_told_by_the_exit_code() {
    let site = Site::new();
    let ran = site.run(&["detect"]).ended(2);
    assert!(ran.err.contains("no lake in "), "{ran:?}");
    site.ingest().ended(0);
    let ran = site.run(&["detect"]).ended(0);
    assert!(ran.err.contains("0 events judged, 0 findings"), "{ran:?}");
}
