//! Which of the changes of a resource is the cause.
//!
//! Takes the changes there are, what is looked for, and when it was noticed, and chooses. Pure. Promises:
//! - what the request shows goes before what stands near in time;
//! - a change after it was noticed is no cause, nor is one that was taken back before;
//! - where nothing in the logs brings the state about, nothing is chosen, and the reason is given.

use std::cmp::Reverse;
use std::time::Duration;

use serde_json::Value;

use super::answer::{Candidate, Confidence};
use super::control::Control;
use super::moment::Moment;
use super::rows::EventRow;
use super::sign::{Asked, Sign, Verdict};
use super::undo::undoes;

/// How many runners-up are told.
const RUNNERS_UP_MAX: usize = 5;

/// Clocks of services differ a little.
const SLACK: Duration = Duration::from_mins(1);

/// Services notice with a delay: what was taken back so shortly before can be what they saw.
const NOTICE_DELAY: Duration = Duration::from_mins(30);

/// Two people who change one thing within this time are told apart by what they asked for alone.
const TOGETHER_MS: u64 = 10 * 60 * 1000;

/// How much of a request is shown.
const EXCERPT_CHARS_MAX: usize = 800;

/// Members of requests that say nothing of what is changed.
const NOISE: [&str; 8] = [
    "Host",
    "x-amz-date",
    "X-Amz-Security-Token",
    "dryRun",
    "clientToken",
    "clientRequestToken",
    "DryRun",
    "accept",
];

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted<'a> {
    /// The control, where it is known.
    pub(super) control: Option<&'a Control>,
    /// Whom the finding names.
    pub(super) grantee: Option<&'a str>,
    /// When it was noticed.
    pub(super) noticed: Option<Moment>,
    /// When it was last known to be well.
    pub(super) well: Option<Moment>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(super) enum Ranked {
    /// One is the cause.
    Chosen(Box<Chosen>),
    /// None can be told to be.
    CannotTell {
        /// Why.
        why: String,
        /// What was considered.
        considered: Vec<Candidate>,
    },
}

/// The cause.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) row: EventRow,
    pub(super) why: String,
    pub(super) confidence: Confidence,
    pub(super) runners_up: Vec<Candidate>,
    /// The same call on it before.
    pub(super) before: Option<EventRow>,
}

struct Judged<'r> {
    row: &'r EventRow,
    verdict: Verdict,
    is_known: bool,
    in_time: bool,
    since_well: bool,
    /// How its request shows it, where the call is known.
    sign: Option<Sign>,
    /// What took it back before it was noticed.
    undone_by: Option<&'r EventRow>,
}

/// Chooses the cause.
pub(super) fn rank(rows: &[EventRow], wanted: &Wanted<'_>) -> Ranked {
    let mut judged: Vec<Judged<'_>> =
        rows.iter().filter(|row| row.error.is_none()).map(|row| judge(row, wanted)).collect();
    let undone: Vec<_> = judged.iter().map(|one| undone_by(one, &judged, wanted.noticed)).collect();
    judged.iter_mut().zip(undone).for_each(|(one, by)| one.undone_by = by);
    judged.sort_by_key(|one| {
        Reverse((one.in_time, one.undone_by.is_none(), one.verdict, one.since_well, one.row.time))
    });
    let can_be = |one: &Judged<'_>| {
        one.in_time
            && one.undone_by.is_none()
            && (one.verdict == Verdict::Shows || (one.verdict == Verdict::Silent && one.is_known))
    };
    let unknown = wanted.control.is_none();
    let first = judged.first().filter(|one| can_be(one) || (unknown && one.in_time));
    let Some(first) = first else {
        return Ranked::CannotTell { why: nothing(&judged), considered: candidates(&judged, None) };
    };
    let rivals: Vec<&Judged<'_>> = judged
        .iter()
        .skip(1)
        .filter(|one| one.in_time && one.undone_by.is_none() && one.verdict == first.verdict)
        .filter(|one| is_another(one.row, first.row))
        .collect();
    let is_close = rivals.iter().any(|rival| {
        matches!((rival.row.time, first.row.time), (Some(a), Some(b)) if a.distance_ms(b) <= TOGETHER_MS)
    });
    let confidence = match (first.verdict, first.is_known) {
        // Nothing in particular is looked for: the last change is the last change.
        _ if unknown && wanted.noticed.is_none() => Confidence::High,
        (Verdict::Shows, true) if is_close => Confidence::Medium,
        (Verdict::Shows, true) => Confidence::High,
        (_, true) if rivals.is_empty() => Confidence::Medium,
        _ => Confidence::Low,
    };
    let before = judged
        .iter()
        .map(|one| one.row)
        .filter(|row| row.operation == first.row.operation && row.time < first.row.time)
        .max_by_key(|row| row.time)
        .cloned();
    Ranked::Chosen(Box::new(Chosen {
        row: first.row.clone(),
        why: why(first, unknown, wanted.noticed.is_some()),
        confidence,
        runners_up: candidates(&judged, Some(first)),
        before,
    }))
}

