//! Holds an answer against the truth.

use std::fmt;

use serde_json::Value;

use super::story::{Cause, Root, Scenario};
use crate::archive::text;

/// How right a part of an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    Wrong,
    /// Wrong, and said with high or medium confidence.
    ConfidentlyWrong,
    NotAsked,
}

/// A scenario with its verdicts.
#[derive(Debug, Clone)]
pub(super) struct Scored {
    name: &'static str,
    expected: String,
    found: String,
    cause: Verdict,
    root: Verdict,
}

/// How many of how many.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) causes: usize,
    pub(super) causes_right: usize,
    pub(super) roots: usize,
    pub(super) roots_right: usize,
    pub(super) confidently_wrong: usize,
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { causes, causes_right, roots, roots_right, confidently_wrong } = self;
        write!(
            f,
            "cause {causes_right} of {causes}, root {roots_right} of {roots}, confidently wrong {confidently_wrong}"
        )
    }
}

/// Compares an answer with the truth.
pub(super) fn score(scenario: &Scenario, answer: &Value) -> Scored {
    Scored {
        name: scenario.name,
        expected: format!("{}; {}", cause_told(scenario), root_told(&scenario.root)),
        found: format!("{}; {}", cause_found(answer), root_found(answer)),
        cause: cause(scenario, answer),
        root: root(&scenario.root, answer),
    }
}

fn is_confident(part: &Value) -> bool {
    ["high", "medium"].contains(&text(part, "/confidence").as_str())
}

fn wrong(part: &Value) -> Verdict {
    if is_confident(part) { Verdict::ConfidentlyWrong } else { Verdict::Wrong }
}

fn cause(scenario: &Scenario, answer: &Value) -> Verdict {
    let found = &answer["cause"];
    let is_right = match &scenario.cause {
        Cause::NotAsked => return Verdict::NotAsked,
        Cause::Event(id) => {
            text(found, "/line/evidence/0/event_id") == *id
                && text(found, "/line/time") == scenario.time.unwrap().to_string()
        }
        Cause::Flow(ip) => {
            text(found, "/kind") == "flow"
                && text(found, "/line/source") == *ip
                && text(found, "/line/time") == scenario.time.unwrap().to_string()
        }
        Cause::CannotTell(words) => found.is_null() && text(answer, "/cannot_tell").contains(words),
    };
    if is_right { Verdict::Right } else { wrong(found) }
}

fn root(truth: &Root, answer: &Value) -> Verdict {
    let found = &answer["root"];
    let is_right = match truth {
        Root::Is(kind, name) => {
            text(found, "/kind") == *kind && [text(found, "/name"), text(found, "/id")].contains(name)
        }
        Root::CannotTell(words) => !is_confident(found) && text(found, "/why").contains(words),
    };
    if is_right { Verdict::Right } else { wrong(found) }
}

fn cause_told(scenario: &Scenario) -> String {
    match &scenario.cause {
        Cause::Event(id) => {
            let record = scenario.records.iter().find(|record| record["eventID"] == id.as_str()).unwrap();
            format!("{} {}", text(record, "/eventName"), text(record, "/eventTime"))
        }
        Cause::Flow(ip) => format!("flow from {ip}"),
        Cause::CannotTell(_) => "cannot be told".to_owned(),
        Cause::NotAsked => "-".to_owned(),
    }
}

fn cause_found(answer: &Value) -> String {
    let cause = &answer["cause"];
    if cause.is_null() {
        let why = text(answer, "/cannot_tell");
        return if why.is_empty() { "-".to_owned() } else { format!("cannot be told ({why})") };
    }
    let what = match text(cause, "/kind").as_str() {
        "flow" => format!("flow from {}", text(cause, "/line/source")),
        _ => text(cause, "/line/operation"),
    };
    format!("{what} {} ({})", text(cause, "/line/time"), text(cause, "/confidence"))
}

fn root_told(root: &Root) -> String {
    match root {
        Root::Is(kind, name) => format!("{kind} {name}"),
        Root::CannotTell(_) => "nobody can be told".to_owned(),
    }
}

fn root_found(answer: &Value) -> String {
    let root = &answer["root"];
    let name = [text(root, "/name"), text(root, "/id")].into_iter().find(|name| !name.is_empty());
    format!("{} {} ({})", text(root, "/kind"), name.unwrap_or_default(), text(root, "/confidence"))
}

/// One line a scenario, and the sums.
pub(super) fn table(all: &[Scored]) -> (String, Sums) {
    let mut sums = Sums::default();
    let mut lines = vec!["scenario | expected | found | verdict".to_owned()];
    for one in all {
        sums.add(one);
        let verdict = match (one.cause, one.root) {
            (Verdict::Right | Verdict::NotAsked, Verdict::Right) => "right".to_owned(),
            (cause, root) => format!("cause {cause:?}, root {root:?}"),
        };
        lines.push(format!("{} | {} | {} | {verdict}", one.name, one.expected, one.found));
    }
    (lines.join("\n"), sums)
}

impl Sums {
    fn add(&mut self, one: &Scored) {
        if one.cause != Verdict::NotAsked {
            self.causes += 1;
            self.causes_right += usize::from(one.cause == Verdict::Right);
        }
        self.roots += 1;
        self.roots_right += usize::from(one.root == Verdict::Right);
        let confident = [one.cause, one.root].contains(&Verdict::ConfidentlyWrong);
        self.confidently_wrong += usize::from(confident);
    }
}
