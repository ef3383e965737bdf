//! What is broken costs itself: each bad record or object is set aside with one clear reason, and its
//! neighbours are read.

use std::sync::Arc;

use ashiato::ingest::segment::{Fill, Piece, Segment, SegmentLimits};
use ashiato::ingest::source::LogSource;
use ashiato::ingest::source::key::KeyFacts;
use proptest::prelude::*;
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::archive::{
    ACCOUNT, OTHER_ACCOUNT, REGION, Site, event_id, file, files_below, gzip, key, noise, record, record_of,
    text,
};

/// Numbers of the two good objects around a bad one.
const BEFORE: u32 = 9001;
const BEHIND: u32 = 9002;

/// Sets of records that an object is expected to give.
struct Expected<'a> {
    /// Numbers of the records that become events.
    kept: &'a [u32],
    /// Index and reason of what is set aside; no index means the whole object.
    set_aside: &'a [(Option<u64>, &'a str)],
}

/// Reads `object` between two good ones and compares what came of it.
#[track_caller]
fn check(object: &[u8], expected: &Expected<'_>) -> Site {
    check_with(Site::new(), object, expected)
}

#[track_caller]
fn check_with(site: Site, object: &[u8], expected: &Expected<'_>) -> Site {
    let place = key(REGION, "m");
    site.put(&key(REGION, "a"), &gzip(&file(&[record(BEFORE)])));
    site.put(&place, object);
    site.put(&key(REGION, "z"), &gzip(&file(&[record(BEHIND)])));
    let unreadable = expected.set_aside.iter().any(|(index, _)| index.is_none());
    let ran = site.ingest().ended(if unreadable { 3 } else { 0 });

    let mut uids: Vec<_> =
        expected.kept.iter().chain(&[BEFORE, BEHIND]).map(|number| event_id(*number)).collect();
    uids.sort();
    assert_eq!(site.uids(), uids, "neighbours and what is good, each once");

    let entries = site.quarantine();
    assert_eq!(entries.len(), expected.set_aside.len(), "{entries:#?}");
    for (entry, (index, reason)) in entries.iter().zip(expected.set_aside) {
        assert!(text(entry, "/object").ends_with(&place), "{entry}");
        assert_eq!(entry["record"].as_u64(), *index, "{entry}");
        let told = text(entry, "/reason");
        assert!(told.starts_with(reason), "{told}, want {reason}");
        assert!(!told.contains('\n'), "one line: {told}");
        let lines = if index.is_some() { site.run(&["quarantine", "list"]).out } else { ran.out.clone() };
        let naming = lines.lines().filter(|line| line.contains(&place) && line.contains(&told));
        assert_eq!(naming.count(), 1, "{lines}");
    }
    assert_counts_add_up(&site, uids.len());
    site
}

/// Of every object, records = events + records set aside; in all, events are the rows.
#[track_caller]
fn assert_counts_add_up(site: &Site, rows: usize) {
    let status = site.status();
    let source = &status["sources"][0];
    assert_eq!(source["events"].as_u64(), Some(rows as u64), "{status:#}");
    assert_eq!(site.count("select count(*) from objects where records <> events + set_aside"), 0);
    assert_eq!(site.count("select count(*) from objects where state = 'claimed'"), 0);
    let entries = site.count("select count(*) from quarantine where state = 'open'");
    assert_eq!(source["set_aside"].as_i64(), Some(entries), "{status:#}");
}

/// A file of records 1, something in place of 2, and 3.
fn around(middle: &str) -> Vec<u8> {
    format!(r#"{{"Records":[{},{middle},{}]}}"#, record(1), record(3)).into_bytes()
}

/// Checks that `middle` is set aside for this reason and the records around it are kept.
#[track_caller]
fn check_record(middle: &str, reason: &str) {
    let expected = Expected { kept: &[1, 3], set_aside: &[(Some(1), reason)] };
    check(&gzip(&around(middle)), &expected);
}

/// Checks that of an object nothing can be read, for this reason.
#[track_caller]
fn check_object(object: &[u8], reason: &str) {
    check(object, &Expected { kept: &[], set_aside: &[(None, reason)] });
}

/// Record 2, changed.
fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut record = record(2);
    change(&mut record);
    record.to_string()
}

