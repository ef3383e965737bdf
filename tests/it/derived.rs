//! Derived tables: kept or computed, of hot files or settled ones, whatever is killed, they say the same; and what is
//! looked up in them is what a query without them finds.

use serde_json::{Value, json};

use crate::archive::{REGION, Site, blocking, file, gzip, key, record};
use crate::crash::{
    assert_all_files_known, assert_derivations_count, generated, kill, kills, read_once, shortest, start,
    sweeping, wait,
};
use crate::worker::{Rig, stop, until};

/// What each derived table says, whatever files its rows were derived from: a row there is of one file.
const TABLES: [&str; 6] = [
    "select * exclude (events, first_seen, last_seen), sum(events), min(first_seen), max(last_seen) from footprints
     group by all",
    "select * exclude (events, first_seen, last_seen, event_ids), sum(events), min(first_seen), max(last_seen)
     from touches group by all",
    "select * from session_edge",
    "select * exclude (first_seen, last_seen), min(first_seen), max(last_seen) from ip_lease group by all",
    "select * exclude (flows, packets, bytes, first_seen, last_seen), sum(flows), sum(packets), sum(bytes),
       min(first_seen), max(last_seen) from flows group by all",
    "select * from finding_states",
];

/// All derived rows, in one order.
fn derived(site: &Site) -> Vec<Vec<String>> {
    let rows = |sql: &&str| {
        let mut rows: Vec<_> = site.query(sql).iter().map(Value::to_string).collect();
        rows.sort();
        rows
    };
    TABLES.iter().map(rows).collect()
}

/// The sums of what derived tables say.
fn sums(site: &Site) -> Vec<Value> {
    site.query(
        "select (select sum(events) from footprints) as footprints, (select sum(events) from touches) as touches,
           (select count(*) from session_edge) as edges, (select count(*) from ip_lease) as leases,
           (select sum(flows) from flows) as flows, (select count(*) from finding_states) as findings",
    )
}

/// A generated archive, a flow log and findings.
pub(crate) fn site() -> Site {
    let site = generated();
    let mut log =
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end \
                   action log-status\n"
            .to_owned();
    for (number, start) in (0..60).map(|number| (number, 1_736_114_400 + number * 120)) {
        let (port, peer) = (40_000 + number, number % 7);
        let end = start + 60;
        log += &format!(
            "2 444455556666 eni-0a1b2c3d4e5f60718 10.0.0.9 198.51.100.{peer} {port} 443 6 9 900 {start} {end} ACCEPT OK\n"
        );
    }
    let key = "AWSLogs/444455556666/vpcflowlogs/eu-west-1/2025/01/05/\
               444455556666_vpcflowlogs_eu-west-1_fl-0123456789abcdef0_20250105T2200Z_abcd1234.log.gz";
    site.put(key, &gzip(log.as_bytes()));
    for source in ["guardduty", "security_hub", "macie", "inspector"] {
        let folder = format!("{}/tests/fixtures/{source}", env!("CARGO_MANIFEST_DIR"));
        for name in crate::archive::files_below(std::path::Path::new(&folder)) {
            if !name.ends_with(".ocsf.json") {
                let bytes = std::fs::read(format!("{folder}/{name}")).unwrap();
                site.put(&format!("security-events/2026/01/05/22/{source}-{name}"), &bytes);
            }
        }
    }
    site
}

/// Makes the catalog forget that anything was derived.
fn forget(site: &Site) {
    blocking(async {
        use sqlx::Connection as _;
        let mut catalog = site.catalog().await;
        for forgotten in
            ["update files set derivation = null, part = null", "update derivations set live = 0"]
        {
            sqlx::query(forgotten).execute(&mut catalog).await.unwrap();
        }
        catalog.close().await.unwrap();
    });
}

const KEPT: &str = "select count(*) from files where state = 'visible' and derivation is not null";
const COMPUTED: &str = "select count(*) from files where state = 'visible' and derivation is null";

