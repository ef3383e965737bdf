//! The answer for a terminal, or a pipe.
//!
//! Takes an answer and the screen and writes sections: the answer, who, cause, chain, credential, sources, timeline and the rest.
//! Promises:
//! - no control code of a log reaches the terminal, and none of ours a pipe;
//! - lines fit the terminal; in a pipe nothing is cut.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

use super::answer::{Answer, Candidate, Direction, Edge, Evidence, Line, Usual};
use super::evidence::{Chain, Judged, Verdict};
use super::form::{self, Lang, Word};
use super::moment::Moment;
use crate::query::Screen;
use crate::query::format::text::{columns, fit, visible};

/// How wide text is where there is no terminal to ask.
const WIDTH: usize = 110;

/// How many lines of a section are shown; JSON has all.
const LINES_MAX: usize = 60;

/// How wide labels are.
const LABEL: usize = 11;

/// How many of the objects of which the same is said are named; JSON has all.
const ALIKE_SHOWN_MAX: usize = 3;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const YELLOW: &str = "33";
const CYAN: &str = "36";

/// Writes an answer.
///
/// # Errors
/// The place does not take it.
pub fn write(answer: &Answer, look: Look, out: &mut dyn Write) -> std::io::Result<()> {
    let mut page = Page { text: String::new(), look };
    page.all(answer);
    out.write_all(page.text.as_bytes())
}

/// Writes how an answer begins: the paragraph, who, the cause, the chain.
///
/// # Errors
/// The place does not take it.
pub fn write_beginning(answer: &Answer, look: Look, out: &mut dyn Write) -> std::io::Result<()> {
    let mut page = Page { text: String::new(), look };
    page.beginning(answer);
    out.write_all(page.text.as_bytes())
}

/// How an answer is shown.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Where it goes to.
    pub screen: Screen,
    /// Whether a terminal may be sent colours.
    pub is_coloured: bool,
    /// The language of labels.
    pub lang: Lang,
}

struct Page {
    text: String,
    look: Look,
}

impl Page {
    fn beginning(&mut self, answer: &Answer) {
        let subject = &answer.subject;
        let kind = self.say(subject.kind);
        self.line(&self.paint(BOLD, &format!("{kind} {}", safe(&subject.id))));
        let window = &answer.window;
        let text = format!("{} – {} UTC: {}", window.from.plain(), window.to.plain(), safe(&window.basis));
        self.line(&self.paint(DIM, &text));
        self.line("");
        self.wrapped("", &safe(&form::paragraph(answer, self.look.lang)));
        self.who(answer);
        self.cause(answer);
        self.chain(&answer.chain);
    }

    fn all(&mut self, answer: &Answer) {
        self.beginning(answer);
        self.sources(answer);
        self.lines(Word::Timeline, &answer.timeline);
        self.created(answer);
        self.lines(Word::Refused, &answer.denied);
        self.lines(Word::Logging, &answer.logging_changes);
        self.companions(answer);
        self.usual(&answer.usual);
        self.network(answer);
        self.findings(answer);
        self.verified(&answer.verified);
        self.notes(answer);
    }

