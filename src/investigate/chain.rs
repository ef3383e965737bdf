//! How one credential came from another: towards the root, and away from it.
//!
//! Takes a party (what an event says of its caller) and the issue records that could concern it, and chooses the one it came from. Pure: who
//! calls it brings the records. Promises:
//! - a record that issued the very key goes before one that two accounts share, that before a session's beginning,
//!   that before a sign-in to the console;
//! - of several that fit equally the nearest in time is taken, the others are told, and the choice is less sure;
//! - a walk ends after [`DEPTH_MAX`] steps and never goes in a circle.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::answer::{Confidence, Direction, Edge, Evidence, Join, Party};
use super::moment::Moment;

/// How far a walk goes. AWS lets roles take roles without end; people stop long before.
pub(super) const DEPTH_MAX: u32 = 8;

/// How far the beginning of a session may lie from the record that issued it.
pub(super) const SESSION_SLACK_MS: u64 = 2_000;

/// How far console credentials may lie from the sign-in: the console makes new ones as it goes, and its sessions
/// last twelve hours; what they say of their beginning is the sign-in's time.
const CONSOLE_SLACK_MS: u64 = 5_000;

/// A row of `session_edge`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct EdgeRow {
    pub(super) parent_credential: Option<String>,
    pub(super) parent_actor: Option<String>,
    pub(super) parent_principal: Option<String>,
    pub(super) parent_identity: Option<String>,
    pub(super) parent_name: Option<String>,
    pub(super) parent_account: Option<String>,
    pub(super) child_credential: Option<String>,
    pub(super) child_actor: Option<String>,
    pub(super) child_principal: Option<String>,
    pub(super) child_account: Option<String>,
    pub(super) issued_at: Option<Moment>,
    pub(super) expires_at: Option<Moment>,
    pub(super) kind: String,
    pub(super) source_identity: Option<String>,
    pub(super) is_mfa: Option<bool>,
    pub(super) source: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) event_id: Option<String>,
    pub(super) shared_event_id: Option<String>,
}

impl EdgeRow {
    fn parent(&self) -> Party {
        Party {
            credential: self.parent_credential.clone(),
            actor: self.parent_actor.clone(),
            principal: self.parent_principal.clone(),
            identity: self.parent_identity.clone(),
            name: self.parent_name.clone(),
            account: self.parent_account.clone(),
        }
    }

    fn child(&self) -> Party {
        Party {
            credential: self.child_credential.clone(),
            actor: self.child_actor.clone(),
            principal: self.child_principal.clone(),
            identity: None,
            name: None,
            account: self.child_account.clone(),
        }
    }

    /// How much it says of the parent: the copy of a call in the role's account knows the caller's account only.
    fn richness(&self) -> usize {
        let told = [&self.parent_credential, &self.parent_actor, &self.parent_principal];
        let names = told.iter().filter(|value| value.as_deref().is_some_and(|text| !text.is_empty())).count();
        let is_account_only = self.parent_identity.as_deref() == Some("AWSAccount");
        if is_account_only { names } else { names + 3 }
    }
}

/// Merges the records that two accounts have of one call, keeping who is named best.
pub(super) fn collapse(rows: Vec<EdgeRow>) -> Vec<EdgeRow> {
    let mut kept: Vec<EdgeRow> = Vec::new();
    for row in rows {
        let is_same = |other: &&mut EdgeRow| {
            let both = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
            both(&row.event_id, &other.event_id)
                || both(&row.shared_event_id, &other.shared_event_id)
                || (both(&row.child_credential, &other.child_credential) && row.kind == other.kind)
        };
        match kept.iter_mut().find(is_same) {
            None => kept.push(row),
            Some(other) => {
                let (mut better, worse) = if row.richness() > other.richness() {
                    (row, other.clone())
                } else {
                    (other.clone(), row)
                };
                better.fill_from(worse);
                *other = better;
            }
        }
    }
    kept
}

