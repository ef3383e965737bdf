//! An answer as one page of HTML.
//!
//! Takes an answer and a language, writes a page that needs nothing else: no script, no picture or font from elsewhere, and a policy
//! that forbids them. Promises: the answer stands first; the page reads on a phone, on a wide screen, on paper, dark and light;
//! text of a log is text (`page`).

use std::io::Write;

use super::super::answer::Answer;
use super::facts::{Fact, facts};
use super::page::{Page, Value};
use super::sections::{Cell, Proofs, Row, Section, Tone, sections};
use super::{Lang, Word, axis, chain, cut, cut_words, sentences};

/// How many rows a table has.
const ROWS_MAX: usize = 250;

/// How many characters of a cell are shown.
const CELL_CHARS_MAX: usize = 300;

/// How many characters of a fact are shown: a request is read here.
const FACT_CHARS_MAX: usize = 4_000;

/// Writes an answer.
///
/// # Errors
/// The place does not take it.
pub fn write(answer: &Answer, lang: Lang, out: &mut dyn Write) -> std::io::Result<()> {
    let mut page = Page::default();
    page.constant("<!doctype html>\n");
    page.element("html", &[("lang", Value::Is(lang.tag()))], |page| {
        head(page, answer, lang);
        page.element("body", &[], |page| page.element("main", &[], |page| body(page, answer, lang)));
    });
    page.constant("\n");
    out.write_all(page.into_html().as_bytes())
}

fn head(page: &mut Page, answer: &Answer, lang: Lang) {
    page.element("head", &[], |page| {
        page.constant(
            "<meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <meta name=\"referrer\" content=\"no-referrer\">",
        );
        page.element("title", &[], |page| page.text(&format!("ashiato: {}", cut(&answer.subject.id, 120, lang))));
        page.constant("<style>");
        page.constant(include_str!("style.css"));
        page.constant("</style>");
    });
}

fn body(page: &mut Page, answer: &Answer, lang: Lang) {
    page.element("header", &[], |page| {
        page.element("p", &[("class", Value::Is("subject"))], |page| {
            page.tagged("span", "kind", Word::from(answer.subject.kind).say(lang));
            page.tagged("code", "", &cut(&answer.subject.id, CELL_CHARS_MAX, lang));
        });
        let mut said = sentences(answer, lang).into_iter().map(|one| cut_words(&one, CELL_CHARS_MAX, lang));
        page.tagged("h1", "", &said.next().unwrap_or_default());
        let rest: Vec<String> = said.collect();
        if !rest.is_empty() {
            page.tagged("p", "rest", &rest.join(if lang == Lang::Ja { "" } else { " " }));
        }
        let window = &answer.window;
        let text = format!(
            "{}: {} – {} UTC ({})",
            Word::Window.say(lang),
            window.from.plain(),
            window.to.plain(),
            window.basis
        );
        page.tagged("p", "quiet", &text);
    });
    let mut proofs = Proofs::default();
    let facts = facts(answer, &mut proofs, lang);
    page.element("div", &[("class", Value::Is("pair"))], |page| {
        page.element("section", &[], |page| {
            page.tagged("h2", "", Word::Facts.say(lang));
            page.element("dl", &[], |page| facts.iter().for_each(|one| fact(page, one, lang)));
        });
        page.element("section", &[], |page| {
            page.tagged("h2", "", Word::Chain.say(lang));
            chain::draw(page, answer, lang);
        });
    });
    if answer.timeline.is_empty() {
        page.element("section", &[], |page| {
            page.tagged("h2", "", Word::Timeline.say(lang));
            axis::draw(page, answer, lang);
        });
    }
    for section in sections(answer, proofs, lang, ROWS_MAX) {
        table(page, (answer, &section), lang);
    }
    notes(page, answer, lang);
}

fn fact(page: &mut Page, fact: &Fact, lang: Lang) {
    page.tagged("dt", "", fact.label.say(lang));
    page.element("dd", &[], |page| {
        for line in &fact.lines {
            page.element("div", &[], |page| {
                if matches!(line, Cell::Proof(_)) {
                    page.text(Word::EvidenceLabel.say(lang));
                    page.text(" ");
                }
                cell(page, line, (FACT_CHARS_MAX, false), lang);
            });
        }
    });
}

