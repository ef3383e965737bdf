//! Every record of CloudTrail can be told back from its row.
//!
//! Takes records, ingests and settles them, reads the Parquet files and rebuilds
//! each record from the columns alone: the inverse of `normalize`, written from the
//! rules in `schemas/` and `unmapped.rs`, sharing no code with it.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::json::LineDelimitedWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};

use crate::archive::{Site, files_below};

/// Fields that stand in one column as they are.
const PLAIN: [(&str, &str); 16] = [
    ("eventVersion", "metadata.product.version"),
    ("eventType", "metadata.event_code"),
    ("awsRegion", "cloud.region"),
    ("errorCode", "api.response.error"),
    ("errorMessage", "api.response.message"),
    ("apiVersion", "api.version"),
    ("userAgent", "http_request.user_agent"),
    ("vpcEndpointId", "src_endpoint.uid"),
    ("sourceIPAddress", "src_endpoint.ip"),
    ("sourceIPAddress", "src_endpoint.domain"),
    ("userIdentity.type", "actor.user.type"),
    ("userIdentity.userName", "actor.user.name"),
    ("userIdentity.principalId", "actor.user.uid_alt"),
    ("userIdentity.accountId", "actor.user.account.uid"),
    ("userIdentity.invokedBy", "actor.invoked_by"),
    ("userIdentity.sessionContext.sessionIssuer.arn", "actor.session.issuer"),
];

/// Rebuilds a record from its row.
fn rebuild(row: &Value) -> Value {
    let unmapped = row.get("unmapped").and_then(Value::as_object).cloned().unwrap_or_default();
    let text = |path: &str| pick(row, path).and_then(Value::as_str).map(str::to_owned);
    let mut record = Map::new();
    let plain = PLAIN.map(|(path, column)| (path, text(column)));
    for (path, value) in plain.into_iter().chain(conditional(row, &unmapped)) {
        if let Some(value) = value {
            set(&mut record, &keys_of(path), Value::String(value));
        }
    }
    for (path, column) in
        [("requestParameters", "api.request.data"), ("responseElements", "api.response.data")]
    {
        if let Some(json) = text(column) {
            record.insert(path.to_owned(), serde_json::from_str(&json).unwrap());
        }
    }
    if let Some(Value::Array(resources)) = row.get("resources") {
        record.insert("resources".to_owned(), resources.iter().map(resource).collect());
    }
    for (key, value) in &unmapped {
        let path = keys_of(key.strip_suffix("[]").unwrap_or(key));
        set(&mut record, &path, decode(key, value.as_str().unwrap()));
    }
    match record.remove("envelope") {
        Some(Value::Object(mut envelope)) => {
            envelope.insert("detail".to_owned(), Value::Object(record));
            Value::Object(envelope)
        }
        _ => Value::Object(record),
    }
}

/// Fields whose column may hold something derived in their place.
fn conditional(row: &Value, unmapped: &Map<String, Value>) -> [(&'static str, Option<String>); 10] {
    let text = |path: &str| pick(row, path).and_then(Value::as_str).map(str::to_owned);
    let kept = |key: &str| unmapped.get(key).and_then(Value::as_str).map(str::to_owned);
    let unless = |path: &str, derived: &[Option<String>]| {
        text(path).filter(|value| !derived.iter().flatten().any(|other| other == value))
    };
    let constant = |text: &str| Some(text.to_owned());
    let has_other_time =
        ["@timestamp", "timeWindow.windowStart"].iter().any(|key| unmapped.contains_key(*key));
    let is_mfa = pick(row, "actor.session.is_mfa").map(ToString::to_string);
    let created = time(row, "actor.session.created_time_dt");
    [
        ("eventID", unless("metadata.uid", &[kept("eventId")])),
        ("eventName", unless("api.operation", &[text("metadata.event_code")])),
        (
            "eventCategory",
            unless("metadata.product.feature.name", &[constant("Management, Data, and Insights")]),
        ),
        ("eventSource", unless("api.service.name", &[constant("unknown")])),
        ("requestID", unless("api.request.uid", &[text("metadata.uid"), constant("unknown")])),
        ("userIdentity.arn", text("actor.user.uid").filter(|uid| uid.starts_with("arn:"))),
        (
            "userIdentity.accessKeyId",
            unless("actor.user.credential_uid", &[kept("userIdentity.credentialId")]),
        ),
        ("userIdentity.sessionContext.attributes.creationDate", created),
        ("userIdentity.sessionContext.attributes.mfaAuthenticated", is_mfa),
        ("eventTime", time(row, "time_dt").filter(|_| !has_other_time)),
    ]
}

fn pick<'a>(row: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(row, |value, name| value.get(name))
}

