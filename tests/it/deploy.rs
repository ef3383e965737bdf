//! What is deployed agrees with the program: settings, messages that alarms wait for, rights, deadlines.

use std::collections::BTreeSet;
use std::path::Path;

use ashiato::ingest::IngestLimits;
use ashiato::ingest::error::AWAY_DELIVERIES_MAX;
use serde_json::Value;

use crate::archive::{Site, files_below};

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The words of a text that begin with something and go on in capitals.
fn words<'a>(text: &'a str, start: &str) -> BTreeSet<&'a str> {
    let places = text.match_indices(start).map(|(at, _)| &text[at..]);
    let is_part = |letter: char| letter.is_ascii_uppercase() || letter == '_';
    places.map(|rest| rest.split(|letter| !is_part(letter)).next().unwrap()).collect()
}

/// All variables there are, as the program tells them to who mistypes one.
fn settings() -> BTreeSet<String> {
    let told = Site::new().with("ASHIATO_NO_SUCH", "1").run(&["status"]).ended(1).err;
    let (_, known) = told.split_once("the settings are ").unwrap();
    known.trim().split(", ").map(str::to_owned).collect()
}

#[test]
fn every_variable_of_the_templates_is_a_setting() {
    let settings = settings();
    let mut seen = 0;
    for file in files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")) {
        let text = read(&format!("deploy/{file}"));
        for variable in words(&text, "ASHIATO_") {
            assert!(settings.contains(variable), "{variable} in {file} is no setting");
            seen += 1;
        }
    }
    assert!(seen > 8, "{seen}");
}

#[test]
fn every_setting_is_described() {
    let text = read("docs/configuration.md");
    let quoted = text.split('`').skip(1).step_by(2);
    let described: BTreeSet<String> =
        quoted.map(|key| format!("ASHIATO_{}", key.replace('.', "_").to_uppercase())).collect();
    let missing: Vec<_> = settings().into_iter().filter(|name| !described.contains(name)).collect();
    assert!(missing.is_empty(), "not in docs/configuration.md: {missing:?}");
}

#[test]
fn the_messages_that_alarms_wait_for_are_those_the_program_says() {
    let template = read("deploy/ashiato.yaml");
    let source: String = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .into_iter()
        .filter(|path| path.ends_with(".rs"))
        .map(|path| read(&format!("src/{path}")))
        .collect();
    let patterns: Vec<&str> =
        template.lines().filter_map(|line| line.trim().strip_prefix("FilterPattern: ")).collect();
    assert!(patterns.len() >= 4, "{patterns:?}");
    for pattern in patterns {
        if let Some((_, rest)) = pattern.split_once("$.fields.message = \"") {
            let (message, _) = rest.split_once('"').unwrap();
            assert!(source.contains(&format!("\"{message}\"")), "nobody says {message}");
        } else {
            let (_, rest) = pattern.split_once("$.fields.").unwrap();
            let (field, _) = rest.split_once(' ').unwrap();
            let told = format!("{field}, ");
            assert!(
                source.lines().any(|line| line.contains("done in the last minute") && line.contains(&told))
            );
        }
    }
}

/// The statements of a policy in a template, as name and actions; our templates write actions on one line.
fn statements(template: &str) -> BTreeSet<(String, BTreeSet<String>)> {
    let mut found = BTreeSet::new();
    let mut name = "";
    for line in template.lines().map(str::trim) {
        if let Some((_, sid)) = line.split_once("Sid: ") {
            name = sid;
        } else if let Some(actions) = line.strip_prefix("Action: [") {
            let actions = actions.trim_end_matches(']').split(", ");
            let actions = actions.map(|action| action.trim_matches('\'').to_owned()).collect();
            found.insert((name.to_owned(), actions));
        }
    }
    found
}

/// The same of what `preflight --policy` prints.
fn printed(site: &Site, words: &[&str]) -> BTreeSet<(String, BTreeSet<String>)> {
    let ran = site.run(&[&["preflight", "--policy"], words].concat()).ended(0);
    let policy: Value = serde_json::from_str(&ran.out).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = |statement: &Value| {
        let actions = statement["Action"].as_array().unwrap().iter();
        actions.map(|action| action.as_str().unwrap().to_owned()).collect()
    };
    statements.map(|statement| (statement["Sid"].as_str().unwrap().to_owned(), actions(statement))).collect()
}

#[test]
fn the_roles_may_what_preflight_says_and_no_more() {
    let site = Site::new().with("AWS_REGION", "eu-west-1").with("AWS_EC2_METADATA_DISABLED", "true");
    let reader = printed(&site, &["--archive", "s3://the-archive"]);
    assert_eq!(statements(&read("deploy/archive.yaml")), reader);
    // The environment of the template's task.
    let queue = "https://sqs.eu-west-1.amazonaws.com/111122223333/";
    let site = site
        .with("ASHIATO_LAKE", "s3://the-lake")
        .with("ASHIATO_LAKE_KMS_KEY", "arn:aws:kms:eu-west-1:111122223333:key/x")
        .with("ASHIATO_WORKER_QUEUE", &format!("{queue}logs"))
        .with("ASHIATO_WORKER_DEAD_LETTER_QUEUE", &format!("{queue}dead"))
        .with(
            "ASHIATO_BUCKETS",
            r#"[{place = "s3://the-archive", role_arn = "arn:aws:iam::444455556666:role/r"}]"#,
        );
    assert_eq!(statements(&read("deploy/ashiato.yaml")), printed(&site, &[]));
}

#[test]
fn a_worker_has_the_time_to_end_that_it_wants() {
    let template = read("deploy/ashiato.yaml");
    let number_after = |start: &str| -> u32 {
        let (_, rest) = template.split_once(start).unwrap();
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    let deadline = number_after("ASHIATO_WORKER_SHUTDOWN_DEADLINE, Value: ");
    assert!(number_after("StopTimeout: ") > deadline + 10);
    // Lambda wants six times the function's timeout, so that a retry never meets its first try.
    assert!(number_after("VisibilityTimeout: ") >= 6 * number_after("\n      Timeout: "));
    let ours = IngestLimits::default().deliveries_max.max(AWAY_DELIVERIES_MAX);
    assert!(number_after("maxReceiveCount: ") > ours, "ours comes first, with a reason");
}

#[test]
fn the_image_is_built_from_everything_that_is_compiled_in() {
    let containerfile = read("deploy/Containerfile");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in files_below(&root.join("src")).iter().filter(|path| path.ends_with(".rs")) {
        for line in read(&format!("src/{path}")).lines().filter(|line| line.contains("include_str!(\"../")) {
            let (_, rest) = line.split_once("include_str!(\"").unwrap();
            let folder = rest.trim_start_matches("../").split('/').next().unwrap();
            assert!(containerfile.contains(&format!("COPY {folder} {folder}")), "{folder} for {path}");
        }
    }
    assert!(containerfile.contains("COPY migrations migrations"), "sqlx compiles them in");
}
