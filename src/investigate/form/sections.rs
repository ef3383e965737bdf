//! The tables of the forms, in which order.
//!
//! Takes an answer and a language, gives sections of cells. Promises: a cell is either words or a name of the logs,
//! and both are still raw; each row points to its evidence, which the last table has whole.

use super::super::answer::{Answer, Edge, Evidence, FindingLine, Line, Network, Party, Source, Usual};
use super::super::evidence::{Chain, Judged, Verdict};
use super::super::moment::Moment;
use super::words::{Lang, Word, edge as kind_of_edge, mfa};
use super::{created_kind, kind_of_address, trait_of};

/// From which weight on a line is no routine.
const WEIGHTY: u8 = 5;

/// How many such lines make a timeline of their own.
const WEIGHTY_MIN: usize = 5;

/// How many new peers are named.
const PEERS_MAX: usize = 10;

/// A cell of a table, a line of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    /// Words, perhaps with names in them.
    Text(String),
    /// A name, id or request of the logs alone.
    Name(String),
    /// Evidence by number.
    Proof(Vec<usize>),
    /// Nothing is known.
    None,
}

impl Cell {
    pub(super) fn name(name: Option<&str>) -> Self {
        name.filter(|name| !name.is_empty()).map_or(Self::None, |name| Self::Name(name.to_owned()))
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::None } else { Self::Text(text) }
    }

    fn number(number: i64) -> Self {
        Self::Text(number.to_string())
    }

    pub(super) fn moment(moment: Option<Moment>) -> Self {
        moment.map_or(Self::None, |moment| Self::Text(moment.plain()))
    }
}

/// How a row is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As any other.
    Plain,
    /// It was refused or failed.
    Failed,
    /// It weighs, or is new.
    Weighty,
}

/// A row of a table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) cells: Vec<Cell>,
    pub(super) tone: Tone,
}

/// A table with its heading.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) title: Word,
    pub(super) head: Vec<Word>,
    pub(super) rows: Vec<Row>,
    /// How many there are, shown or not.
    pub(super) count: usize,
    /// What is to be said of all.
    pub(super) about: Option<String>,
}

/// Evidence in the order in which it is named first.
#[derive(Debug, Default)]
pub(super) struct Proofs(Vec<Evidence>);

impl Proofs {
    pub(super) fn cell(&mut self, evidence: &[Evidence]) -> Cell {
        let numbers = evidence.iter().map(|one| {
            let at = self.0.iter().position(|known| known == one);
            at.map_or_else(
                || {
                    self.0.push(one.clone());
                    self.0.len()
                },
                |at| at + 1,
            )
        });
        let numbers: Vec<usize> = numbers.collect();
        if numbers.is_empty() { Cell::None } else { Cell::Proof(numbers) }
    }

    fn section(self) -> Section {
        let rows = self.0.into_iter().zip(1..).map(|(one, number)| Row {
            cells: vec![
                Cell::Proof(vec![number]),
                Cell::name(one.event_id.as_deref()),
                Cell::name(one.object.as_deref()),
                one.index.map_or(Cell::None, Cell::number),
            ],
            tone: Tone::Plain,
        });
        let rows: Vec<Row> = rows.collect();
        let head = vec![Word::EvidenceHead, Word::EventId, Word::Object, Word::Index];
        Section { title: Word::EvidenceHead, head, count: rows.len(), rows, about: None }
    }
}

pub(super) fn place_of_line(line: &Line) -> Cell {
    let parts: Vec<&str> = [&line.account, &line.region].into_iter().filter_map(Option::as_deref).collect();
    Cell::text(parts.join(" · "))
}

/// What was called, as `s3:GetObject`.
pub(super) fn call(line: &Line) -> Option<String> {
    let operation = line.operation.as_deref()?;
    Some(match &line.service {
        Some(service) => format!("{}:{operation}", service.trim_end_matches(".amazonaws.com")),
        None => operation.to_owned(),
    })
}