#[test]
fn a_truncated_gzip_keeps_what_came_before_the_cut() {
    let records: Vec<Value> = (0..200).map(record).collect();
    let whole = gzip(&file(&records));
    let site = Site::new();
    let place = key(REGION, "cut");
    site.put(&place, &whole[..whole.len() / 2]);
    site.put(&key(REGION, "z"), &gzip(&file(&[record(BEHIND)])));
    site.ingest().ended(0);
    let (uids, entries) = (site.uids(), site.quarantine());
    let kept = uids.len() - 1;
    assert!((1..200).contains(&kept), "{kept}");
    let expected = (0..200).take(kept).chain([BEHIND]).map(event_id);
    assert_eq!(uids, expected.collect::<Vec<_>>());
    // The record that the cut goes through, if it does, and the break itself; both name their place.
    assert_eq!(entries.len(), 1, "{entries:#?}");
    assert_eq!(entries[0]["record"].as_u64(), Some(kept as u64), "{entries:#?}");
    assert!(text(&entries[0], "/reason").starts_with("broken gzip after "), "{entries:#?}");
    assert!(text(&entries[0], "/object").ends_with(&place));
    assert_counts_add_up(&site, uids.len());
}

/// Where the key is silent, too little of the text may have come to tell a log by.
#[test]
fn a_gzip_cut_before_anything_can_be_told_is_unreadable() {
    let site = Site::new();
    let packed = gzip(&file(&[record(1)]));
    site.put("somewhere.json.gz", &packed[..40]);
    let ran = site.ingest().ended(3);
    assert!(ran.out.contains("somewhere.json.gz: broken gzip after"), "{}", ran.out);
}

#[test]
fn a_gzip_cut_in_its_header_is_unreadable() {
    check_object(&gzip(&file(&[record(1)]))[..7], "broken gzip after 0 unpacked bytes");
}

