//! The call or change behind a finding, a resource, an event.
//!
//! Takes what the subject says and asks the lake for the changes of the resource or the calls and flows the finding speaks
//! of; `rank` chooses.

use std::collections::BTreeSet;
use std::time::Duration;

use super::answer::{Candidate, Cause, CauseKind, Confidence, Flow, Line};
use super::around::{logs_begin, logs_end};
use super::ask::Desk;
use super::control::{Call, Control, Scope, control, control_of_title};
use super::moment::Moment;
use super::rank::{Chosen, Ranked, Wanted, excerpt, rank};
use super::rows::{EventRow, FindingRow, TouchRow};
use super::state;
use super::undo::takes_back;

/// How many days of changes are read in full: the newest before it was noticed.
const DAYS_READ_MAX: usize = 12;

/// How far around a finding's times its calls are looked for.
const AROUND: Duration = Duration::from_mins(10);

/// The first moment there is to ask from.
const EVER: &str = "1970-01-01T00:00:00Z";

/// What was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) cause: Option<Cause>,
    /// The event of the cause, for its caller.
    pub(super) row: Option<EventRow>,
    pub(super) cannot_tell: Option<String>,
    /// What was considered where nothing could be told.
    pub(super) considered: Vec<Candidate>,
}

/// What a change is looked for by.
#[derive(Debug, Clone, Default)]
pub(super) struct Target {
    pub(super) resources: Vec<String>,
    pub(super) account: Option<String>,
    pub(super) control: Option<&'static Control>,
    pub(super) grantee: Option<String>,
    pub(super) noticed: Option<Moment>,
    pub(super) well: Option<Moment>,
}

impl Target {
    /// Objects of S3 among the resources, as bucket and key.
    fn objects(&self) -> Vec<(&str, &str)> {
        self.resources.iter().filter_map(|id| object(id)).collect()
    }
}

/// Finds the cause of a finding.
pub(super) async fn of_finding(desk: &Desk<'_>, finding: &FindingRow, states: &[FindingRow]) -> Found {
    let spoken = spoken_of(desk, finding).await;
    if spoken.cause.is_some() {
        return spoken;
    }
    let control = control_of(finding);
    let is_posture = control.is_some() || finding.compliance.is_some() || is_access(finding);
    if !is_posture {
        if spoken.cannot_tell.is_some() {
            return spoken;
        }
        let why = "the finding speaks of no call and no change of a setting".to_owned();
        return Found { cannot_tell: Some(why), ..Found::default() };
    }
    let (noticed, well) = onset(finding, states);
    let target = Target {
        resources: resources(finding),
        account: finding.accountid.clone(),
        control,
        grantee: finding.evidence_texts("actor.user.uid").into_iter().next().filter(|_| is_access(finding)),
        noticed,
        well,
    };
    of_resource(desk, &target).await
}

/// What the finding is about. Of an object not its bucket: whoever touches another object names that too.
fn resources(finding: &FindingRow) -> Vec<String> {
    let (objects, others): (Vec<_>, Vec<_>) =
        finding.resource_ids().into_iter().partition(|id| object(id).is_some());
    if objects.is_empty() { others } else { objects }
}

/// The bucket and the key of an object of S3, by its ARN.
fn object(id: &str) -> Option<(&str, &str)> {
    id.strip_prefix("arn:")?.split_once(":s3:::")?.1.split_once('/')
}

fn is_access(finding: &FindingRow) -> bool {
    finding.product.as_deref().is_some_and(|product| product.contains("Access Analyzer"))
}

/// Finds the control by whichever name a finding has for it.
pub(super) fn control_of(finding: &FindingRow) -> Option<&'static Control> {
    let types = finding.types.iter().flatten().map(String::as_str);
    let named = finding.control.as_deref().into_iter().chain(finding.rule.as_deref()).chain(types);
    let by_name = named.filter_map(control).next();
    by_name.or_else(|| control_of_title(finding.title.as_deref().unwrap_or_default())).or_else(|| {
        finding.resource_types().iter().find_map(|kind| control(kind)).filter(|_| is_access(finding))
    })
}