/// Gives the tables, those without rows left out, each of so many rows at most.
pub(super) fn sections(answer: &Answer, proofs: Proofs, lang: Lang, rows_max: usize) -> Vec<Section> {
    let mut form = Sections { proofs, lang, rows_max, all: Vec::new() };
    let (weighty, routine): (Vec<Line>, Vec<Line>) =
        answer.timeline.iter().cloned().partition(|line| line.weight >= WEIGHTY);
    let is_split = weighty.len() >= WEIGHTY_MIN;
    form.lines(Word::Timeline, if is_split { &weighty } else { &answer.timeline });
    form.created(answer);
    form.lines(Word::Refused, &answer.denied);
    form.lines(Word::Logging, &answer.logging_changes);
    form.findings(&answer.findings);
    form.chain(&answer.chain);
    form.sources(&answer.sources);
    form.companions(answer);
    form.network(&answer.network);
    form.usual(&answer.usual);
    if is_split {
        form.lines(Word::Routine, &routine);
    }
    let Sections { proofs, mut all, .. } = form;
    all.push(verified(&answer.verified));
    all.push(proofs.section());
    all.retain(|section| !section.rows.is_empty());
    all
}

/// What the digests say of the objects, where they were asked.
fn verified(verified: &[Judged]) -> Section {
    let rows = verified.iter().map(|judged| {
        let broken = match &judged.chain {
            Some(Chain::Broken { reason }) => Some(reason.as_str()),
            _ => None,
        };
        let is_verified = judged.verdict == Verdict::Verified && broken.is_none();
        Row {
            cells: vec![
                Cell::text(judged.verdict.word()),
                Cell::name(Some(&judged.object)),
                Cell::name(judged.verdict.reason().or(broken)),
            ],
            tone: if is_verified { Tone::Plain } else { Tone::Failed },
        }
    });
    let rows: Vec<Row> = rows.collect();
    let head = vec![Word::Verdict, Word::Object, Word::Reason];
    Section { title: Word::Verified, head, count: rows.len(), rows, about: None }
}

struct Sections {
    proofs: Proofs,
    lang: Lang,
    rows_max: usize,
    all: Vec<Section>,
}

impl Sections {
    fn add(&mut self, title: Word, head: &[Word], (rows, count): (Vec<Row>, usize)) {
        self.all.push(Section { title, head: head.to_vec(), rows, count, about: None });
    }

    fn chain(&mut self, chain: &[Edge]) {
        let lang = self.lang;
        let rows = chain.iter().take(self.rows_max).map(|edge| {
            let how = [
                kind_of_edge(&edge.kind, lang),
                Word::from(edge.join).say(lang),
                Word::from(edge.confidence).say(lang),
            ];
            Row {
                cells: vec![
                    Cell::moment(edge.issued_at),
                    Cell::name(end(&edge.parent)),
                    Cell::name(end(&edge.child)),
                    Cell::name(edge.child.credential.as_deref()),
                    Cell::Text(how.join(", ")),
                    edge.is_mfa.map_or(Cell::None, |is| Cell::text(mfa(is, lang))),
                    Cell::name(edge.source.as_deref()),
                    self.proofs.cell(&edge.evidence),
                ],
                tone: Tone::Plain,
            }
        });
        let rows = rows.collect();
        let head = [
            Word::Time,
            Word::Of,
            Word::To,
            Word::Credential,
            Word::How,
            Word::Mfa,
            Word::Source,
            Word::EvidenceHead,
        ];
        self.add(Word::Steps, &head, (rows, chain.len()));
    }

    fn lines(&mut self, title: Word, lines: &[Line]) {
        let rows = weightiest(lines, self.rows_max).into_iter().map(|line| {
            let result = result(line, self.lang);
            Row {
                cells: vec![
                    Cell::moment(line.time),
                    Cell::name(call(line).as_deref()),
                    Cell::name(line.resource.as_deref()),
                    result,
                    place_of_line(line),
                    Cell::name(line.source.as_deref()),
                    self.proofs.cell(&line.evidence),
                ],
                tone: match (&line.error, line.weight) {
                    (Some(_), _) => Tone::Failed,
                    (None, 8..) if line.is_read != Some(true) => Tone::Weighty,
                    _ => Tone::Plain,
                },
            }
        });
        let rows = rows.collect();
        let head = [
            Word::Time,
            Word::Operation,
            Word::Resource,
            Word::Result,
            Word::Account,
            Word::Source,
            Word::EvidenceHead,
        ];
        self.add(title, &head, (rows, lines.len()));
    }

