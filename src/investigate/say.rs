//! The answer in one paragraph.
//!
//! Takes an answer and says who, when, what, from where and with which credential, how sure that is, and what stands beside it.
//! Names are as the logs have them; who shows the paragraph makes them harmless.

use super::answer::{
    Answer, Cause, CauseKind, Confidence, Credential, Direction, Root, RootKind, Source, SubjectKind,
};
use super::moment::Moment;

/// How much of a request the paragraph has.
const REQUEST_CHARS_MAX: usize = 240;

/// Says it.
pub(super) fn paragraph(answer: &Answer) -> String {
    sentences(answer).join(" ")
}

/// Says it sentence by sentence, the deed first.
pub(super) fn sentences(answer: &Answer) -> Vec<String> {
    let mut said = Vec::new();
    match &answer.cause {
        Some(cause) => {
            said.push(deed(answer, cause));
            said.extend(change(cause));
            said.push(format!(
                "How sure: the cause {}, the identity {}.",
                sure(cause.confidence),
                sure(answer.root.confidence)
            ));
        }
        None => {
            if let Some(why) = &answer.cannot_tell {
                said.push(format!("The cause cannot be told: {why}."));
            }
            said.extend(uses(answer));
        }
    }
    said.extend(runners_up(answer));
    said.extend(beside(answer));
    said
}

fn deed(answer: &Answer, cause: &Cause) -> String {
    let line = &cause.line;
    let at = line.time.map(|at| format!("On {} UTC ", at.plain())).unwrap_or_default();
    if cause.kind == CauseKind::Flow {
        let remark = line.remark.as_deref().unwrap_or_default();
        return format!("{at}{} had the traffic the finding speaks of: {remark}.", who(&answer.root));
    }
    let operation = line.operation.as_deref().unwrap_or("a call");
    let times = if line.count > 1 { format!(" ({} times)", line.count) } else { String::new() };
    let on = line.resource.as_deref().map(|resource| format!(" on {resource}")).unwrap_or_default();
    let place = match (&line.account, &line.region) {
        (Some(account), Some(region)) => format!(" in account {account}, {region}"),
        (Some(account), None) => format!(" in account {account}"),
        _ => String::new(),
    };
    let failed =
        line.error.as_deref().map(|error| format!(", which failed with {error}")).unwrap_or_default();
    let from =
        answer.source.as_ref().map(|source| format!(", from {}", place_of(source))).unwrap_or_default();
    let with = answer
        .credential
        .as_ref()
        .map(|credential| format!(", with {}", credential_of(credential)))
        .unwrap_or_default();
    format!(
        "{at}{}{} called {operation}{times}{on}{place}{failed}{from}{with}.",
        who(&answer.root),
        through(answer)
    )
}

/// The root by name.
pub(super) fn who(root: &Root) -> String {
    let name = root.name.as_deref().or(root.id.as_deref()).unwrap_or_default();
    let account = root.account.as_deref().map(|account| format!(" of account {account}")).unwrap_or_default();
    match root.kind {
        RootKind::IamUser => format!("the IAM user {name}{account}"),
        RootKind::SsoUser => format!("the Identity Center user {name}"),
        RootKind::FederatedUser => format!("the federated user {name}"),
        RootKind::WebIdentity => format!("the workload {name} (web identity)"),
        RootKind::RootUser => format!("the root user{account}"),
        RootKind::Instance => format!("the instance {name}{account}"),
        RootKind::Function => format!("the function {name}{account}"),
        RootKind::Workload => format!("the workload {name}{account}"),
        RootKind::Service => format!("the service {name}"),
        RootKind::RoleSession => {
            format!("somebody in the session {name}{account} (whose origin is not in the logs)")
        }
        RootKind::Account => format!("somebody in account {name}"),
        RootKind::Anonymous => "somebody who did not sign the call".to_owned(),
        RootKind::Unknown => "somebody whom the logs do not name".to_owned(),
    }
}

/// The sessions one way along the chain, as `role/session` where they are that.
pub(super) fn sessions(answer: &Answer, direction: Direction) -> Vec<&str> {
    answer
        .chain
        .iter()
        .filter(|edge| edge.direction == direction)
        .filter_map(|edge| edge.child.actor.as_deref().or(edge.child.principal.as_deref()))
        .map(|arn| arn.rsplit_once(":assumed-role/").map_or(arn, |(_, session)| session))
        .collect()
}