fn is_another(one: &EventRow, other: &EventRow) -> bool {
    one.actor != other.actor || one.credential != other.credential
}

/// The first change that took one back, long enough before it was noticed.
fn undone_by<'r>(one: &Judged<'r>, judged: &[Judged<'r>], noticed: Option<Moment>) -> Option<&'r EventRow> {
    let (noticed, sign) = (noticed?, one.sign.filter(|_| one.verdict == Verdict::Shows)?);
    let later = judged.iter().filter(|later| {
        later.row.time > one.row.time
            && later.row.time.is_some_and(|time| time.plus(NOTICE_DELAY) <= noticed)
            && undoes((later.row, later.sign, later.verdict), (one.row, sign))
    });
    later.map(|later| later.row).min_by_key(|row| row.time)
}

fn judge<'r>(row: &'r EventRow, wanted: &Wanted<'_>) -> Judged<'r> {
    let operation = row.operation.as_deref().unwrap_or_default();
    let call =
        wanted.control.and_then(|control| control.calls.iter().find(|call| call.operation == operation));
    let asked = Asked {
        request: row.request.as_deref(),
        is_root: row.identity.as_deref() == Some("Root"),
        days_ago: wanted
            .noticed
            .zip(row.time)
            .map(|(noticed, time)| (noticed.0.as_millisecond() - time.0.as_millisecond()) / (24 * 3_600_000)),
        grantee: wanted.grantee,
    };
    let sign =
        call.map_or(if wanted.control.is_none() { Sign::Likely } else { Sign::Never }, |call| call.sign);
    Judged {
        row,
        verdict: sign.read(asked),
        is_known: call.is_some(),
        in_time: wanted
            .noticed
            .is_none_or(|noticed| row.time.is_some_and(|time| time <= noticed.plus(SLACK))),
        sign: call.map(|call| call.sign),
        undone_by: None,
        since_well: wanted.well.is_none_or(|well| row.time.is_some_and(|time| time >= well.minus(SLACK))),
    }
}

fn why(first: &Judged<'_>, unknown: bool, is_noticed: bool) -> String {
    let operation = first.row.operation.as_deref().unwrap_or_default();
    match first.verdict {
        _ if unknown && !is_noticed => format!("{operation} is the last change of it in the logs"),
        _ if unknown => format!(
            "{operation} is the last change of it before it was noticed; which calls bring this state about is not known"
        ),
        Verdict::Shows => format!(
            "the request of {operation} brings this state about, and it is the last that does before it was noticed"
        ),
        _ => format!(
            "{operation} can bring this state about and is the last such call before it was noticed; its request does not show it"
        ),
    }
}

fn nothing(judged: &[Judged<'_>]) -> String {
    if let Some((one, by)) = judged.iter().find_map(|one| Some((one, one.undone_by?)))
        && one.in_time
    {
        let (done, undone) = (called(one.row), called(by));
        return format!(
            "{done} brings this state about, but was undone by {undone}, and no later change does"
        );
    }
    let before = judged.iter().filter(|one| one.in_time).count();
    let after = judged.len() - before;
    match (before, after) {
        (0, 0) => "no change of it is in the logs".to_owned(),
        (0, after) => format!("the {after} changes of it in the logs all came after it was noticed"),
        (before, _) => format!("of the {before} changes of it in the logs none brings this state about"),
    }
}

fn called(row: &EventRow) -> String {
    let at = row.time.map(Moment::plain).unwrap_or_default();
    format!("{} at {at}", row.operation.as_deref().unwrap_or_default())
}

fn candidates(judged: &[Judged<'_>], first: Option<&Judged<'_>>) -> Vec<Candidate> {
    let is_first = |one: &Judged<'_>| first.is_some_and(|first| std::ptr::eq(first.row, one.row));
    let why = |one: &Judged<'_>| match (one.in_time, one.verdict, one.is_known) {
        (false, _, _) => "came after it was noticed",
        _ if one.undone_by.is_some() => "brings the state about, but was undone before it was noticed",
        (_, Verdict::Shows, _) => "brings the state about too, but came before the one chosen",
        (_, Verdict::Against, true) => "its request asks for something else",
        (_, Verdict::Against, false) => "this call does not bring the state about",
        (_, Verdict::Silent, true) => "its request does not tell",
        (_, Verdict::Silent, false) => "came before",
    };
    let told = judged.iter().filter(|one| !is_first(one)).take(RUNNERS_UP_MAX);
    told.map(|one| Candidate { line: one.row.line(), why: why(one).to_owned() }).collect()
}

/// Cuts a request to what says something.
pub(super) fn excerpt(request: &str) -> Option<String> {
    let Ok(mut value) = serde_json::from_str::<Value>(request) else {
        return Some(shortened(request)).filter(|text| !text.is_empty());
    };
    if let Value::Object(members) = &mut value {
        members.retain(|name, member| {
            !NOISE.contains(&name.as_str()) && *member != Value::String(String::new())
        });
        if members.is_empty() {
            return None;
        }
    }
    Some(shortened(&value.to_string())).filter(|text| text != "null")
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(EXCERPT_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::investigate::control::control;

    fn row(minute: u32, who: &str, operation: &str, request: &str) -> EventRow {
        EventRow {
            time: Moment::read(&format!("2026-02-04T02:{minute:02}:00Z")),
            actor: Some(who.to_owned()),
            operation: Some(operation.to_owned()),
            request: Some(request.to_owned()),
            event_id: Some(format!("{minute}-{who}")),
            ..EventRow::default()
        }
    }

    fn ingress(port: u32, cidr: &str) -> String {
        format!(
            r#"{{"groupId":"sg-1","ipPermissions":{{"items":[{{"fromPort":{port},"toPort":{port},"ipRanges":{{"items":[{{"cidrIp":"{cidr}"}}]}}}}]}}}}"#
        )
    }

    fn chosen(rows: &[EventRow], wanted: &Wanted<'_>) -> (String, Confidence, usize) {
        match rank(rows, wanted) {
            Ranked::Chosen(chosen) => {
                (chosen.row.event_id.unwrap(), chosen.confidence, chosen.runners_up.len())
            }
            Ranked::CannotTell { why, .. } => panic!("{why}"),
        }
    }

    fn at(minute: u32) -> Option<Moment> {
        Moment::read(&format!("2026-02-04T02:{minute:02}:00Z"))
    }

    #[test]
    fn what_the_request_shows_goes_before_what_is_near() {
        let rows = [
            row(10, "mio", "AuthorizeSecurityGroupIngress", &ingress(22, "0.0.0.0/0")),
            row(11, "ren", "AuthorizeSecurityGroupIngress", &ingress(443, "0.0.0.0/0")),
            row(12, "ken", "CreateTags", "{}"),
            row(30, "ken", "AuthorizeSecurityGroupIngress", &ingress(22, "0.0.0.0/0")),
        ];
        let wanted = Wanted { control: control("EC2.13"), noticed: at(20), ..Wanted::default() };
        assert_eq!(chosen(&rows, &wanted), ("10-mio".to_owned(), Confidence::High, 3));
    }

    #[test]
    fn the_last_that_shows_it_since_it_was_well() {
        let request = ingress(22, "0.0.0.0/0");
        let rows = [
            row(1, "mio", "AuthorizeSecurityGroupIngress", &request),
            row(15, "ren", "AuthorizeSecurityGroupIngress", &request),
        ];
        let wanted = Wanted { control: control("EC2.13"), noticed: at(20), well: at(10), grantee: None };
        assert_eq!(chosen(&rows, &wanted).0, "15-ren");
        let two = [
            row(14, "mio", "AuthorizeSecurityGroupIngress", &request),
            row(15, "ren", "AuthorizeSecurityGroupIngress", &request),
        ];
        assert_eq!(chosen(&two, &wanted), ("15-ren".to_owned(), Confidence::Medium, 1));
    }

    #[test]
    fn nothing_that_fits_is_not_guessed() {
        let check = |rows: &[EventRow], expected: &str| {
            let wanted = Wanted { control: control("EC2.13"), noticed: at(20), ..Wanted::default() };
            match rank(rows, &wanted) {
                Ranked::CannotTell { why, .. } => assert!(why.contains(expected), "{why}"),
                Ranked::Chosen(chosen) => panic!("{chosen:?}"),
            }
        };
        check(&[], "no change of it is in the logs");
        check(
            &[row(30, "mio", "AuthorizeSecurityGroupIngress", &ingress(22, "0.0.0.0/0"))],
            "after it was noticed",
        );
        check(&[row(10, "mio", "AuthorizeSecurityGroupIngress", &ingress(443, "0.0.0.0/0"))], "none brings");
        let mut failed = row(10, "mio", "AuthorizeSecurityGroupIngress", &ingress(22, "0.0.0.0/0"));
        failed.error = Some("Client.UnauthorizedOperation".to_owned());
        check(&[failed], "no change of it is in the logs");
    }

    #[test]
    fn what_was_undone_is_no_cause_unless_it_was_just_before() {
        let (open, close) = ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress");
        let request = ingress(22, "0.0.0.0/0");
        let rows = [row(1, "mio", open, &request), row(5, "ren", close, &request)];
        let wanted = |minute| Wanted { control: control("EC2.13"), noticed: at(minute), ..Wanted::default() };
        match rank(&rows, &wanted(50)) {
            Ranked::CannotTell { why, considered } => {
                assert!(why.contains("undone by RevokeSecurityGroupIngress"), "{why}");
                assert_eq!(considered.len(), 2);
            }
            Ranked::Chosen(chosen) => panic!("{chosen:?}"),
        }
        assert_eq!(chosen(&rows, &wanted(20)).0, "1-mio");
        let again = [rows[0].clone(), rows[1].clone(), row(9, "ken", open, &request)];
        assert_eq!(chosen(&again, &wanted(50)).0, "9-ken");
    }

    #[test]
    fn an_unknown_control_takes_the_last_change_and_is_not_sure() {
        let rows = [row(10, "mio", "PutX", "{}"), row(12, "ren", "PutY", "{}")];
        let wanted = Wanted { noticed: at(20), ..Wanted::default() };
        let (id, confidence, _) = chosen(&rows, &wanted);
        assert_eq!((id.as_str(), confidence), ("12-ren", Confidence::Low));
    }

    #[test]
    fn excerpts_leave_out_what_says_nothing() {
        let request =
            r#"{"bucketName":"b","Host":"b.s3.amazonaws.com","policy":"","bucketPolicy":{"Statement":[]}}"#;
        assert_eq!(
            excerpt(request).as_deref(),
            Some(r#"{"bucketName":"b","bucketPolicy":{"Statement":[]}}"#)
        );
        assert_eq!(excerpt("null"), None);
    }
}
