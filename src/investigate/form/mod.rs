//! The forms of an answer for people: Markdown for a ticket, one HTML page; and what both and the terminal say in two languages.
//!
//! ```text
//! Answer ─ facts, sections (what is shown, in which order) ─┬→ markdown
//!            └── words, japanese ───────────────────────────┴→ html ─ chain, axis (SVG), page (escapes)
//! ```
//!
//! Promises:
//! - text of a log is text in every form: the writers of both forms take their own markup as constants of the program and
//!   escape all else;
//! - a text longer than a cell bears is cut and says so; event ids and objects of the evidence are whole;
//! - both forms have the same sections.
//!
//! Not here: what the answer is.

use std::borrow::Cow;

use super::answer::{Answer, Credential, Root, Source, Usual};
use super::say;

mod words;
mod japanese;
mod facts;
mod sections;
mod page;
mod chain;
mod axis;
pub mod html;
pub mod markdown;

pub(super) use sections::weightiest;
pub use words::Lang;
pub(super) use words::{Word, credential as credential_kind, edge};

/// Says the answer sentence by sentence, the deed first.
fn sentences(answer: &Answer, lang: Lang) -> Vec<String> {
    match lang {
        Lang::En => say::sentences(answer),
        Lang::Ja => japanese::sentences(answer),
    }
}

/// Says the answer.
pub(super) fn paragraph(answer: &Answer, lang: Lang) -> Cow<'_, str> {
    match lang {
        Lang::En => Cow::Borrowed(&answer.answer.text),
        Lang::Ja => Cow::Owned(japanese::sentences(answer).concat()),
    }
}

/// Says who is behind it.
pub(super) fn who(root: &Root, lang: Lang) -> String {
    match lang {
        Lang::En => say::who(root),
        Lang::Ja => japanese::who(root),
    }
}

fn place(source: &Source, lang: Lang) -> String {
    match lang {
        Lang::En => say::place_of(source),
        Lang::Ja => japanese::place_of(source),
    }
}

fn credential(used: &Credential, lang: Lang) -> String {
    match lang {
        Lang::En => say::credential_of(used),
        Lang::Ja => japanese::credential_of(used),
    }
}

/// Says the kind of an address.
pub(super) fn kind_of_address(kind: &str, lang: Lang) -> String {
    match lang {
        Lang::En => kind.to_owned(),
        Lang::Ja => japanese::kind_of(kind),
    }
}

/// Says the kind of what was created.
pub(super) fn created_kind(kind: &str, lang: Lang) -> String {
    let japanese = match kind {
        "access_key" => "アクセスキー",
        "user" => "ユーザー",
        "role" => "ロール",
        "login_profile" => "ログインプロファイル",
        "policy" => "ポリシー",
        "instance" => "インスタンス",
        "function" => "関数",
        _ => return kind.replace('_', " "),
    };
    match lang {
        Lang::En => kind.replace('_', " "),
        Lang::Ja => japanese.to_owned(),
    }
}

/// Says what is compared with what is usual.
fn trait_of(what: &str, lang: Lang) -> &str {
    match lang {
        Lang::En => what,
        Lang::Ja => japanese::trait_of(what),
    }
}

/// Says whether something is usual.
pub(super) fn usual(one: &Usual, lang: Lang) -> Cow<'_, str> {
    if lang == Lang::En {
        return Cow::Borrowed(&one.text);
    }
    let is_usual = match (one.is_new, one.first_seen) {
        (Some(true), _) => format!("過去 {} 日で初めて", one.days),
        (Some(false), Some(first)) => format!("普段どおり ({} から)", first.plain()),
        (Some(false), None) => Word::Usual.say(lang).to_owned(),
        (None, _) => Word::NothingToCompare.say(lang).to_owned(),
    };
    let others = match (one.others, one.of) {
        (Some(others), Some(of)) => format!("。アカウントのほかの主体 {of} のうち {others}"),
        _ => String::new(),
    };
    Cow::Owned(format!("{} {}: {is_usual}{others}", japanese::trait_of(&one.what), one.value))
}

/// Cuts a text to so many characters and says how many there were more.
fn cut(text: &str, chars_max: usize, lang: Lang) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= chars_max {
        return Cow::Borrowed(text);
    }
    let head: String = text.chars().take(chars_max).collect();
    Cow::Owned(format!("{head}… ({} {})", count - chars_max, Word::MoreCharacters.say(lang)))
}

/// Cuts what has no space within to so many characters, so that one long name does not drown a paragraph.
fn cut_words(text: &str, chars_max: usize, lang: Lang) -> String {
    text.split(' ').map(|word| cut(word, chars_max, lang)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("足跡", 2, Lang::En), "足跡");
        assert_eq!(cut("足跡を", 2, Lang::En), "足跡… (1 more characters)");
        assert_eq!(cut_words("by aaaa on b", 3, Lang::Ja), "by aaa… (1 文字を省略) on b");
    }
}
