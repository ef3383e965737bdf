//! The same promises for every source: one table of cases, which is the folders of `tests/fixtures`.
//!
//! A new source is tested by the fixtures it brings. Records are read here by other means than the program's
//! (`serde_json`, splitting lines), and each of their values is looked for in the row that came of them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use ashiato::ingest::source::LogSource;
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use crate::archive::{Site, assert_same_rows, files_below, text};

/// One fixture.
struct Case {
    source: String,
    name: String,
    bytes: Vec<u8>,
}

impl Case {
    fn is_lines(&self) -> bool {
        self.name.ends_with(".log")
    }

    /// The key of an object with these bytes, of which only the content tells the source.
    fn key(&self) -> String {
        format!("{}/{}", self.source, self.name)
    }
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Every fixture of every source.
fn cases() -> Vec<Case> {
    let names = files_below(&fixtures()).into_iter().filter(|name| !name.ends_with(".ocsf.json"));
    let cases: Vec<Case> = names
        .map(|name| {
            let bytes = std::fs::read(fixtures().join(&name)).unwrap();
            let (source, name) = name.split_once('/').unwrap();
            Case { source: source.to_owned(), name: name.to_owned(), bytes }
        })
        .collect();
    assert!(cases.len() >= LogSource::ALL.len());
    cases
}

/// The rows of all tables, in the order of their evidence.
pub(crate) fn rows(site: &Site) -> Vec<Value> {
    let tables = [
        "select * from cloudtrail",
        "select * from vpc_flow",
        "select * from finding_history",
        "select * from configuration_item",
        "select * from ocsf_api_activity",
        "select * from ocsf_account_change",
        "select * from ocsf_authentication",
        "select * from ocsf_network",
    ];
    let mut rows: Vec<Value> = tables.into_iter().flat_map(|sql| site.query(sql)).collect();
    rows.sort_by_key(evidence);
    rows
}

/// Where a row says it comes from.
fn evidence(row: &Value) -> (String, u64) {
    let metadata = &row["metadata"];
    (metadata["log_name"].as_str().unwrap().to_owned(), metadata["sequence"].as_u64().unwrap())
}

/// The records of a text, out of whatever holds them, in the order in which evidence counts them.
pub(crate) fn records(text: &str) -> Vec<Value> {
    let text = text.trim_start_matches('\u{feff}');
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    documents.flat_map(|document| out_of(document.unwrap())).collect()
}

fn out_of(document: Value) -> Vec<Value> {
    const CONTAINERS: [&str; 7] =
        ["Records", "Findings", "findings", "configurationItems", "EvaluationResults", "events", "Events"];
    if let Value::Array(items) = document {
        return items.into_iter().flat_map(out_of).collect();
    }
    if let Some(items) = CONTAINERS.iter().find_map(|name| document.get(name).and_then(Value::as_array)) {
        return items.clone();
    }
    let of_message =
        document.pointer("/detail/findings").and_then(Value::as_array).filter(|all| !all.is_empty());
    let count = of_message.map_or(1, Vec::len);
    (0..count)
        .map(|number| {
            let mut message = document.clone();
            if let Some(all) = message.pointer_mut("/detail/findings").and_then(Value::as_array_mut) {
                all.retain({
                    let mut at = 0..;
                    move |_| at.next() == Some(number)
                });
            }
            message
        })
        .collect()
}

/// What a row says, each value by itself.
#[derive(Default)]
struct Said {
    texts: BTreeSet<String>,
    /// Moments, in epoch milliseconds.
    moments: BTreeSet<i64>,
}

impl Said {
    fn by(row: &Value) -> Self {
        let mut said = Self::default();
        said.add(row);
        said
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(members) => members.values().for_each(|member| self.add(member)),
            Value::String(text) => self.text(text),
            other => {
                self.texts.extend(number(&other.to_string()));
                self.texts.insert(other.to_string());
            }
        }
    }

