//! The verbs as a person types them: help, exit codes, messages, formats.

use std::collections::BTreeSet;
use std::io::Read;

use serde_json::Value;

use crate::archive::{REGION, Ran, Site, event_id, file, files_below, gzip, key, record, text};

/// A site with two records in its lake.
fn site_of_two() -> Site {
    let site = Site::new();
    site.put(&key(REGION, "a"), &gzip(&file(&[record(1), record(2)])));
    site.ingest().ended(0);
    site
}

/// Runs words and compares the exit code and a part of what is said on stderr.
#[track_caller]
fn check(site: &Site, words: &[&str], code: i32, said: &str) -> Ran {
    let ran = site.run(words).ended(code);
    assert!(ran.err.contains(said), "{words:?}: {ran:#?}");
    ran
}

#[test]
fn every_verb_shows_examples() {
    let site = Site::new();
    let help = site.run(&["--help"]).ended(0).out;
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What stands further in goes on from the line before.
    let verbs: BTreeSet<_> = listed
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|verb| !verb.is_empty())
        .collect();
    let expected = [
        "ingest",
        "worker",
        "lambda",
        "preflight",
        "health",
        "dlq",
        "settle",
        "derive",
        "query",
        "investigate",
        "queries",
        "evidence",
        "detect",
        "status",
        "quarantine",
        "org",
        "demo",
        "completions",
        "help",
    ];
    assert_eq!(verbs, BTreeSet::from(expected));
    for verb in verbs.into_iter().filter(|verb| *verb != "help") {
        let help = site.run(&[verb, "--help"]).ended(0).out;
        assert!(help.contains("Example"), "{verb}:\n{help}");
        let shown = help.lines().skip_while(|line| !line.starts_with("Example"));
        assert!(shown.clone().any(|line| line.contains(&format!("ashiato {verb}"))), "{verb}:\n{help}");
    }
    for code in ["0 ", "1 ", "2 ", "3 ", "130 "] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(code)), "{code}\n{help}");
    }
}

#[test]
fn exit_codes_tell_how_it_ended() {
    let site = site_of_two();
    check(&site, &["status"], 0, "");
    check(&site, &["ingest", "no-such-folder"], 1, "nothing to read at ");
    check(&site, &["query", "select nothing from nowhere"], 1, "nowhere");
    check(&site, &["status", "--no-such-flag"], 2, "--no-such-flag");
    check(&site, &["no-such-verb"], 2, "no-such-verb");
    check(&site, &["ingest"], 2, "PLACE");
    site.put(&key(REGION, "b"), b"<html>");
    let ran = check(&site, &["ingest", "archive"], 3, "");
    assert!(ran.out.contains("cannot read file://"), "{}", ran.out);
    check(&site, &["quarantine", "retry"], 3, "");
}

#[test]
fn a_folder_that_is_no_lake_is_told_in_one_line() {
    let site = Site::new();
    for words in [&["query", "select 1"][..], &["status"], &["settle"], &["quarantine", "list"]] {
        let ran = check(&site, words, 1, "no lake in ");
        assert_eq!(ran.err.lines().count(), 1, "{ran:#?}");
        assert!(ran.err.contains("`ashiato ingest` makes one"), "{ran:#?}");
        assert!(!site.lake().exists(), "asking makes no lake");
    }
}

#[test]
fn without_a_lake_it_says_how_to_name_one() {
    let site = Site::new();
    let output = site.command(&["status"]).env_remove("ASHIATO_LAKE").output().unwrap();
    let ran = Ran::of(output).ended(1);
    assert!(ran.err.contains("give --lake FOLDER"), "{ran:#?}");
}

#[test]
fn what_is_no_setting_is_refused() {
    let site = site_of_two();
    std::fs::write(site.root().join("ashiato.toml"), "[ingest]\nlane = 3\n").unwrap();
    check(&site, &["status"], 1, "ashiato.toml").err.find("unknown field `lane`").expect("the key is named");
    std::fs::write(site.root().join("ashiato.toml"), "[ingest]\nlanes = 3\n").unwrap();
    check(&site, &["status"], 0, "");
    check(&site, &["--config", "other.toml", "status"], 1, "read other.toml");
    let site = site.with("ASHIATO_INGEST_LANE", "3");
    check(&site, &["status"], 1, "ASHIATO_INGEST_LANE is no setting");
}

#[test]
fn the_configuration_of_the_readme_is_one() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let blocks = readme.split("```toml\n").skip(1);
    let block = blocks
        .filter_map(|block| block.split("```").next())
        .find(|block| block.contains("[worker]"))
        .expect("README.md shows a configuration");
    let site = site_of_two();
    std::fs::write(site.root().join("shown.toml"), block).unwrap();
    // What it says of the lake is overridden by this site's.
    check(&site, &["--config", "shown.toml", "--catalog", "lake/catalog.sqlite", "status"], 0, "");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let site = site_of_two();
    for words in [
        &["query", "select * from cloudtrail"][..],
        &["query", "select * from cloudtrail", "--format", "table"],
        &["status"],
        &["status", "--json"],
        &["quarantine", "list"],
        &["queries", "list"],
        &["completions", "bash"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = site.command(words).stdout(writer).output().unwrap();
        let ran = Ran::of(output);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{words:?}");
    }
}

