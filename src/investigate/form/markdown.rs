//! An answer as Markdown, for a ticket.
//!
//! Takes an answer and a language, writes headings, the paragraph, facts and tables. Promises: what may be a log's stands in
//! code spans, in which no reader sees markup, a link, a picture, a mention or the end of a cell; what would end the span or
//! the cell is written as `\u{…}`.

use std::fmt::Write as _;
use std::io::Write;

use super::super::answer::Answer;
use super::facts::facts;
use super::sections::{Cell, Proofs, Section, sections};
use super::{Lang, Word, cut, cut_words, sentences};
use crate::query::format::text::visible;

/// How many rows a table has; a ticket bears no more.
const ROWS_MAX: usize = 40;

/// How many characters of a cell are shown.
const CELL_CHARS_MAX: usize = 200;

/// How many characters of a fact are shown: a request is read here.
const FACT_CHARS_MAX: usize = 2_000;

/// Writes an answer.
///
/// # Errors
/// The place does not take it.
pub fn write(answer: &Answer, lang: Lang, out: &mut dyn Write) -> std::io::Result<()> {
    let mut text = String::new();
    let subject = &answer.subject;
    let kind = Word::from(subject.kind).say(lang);
    line(&mut text, &format!("# {kind}: {}", code(&cut(&subject.id, CELL_CHARS_MAX, lang))));
    line(&mut text, "");
    for sentence in sentences(answer, lang) {
        line(&mut text, &opening(&cut_words(&sentence, 2 * CELL_CHARS_MAX, lang)));
        line(&mut text, "");
    }
    let window = &answer.window;
    line(
        &mut text,
        &format!(
            "{}: {} – {} UTC ({})",
            Word::Window.say(lang),
            window.from.plain(),
            window.to.plain(),
            prose(&window.basis)
        ),
    );
    let mut proofs = Proofs::default();
    heading(&mut text, Word::Facts.say(lang), None);
    for fact in facts(answer, &mut proofs, lang) {
        let lines: Vec<String> = fact.lines.iter().map(|line| cell(line, FACT_CHARS_MAX, lang)).collect();
        line(&mut text, &format!("- **{}**: {}", fact.label.say(lang), lines.join("; ")));
    }
    for section in sections(answer, proofs, lang, ROWS_MAX) {
        table(&mut text, &section, lang);
    }
    notes(&mut text, answer, lang);
    out.write_all(text.as_bytes())
}

fn line(text: &mut String, more: &str) {
    text.push_str(more);
    text.push('\n');
}

fn heading(text: &mut String, title: &str, count: Option<usize>) {
    let count = count.map(|count| format!(" ({count})")).unwrap_or_default();
    line(text, &format!("\n## {title}{count}\n"));
}

fn table(text: &mut String, section: &Section, lang: Lang) {
    heading(text, section.title.say(lang), Some(section.count));
    if let Some(about) = &section.about {
        line(text, &format!("{}\n", opening(&cut_words(about, CELL_CHARS_MAX, lang))));
    }
    let head: Vec<&str> = section.head.iter().map(|word| word.say(lang)).collect();
    line(text, &format!("| {} |", head.join(" | ")));
    line(text, &format!("|{}", " --- |".repeat(head.len())));
    // Of evidence nothing is cut: it is there to be looked up.
    let chars_max = if section.title == Word::EvidenceHead { usize::MAX } else { CELL_CHARS_MAX };
    for row in &section.rows {
        let cells: Vec<String> = row.cells.iter().map(|one| cell(one, chars_max, lang)).collect();
        line(text, &format!("| {} |", cells.join(" | ")));
    }
    let more = section.count - section.rows.len().min(section.count);
    if more > 0 {
        line(text, &format!("\n… {more} {}", Word::InTheJson.say(lang)));
    }
}

fn notes(text: &mut String, answer: &Answer, lang: Lang) {
    if !answer.notes.is_empty() {
        heading(text, Word::ToKnow.say(lang), None);
    }
    for note in &answer.notes {
        let kind = Word::from(note.kind).say(lang);
        line(text, &format!("- {kind}: {}", prose(&cut_words(&note.text, 2 * CELL_CHARS_MAX, lang))));
    }
    let read: u64 = answer.asked.iter().map(|asked| asked.bytes_read).sum();
    line(text, &format!("\n{} {} {read}", answer.asked.len(), Word::QuestionsRead.say(lang)));
    line(text, Word::Utc.say(lang));
}

