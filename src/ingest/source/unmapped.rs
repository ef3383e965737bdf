//! Writes leaves that have no column of their own into `unmapped`, so that they can be told back exactly.
//!
//! Takes JSON values with their paths and gives entries of text, flat as Security
//! Lake has them: keys joined by dots. Reading an entry back:
//! - a key part in quotes is a JSON string (it holds a dot, a bracket or a quote);
//! - `path[]` is an array of strings, joined by commas;
//! - `path[n]` is element n of an array of which columns hold a part;
//! - a text that is one whole JSON value is that value: number, boolean, null, array,
//!   object without members, or a string that itself looks like JSON, in its quotes;
//! - any other text is a string.
//!
//! Some fields are strings although they look like numbers or booleans: account ids
//! above all. Under their names (`usually_text`) a plain text is a string, and a JSON
//! value is marked by a space before it.

use crate::ingest::json::{Item, Kind, Scanner, Span, compact, is_json, unescape};
use crate::ocsf::columns::Columns;
use crate::ocsf::schema::MapColumn;

/// Objects are flattened down to here; what is deeper stays JSON text.
const FLAT_DEPTH_MAX: usize = 16;

/// Objects of more members than this stay JSON text; CloudTrail's have a dozen.
const FLAT_MEMBERS_MAX: usize = 48;

/// Writes entries of one map column.
#[derive(Debug)]
pub struct Unmapped<'a> {
    columns: &'a mut Columns,
    map: MapColumn,
    text: &'a str,
    path: &'a mut String,
}

/// Says whether a field of this path holds text although it looks like a number or boolean.
pub fn usually_text(path: &str) -> bool {
    path.ends_with("ccountId") || path.ends_with("ccount") || path.ends_with("sessionCredentialFromConsole")
}

impl<'a> Unmapped<'a> {
    /// Prepares to write entries of the present row; `path` is scratch, `text` what spans point into.
    pub fn new(columns: &'a mut Columns, map: MapColumn, text: &'a str, path: &'a mut String) -> Self {
        path.clear();
        Self { columns, map, text, path }
    }

    /// Writes a value under `prefix` and a key of the source.
    pub fn put(&mut self, prefix: &str, key: Option<Span>, value: Span) {
        self.path.clear();
        self.path.push_str(prefix);
        if let Some(key) = key {
            self.push_key(key);
        }
        self.value(value, 0);
    }

    /// Writes a text that stood nowhere in the source as such.
    pub fn put_text(&mut self, key: &str, text: &str) {
        self.columns.entry(self.map, key, text);
    }

    /// Writes what nobody took of a document.
    pub fn put_rest(&mut self, document: Item<'_>) {
        self.path.clear();
        self.rest(document);
    }

    fn rest(&mut self, item: Item<'_>) {
        if item.is_taken() {
            return;
        }
        if !item.is_touched() && !self.path.is_empty() {
            return self.value(item.span(), 0);
        }
        let length = self.path.len();
        for (number, child) in item.children().enumerate() {
            match child.key() {
                Some(key) => {
                    if length > 0 {
                        self.path.push('.');
                    }
                    self.push_key(key);
                }
                None => self.path.push_str(&format!("[{number}]")),
            }
            self.rest(child);
            self.path.truncate(length);
        }
    }

    fn push_key(&mut self, key: Span) {
        let name = key.of(self.text);
        let odd = name.is_empty() || key.kind == Kind::Escaped || name.contains(['.', '[', ']']);
        self.path.push_str(if odd { key.json(self.text) } else { name });
    }

    fn value(&mut self, value: Span, depth: usize) {
        match value.kind {
            Kind::Object if depth < FLAT_DEPTH_MAX => self.object(value, depth),
            Kind::Array => self.array(value),
            Kind::Plain | Kind::Escaped => self.string(value),
            Kind::Number | Kind::Boolean | Kind::Null | Kind::Object => self.json(value),
        }
    }

    /// Flattens an object. One without members, with many, or with two of one name is kept as JSON text.
    fn object(&mut self, object: Span, depth: usize) {
        let mut members = [(object, object); FLAT_MEMBERS_MAX];
        let members = match self.members(object, &mut members) {
            Some(members) if !members.is_empty() => members,
            _ => return self.json(object),
        };
        let length = self.path.len();
        for (key, value) in members {
            self.path.push('.');
            self.push_key(*key);
            self.value(*value, depth + 1);
            self.path.truncate(length);
        }
    }

    /// Finds the members of an object; `None` when they cannot be told apart or are too many.
    fn members<'m>(&self, object: Span, members: &'m mut [(Span, Span)]) -> Option<&'m [(Span, Span)]> {
        let mut scanner = Scanner::new(self.text.as_bytes(), object.start as usize + 1);
        let (mut first, mut count) = (true, 0);
        while let Some(key) = scanner.member(&mut first).ok()? {
            let value = scanner.value().ok()?;
            let name = key.of(self.text);
            let is_twice = members.iter().take(count).any(|(other, _)| other.of(self.text) == name);
            *members.get_mut(count).filter(|_| !is_twice)? = (key, value);
            count += 1;
        }
        members.get(..count)
    }

    fn array(&mut self, array: Span) {
        let Some(joined) = self.join(array) else {
            return self.json(array);
        };
        self.path.push_str("[]");
        self.columns.entry(self.map, self.path, &joined);
        self.path.truncate(self.path.len() - 2);
    }

    /// Joins an array of strings in which commas can be told apart.
    fn join(&self, array: Span) -> Option<String> {
        let mut scanner = Scanner::new(self.text.as_bytes(), array.start as usize + 1);
        let (mut first, mut joined, mut count) = (true, String::new(), 0);
        while scanner.element(&mut first).ok()? {
            let item = scanner.value().ok().filter(|item| item.kind == Kind::Plain)?.of(self.text);
            if item.is_empty() || item.contains(',') {
                return None;
            }
            if count > 0 {
                joined.push(',');
            }
            joined.push_str(item);
            count += 1;
        }
        (count > 0).then_some(joined)
    }

    fn string(&mut self, value: Span) {
        let raw = value.of(self.text);
        let unescaped;
        let text = if value.kind == Kind::Escaped {
            match unescape(raw) {
                Some(text) => {
                    unescaped = text;
                    unescaped.as_str()
                }
                None => return self.json(value),
            }
        } else {
            raw
        };
        let ambiguous = (!usually_text(self.path) || text.starts_with(' ')) && is_json(text);
        if ambiguous { self.json(value) } else { self.columns.entry(self.map, self.path, text) }
    }

    fn json(&mut self, value: Span) {
        let json = compact(value.json(self.text));
        if usually_text(self.path) {
            self.columns.entry(self.map, self.path, &format!(" {json}"));
        } else {
            self.columns.entry(self.map, self.path, &json);
        }
    }
}