/// The roles on the way, and the service that acted.
fn through(answer: &Answer) -> String {
    let roles = sessions(answer, Direction::Up);
    let mut through =
        if roles.is_empty() { String::new() } else { format!(" through {}", roles.join(" and then ")) };
    if let Some(via) = &answer.root.via {
        through.push_str(&format!(" by way of {via}"));
    }
    through
}

pub(super) fn place_of(source: &Source) -> String {
    let mut known = Vec::new();
    if let Some(country) = &source.country {
        known.push(format!("{country}, by {}", source.country_basis.as_deref().unwrap_or("the registry")));
    }
    known.extend(source.as_name.clone());
    known.extend(source.kind.clone().filter(|kind| kind != "public"));
    known.extend(source.held_by.as_ref().map(|holder| format!("held by {holder}")));
    known.extend(source.indicator.as_ref().map(|indicator| format!("on a list: {indicator}")));
    known.extend(source.agents.first().map(|agent| format!("agent {agent}")));
    if source.is_new == Some(true) {
        known.push("a network it never came from before".to_owned());
    }
    if known.is_empty() {
        source.address.clone()
    } else {
        format!("{} ({})", source.address, known.join("; "))
    }
}

pub(super) fn credential_of(credential: &Credential) -> String {
    let kind = match credential.kind.as_str() {
        "long_term" => "the long-term key",
        "temporary" => "the temporary key",
        _ => "the credential",
    };
    let mut known = Vec::new();
    match (credential.age_seconds, credential.issued_at) {
        (Some(age), Some(_)) => known.push(format!("{} old", span(age))),
        (Some(age), None) if age > 0 => known.push(format!("in use for {}", span(age))),
        _ => {}
    }
    known.extend(credential.is_mfa.map(|is| if is { "with MFA" } else { "without MFA" }.to_owned()));
    known.extend(credential.is_console.filter(|is| *is).map(|_| "from the console".to_owned()));
    let known = if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) };
    format!("{kind} {}{known}", credential.id)
}