#[test]
fn computed_and_kept_they_are_the_same() {
    let site = site();
    read_once(&site);
    assert_eq!(site.count(KEPT), 0);
    let computed = derived(&site);
    let rows: Vec<_> = computed.iter().map(Vec::len).collect();
    assert!(rows.iter().all(|rows| *rows > 0), "each table has rows: {rows:?}");
    site.settle().ended(0);
    assert_eq!(site.count("select count(*) from files where state = 'visible' and kind = 'hot'"), 0);
    assert!(site.count(KEPT) > 0);
    // What settling merged is in other files now; the rows are those of the same events.
    assert!(derived(&site) == computed, "kept");
    forget(&site);
    assert!(derived(&site) == computed, "computed again");
    let ran = site.run(&["derive"]).ended(0);
    assert!(ran.out.contains("rows derived from"), "{ran:?}");
    assert!(derived(&site) == computed, "kept again");
    site.run(&["derive", "--rebuild"]).ended(0);
    assert!(derived(&site) == computed, "rebuilt");
    let swept = sweeping(site);
    swept.run(&["derive"]).ended(0);
    assert_all_files_known(&swept);
    assert!(derived(&swept) == computed, "swept");
}

#[test]
fn what_is_settled_anew_takes_its_rows_along() {
    let site = sweeping(site());
    read_once(&site);
    let expected = derived(&site);
    // The archive comes in two halves; the second half joins partitions that were derived already.
    let halves = sweeping(site.beside("halves"));
    let objects = crate::archive::files_below(&site.archive());
    for half in [0, 1] {
        for key in objects.iter().skip(half).step_by(2) {
            halves.run(&["ingest", &format!("archive/{key}")]).ended(0);
        }
        if half == 1 {
            assert!(halves.count(KEPT) > 0 && halves.count(COMPUTED) > 0, "some of it is kept");
            assert!(derived(&halves) == expected, "half kept, half computed");
        }
        halves.settle().ended(0);
        assert_eq!(halves.count("select count(*) from derivations where state <> 'visible'"), 0, "swept");
    }
    assert!(derived(&halves) == expected, "kept");
    assert_all_files_known(&halves);
}

#[test]
fn killed_while_it_derives_nothing_is_missing_and_nothing_counted_twice() {
    let site = sweeping(site());
    read_once(&site);
    site.settle().ended(0);
    let expected = (sums(&site), derived(&site));
    let clean = shortest(|_| drop(site.run(&["derive", "--rebuild"]).ended(0)));
    let mut chance = fastrand::Rng::with_seed(3);
    let mut killed = 0;
    while killed < kills() {
        killed += u32::from(kill(&site, &["derive", "--rebuild"], clean, &mut chance));
        assert_eq!(sums(&site), expected.0, "after {killed} kills");
    }
    site.run(&["derive"]).ended(0);
    assert!(derived(&site) == expected.1);
    assert_eq!(site.count("select count(*) from derivations where state <> 'visible'"), 0);
    assert_all_files_known(&site);
}

const HOT_KEPT: &str =
    "select count(*) from files where state = 'visible' and kind = 'hot' and derivation is not null";

#[test]
fn what_is_hot_is_derived_too_and_its_rows_go_when_it_is_settled() {
    let site = sweeping(site());
    for key in crate::archive::files_below(&site.archive()) {
        site.run(&["ingest", &format!("archive/{key}")]).ended(0);
    }
    let expected = (sums(&site), derived(&site));
    let clean = shortest(|_| drop(site.run(&["derive", "--rebuild"]).ended(0)));
    assert!(site.count(HOT_KEPT) > 0, "some of it is kept");
    assert!(derived(&site) == expected.1, "kept of hot files");
    let mut chance = fastrand::Rng::with_seed(7);
    let mut killed = 0;
    // A third of the kills: settled ones get all of them.
    while killed < kills() / 3 {
        killed += u32::from(kill(&site, &["derive", "--rebuild"], clean, &mut chance));
        assert_eq!(sums(&site), expected.0, "after {killed} kills");
    }
    site.run(&["derive"]).ended(0);
    assert!(derived(&site) == expected.1, "kept after all");
    // Settled while the rows of hot files are kept: killed at it, each row still counts once.
    for _ in 0..3 {
        kill(&site, &["settle"], clean, &mut chance);
        assert_eq!(sums(&site), expected.0, "killed while it settles");
    }
    site.settle().ended(0);
    assert_eq!(site.count(HOT_KEPT), 0);
    assert!(derived(&site) == expected.1, "settled");
    assert_all_files_known(&site);
}

