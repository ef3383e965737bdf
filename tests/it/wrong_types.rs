//! A value may be of any type, wherever it stands: attackers and new versions of services see to that. Whatever it
//! is, nothing panics, and it is in the row, or its record is set aside.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::archive::{Site, files_below};
use crate::sources::{records, rows};

/// The sources whose records are documents.
const SOURCES: [&str; 8] =
    ["access_analyzer", "config", "guardduty", "insight", "inspector", "macie", "ocsf", "security_hub"];

/// Where the values of a record are.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(members) if !members.is_empty() => {
            members
                .iter()
                .for_each(|(name, member)| leaves(member, &format!("{path}/{}", escaped(name)), found));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(at, item)| leaves(item, &format!("{path}/{at}"), found));
        }
        _ => found.push(path.to_owned()),
    }
}

/// Adds records with one value of another type each, and a word of that value, which stands nowhere else.
fn mutate(record: &Value, mutants: &mut Vec<(String, Value)>) {
    let mut paths = Vec::new();
    leaves(record, "", &mut paths);
    for path in paths {
        for kind in 0..6 {
            let number = 3_000_000_000_000_000_u64 + mutants.len() as u64;
            let word = format!("zz{}zz", mutants.len());
            let (word, value) = match kind {
                0 => (word.clone(), json!(word)),
                1 => (number.to_string(), json!(number)),
                2 => (word.clone(), json!({ word: {"inner": [1, null, "x"]} })),
                3 => (word.clone(), json!([word, 7, {}])),
                4 => (String::new(), Value::Null),
                _ => (String::new(), json!(true)),
            };
            let mut mutant = record.clone();
            *mutant.pointer_mut(&path).unwrap() = value;
            mutants.push((word, mutant));
        }
    }
}

fn check(source: &str, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(source);
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let mut mutants = Vec::new();
    records(&text).iter().for_each(|record| mutate(record, &mut mutants));
    let lines: Vec<String> = mutants.iter().map(|(_, mutant)| mutant.to_string()).collect();
    let site = Site::new();
    site.put("mutants.json", lines.join("\n").as_bytes());
    let ran = site.ingest();
    assert!(matches!(ran.code, Some(0 | 3)) && !ran.err.contains("panicked"), "{source}/{name}: {ran:#?}");
    let rows: String = rows(&site).iter().map(Value::to_string).collect();
    let kept: BTreeSet<&str> = rows.split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
    let words = mutants.iter().map(|(word, _)| word.as_str()).filter(|word| !word.is_empty());
    let lost: Vec<&str> = words.filter(|word| !kept.contains(word)).collect();
    let set_aside = site.quarantine().len();
    assert!(lost.len() <= set_aside, "{source}/{name}: {set_aside} set aside, lost {lost:?}");
}

#[test]
fn a_value_of_any_type_is_kept_or_its_record_set_aside() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for source in SOURCES {
        for name in files_below(&folder.join(source)).iter().filter(|name| !name.ends_with(".ocsf.json")) {
            check(source, name);
        }
    }
}
