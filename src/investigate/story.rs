//! One investigation, from subject to answer.
//!
//! ```text
//! resolve ─ cause ─ callers ─ walk up, down ─ root ─┬ timeline ┐
//!                                                   ├ usual    │
//!                                                   ├ sources  ├─ say
//!                                                   ├ network  │
//!                                                   └ findings ┘
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use super::answer::{
    Answer, Cause, CauseKind, Confidence, Edge, Note, NoteKind, Paragraph, Root, RootCandidate, RootKind,
    Source, SubjectKind, Usual, VERSION,
};
use super::around::{self, About, Acts};
use super::ask::Desk;
use super::cause::{self, Found, Target};
use super::chain::Caller;
use super::deed::{account_of, credential, fill_evidence, issues, key_of, network_of, of_interest, timeline};
use super::lines;
use super::moment::Moment;
use super::resolve::{Focus, resolve};
use super::root::{is_instance, with_evidence};
use super::rows::{EventRow, LifeRow};
use super::walk::{self, Way};
use super::{Inquiry, say};
use crate::query::Engine;

/// How many callers of a principal, a session or an address are followed to their root.
const CALLERS_MAX: usize = 6;

/// Answers an inquiry.
pub async fn investigate(engine: &Engine, inquiry: &Inquiry) -> Answer {
    let desk = Desk::new(engine);
    let mut focus = resolve(&desk, inquiry).await;
    let found = Box::pin(cause_of(&desk, &focus)).await;
    if let (SubjectKind::Resource, Some(time)) =
        (focus.subject.kind, found.row.as_ref().and_then(|row| row.time))
    {
        let day = Duration::from_hours(24);
        focus.window.from = inquiry.from.unwrap_or(time.minus(day));
        focus.window.to = inquiry.to.unwrap_or(time.plus(day)).max(focus.window.from);
        if inquiry.from.is_none() && inquiry.to.is_none() {
            "24 hours around its last change".clone_into(&mut focus.window.basis);
        }
    }
    let callers = callers(&desk, &focus, &found).await;
    let ways = futures::future::join_all(callers.iter().map(|caller| walk::up(&desk, caller))).await;
    let root = root_of(&focus, &callers, &ways);
    let answer = Box::pin(gather(&desk, (focus, found, root), (&callers, &ways))).await;
    finish(desk, answer)
}

async fn cause_of(desk: &Desk<'_>, focus: &Focus) -> Found {
    match (&focus.finding, &focus.event, focus.subject.kind) {
        (Some(finding), _, _) => cause::of_finding(desk, finding, &focus.states).await,
        (_, Some(event), _) => cause::of_event(event),
        (_, _, SubjectKind::Resource) => {
            let target = Target {
                resources: vec![focus.subject.id.clone()],
                account: focus.subject.account.clone(),
                ..Target::default()
            };
            cause::of_resource(desk, &target).await
        }
        _ => Found::default(),
    }
}

/// Whose calls it is about: the caller of the cause, or those a key, a principal, a session, an address has had.
async fn callers(desk: &Desk<'_>, focus: &Focus, found: &Found) -> Vec<Caller> {
    if let Some(row) = &found.row {
        return vec![row.caller()];
    }
    let mut life = focus.life.clone();
    if let Some(finding) = &focus.finding
        && let Some(key) = finding.evidence_texts("actor.user.credential_uid").first()
    {
        life = life_of(desk, key, &focus.window.from.minus(Duration::from_hours(24 * 90)), &focus.window.to)
            .await;
    }
    if focus.subject.kind != SubjectKind::Ip {
        life.sort_by_key(|row| std::cmp::Reverse(row.last_seen));
    } else {
        life.sort_by_key(|row| row.first_seen);
    }
    // Another account's copy of a call names the caller's account only, and the call itself is there too.
    let is_copy = |row: &LifeRow| row.identity.as_deref() == Some("AWSAccount") && row.credential.is_none();
    if life.iter().any(|row| !is_copy(row)) {
        life.retain(|row| !is_copy(row));
    }
    let mut seen = BTreeSet::new();
    let mut callers = Vec::new();
    for row in &life {
        let id = (row.credential.clone(), row.actor.clone());
        if seen.insert(id) && callers.len() < CALLERS_MAX {
            callers.push(row.caller());
        }
    }
    callers
}

