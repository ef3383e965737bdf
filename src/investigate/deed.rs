//! The deed from near: the timeline of its credentials, the credential itself, the records of its chain.
//!
//! Takes the chain and the caller and asks for their events. Promises that no more than [`FOLLOWED_MAX`] credentials are followed,
//! and that evidence known by its id alone gets its object and index where the event was read.

use std::collections::BTreeSet;
use std::time::Duration;

use super::answer::{Answer, Credential, Direction, Edge, Evidence, Source, SubjectKind, Usual};
use super::ask::Desk;
use super::cause::Found;
use super::chain::Caller;
use super::resolve::Focus;
use super::rows::{EventRow, LifeRow, TouchRow};

/// How many issue records are read for their objects.
const ISSUES_MAX: usize = 12;

/// How many credentials the timeline follows.
const FOLLOWED_MAX: usize = 8;

/// Follows the credentials of the chain, or the principal, the session, the address itself.
pub(super) async fn timeline(
    desk: &Desk<'_>,
    focus: &Focus,
    chain: &[Edge],
    caller: &Caller,
) -> Vec<EventRow> {
    let mut filters: Vec<(&str, String)> = Vec::new();
    match focus.subject.kind {
        SubjectKind::Principal => filters.push(("principal", focus.subject.id.clone())),
        SubjectKind::Session => filters.push(("actor", focus.subject.id.clone())),
        SubjectKind::Ip => filters.push(("ip", focus.subject.id.clone())),
        _ => {}
    }
    let own = key_of(focus, caller);
    let of_chain = chain
        .iter()
        .flat_map(|edge| [edge.child.credential.clone(), edge.parent.credential.clone()])
        .flatten();
    for key in own.into_iter().chain(of_chain) {
        if !filters.iter().any(|(_, value)| *value == key) && filters.len() < FOLLOWED_MAX {
            filters.push(("key", key));
        }
    }
    if filters.is_empty()
        && let Some(actor) = caller.party.actor.clone().filter(|actor| actor.starts_with("arn:"))
    {
        filters.push(("actor", actor));
    }
    let (from, to) = (focus.window.from.to_string(), focus.window.to.to_string());
    let asked = filters
        .iter()
        .flat_map(|(name, value)| ["changes_by", "reads_by"].map(|question| (question, *name, value)))
        .map(|(question, name, value)| {
            let values =
                [(name, value.as_str()), ("window_start", from.as_str()), ("window_end", to.as_str())];
            async move { desk.ask::<EventRow>(question, &values).await }
        });
    futures::future::join_all(asked).await.into_iter().flatten().collect()
}

/// What is known of the credential itself.
pub(super) async fn credential(
    desk: &Desk<'_>,
    key: Option<&str>,
    (life, chain): (&[LifeRow], &[Edge]),
    found: &Found,
) -> Option<Credential> {
    let key = key?;
    let own: Vec<&LifeRow> = life.iter().filter(|row| row.credential.as_deref() == Some(key)).collect();
    let edge = chain.iter().find(|edge| edge.child.credential.as_deref() == Some(key));
    let row = found.row.as_ref().filter(|row| row.credential.as_deref() == Some(key));
    let mut issued_at =
        edge.and_then(|edge| edge.issued_at).or_else(|| row.and_then(|row| row.session_created));
    let mut evidence = edge.map(|edge| edge.evidence.clone()).unwrap_or_default();
    if key.starts_with("AKIA") {
        let values = [
            ("resource", key),
            ("window_start", "1970-01-01T00:00:00Z"),
            ("window_end", "2262-01-01T00:00:00Z"),
        ];
        let touches: Vec<TouchRow> = desk.ask("resource_changes", &values).await;
        if let Some(created) =
            touches.into_iter().find(|touch| touch.operation.as_deref() == Some("CreateAccessKey"))
        {
            issued_at = created.first_seen;
            evidence = created
                .event_ids
                .into_iter()
                .flatten()
                .take(1)
                .map(|id| Evidence { event_id: Some(id), object: None, index: None })
                .collect();
        }
    }
    let first_seen = own.iter().filter_map(|row| row.first_seen).min();
    let last_seen = own.iter().filter_map(|row| row.last_seen).max();
    let at = row.and_then(|row| row.time).or(last_seen);
    let age = at
        .zip(issued_at.or(first_seen))
        .map(|(at, from)| (at.0.as_millisecond() - from.0.as_millisecond()) / 1000);
    Some(Credential {
        id: key.to_owned(),
        kind: match key.get(..4) {
            Some("AKIA") => "long_term",
            Some("ASIA") => "temporary",
            _ => "other",
        }
        .to_owned(),
        principal: row
            .and_then(|row| row.principal.clone())
            .or_else(|| own.iter().find_map(|row| row.principal.clone())),
        account: own
            .iter()
            .find_map(|row| row.principal.as_deref().and_then(account_of))
            .or_else(|| super::account_of_key(key)),
        issued_at,
        expires_at: edge.and_then(|edge| edge.expires_at),
        first_seen,
        last_seen,
        age_seconds: age.filter(|age| *age >= 0),
        is_mfa: row
            .and_then(|row| row.is_mfa)
            .or_else(|| own.iter().find_map(|row| row.is_mfa))
            .or_else(|| edge.and_then(|edge| edge.is_mfa)),
        is_console: row.and_then(|row| row.is_console),
        events: own.iter().map(|row| row.events).sum(),
        evidence,
    })
}

