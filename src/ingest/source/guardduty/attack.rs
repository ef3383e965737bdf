//! The tactics and techniques of MITRE ATT&CK that a finding names.

use crate::ingest::json::Item;
use crate::ingest::source::document::take;
use crate::ocsf::event::Object;

/// The tactics of MITRE ATT&CK for enterprises.
const TACTICS: [(&str, &str); 14] = [
    ("TA0001", "Initial Access"),
    ("TA0002", "Execution"),
    ("TA0003", "Persistence"),
    ("TA0004", "Privilege Escalation"),
    ("TA0005", "Defense Evasion"),
    ("TA0006", "Credential Access"),
    ("TA0007", "Discovery"),
    ("TA0008", "Lateral Movement"),
    ("TA0009", "Collection"),
    ("TA0010", "Exfiltration"),
    ("TA0011", "Command and Control"),
    ("TA0040", "Impact"),
    ("TA0042", "Resource Development"),
    ("TA0043", "Reconnaissance"),
];

/// Returns what a finding names: the tactic its type begins with, and those of an attack sequence.
pub(super) fn attacks(finding: Item<'_>) -> Vec<Object> {
    let indicators = finding.get("service.detection.sequence.sequenceIndicators");
    let named: Vec<Object> = indicators.into_iter().flat_map(Item::elements).flat_map(of_indicator).collect();
    if named.is_empty() { of_type(finding).into_iter().collect() } else { named }
}

/// GuardDuty's types begin with a purpose, most of which are tactics: `CredentialAccess:IAMUser/AnomalousBehavior`.
fn of_type(finding: Item<'_>) -> Option<Object> {
    let kind = take::filled(finding, "type")?;
    let (purpose, _) = kind.split_once(':')?;
    known_tactic(purpose).map(tactic)
}

fn of_indicator(indicator: Item<'_>) -> Vec<Object> {
    let values = indicator.get("values").into_iter().flat_map(Item::elements).filter_map(Item::text);
    match take::filled(indicator, "key").as_deref() {
        Some("ATTACK_TACTIC") => values
            .filter(|value| !value.is_empty())
            .map(|value| known_tactic(&value).map_or_else(|| unknown_tactic(&value), tactic))
            .collect(),
        Some("ATTACK_TECHNIQUE") => values.filter_map(|value| technique(&value)).collect(),
        _ => Vec::new(),
    }
}

/// Finds a tactic by its name or number, in whatever way its words are put together.
fn known_tactic(text: &str) -> Option<(&'static str, &'static str)> {
    let letters = |text: &str| {
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    };
    let wanted = letters(text);
    TACTICS.into_iter().find(|(uid, name)| letters(name) == wanted || letters(uid) == wanted)
}

fn tactic((uid, name): (&str, &str)) -> Object {
    let mut attack = Object::default();
    attack.constant("tactic.uid", uid);
    attack.constant("tactic.name", name);
    attack
}

fn unknown_tactic(name: &str) -> Object {
    let mut attack = Object::default();
    attack.constant("tactic.name", name);
    attack
}

/// Reads `T1078.004 - Valid Accounts: Cloud Accounts`, or a part of that.
fn technique(text: &str) -> Option<Object> {
    let (uid, name) = match text.split_once([' ', '-', ':']) {
        Some((uid, name)) if is_technique(uid) => (uid, name.trim_matches([' ', '-', ':'])),
        _ if is_technique(text) => (text, ""),
        _ => ("", text.trim()),
    };
    let mut attack = Object::default();
    let (technique, sub_technique) = uid.split_once('.').map_or((uid, None), |(first, _)| (first, Some(uid)));
    if !technique.is_empty() {
        attack.constant("technique.uid", technique);
    }
    if let Some(sub_technique) = sub_technique {
        attack.constant("sub_technique.uid", sub_technique);
    }
    if !name.is_empty() {
        let path = if sub_technique.is_some() { "sub_technique.name" } else { "technique.name" };
        attack.constant(path, name);
    }
    Some(attack).filter(|attack| !attack.is_empty())
}

/// Says whether a text is the number of a technique: `T1078`, `T1078.004`.
fn is_technique(text: &str) -> bool {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    text.strip_prefix('T').is_some_and(|rest| match rest.split_once('.') {
        Some((first, second)) => digits(first, 4) && digits(second, 3),
        None => digits(rest, 4),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocsf::event::Value;

    #[test]
    fn techniques_are_read_in_every_form() {
        let read = |text: &str, path: &str| match technique(text)?.get(path) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        for (text, path, expected) in [
            ("T1485", "technique.uid", "T1485"),
            ("T1485 - Data Destruction", "technique.name", "Data Destruction"),
            ("T1078.004 - Valid Accounts: Cloud Accounts", "technique.uid", "T1078"),
            ("T1078.004", "sub_technique.uid", "T1078.004"),
            ("Data Destruction", "technique.name", "Data Destruction"),
        ] {
            assert_eq!(read(text, path).as_deref(), Some(expected), "{text}");
        }
        assert!(technique("").is_none());
    }

    #[test]
    fn tactics_are_known_however_they_are_written() {
        for text in ["CredentialAccess", "Credential Access", "CREDENTIAL_ACCESS", "TA0006"] {
            assert_eq!(known_tactic(text), Some(("TA0006", "Credential Access")), "{text}");
        }
        assert_eq!(known_tactic("Trojan"), None);
    }
}