async fn life_of(desk: &Desk<'_>, key: &str, from: &Moment, to: &Moment) -> Vec<LifeRow> {
    let (from, to) = (from.to_string(), to.to_string());
    desk.ask("key_life", &[("key", key), ("window_start", &from), ("window_end", &to)]).await
}

/// Names the root of all callers: one when they agree, or the first with the others as runners-up.
fn root_of(focus: &Focus, callers: &[Caller], ways: &[Way]) -> Root {
    let mut roots: Vec<Root> = Vec::new();
    for (caller, way) in callers.iter().zip(ways) {
        let root = way.root(caller);
        if roots.iter().all(|other| other.id != root.id || other.kind != root.kind) {
            roots.push(root);
        }
    }
    let mut roots = roots.into_iter();
    let Some(mut first) = roots.next() else { return no_root(focus) };
    let rest: Vec<Root> = roots.collect();
    if !rest.is_empty() {
        first.confidence = first.confidence.min(Confidence::Medium);
        let reason = match focus.subject.kind {
            SubjectKind::Ip => "the first of those who came from the address",
            _ => "the last of those who used it",
        };
        first.why = format!("{reason}; {}", first.why);
        first.runners_up.extend(rest.into_iter().map(|root| RootCandidate {
            kind: root.kind,
            id: root.id.or(root.name).unwrap_or_default(),
            why: format!("used it too; {}", root.why),
        }));
    }
    first
}

/// A root where no call was found: the instance a finding is about, or nobody.
fn no_root(focus: &Focus) -> Root {
    let instance = focus.finding.as_ref().and_then(|finding| instance_of(&finding.resource_uids()));
    if let Some(id) = instance {
        return Root {
            kind: RootKind::Instance,
            name: Some(id.clone()),
            id: Some(id),
            account: focus.subject.account.clone(),
            confidence: Confidence::High,
            why: "the finding is about traffic of this instance".to_owned(),
            ..Root::default()
        };
    }
    let why = match focus.subject.kind {
        _ if focus.is_unknown => "the lake knows nothing of the subject",
        SubjectKind::Finding | SubjectKind::Resource => {
            "no call in the lake is its cause, so nobody can be named"
        }
        _ => "no call of it is in the lake",
    };
    Root { why: why.to_owned(), ..Root::default() }
}

fn instance_of(resources: &[String]) -> Option<String> {
    let last = resources.iter().filter_map(|uid| uid.rsplit('/').next());
    last.filter(|id| is_instance(id)).map(str::to_owned).next()
}