    fn text(&mut self, text: &str) {
        if !self.texts.insert(text.to_owned()) {
            return;
        }
        self.moments.extend(moment(text));
        match serde_json::from_str::<Value>(text) {
            Ok(Value::String(inner)) => self.text(&inner),
            Ok(inner) => self.add(&inner),
            // Lists joined by commas, tags joined by an equals sign.
            Err(_) => {
                for part in text.split(',').chain(text.split_once('=').into_iter().flat_map(|(a, b)| [a, b]))
                {
                    self.texts.insert(part.to_owned());
                }
            }
        }
    }

    /// The values of a record that the row does not say.
    fn lacks(&self, record: &Value) -> Vec<String> {
        match record {
            Value::Null => Vec::new(),
            Value::Array(items) => items.iter().flat_map(|item| self.lacks(item)).collect(),
            Value::Object(members) => members.values().flat_map(|member| self.lacks(member)).collect(),
            Value::String(text) => self.lacks_text(text).into_iter().collect(),
            other => self.lacks_text(&other.to_string()).into_iter().collect(),
        }
    }

    fn lacks_text(&self, text: &str) -> Option<String> {
        // Inspector's words for true and false.
        let flag = [("YES", "true"), ("NO", "false")].into_iter().find(|(word, _)| *word == text);
        let is_said = self.texts.contains(text)
            || number(text).is_some_and(|number| self.texts.contains(&number))
            || flag.is_some_and(|(_, flag)| self.texts.contains(flag))
            || moment(text).is_some_and(|moment| self.moments.contains(&moment))
            || self.says_json(text);
        (!is_said).then(|| text.to_owned())
    }

    /// JSON inside a string is said when what is in it is.
    fn says_json(&self, text: &str) -> bool {
        match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => self.lacks(&inner).is_empty(),
            _ => false,
        }
    }
}

/// Writes a number in one way, whatever zeros it was written with.
fn number(text: &str) -> Option<String> {
    let number: f64 = text.parse().ok().filter(|_| text.len() < 16)?;
    Some(format!("number {number}"))
}

/// Reads a moment as records write it.
fn moment(text: &str) -> Option<i64> {
    // Seconds or milliseconds since 1970, with or without a fraction.
    let epoch = || {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let number: i64 = whole.parse().ok().filter(|number| *number > 900_000_000)?;
        let thousandths = format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?;
        Some(if number < 9_000_000_000 { number * 1000 + thousandths } else { number })
    };
    let written = text.replacen(' ', "T", 1);
    let stamp: Option<jiff::Timestamp> = text.parse().ok().or_else(|| written.parse().ok());
    let in_words = || {
        let parsed = jiff::fmt::strtime::parse("%b %d, %Y, %I:%M:%S %p", text).ok()?;
        let moment = jiff::tz::TimeZone::UTC.to_timestamp(parsed.to_datetime().ok()?).ok()?;
        Some(moment.as_millisecond())
    };
    stamp.map(jiff::Timestamp::as_millisecond).or_else(epoch).or_else(in_words)
}

/// The values of flow records whose words differ from OCSF's.
fn in_ocsf(field: &str, value: &str) -> String {
    match (field, value) {
        ("action", "ACCEPT") => "Allowed",
        ("action", "REJECT") => "Denied",
        ("flow-direction", "ingress") => "Inbound",
        ("flow-direction", "egress") => "Outbound",
        ("traffic-path", "1") => "Same VPC",
        ("traffic-path", "8") => "Internet Gateway",
        _ => value,
    }
    .to_owned()
}

/// The records of a text of lines, as their fields.
fn lines(text: &str) -> Vec<Value> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let fields = |line: &str| {
        let pairs = header.iter().zip(line.split(' ')).filter(|(_, value)| *value != "-");
        pairs.map(|(field, value)| Value::String(in_ocsf(field, value))).collect()
    };
    lines.map(fields).collect()
}

fn records_of(case: &Case) -> Vec<Value> {
    let text = String::from_utf8(case.bytes.clone()).unwrap();
    if case.is_lines() { lines(&text) } else { records(&text) }
}

