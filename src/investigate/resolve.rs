//! What in the lake a subject is.
//!
//! Takes what was typed and gives what it is, what the lake has of it, and the time to look at. Promises
//! that a window says what it was taken from, and that a subject the lake knows nothing of is answered too.

use std::time::Duration;

use super::answer::{Flow, Subject, SubjectKind, Window};
use super::ask::Desk;
use super::moment::Moment;
use super::root::named;
use super::rows::{EventRow, FindingRow, FlowRow, LifeRow, NamedRow, TouchRow};
use super::{Inquiry, LATEST, subject};

/// How far around a finding or an event is looked.
const AROUND: Duration = Duration::from_hours(24);

/// How much of a long life is looked at.
const LIFE_DAYS_MAX: u64 = 90;

/// The first moment there is to ask from.
const EVER: &str = "1970-01-01T00:00:00Z";

/// The moment after the last: nanoseconds in 64 bits end here.
const FOREVER: &str = "2262-01-01T00:00:00Z";

/// A subject, and what the lake has of it.
#[derive(Debug, Clone)]
pub(super) struct Focus {
    pub(super) subject: Subject,
    pub(super) window: Window,
    pub(super) finding: Option<FindingRow>,
    /// All states of the finding, the oldest first.
    pub(super) states: Vec<FindingRow>,
    pub(super) event: Option<EventRow>,
    pub(super) life: Vec<LifeRow>,
    /// Nothing in the lake has this name.
    pub(super) is_unknown: bool,
}

/// Finds what a subject is.
pub(super) async fn resolve(desk: &Desk<'_>, inquiry: &Inquiry) -> Focus {
    let kinds = inquiry.kind.map_or_else(|| subject::kinds(&inquiry.subject), |kind| vec![kind]);
    let mut first = None;
    for kind in kinds {
        let focus = as_kind(desk, inquiry, kind).await;
        if !focus.is_unknown {
            return focus;
        }
        first.get_or_insert(focus);
    }
    first.unwrap_or_else(|| nothing(inquiry, SubjectKind::Resource))
}

async fn as_kind(desk: &Desk<'_>, inquiry: &Inquiry, kind: SubjectKind) -> Focus {
    match kind {
        SubjectKind::Finding => finding(desk, inquiry).await,
        SubjectKind::Event => event(desk, inquiry).await,
        SubjectKind::Key => life(desk, inquiry, (kind, "key_life", "key"), &inquiry.subject).await,
        SubjectKind::Ip => life(desk, inquiry, (kind, "address_life", "ip"), &inquiry.subject).await,
        SubjectKind::Session => life(desk, inquiry, (kind, "session_life", "actor"), &inquiry.subject).await,
        SubjectKind::Principal => principal(desk, inquiry).await,
        SubjectKind::Resource => resource(desk, inquiry).await,
    }
}

fn nothing(inquiry: &Inquiry, kind: SubjectKind) -> Focus {
    let given = inquiry.subject.clone();
    let subject = Subject { kind, id: given.clone(), account: account_of(&given), given };
    let window = given_window(
        inquiry,
        (inquiry.now.minus(AROUND), inquiry.now),
        "the last 24 hours: the lake knows nothing of the subject",
    );
    Focus {
        subject,
        window,
        finding: None,
        states: Vec::new(),
        event: None,
        life: Vec::new(),
        is_unknown: true,
    }
}

/// The window that was given, or another for the ends that were not.
fn given_window(inquiry: &Inquiry, (from, to): (Moment, Moment), basis: &str) -> Window {
    let basis = match (inquiry.from, inquiry.to) {
        (Some(_), Some(_)) => "given".to_owned(),
        (None, None) => basis.to_owned(),
        _ => format!("one end given, the other: {basis}"),
    };
    let (from, to) = (inquiry.from.unwrap_or(from), inquiry.to.unwrap_or(to));
    Window { from: from.min(to), to: to.max(from), basis }
}

fn account_of(text: &str) -> Option<String> {
    let account = text.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(3));
    account.filter(|account| account.len() == 12).map(str::to_owned).or_else(|| subject::account_of_key(text))
}

async fn finding(desk: &Desk<'_>, inquiry: &Inquiry) -> Focus {
    let mut focus = nothing(inquiry, SubjectKind::Finding);
    let Some((mut row, states)) = finding_row(desk, inquiry).await else { return focus };
    focus.is_unknown = false;
    row.fill_from(&states);
    focus.states = states;
    focus.subject.id = row.uid.clone().unwrap_or_default();
    focus.subject.account = row.accountid.clone();
    let first = row.first_seen.or(row.created).or(row.time);
    let last = row.last_seen.max(row.time).or(first);
    if let (Some(first), Some(last)) = (first, last) {
        let basis = "24 hours before the finding was first seen to 24 hours after it was last";
        focus.window = given_window(inquiry, (first.minus(AROUND), last.plus(AROUND)), basis);
    }
    focus.finding = Some(row);
    focus
}