/// Says when a finding was noticed, and when before that it was last known to be well.
fn onset(finding: &FindingRow, states: &[FindingRow]) -> (Option<Moment>, Option<Moment>) {
    let fallback = finding.first_seen.or(finding.created).or(finding.time);
    of_states(states).map_or((fallback, None), |(noticed, well)| (Some(noticed), well))
}

/// The first failed state after the last passed one.
fn of_states(states: &[FindingRow]) -> Option<(Moment, Option<Moment>)> {
    let is_well = |state: &FindingRow| state.compliance.as_deref() == Some("PASSED");
    // Of a finding that is well again, the failure before that.
    let failed = states.iter().rposition(|state| !is_well(state))?;
    let states = states.get(..=failed)?;
    let (well, from) = match states.iter().rposition(is_well) {
        Some(last) => (states.get(last).and_then(|state| state.time), last + 1),
        None => (None, 0),
    };
    let first = states.get(from)?;
    // Without a state before it, what the finding says of its beginning is nearer.
    let noticed = if well.is_some() { first.time } else { first.first_seen.or(first.created).or(first.time) };
    Some((noticed?, well))
}

/// Finds the change of a resource that brought a state about.
pub(super) async fn of_resource(desk: &Desk<'_>, target: &Target) -> Found {
    let until = target.noticed.map_or(Moment(jiff::Timestamp::MAX), |at| at.plus(Duration::from_hours(24)));
    let rows = changes(desk, target, until).await;
    let wanted = Wanted {
        control: target.control,
        grantee: target.grantee.as_deref(),
        noticed: target.noticed,
        well: target.well,
    };
    match rank(&rows, &wanted) {
        Ranked::Chosen(chosen) => {
            let row = chosen.row.clone();
            let mut cause = cause(*chosen, target);
            // What Config recorded is the state itself; an earlier call only asked for one.
            let account = target.account.as_deref().or(row.accountid.as_deref());
            if let Some(time) = row.time
                && let Some(recorded) = state::recorded(desk, (account, &target.resources), time).await
            {
                (cause.before, cause.after) = (Some(recorded.before), Some(recorded.after));
            }
            Found { cause: Some(cause), row: Some(row), ..Found::default() }
        }
        Ranked::CannotTell { why, considered } => {
            let is_object = !target.objects().is_empty();
            let of_object = "of the calls on its bucket that were read none put the object: data events are not logged, or many";
            let why = if is_object { of_object.to_owned() } else { why };
            let why = format!("{why}; {}", since(desk, target).await);
            Found { cannot_tell: Some(why), considered, ..Found::default() }
        }
    }
}

/// Says from when on the account's logs are there.
async fn since(desk: &Desk<'_>, target: &Target) -> String {
    let Some(account) = target.account.as_deref() else {
        return "the subject names no account".to_owned();
    };
    let (first, last) = futures::join!(logs_begin(desk, account), logs_end(desk, account));
    match first.zip(last) {
        None => format!("the lake has no CloudTrail of the account {account}"),
        Some((first, last)) => {
            let late = target.noticed.filter(|noticed| *noticed > last.plus(Duration::from_hours(1)));
            let late = late.map(|_| " and end before it was noticed").unwrap_or_default();
            format!(
                "the account's logs begin at {first}{late}: it was changed before, or by a call that does not name it"
            )
        }
    }
}

fn cause(chosen: Chosen, target: &Target) -> Cause {
    let mut line = chosen.row.line();
    line.resource =
        target.resources.iter().find(|id| id.starts_with("arn:")).or(target.resources.first()).cloned();
    let request = chosen.row.request.as_deref().and_then(excerpt);
    let before = chosen.before.as_ref().map(|row| {
        let request = row.request.as_deref().and_then(excerpt).unwrap_or_default();
        let at = row.time.map(Moment::plain).unwrap_or_default();
        format!("{} at {at}: {request}", row.operation.as_deref().unwrap_or_default())
    });
    Cause {
        kind: CauseKind::Change,
        line,
        actor: chosen.row.actor,
        after: request.clone(),
        request,
        before,
        why: chosen.why,
        confidence: chosen.confidence,
        runners_up: chosen.runners_up,
    }
}