impl EdgeRow {
    fn fill_from(&mut self, other: Self) {
        let fill = |own: &mut Option<String>, others: Option<String>| {
            if own.is_none() {
                *own = others;
            }
        };
        fill(&mut self.child_credential, other.child_credential);
        fill(&mut self.child_actor, other.child_actor);
        fill(&mut self.child_principal, other.child_principal);
        fill(&mut self.child_account, other.child_account);
        fill(&mut self.parent_account, other.parent_account);
        fill(&mut self.source_identity, other.source_identity);
        fill(&mut self.source, other.source);
        fill(&mut self.agent, other.agent);
        fill(&mut self.shared_event_id, other.shared_event_id);
        self.issued_at = self.issued_at.or(other.issued_at);
        self.expires_at = self.expires_at.or(other.expires_at);
        self.is_mfa = self.is_mfa.or(other.is_mfa);
    }
}

/// What an event says of the one whose credentials are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) party: Party,
    /// When its session began.
    pub(super) session_created: Option<Moment>,
    /// The service that calls for it.
    pub(super) invoked_by: Option<String>,
    /// The identity that stays along a chain.
    pub(super) source_identity: Option<String>,
    /// When it was seen: a credential is issued before that.
    pub(super) seen: Option<Moment>,
}

/// The record a caller's credentials came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) row: EdgeRow,
    pub(super) join: Join,
    pub(super) confidence: Confidence,
    /// Others that fit as well.
    pub(super) others: Vec<EdgeRow>,
}

/// Chooses the record that issued a caller's credentials.
pub(super) fn parent_of(caller: &Caller, rows: &[EdgeRow]) -> Option<Step> {
    let mut fitting: Vec<(Join, u64, &EdgeRow)> =
        rows.iter().filter_map(|row| join(caller, row).map(|(join, far)| (join, far, row))).collect();
    fitting.sort_by(|(one_join, one_far, one), (other_join, other_far, other)| {
        other_join
            .cmp(one_join)
            .then_with(|| is_own_sign_in(caller, one).cmp(&is_own_sign_in(caller, other)))
            .then_with(|| source_match(caller, other).cmp(&source_match(caller, one)))
            .then(one_far.cmp(other_far))
            .then_with(|| other.richness().cmp(&one.richness()))
    });
    let (join, _, row) = *fitting.first()?;
    let others: Vec<EdgeRow> = fitting
        .iter()
        .skip(1)
        .filter(|(other, _, candidate)| *other == join && !is_same_parent(row, candidate))
        .filter(|(_, _, candidate)| !is_own_sign_in(caller, candidate))
        .map(|(_, _, row)| (*row).clone())
        .collect();
    let confidence = match join {
        Join::Key | Join::SharedId => Confidence::High,
        _ if !others.is_empty() => Confidence::Low,
        Join::SessionTime => Confidence::High,
        Join::Console | Join::Fas | Join::StackRole => Confidence::Medium,
    };
    Some(Step { row: row.clone(), join, confidence, others })
}

fn source_match(caller: &Caller, row: &EdgeRow) -> bool {
    caller.source_identity.is_some() && caller.source_identity == row.source_identity
}

/// A session that signs in to the console is there already: the record does not tell who took it.
fn is_own_sign_in(caller: &Caller, row: &EdgeRow) -> bool {
    row.kind == "console" && row.parent_actor == caller.party.actor
}

fn is_same_parent(one: &EdgeRow, other: &EdgeRow) -> bool {
    one.parent_actor == other.parent_actor && one.parent_credential == other.parent_credential
}

/// Says how a record joins a caller, and how far its time lies from the session's beginning.
fn join(caller: &Caller, row: &EdgeRow) -> Option<(Join, u64)> {
    let is = |own: &Option<String>, theirs: &Option<String>| own.is_some() && own == theirs;
    let far = match (caller.session_created, row.issued_at) {
        (Some(created), Some(issued)) => Some(created.distance_ms(issued)),
        _ => None,
    };
    if is(&caller.party.credential, &row.child_credential) {
        // A key that came before the record cannot have come from it.
        let is_before = matches!((caller.seen, row.issued_at), (Some(seen), Some(issued)) if seen.plus(std::time::Duration::from_mins(5)) < issued);
        return (!is_before).then_some((Join::Key, far.unwrap_or(0)));
    }
    if !is(&caller.party.actor, &row.child_actor) {
        return None;
    }
    let is_console = row.kind == "console";
    let slack = if is_console { CONSOLE_SLACK_MS } else { SESSION_SLACK_MS };
    let far = far.filter(|far| *far <= slack)?;
    let join = match (&caller.invoked_by, is_console) {
        (Some(_), _) => Join::Fas,
        (None, true) => Join::Console,
        (None, false) => Join::SessionTime,
    };
    Some((join, far))
}