/// Every source has fixtures, and every fixture is of the source whose folder it lies in.
#[test]
fn every_source_has_fixtures_that_are_known_for_what_they_are() {
    let (site, cases) = (Site::new(), cases());
    for source in LogSource::ALL {
        assert!(cases.iter().any(|case| case.source == source.name()), "no fixture of {}", source.name());
    }
    for case in &cases {
        site.put(&case.key(), &case.bytes);
    }
    site.ingest().ended(0);
    let status = site.status();
    let told: BTreeSet<&str> = status["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| source["source"].as_str().unwrap())
        .collect();
    assert_eq!(told, LogSource::ALL.map(LogSource::name).into_iter().collect());
}

/// Nothing is lost: each value of each record is in the row whose evidence names it.
#[test]
fn every_value_of_every_record_is_in_its_row() {
    let (site, cases) = (Site::new(), cases());
    for case in &cases {
        site.put(&case.key(), &case.bytes);
    }
    site.ingest().ended(0);
    assert_eq!(site.quarantine(), Vec::<Value>::new());
    let rows = rows(&site);
    for case in &cases {
        let key = case.key();
        let mut of_case = rows.iter().filter(|row| evidence(row).0.ends_with(&key));
        for (number, record) in (0..).zip(records_of(case)) {
            let row = of_case.next().unwrap_or_else(|| panic!("{key}: no row for record {number}"));
            assert_eq!(evidence(row).1, number, "{key}: the index in the object");
            let lacks = Said::by(row).lacks(&record);
            assert!(lacks.is_empty(), "{key}, record {number}: the row lacks {lacks:?}\n{row:#}");
        }
        assert!(of_case.next().is_none(), "{key}: more rows than records");
    }
}

#[test]
fn a_second_look_adds_nothing() {
    let (site, cases) = (Site::new(), cases());
    for case in &cases {
        site.put(&case.key(), &case.bytes);
    }
    site.ingest().ended(0);
    let before = rows(&site);
    let again = site.ingest().ended(0);
    assert!(again.out.contains("were in the lake already"), "{}", again.out);
    site.settle().ended(0);
    assert_same_rows(&rows(&site), &before);
}

/// Writes records as one text.
type Form<'a> = &'a dyn Fn(&[Value]) -> String;

/// The same records in whatever holds them, under names that lie.
#[test]
fn containers_and_suffixes_change_nothing() {
    let join = |records: &[Value], between: &str, write: fn(&Value) -> String| {
        records.iter().map(write).collect::<Vec<_>>().join(between)
    };
    let compact: fn(&Value) -> String = Value::to_string;
    let pretty: fn(&Value) -> String = |record| serde_json::to_string_pretty(record).unwrap();
    let cases: Vec<Case> = cases().into_iter().filter(|case| !case.is_lines()).collect();
    // A lake for each form: CloudTrail's records are the same events, of which one lake keeps one.
    let rows_of = |suffix: &str, form: Form<'_>| {
        let site = Site::new();
        for case in &cases {
            let records = records_of(case);
            site.put(&format!("{}/{}/x.{suffix}", case.source, case.name), form(&records).as_bytes());
        }
        site.ingest().ended(0);
        let mut rows = rows(&site);
        for row in &mut rows {
            // Evidence differs, and so does the id of a state that is named by its text.
            let metadata = row["metadata"].as_object_mut().unwrap();
            metadata.retain(|name, _| name != "log_name" && name != "uid");
        }
        rows
    };
    let expected = rows_of("parquet", &|records| join(records, "\n", compact));
    assert_eq!(expected.len(), cases.iter().map(|case| records_of(case).len()).sum::<usize>());
    let forms: [(&str, Form<'_>); 4] = [
        ("gz", &|records| join(records, "", compact)),
        ("csv", &|records| format!("[{}]", join(records, ",", compact))),
        ("log", &|records| join(records, "\n", pretty)),
        ("json", &|records| format!("\u{feff}{}", join(records, "\r\n", pretty))),
    ];
    for (suffix, form) in forms {
        assert_same_rows(&rows_of(suffix, form), &expected);
    }
}

/// One finding by its own export, by both formats of Security Hub, and as an update: one finding with a history.
#[test]
fn one_finding_by_many_ways_has_one_history() {
    let arn = "arn:aws:guardduty:eu-west-1:111122223333:detector/d1/finding/f1";
    let own = |updated: &str, archived: bool| {
        serde_json::json!({
            "schemaVersion": "2.0", "accountId": "111122223333", "region": "eu-west-1", "id": "f1", "arn": arn,
            "type": "Recon:EC2/Portscan", "title": "A scan", "description": "A scan", "severity": 5,
            "createdAt": "2025-01-05T10:00:00.000Z", "updatedAt": updated,
            "resource": {"resourceType": "Instance", "instanceDetails": {"instanceId": "i-1"}},
            "service": {"detectorId": "d1", "archived": archived, "count": 1},
        })
    };
    let asff = serde_json::json!({
        "detail-type": "Security Hub Findings - Imported", "source": "aws.securityhub", "detail": {"findings": [{
            "SchemaVersion": "2018-10-08", "Id": arn, "Title": "A scan", "Description": "A scan",
            "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/guardduty", "GeneratorId": "d1",
            "AwsAccountId": "111122223333", "Region": "eu-west-1", "Types": ["TTPs/Discovery/Recon:EC2-Portscan"],
            "CreatedAt": "2025-01-05T10:00:00.000Z", "UpdatedAt": "2025-01-05T10:10:00.000Z",
            "Severity": {"Label": "MEDIUM"}, "Resources": [{"Type": "AwsEc2Instance", "Id": "i-1"}],
        }]},
    });
    let ocsf = serde_json::json!({
        "class_uid": 2004, "category_uid": 2, "activity_id": 2, "type_uid": 200_402, "severity_id": 3,
        "time": 1_736_072_400_000_i64, "cloud": {"provider": "AWS", "region": "eu-west-1", "account": {"uid": "111122223333"}},
        "metadata": {"version": "1.6.0", "product": {"name": "GuardDuty", "vendor_name": "AWS"}},
        "finding_info": {"uid": arn, "title": "A scan", "created_time_dt": "2025-01-05T10:00:00.000Z"},
    });
    let site = Site::new();
    site.put(
        "own.jsonl",
        format!("{}\n{}", own("2025-01-05T10:00:00.000Z", false), own("2025-01-05T11:00:00.000Z", false))
            .as_bytes(),
    );
    site.put("again.jsonl", own("2025-01-05T11:00:00.000Z", false).to_string().as_bytes());
    site.put("hub", format!("{asff}{ocsf}").as_bytes());
    site.ingest().ended(0);
    site.settle().ended(0);
    let history = site.query("select time_dt, finding_info.uid as uid from finding_history order by time");
    let times: Vec<String> = history.iter().map(|row| text(row, "/time_dt")).collect();
    let expected =
        ["T10:00:00Z", "T10:10:00Z", "T10:20:00Z", "T11:00:00Z"].map(|time| format!("2025-01-05{time}"));
    assert_eq!(times, expected, "four states: a second delivery of one adds none");
    assert!(history.iter().all(|row| text(row, "/uid") == arn));
    let now = site.query("select time_dt from findings where finding_info.uid like '%finding/f1'");
    assert_eq!(now.iter().map(|row| text(row, "/time_dt")).collect::<Vec<_>>(), [expected[3].clone()]);
}

/// A finding that a person resolved has the time it had before: the message says which state is the newer.
#[test]
fn a_workflow_that_changes_without_a_new_time_is_the_newest_state() {
    let message = |sent: &str, workflow: &str| {
        serde_json::json!({
            "detail-type": "Security Hub Findings - Imported", "source": "aws.securityhub", "time": sent,
            "detail": {"findings": [{
                "SchemaVersion": "2018-10-08", "Id": "arn:aws:securityhub:eu-west-1:111122223333:f/1", "Title": "t",
                "Description": "d", "GeneratorId": "g", "AwsAccountId": "111122223333", "Region": "eu-west-1",
                "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/securityhub", "Types": [],
                "CreatedAt": "2025-01-05T10:00:00.000Z", "UpdatedAt": "2025-01-05T10:00:00.000Z",
                "Severity": {"Label": "HIGH"}, "Workflow": {"Status": workflow}, "Compliance": {"Status": "FAILED"},
                "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::b"}],
            }]},
        })
        .to_string()
    };
    let states =
        [("12:00:00", "NOTIFIED"), ("10:00:05", "NEW"), ("13:00:00", "RESOLVED"), ("11:00:00", "SUPPRESSED")];
    let messages = states.map(|(sent, workflow)| message(&format!("2025-01-05T{sent}Z"), workflow));
    let site = Site::new();
    site.put("hub.json", messages.join("\n").as_bytes());
    site.ingest().ended(0);
    let statuses = |site: &Site| {
        let (all, now) = ("select status from finding_history", "select status from findings");
        [all, now].map(|sql| site.query(sql).iter().map(|row| text(row, "/status")).collect::<BTreeSet<_>>())
    };
    let all = ["In Progress", "New", "Resolved", "Suppressed"].map(str::to_owned);
    let expected = [BTreeSet::from(all), BTreeSet::from(["Resolved".to_owned()])];
    assert_eq!(statuses(&site), expected);
    site.settle().ended(0);
    assert_eq!(statuses(&site), expected, "settling keeps every state");
}