/// Looks around the deed.
async fn gather(
    desk: &Desk<'_>,
    (focus, found, root): (Focus, Found, Root),
    (callers, ways): (&[Caller], &[Way]),
) -> Answer {
    let window = focus.window.clone();
    let caller = callers.first().cloned().unwrap_or_default();
    let mut chain: Vec<Edge> = ways.first().map(|way| way.edges.clone()).unwrap_or_default();
    let subject_key = key_of(&focus, &caller);
    let (down, mut notes) = match &subject_key {
        Some(key) => walk::down(desk, key, (window.from, window.to)).await,
        None => (Vec::new(), Vec::new()),
    };
    chain.reverse();
    chain.extend(down);
    let life = whole_life(desk, &focus, &chain, subject_key.as_deref()).await;
    let sources = around::sources(desk, &life, &window).await;
    let source = source_of(desk, &focus, &found, &sources).await;
    let ip = source.as_ref().map(|source| source.address.clone());
    let instance = network_subject(&focus, &root);
    let keys = keys_of(&chain, subject_key.as_deref());
    let acts = acts(&focus, (&caller, &root), (&found, &chain), &sources);
    let about = about((&focus, &found, &root), &caller, (subject_key.as_deref(), ip.as_deref()));
    let among = around::among(focus.subject.kind, &window);
    let (rows, credential, companions, usual, network, findings, missing, issues) = futures::join!(
        timeline(desk, &focus, &chain, &caller),
        credential(desk, subject_key.as_deref(), (&life, &chain), &found),
        around::companions(desk, ip.as_deref().unwrap_or_default(), &among, &keys),
        usual(desk, &acts),
        around::network(desk, (ip.as_deref(), instance.as_deref()), &window),
        around::findings(desk, &about, &window),
        missing(desk, &focus),
        issues(desk, &chain),
    );
    let lines = lines::sort(rows, &of_interest(&focus, (&found, &chain), (&usual, &sources)));
    notes.extend(lines.notes.clone());
    notes.extend(missing);
    notes.extend(around::told_of(&among, &window).filter(|_| ip.is_some()));
    let (cause, cannot_tell) = with_flows(&focus, &found, &network);
    let mut answer = Answer {
        version: VERSION,
        verified: Vec::new(),
        subject: focus.subject.clone(),
        window,
        answer: Paragraph::default(),
        root: with_evidence(root, found.row.iter().map(EventRow::evidence).collect()),
        cause,
        cannot_tell,
        finding: focus.finding.as_ref().map(|finding| finding.line(None)),
        chain,
        credential,
        source,
        sources,
        timeline: lines.timeline,
        created: lines.created,
        bytes_out: lines.bytes_out,
        denied: lines.denied,
        logging_changes: lines.logging,
        same_source: companions,
        usual,
        network,
        findings,
        notes,
        asked: Vec::new(),
    };
    mark_new(&mut answer);
    fill_evidence(&mut answer, &issues);
    answer.notes.extend(considered(&found));
    answer
}

fn keys_of(chain: &[Edge], own: Option<&str>) -> BTreeSet<String> {
    let of_edge = |edge: &Edge| [edge.parent.credential.clone(), edge.child.credential.clone()];
    chain.iter().flat_map(of_edge).flatten().chain(own.map(str::to_owned)).collect()
}

/// What was considered as cause and is none.
fn considered(found: &Found) -> Vec<Note> {
    let note = |candidate: &super::answer::Candidate| {
        let at = candidate.line.time.map(Moment::plain).unwrap_or_default();
        let operation = candidate.line.operation.as_deref().unwrap_or_default();
        Note {
            kind: NoteKind::Basis,
            text: format!("considered as cause: {operation} at {at}: {}", candidate.why),
        }
    };
    found.considered.iter().take(3).map(note).collect()
}

/// What other findings are looked for by.
fn about(
    (focus, found, root): (&Focus, &Found, &Root),
    caller: &Caller,
    (key, ip): (Option<&str>, Option<&str>),
) -> About {
    let of_cause = found.cause.as_ref().and_then(|cause| cause.line.resource.clone());
    let own = Some(focus.subject.id.clone()).filter(|_| focus.subject.kind == SubjectKind::Resource);
    let of_finding = || focus.finding.as_ref().and_then(|finding| finding.resource_uids().into_iter().next());
    About {
        account: focus.subject.account.clone().or_else(|| caller.party.account.clone()),
        resource: of_cause.or(own).or_else(of_finding),
        key: key.map(str::to_owned),
        name: root.name.clone(),
        ip: ip.map(str::to_owned),
        own: focus.finding.as_ref().and_then(|finding| finding.uid.clone()),
    }
}