/// The changes of the target in full, found in the table of touches.
async fn changes(desk: &Desk<'_>, target: &Target, until: Moment) -> Vec<EventRow> {
    let until = until.to_string();
    let mut touches: Vec<TouchRow> = Vec::new();
    for resource in target.resources.iter().take(6) {
        let values =
            [("resource", resource.as_str()), ("window_start", EVER), ("window_end", until.as_str())];
        touches.extend(desk.ask::<TouchRow>("resource_changes", &values).await);
    }
    touches.extend(account_wide(desk, target, &until).await);
    touches.retain(|touch| touch.error.is_none());
    // What can neither be a cause nor take one back is read only when there is nothing else.
    let is_known = |touch: &TouchRow| {
        let operation = touch.operation.as_deref().unwrap_or_default();
        target.control.is_none_or(|control| {
            let named = |call: &Call| call.operation == operation;
            let undoes = |call: &Call| takes_back(call.operation).any(|by| by == operation);
            control.calls.iter().any(|call| named(call) || undoes(call))
        })
    };
    touches.sort_by_key(|touch| std::cmp::Reverse((is_known(touch), touch.last_seen)));
    let mut rows = read(desk, touches).await;
    // Touches are of buckets: their objects are too many.
    let objects = target.objects();
    rows.retain(|row| objects.is_empty() || objects.iter().any(|object| is_of_object(row, *object)));
    rows
}

/// Says whether a call was on an object.
fn is_of_object(row: &EventRow, (bucket, key): (&str, &str)) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Request<'a> {
        #[serde(borrow)]
        bucket_name: std::borrow::Cow<'a, str>,
        #[serde(borrow)]
        key: std::borrow::Cow<'a, str>,
    }
    let request = row.request.as_deref().and_then(|text| serde_json::from_str::<Request<'_>>(text).ok());
    request.is_some_and(|request| request.bucket_name == bucket && request.key == key)
}

async fn account_wide(desk: &Desk<'_>, target: &Target, until: &str) -> Vec<TouchRow> {
    let (Some(control), Some(account)) = (target.control, target.account.as_deref()) else {
        return Vec::new();
    };
    let calls = control.calls.iter().filter(|call| call.scope == Scope::Account);
    let calls = calls.flat_map(|call| std::iter::once(call.operation).chain(takes_back(call.operation)));
    let operations = calls.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(",");
    if operations.is_empty() {
        return Vec::new();
    }
    let values = [
        ("account", account),
        ("operations", operations.as_str()),
        ("window_start", EVER),
        ("window_end", until),
    ];
    desk.ask("account_changes", &values).await
}

/// Reads the events behind touches: by their ids, or by the name of the call where a day has more than it has ids of.
async fn read(desk: &Desk<'_>, touches: Vec<TouchRow>) -> Vec<EventRow> {
    let asked = touches.into_iter().take(DAYS_READ_MAX).map(|touch| async move {
        let (Some(account), Some(first), Some(last)) = (&touch.accountid, touch.first_seen, touch.last_seen)
        else {
            return Vec::new();
        };
        let ids = touch.event_ids.clone().unwrap_or_default();
        let is_whole = i64::try_from(ids.len()).is_ok_and(|count| count >= touch.events);
        let ids = ids.join(",");
        let (from, to) = (first.to_string(), last.plus(Duration::from_secs(1)).to_string());
        let operation = touch.operation.as_deref().unwrap_or_default();
        let values = [
            ("account", account.as_str()),
            ("event_ids", &ids),
            ("operation", operation),
            ("window_start", &from),
            ("window_end", &to),
        ];
        let question = if is_whole { "events_between" } else { "matching_calls" };
        let mut rows = desk.ask::<EventRow>(question, &values).await;
        if let (false, Some(resource)) = (is_whole, &touch.resource) {
            rows.retain(|row| names(row, resource));
        }
        rows
    });
    let mut rows: Vec<EventRow> = futures::future::join_all(asked).await.into_iter().flatten().collect();
    rows.sort_by(|one, other| (one.time, &one.event_id).cmp(&(other.time, &other.event_id)));
    rows.dedup_by(|one, other| one.event_id.is_some() && one.event_id == other.event_id);
    rows
}