/// A worker that derives every second and does not settle.
fn deriver() -> Rig {
    Rig::new(Site::new().with("ASHIATO_SETTLE_EVERY", "0s").with("ASHIATO_SETTLE_DERIVE_EVERY", "1s"))
}

/// Lets eight records of today come, each a batch of its own, and so a file.
fn come_today(rig: &Rig) {
    #[expect(clippy::disallowed_methods, reason = "a worker derives what is of today by its clock")]
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    for number in 0..8 {
        let mut record = record(number);
        record["eventTime"] = json!(now);
        let key = key(REGION, &format!("today-{number}"));
        rig.site.put(&key, &gzip(&file(&[record])));
        rig.announce(&key);
        rig.until_empty();
    }
}

#[test]
fn a_worker_derives_what_is_settled_and_the_last_hours_before_they_are() {
    let rig = deriver();
    let worker = rig.start();
    come_today(&rig);
    let hot = "select count(*) from files where state = 'visible' and kind = 'hot'";
    until("the hot files are derived", || rig.site.count(HOT_KEPT) == rig.site.count(hot));
    assert_eq!(rig.site.count(hot), 8);
    let ran = stop(worker);
    assert!(ran.err.contains("\"derived\""), "{ran:?}");
    // So is what is settled, whoever settles.
    rig.site.settle().ended(0);
    forget(&rig.site);
    let worker = rig.start();
    until("the settled files are derived", || rig.site.count(COMPUTED) == 0);
    stop(worker);
    assert_eq!(rig.site.query("select sum(events) as events from footprints"), [json!({"events": 8})]);
    assert_derivations_count(&rig.site);
}

#[test]
fn a_day_that_cannot_be_derived_keeps_no_last_hours_from_it() {
    let rig = deriver();
    rig.site.put(&key(REGION, "before"), &gzip(&file(&[record(100)])));
    rig.site.ingest().ended(0);
    rig.site.settle().ended(0);
    forget(&rig.site);
    let settled = rig.site.lake_files().into_iter().find(|path| path.starts_with("ext/")).unwrap();
    let path = rig.site.lake().join(settled);
    let length = std::fs::read(&path).unwrap().len();
    std::fs::write(&path, vec![0; length]).unwrap();
    let worker = rig.start();
    come_today(&rig);
    until("the hot files are derived", || rig.site.count(HOT_KEPT) == 8);
    let ran = stop(worker);
    assert!(ran.err.contains("deriving failed, it is tried again"), "{ran:?}");
    assert_eq!(rig.site.count(COMPUTED), 1, "the broken day waits");
}