/// The finding as it is now, and the states it had: by its uid, by the end of that, or the latest.
async fn finding_row(desk: &Desk<'_>, inquiry: &Inquiry) -> Option<(FindingRow, Vec<FindingRow>)> {
    let of = async |uid: &str| {
        let values = [("finding", uid)];
        let (rows, states) = futures::join!(
            desk.ask::<FindingRow>("finding", &values),
            desk.ask::<FindingRow>("finding_onset", &values),
        );
        Some((rows.into_iter().next()?, states))
    };
    let given = inquiry.subject.as_str();
    let named: Vec<FindingRow> = if given == LATEST {
        latest(desk, inquiry).await
    } else {
        if let Some(found) = of(given).await {
            return Some(found);
        }
        desk.ask("findings_named", &[("name", given)]).await
    };
    let uid = named.into_iter().find_map(|row| row.uid)?;
    of(&uid).await
}

/// The newest finding that is open: of the last week, or else of three months, or else of all. It is seldom old, and the
/// states of years need not be read to see that.
async fn latest(desk: &Desk<'_>, inquiry: &Inquiry) -> Vec<FindingRow> {
    const DAYS: [u64; 2] = [7, 90];
    let (from, to) = asked_times(inquiry);
    let severity = inquiry.severity_id.to_string();
    let until = inquiry.to.map_or(inquiry.now, |to| to.min(inquiry.now));
    let since = DAYS.map(|days| until.minus(Duration::from_hours(24 * days)));
    let later = since.into_iter().filter(|since| inquiry.from.is_none_or(|from| from < *since));
    for from in later.map(|since| since.to_string()).chain([from]) {
        let values = [("severity_id", severity.as_str()), ("window_start", &from), ("window_end", &to)];
        let found: Vec<FindingRow> = desk.ask("latest_finding", &values).await;
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

async fn event(desk: &Desk<'_>, inquiry: &Inquiry) -> Focus {
    let rows = events_of_id(desk, inquiry).await;
    let mut focus = nothing(inquiry, SubjectKind::Event);
    // Of both accounts' records of one call the one that names the caller.
    let Some(row) = rows
        .into_iter()
        .max_by_key(|row| (row.identity.as_deref() != Some("AWSAccount"), row.credential.is_some()))
    else {
        return focus;
    };
    focus.is_unknown = false;
    focus.subject.account = row.accountid.clone();
    if let Some(time) = row.time {
        focus.window =
            given_window(inquiry, (time.minus(AROUND), time.plus(AROUND)), "24 hours around the event");
    }
    focus.event = Some(row);
    focus
}

/// Days that are looked through for an event id, the last ones first: an id says nothing of its time, and what has it
/// is asked of the files themselves.
const LAST_DAYS: [u64; 3] = [2, 14, 90];

async fn events_of_id(desk: &Desk<'_>, inquiry: &Inquiry) -> Vec<EventRow> {
    let id = inquiry.subject.as_str();
    let of = async |account: &str, from: &str, to: &str| -> Vec<EventRow> {
        let times = [("window_start", from), ("window_end", to)];
        let values: Vec<_> = [("event_id", id), ("account", account)].into_iter().chain(times).collect();
        desk.ask("event", &values).await
    };
    let touches: Vec<TouchRow> = desk.ask("touches_of_event", &[("event_id", id)]).await;
    for touch in &touches {
        if let (Some(account), Some(first), Some(last)) =
            (&touch.accountid, touch.first_seen, touch.last_seen)
        {
            let to = last.plus(Duration::from_secs(1)).to_string();
            let rows = of(account, &first.to_string(), &to).await;
            if !rows.is_empty() {
                return rows;
            }
        }
    }
    let (from, mut to) = asked_times(inquiry);
    let steps = LAST_DAYS.map(|days| inquiry.now.minus(Duration::from_hours(24 * days)).to_string());
    let given = inquiry.from.is_some() || inquiry.to.is_some();
    for step in steps.into_iter().filter(|_| !given).chain([from]) {
        let rows = of("", &step, &to).await;
        if !rows.is_empty() {
            return rows;
        }
        to = step;
    }
    Vec::new()
}

fn asked_times(inquiry: &Inquiry) -> (String, String) {
    let from = inquiry.from.map_or_else(|| EVER.to_owned(), |from| from.to_string());
    // What is stamped in the future is looked at too.
    let to = inquiry.to.unwrap_or_else(|| inquiry.now.plus(Duration::from_hours(24 * 366)));
    (from, to.to_string())
}

async fn life(
    desk: &Desk<'_>,
    inquiry: &Inquiry,
    (kind, question, param): (SubjectKind, &str, &str),
    id: &str,
) -> Focus {
    let (from, to) = asked_times(inquiry);
    let values = [(param, id), ("window_start", from.as_str()), ("window_end", to.as_str())];
    let rows: Vec<LifeRow> = desk.ask(question, &values).await;
    let mut focus = nothing(inquiry, kind);
    id.clone_into(&mut focus.subject.id);
    let first = rows.iter().filter_map(|row| row.first_seen).min();
    let last = rows.iter().filter_map(|row| row.last_seen).max();
    let (Some(first), Some(last)) = (first, last) else { return focus };
    focus.is_unknown = false;
    let capped = last.minus(Duration::from_hours(LIFE_DAYS_MAX * 24)).max(first);
    let basis = if capped > first {
        "the last 90 days of its life in the lake"
    } else {
        "its whole life in the lake"
    };
    focus.window = given_window(inquiry, (capped, last.plus(Duration::from_secs(1))), basis);
    if kind != SubjectKind::Ip {
        // What the logs say of it goes before what a key's id encodes.
        let of_principal = rows.iter().find_map(|row| account_of(row.principal.as_deref()?));
        let of_calls = || rows.iter().find_map(|row| row.accountid.clone());
        focus.subject.account = of_principal.or(focus.subject.account.take()).or_else(of_calls);
    }
    focus.life = rows;
    focus
}

async fn principal(desk: &Desk<'_>, inquiry: &Inquiry) -> Focus {
    let given = inquiry.subject.as_str();
    let kind = SubjectKind::Principal;
    // Footprints name roles and users without IAM's path.
    let bare = named(given).filter(|named| ["user", "role"].contains(&named.kind)).and_then(|named| {
        let (head, _) = given.split_once(&format!(":{}/", named.kind))?;
        Some(format!("{head}:{}/{}", named.kind, named.name))
    });
    for id in [Some(given.to_owned()), bare.filter(|bare| bare != given)].into_iter().flatten() {
        let focus = life(desk, inquiry, (kind, "principal_life", "principal"), &id).await;
        if !focus.is_unknown {
            return focus;
        }
    }
    let name = given.rsplit('/').next().unwrap_or(given);
    let rows: Vec<NamedRow> = desk.ask("principals_named", &[("name", name)]).await;
    match rows.into_iter().find_map(|row| row.principal) {
        Some(id)
            if !given.starts_with("arn:")
                || id.starts_with("arn:") && account_of(&id) == account_of(given) =>
        {
            life(desk, inquiry, (kind, "principal_life", "principal"), &id).await
        }
        _ => nothing(inquiry, kind),
    }
}

async fn resource(desk: &Desk<'_>, inquiry: &Inquiry) -> Focus {
    let given = inquiry.subject.as_str();
    let mut focus = nothing(inquiry, SubjectKind::Resource);
    let (from, to) = asked_times(inquiry);
    let basis = "24 hours around its last change";
    let values = [("resource", given), ("window_start", from.as_str()), ("window_end", to.as_str())];
    let rows: Vec<TouchRow> = desk.ask("resource_changes", &values).await;
    if let Some(row) = rows.into_iter().next() {
        focus.is_unknown = false;
        focus.subject.id = row.resource.unwrap_or_default();
        focus.subject.account = row.accountid.or(focus.subject.account);
        if let Some(last) = row.last_seen {
            focus.window = given_window(inquiry, (last.minus(AROUND), last.plus(AROUND)), basis);
        }
        return focus;
    }
    if let Some(seen) = seen_in_flows(desk, given).await {
        focus.is_unknown = false;
        focus.subject.id = given.rsplit('/').next().unwrap_or(given).to_owned();
        focus.subject.account = seen.account.or(focus.subject.account);
        if let (Some(first), Some(last)) = (seen.first_seen, seen.last_seen) {
            let from = last.minus(Duration::from_hours(LIFE_DAYS_MAX * 24)).max(first);
            focus.window =
                given_window(inquiry, (from, last), "the time its flows are in the lake, of 90 days at most");
        }
        return focus;
    }
    if !given.starts_with("arn:") {
        let rows: Vec<NamedRow> = desk.ask("resources_named", &[("name", given)]).await;
        if let Some((id, account)) = rows.into_iter().find_map(|row| Some((row.resource?, row.accountid))) {
            focus.is_unknown = false;
            focus.subject.id = id;
            focus.subject.account = account.or(focus.subject.account);
        }
    }
    focus
}

/// Instances and interfaces can have flows although no call of the lake names them.
async fn seen_in_flows(desk: &Desk<'_>, given: &str) -> Option<Flow> {
    let id = given.rsplit('/').next().unwrap_or(given);
    if !id.starts_with("i-") && !id.starts_with("eni-") {
        return None;
    }
    let values = [("instance", id), ("window_start", EVER), ("window_end", FOREVER)];
    let rows: Vec<FlowRow> = desk.ask("flows_of_instance", &values).await;
    let flows: Vec<Flow> = rows.into_iter().map(Flow::from).collect();
    let first_seen = flows.iter().filter_map(|flow| flow.first_seen).min();
    let last_seen = flows.iter().filter_map(|flow| flow.last_seen).max();
    flows.into_iter().next().map(|flow| Flow { first_seen, last_seen, ..flow })
}