    fn created(&mut self, answer: &Answer) {
        let rows = answer.created.iter().take(self.rows_max).map(|one| Row {
            cells: vec![
                Cell::moment(one.line.time),
                Cell::text(created_kind(&one.kind, self.lang)),
                Cell::name(Some(&one.id)),
                Cell::name(one.line.account.as_deref()),
                self.proofs.cell(&one.line.evidence),
            ],
            tone: Tone::Weighty,
        });
        let rows = rows.collect();
        let head = [Word::Time, Word::Kind, Word::Id, Word::Account, Word::EvidenceHead];
        self.add(Word::Created, &head, (rows, answer.created.len()));
    }

    fn findings(&mut self, findings: &[FindingLine]) {
        let rows = findings.iter().take(self.rows_max).map(|one| Row {
            cells: vec![
                Cell::moment(one.time.or(one.first_seen)),
                Cell::text(one.severity.clone().unwrap_or_default()),
                Cell::text(one.product.clone().unwrap_or_default()),
                Cell::text(one.title.clone().unwrap_or_default()),
                Cell::text(one.why.clone().unwrap_or_default()),
                Cell::name(one.account.as_deref()),
                self.proofs.cell(&one.evidence),
            ],
            tone: if is_severe(one) { Tone::Weighty } else { Tone::Plain },
        });
        let rows = rows.collect();
        let head = [
            Word::Time,
            Word::Severity,
            Word::Product,
            Word::Title,
            Word::InCommon,
            Word::Account,
            Word::EvidenceHead,
        ];
        self.add(Word::OtherFindings, &head, (rows, findings.len()));
    }

    fn sources(&mut self, sources: &[Source]) {
        let rows = sources.iter().take(self.rows_max).map(|one| {
            let kind = one.kind.as_deref().map(|kind| kind_of_address(kind, self.lang));
            let known = [
                kind,
                one.country.clone(),
                one.as_name.clone(),
                one.held_by.clone(),
                one.indicator.clone(),
                (one.is_new == Some(true)).then(|| Word::New.say(self.lang).to_owned()),
            ];
            let known: Vec<String> = known.into_iter().flatten().collect();
            Row {
                cells: vec![
                    Cell::name(Some(&one.address)),
                    Cell::text(known.join(", ")),
                    Cell::text(one.agents.join(", ")),
                    Cell::moment(one.first_seen),
                    Cell::moment(one.last_seen),
                    Cell::number(one.events),
                    Cell::number(one.failed),
                ],
                tone: if one.is_new == Some(true) { Tone::Weighty } else { Tone::Plain },
            }
        });
        let rows = rows.collect();
        let head = [
            Word::Source,
            Word::KnownOf,
            Word::Agent,
            Word::FirstSeen,
            Word::LastSeen,
            Word::Calls,
            Word::Failed,
        ];
        self.add(Word::FromWhere, &head, (rows, sources.len()));
    }

    fn companions(&mut self, answer: &Answer) {
        let rows = answer.same_source.iter().take(self.rows_max).map(|one| Row {
            cells: vec![
                Cell::moment(one.first_seen),
                Cell::name(one.principal.as_deref()),
                Cell::name(one.credential.as_deref()),
                Cell::name(one.account.as_deref()),
                Cell::text(one.agent.clone().unwrap_or_default()),
                Cell::number(one.events),
            ],
            tone: Tone::Plain,
        });
        let rows = rows.collect();
        let head = [Word::FirstSeen, Word::Of, Word::Credential, Word::Account, Word::Agent, Word::Calls];
        self.add(Word::SameAddress, &head, (rows, answer.same_source.len()));
    }

