//! What AWS Config recorded of a resource before and after a change.
//!
//! Takes the resource and the moment of the change and says which settings were others before it.
//! Promises: only settings that differ between the last state before and the first one after are
//! named; without both nothing is said.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::ask::Desk;
use super::moment::Moment;

/// How far back a state is looked for: Config records a resource when it changes, and anew now and then.
const BEFORE: Duration = Duration::from_hours(24 * 90);
/// How long Config may take to record a change.
const AFTER: Duration = Duration::from_hours(24);
/// How many settings are named.
const SETTINGS_MAX: usize = 6;
/// How much of a setting's value.
const VALUE_CHARS_MAX: usize = 120;

/// A row of `resource_states`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct StateRow {
    time: Option<Moment>,
    configuration: Option<String>,
    supplementary: Option<String>,
}

/// The settings that changed, as they were and as they became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) before: String,
    pub(super) after: String,
}

/// Says what changed, by the first name of a resource that Config knows.
pub(super) async fn recorded(
    desk: &Desk<'_>,
    (account, resources): (Option<&str>, &[String]),
    changed: Moment,
) -> Option<Recorded> {
    let account = account?;
    let (from, to) = (changed.minus(BEFORE).to_string(), changed.plus(AFTER).to_string());
    for resource in resources.iter().take(3) {
        let times = [("window_start", from.as_str()), ("window_end", to.as_str())];
        let values: Vec<_> =
            [("account", account), ("resource", resource.as_str())].into_iter().chain(times).collect();
        let states: Vec<StateRow> = desk.ask("resource_states", &values).await;
        if let Some(recorded) = compare(&states, changed) {
            return Some(recorded);
        }
    }
    None
}

/// Takes states in their order.
fn compare(states: &[StateRow], changed: Moment) -> Option<Recorded> {
    let is_before = |state: &StateRow| state.time.is_some_and(|time| time < changed);
    let after_at = states.iter().position(|state| !is_before(state))?;
    let (before, after) = (states.get(after_at.checked_sub(1)?)?, states.get(after_at)?);
    let (old, new) = (before.settings(), after.settings());
    let mut paths: Vec<&String> = old.keys().chain(new.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.retain(|path| old.get(*path) != new.get(*path));
    if paths.is_empty() {
        return None;
    }
    let tell = |settings: &BTreeMap<String, String>, at: Moment| {
        let told = paths.iter().take(SETTINGS_MAX).map(|path| {
            let value = settings.get(*path).map_or("none", String::as_str);
            format!("{path} {}", value.chars().take(VALUE_CHARS_MAX).collect::<String>())
        });
        let told = told.collect::<Vec<_>>().join(", ");
        let more = paths.len().saturating_sub(SETTINGS_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{told}{more} (AWS Config at {})", at.plain())
    };
    Some(Recorded { before: tell(&old, before.time?), after: tell(&new, after.time?) })
}

impl StateRow {
    /// The settings by their paths.
    fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::new();
        for text in [&self.configuration, &self.supplementary].into_iter().flatten() {
            if let Ok(value) = serde_json::from_str(text) {
                leaves(&value, &mut String::new(), &mut settings);
            }
        }
        settings
    }
}

fn leaves(value: &Value, path: &mut String, into: &mut BTreeMap<String, String>) {
    let length = path.len();
    let mut step = |name: &str, value: &Value| {
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        leaves(value, path, into);
        path.truncate(length);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| step(name, value)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(number, item)| step(&number.to_string(), item));
        }
        Value::Null => {}
        Value::String(text) => drop(into.insert(path.clone(), text.clone())),
        other => drop(into.insert(path.clone(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(time: &str, supplementary: &str) -> StateRow {
        let configuration = Some(r#"{"name":"a"}"#.to_owned());
        StateRow { time: Moment::read(time), configuration, supplementary: Some(supplementary.to_owned()) }
    }

    #[test]
    fn what_differs_is_told_as_it_was() {
        let changed = Moment::read("2026-02-04T10:00:00Z").unwrap();
        let guarded = r#"{"PublicAccessBlock":{"policy":true,"acls":true},"Policy":{"text":null}}"#;
        let open = r#"{"PublicAccessBlock":{"policy":false,"acls":true},"Policy":{"text":"{}"}}"#;
        let old = state("2026-01-01T00:00:00Z", open);
        let before = state("2026-02-03T09:00:00Z", guarded);
        let after = state("2026-02-04T10:01:00Z", open);
        let expected = |text: &str, at: &str| format!("{text} (AWS Config at {at})");
        assert_eq!(
            compare(&[old.clone(), before.clone(), after.clone()], changed),
            Some(Recorded {
                before: expected("Policy.text none, PublicAccessBlock.policy true", "2026-02-03 09:00:00"),
                after: expected("Policy.text {}, PublicAccessBlock.policy false", "2026-02-04 10:01:00"),
            })
        );
        assert_eq!(compare(&[old.clone(), before.clone()], changed), None, "nothing after it");
        assert_eq!(compare(std::slice::from_ref(&after), changed), None, "nothing before it");
        assert_eq!(compare(&[old, after], changed), None, "nothing that differs");
        let broken = state("2026-02-03T09:00:00Z", "{");
        assert!(compare(&[broken, before], Moment::read("2026-02-03T09:00:00Z").unwrap()).is_none());
    }
}