/// Says whether an event names a resource, whichever part of its id it uses.
fn names(row: &EventRow, resource: &str) -> bool {
    let name = resource.rsplit([':', '/']).next().unwrap_or(resource);
    [&row.request, &row.response].into_iter().flatten().any(|text| text.contains(name))
}

/// Finds the calls that a finding speaks of.
async fn spoken_of(desk: &Desk<'_>, finding: &FindingRow) -> Found {
    let operation = finding.evidence_texts("api.operation").into_iter().next();
    let key = finding.evidence_texts("actor.user.credential_uid").into_iter().next();
    let ip = finding.evidence_texts("src_endpoint.ip").into_iter().next();
    let Some(operation) = operation.filter(|_| key.is_some() || ip.is_some()) else {
        return Found::default();
    };
    let Some((account, first)) =
        finding.accountid.as_deref().zip(finding.first_seen.or(finding.created).or(finding.time))
    else {
        return Found::default();
    };
    let last = finding.last_seen.or(finding.time).unwrap_or(first).max(first);
    let (key, ip) = (key.unwrap_or_default(), ip.unwrap_or_default());
    // What the finding says is looked for whole, then with less of it, then in a longer time.
    let tries = [
        (operation.as_str(), key.as_str(), ip.as_str(), AROUND, Confidence::High),
        (operation.as_str(), key.as_str(), ip.as_str(), Duration::from_hours(6), Confidence::High),
        (operation.as_str(), key.as_str(), "", AROUND, Confidence::Medium),
        (operation.as_str(), "", ip.as_str(), AROUND, Confidence::Medium),
    ];
    for (operation, key, ip, around, confidence) in tries {
        if key.is_empty() && ip.is_empty() {
            continue;
        }
        let (from, to) = (first.minus(around).to_string(), last.plus(around).to_string());
        let values = [
            ("account", account),
            ("operation", operation),
            ("key", key),
            ("ip", ip),
            ("window_start", from.as_str()),
            ("window_end", to.as_str()),
        ];
        let rows: Vec<EventRow> = desk.ask("matching_calls", &values).await;
        if let Some(found) = call(&rows, confidence, first) {
            return found;
        }
    }
    let why = format!(
        "the finding speaks of {operation} about {first}, and no such call of this key or address is in the lake"
    );
    Found { cannot_tell: Some(why), ..Found::default() }
}

/// The call nearest to when it was first seen; one that succeeded before one that did not.
fn call(rows: &[EventRow], confidence: Confidence, first: Moment) -> Option<Found> {
    let nearest = rows
        .iter()
        .min_by_key(|row| (row.error.is_some(), row.time.map_or(u64::MAX, |time| time.distance_ms(first))))?;
    let mut line = nearest.line();
    line.count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    line.last = rows.iter().filter_map(|row| row.time).max();
    line.resource = nearest.request.as_deref().and_then(super::lines::resource_of);
    let request = nearest.request.as_deref().and_then(excerpt);
    let operation = nearest.operation.as_deref().unwrap_or_default();
    let cause = Cause {
        kind: CauseKind::Call,
        actor: nearest.actor.clone(),
        before: None,
        after: request.clone().filter(|_| nearest.is_read != Some(true)),
        request,
        why: format!("the finding speaks of {operation}; of {} such calls this is the nearest", rows.len()),
        confidence,
        runners_up: Vec::new(),
        line,
    };
    Some(Found { cause: Some(cause), row: Some(nearest.clone()), ..Found::default() })
}

