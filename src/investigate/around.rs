//! What stands around the deed: where it came from, whether that is usual, who else came from there, flows, findings.
//!
//! Takes the one who acted and the window and asks the derived tables. Promises that "new" is said only where there
//! is something to compare with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::answer::{
    Companion, FindingLine, Flow, Network, Note, NoteKind, Source, SubjectKind, Usual, Window,
};
use super::ask::Desk;
use super::moment::Moment;
use super::rows::{
    AddressRow, DayRow, FindingRow, FlowRow, HolderRow, LifeRow, PrevalenceRow, SpanRow, UsualRow,
};
use super::say;

/// How many days before the window tell what is usual.
pub(super) const DAYS: i64 = 90;

/// How many days tell who else comes from a network or an address: all principals of an account are read for that, not one.
const RECENT_DAYS: u64 = 30;

/// With fewer days of logs before, nothing is called new.
const DAYS_MIN: i64 = 1;

/// How many sources, companions, traits, findings are told.
const SOURCES_MAX: usize = 20;
const COMPANIONS_MAX: usize = 50;
const USUAL_MAX: usize = 40;
const FINDINGS_MAX: usize = 50;
const FLOWS_MAX: usize = 100;

/// How far other findings may lie.
const FINDINGS_AROUND: Duration = Duration::from_hours(7 * 24);

/// The places a subject was used from, the newest first use first.
pub(super) async fn sources(desk: &Desk<'_>, life: &[LifeRow], window: &Window) -> Vec<Source> {
    let mut by_source: BTreeMap<&str, Source> = BTreeMap::new();
    for row in life {
        let Some(address) = row.source.as_deref() else { continue };
        let source = by_source
            .entry(address)
            .or_insert_with(|| Source { address: address.to_owned(), ..Source::default() });
        source.events += row.events;
        source.failed += row.failed;
        source.first_seen = earliest(source.first_seen, row.first_seen);
        source.last_seen = source.last_seen.max(row.last_seen);
        if let Some(agent) = &row.agent
            && !source.agents.contains(agent)
        {
            source.agents.push(agent.clone());
        }
    }
    let mut sources: Vec<Source> = by_source.into_values().collect();
    sources.sort_by_key(|source| std::cmp::Reverse((source.first_seen, source.events)));
    sources.truncate(SOURCES_MAX);
    let known = sources.into_iter().map(|source| enrich(desk, source, window));
    futures::future::join_all(known).await
}