fn table(page: &mut Page, (answer, section): (&Answer, &Section), lang: Lang) {
    page.element("section", &[], |page| {
        page.element("h2", &[], |page| {
            page.text(section.title.say(lang));
            page.text(" ");
            page.tagged("span", "count", &section.count.to_string());
        });
        if section.title == Word::Timeline {
            axis::draw(page, answer, lang);
        }
        if let Some(about) = &section.about {
            page.tagged("p", "quiet", &cut_words(about, CELL_CHARS_MAX, lang));
        }
        page.element("table", &[], |page| {
            page.element("thead", &[], |page| columns(page, section, lang));
            page.element("tbody", &[], |page| {
                section.rows.iter().for_each(|one| row(page, section, one, lang))
            });
        });
        let more = section.count - section.rows.len().min(section.count);
        if more > 0 {
            page.tagged("p", "quiet", &format!("… {more} {}", Word::InTheJson.say(lang)));
        }
    });
}

fn columns(page: &mut Page, section: &Section, lang: Lang) {
    page.element("tr", &[], |page| {
        for word in &section.head {
            page.element("th", &[("scope", Value::Is("col"))], |page| page.text(word.say(lang)));
        }
    });
}

fn row(page: &mut Page, section: &Section, row: &Row, lang: Lang) {
    let is_evidence = section.title == Word::EvidenceHead;
    let class = match row.tone {
        Tone::Plain => "plain",
        Tone::Failed => "failed",
        Tone::Weighty => "weighty",
    };
    page.element("tr", &[("class", Value::Is(class))], |page| {
        for (one, word) in row.cells.iter().zip(&section.head) {
            // On a narrow screen each cell is a line after its column's name.
            let class = match one {
                Cell::None => "none",
                one if is_kept(one, *word) => "keep",
                _ => "cell",
            };
            let attributes = [("class", Value::Is(class)), ("data-label", Value::Is(word.say(lang)))];
            page.element("td", &attributes, |page| {
                // Of evidence nothing is cut: it is there to be looked up.
                let chars_max = if is_evidence { usize::MAX } else { CELL_CHARS_MAX };
                page.element("span", &[], |page| cell(page, one, (chars_max, is_evidence), lang));
            });
        }
    });
}

/// Whether a cell is short and reads better in one line.
fn is_kept(cell: &Cell, word: Word) -> bool {
    let chars_max = match word {
        Word::Time | Word::FirstSeen | Word::LastSeen | Word::Account | Word::Source | Word::To => 26,
        Word::Operation | Word::Credential | Word::EventId => 36,
        Word::Result | Word::Mfa => 30,
        _ => 0,
    };
    matches!(cell, Cell::Text(text) | Cell::Name(text) if text.chars().count() <= chars_max)
}

fn cell(page: &mut Page, cell: &Cell, (chars_max, is_target): (usize, bool), lang: Lang) {
    match cell {
        Cell::Text(text) => page.text(&cut(text, chars_max, lang)),
        Cell::Name(name) => page.tagged("code", "", &cut(name, chars_max, lang)),
        Cell::Proof(numbers) => {
            for number in numbers {
                let (name, value) =
                    if is_target { ("id", format!("e{number}")) } else { ("href", format!("#e{number}")) };
                let attributes = [("class", Value::Is("proof")), (name, Value::Text(value))];
                page.element("a", &attributes, |page| page.text(&number.to_string()));
            }
        }
        Cell::None => {}
    }
}

fn notes(page: &mut Page, answer: &Answer, lang: Lang) {
    if !answer.notes.is_empty() {
        page.element("section", &[], |page| {
            page.tagged("h2", "", Word::ToKnow.say(lang));
            page.element("ul", &[], |page| {
                for note in &answer.notes {
                    let kind = Word::from(note.kind).say(lang);
                    let text = cut_words(&note.text, CELL_CHARS_MAX, lang);
                    page.tagged("li", "", &format!("{kind}: {text}"));
                }
            });
        });
    }
    let read: u64 = answer.asked.iter().map(|asked| asked.bytes_read).sum();
    let asked = format!(
        "{} {} {read}. {} {}.",
        answer.asked.len(),
        Word::QuestionsRead.say(lang),
        Word::MadeBy.say(lang),
        env!("CARGO_PKG_VERSION")
    );
    page.element("footer", &[], |page| page.tagged("p", "quiet", &asked));
}