/// The cause of an event is the event.
pub(super) fn of_event(row: &EventRow) -> Found {
    let request = row.request.as_deref().and_then(excerpt);
    let mut line = row.line();
    line.resource = row.request.as_deref().and_then(super::lines::resource_of);
    let cause = Cause {
        kind: CauseKind::Event,
        line,
        actor: row.actor.clone(),
        before: None,
        after: request.clone().filter(|_| row.is_read != Some(true)),
        request,
        why: "it is the event that was asked about".to_owned(),
        confidence: Confidence::High,
        runners_up: Vec::new(),
    };
    Found { cause: Some(cause), row: Some(row.clone()), ..Found::default() }
}

/// The flow that a finding speaks of, where it speaks of the network.
pub(super) fn of_flows(finding: &FindingRow, flows: &[Flow]) -> Option<Cause> {
    let mut ips = finding.evidence_texts("src_endpoint.ip");
    ips.extend(finding.evidence_texts("dst_endpoint.ip"));
    let has = |ip: &Option<String>| ip.as_ref().is_some_and(|ip| ips.contains(ip));
    // Both ends before one, what began the talk before what answered.
    let resources = finding.resource_uids();
    let is_of_it = |flow: &&Flow| {
        flow.instance.as_ref().is_some_and(|id| resources.iter().any(|uid| uid.ends_with(id.as_str())))
    };
    // Where both ends are named, a flow of one of them is another's, unless it is the instance's own.
    let is_one_enough = |flow: &&Flow| ips.len() < 2 || is_of_it(flow);
    let matching = flows.iter().filter(|flow| match (has(&flow.src_ip), has(&flow.dst_ip)) {
        (true, true) => true,
        (false, false) => false,
        _ => is_one_enough(flow),
    });
    let flow = matching.min_by_key(|flow| {
        (
            !(has(&flow.src_ip) && has(&flow.dst_ip)),
            flow.action.as_deref() == Some("Denied"),
            flow.first_seen,
            !has(&flow.src_ip),
        )
    })?;
    let is_whole = has(&flow.src_ip) && has(&flow.dst_ip);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let remark = format!(
        "{} to {}{}: {} flows, {} bytes, {}",
        text(&flow.src_ip),
        text(&flow.dst_ip),
        flow.port.map(|port| format!(" port {port}")).unwrap_or_default(),
        flow.flows,
        flow.bytes,
        text(&flow.action)
    );
    let line = Line {
        time: flow.first_seen,
        last: flow.last_seen,
        count: flow.flows,
        account: flow.account.clone(),
        source: flow.src_ip.clone(),
        resource: flow.instance.clone().or_else(|| flow.interface.clone()),
        remark: Some(remark),
        ..Line::default()
    };
    Some(Cause {
        kind: CauseKind::Flow,
        line,
        actor: flow.instance.clone(),
        request: None,
        before: None,
        after: None,
        why: if is_whole {
            "the finding speaks of these ends, and the flow logs have a flow between them".to_owned()
        } else {
            "the finding speaks of one of these ends, and the flow logs have a flow of it".to_owned()
        },
        confidence: if is_whole { Confidence::High } else { Confidence::Medium },
        runners_up: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(hour: u32, compliance: &str) -> FindingRow {
        FindingRow {
            time: Moment::read(&format!("2026-02-04T{hour:02}:00:00Z")),
            first_seen: Moment::read("2026-01-01T00:00:00Z"),
            compliance: Some(compliance.to_owned()),
            ..FindingRow::default()
        }
    }

    #[test]
    fn a_finding_begins_with_the_first_failure_after_it_was_well() {
        let at = |hour: u32| Moment::read(&format!("2026-02-04T{hour:02}:00:00Z"));
        let check = |states: &[FindingRow], expected: Option<(Option<Moment>, Option<Moment>)>| {
            assert_eq!(of_states(states).map(|(noticed, well)| (Some(noticed), well)), expected);
        };
        check(
            &[state(1, "FAILED"), state(2, "PASSED"), state(3, "FAILED"), state(4, "FAILED")],
            Some((at(3), at(2))),
        );
        check(&[state(3, "FAILED")], Some((Moment::read("2026-01-01"), None)));
        check(&[state(2, "PASSED"), state(3, "FAILED"), state(4, "PASSED")], Some((at(3), at(2))));
        check(&[state(4, "PASSED")], None);
        check(&[], None);
    }
}