fn earliest(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Adds what is known of an address, and which of ours held it.
pub(super) async fn enrich(desk: &Desk<'_>, mut source: Source, window: &Window) -> Source {
    let address = source.address.clone();
    let known: Vec<AddressRow> = desk.ask("address_info", &[("ip", &address)]).await;
    if let Some(known) = known.into_iter().next() {
        source.indicator = known.indicator.map(|value| {
            let list = known.indicator_list.map(|list| format!(" in {list}")).unwrap_or_default();
            let label = known.indicator_label.map(|label| format!(" ({label})")).unwrap_or_default();
            format!("{value}{list}{label}")
        });
        source.kind = known.kind;
        source.country = known.country;
        source.country_basis = known.country_basis;
        source.city = known.city;
        source.asn = known.asn;
        source.as_name = known.as_name;
        source.aws_service = known.aws_service;
        source.aws_region = known.aws_region;
    }
    if address.parse::<std::net::IpAddr>().is_ok() {
        let (from, to) = (window.from.to_string(), window.to.to_string());
        let values = [("ip", address.as_str()), ("window_start", &from), ("window_end", &to)];
        let holders: Vec<HolderRow> = desk.ask("address_holders", &values).await;
        source.held_by = holders.into_iter().find_map(|row| {
            let name = row.instance.or(row.interface)?;
            Some(row.accountid.map_or_else(|| name.clone(), |account| format!("{name} in {account}")))
        });
    }
    source
}

/// When others are looked for that came from the same address: an address has its rows among those of all keys, so all
/// rows of a day are read for it. Of an address that was asked about they are known.
pub(super) fn among(subject: SubjectKind, window: &Window) -> Window {
    if subject == SubjectKind::Ip {
        return window.clone();
    }
    let days = Duration::from_hours(24 * RECENT_DAYS);
    let basis = format!("the last {RECENT_DAYS} days of the window");
    Window { from: window.from.max(window.to.minus(days)), to: window.to, basis }
}

/// Says so where that is not the whole window.
pub(super) fn told_of(among: &Window, window: &Window) -> Option<Note> {
    let text = format!("others from the same address were looked for in {}", among.basis);
    (among.from > window.from).then_some(Note { kind: NoteKind::Basis, text })
}

/// Who else came from an address.
pub(super) async fn companions(
    desk: &Desk<'_>,
    ip: &str,
    window: &Window,
    own: &BTreeSet<String>,
) -> Vec<Companion> {
    if ip.parse::<std::net::IpAddr>().is_err() {
        // Everybody's services come from the same names.
        return Vec::new();
    }
    let (from, to) = (window.from.to_string(), window.to.to_string());
    let values = [("ip", ip), ("window_start", from.as_str()), ("window_end", to.as_str())];
    let rows: Vec<LifeRow> = desk.ask("address_life", &values).await;
    let mut all: BTreeMap<_, Companion> = BTreeMap::new();
    for row in rows {
        // What names nobody is another account's copy of a call that has its caller's name there.
        let is_copy = row.credential.is_none() && row.identity.as_deref() == Some("AWSAccount");
        if is_copy || row.credential.as_ref().is_some_and(|key| own.contains(key)) {
            continue;
        }
        let name = (row.principal.clone(), row.credential.clone(), row.accountid.clone());
        let one = all.entry(name).or_insert_with(|| Companion {
            principal: row.principal.clone(),
            credential: row.credential.clone(),
            account: row.accountid.clone(),
            agent: row.agent.clone(),
            events: 0,
            first_seen: None,
            last_seen: None,
        });
        one.events += row.events;
        one.first_seen = earliest(one.first_seen, row.first_seen);
        one.last_seen = one.last_seen.max(row.last_seen);
    }
    let mut all: Vec<Companion> = all.into_values().collect();
    all.sort_by_key(|one| one.first_seen);
    all.truncate(COMPANIONS_MAX);
    all
}

/// What of a principal is compared: when it acted, what with, from where.
#[derive(Debug, Clone, Default)]
pub(super) struct Acts {
    pub(super) principal: String,
    pub(super) account: Option<String>,
    pub(super) network: Option<String>,
    /// From when on it is to be told whether it is usual.
    pub(super) since: Option<Moment>,
    pub(super) until: Option<Moment>,
}

/// Returns when an account's CloudTrail begins in the lake. The day first: of days, files tell the least without being
/// read, while moments are many.
pub(super) async fn logs_begin(desk: &Desk<'_>, account: &str) -> Option<Moment> {
    logs_on(desk, account, "log_first_day").await.first_seen
}

/// Returns when an account's CloudTrail ends in the lake.
pub(super) async fn logs_end(desk: &Desk<'_>, account: &str) -> Option<Moment> {
    logs_on(desk, account, "log_last_day").await.last_seen
}

async fn logs_on(desk: &Desk<'_>, account: &str, which_day: &str) -> SpanRow {
    let days: Vec<DayRow> = desk.ask(which_day, &[("account", account)]).await;
    let Some(day) = days.into_iter().find_map(|row| row.day) else { return SpanRow::default() };
    let rows: Vec<SpanRow> = desk.ask("log_span", &[("account", account), ("day", &day)]).await;
    rows.into_iter().next().unwrap_or_default()
}

/// Says of each trait whether it is usual for the principal.
pub(super) async fn usual(desk: &Desk<'_>, acts: &Acts) -> Vec<Usual> {
    let (Some(since), Some(until)) = (acts.since, acts.until) else { return Vec::new() };
    let days = Duration::from_hours(u64::try_from(DAYS).unwrap_or_default() * 24);
    let (from, to) = (since.minus(days).to_string(), until.to_string());
    let values = [
        ("principal", acts.principal.as_str()),
        ("window_start", from.as_str()),
        ("window_end", to.as_str()),
    ];
    let logs = async {
        let first = logs_begin(desk, acts.account.as_deref()?).await?;
        Some(first.max(since.minus(days)))
    };
    let (rows, logs, prevalence) = futures::join!(
        desk.ask::<UsualRow>("usual_for_principal", &values),
        logs,
        network_prevalence(desk, acts, until),
    );
    let mut all = compare(&acts.principal, &rows, (since, until), logs);
    if let Some(PrevalenceRow { others: Some(others), of: Some(of) }) = prevalence
        && let Some(one) = all
            .iter_mut()
            .find(|one| one.what == "network" && acts.network.as_deref() == Some(one.value.as_str()))
    {
        (one.others, one.of) = (Some(others), Some(of));
        one.text = format!(
            "{}; {others} of {of} other principals of the account came from there in {RECENT_DAYS} days",
            one.text
        );
    }
    all
}

/// How many others of the account came from the network in the last days.
async fn network_prevalence(desk: &Desk<'_>, acts: &Acts, until: Moment) -> Option<PrevalenceRow> {
    let (account, network) = (acts.account.as_deref()?, acts.network.as_deref()?);
    let (first_day, last_day) = (until.minus(Duration::from_hours(24 * RECENT_DAYS)).day(), until.day());
    let values = [
        ("account", account),
        ("network", network),
        ("principal", acts.principal.as_str()),
        ("first_day", first_day.as_str()),
        ("last_day", last_day.as_str()),
    ];
    desk.ask("network_prevalence", &values).await.into_iter().next()
}

type Trait<'a> = (&'static str, &'a str);

fn traits(row: &UsualRow) -> Vec<(&'static str, String)> {
    let call = row.operation.as_ref().map(|operation| {
        let service = row.service.as_deref().unwrap_or_default();
        format!("{}:{operation}", service.trim_end_matches(".amazonaws.com"))
    });
    let all = [
        ("network", row.network.clone()),
        ("agent", row.agent.clone()),
        ("operation", call),
        ("region", row.region.clone()),
        ("account", row.accountid.clone()),
    ];
    all.into_iter().filter_map(|(what, value)| Some((what, value?))).collect()
}

/// Compares what was done in the time with what was done before it, back to when the account's logs begin. Rows are sums of a day: one
/// that begins before the time and ends in it counts for both.
fn compare(
    principal: &str,
    rows: &[UsualRow],
    (since, until): (Moment, Moment),
    logs: Option<Moment>,
) -> Vec<Usual> {
    let first = rows.iter().filter_map(|row| row.first_seen).min();
    let from = earliest(logs.filter(|logs| *logs < since), first.filter(|first| *first < since));
    let days = from.map_or(0, |from| i64::try_from(from.distance_ms(since) / 86_400_000).unwrap_or(0));
    let is_known = first.is_some_and(|first| first < since);
    let is_comparable = is_known && days >= DAYS_MIN;
    let owned: Vec<_> = rows.iter().map(|row| (row, traits(row))).collect();
    let (mut before, mut during) = (BTreeMap::new(), BTreeMap::new());
    for (row, traits) in &owned {
        let (Some(first), Some(last)) = (row.first_seen, row.last_seen) else { continue };
        for (what, value) in traits {
            let key: Trait<'_> = (*what, value.as_str());
            let note = |map: &mut BTreeMap<_, Moment>| {
                let at = map.entry(key).or_insert(first);
                *at = (*at).min(first);
            };
            if first < since {
                note(&mut before);
            }
            if last >= since && first < until {
                note(&mut during);
            }
        }
    }
    let told = |what: &str, value: &str, first: Moment, is_new: Option<bool>| Usual {
        what: what.to_owned(),
        value: value.to_owned(),
        principal: principal.to_owned(),
        is_new,
        first_seen: Some(first),
        days,
        others: None,
        of: None,
        text: in_words(what, value, (is_new, first, days)),
    };
    let mut all: Vec<Usual> = during
        .into_iter()
        .map(|((what, value), first)| {
            let earlier = before.get(&(what, value)).copied();
            told(what, value, earlier.unwrap_or(first), is_comparable.then_some(earlier.is_none()))
        })
        .collect();
    if let (false, true, Some(first)) = (is_known, days >= DAYS_MIN, first) {
        all.push(told("principal", principal, first, Some(true)));
    }
    all.sort_by_key(|one| (one.is_new != Some(true), order(&one.what), one.first_seen));
    all.truncate(USUAL_MAX);
    all
}

fn order(what: &str) -> usize {
    ["principal", "network", "agent", "region", "account", "operation"]
        .iter()
        .position(|one| *one == what)
        .unwrap_or(9)
}

fn in_words(what: &str, value: &str, (is_new, first, days): (Option<bool>, Moment, i64)) -> String {
    match is_new {
        Some(true) => format!("{what} {value}: first time in {}", say::span(days * 86_400)),
        Some(false) => format!("{what} {value}: usual, since {}", first.plain()),
        None => format!("{what} {value}: nothing before to compare with"),
    }
}

/// The flows that match an address or an instance, and which peers are new.
pub(super) async fn network(
    desk: &Desk<'_>,
    (ip, instance): (Option<&str>, Option<&str>),
    window: &Window,
) -> Network {
    let basis = match (ip, instance) {
        (_, Some(instance)) => format!("flows of {instance}"),
        (Some(ip), None) if ip.parse::<std::net::IpAddr>().is_ok() => format!("flows with {ip}"),
        _ => return Network::default(),
    };
    let before =
        window.from.minus(Duration::from_hours(u64::try_from(DAYS).unwrap_or_default() * 24)).to_string();
    let to = window.to.to_string();
    let times = [("window_start", before.as_str()), ("window_end", to.as_str())];
    let mut rows: Vec<FlowRow> = match (ip, instance) {
        (_, Some(instance)) => {
            desk.ask("flows_of_instance", &[("instance", instance), times[0], times[1]]).await
        }
        (Some(ip), None) => desk.ask("flows_of_address", &[("ip", ip), times[0], times[1]]).await,
        (None, None) => Vec::new(),
    };
    // The default format of flow logs has no instance: then the address tells.
    if let (true, Some(ip), Some(_)) = (rows.is_empty(), ip, instance) {
        rows = desk.ask("flows_of_address", &[("ip", ip), times[0], times[1]]).await;
    }
    let (old, mut flows): (Vec<Flow>, Vec<Flow>) = rows
        .into_iter()
        .map(Flow::from)
        .partition(|flow| flow.last_seen.is_some_and(|last| last < window.from));
    let ends = |flow: &Flow| [flow.src_ip.clone(), flow.dst_ip.clone()];
    let known: BTreeSet<String> = old.iter().flat_map(ends).flatten().collect();
    let mut new_peers: Vec<String> = Vec::new();
    if !old.is_empty() {
        new_peers = flows.iter().flat_map(ends).flatten().filter(|ip| !known.contains(ip)).collect();
        new_peers.sort_unstable();
        new_peers.dedup();
    }
    let bytes = flows.iter().map(|flow| flow.bytes).sum();
    flows.truncate(FLOWS_MAX);
    Network { flows, new_peers, bytes, basis: Some(basis) }
}

/// What other findings are looked for by.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub(super) account: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) key: Option<String>,
    pub(super) name: Option<String>,
    pub(super) ip: Option<String>,
    /// The finding that was asked about.
    pub(super) own: Option<String>,
}