/// All uses of the subject; of a deed those of its credential, and of the one at the root of its chain.
async fn whole_life(desk: &Desk<'_>, focus: &Focus, chain: &[Edge], key: Option<&str>) -> Vec<LifeRow> {
    if !focus.life.is_empty() {
        return focus.life.clone();
    }
    let from = focus.window.from.minus(Duration::from_hours(24 * 90));
    let root_key = chain.first().and_then(|edge| edge.parent.credential.as_deref());
    let keys: BTreeSet<&str> = [key, root_key].into_iter().flatten().collect();
    let asked = keys.into_iter().map(|key| async move { life_of(desk, key, &from, &focus.window.to).await });
    futures::future::join_all(asked).await.into_iter().flatten().collect()
}

/// Where the deed was done from: the event's address; of a key the place it came to last.
async fn source_of(desk: &Desk<'_>, focus: &Focus, found: &Found, sources: &[Source]) -> Option<Source> {
    let given = match (&found.row, focus.subject.kind) {
        (Some(row), _) => row.source.clone(),
        (None, SubjectKind::Ip) => Some(focus.subject.id.clone()),
        (None, _) => focus
            .finding
            .as_ref()
            .and_then(|finding| finding.evidence_texts("src_endpoint.ip").into_iter().next()),
    };
    let Some(address) = given else { return sources.first().cloned() };
    if let Some(known) = sources.iter().find(|source| source.address == address) {
        return Some(known.clone());
    }
    let agents = found.row.iter().filter_map(|row| row.agent.clone()).collect();
    let source = Source { address, agents, ..Source::default() };
    Some(around::enrich(desk, source, &focus.window).await)
}

fn network_subject(focus: &Focus, root: &Root) -> Option<String> {
    let finding = focus.finding.as_ref();
    let of_finding = finding.and_then(|finding| instance_of(&finding.resource_uids()));
    let of_resource = Some(&focus.subject.id).filter(|id| is_instance(id) || id.starts_with("eni-")).cloned();
    let of_root = root.id.clone().filter(|_| root.kind == RootKind::Instance);
    of_finding.or(of_resource).or(of_root)
}

/// What is compared with what is usual: the one who called, and the one at the root.
fn acts(
    focus: &Focus,
    (caller, root): (&Caller, &Root),
    (found, chain): (&Found, &[Edge]),
    sources: &[Source],
) -> Vec<Acts> {
    let deed = found.row.as_ref().and_then(|row| row.time);
    let issued = chain.iter().filter_map(|edge| edge.issued_at).min();
    let newest = sources.iter().filter_map(|source| source.first_seen).max();
    let since = match deed {
        Some(deed) => issued
            .filter(|issued| issued.distance_ms(deed) < 12 * 3_600_000)
            .map_or(deed, |issued| issued.min(deed)),
        None => {
            let Some(newest) = newest else { return Vec::new() };
            let first = sources.iter().filter_map(|source| source.first_seen).min().unwrap_or(newest);
            // Where nothing new came since the beginning, the last day is compared with those before.
            let is_old = first.distance_ms(newest) < 3_600_000;
            let last_day = focus.window.to.minus(Duration::from_hours(24));
            if is_old && last_day > newest { last_day } else { newest }
        }
    };
    let network = found
        .row
        .as_ref()
        .and_then(|row| row.source.clone())
        .or_else(|| sources.first().map(|source| source.address.clone()));
    let network = network.as_deref().and_then(network_of);
    let of_caller = caller.party.principal.clone();
    let of_root = root.id.clone().filter(|id| {
        id.starts_with("arn:") && Some(id) != of_caller.as_ref() && root.kind == RootKind::IamUser
    });
    let all = of_caller.into_iter().chain(of_root).filter(|principal| principal.starts_with("arn:"));
    all.map(|principal| Acts {
        account: account_of(&principal).or_else(|| caller.party.account.clone()),
        principal,
        network: network.clone(),
        since: Some(since),
        until: Some(focus.window.to),
    })
    .collect()
}

