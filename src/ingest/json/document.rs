//! A JSON value as a tree over its text, of which parts can be taken.
//!
//! For records of many shapes and modest number (findings, configuration): a
//! source takes the values that columns tell back, and what nobody took is known
//! in the end. Promises: the grammar is checked as in [`Scanner`]; an object that
//! has a name twice is refused, since no value under it could be trusted.

use std::borrow::Cow;
use std::cell::Cell;

use super::scan::{DEPTH_MAX, Kind, Scanner, Span, Stop};
use super::text::{compact, unescape};

/// A value and all that is in it.
#[derive(Debug)]
pub struct Document<'t> {
    text: &'t str,
    /// In the order of the text: what is in a value follows it.
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    key: Option<Span>,
    value: Span,
    /// One past the last node inside.
    end: usize,
    taken: Cell<bool>,
}

/// One value of a document.
#[derive(Debug, Clone, Copy)]
pub struct Item<'d> {
    document: &'d Document<'d>,
    at: usize,
}

/// OCSF's longest string (65,535 characters); a longer one is left where it is.
const STRING_BYTES_MAX: usize = 65_535;

/// Why two members of one name are refused.
const TWICE: &str = "a name that stands twice";

impl<'t> Document<'t> {
    /// Reads the value that starts at `at`.
    ///
    /// # Errors
    /// The text is incomplete, no JSON, or an object has a name twice.
    pub fn read(text: &'t str, at: usize) -> Result<Self, Stop> {
        let mut document = Self { text, nodes: Vec::new() };
        let mut scanner = Scanner::new(text.as_bytes(), at);
        document.value(&mut scanner, None, 0)?;
        Ok(document)
    }

    fn value(&mut self, scanner: &mut Scanner<'_>, key: Option<Span>, depth: u32) -> Result<(), Stop> {
        let (first, start) = (scanner.peek()?, scanner.at());
        if depth == DEPTH_MAX {
            return Err(Stop::Broken { at: start, what: "nested deeper than 128" });
        }
        let at = self.nodes.len();
        let kind = match first {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            _ => {
                let value = scanner.value()?;
                self.nodes.push(Node { key, value, end: at + 1, taken: Cell::new(false) });
                return Ok(());
            }
        };
        let open = Span::new(start, start, kind);
        self.nodes.push(Node { key, value: open, end: at, taken: Cell::new(false) });
        scanner.expect(first, "no container")?;
        let mut is_first = true;
        if kind == Kind::Object {
            while let Some(key) = scanner.member(&mut is_first)? {
                self.value(scanner, Some(key), depth + 1)?;
            }
        } else {
            while scanner.element(&mut is_first)? {
                self.value(scanner, None, depth + 1)?;
            }
        }
        let end = self.nodes.len();
        if let Some(node) = self.nodes.get_mut(at) {
            node.value = Span::new(start, scanner.at(), kind);
            node.end = end;
        }
        if self.has_name_twice(at) { Err(Stop::Broken { at: start, what: TWICE }) } else { Ok(()) }
    }

    fn has_name_twice(&self, object: usize) -> bool {
        let members = Item { document: self, at: object }.children().filter_map(Item::key);
        let mut names: Vec<&str> = members.map(|key| key.of(self.text)).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair.first() == pair.last())
    }

    /// Returns the whole value.
    pub fn root(&self) -> Item<'_> {
        Item { document: self, at: 0 }
    }
}