#[test]
fn a_gzip_bomb_stops_at_the_cap() {
    let bomb = gzip(&[b"[".as_slice(), &vec![b' '; 3_000_000]].concat());
    let site = || Site::new().with("ASHIATO_INGEST_INFLATED_BYTES_MAX", "1000000");
    let reason = "grew past 1000000 bytes when unpacked";
    check_with(site(), &bomb, &Expected { kept: &[], set_aside: &[(None, reason)] });
    let late = format!(r#"{{"Records":[{},{}"#, record(1), " ".repeat(3_000_000));
    check_with(site(), &gzip(late.as_bytes()), &Expected { kept: &[1], set_aside: &[(Some(1), reason)] });
}

#[test]
fn an_empty_object_has_no_record_and_is_counted() {
    for object in [Vec::new(), gzip(b"")] {
        let site = check(&object, &Expected { kept: &[], set_aside: &[] });
        // Read for good: the next run does not ask again.
        assert!(site.ingest().ended(0).out.contains("3 objects were in the lake already"));
    }
}

#[test]
fn what_is_no_json_is_unreadable() {
    check_object(b"<!doctype html><title>403 Forbidden</title>", "HTML or XML, want JSON");
    check_object(&gzip(b"<Error><Code>AccessDenied</Code></Error>"), "HTML or XML, want JSON");
    check_object(
        b"version account-id interface-id\n2 111122223333 eni-1\n",
        "no JSON object or array at the start",
    );
}

#[test]
fn utf_16_is_unreadable() {
    let plain = String::from_utf8(file(&[record(1)])).unwrap();
    let little: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = plain.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let reason = "UTF-16 or UTF-32 text, want UTF-8";
    check_object(&gzip(&[b"\xff\xfe".as_slice(), &little].concat()), reason);
    check_object(&[b"\xfe\xff".as_slice(), &big].concat(), reason);
    check_object(&little, reason);
}

#[test]
fn invalid_utf_8_in_a_string_costs_its_record() {
    let text = around(&changed(|record| record["userAgent"] = json!("agent ?!")));
    let at = text.windows(8).position(|window| window == b"agent ?!").unwrap();
    let mut bytes = text;
    bytes[at + 6] = 0xff;
    let expected = Expected { kept: &[1, 3], set_aside: &[(Some(1), "text that is no UTF-8 at byte ")] };
    let site = check(&gzip(&bytes), &expected);
    let shown = site.run(&["quarantine", "show", "1"]).ended(0).out;
    assert!(shown.contains("hexadecimal: "), "{shown}");
}

#[test]
fn a_record_that_is_no_object_costs_itself() {
    for middle in ["7", "-1.5e3", "\"text\"", "true", "null", "[]", r#"[{"eventName":"X"}]"#] {
        check_record(middle, "a record that is no object at byte ");
    }
    for middle in ["nul", "{\"a\":}", "{'a':1}", "{\"a\" 1}", "NaN"] {
        check_record(middle, "");
    }
}

#[test]
fn an_object_without_records_is_one_bad_record() {
    for object in [
        "{}",
        r#"{"Other":[]}"#,
        r#"{"Records":null}"#,
        r#"{"Records":7}"#,
        &format!(r#"{{"Records":{}}}"#, record(1)),
    ] {
        let expected =
            Expected { kept: &[], set_aside: &[(Some(0), "a record without eventTime at byte 0")] };
        check(object.as_bytes(), &expected);
    }
    check(br#"{"Records":[]}"#, &Expected { kept: &[], set_aside: &[] });
}

#[test]
fn text_that_ends_in_the_middle_is_one_entry() {
    let text = around(&record(2).to_string());
    let cut = &text[..text.len() - 20];
    let reason = "the text ends inside a record at byte ";
    check(cut, &Expected { kept: &[1, 2], set_aside: &[(Some(2), reason)] });
}

#[test]
fn deep_nesting_costs_its_record() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        let middle = changed(|record| record["requestParameters"] = json!("DEEP")).replace("\"DEEP\"", &deep);
        check_record(&middle, "nested deeper than 128 at byte ");
        check_record(&deep, if open == "[" { "nested deeper than 128 at byte " } else { "" });
    }
}

#[test]
fn a_large_record_is_kept() {
    let large = "x".repeat(5_000_000);
    let middle = changed(|record| {
        record["requestParameters"] = json!({"body": large});
    });
    let site = check(&gzip(&around(&middle)), &Expected { kept: &[1, 2, 3], set_aside: &[] });
    let found = site.query("select max(length(api.request.data)) as n from cloudtrail");
    assert_eq!(found, [json!({"n": large.len() + r#"{"body":""}"#.len()})]);
}

#[test]
fn a_record_beyond_the_limit_is_set_aside_and_those_behind_it_kept() {
    // However well it packs, and whether it comes at once or in many pieces.
    for body in ["x".repeat(400_000), noise(1, 400_000)] {
        for budget in ["65536", "33554432"] {
            let site = Site::new()
                .with("ASHIATO_INGEST_RECORD_BYTES_MAX", "100000")
                .with("ASHIATO_INGEST_SEGMENT_PLAIN_BYTES_MAX", budget);
            let middle = changed(|record| record["requestParameters"] = json!({"body": body}));
            let reason = "larger than a record may be at byte ";
            check_with(
                site,
                &gzip(&around(&middle)),
                &Expected { kept: &[1, 3], set_aside: &[(Some(1), reason)] },
            );
        }
    }
}

#[test]
fn a_name_that_stands_twice_costs_its_record() {
    for (from, to) in [
        (r#""eventName":"#, r#""eventName":"Other","eventName":"#),
        (r#""eventID":"#, r#""eventID":"00000000-0000-4000-8000-000000000007","eventID":"#),
        (r#""accessKeyId":"#, r#""accessKeyId":"AKIAEXAMPLE","accessKeyId":"#),
        (r#""tlsDetails":"#, r#""tlsDetails":1,"tlsDetails":"#),
        (r#""userIdentity":"#, r#""userIdentity":{"type":"Root"},"userIdentity":"#),
        (r#""requestParameters":"#, r#""requestParameters":{},"requestParameters":"#),
    ] {
        check_record(&record(2).to_string().replacen(from, to, 1), "a name that stands twice at byte ");
    }
}

#[test]
fn a_name_that_stands_twice_inside_parameters_is_kept_as_it_is() {
    let data = r#"{"a":1,"a":2}"#;
    let middle = changed(|record| record["requestParameters"] = json!("DATA")).replace("\"DATA\"", data);
    let site = check(&around(&middle), &Expected { kept: &[1, 2, 3], set_aside: &[] });
    let found =
        site.query("select count(*) as n from cloudtrail where api.request.data = '{\"a\":1,\"a\":2}'");
    assert_eq!(found, [json!({"n": 1})]);
}

#[test]
fn integers_beyond_64_bits_are_kept_exactly() {
    const BIG: &str = "123456789012345678901234567890";
    let middle = changed(|record| {
        record["requestParameters"] = json!({"size": "BIG"});
        record["additionalEventData"] = json!({"bytes": "BIG"});
        record["serial"] = json!("BIG");
    })
    .replace("\"BIG\"", BIG);
    let site = check(&around(&middle), &Expected { kept: &[1, 2, 3], set_aside: &[] });
    let found = site.query(
        "select api.request.data as data, unmapped['additionalEventData.bytes'] as bytes, unmapped['serial'] as serial
         from cloudtrail where unmapped['serial'] is not null",
    );
    assert_eq!(found, [json!({"data": format!("{{\"size\":{BIG}}}"), "bytes": BIG, "serial": BIG})]);
}

#[test]
fn times_outside_of_two_centuries_are_set_aside() {
    for time in [
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "2025-02-30T00:00:00Z",
        "yesterday",
        "",
    ] {
        let middle = changed(|record| record["eventTime"] = json!(time));
        check_record(&middle, "an eventTime that is no time between 2000 and 2199 at byte ");
    }
}

#[test]
fn regions_and_addresses_that_do_not_exist_are_kept() {
    for (region, told) in [
        ("mars-north-7", "mars-north-7"),
        ("../../etc", "unknown"),
        ("EU-WEST-1", "unknown"),
        ("", "unknown"),
    ] {
        let middle = changed(|record| {
            record["awsRegion"] = json!(region);
            record["sourceIPAddress"] = json!("999.999.999.999");
        });
        let site = check(&around(&middle), &Expected { kept: &[1, 2, 3], set_aside: &[] });
        let row = site.rows().remove(1);
        assert_eq!(text(&row, "/region"), told, "{row:#}");
        assert_eq!(text(&row, "/src_endpoint/domain"), "999.999.999.999", "{row:#}");
        site.settle().ended(0);
        let escaped = files_below(site.root())
            .into_iter()
            .filter(|path| path.ends_with(".parquet") && !path.starts_with("lake/"));
        assert_eq!(escaped.count(), 0, "a record cannot choose a path");
    }
}

#[test]
fn two_accounts_in_one_file_settle_into_two_partitions() {
    let site = Site::new();
    let records =
        [record_of(1, ACCOUNT, REGION), record_of(2, OTHER_ACCOUNT, REGION), record_of(3, ACCOUNT, REGION)];
    site.put(&key(REGION, "a"), &gzip(&file(&records)));
    site.ingest().ended(0);
    site.settle().ended(0);
    for (account, rows) in [(ACCOUNT, 2), (OTHER_ACCOUNT, 1)] {
        let partition = format!("ext/ct-api-activity/region={REGION}/accountId={account}/eventDay=20250105/");
        let files = files_below(&site.lake()).into_iter().filter(|path| path.starts_with(&partition));
        assert_eq!(files.count(), 1, "{partition}");
        let found =
            site.query(&format!("select count(*) as n from cloudtrail where accountid = '{account}'"));
        assert_eq!(found, [json!({"n": rows})]);
    }
}

/// All paths of a value, containers included, the value itself not.
fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    for (name, value) in members {
        let path = format!("{at}/{name}");
        paths(value, &path, found);
        found.push(path);
    }
}

#[test]
fn a_value_of_the_wrong_type_at_any_path_is_kept_or_set_aside_never_lost() {
    let mut all = Vec::new();
    paths(&record(0), "", &mut all);
    assert!(all.len() > 35, "{}", all.len());
    let (mut records, mut told) = (Vec::new(), Vec::new());
    for path in &all {
        for kind in 0..7 {
            let number = u32::try_from(records.len()).unwrap();
            let mark = format!("swapped-{number}");
            // What must be found again in the row, if it is kept: null, booleans and empty containers have no mark.
            let (value, mark) = match kind {
                0 => (json!(7_000_000 + number), (7_000_000 + number).to_string()),
                1 => (json!(mark), mark),
                2 => (json!(true), String::new()),
                3 => (json!(null), String::new()),
                4 => (json!([]), String::new()),
                5 => (json!({}), String::new()),
                _ => (json!({"deep": {"er": [{"mark": mark}]}}), mark),
            };
            let mut changed = record(number);
            *changed.pointer_mut(path).unwrap() = value;
            records.push(changed);
            told.push((path.as_str(), kind, mark));
        }
    }
    let site = Site::new();
    site.put(&key(REGION, "m"), &gzip(&file(&records)));
    site.put(&key(REGION, "z"), &gzip(&file(&[record(BEHIND)])));
    site.ingest().ended(0);
    let mut rows = site.query("select * from cloudtrail");
    rows.retain(|row| row["metadata"]["uid"] != json!(event_id(BEHIND)));
    let entries = site.quarantine();
    assert_counts_add_up(&site, rows.len() + 1);

    let mut kept: Vec<Option<&Value>> = vec![None; records.len()];
    for row in &rows {
        let index = usize::try_from(row["metadata"]["sequence"].as_u64().unwrap()).unwrap();
        assert!(kept[index].replace(row).is_none(), "record {index} stands twice");
    }
    let mut aside = vec![0; records.len()];
    for entry in &entries {
        aside[usize::try_from(entry["record"].as_u64().unwrap()).unwrap()] += 1;
        let reason = text(entry, "/reason");
        assert!(reason.contains("event") && reason.contains(" at byte "), "{reason}");
    }
    for (index, (path, kind, mark)) in told.iter().enumerate() {
        // Without a time there is no event; without a name its type serves.
        let wanted = *path != "/eventTime";
        assert_eq!(
            (kept[index].is_some(), aside[index]),
            (wanted, usize::from(!wanted)),
            "{path} as kind {kind}"
        );
        if let Some(row) = kept[index] {
            assert!(row.to_string().contains(mark.as_str()), "{path} as kind {kind} lost {mark}:\n{row:#}");
        }
    }
}

/// A lake that cannot be written, and how to mend it.
#[track_caller]
fn check_broken_lake(site: &Site, rows: u32, told: &str, mend: impl FnOnce()) {
    let ran = site.ingest().ended(1);
    assert!(ran.err.starts_with("ashiato: ") && ran.err.contains(told), "{ran:#?}");
    assert_eq!(ran.err.lines().count(), 1, "one clear line: {ran:#?}");
    mend();
    site.ingest().ended(0);
    let expected: Vec<_> = (0..rows).map(event_id).collect();
    assert_eq!(site.uids(), expected);
}

fn site_of_forty() -> Site {
    let site = Site::new();
    for part in 0..4 {
        let records: Vec<_> = (part * 10..part * 10 + 10).map(record).collect();
        site.put(&key(REGION, &part.to_string()), &gzip(&file(&records)));
    }
    site
}

#[test]
fn a_file_where_the_lake_should_be_is_told_and_the_next_run_succeeds() {
    let site = site_of_forty();
    std::fs::write(site.lake(), "in the way").unwrap();
    check_broken_lake(&site, 40, "open folder", || std::fs::remove_file(site.lake()).unwrap());
}

#[test]
fn a_lake_that_cannot_be_written_shows_nothing_and_the_next_run_succeeds() {
    let site = site_of_forty();
    std::fs::create_dir(site.lake()).unwrap();
    let hot = site.lake().join("hot");
    std::fs::write(&hot, "in the way").unwrap();
    check_broken_lake(&site, 40, "nothing of this batch can be seen", || {
        assert_eq!(site.uids(), Vec::<String>::new());
        assert_eq!(site.status()["sources"], json!([]));
        std::fs::remove_file(&hot).unwrap();
    });
}

/// A file system in memory, gone with the guard.
pub(crate) struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// `None` when this user may not mount.
    pub(crate) fn mount(path: &std::path::Path, size: &str) -> Option<Self> {
        std::fs::create_dir(path).unwrap();
        let options = format!("size={size}");
        let mounted = mount(&["-t", "tmpfs", "-o", &options, "tmpfs", path.to_str().unwrap()]);
        mounted.then(|| Self(path.to_owned()))
    }

    pub(crate) fn grow(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(mount(&["-o", &options, self.0.to_str().unwrap()]));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{}", self.0.display());
    }
}

fn mount(words: &[&str]) -> bool {
    let output = std::process::Command::new("mount").args(words).output();
    output.is_ok_and(|output| output.status.success())
}

#[test]
fn a_full_disk_shows_nothing_of_its_batch_and_the_next_run_succeeds() {
    let site = site_of_forty();
    // Parquet of noise is nearly as large as the noise: a batch is larger than the disk, though the catalog fits.
    let mut large = record(40);
    large["requestParameters"] = json!({"body": noise(2, 4_000_000)});
    site.put(&key(REGION, "large"), &gzip(&file(&[large])));
    let Some(disk) = SmallDisk::mount(&site.lake(), "1m") else {
        eprintln!("skipped: this user may not mount a small disk");
        return;
    };
    check_broken_lake(&site, 41, "No space left", || {
        disk.grow("200m");
        // Other batches may have fitted; of the one that did not nothing can be seen.
        let seen = site.uids();
        assert!(!seen.contains(&event_id(40)), "{seen:?}");
        let counted = site.count("select coalesce(sum(events), 0) from objects");
        assert_eq!(i64::try_from(seen.len()), Ok(counted));
    });
}

#[test]
fn a_locked_catalog_is_told_and_the_next_run_succeeds() {
    let site = site_of_forty().with("ASHIATO_CATALOG_BUSY_TIMEOUT", "100ms");
    let empty = site.root().join("empty");
    std::fs::create_dir(&empty).unwrap();
    site.run(&["ingest", "empty"]).ended(0);
    crate::archive::blocking(async {
        let mut other = site.catalog().await;
        sqlx::query("begin immediate").execute(&mut other).await.unwrap();
        let ran = site.ingest().ended(1);
        assert!(
            ran.err.contains("catalog: claim objects") && ran.err.contains("database is locked"),
            "{ran:#?}"
        );
        assert_eq!(ran.err.lines().count(), 1, "one clear line: {ran:#?}");
        // Reading goes on.
        assert_eq!(site.uids(), Vec::<String>::new());
        sqlx::query("rollback").execute(&mut other).await.unwrap();
        other.close().await.unwrap();
    });
    site.ingest().ended(0);
    assert_eq!(site.uids().len(), 40);
}

/// Feeds objects of these bytes, cut into pieces, to one small segment and writes whenever it is full.
fn feed(objects: &[Vec<u8>], piece_bytes: usize) {
    let limits = SegmentLimits {
        plain_bytes_max: 3000,
        record_bytes_max: 4000,
        set_aside_records_max: 5,
        ..SegmentLimits::default()
    };
    let mut segment = Segment::new(limits);
    for (number, object) in (0..).zip(objects) {
        let (mut held, mut aside, mut tally) = (0, 0, None);
        let pieces: Vec<_> = object.chunks(piece_bytes).collect();
        for (at, piece) in pieces.iter().enumerate() {
            let mut piece = Piece {
                object: number,
                facts: Arc::new(KeyFacts { source: Some(LogSource::CloudTrail), ..KeyFacts::default() }),
                bytes: piece.to_vec().into(),
                first: at == 0,
                last: at + 1 == pieces.len(),
            };
            loop {
                let filled = segment.fill(piece);
                segment.text().expect("text is UTF-8, whatever the bytes are");
                match filled {
                    Fill::Taken(found) => {
                        tally = found.or(tally);
                        break;
                    }
                    Fill::Full(rest) => {
                        held += segment.records.heads.iter().filter(|record| record.object == number).count();
                        aside += segment.set_aside.iter().filter(|entry| entry.object == number).count();
                        segment.clear();
                        piece = rest;
                    }
                }
            }
        }
        held += segment.records.heads.iter().filter(|record| record.object == number).count();
        aside += segment.set_aside.iter().filter(|entry| entry.object == number).count();
        if let Some((_, tally)) = tally {
            assert_eq!((tally.records, tally.set_aside), ((held + aside) as u64, aside as u64));
        }
    }
}

/// Pieces of which hostile objects are made.
fn fragments() -> Vec<Vec<u8>> {
    let utf_16 = "\u{feff}{\"a\":\"é\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let long = format!(r#"{{"userAgent":"{}"}}"#, "é".repeat(3000)).into_bytes();
    [
        br#"{"Records":["#.as_slice(),
        b"[",
        b"]}",
        b",",
        b"{",
        b"}",
        b"\"",
        b"\\",
        b"\xff",
        b"\xc3\xa9",
        b"\xc3",
        b"\0",
        b"\n",
        b"<html>",
        b"\xef\xbb\xbf",
        b"\x1f\x8b\x08",
        b"7",
        br#"{"eventName":"X","eventTime":"2025-01-05T10:00:00Z"}"#,
        b"{\"eventName\":\"X\xff\",\"eventTime\":\"2025-01-05T10:00:00Z\"}",
    ]
    .into_iter()
    .map(<[u8]>::to_vec)
    .chain([utf_16, long, record(1).to_string().into_bytes(), gzip(&file(&[record(1)]))])
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn whatever_the_bytes_text_stays_utf_8_and_counts_add_up(
        objects in prop::collection::vec(prop::collection::vec(prop::sample::select(fragments()), 1..12), 1..4),
        piece_bytes in prop::sample::select(vec![1, 7, 500, 100_000]),
    ) {
        let objects: Vec<_> = objects.into_iter().map(|parts| parts.concat()).collect();
        feed(&objects, piece_bytes);
    }
}