#[test]
fn completions_name_the_verbs() {
    let site = Site::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = site.run(&["completions", shell]).ended(0).out;
        assert!(script.contains("quarantine"), "{shell}: {script}");
    }
}

#[test]
fn each_format_starts_as_it_should() {
    let site = site_of_two();
    let sql = "select metadata.uid as uid, region from cloudtrail order by uid";
    let first = event_id(1);
    for (format, starts) in [
        ("json", format!("[\n{{\"uid\":\"{first}\",\"region\":\"{REGION}\"}}")),
        ("jsonl", format!("{{\"uid\":\"{first}\",\"region\":\"{REGION}\"}}\n")),
        ("csv", format!("uid,region\r\n{first},{REGION}\r\n")),
        ("markdown", "| uid | region |\n".to_owned()),
        ("table", "uid ".to_owned()),
    ] {
        let out = site.run(&["query", sql, "--format", format]).ended(0).out;
        assert!(out.trim_start().starts_with(&starts), "{format}: {out}");
        assert!(out.contains(&first) && out.contains(&event_id(2)), "{format}: {out}");
    }
    check(&site, &["query", sql, "--format", "parquet"], 1, "--output");
    site.run(&["query", sql, "--output", "answer.parquet"]).ended(0);
    assert!(std::fs::read(site.root().join("answer.parquet")).unwrap().starts_with(b"PAR1"));
}

#[test]
fn what_was_mended_comes_out_of_the_quarantine() {
    let site = site_of_two();
    let long = key(REGION, "long");
    let large = crate::archive::noise(3, 20_000);
    let mut bad = record(3);
    bad["userAgent"] = Value::from(large);
    site.put(&long, &gzip(&file(&[bad, record(4)])));
    let tight = site.beside("lake").with("ASHIATO_INGEST_RECORD_BYTES_MAX", "10000");
    tight.ingest().ended(0);
    assert_eq!(site.quarantine().len(), 1);
    tight.run(&["quarantine", "retry"]).ended(3);
    let retried = site.run(&["quarantine", "retry"]).ended(0).out;
    assert!(retried.contains("1 records tried again, 1 mended into 1 events"), "{retried}");
    assert_eq!(site.quarantine(), Vec::<Value>::new());
    assert_eq!(site.uids(), [1, 2, 3, 4].map(event_id));
    site.run(&["quarantine", "retry"]).ended(0);
    assert_eq!(site.uids().len(), 4, "nothing is tried twice");
}

/// The addresses from which the archive's records say a key was used.
fn addresses_of(key: &str, archive: &std::path::Path) -> BTreeSet<String> {
    let mut addresses = BTreeSet::new();
    for path in files_below(archive).into_iter().filter(|path| path.contains("/CloudTrail/")) {
        let mut plain = String::new();
        let stored = std::fs::File::open(archive.join(&path)).unwrap();
        flate2::read::GzDecoder::new(stored).read_to_string(&mut plain).unwrap();
        if !plain.contains(key) {
            continue;
        }
        let file: Value = serde_json::from_str(&plain).unwrap();
        let records = file["Records"].as_array().unwrap().iter();
        let used = records.filter(|record| text(record, "/userIdentity/accessKeyId") == key);
        addresses.extend(used.map(|record| text(record, "/sourceIPAddress")));
    }
    addresses
}

#[test]
fn the_demo_shows_from_where_the_leaked_key_was_used() {
    let site = Site::new();
    let out = site.run(&["demo", "tour"]).ended(0).out;
    let asked = out.split("Who used the access key ").nth(1).expect("the demo asks a question");
    let (key, answer) = asked.split_once(',').unwrap();
    let answer = answer.split("What else came from").next().unwrap();
    let addresses = addresses_of(key, &site.root().join("tour/archive"));
    assert_eq!(addresses.len(), 2, "{addresses:?}");
    for address in addresses {
        let lines = answer.lines().filter(|line| line.split([' ', '|', '│']).any(|word| word == address));
        assert_eq!(lines.count(), 1, "{address}:\n{answer}");
    }
}

#[test]
fn a_place_that_is_not_there_makes_no_lake() {
    let site = Site::new();
    let ran = site.run(&["ingest", "archive", "elsewhere"]).ended(1);
    assert!(ran.err.contains("nothing to read at") && ran.err.contains("elsewhere"), "{}", ran.err);
    assert_eq!((ran.out.as_str(), site.lake().exists()), ("", false));
}