/// Says a number of seconds as people do.
pub(super) fn span(seconds: i64) -> String {
    let (count, unit) = match seconds {
        ..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Bytes as people say them.
pub(super) fn bytes(count: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three figures are shown")]
    let number = count as f64;
    match number {
        number if number >= 1e9 => format!("{:.2} GB", number / 1e9),
        number if number >= 1e6 => format!("{:.1} MB", number / 1e6),
        number if number >= 1e3 => format!("{:.1} kB", number / 1e3),
        _ => format!("{count} bytes"),
    }
}

/// A number with its noun.
fn count(number: i64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn places_in_words(places: i64) -> String {
    if places == 1 { "1 address".to_owned() } else { format!("{places} addresses") }
}

/// A request, as much of it as a sentence bears.
pub(super) fn short(text: &str) -> String {
    let mut short: String = text.chars().take(REQUEST_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn change(cause: &Cause) -> Option<String> {
    match (&cause.before, &cause.after) {
        (Some(before), Some(after)) => Some(format!("Before: {}; after: {}.", short(before), short(after))),
        (None, Some(after)) if cause.kind == CauseKind::Change => {
            Some(format!("The request: {}; how it was before is not in the logs.", short(after)))
        }
        (_, Some(after)) => Some(format!("The request: {}.", short(after))),
        _ => None,
    }
}

fn sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "is sure",
        Confidence::Medium => "is likely",
        Confidence::Low => "is a guess",
        Confidence::None => "cannot be told",
    }
}

/// Of a key, a principal, an address: how it was used.
fn uses(answer: &Answer) -> Option<String> {
    let events: i64 = answer.sources.iter().map(|source| source.events).sum();
    let subject = &answer.subject;
    if events == 0 {
        return (subject.kind != SubjectKind::Finding)
            .then(|| format!("No call of {} is in the lake.", subject.id));
    }
    let identity = sure(answer.root.confidence);
    let id = match (&answer.credential, subject.kind) {
        (Some(credential), SubjectKind::Finding | SubjectKind::Resource | SubjectKind::Event) => {
            &credential.id
        }
        _ => &subject.id,
    };
    let mut said = match subject.kind {
        SubjectKind::Ip => format!("From {id} came {}.", count(events, "call")),
        _ => {
            let places = i64::try_from(answer.sources.len()).unwrap_or(i64::MAX);
            format!("{id} was used for {} from {}.", count(events, "call"), places_in_words(places))
        }
    };
    said.push_str(&format!(
        " Behind it is {}{} (the identity {identity}).",
        who(&answer.root),
        through(answer)
    ));
    let newest = answer.sources.iter().find(|source| source.is_new == Some(true)).or(answer.source.as_ref());
    if let Some(source) = newest {
        let first = source.first_seen.map(Moment::plain).unwrap_or_default();
        let last = source.last_seen.map(Moment::plain).unwrap_or_default();
        said.push_str(&format!(
            " The newest place it was used from is {}: {} from {first} to {last} UTC, {} of them failed.",
            place_of(source),
            count(source.events, "call"),
            source.failed
        ));
    }
    if let Some(credential) = &answer.credential {
        said.push_str(&format!(" It is {}.", credential_of(credential)));
    }
    Some(said)
}

/// Who and what else was considered.
pub(super) fn others(answer: &Answer) -> Vec<String> {
    let mut others: Vec<String> =
        answer.root.runners_up.iter().take(3).map(|other| other.id.clone()).collect();
    if let Some(cause) = &answer.cause {
        let rivals = cause.runners_up.iter().filter(|other| other.line.actor != cause.line.actor).take(2);
        others.extend(rivals.filter_map(|other| {
            Some(format!(
                "{} by {} at {}",
                other.line.operation.as_deref()?,
                other.line.actor.as_deref()?,
                other.line.time?.plain()
            ))
        }));
    }
    others
}

fn runners_up(answer: &Answer) -> Option<String> {
    let others = others(answer);
    (!others.is_empty()).then(|| format!("Also considered: {}.", others.join("; ")))
}

/// What stands beside the deed.
fn beside(answer: &Answer) -> Vec<String> {
    let mut said = Vec::new();
    if let Some((first, rest)) = sessions(answer, Direction::Down).split_first() {
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        said.push(format!("With it came sessions of {first}{more}."));
    }
    let created: Vec<String> = answer
        .created
        .iter()
        .take(4)
        .map(|one| format!("{} {}", one.kind.replace('_', " "), one.id))
        .collect();
    if !created.is_empty() {
        let more = answer.created.len().saturating_sub(4);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        said.push(format!("Created: {}{more}.", created.join(", ")));
    }
    if !answer.denied.is_empty() {
        let denied = i64::try_from(answer.denied.len()).unwrap_or(i64::MAX);
        said.push(format!("Refused: {}.", count(denied, "call")));
    }
    if answer.bytes_out > 0 {
        said.push(format!("Read out: {}.", bytes(answer.bytes_out)));
    }
    let (tried, done): (Vec<_>, Vec<_>) =
        answer.logging_changes.iter().partition(|line| line.error.is_some());
    for (lines, words) in [(done, "Logging was changed"), (tried, "Changes of logging were tried and failed")]
    {
        let names: Vec<&str> = lines.iter().filter_map(|line| line.operation.as_deref()).collect();
        if !names.is_empty() {
            said.push(format!("{words}: {}.", names.join(", ")));
        }
    }
    let findings =
        answer.findings.iter().filter(|finding| finding.why.as_deref() != Some("same account")).count();
    if findings > 0 {
        said.push(format!(
            "{findings} other findings are about the same resource, credential, principal or address."
        ));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_as_people_do() {
        for (seconds, expected) in [
            (1, "1 second"),
            (90, "90 seconds"),
            (600, "10 minutes"),
            (86_400, "24 hours"),
            (864_000, "10 days"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }

    #[test]
    fn a_session_without_origin_is_nobody_by_name() {
        let root = Root { kind: RootKind::RoleSession, name: Some("build-17".to_owned()), ..Root::default() };
        assert!(who(&root).contains("origin is not in the logs"));
    }
}