impl Step {
    /// Returns the edge as answers have it.
    pub(super) fn edge(&self, direction: Direction, depth: u32) -> Edge {
        let row = &self.row;
        Edge {
            direction,
            depth,
            kind: row.kind.clone(),
            join: self.join,
            confidence: self.confidence,
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            parent: row.parent(),
            child: row.child(),
            source: row.source.clone(),
            agent: row.agent.clone(),
            source_identity: row.source_identity.clone(),
            is_mfa: row.is_mfa,
            evidence: vec![Evidence { event_id: row.event_id.clone(), object: None, index: None }],
        }
    }

    /// Returns the one who asked for the credentials.
    pub(super) fn parent(&self) -> Caller {
        Caller {
            party: self.row.parent(),
            session_created: None,
            invoked_by: None,
            source_identity: self.row.source_identity.clone(),
            seen: self.row.issued_at,
        }
    }
}

/// The steps of a walk that are behind: what keeps it from going in a circle.
#[derive(Debug, Default)]
pub(super) struct Walked {
    credentials: BTreeSet<String>,
    events: BTreeSet<String>,
    steps: u32,
}

impl Walked {
    /// Says whether a step may be taken, and remembers it.
    pub(super) fn takes(&mut self, row: &EdgeRow) -> bool {
        if self.steps >= DEPTH_MAX {
            return false;
        }
        let is_new = |seen: &mut BTreeSet<String>, id: &Option<String>| {
            id.as_ref().is_none_or(|id| seen.insert(id.clone()))
        };
        let new_event = is_new(&mut self.events, &row.event_id);
        let new_child = is_new(&mut self.credentials, &row.child_credential);
        let comes_from_itself =
            row.parent_credential.is_some() && row.parent_credential == row.child_credential;
        let goes_back = row.parent_credential.as_ref().is_some_and(|key| self.credentials.contains(key));
        if !new_event || !new_child || comes_from_itself || goes_back {
            return false;
        }
        self.steps += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned()).filter(|text| !text.is_empty())
    }

    fn at(second: u32) -> Option<Moment> {
        Moment::read(&format!("2026-02-04T02:00:{second:02}Z"))
    }

    fn row(id: &str, (parent, child): (&str, &str), actor: &str, second: u32) -> EdgeRow {
        EdgeRow {
            event_id: text(id),
            parent_credential: text(parent),
            parent_actor: text(&format!("by {parent}")),
            parent_principal: text("p"),
            child_credential: text(child),
            child_actor: text(actor),
            issued_at: at(second),
            kind: "assume_role".to_owned(),
            ..EdgeRow::default()
        }
    }

    fn caller(key: &str, actor: &str, created: Option<Moment>) -> Caller {
        let party = Party { credential: text(key), actor: text(actor), ..Party::default() };
        Caller { party, session_created: created, ..Caller::default() }
    }

    #[test]
    fn the_key_goes_before_the_session() {
        let rows = [row("e1", ("AKIA1", ""), "s", 10), row("e2", ("AKIA2", "ASIA1"), "other", 40)];
        let step = parent_of(&caller("ASIA1", "s", at(10)), &rows).unwrap();
        assert_eq!((step.row.event_id.as_deref(), step.join), (Some("e2"), Join::Key));
        let step = parent_of(&caller("ASIA9", "s", at(11)), &rows).unwrap();
        assert_eq!(
            (step.row.event_id.as_deref(), step.join, step.confidence),
            (Some("e1"), Join::SessionTime, Confidence::High)
        );
        assert_eq!(parent_of(&caller("ASIA9", "s", at(13)), &rows), None);
        assert_eq!(parent_of(&caller("ASIA9", "s", None), &rows), None);
    }

    #[test]
    fn two_that_fit_make_it_less_sure() {
        let rows = [row("e1", ("AKIA1", ""), "s", 10), row("e2", ("AKIA2", ""), "s", 11)];
        let step = parent_of(&caller("ASIA9", "s", at(11)), &rows).unwrap();
        assert_eq!((step.row.event_id.as_deref(), step.confidence), (Some("e2"), Confidence::Low));
        assert_eq!(step.others.len(), 1);
        let mut known = caller("ASIA9", "s", at(11));
        known.source_identity = text("mio");
        let mut rows = rows;
        rows[0].source_identity = text("mio");
        assert_eq!(parent_of(&known, &rows).unwrap().row.event_id.as_deref(), Some("e1"));
    }

    #[test]
    fn services_acting_for_a_session_and_consoles_are_told_apart() {
        let mut rows = [row("e1", ("AKIA1", ""), "s", 10)];
        let mut acting = caller("ASIA9", "s", at(10));
        acting.invoked_by = text("cloudformation.amazonaws.com");
        assert_eq!(parent_of(&acting, &rows).unwrap().join, Join::Fas);
        rows[0].kind = "console".to_owned();
        assert_eq!(parent_of(&caller("ASIA9", "s", at(13)), &rows).unwrap().join, Join::Console);
    }

    #[test]
    fn a_session_did_not_come_from_its_own_sign_in() {
        let mut signed_in = row("e1", ("", ""), "s", 10);
        (signed_in.kind, signed_in.parent_actor) = ("console".to_owned(), text("s"));
        let mut acting = caller("ASIA9", "s", at(10));
        acting.invoked_by = text("cloudformation.amazonaws.com");
        let step = parent_of(&acting, &[signed_in.clone(), row("e2", ("AKIA1", ""), "s", 10)]).unwrap();
        assert_eq!((step.row.event_id.as_deref(), step.confidence), (Some("e2"), Confidence::Medium));
        // Of a user it is all there is.
        assert!(parent_of(&acting, &[signed_in]).is_some());
    }

    #[test]
    fn both_accounts_records_of_one_call_are_one() {
        let mut near = row("e1", ("AKIA1", "ASIA1"), "s", 10);
        near.shared_event_id = text("shared");
        near.child_actor = None;
        let far = EdgeRow {
            event_id: text("e2"),
            parent_identity: text("AWSAccount"),
            parent_account: text("444455556666"),
            child_credential: text("ASIA1"),
            child_actor: text("s"),
            shared_event_id: text("shared"),
            kind: "assume_role".to_owned(),
            ..EdgeRow::default()
        };
        for rows in [vec![near.clone(), far.clone()], vec![far, near]] {
            let rows = collapse(rows);
            assert_eq!(rows.len(), 1);
            assert_eq!(rows[0].event_id.as_deref(), Some("e1"));
            assert_eq!(rows[0].parent_credential.as_deref(), Some("AKIA1"));
            assert_eq!(rows[0].child_actor.as_deref(), Some("s"));
        }
    }

    #[test]
    fn a_walk_ends() {
        let mut walked = Walked::default();
        assert!(walked.takes(&row("e1", ("ASIA2", "ASIA1"), "s", 1)));
        assert!(!walked.takes(&row("e2", ("ASIA1", "ASIA2"), "s", 1)), "back to where it came from");
        assert!(!walked.takes(&row("e1", ("ASIA4", "ASIA3"), "s", 1)), "the same record");
        assert!(!walked.takes(&row("e3", ("ASIA5", "ASIA5"), "s", 1)), "from itself");
        let mut walked = Walked::default();
        let taken = (0..20).filter(|n| {
            walked.takes(&row(&n.to_string(), (&format!("k{}", n + 1), &format!("k{n}")), "s", 1))
        });
        assert_eq!(taken.count(), 8);
    }
}