#[test]
fn two_at_once_count_each_row_once() {
    let site = site();
    read_once(&site);
    site.settle().ended(0);
    let expected = derived(&site);
    forget(&site);
    let both = [start(&site, &["derive"]), start(&site, &["derive"])];
    for ran in both.map(wait) {
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    assert!(derived(&site) == expected);
}

/// Values of a column, some of them.
fn some(site: &Site, column: &str) -> Vec<String> {
    let sql = format!(
        "select {column} as value from cloudtrail where {column} is not null group by 1 order by reverse({column}) limit 2"
    );
    site.query(&sql).iter().map(|row| row["value"].as_str().unwrap().to_owned()).collect()
}

/// What a condition finds: how many events, and the first and the last id.
fn found(condition: &str) -> String {
    format!(
        "(select concat_ws(' ', count(*), min(metadata.uid), max(metadata.uid)) from cloudtrail where {condition})"
    )
}

/// Asks with a condition that is looked up and one that is not: both find the same, which is returned.
fn assert_same(site: &Site, looked_up: &str, opaque: &str, value: &str) -> String {
    let sql = format!("select {} as looked_up, {} as all_there_is", found(looked_up), found(opaque));
    let ran = site.run(&["query", &sql, "--format", "jsonl", "--param", &format!("value={value}")]).ended(0);
    let row: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(row["looked_up"], row["all_there_is"], "{looked_up}: {value}");
    row["looked_up"].to_string()
}

#[test]
fn what_is_looked_up_is_all_there_is() {
    let site = site();
    // Hot, settled and derived, settled and not derived: all at once.
    let objects = crate::archive::files_below(&site.archive());
    let (first, rest) = objects.split_at(objects.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    for key in first {
        site.run(&["ingest", &format!("archive/{key}")]).ended(0);
    }
    site.settle().ended(0);
    let today = site.with("ASHIATO_SETTLE_HOT_GRACE", "0s");
    for key in second.iter().chain(third) {
        today.run(&["ingest", &format!("archive/{key}")]).ended(0);
    }
    assert!(today.count(KEPT) > 8 && today.count(COMPUTED) > 0);
    for column in [
        "actor.user.credential_uid",
        "actor.user.uid",
        "src_endpoint.ip",
        "src_endpoint.domain",
        "api.operation",
    ] {
        let (plain, opaque) = (format!("{column} = $value"), format!("reverse(reverse({column})) = $value"));
        let values = some(&today, column);
        for value in &values {
            assert_ne!(assert_same(&today, &plain, &opaque, value), "\"0\"", "{plain}: {value}");
        }
        let more = "(api.operation in ('Nothing', 'AssumeRole') or src_endpoint.ip <> '') and eventday >= '20250105'";
        let value = values.first().unwrap();
        assert_same(
            &today,
            &format!("{plain} and {more}"),
            &format!("{opaque} and {}", more.replace("api.operation", "reverse(reverse(api.operation))")),
            value,
        );
    }
    let resources = "select r.uid as value from (select unnest(resources) as r from cloudtrail) group by 1 order by 1 limit 4";
    for row in today.query(resources) {
        let plain = "any_match(resources, r -> r.uid = $value)";
        let opaque = plain.replace("r.uid =", "reverse(reverse(r.uid)) =");
        let value = row["value"].as_str().unwrap();
        let same = assert_same(&today, plain, &opaque, value);
        assert_ne!(same, "\"0\"", "{value}");
        let unnested = "cloudtrail, unnest(resources) as t(r) where r.uid = $value";
        let sql = format!(
            "select (select count(distinct metadata.uid) from {unnested}) as looked_up,
               (select count(*) from cloudtrail where {opaque}) as all_there_is"
        );
        let ran =
            today.run(&["query", &sql, "--format", "jsonl", "--param", &format!("value={value}")]).ended(0);
        let row: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(row["looked_up"], row["all_there_is"], "unnested: {value}");
    }
    today.settle().ended(0);
    let key = &some(&today, "actor.user.credential_uid")[1];
    let resource = today.query(resources)[0]["value"].as_str().unwrap().to_owned();
    for (source, value) in [
        ("cloudtrail where actor.user.credential_uid = $value", key),
        ("cloudtrail, unnest(resources) as t(r) where r.uid = $value", &resource),
    ] {
        let sql = format!("select metadata.uid from {source}");
        let ran = today.run(&["query", &sql, "--stats", "--param", &format!("value={value}")]).ended(0);
        let (opened, visible) = opened(&ran.err);
        assert!(!ran.out.is_empty() && opened * 2 < visible, "{ran:?}");
    }
}

/// A finding of Security Hub, one state a day.
fn finding(number: u32, day: u32, status: &str) -> Value {
    let account = format!("11112222{number:04}");
    json!({
        "SchemaVersion": "2018-10-08",
        "Id": format!("arn:aws:securityhub:eu-west-1:{account}:security-control/S3.8/finding/{number}"),
        "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/securityhub",
        "ProductName": "Security Hub",
        "GeneratorId": "security-control/S3.8",
        "AwsAccountId": account,
        "Region": "eu-west-1",
        "CreatedAt": "2026-01-01T00:00:00Z",
        "UpdatedAt": format!("2026-01-{day:02}T10:00:00Z"),
        "Title": "The bucket should block public access",
        "Description": "It does not.",
        "Types": ["Software and Configuration Checks"],
        "Severity": {"Label": "HIGH"},
        "Compliance": {"Status": status, "SecurityControlId": "S3.8"},
        "Resources": [{"Type": "AwsS3Bucket", "Id": format!("arn:aws:s3:::bucket-{number}")}],
    })
}

#[test]
fn findings_are_looked_up_and_stand_as_they_do_now() {
    let site = Site::new();
    for day in 1..=4 {
        for number in 1..=6 {
            // Some are mended on the third day, and the second one breaks again.
            let status = if day == 3 && number < 4 || day == 4 && [1, 3].contains(&number) {
                "PASSED"
            } else {
                "FAILED"
            };
            let text = finding(number, day, status).to_string();
            site.put(&format!("security-events/2026/01/{day:02}/10/{number}.json"), text.as_bytes());
        }
    }
    let check = |site: &Site| {
        let newest =
            "select finding_info.uid as uid, compliance.status as status, metadata.uid as state from";
        let other = format!(
            "{newest} (select *, row_number() over (partition by finding_info.uid order by time desc) as age
             from finding_history) where age = 1 order by 1"
        );
        let now = site.query(&format!("{newest} findings order by 1"));
        assert_eq!(now, site.query(&other));
        let standing: Vec<_> = now.iter().map(|row| row["status"].as_str().unwrap()).collect();
        assert_eq!(standing, ["PASSED", "FAILED", "PASSED", "FAILED", "FAILED", "FAILED"]);
        let uid = now[1]["uid"].as_str().unwrap();
        for (condition, value) in
            [("finding_info.uid", uid), ("metadata.uid", now[1]["state"].as_str().unwrap())]
        {
            let sql = |column: &str| {
                format!(
                    "select metadata.uid as state from finding_history where {column} = '{value}' order by 1"
                )
            };
            let opaque = format!("reverse(reverse({condition}))");
            assert_eq!(site.query(&sql(condition)), site.query(&sql(&opaque)));
            assert!(!site.query(&sql(condition)).is_empty());
        }
    };
    site.run(&["ingest", "archive"]).ended(0);
    check(&site);
    site.settle().ended(0);
    check(&site);
    let sql = "select metadata.uid from finding_history where finding_info.uid like '%/finding/2' or finding_info.uid = $uid";
    assert!(!site.run(&["query", sql, "--param", "uid=x"]).ended(0).out.is_empty());
    let uid = "arn:aws:securityhub:eu-west-1:111122220002:security-control/S3.8/finding/2";
    let sql = "select metadata.uid from finding_history where finding_info.uid = $uid";
    let ran = site.run(&["query", sql, "--stats", "--param", &format!("uid={uid}")]).ended(0);
    let (opened, visible) = opened(&ran.err);
    assert!(opened <= visible / 2 && visible > 20, "{ran:?}");
    let answer = site.run(&["investigate", "2", "--as", "finding", "--format", "json"]);
    let answer: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(answer["finding"]["uid"], uid);
}

/// Files opened and visible, of what `--stats` says.
fn opened(stats: &str) -> (u64, u64) {
    let words: Vec<&str> = stats.split(' ').collect();
    let at = words.iter().position(|word| *word == "of").unwrap();
    (words[at - 1].parse().unwrap(), words[at + 1].parse().unwrap())
}