fn time(row: &Value, path: &str) -> Option<String> {
    let text = pick(row, path)?.as_str()?;
    let time: jiff::Timestamp = text.parse().unwrap();
    Some(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn resource(resource: &Value) -> Value {
    let mut item = Map::new();
    for (name, path) in [("ARN", "uid"), ("accountId", "owner.account.uid"), ("type", "type")] {
        if let Some(value) = pick(resource, path) {
            item.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(item)
}

/// Splits a key of `unmapped` at its dots; a part in quotes is a JSON string.
fn keys_of(path: &str) -> Vec<String> {
    let (mut keys, mut rest) = (Vec::new(), path);
    loop {
        if rest.starts_with('"') {
            let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            keys.push(stream.next().unwrap().unwrap());
            rest = &rest[stream.byte_offset()..];
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            keys.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        match rest.strip_prefix('.') {
            Some(next) => rest = next,
            None => return keys,
        }
    }
}

fn set(record: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [last] => drop(record.insert(last.clone(), value)),
        [first, rest @ ..] => {
            let below = record.entry(first).or_insert_with(|| Value::Object(Map::new()));
            set(below.as_object_mut().unwrap(), rest, value);
        }
        [] => {}
    }
}

fn decode(key: &str, text: &str) -> Value {
    if key.ends_with("[]") && !key.ends_with("\"[]\"") {
        return text.split(',').map(|item| Value::String(item.to_owned())).collect();
    }
    let usually_text =
        key.ends_with("ccountId") || key.ends_with("ccount") || key.ends_with("sessionCredentialFromConsole");
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    let value = if usually_text { text.strip_prefix(' ').and_then(json) } else { json(text) };
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Reads every row of a lake's settled files as JSON.
fn rows(lake: &Path) -> Vec<Value> {
    let mut rows = Vec::new();
    for file in files_below(&lake.join("ext")) {
        let file = lake.join("ext").join(file);
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(file).unwrap()).unwrap();
        for batch in reader.build().unwrap() {
            let mut writer = LineDelimitedWriter::new(Vec::new());
            writer.write(&batch.unwrap()).unwrap();
            writer.finish().unwrap();
            let text = String::from_utf8(writer.into_inner()).unwrap();
            rows.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
    }
    rows
}

/// Ingests the records, each in whatever form it stands, and compares each with its rebuilt self, or with the
/// bytes that were set aside. Returns how many were.
fn check(records: &[Value]) -> usize {
    let site = Site::new();
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    site.put("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/01/records.json", lines.as_bytes());
    site.ingest().ended(0);
    site.settle().ended(0);
    let lake = site.lake();
    let rows: BTreeMap<u64, Value> = rows(&lake)
        .into_iter()
        .map(|row| (pick(&row, "metadata.sequence").unwrap().as_u64().unwrap(), row))
        .collect();
    let mut set_aside: BTreeMap<u64, Value> =
        site.quarantine().iter().map(|entry| kept(&lake, entry)).collect();
    for (index, record) in (0..).zip(records) {
        let told = rows.get(&index).map(rebuild).or_else(|| set_aside.remove(&index));
        assert_eq!(told.as_ref(), Some(record), "record {index}");
    }
    records.len() - rows.len()
}

/// What the quarantine kept of a record.
fn kept(lake: &Path, entry: &Value) -> (u64, Value) {
    let file = std::fs::read_to_string(lake.join(entry["entry_file"].as_str().unwrap())).unwrap();
    let line = file.lines().nth(usize::try_from(entry["entry_line"].as_u64().unwrap()).unwrap()).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    (entry["record"].as_u64().unwrap(), serde_json::from_str(line["text"].as_str().unwrap()).unwrap())
}

#[test]
fn every_form_of_a_value_comes_back() {
    let base = r##"{"eventVersion":"1.08","eventTime":"2026-01-01T00:00:0#Z","eventName":"GetObject","eventSource":"s3.amazonaws.com","eventID":"#","recipientAccountId":"111122223333","awsRegion":"eu-west-1"}"##;
    let additions = [
        r#"{}"#,
        r#"{"requestParameters":null,"responseElements":{"a":[1,{"b":null}]},"requestID":"7"}"#,
        r#"{"additionalEventData":{"a":"true","b":true,"c":1.50,"d":"1.50","e":[],"f":{},"g":["x","y"],"h":["x,y"],"i":["",1],"j":null}}"#,
        r#"{"odd.key":"1","":2,"a[]":["b"],"quo\"te":{"in.ner":{"x":"é\n\u0001"}},"sp ace":" 1"}"#,
        r#"{"sessionCredentialFromConsole":"true","vpcEndpointAccountId":"444455556666","someAccountId":444455556666,"otherAccountId":true}"#,
        r#"{"userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/x","accessKeyId":"AKIAEXAMPLE","userName":"x","accountId":"111122223333","sessionContext":{"sessionIssuer":{},"webIdFederationData":{"federatedProvider":"p","attributes":{"a.b":"c"}},"attributes":{"creationDate":"2026-01-01T00:00:00Z","mfaAuthenticated":"false"}}}}"#,
        r#"{"userIdentity":{"type":"IAMUser","arn":"not an arn","accessKeyId":7,"sessionContext":{"attributes":{"creationDate":"yesterday","mfaAuthenticated":true},"sessionIssuer":"x"}}}"#,
        r#"{"userIdentity":{"type":"AWSService","invokedBy":"ec2.amazonaws.com"},"sourceIPAddress":"ec2.amazonaws.com"}"#,
        r#"{"userIdentity":{"type":"IdentityCenterUser","credentialId":"c","onBehalfOf":{"userId":"u"}},"sourceIPAddress":"2001:db8::1"}"#,
        r#"{"userIdentity":null,"sourceIPAddress":"AWS Internal","eventCategory":"Management, Data, and Insights"}"#,
        r#"{"userIdentity":"x","sourceIPAddress":7,"awsRegion":"Not A Region","apiVersion":2}"#,
        r#"{"resources":[{"ARN":"arn:aws:s3:::b","accountId":"111122223333","type":"AWS::S3::Bucket"},{"ARN":"arn:aws:s3:::b/k"}]}"#,
        r#"{"resources":[{"ARNPrefix":"arn:aws:s3:::b/","type":"AWS::S3::Object"}],"eventTime":"2026-01-01T01:00:00.5+01:00"}"#,
        r#"{"resources":{},"eventName":"UpdateFunctionCode20150331v2","requestID":"id-13"}"#,
        r#"{"resources":[],"errorCode":"AccessDenied","errorMessage":"no\u0000\ud83d\ude00","serviceEventDetails":{"n":123456789012345678901234567890}}"#,
        r#"{"eventName":"AssumeRole","eventSource":"sts.amazonaws.com","requestParameters":{"roleArn":"arn:aws:iam::111122223333:role/r","roleSessionName":"s"},"responseElements":{"credentials":{"accessKeyId":"ASIAEXAMPLE"}},"resources":[{"ARN":"arn:aws:iam::111122223333:role/r"}]}"#,
        r##"{"eventName":null,"eventType":"AwsServiceEvent","serviceEventDetails":{"state":"Start","eventName":"X","parts":[{"attribute":"userIdentityArn"}]}}"##,
    ];
    let records = (0..).zip(additions).map(|(number, addition): (u32, _)| {
        let mut record: Value =
            serde_json::from_str(&base.replace('#', &number.rem_euclid(10).to_string())).unwrap();
        let more: Value = serde_json::from_str(addition).unwrap();
        record["eventID"] = format!("id-{number}").into();
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record
    });
    assert_eq!(check(&records.collect::<Vec<_>>()), 0);
}

#[test]
fn an_event_bridge_envelope_comes_back() {
    let record = serde_json::json!({"eventTime": "2026-01-01T00:00:00Z", "eventName": "X", "eventID": "1", "resources": [{"ARN": "a"}]});
    let envelope = serde_json::json!({
        "version": "0", "id": "e", "detail-type": "AWS API Call via CloudTrail", "account": "111122223333",
        "resources": ["x"], "detail": record,
    });
    assert_eq!(check(&[envelope]), 0);
}

#[test]
fn events_that_are_no_calls_come_back() {
    let aggregated = serde_json::json!({
        "eventVersion": "1.0", "accountId": "111122223333", "eventId": "a", "eventCategory": "Aggregated",
        "eventType": "AwsAggregatedEvent", "awsRegion": "eu-west-1", "eventSource": "s3.amazonaws.com",
        "timeWindow": {"windowStart": "2026-01-01T00:00:00Z", "windowEnd": "2026-01-01T00:05:00Z", "windowSize": "PT5M"},
        "summary": {"primaryDimension": {"dimension": "eventName", "statistics": [{"name": "Count", "value": "7"}]}},
    });
    assert_eq!(check(&[aggregated]), 0);
}

/// The public samples, where they lie beside the project.
#[test]
fn every_record_of_the_public_samples_comes_back() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/cloudtrail");
    if !samples.exists() {
        eprintln!("skipped: no {}", samples.display());
        return;
    }
    let mut records = Vec::new();
    for file in files_below(&samples).into_iter().map(|file| samples.join(file)) {
        let is_json = ["json", "jsonl", "gz"]
            .iter()
            .any(|end| file.extension().is_some_and(|extension| extension == *end));
        // Side tables, and a file that is broken on purpose.
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if is_json
            && !["labels.jsonl", "mitre-map.jsonl", "samples-large.as-published.json.gz"]
                .contains(&name.as_str())
        {
            collect(&read(&file), &mut records);
        }
    }
    // Some folders hold the same record twice, which settling would leave out.
    let mut seen = std::collections::HashSet::new();
    records.retain(|record| {
        let record = record.get("detail").unwrap_or(record);
        record.get("eventID").is_none_or(|id| seen.insert(id.to_string()))
    });
    eprintln!("{} records of {}", records.len(), samples.display());
    assert!(records.len() > 1000);
    // Documentation whose times are dots, or left out.
    assert_eq!(check(&records), 5);
}

fn read(file: &Path) -> Vec<Value> {
    let bytes = std::fs::read(file).unwrap();
    let text = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(bytes.as_slice()), &mut text)
            .unwrap();
        text
    } else {
        String::from_utf8(bytes).unwrap()
    };
    serde_json::Deserializer::from_str(&text).into_iter::<Value>().collect::<Result<_, _>>().unwrap()
}

/// Finds records in whatever the samples wrap them.
fn collect(values: &[Value], records: &mut Vec<Value>) {
    for value in values {
        match value {
            Value::Array(items) => collect(items, records),
            Value::Object(object) if object.contains_key("detail") => records.push(value.clone()),
            Value::Object(object) if object.contains_key("eventName") => records.push(value.clone()),
            Value::Object(object) => collect(&object.values().cloned().collect::<Vec<_>>(), records),
            _ => {}
        }
    }
}