    fn network(&mut self, network: &Network) {
        let flows = &network.flows;
        let rows = flows.iter().take(self.rows_max).map(|one| Row {
            cells: vec![
                Cell::moment(one.first_seen),
                Cell::name(one.src_ip.as_deref()),
                Cell::name(one.dst_ip.as_deref()),
                one.port.map_or(Cell::None, Cell::number),
                Cell::text(one.action.clone().unwrap_or_default()),
                Cell::name(one.instance.as_deref().or(one.interface.as_deref())),
                Cell::number(one.flows),
                Cell::number(one.bytes),
            ],
            tone: if one.action.as_deref() == Some("Denied") { Tone::Failed } else { Tone::Plain },
        });
        let rows = rows.collect();
        let head = [
            Word::FirstSeen,
            Word::Source,
            Word::To,
            Word::Port,
            Word::Action,
            Word::Resource,
            Word::Flows,
            Word::Bytes,
        ];
        self.add(Word::Network, &head, (rows, flows.len()));
        let mut about = vec![format!("{}: {}", Word::Bytes.say(self.lang), network.bytes)];
        about.extend(network.basis.clone());
        if !network.new_peers.is_empty() {
            let peers: Vec<&str> = network.new_peers.iter().take(PEERS_MAX).map(String::as_str).collect();
            about.push(format!("{}: {}", Word::NewPeers.say(self.lang), peers.join(" ")));
        }
        if let Some(section) = self.all.last_mut() {
            section.about = Some(about.join("; "));
        }
    }

    fn usual(&mut self, usual: &[Usual]) {
        let lang = self.lang;
        let rows = usual.iter().take(self.rows_max).map(|one| {
            let is_usual = match (one.is_new, one.first_seen) {
                (Some(true), _) => Word::FirstTime.say(lang).to_owned(),
                (Some(false), Some(first)) => format!("{} ({})", Word::Usual.say(lang), first.plain()),
                (Some(false), None) => Word::Usual.say(lang).to_owned(),
                (None, _) => Word::NothingToCompare.say(lang).to_owned(),
            };
            let others = match (one.others, one.of) {
                (Some(others), Some(of)) => format!("{others} / {of}"),
                _ => String::new(),
            };
            Row {
                cells: vec![
                    Cell::text(trait_of(&one.what, lang)),
                    Cell::name(Some(&one.value)),
                    Cell::Text(is_usual),
                    Cell::text(others),
                    Cell::name(Some(&one.principal)),
                ],
                tone: if one.is_new == Some(true) { Tone::Weighty } else { Tone::Plain },
            }
        });
        let rows = rows.collect();
        let head = [Word::Trait, Word::Value, Word::IsUsual, Word::OtherPrincipals, Word::Of];
        self.add(Word::IsItUsual, &head, (rows, usual.len()));
    }
}

/// The error, what is to be said of the call, how often it was made; or that it succeeded.
fn result(line: &Line, lang: Lang) -> Cell {
    let count = (line.count > 1).then(|| format!("×{}", line.count));
    match (&line.error, line.remark.clone().or(count)) {
        (Some(error), Some(more)) => Cell::Text(format!("{error}: {more}")),
        (Some(error), None) => Cell::Name(error.clone()),
        (None, Some(more)) => Cell::Text(more),
        (None, None) => Cell::text(Word::Ok.say(lang)),
    }
}

fn end(party: &Party) -> Option<&str> {
    party.actor.as_deref().or(party.principal.as_deref()).or(party.account.as_deref())
}

/// Says whether a finding is high or critical.
pub(super) fn is_severe(finding: &FindingLine) -> bool {
    matches!(finding.severity.as_deref(), Some("High" | "Critical" | "Fatal"))
}

/// Of many lines the weightiest, still in the order of time.
pub(in crate::investigate) fn weightiest(lines: &[Line], max: usize) -> Vec<&Line> {
    let mut weights: Vec<u8> = lines.iter().map(|line| line.weight).collect();
    weights.sort_unstable_by(|one, other| other.cmp(one));
    let least = weights.get(max.min(weights.len()).saturating_sub(1)).copied().unwrap_or_default();
    let above = weights.iter().filter(|weight| **weight > least).count();
    let mut room = max.saturating_sub(above);
    let mut shown = Vec::new();
    for line in lines {
        let is_shown = line.weight > least || (line.weight == least && room > 0);
        room -= usize::from(is_shown && line.weight == least);
        if is_shown {
            shown.push(line);
        }
    }
    shown
}
