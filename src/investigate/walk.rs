//! Walks a chain of credentials with the lake's records.
//!
//! Takes a caller and gives the edges towards its root, the last caller, and what was issued with its key. The rules are `chain`'s;
//! here is only what to ask next.

use std::time::Duration;

use super::answer::{Direction, Edge, Note, NoteKind, Root, RootCandidate, RootKind};
use super::ask::Desk;
use super::chain::{Caller, DEPTH_MAX, EdgeRow, SESSION_SLACK_MS, Step, Walked, collapse, parent_of};
use super::moment::Moment;
use super::root::root;
use super::stack;

/// How many credentials issued downwards are followed.
const DOWN_MAX: usize = 40;

/// How far below the subject they are followed.
const DOWN_DEPTH_MAX: u32 = 3;

/// How far around a session's beginning its record is looked for: the slack of `chain`, and a sign-in's.
const AROUND: Duration = Duration::from_millis(SESSION_SLACK_MS + 4_000);

/// Where a walk towards the root ended.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// The edges, the nearest first.
    pub(super) edges: Vec<Edge>,
    /// The one at the beginning.
    pub(super) last: Caller,
    /// Who else the last step could have come from.
    pub(super) others: Vec<RootCandidate>,
}

impl Way {
    /// Names who is at its beginning.
    pub(super) fn root(&self, subject: &Caller) -> Root {
        let mut root = root(&self.last, &self.edges, &self.others);
        root.via = subject.invoked_by.clone().or(root.via).filter(|via| root.id.as_deref() != Some(via));
        root
    }
}

/// Walks from a caller to its root.
pub(super) async fn up(desk: &Desk<'_>, caller: &Caller) -> Way {
    let (mut at, mut edges, mut others, mut walked) =
        (caller.clone(), Vec::new(), Vec::new(), Walked::default());
    for _ in 0..DEPTH_MAX {
        let Some(step) = step_up(desk, &at).await else { break };
        if !walked.takes(&step.row) {
            break;
        }
        edges.push(step.edge(Direction::Up, next_depth(&edges)));
        others = step.others.iter().filter_map(candidate).collect();
        let source_identity = at.source_identity.take();
        at = step.parent();
        at.source_identity = at.source_identity.or(source_identity);
        if is_end(&at) {
            let Some(started) = stack::started(desk, &at, &step.row, next_depth(&edges)).await else { break };
            others.extend(started.others);
            let Some((edge, caller)) = started.step else { break };
            edges.push(edge);
            at = caller;
            continue;
        }
        at = session_of(desk, at).await;
    }
    Way { edges, last: at, others }
}

fn next_depth(edges: &[Edge]) -> u32 {
    u32::try_from(edges.len()).unwrap_or(u32::MAX).saturating_add(1)
}

fn candidate(row: &EdgeRow) -> Option<RootCandidate> {
    let id = row.parent_actor.clone().or(row.parent_principal.clone())?;
    let why = "issued a session of the same name at the same time".to_owned();
    Some(RootCandidate { kind: RootKind::Unknown, id, why })
}

/// Long-term identities have no parent.
fn is_end(caller: &Caller) -> bool {
    let identity = caller.party.identity.as_deref().unwrap_or_default();
    let is_long_term = caller.party.credential.as_deref().is_none_or(|key| key.starts_with("AKIA"));
    matches!(
        identity,
        "AWSService" | "WebIdentityUser" | "SAMLUser" | "IdentityCenterUser" | "AWSAccount" | "Unknown"
    ) || (matches!(identity, "IAMUser" | "Root") && is_long_term)
}

/// Finds when the session of a parent began, which its issue record does not say of it.
async fn session_of(desk: &Desk<'_>, mut caller: Caller) -> Caller {
    let (Some(key), Some(seen)) = (caller.party.credential.clone(), caller.seen) else { return caller };
    let (from, to) =
        (seen.minus(Duration::from_hours(36)).to_string(), seen.plus(Duration::from_hours(36)).to_string());
    let values = [("key", key.as_str()), ("window_start", from.as_str()), ("window_end", to.as_str())];
    let life: Vec<super::rows::LifeRow> = desk.ask("key_life", &values).await;
    if let Some(row) = life.iter().find(|row| row.session_created.is_some()) {
        caller.session_created = row.session_created;
        caller.party.identity = caller.party.identity.or_else(|| row.identity.clone());
    }
    caller
}

async fn step_up(desk: &Desk<'_>, caller: &Caller) -> Option<Step> {
    let temporary = caller.party.credential.as_deref().filter(|key| !key.starts_with("AKIA"));
    if let Some(key) = temporary {
        let rows: Vec<EdgeRow> = desk.ask("issued_key", &[("key", key)]).await;
        if let Some(step) = parent_of(caller, &collapse(rows)) {
            return Some(step);
        }
    }
    if temporary.is_none() && caller.party.credential.is_some() {
        return None;
    }
    let (actor, created) = (caller.party.actor.as_deref()?, caller.session_created?);
    let (from, to) = (created.minus(AROUND).to_string(), created.plus(AROUND).to_string());
    let values = [("actor", actor), ("window_start", from.as_str()), ("window_end", to.as_str())];
    let rows: Vec<EdgeRow> = desk.ask("issued_session", &values).await;
    parent_of(caller, &collapse(rows))
}

/// Finds what was issued with a key, and with what was issued, in a stretch of time.
pub(super) async fn down(desk: &Desk<'_>, key: &str, (from, to): (Moment, Moment)) -> (Vec<Edge>, Vec<Note>) {
    let (mut edges, mut notes, mut walked) =
        (Vec::new(), Vec::new(), std::collections::BTreeSet::from([key.to_owned()]));
    let mut keys = vec![key.to_owned()];
    let (from, to) = (from.to_string(), to.to_string());
    for depth in 1..=DOWN_DEPTH_MAX {
        let asked = keys.iter().map(|key| {
            let values = [("key", key.clone()), ("window_start", from.clone()), ("window_end", to.clone())];
            async move {
                let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
                desk.ask::<EdgeRow>("issued_by_key", &values).await
            }
        });
        let rows: Vec<EdgeRow> = futures::future::join_all(asked).await.into_iter().flatten().collect();
        keys.clear();
        for row in collapse(rows) {
            let is_new = row.child_credential.as_ref().is_none_or(|key| walked.insert(key.clone()));
            if !is_new {
                continue;
            }
            if edges.len() >= DOWN_MAX {
                let text =
                    format!("more than {DOWN_MAX} credentials were issued with it; the first are shown");
                notes.push(Note { kind: NoteKind::Cut, text });
                return (edges, notes);
            }
            keys.extend(row.child_credential.clone());
            let step = Step {
                row,
                join: super::answer::Join::Key,
                confidence: super::answer::Confidence::High,
                others: Vec::new(),
            };
            edges.push(step.edge(Direction::Down, depth));
        }
        if keys.is_empty() {
            break;
        }
    }
    (edges, notes)
}