/// Settling takes two states for one only when they are the same text.
#[test]
fn two_states_of_one_id_and_time_both_stay() {
    let site = Site::new();
    let case = cases().into_iter().find(|case| case.source == "guardduty").unwrap();
    let finding = records_of(&case).remove(0);
    let mut other = finding.clone();
    let title = if other.get("Title").is_some() { "/Title" } else { "/title" };
    let title = if other.get("detail").is_some() { "/detail/title" } else { title };
    *other.pointer_mut(title).unwrap() = "nothing to see here".into();
    // What comes first must not hide what is true.
    site.put("a.json", other.to_string().as_bytes());
    site.put("m.json", format!("{finding}\n{finding}").as_bytes());
    site.ingest().ended(0);
    site.settle().ended(0);
    let titles = site.query("select finding_info.title as title from finding_history");
    let titles: BTreeSet<String> = titles.iter().map(|row| text(row, "/title")).collect();
    assert_eq!(titles.len(), 2, "{titles:?}");
    assert_eq!(site.query("select 1 from finding_history").len(), 2, "the same text twice is one state");
}

/// Odd lines of a flow log cost themselves; names of fields are known in any case.
#[test]
fn odd_lines_of_a_flow_log_cost_themselves() {
    let site = Site::new();
    let lines = "Version Account-Id DstAddr SrcAddr DstPort SrcPort Start End Log-Status\n\
                 2 111122223333 192.0.2.2 192.0.2.1 443 1000 1736071200 1736071260 OK\n\
                 \0\0\0\n\
                 2 111122223333 192.0.2.4 192.0.2.3 99999 1001 1736071200 1736071260 OK\n";
    site.put("AWSLogs/111122223333/vpcflowlogs/eu-west-1/2025/01/05/x.log", lines.as_bytes());
    site.ingest().ended(0);
    let rows = site.query(
        "select src_endpoint.ip as src, dst_endpoint.port as port, unmapped from vpc_flow order by src",
    );
    assert_eq!((rows.len(), site.quarantine().len()), (2, 1));
    assert_eq!((text(&rows[0], "/src"), rows[0]["port"].as_i64()), ("192.0.2.1".to_owned(), Some(443)));
    // No port has that number: OCSF would not take it.
    assert_eq!((rows[1]["port"].as_i64(), text(&rows[1], "/unmapped/dstport")), (None, "99999".to_owned()));
}

