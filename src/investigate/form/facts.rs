//! What the forms say before their tables: who, when, what, before and after, from where, with which credential.
//!
//! Takes an answer and a language, gives facts: a label and cells, the first the weightiest. Promises: what is not known is
//! left out; evidence is named by the number it has in the table of all evidence.

use super::super::answer::{Answer, Cause, Credential, Line};
use super::super::moment::Moment;
use super::sections::{Cell, Proofs, call, place_of_line};
use super::words::{Lang, Word};
use super::{credential, place, who};

/// A fact: a label and its lines.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) label: Word,
    pub(super) lines: Vec<Cell>,
}

/// Gives the facts: who, when, what, before and after, from where, with which credential.
pub(super) fn facts(answer: &Answer, proofs: &mut Proofs, lang: Lang) -> Vec<Fact> {
    let mut facts = Vec::new();
    let root = &answer.root;
    let sure = Word::from(root.confidence).say(lang);
    add(
        &mut facts,
        Word::Who,
        vec![
            Cell::text(format!("{} ({sure})", who(root, lang))),
            Cell::name(root.id.as_deref().filter(|id| Some(*id) != root.name.as_deref())),
            Cell::text(root.why.clone()),
            proofs.cell(&root.evidence),
        ],
    );
    for other in root.runners_up.iter().take(3) {
        add(&mut facts, Word::Or, vec![Cell::name(Some(&other.id)), Cell::text(other.why.clone())]);
    }
    if let Some(cause) = &answer.cause {
        of_cause(&mut facts, cause, proofs, lang);
    }
    if let Some(why) = &answer.cannot_tell {
        add(&mut facts, Word::Cause, vec![Cell::text(format!("{}: {why}", Word::CannotBeTold.say(lang)))]);
    }
    if let Some(source) = &answer.source {
        add(
            &mut facts,
            Word::FromWhere,
            vec![Cell::text(place(source, lang)), span(source.first_seen, source.last_seen)],
        );
    }
    if let Some(used) = &answer.credential {
        let mut lines = life_of(used, lang);
        lines.insert(0, Cell::text(credential(used, lang)));
        lines.push(proofs.cell(&used.evidence));
        add(&mut facts, Word::Credential, lines);
    }
    if let Some(finding) = &answer.finding {
        let by = [&finding.severity, &finding.product, &finding.status];
        let by: Vec<&str> = by.into_iter().filter_map(Option::as_deref).collect();
        add(
            &mut facts,
            Word::Finding,
            vec![
                Cell::text(finding.title.clone().unwrap_or_default()),
                Cell::text(by.join(" · ")),
                Cell::name(finding.control.as_deref()),
                Cell::moment(finding.first_seen.or(finding.time)),
                proofs.cell(&finding.evidence),
            ],
        );
    }
    facts
}

/// Adds a fact; one without lines is none.
fn add(facts: &mut Vec<Fact>, label: Word, lines: Vec<Cell>) {
    let lines: Vec<Cell> = lines.into_iter().filter(|line| *line != Cell::None).collect();
    if !lines.is_empty() {
        facts.push(Fact { label, lines });
    }
}

fn of_cause(facts: &mut Vec<Fact>, cause: &Cause, proofs: &mut Proofs, lang: Lang) {
    add(facts, Word::When, vec![span(cause.line.time, cause.line.last)]);
    let sure = Word::from(cause.confidence).say(lang);
    add(
        facts,
        Word::What,
        vec![
            Cell::text(format!("{} ({sure})", deed(&cause.line, lang))),
            Cell::name(cause.line.resource.as_deref()),
            Cell::name(cause.line.error.as_deref()),
            place_of_line(&cause.line),
            Cell::text(cause.why.clone()),
            proofs.cell(&cause.line.evidence),
        ],
    );
    add(facts, Word::Before, vec![Cell::name(cause.before.as_deref())]);
    add(facts, Word::After, vec![Cell::name(cause.after.as_deref())]);
    if cause.after != cause.request {
        add(facts, Word::Request, vec![Cell::name(cause.request.as_deref())]);
    }
    for other in cause.runners_up.iter().take(3) {
        let at = other.line.time.map(Moment::plain).unwrap_or_default();
        let text = format!("{at} {}", deed(&other.line, lang));
        add(
            facts,
            Word::Not,
            vec![Cell::text(text), Cell::name(other.line.actor.as_deref()), Cell::text(other.why.clone())],
        );
    }
}

fn span(first: Option<Moment>, last: Option<Moment>) -> Cell {
    match (first, last) {
        (Some(first), Some(last)) if first.plain() != last.plain() => {
            Cell::Text(format!("{} – {}", first.plain(), last.plain()))
        }
        (first, last) => Cell::moment(first.or(last)),
    }
}

/// The call with its service, and how often.
fn deed(line: &Line, lang: Lang) -> String {
    let count = if line.count > 1 { format!(" ×{}", line.count) } else { String::new() };
    match (call(line), &line.remark) {
        (Some(call), _) => format!("{call}{count}"),
        (None, Some(remark)) => remark.clone(),
        (None, None) => Word::CauseFlow.say(lang).to_owned(),
    }
}

fn life_of(used: &Credential, lang: Lang) -> Vec<Cell> {
    let said = |word: Word, moment: Option<Moment>| {
        moment.map(|moment| format!("{} {}", word.say(lang), moment.plain()))
    };
    let issued: Vec<String> = [said(Word::Issued, used.issued_at), said(Word::Expires, used.expires_at)]
        .into_iter()
        .flatten()
        .collect();
    let used_from = match (used.first_seen, used.last_seen) {
        (Some(first), Some(last)) => format!(
            "{} {} – {}, {} {}",
            Word::Used.say(lang),
            first.plain(),
            last.plain(),
            used.events,
            Word::Events.say(lang)
        ),
        _ => String::new(),
    };
    vec![Cell::name(used.principal.as_deref()), Cell::text(issued.join(" – ")), Cell::text(used_from)]
}