impl<'d> Item<'d> {
    fn node(self) -> Option<&'d Node> {
        self.document.nodes.get(self.at)
    }

    /// Returns the text that spans point into.
    pub fn text_around(self) -> &'d str {
        self.document.text
    }

    /// Returns where the value stands.
    pub fn span(self) -> Span {
        self.node().map_or(Span::new(0, 0, Kind::Null), |node| node.value)
    }

    /// Returns the name it has in its object.
    pub fn key(self) -> Option<Span> {
        self.node().and_then(|node| node.key)
    }

    /// Returns the kind of value.
    pub fn kind(self) -> Kind {
        self.span().kind
    }

    /// Returns the JSON text of the value.
    pub fn json(self) -> &'d str {
        self.span().json(self.document.text)
    }

    /// Returns the members of an object, or the elements of an array.
    pub fn children(self) -> impl Iterator<Item = Self> {
        let (document, end) = (self.document, self.node().map_or(0, |node| node.end));
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            let child = Self { document, at };
            at = child.node().filter(|_| at < end)?.end;
            Some(child)
        })
    }

    /// Returns the elements of an array; of anything else, nothing.
    pub fn elements(self) -> impl Iterator<Item = Self> {
        let is_array = self.kind() == Kind::Array;
        self.children().filter(move |_| is_array)
    }

    /// Finds the value at a path of names joined by dots. Names that differ in the case of letters are the
    /// same here: one service writes `Severity` in one place and `severity` in another.
    pub fn get(self, path: &str) -> Option<Self> {
        path.split('.').try_fold(self, Self::member)
    }

    /// Finds a member by its name, which may hold dots.
    pub fn member(self, name: &str) -> Option<Self> {
        if self.kind() != Kind::Object {
            return None;
        }
        let named = |child: &Self, is_same: fn(&str, &str) -> bool| {
            child.key().is_some_and(|key| is_same(key.of(self.document.text), name))
        };
        let exact = self.children().find(|child| named(child, |a, b| a == b));
        exact.or_else(|| self.children().find(|child| named(child, str::eq_ignore_ascii_case)))
    }

    /// Returns the text of a string; of another value, or one that no UTF-8 can say, nothing.
    pub fn text(self) -> Option<Cow<'d, str>> {
        let text = self.span().of(self.document.text);
        match self.kind() {
            Kind::Plain => Some(Cow::Borrowed(text)),
            Kind::Escaped => unescape(text).map(Cow::Owned),
            _ => None,
        }
    }

    /// Takes the text at a path, if a column can hold it.
    pub fn take_text(self, path: &str) -> Option<Cow<'d, str>> {
        let item = self.get(path)?;
        let text = item.text().filter(|text| text.len() <= STRING_BYTES_MAX)?;
        item.take();
        Some(text)
    }

    /// Takes the whole number at a path.
    pub fn take_integer(self, path: &str) -> Option<i64> {
        let item = self.get(path).filter(|item| item.kind() == Kind::Number)?;
        let number = item.json().parse().ok()?;
        item.take();
        Some(number)
    }

    /// Takes the truth at a path.
    pub fn take_flag(self, path: &str) -> Option<bool> {
        let item = self.get(path).filter(|item| item.kind() == Kind::Boolean)?;
        item.take();
        Some(item.json() == "true")
    }

    /// Takes the texts of the list at a path; nothing when it holds anything else.
    pub fn take_texts(self, path: &str) -> Vec<String> {
        let Some(list) = self.get(path).filter(|item| item.kind() == Kind::Array) else {
            return Vec::new();
        };
        let short = |item: Self| item.text().filter(|text| text.len() <= STRING_BYTES_MAX);
        let texts: Option<Vec<String>> =
            list.elements().map(|item| short(item).map(Cow::into_owned)).collect();
        let texts = texts.unwrap_or_default();
        if !texts.is_empty() {
            list.take();
        }
        texts
    }

    /// Takes the value at a path as JSON text without white space.
    pub fn take_json(self, path: &str) -> Option<Cow<'d, str>> {
        let item = self.get(path).filter(|item| item.kind() != Kind::Null)?;
        item.take();
        Some(compact(item.json()))
    }

    /// Says that a column tells this value back, and all that is in it.
    pub fn take(self) {
        if let Some(node) = self.node() {
            node.taken.set(true);
        }
    }

    /// Says whether the value as a whole was taken.
    pub fn is_taken(self) -> bool {
        self.node().is_some_and(|node| node.taken.get())
    }

    /// Says whether anything in the value was taken.
    pub fn is_touched(self) -> bool {
        let end = self.node().map_or(0, |node| node.end);
        self.document.nodes.get(self.at..end).unwrap_or_default().iter().any(|node| node.taken.get())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_values_whatever_the_case_of_their_names() {
        let text = r#" {"a":{"B":[1,{"c":"x"}],"b":2},"d.e":"\u00e9"}"#;
        let document = Document::read(text, 1).unwrap();
        let root = document.root();
        assert_eq!(root.get("a.b").map(Item::json), Some("2"), "the exact name wins");
        assert_eq!(root.get("A.B").map(Item::json), Some(r#"[1,{"c":"x"}]"#));
        assert_eq!(root.get("a.B").map(|list| list.elements().count()), Some(2));
        assert_eq!(root.member("d.e").and_then(Item::text).as_deref(), Some("\u{e9}"));
        assert!(root.get("a.b.c").is_none());
    }

    #[test]
    fn knows_what_was_taken() {
        let document = Document::read(r#"{"a":{"b":1,"c":2},"d":3}"#, 0).unwrap();
        let root = document.root();
        root.get("a.b").unwrap().take();
        let a = root.get("a").unwrap();
        assert!(a.is_touched() && !a.is_taken() && root.is_touched());
        assert!(!root.get("d").unwrap().is_touched());
    }

    #[test]
    fn refuses_a_name_that_stands_twice() {
        assert!(Document::read(r#"{"a":{"b":1,"b":2}}"#, 0).is_err());
        assert!(Document::read(r#"[{"b":1},{"b":2}]"#, 0).is_ok());
    }

    proptest! {
        /// Random text: never a panic, and the verdict of the scanner unless a name stands twice.
        #[test]
        fn agrees_with_the_scanner(text in r#"([\[\]{}",:0-9eE+\-. a-z\\]|true|null|"[a-z]*":|\\u[0-9a-f]{4}){0,24}"#) {
            let text = format!("{text}\n");
            let theirs = Scanner::new(text.as_bytes(), 0).value();
            match Document::read(&text, 0) {
                Ok(document) => prop_assert_eq!(Ok(document.root().span()), theirs),
                Err(Stop::Broken { what: TWICE, .. }) => {}
                Err(_) => prop_assert!(theirs.is_err()),
            }
        }
    }
}