/// In a message of several findings, too, a bad one costs itself.
#[test]
fn a_bad_finding_in_a_message_costs_itself() {
    let case = cases().into_iter().find(|case| case.source == "security_hub").unwrap();
    let message =
        records_of(&case).into_iter().find(|record| record.pointer("/detail/findings/0").is_some()).unwrap();
    let good = message.pointer("/detail/findings/0").unwrap().clone();
    for bad in [serde_json::json!(5), Value::Null, serde_json::json!({}), serde_json::json!({"Id": [1]})] {
        let mut message = message.clone();
        *message.pointer_mut("/detail/findings").unwrap() = serde_json::json!([bad, good, bad]);
        let site = Site::new();
        site.put("hub.json", format!("{message}\n{message}").as_bytes());
        site.ingest().ended(0);
        let source = &site.status()["sources"][0];
        let counts = ["records", "events", "set_aside"].map(|name| source[name].as_u64().unwrap());
        assert_eq!(counts, [6, 2, 4], "{bad}");
        let places: Vec<u64> = rows(&site).iter().map(|row| evidence(row).1).collect();
        assert_eq!(places, [1, 4], "{bad}");
        let set_aside: Vec<u64> =
            site.quarantine().iter().map(|entry| entry["record"].as_u64().unwrap()).collect();
        assert_eq!(set_aside, [0, 2, 3, 5], "{bad}");
    }
}