/// The records that issued the credentials of a chain, for their objects.
pub(super) async fn issues(desk: &Desk<'_>, chain: &[Edge]) -> Vec<EventRow> {
    let asked = chain.iter().take(ISSUES_MAX).map(|edge| async move {
        let id = edge.evidence.first().and_then(|evidence| evidence.event_id.as_deref());
        let (Some(id), Some(at)) = (id, edge.issued_at) else { return Vec::new() };
        let second = Duration::from_secs(1);
        let (from, to) = (at.minus(second).to_string(), at.plus(second).to_string());
        for account in [&edge.parent.account, &edge.child.account].into_iter().flatten() {
            let values = [
                ("account", account.as_str()),
                ("event_ids", id),
                ("window_start", &from),
                ("window_end", &to),
            ];
            let rows: Vec<EventRow> = desk.ask("events_between", &values).await;
            if !rows.is_empty() {
                return rows;
            }
        }
        Vec::new()
    });
    futures::future::join_all(asked).await.into_iter().flatten().collect()
}

/// Says what belongs to the deed: what was issued with the subject, what used the credential of the cause, what came from a new place.
pub(super) fn of_interest(
    focus: &Focus,
    (found, chain): (&Found, &[Edge]),
    (usual, sources): (&[Usual], &[Source]),
) -> impl Fn(&EventRow) -> bool + use<> {
    let mut keys: BTreeSet<String> = chain
        .iter()
        .filter(|edge| edge.direction == Direction::Down)
        .filter_map(|edge| edge.child.credential.clone())
        .collect();
    let of_cause = found.row.as_ref().and_then(|row| row.credential.clone());
    keys.extend(of_cause.filter(|key| !key.starts_with("AKIA") && focus.subject.kind != SubjectKind::Key));
    let new: BTreeSet<String> = usual
        .iter()
        .filter(|one| one.what == "network" && one.is_new == Some(true))
        .map(|one| one.value.clone())
        .collect();
    let addresses: BTreeSet<String> = sources
        .iter()
        .filter(|source| network_of(&source.address).is_some_and(|network| new.contains(&network)))
        .map(|source| source.address.clone())
        .collect();
    move |row| {
        row.credential.as_ref().is_some_and(|key| keys.contains(key))
            || row.source.as_ref().is_some_and(|source| addresses.contains(source))
    }
}

/// Evidence of derived tables has the event's id; where the event itself was read, its object is known.
pub(super) fn fill_evidence(answer: &mut Answer, issues: &[EventRow]) {
    let mut known: Vec<Evidence> = answer.timeline.iter().flat_map(|line| line.evidence.clone()).collect();
    known.extend(issues.iter().map(EventRow::evidence));
    let fill = |evidence: &mut Evidence| {
        if evidence.object.is_none()
            && let Some(found) =
                known.iter().find(|one| one.event_id.is_some() && one.event_id == evidence.event_id)
        {
            *evidence = found.clone();
        }
    };
    answer.chain.iter_mut().flat_map(|edge| edge.evidence.iter_mut()).for_each(fill);
    answer.root.evidence.iter_mut().for_each(fill);
    answer.credential.iter_mut().flat_map(|credential| credential.evidence.iter_mut()).for_each(fill);
}

/// The network of an address, as footprints have it.
pub(super) fn network_of(address: &str) -> Option<String> {
    match address.parse::<std::net::IpAddr>().ok()?.to_canonical() {
        std::net::IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        std::net::IpAddr::V6(v6) => {
            let prefix = std::net::Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80);
            Some(format!("{prefix}/48"))
        }
    }
}

/// The key it is about.
pub(super) fn key_of(focus: &Focus, caller: &Caller) -> Option<String> {
    if focus.subject.kind == SubjectKind::Key {
        return Some(focus.subject.id.clone());
    }
    let finding = focus.finding.as_ref();
    let named =
        || finding.and_then(|finding| finding.evidence_texts("actor.user.credential_uid").into_iter().next());
    caller.party.credential.clone().or_else(named)
}

pub(super) fn account_of(arn: &str) -> Option<String> {
    arn.split(':').nth(4).filter(|account| !account.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_those_of_footprints() {
        assert_eq!(network_of("192.0.2.146").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(network_of("2001:db8:1:2::3").as_deref(), Some("2001:db8:1::/48"));
        assert_eq!(network_of("AWS Internal"), None);
    }
}