    fn say(&self, word: impl Into<Word>) -> &'static str {
        word.into().say(self.look.lang)
    }

    /// A label in front of a wrapped text, as wide as the others.
    fn labelled(&mut self, word: Word, text: &str) {
        let word = self.say(word);
        let gap = " ".repeat(LABEL.saturating_sub(columns(word)).max(1));
        self.wrapped(&format!("  {word}{gap}"), text);
    }

    fn width(&self) -> usize {
        match self.look.screen {
            Screen::Terminal { width } => width.max(40),
            Screen::None => WIDTH,
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.look.screen {
            Screen::Terminal { .. } if self.look.is_coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            _ => text.to_owned(),
        }
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn heading(&mut self, word: Word) {
        self.title(self.say(word));
    }

    fn title(&mut self, text: &str) {
        self.line("");
        self.line(&self.paint(BOLD, text));
    }

    /// Safe text in lines that fit, each after the first as far in as the label is wide.
    fn wrapped(&mut self, label: &str, text: &str) {
        let indent = columns(label);
        let room = self.width().saturating_sub(indent).max(20);
        let mut line = String::new();
        let mut first = true;
        let mut flush = |page: &mut Self, line: &mut String| {
            let start = if first { label.to_owned() } else { " ".repeat(indent) };
            first = false;
            page.line(&format!("{start}{line}"));
            line.clear();
        };
        for word in text.split(' ') {
            // Japanese has no spaces, but points where a line may end.
            for (number, piece) in word.split_inclusive(['、', '。']).enumerate() {
                let gap = usize::from(number == 0 && !line.is_empty());
                if !line.is_empty() && columns(&line) + gap + columns(piece) > room {
                    flush(self, &mut line);
                } else if gap == 1 {
                    line.push(' ');
                }
                line.push_str(piece);
            }
        }
        flush(self, &mut line);
    }

    /// One line, cut to the terminal; in a pipe nothing is cut.
    fn cut(&mut self, text: &str, code: Option<&str>) {
        let fitted = match self.look.screen {
            Screen::Terminal { width } => fit(text, width),
            Screen::None => text.to_owned(),
        };
        let painted = code.map_or_else(|| fitted.clone(), |code| self.paint(code, &fitted));
        self.line(&painted);
    }

    fn who(&mut self, answer: &Answer) {
        let root = &answer.root;
        self.heading(Word::Who);
        let sure = self.say(root.confidence);
        self.wrapped("  ", &format!("{} ({sure})", safe(&form::who(root, self.look.lang))));
        if let Some(id) = &root.id {
            self.labelled(Word::Id, &safe(id));
        }
        self.labelled(Word::Because, &safe(&root.why));
        for other in root.runners_up.iter().take(LINES_MAX) {
            self.labelled(Word::Or, &safe(&format!("{}: {}", other.id, other.why)));
        }
        if let Some(credential) = &answer.credential {
            let life = match (credential.first_seen, credential.last_seen) {
                (Some(first), Some(last)) => {
                    format!(", {} {} – {}", self.say(Word::Used), first.plain(), last.plain())
                }
                _ => String::new(),
            };
            let issued =
                credential.issued_at.map(|at| format!(", {} {}", self.say(Word::Issued), at.plain()));
            let text = format!(
                "{} {}{}{life}, {} {}",
                form::credential_kind(&credential.kind, self.look.lang),
                credential.id,
                issued.unwrap_or_default(),
                credential.events,
                self.say(Word::Events)
            );
            self.labelled(Word::Credential, &safe(&text));
        }
    }

    fn cause(&mut self, answer: &Answer) {
        if let Some(why) = &answer.cannot_tell {
            self.heading(Word::Cause);
            let label = format!("  {}: ", self.say(Word::CannotBeTold));
            self.wrapped(&label, &safe(why));
        }
        let Some(cause) = &answer.cause else { return };
        self.heading(Word::Cause);
        self.one(&cause.line);
        self.labelled(Word::Sure, self.say(cause.confidence));
        self.labelled(Word::Because, &safe(&cause.why));
        let after = cause.after.clone().filter(|after| Some(after) != cause.request.as_ref());
        let told = [(Word::Request, &cause.request), (Word::Before, &cause.before), (Word::After, &after)];
        for (label, text) in told {
            if let Some(text) = text {
                self.labelled(label, &safe(text));
            }
        }
        for Candidate { line, why } in &cause.runners_up {
            let at = line.time.map(Moment::plain).unwrap_or_default();
            let text = format!("{at} {} by {}: {why}", part(&line.operation), part(&line.actor));
            self.labelled(Word::Not, &safe(&text));
        }
        self.evidence(&cause.line.evidence);
    }

    fn evidence(&mut self, evidence: &[Evidence]) {
        for one in evidence {
            let index = one.index.map(|index| format!(" [{index}]")).unwrap_or_default();
            let text = format!("{} {}{index}", part(&one.event_id), part(&one.object));
            let label = self.say(Word::EvidenceLabel);
            let gap = " ".repeat(LABEL.saturating_sub(columns(label)).max(1));
            self.cut(&format!("  {label}{gap}{}", safe(&text)), Some(DIM));
        }
    }

    fn chain(&mut self, chain: &[Edge]) {
        if chain.is_empty() {
            return;
        }
        self.heading(Word::Chain);
        for edge in chain.iter().take(LINES_MAX) {
            let mark = if edge.direction == Direction::Up { "→" } else { "↳" };
            let end = |party: &super::answer::Party| {
                let name = party.actor.as_deref().or(party.principal.as_deref()).or(party.account.as_deref());
                let key = party.credential.as_deref().map(|key| format!(" [{key}]")).unwrap_or_default();
                format!("{}{key}", name.unwrap_or("?"))
            };
            let at = edge.issued_at.map(Moment::plain).unwrap_or_default();
            let indent = "  ".repeat(usize::try_from(edge.depth.min(4)).unwrap_or(1));
            let indent = if edge.direction == Direction::Up { "  ".to_owned() } else { indent };
            let text = format!(
                "{at}  {} {mark} {}  {} ({})",
                end(&edge.parent),
                end(&edge.child),
                form::edge(&edge.kind, self.look.lang),
                self.say(edge.confidence)
            );
            self.wrapped(&indent, &safe(&text));
        }
        self.more(chain.len());
    }

    fn more(&mut self, count: usize) {
        if count > LINES_MAX {
            self.line(&self.paint(DIM, &format!("  … {} {}", count - LINES_MAX, self.say(Word::InTheJson))));
        }
    }

    fn sources(&mut self, answer: &Answer) {
        if answer.sources.is_empty() {
            return;
        }
        self.heading(Word::FromWhere);
        for source in answer.sources.iter().take(LINES_MAX) {
            let span = match (source.first_seen, source.last_seen) {
                (Some(first), Some(last)) => format!("{} – {}", first.plain(), last.plain()),
                _ => String::new(),
            };
            let known: Vec<String> = [
                source.kind.as_deref().map(|kind| form::kind_of_address(kind, self.look.lang)),
                source.country.clone(),
                source.as_name.clone(),
                source.held_by.clone(),
                source.indicator.clone(),
            ]
            .into_iter()
            .flatten()
            .collect();
            let new = if source.is_new == Some(true) { self.say(Word::New) } else { "" };
            let text = format!(
                "  {:<16} {span}  {} {}, {} {}  {}  {}  {new}",
                source.address,
                source.events,
                self.say(Word::Calls),
                source.failed,
                self.say(Word::Failed),
                known.join(", "),
                source.agents.join(", ")
            );
            self.cut(&safe(&text), (source.is_new == Some(true)).then_some(YELLOW));
        }
    }

    fn one(&mut self, line: &Line) {
        let mut text = format!("  {}", line.time.map(Moment::plain).unwrap_or_default());
        let what = match (&line.service, &line.operation) {
            (Some(service), Some(operation)) => {
                format!("{}:{operation}", service.trim_end_matches(".amazonaws.com"))
            }
            (_, operation) => part(operation).to_owned(),
        };
        // Writing to a String cannot fail.
        let _infallible = write!(text, "  {}  {}", part(&line.account), what);
        let count = (line.count > 1 && line.remark.is_none()).then(|| format!("×{}", line.count));
        for more in [&line.resource, &line.error, &line.remark, &count, &line.source] {
            if let Some(more) = more.as_deref().filter(|more| !more.is_empty()) {
                let _infallible = write!(text, "  {more}");
            }
        }
        let code = match (line.error.is_some(), line.is_read) {
            (true, _) => Some(RED),
            (false, Some(true)) => Some(DIM),
            _ => None,
        };
        self.cut(&safe(&text), code);
    }

    fn lines(&mut self, heading: Word, lines: &[Line]) {
        if lines.is_empty() {
            return;
        }
        self.title(&format!("{} ({})", self.say(heading), lines.len()));
        for line in form::weightiest(lines, LINES_MAX) {
            self.one(line);
        }
        self.more(lines.len());
    }

    fn created(&mut self, answer: &Answer) {
        if answer.created.is_empty() {
            return;
        }
        self.heading(Word::Created);
        for one in answer.created.iter().take(LINES_MAX) {
            let at = one.line.time.map(Moment::plain).unwrap_or_default();
            let text = format!(
                "  {at}  {} {}  {}",
                form::created_kind(&one.kind, self.look.lang),
                one.id,
                part(&one.line.account)
            );
            self.cut(&safe(&text), None);
        }
        self.more(answer.created.len());
    }

    fn companions(&mut self, answer: &Answer) {
        if answer.same_source.is_empty() {
            return;
        }
        self.heading(Word::SameAddress);
        for one in answer.same_source.iter().take(LINES_MAX) {
            let text = format!(
                "  {}  {}  {}  {} {}  {}",
                one.first_seen.map(Moment::plain).unwrap_or_default(),
                part(&one.principal),
                part(&one.credential),
                one.events,
                self.say(Word::Calls),
                part(&one.agent)
            );
            self.cut(&safe(&text), None);
        }
    }

    fn usual(&mut self, usual: &[Usual]) {
        if usual.is_empty() {
            return;
        }
        self.heading(Word::IsItUsual);
        for one in usual.iter().take(LINES_MAX) {
            let code = (one.is_new == Some(true)).then_some(YELLOW);
            self.cut(&format!("  {}", safe(&form::usual(one, self.look.lang))), code);
        }
    }

    fn network(&mut self, answer: &Answer) {
        let network = &answer.network;
        if network.flows.is_empty() {
            return;
        }
        let basis = network.basis.as_deref().unwrap_or("flows");
        self.title(&format!(
            "{}: {}, {} {}",
            self.say(Word::Network),
            safe(basis),
            network.bytes,
            self.say(Word::Bytes)
        ));
        for flow in network.flows.iter().take(20) {
            let port = flow.port.map(|port| port.to_string()).unwrap_or_default();
            let text = format!(
                "  {}  {} → {} :{port}  {}  {} {}  {} {}",
                flow.first_seen.map(Moment::plain).unwrap_or_default(),
                part(&flow.src_ip),
                part(&flow.dst_ip),
                part(&flow.action),
                flow.flows,
                self.say(Word::Flows),
                flow.bytes,
                self.say(Word::Bytes)
            );
            self.cut(&safe(&text), None);
        }
        if !network.new_peers.is_empty() {
            let peers: Vec<&str> = network.new_peers.iter().take(10).map(String::as_str).collect();
            self.labelled(Word::NewPeers, &safe(&peers.join(" ")));
        }
    }

    fn findings(&mut self, answer: &Answer) {
        if answer.findings.is_empty() {
            return;
        }
        self.heading(Word::OtherFindings);
        for finding in answer.findings.iter().take(20) {
            let text = format!(
                "  {}  {}  {}  {}  ({})",
                finding.time.map(Moment::plain).unwrap_or_default(),
                part(&finding.severity),
                part(&finding.product),
                part(&finding.title),
                part(&finding.why)
            );
            self.cut(&safe(&text), None);
        }
    }

    fn verified(&mut self, verified: &[Judged]) {
        if verified.is_empty() {
            return;
        }
        let whole = verified.iter().filter(|judged| judged.verdict == Verdict::Verified).count();
        self.title(&format!("{} ({whole}/{})", self.say(Word::Verified), verified.len()));
        let mut alike: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for judged in verified.iter().filter(|judged| judged.verdict != Verdict::Verified) {
            let why = judged.verdict.reason().unwrap_or_default();
            alike.entry((judged.verdict.word(), why)).or_default().push(&judged.object);
        }
        for ((verdict, why), objects) in alike {
            self.wrapped("  ", &format!("{verdict}: {} × {}", objects.len(), safe(why)));
            for object in objects.iter().take(ALIKE_SHOWN_MAX) {
                self.cut(&format!("    {}", safe(object)), None);
            }
        }
        for judged in verified {
            if let Some(Chain::Broken { reason }) = &judged.chain {
                self.wrapped(
                    "",
                    &format!("  chain of digests broken at {}: {}", safe(&judged.object), safe(reason)),
                );
            }
        }
    }

    fn notes(&mut self, answer: &Answer) {
        if answer.notes.is_empty() {
            return;
        }
        self.heading(Word::ToKnow);
        for note in &answer.notes {
            self.wrapped("  - ", &safe(&note.text));
        }
        let read: u64 = answer.asked.iter().map(|asked| asked.bytes_read).sum();
        let text = format!("  {} {} {read}", answer.asked.len(), self.say(Word::QuestionsRead));
        self.line(&self.paint(CYAN, &text));
    }
}

fn part(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("-")
}

fn safe(text: &str) -> String {
    visible(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_whatever_they_say() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdef", 5), "abcd…");
        assert_eq!(fit("足跡足跡", 6), "足跡…");
        let look = Look { screen: Screen::Terminal { width: 40 }, is_coloured: true, lang: Lang::En };
        let mut page = Page { text: String::new(), look };
        page.wrapped("  - ", &"word ".repeat(30));
        assert!(page.text.lines().all(|line| columns(line) <= 40), "{}", page.text);
    }

    #[test]
    fn pipes_get_no_colour_and_terminals_no_code_of_a_log() {
        let line = Line {
            operation: Some("Get\u{1b}[31mX".to_owned()),
            error: Some("x".to_owned()),
            ..Line::default()
        };
        let shown = |screen, is_coloured| {
            let look = Look { screen, is_coloured, lang: Lang::Ja };
            let mut page = Page { text: String::new(), look };
            page.one(&line);
            page.text
        };
        assert!(!shown(Screen::None, true).contains('\u{1b}'));
        assert!(!shown(Screen::Terminal { width: 100 }, false).contains('\u{1b}'));
        assert_eq!(shown(Screen::Terminal { width: 100 }, true).matches('\u{1b}').count(), 2, "only ours");
    }
}