/// Findings that another product wrapped are known all the same, and the wrapper is kept.
#[test]
fn a_record_in_a_wrapper_is_known() {
    let site = Site::new();
    let case = cases().into_iter().find(|case| case.source == "security_hub").unwrap();
    let finding = records_of(&case).remove(0).pointer("/detail/findings/0").cloned();
    let finding = finding.unwrap_or_else(|| records_of(&case).remove(0));
    let wrapped = serde_json::json!({"exported_by": "another product", "finding": finding});
    site.put("wrapped.json", wrapped.to_string().as_bytes());
    site.ingest().ended(0);
    let rows = rows(&site);
    assert_eq!((rows.len(), site.quarantine().len()), (1, 0));
    assert_eq!(rows[0]["unmapped"]["exported_by"], "another product");
    assert_eq!(Said::by(&rows[0]).lacks(&wrapped), Vec::<String>::new());
}

/// A broken record costs itself, and can be found.
#[test]
fn a_broken_record_costs_itself() {
    let (site, cases) = (Site::new(), cases());
    let mut expected = 0;
    for case in &cases {
        let text = String::from_utf8(case.bytes.clone()).unwrap();
        let broken = if case.is_lines() {
            let (header, rest) = text.split_once('\n').unwrap();
            format!("{header}\nno flow record at all\n{rest}")
        } else {
            let records = records(&text);
            let lines: Vec<String> = records.iter().map(Value::to_string).collect();
            format!("{}\n{{\"broken\": nothing}}\n{}", lines[0], lines[1..].join("\n"))
        };
        expected += records_of(case).len();
        site.put(&case.key(), broken.as_bytes());
    }
    site.ingest().ended(0);
    let set_aside = site.quarantine();
    assert_eq!(rows(&site).len(), expected);
    assert_eq!(set_aside.len(), cases.len(), "{set_aside:#?}");
}

/// Whatever type a value has, its record becomes an event or is set aside, and nothing panics.
#[test]
fn wrong_types_anywhere_are_survived() {
    let odd = ["null", "true", "-7", "1e400", "\"\"", "\"\\ud83d\"", "[]", "{}", "[[{\"a\":[1]}]]"];
    let odd: Vec<&str> = odd.into_iter().collect();
    for case in cases().iter().filter(|case| !case.is_lines()) {
        let mut lines = Vec::new();
        for record in records_of(case).iter().take(2) {
            let mut pointers = Vec::new();
            paths(record, String::new(), &mut pointers);
            for (number, pointer) in pointers.iter().enumerate() {
                let mut changed = record.clone();
                *changed.pointer_mut(pointer).unwrap() = Value::String("@@odd@@".to_owned());
                // Two kinds a path keep this short; over all paths each kind comes often.
                for shift in [0, 4] {
                    let odd = odd[(number + shift) % odd.len()];
                    lines.push(changed.to_string().replace("\"@@odd@@\"", odd));
                }
            }
        }
        let site = Site::new();
        let key = format!("AWSLogs/111122223333/GuardDuty/eu-west-1/2025/01/05/{}", case.name);
        site.put(&key, lines.join("\n").as_bytes());
        site.ingest().ended(0);
        let status = site.status();
        let source = &status["sources"][0];
        let count = |name: &str| source[name].as_u64().unwrap();
        // One message may hold several findings.
        assert!(count("records") >= lines.len() as u64, "{}: {source}", case.key());
        assert_eq!(
            count("records"),
            count("events") + count("set_aside") + count("skipped"),
            "{}",
            case.key()
        );
        assert_eq!(rows(&site).len() as u64, count("events"), "{}", case.key());
    }
}