/// Other findings that have something in common with the subject.
pub(super) async fn findings(desk: &Desk<'_>, about: &About, window: &Window) -> Vec<FindingLine> {
    let (from, to) =
        (window.from.minus(FINDINGS_AROUND).to_string(), window.to.plus(FINDINGS_AROUND).to_string());
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let own =
        [text(&about.account), text(&about.resource), text(&about.key), text(&about.name), text(&about.ip)];
    let values = [
        ("account", own[0].as_str()),
        ("resource", own[1].as_str()),
        ("key", own[2].as_str()),
        ("name", own[3].as_str()),
        ("ip", own[4].as_str()),
        ("window_start", from.as_str()),
        ("window_end", to.as_str()),
    ];
    let rows: Vec<FindingRow> = desk.ask("findings_about", &values).await;
    let mut all: Vec<(usize, FindingLine)> = Vec::new();
    for row in rows {
        if row.uid.is_some() && row.uid == about.own {
            continue;
        }
        let why = match &row {
            row if row.is_resource => (0, "same resource"),
            row if row.is_key => (1, "same credential"),
            row if row.is_principal => (2, "same principal"),
            row if row.is_address => (3, "same address"),
            row if row.compliance.as_deref() == Some("PASSED") => continue,
            _ => (4, "same account"),
        };
        all.push((why.0, row.line(Some(why.1))));
    }
    all.sort_by_key(|(nearness, _)| *nearness);
    all.into_iter().take(FINDINGS_MAX).map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(first: &str, last: &str, network: &str, operation: &str) -> UsualRow {
        UsualRow {
            first_seen: Moment::read(first),
            last_seen: Moment::read(last),
            network: Some(network.to_owned()),
            operation: Some(operation.to_owned()),
            service: Some("iam.amazonaws.com".to_owned()),
            ..UsualRow::default()
        }
    }

    #[test]
    fn new_is_what_was_not_there_before() {
        let time = (Moment::read("2026-02-04T02:00Z").unwrap(), Moment::read("2026-02-04T03:00Z").unwrap());
        let rows = [
            row("2026-01-20T00:00Z", "2026-02-04T02:30Z", "203.0.113.0/24", "GetUser"),
            row("2026-02-04T02:10Z", "2026-02-04T02:20Z", "192.0.2.0/24", "ListUsers"),
        ];
        let told = compare("p", &rows, time, None);
        let find = |value: &str| told.iter().find(|one| one.value == value).map(|one| one.is_new);
        assert_eq!(find("192.0.2.0/24"), Some(Some(true)));
        assert_eq!(find("203.0.113.0/24"), Some(Some(false)));
        assert_eq!(find("iam:ListUsers"), Some(Some(true)));
        assert_eq!(
            told.first().map(|one| one.value.as_str()),
            Some("192.0.2.0/24"),
            "new first, networks first"
        );
        assert_eq!(told.first().map(|one| one.days), Some(15));
    }

    #[test]
    fn others_from_an_address_are_looked_for_in_the_last_days_and_that_is_said() {
        let moment = |text| Moment::read(text).unwrap();
        let of = |from| Window { from: moment(from), to: moment("2026-03-01"), basis: String::new() };
        let (long, short) = (of("2025-12-01"), of("2026-02-20"));
        let recent = among(SubjectKind::Key, &long);
        assert_eq!((recent.from, recent.to), (moment("2026-01-30"), long.to));
        assert!(told_of(&recent, &long).unwrap().text.ends_with("the last 30 days of the window"));
        assert_eq!(among(SubjectKind::Ip, &long), long);
        assert_eq!(told_of(&among(SubjectKind::Key, &short), &short), None);
    }

    #[test]
    fn nothing_is_new_where_nothing_was_before() {
        let time = (Moment::read("2026-02-04T02:00Z").unwrap(), Moment::read("2026-02-04T03:00Z").unwrap());
        let told = compare(
            "p",
            &[row("2026-02-04T01:10Z", "2026-02-04T02:20Z", "192.0.2.0/24", "ListUsers")],
            time,
            None,
        );
        assert!(told.iter().all(|one| one.is_new.is_none()), "{told:?}");
        let rows = [row("2026-02-04T02:10Z", "2026-02-04T02:20Z", "192.0.2.0/24", "ListUsers")];
        let told = compare("p", &rows, time, Moment::read("2026-01-20"));
        let new: Vec<&str> =
            told.iter().filter(|one| one.is_new == Some(true)).map(|one| one.what.as_str()).collect();
        assert_eq!(new, ["principal"], "of somebody new all is new");
    }
}