fn cell(cell: &Cell, chars_max: usize, lang: Lang) -> String {
    match cell {
        Cell::Text(text) => prose(&cut(text, chars_max, lang)),
        Cell::Name(name) => code(&cut(name, chars_max, lang)),
        Cell::Proof(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(|number| format!("({number})")).collect();
            numbers.join(" ")
        }
        Cell::None => String::new(),
    }
}

/// Returns the text as a code span. A backtick would end it, a pipe its cell; a span of spaces alone is none.
fn code(text: &str) -> String {
    let mut span = String::with_capacity(text.len() + 2);
    for c in visible(text).chars() {
        match c {
            '`' => span.push_str("\\u{60}"),
            '|' => span.push_str("\\u{7c}"),
            c => span.push(c),
        }
    }
    if span.trim().is_empty() { String::new() } else { format!("`{span}`") }
}

/// Returns a paragraph: as [`prose`], and not markup at the head of a line, as `1.` and `---` are.
fn opening(text: &str) -> String {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    if first.starts_with(char::is_alphabetic) || is_moment(first) {
        return prose(text);
    }
    format!("{} {}", code(first), prose(rest))
}

/// Returns sentences as they are, with each word that is not plain letters and digits as a code span.
fn prose(text: &str) -> String {
    let mut said = String::with_capacity(text.len() + 16);
    for piece in text.split_inclusive(is_between) {
        let word = piece.trim_end_matches(is_between);
        let opened = word.trim_start_matches('(');
        let inner = opened.trim_end_matches(['.', ',', ';', ':', ')']);
        if is_plain(inner) {
            said.push_str(piece);
            continue;
        }
        let before = word.strip_suffix(opened).unwrap_or_default();
        let after = opened.strip_prefix(inner).unwrap_or_default();
        let between = piece.strip_prefix(word).unwrap_or_default();
        // Writing to a String cannot fail.
        let _infallible = write!(said, "{before}{}{after}{between}", code(inner));
    }
    said
}

/// What stands between words, in Japanese too.
const fn is_between(c: char) -> bool {
    matches!(c, ' ' | '、' | '。' | '（' | '）' | '・')
}

fn is_plain(word: &str) -> bool {
    let is_number = || {
        word.split_once('.').is_some_and(|(whole, rest)| {
            [whole, rest].iter().all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()))
        })
    };
    word.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '×' | '–' | '…' | '·' | '→'))
        || is_moment(word)
        || is_number()
}

/// A day or a time of day.
fn is_moment(word: &str) -> bool {
    let is_shape = |shape: &str| {
        word.len() == shape.len()
            && word
                .chars()
                .zip(shape.chars())
                .all(|(c, s)| if s == '0' { c.is_ascii_digit() } else { c == s })
    };
    is_shape("0000-00-00") || is_shape("00:00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plain_word_is_code() {
        let check = |text, expected: &str| assert_eq!(prose(text), expected);
        check("On 2026-02-04 03:11:29 UTC", "On 2026-02-04 03:11:29 UTC");
        check("2026-02-04 03:11:29 UTC", "2026-02-04 03:11:29 UTC");
        check("from 192.0.2.146 (special; agent aws-cli),", "from `192.0.2.146` (special; agent aws-cli),");
        check("by @everyone, ![x](http://e.x) a|b", "by `@everyone`, `![x](http://e.x`) `a\\u{7c}b`");
        check("say `c`", "say `\\u{60}c\\u{60}`");
        check("6.79 GB、<b>。（a_b）", "6.79 GB、`<b>`。（`a_b`）");
        assert_eq!(opening("1. one"), "`1.` one");
        assert_eq!(opening("--- one"), "`---` one");
        assert_eq!(opening("# one"), "`#` one");
        assert_eq!(opening("2026-02-04 is a day"), "2026-02-04 is a day");
    }

    #[test]
    fn a_code_span_ends_where_it_should() {
        assert_eq!(code("a`b|c"), "`a\\u{60}b\\u{7c}c`");
        assert_eq!(code("  "), "");
        assert_eq!(code("a\nb"), "`a\\u{a}b`");
    }
}