/// The places of all values.
fn paths(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                paths(item, format!("{at}/{number}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                paths(member, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => {}
    }
    if !at.is_empty() {
        found.push(at);
    }
}

/// The public samples that lie beside the project, where they do: each record is in its row, or set aside.
#[test]
fn every_value_of_the_public_samples_is_in_its_row() {
    let samples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !samples.exists() {
        eprintln!("skipped: no public samples beside the project");
        return;
    }
    let site = Site::new();
    let folders = ["findings", "aws-docs", "vpcflow", "ocsf-pairs"];
    let folders = folders.map(|folder| samples.join(folder).display().to_string());
    let words: Vec<&str> = std::iter::once("ingest").chain(folders.iter().map(String::as_str)).collect();
    // Some of them are no logs, and say so.
    assert!(matches!(site.run(&words).code, Some(0 | 3)));
    let status = site.status();
    for source in status["sources"].as_array().unwrap() {
        let count = |name: &str| source[name].as_u64().unwrap();
        assert_eq!(count("records"), count("events") + count("set_aside") + count("skipped"), "{source}");
    }
    let rows = rows(&site);
    let mut checked = 0;
    for row in &rows {
        let (log_name, index) = evidence(row);
        let Some(record) = sample(log_name.trim_start_matches("file://"), index) else { continue };
        checked += 1;
        let lacks = Said::by(row).lacks(&record);
        assert!(lacks.is_empty(), "{log_name}, record {index}: the row lacks {lacks:?}\n{row:#}");
    }
    assert!(checked > 250, "{checked} of {} rows", rows.len());
}

/// A record of a file of JSON, packed or not; nothing of another file.
fn sample(path: &str, index: u64) -> Option<Value> {
    let stored = std::fs::read(path).unwrap();
    let mut text = String::new();
    let mut gzip = flate2::read::MultiGzDecoder::new(stored.as_slice());
    if std::io::Read::read_to_string(&mut gzip, &mut text).is_err() {
        text = String::from_utf8(stored).ok()?;
    }
    let first = text.trim_start_matches('\u{feff}').trim_start().chars().next()?;
    let at = usize::try_from(index).unwrap();
    matches!(first, '{' | '[').then(|| records(&text).into_iter().nth(at)).flatten()
}

/// Flow logs that AWS delivers as Parquet give the rows of those it delivers as text.
#[test]
fn a_parquet_file_gives_the_rows_of_its_text() {
    for case in cases().iter().filter(|case| case.is_lines()) {
        let text = String::from_utf8(case.bytes.clone()).unwrap();
        let rows_of = |name: &str, bytes: &[u8]| {
            let site = Site::new();
            site.put(name, bytes);
            site.ingest().ended(0);
            let mut rows = rows(&site);
            rows.iter_mut().for_each(|row| row["metadata"]["log_name"] = "the object".into());
            rows
        };
        let expected = rows_of("x.log", text.as_bytes());
        assert!(!expected.is_empty());
        assert_same_rows(&rows_of("x.log", &parquet_of(&text)), &expected);
    }
}

/// The lines of a flow log as a Parquet file, whose columns use underscores and nulls.
fn parquet_of(text: &str) -> Vec<u8> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let table: Vec<Vec<&str>> = lines.map(|line| line.split(' ').collect()).collect();
    let columns = header.iter().enumerate().map(|(number, name)| {
        let cells = table.iter().map(|line| Some(line[number]).filter(|cell| *cell != "-"));
        (name.replace('-', "_"), Arc::new(cells.collect::<StringArray>()) as ArrayRef, true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}
