//! Who started the work for which CloudFormation took a role of the stack.
//!
//! With a role of its own, a stack's calls are made by the service and name nobody; who called
//! `CreateStack` or `UpdateStack` stands in another record of the account, which names the role.
//! Takes the record that issued the role and gives the step to that call. Promises:
//! - only a call that names the role is a step; one that leaves the role to the stack is told as possible;
//! - of several people who named the role shortly before, the last is taken, and the choice is less sure.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::answer::{Confidence, Direction, Edge, Join, Party, RootCandidate, RootKind};
use super::ask::Desk;
use super::chain::{Caller, EdgeRow};
use super::moment::Moment;
use super::rows::EventRow;

const CLOUDFORMATION: &str = "cloudformation.amazonaws.com";

/// How long a stack is worked on at most: the service takes its role anew every hour.
const WORK_MAX: Duration = Duration::from_hours(12);

/// Calls so shortly before another one could each be what the role was taken for.
const NEAR_MS: u64 = 15 * 60_000;

/// What may have started the work.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Started {
    /// The step to the call that named the role.
    pub(super) step: Option<(Edge, Caller)>,
    /// Who else may have started it.
    pub(super) others: Vec<RootCandidate>,
}

/// Looks for the call that a role was taken for; nothing where it was not CloudFormation that took it.
pub(super) async fn started(
    desk: &Desk<'_>,
    service: &Caller,
    issued: &EdgeRow,
    depth: u32,
) -> Option<Started> {
    let party = &service.party;
    if [&party.principal, &party.actor].into_iter().flatten().all(|name| name != CLOUDFORMATION) {
        return None;
    }
    let (account, role, at) =
        (issued.child_account.as_deref()?, issued.child_principal.as_deref()?, issued.issued_at?);
    // The call is answered before the work begins; clocks of two services differ by little.
    let (from, to) = (at.minus(WORK_MAX).to_string(), at.plus(Duration::from_secs(2)).to_string());
    let values = [("account", account), ("window_start", from.as_str()), ("window_end", to.as_str())];
    let rows: Vec<EventRow> = desk.ask("stack_operations", &values).await;
    Some(choose(rows, role, (at, depth)))
}

/// Of the calls before a role was taken, the latest first.
fn choose(rows: Vec<EventRow>, role: &str, (taken, depth): (Moment, u32)) -> Started {
    let (named, other): (Vec<EventRow>, Vec<EventRow>) =
        rows.into_iter().partition(|row| role_of(row).as_deref() == Some(role));
    let mut named = named.into_iter();
    let Some(chosen) = named.next() else {
        let silent = other.iter().filter(|row| {
            // A stack that exists keeps its role, and calls need not name it.
            role_of(row).is_none() && row.operation.as_deref() != Some("CreateStack")
        });
        let why = "worked on a stack of this account before CloudFormation took the role";
        return Started { step: None, others: people(silent, None, why) };
    };
    let near: Vec<EventRow> = named.take_while(|row| is_near(row, &chosen)).collect();
    let why = "had CloudFormation take the same role shortly before";
    let others = people(near.iter(), chosen.actor.as_deref(), why);
    let confidence = if others.is_empty() { Confidence::Medium } else { Confidence::Low };
    let caller = chosen.caller();
    let edge = Edge {
        direction: Direction::Up,
        depth,
        kind: "stack".to_owned(),
        join: Join::StackRole,
        confidence,
        issued_at: chosen.time.or(Some(taken)),
        expires_at: None,
        parent: caller.party.clone(),
        child: Party {
            principal: Some(CLOUDFORMATION.to_owned()),
            identity: Some("AWSService".to_owned()),
            account: chosen.accountid.clone(),
            ..Party::default()
        },
        source: chosen.source.clone(),
        agent: chosen.agent.clone(),
        source_identity: chosen.source_identity.clone(),
        is_mfa: chosen.is_mfa,
        evidence: vec![chosen.evidence()],
    };
    Started { step: Some((edge, caller)), others }
}

fn is_near(row: &EventRow, chosen: &EventRow) -> bool {
    matches!((row.time, chosen.time), (Some(one), Some(other)) if one.distance_ms(other) <= NEAR_MS)
}

/// The callers, each once, but for one of them.
fn people<'a>(rows: impl Iterator<Item = &'a EventRow>, but: Option<&str>, why: &str) -> Vec<RootCandidate> {
    let ids: BTreeSet<&str> =
        rows.filter_map(|row| row.actor.as_deref()).filter(|id| Some(*id) != but).collect();
    let candidate =
        |id: &str| RootCandidate { kind: RootKind::Unknown, id: id.to_owned(), why: why.to_owned() };
    ids.into_iter().map(candidate).collect()
}

/// The role that a call has CloudFormation take: of a stack, or the one that administers a stack set.
fn role_of(row: &EventRow) -> Option<String> {
    let request: Value = serde_json::from_str(row.request.as_deref()?).ok()?;
    let role = request.get("roleARN").or_else(|| request.get("administrationRoleARN"));
    role.and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/stack-role";

    fn call(actor: &str, operation: &str, role: Option<&str>, minute: u32) -> EventRow {
        let request = role.map_or_else(|| "{}".to_owned(), |role| format!(r#"{{"roleARN":"{role}"}}"#));
        EventRow {
            actor: Some(actor.to_owned()),
            operation: Some(operation.to_owned()),
            request: Some(request),
            time: Moment::read(&format!("2026-02-04T02:{minute:02}:00Z")),
            ..EventRow::default()
        }
    }

    #[test]
    fn only_who_named_the_role_is_a_step() {
        let check = |rows: &[EventRow], chosen: Option<(&str, Confidence)>, others: &[&str]| {
            let taken = Moment::read("2026-02-04T02:50:00Z").unwrap();
            let started = choose(rows.to_vec(), ROLE, (taken, 2));
            let step = started.step.as_ref();
            let found = step.map(|(edge, caller)| (caller.party.actor.as_deref().unwrap(), edge.confidence));
            assert_eq!(found, chosen);
            assert_eq!(started.others.iter().map(|other| other.id.as_str()).collect::<Vec<_>>(), others);
        };
        let (mio, ken) =
            (call("mio", "UpdateStack", Some(ROLE), 40), call("ken", "CreateStack", Some(ROLE), 30));
        check(std::slice::from_ref(&mio), Some(("mio", Confidence::Medium)), &[]);
        check(&[mio.clone(), ken.clone()], Some(("mio", Confidence::Low)), &["ken"]);
        check(
            &[mio.clone(), call("ken", "CreateStack", Some(ROLE), 20)],
            Some(("mio", Confidence::Medium)),
            &[],
        );
        check(&[mio.clone(), mio], Some(("mio", Confidence::Medium)), &[]);
        check(&[call("ken", "UpdateStack", Some("arn:aws:iam::111122223333:role/other"), 40)], None, &[]);
        check(&[call("ken", "UpdateStack", None, 40), call("mio", "CreateStack", None, 41)], None, &["ken"]);
        let mut of_set = call("mio", "UpdateStackSet", None, 40);
        of_set.request = Some(format!(r#"{{"administrationRoleARN":"{ROLE}"}}"#));
        check(&[of_set], Some(("mio", Confidence::Medium)), &[]);
        check(&[], None, &[]);
    }
}
