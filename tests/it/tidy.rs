//! Checks of the sources themselves: what a reader counts on and a compiler does not check.

use std::path::{Path, PathBuf};

use crate::archive::files_below;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a folder of the repository, with their text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let folder = root().join(folder);
    let files = files_below(&folder).into_iter().filter(|path| path.ends_with(".rs"));
    let read: Vec<_> =
        files.map(|path| (path.clone(), std::fs::read_to_string(folder.join(&path)).unwrap())).collect();
    assert!(!read.is_empty(), "{}", folder.display());
    read
}

/// Collects what is wrong, so that one run tells all of it.
#[track_caller]
fn check(wrong: &[String]) {
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let all = ["src", "tests", "benches"].into_iter().flat_map(sources);
    let silent = all.filter(|(_, text)| !text.starts_with("//! "));
    check(&silent.map(|(path, _)| path).collect::<Vec<_>>());
}

#[test]
fn no_file_is_longer_than_500_lines_without_its_tests() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let own = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
        let is_test = path.ends_with("tests.rs") || path.contains("tests/");
        let is_long = own.count() > 500 && !is_test;
        if is_long {
            wrong.push(format!("{path} is too long"));
        }
    }
    check(&wrong);
}

#[test]
fn the_trails_meet_in_the_lake_and_never_name_each_other() {
    let forbidden: [(&str, &[&str]); 5] = [
        ("src/ingest", &["query", "cli", "demo", "config"]),
        ("src/query", &["ingest", "investigate", "cli", "demo", "config"]),
        ("src/investigate", &["ingest", "lake", "ocsf", "cli", "demo", "config"]),
        ("src/lake", &["ingest", "query", "cli", "demo", "config"]),
        ("src/ocsf", &["ingest", "query", "lake", "cli", "demo", "config"]),
    ];
    let mut wrong = Vec::new();
    for (folder, names) in forbidden {
        for (path, text) in sources(folder) {
            // Evidence lies in the archive, and is read from there as the writing trail reads it.
            if folder == "src/investigate" && path.starts_with("evidence/") {
                continue;
            }
            for (number, line) in (1..).zip(text.lines()) {
                let is_named = |name: &&&str| {
                    let path = format!("crate::{name}");
                    let mut places =
                        line.match_indices(&path).map(|(at, _)| line.as_bytes().get(at + path.len()));
                    places.any(|next| !next.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'))
                };
                if let Some(name) = names.iter().find(is_named) {
                    wrong.push(format!("{folder}/{path}:{number} names {name}"));
                }
            }
        }
    }
    check(&wrong);
}

/// The value of a query's header line.
fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("-- {name}:");
    let value = text.lines().find_map(|line| line.strip_prefix(start.as_str()))?.trim();
    (!value.is_empty()).then_some(value)
}

#[test]
fn every_query_says_its_name_and_its_question() {
    let folder = root().join("queries");
    let files = files_below(&folder);
    assert!(!files.is_empty());
    let mut wrong = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(folder.join(&path)).unwrap();
        let name = PathBuf::from(&path);
        if header(&text, "id") != name.file_stem().and_then(|stem| stem.to_str()) {
            wrong.push(format!("{path}: its id is not its name"));
        }
        if header(&text, "title").is_none() {
            wrong.push(format!("{path}: no title"));
        }
    }
    check(&wrong);
}

#[test]
fn paths_in_the_architecture_exist() {
    const FOLDERS: [&str; 9] =
        ["src/", "tests/", "queries/", "benches/", "migrations/", "schemas/", "docs/", "deploy/", ".github/"];
    let Ok(text) = std::fs::read_to_string(root().join("ARCHITECTURE.md")) else {
        eprintln!("skipped: there is no ARCHITECTURE.md yet");
        return;
    };
    let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let paths = quoted.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)));
    let lost = paths.filter(|path| !path.contains(['<', '*', '{', '…']) && !root().join(path).exists());
    check(&lost.map(str::to_owned).collect::<Vec<_>>());
}