async fn usual(desk: &Desk<'_>, acts: &[Acts]) -> Vec<Usual> {
    futures::future::join_all(acts.iter().map(|acts| around::usual(desk, acts)))
        .await
        .into_iter()
        .flatten()
        .collect()
}

/// Marks the sources whose network is new to a principal.
fn mark_new(answer: &mut Answer) {
    let usual = answer.usual.clone();
    let is_new = |address: &str| {
        let network = network_of(address);
        let mut of = usual.iter().filter(|one| one.what == "network" && Some(&one.value) == network.as_ref());
        of.find_map(|one| one.is_new)
    };
    for source in answer.sources.iter_mut().chain(answer.source.iter_mut()) {
        source.is_new = is_new(&source.address);
    }
}

/// A finding about traffic has its cause in the flows.
fn with_flows(
    focus: &Focus,
    found: &Found,
    network: &super::answer::Network,
) -> (Option<Cause>, Option<String>) {
    if found.cause.is_some() {
        return (found.cause.clone(), None);
    }
    let spoken = focus.finding.as_ref().and_then(|finding| {
        let is_call = !finding.evidence_texts("api.operation").is_empty() || finding.compliance.is_some();
        cause::of_flows(finding, &network.flows).filter(|_| !is_call)
    });
    match spoken {
        Some(cause) => (Some(cause), None),
        None if focus.is_unknown => (None, Some("the lake knows nothing of the subject".to_owned())),
        None => (None, no_flow(focus).or_else(|| found.cannot_tell.clone())),
    }
}

/// Why a finding about a connection has no cause.
fn no_flow(focus: &Focus) -> Option<String> {
    let finding = focus.finding.as_ref()?;
    let is_call = !finding.evidence_texts("api.operation").is_empty() || finding.compliance.is_some();
    let ends =
        [finding.evidence_texts("src_endpoint.ip"), finding.evidence_texts("dst_endpoint.ip")].concat();
    let told = || {
        let ends = ends.join(" and ");
        format!("the finding speaks of a connection of {ends}, and no flow of these ends is in the lake")
    };
    (!is_call && !ends.is_empty()).then(told)
}

/// What the lake does not have.
async fn missing(desk: &Desk<'_>, focus: &Focus) -> Vec<Note> {
    let mut notes = Vec::new();
    let has: Vec<std::collections::BTreeMap<String, i64>> = desk.ask("lake_has", &[]).await;
    for (table, words) in [
        ("cloudtrail", "the lake has no CloudTrail events"),
        ("vpc_flow", "the lake has no flow logs, so nothing is said of the network"),
        ("findings", "the lake has no findings"),
    ] {
        if has.first().is_some_and(|has| has.get(table) == Some(&0)) {
            notes.push(Note { kind: NoteKind::Missing, text: words.to_owned() });
        }
    }
    if let Some(account) = focus.subject.account.as_deref() {
        match around::logs_begin(desk, account).await {
            None => notes.push(Note {
                kind: NoteKind::Missing,
                text: format!("the lake has no CloudTrail of the account {account}"),
            }),
            Some(first) if first > focus.window.from => {
                let text =
                    format!("CloudTrail of the account {account} begins at {first}, inside the window");
                notes.push(Note { kind: NoteKind::Gap, text });
            }
            Some(_) => {}
        }
    }
    notes
}

/// Puts the object and index to each evidence that has an id only, adds what was asked, and says it in words.
fn finish(desk: Desk<'_>, mut answer: Answer) -> Answer {
    let (asked, notes) = desk.finish();
    answer.asked = asked;
    answer.notes.extend(notes);
    answer.answer.text = say::paragraph(&answer);
    if matches!(&answer.cause, Some(cause) if cause.kind == CauseKind::Event && cause.line.is_read == Some(true))
    {
        answer.notes.push(Note { kind: NoteKind::Basis, text: "the event only reads".to_owned() });
    }
    answer
}
