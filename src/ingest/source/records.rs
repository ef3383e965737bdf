//! Finds the records in JSON text, whatever holds them.
//!
//! Takes text, as much as has been read, and passes over records one by one:
//! `{"Records":[…]}`, a top-level array, one object a line, objects without
//! anything between them, a single one, pretty-printed or not. Promises:
//! - a broken record costs itself: the walk goes on behind its last bracket;
//! - text may come in pieces, and what is incomplete is left for the next piece;
//! - what cannot be passed is one fault, with its place.
//!
//! Not here: what a record means (the sources' `parse`).

use super::offset::Offset;
use crate::ingest::json::{Scanner, Span, Stop};

/// Why a record beyond the limit is set aside.
pub const TOO_LARGE: &str = "larger than a record may be";

/// What stood where a record was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A record; the scanner is behind it.
    Record,
    /// A message with this many records; the scanner is behind it.
    Records(u64),
    /// An object with an array of records; the scanner stands at its `[`. Of lines: one that is no record.
    Container,
    /// A value that is no record we can use, for this reason; the scanner is behind it.
    Rejected(&'static str),
}

/// A stretch of text that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The index of the record in its object.
    pub index: u64,
    /// Where it stands in the text.
    pub range: std::ops::Range<usize>,
    /// Why.
    pub reason: &'static str,
    /// The offset in the object at which that was found.
    pub at: u64,
    /// It is the rest of the object: nothing behind it could be read.
    pub is_rest: bool,
}

/// Where in a container the walk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between top-level values.
    Top,
    /// In an array: a top-level one, or that of `Records`.
    Array { first: bool, in_container: bool },
    /// Behind the `Records` array, in its object.
    Tail,
    /// Nothing more can be read.
    Lost,
}

/// Arrays of records, by the names that answers of AWS's APIs and files of AWS Config give them.
const LISTS: [&[u8]; 7] =
    [b"Findings", b"findings", b"configurationItems", b"EvaluationResults", b"Records", b"events", b"Events"];

/// Says whether a member's name is that of a list of records.
pub fn is_list_name(scanner: &Scanner<'_>, key: Span) -> bool {
    let name = scanner.bytes().get(key.start as usize..key.end as usize).unwrap_or_default();
    LISTS.contains(&name)
}

/// A walk over the records of one object.
#[derive(Debug)]
pub struct Walk {
    place: Place,
    index: u64,
    offset: Offset,
    /// A record too large to hold is being passed over.
    skipping: Option<Resync>,
}

impl Default for Walk {
    fn default() -> Self {
        Self::at(0)
    }
}

/// Text of an object, as much as there is.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// The text, and what lies before it.
    pub bytes: &'a [u8],
    /// Where it starts.
    pub from: usize,
    /// The object ends with these bytes, which end in a newline then.
    pub last: bool,
}

/// One step of the walk.
enum Step {
    /// A value may start here.
    Value,
    /// Something other than a value was passed.
    Passed,
    /// The text ends.
    End,
}

impl Walk {
    /// Returns how many records were found so far, good and bad.
    pub fn records(&self) -> u64 {
        self.index
    }

    /// Starts a walk over an object whose text begins at `start`.
    pub fn at(start: usize) -> Self {
        Self { place: Place::Top, index: 0, offset: Offset::at(start), skipping: None }
    }

    /// Notes that `bytes` of text before the present place are dropped before the next call.
    pub fn drop_passed(&mut self, bytes: usize) {
        self.offset.drop_passed(bytes);
    }

    /// Returns where in the object a place in the text is.
    pub fn offset(&self, at: usize) -> u64 {
        self.offset.of(at)
    }

    /// Passes over all that is left of the object.
    pub fn stop(&mut self) {
        self.place = Place::Lost;
        self.index += 1;
    }

    /// Passes all records that are complete and returns the place behind the last one.
    pub fn run(
        &mut self,
        Text { bytes, from, last }: Text<'_>,
        faults: &mut Vec<Fault>,
        mut parse: impl FnMut(&mut Scanner<'_>, u64) -> Result<Found, Stop>,
    ) -> usize {
        let mut at = from;
        if let Some(skipping) = &mut self.skipping {
            let Some(length) = skipping.feed(bytes.get(from..).unwrap_or_default()) else {
                return bytes.len();
            };
            self.skipping = None;
            at = from + length;
        }
        while self.place != Place::Lost {
            let mut scanner = Scanner::new(bytes, at);
            let step = self.step(&mut scanner);
            let start = scanner.at();
            let result = match step {
                Ok(Step::Value) => parse(&mut scanner, self.index).map(Some),
                Ok(Step::Passed) => Ok(None),
                Ok(Step::End) => break,
                Err(stop) => Err(stop),
            };
            // The newline at the end is ours: what breaks there has ended inside a string.
            let result = match result {
                Err(Stop::Broken { at, .. }) if last && at + 1 == bytes.len() => Err(Stop::Incomplete),
                result => result,
            };
            match result {
                Ok(None) => at = scanner.at(),
                Ok(Some(found)) => at = self.found(found, &mut scanner, start, faults),
                Err(Stop::Incomplete) if !last => break,
                Err(stop) => match self.broken(bytes, start, stop, faults) {
                    Some(next) => at = next,
                    None if last => self.lose_rest(bytes, start, stop, faults),
                    None => break,
                },
            }
        }
        if self.place == Place::Lost { bytes.len() } else { at }
    }

    fn step(&mut self, scanner: &mut Scanner<'_>) -> Result<Step, Stop> {
        match &mut self.place {
            Place::Top => {
                let byte = match scanner.peek() {
                    Ok(byte) => byte,
                    Err(_) => return Ok(Step::End),
                };
                match byte {
                    b'[' => {
                        scanner.expect(b'[', "")?;
                        self.place = Place::Array { first: true, in_container: false };
                        Ok(Step::Passed)
                    }
                    // A byte order mark, or the comma some writers put between objects.
                    0xef | 0xbb | 0xbf | b',' => {
                        scanner.expect(byte, "")?;
                        Ok(Step::Passed)
                    }
                    _ => Ok(Step::Value),
                }
            }
            Place::Array { first, in_container } => {
                // The comma and the value behind it are passed together or not at all.
                let mut was_first = *first;
                if scanner.element(&mut was_first)? {
                    return Ok(Step::Value);
                }
                self.place = if *in_container { Place::Tail } else { Place::Top };
                Ok(Step::Passed)
            }
            Place::Tail => {
                let mut first = false;
                match scanner.member(&mut first)? {
                    // A second list of records beside the first, even of the same name.
                    Some(key) if is_list_name(scanner, key) && scanner.peek()? == b'[' => {
                        scanner.expect(b'[', "")?;
                        self.place = Place::Array { first: true, in_container: true };
                    }
                    Some(_) => drop(scanner.value()?),
                    None => self.place = Place::Top,
                }
                Ok(Step::Passed)
            }
            Place::Lost => Ok(Step::End),
        }
    }

    /// Notes what was found and returns the place behind it.
    fn found(
        &mut self,
        found: Found,
        scanner: &mut Scanner<'_>,
        start: usize,
        faults: &mut Vec<Fault>,
    ) -> usize {
        match found {
            Found::Container => {
                self.place = Place::Array { first: true, in_container: true };
                return scanner.at() + 1;
            }
            Found::Record => {}
            Found::Records(count) => self.index += count.saturating_sub(1),
            Found::Rejected(reason) => faults.push(self.fault(start..scanner.at(), reason, start)),
        }
        self.next_record();
        scanner.at()
    }

    fn next_record(&mut self) {
        self.index += 1;
        if let Place::Array { first, .. } = &mut self.place {
            *first = false;
        }
    }

    fn fault(&self, range: std::ops::Range<usize>, reason: &'static str, at: usize) -> Fault {
        Fault { index: self.index, range, reason, at: self.offset(at), is_rest: false }
    }

    /// Notes a fault and returns where the walk goes on; `None` when that cannot be told from these bytes.
    fn broken(&mut self, bytes: &[u8], start: usize, stop: Stop, faults: &mut Vec<Fault>) -> Option<usize> {
        let Stop::Broken { at, what } = stop else {
            return None;
        };
        if self.place == Place::Tail {
            return None;
        }
        let starts_value = matches!(bytes.get(start), Some(b'{' | b'['));
        let end = if starts_value {
            Resync::default().feed(bytes.get(start..)?).map(|length| start + length)
        } else {
            end_of_scalar(bytes, start)
        }?;
        faults.push(self.fault(start..end, what, at));
        self.next_record();
        Some(end)
    }

    fn lose_rest(&mut self, bytes: &[u8], start: usize, stop: Stop, faults: &mut Vec<Fault>) {
        let (reason, at) = match stop {
            Stop::Broken { at, what } => (what, at),
            Stop::Incomplete => ("the text ends inside a record", bytes.len()),
        };
        self.place = Place::Lost;
        if bytes.get(start..).is_some_and(|rest| !rest.trim_ascii().is_empty()) {
            faults.push(Fault { is_rest: true, ..self.fault(start..bytes.len(), reason, at) });
            self.next_record();
        }
    }

    /// Sets the record at `from` aside, of which only a part is in `bytes`, and passes over the rest of it
    /// as it comes: it is larger than a record may be.
    pub fn give_up_record(&mut self, bytes: &[u8], from: usize, faults: &mut Vec<Fault>) -> usize {
        let rest = bytes.get(from..).unwrap_or_default();
        let start = rest.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != b',').unwrap_or(0);
        let mut skipping = Resync::default();
        let end = skipping.feed(rest.get(start..).unwrap_or_default());
        faults.push(self.fault(from + start..bytes.len(), TOO_LARGE, from + start));
        self.next_record();
        match end {
            Some(length) => from + start + length,
            None => {
                self.skipping = Some(skipping);
                bytes.len()
            }
        }
    }
}

/// Finds the end of a value that starts with a bracket by counting brackets outside strings, however
/// broken the value is otherwise, over as many pieces of text as it takes.
#[derive(Debug, Default, Clone, Copy)]
struct Resync {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Resync {
    /// Returns the place behind the bracket that closes the value; `None` when the bytes end first.
    fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            if std::mem::take(&mut self.escaped) {
                continue;
            }
            match byte {
                b'\\' => self.escaped = self.in_string,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => self.depth += 1,
                b'}' | b']' if !self.in_string => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// The end of a broken scalar: the end of its line, or the comma or bracket behind it.
fn end_of_scalar(bytes: &[u8], start: usize) -> Option<usize> {
    let rest = bytes.get(start..)?;
    let end = rest.iter().position(|byte| matches!(byte, b'\n' | b',' | b']'))?;
    (end > 0).then_some(start + end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Treats every object as a record, except that `Records` opens a container.
    fn parse(scanner: &mut Scanner<'_>, _index: u64) -> Result<Found, Stop> {
        if scanner.peek()? != b'{' {
            scanner.value()?;
            return Ok(Found::Rejected("no object"));
        }
        scanner.expect(b'{', "")?;
        let mut first = true;
        while let Some(key) = scanner.member(&mut first)? {
            let name = scanner.bytes().get(key.start as usize..key.end as usize);
            if name == Some(b"Records") && scanner.peek()? == b'[' {
                return Ok(Found::Container);
            }
            scanner.value()?;
        }
        Ok(Found::Record)
    }

    fn walk(text: &str, piece: usize) -> (u64, Vec<String>) {
        let (mut walk, mut faults, mut held) = (Walk::default(), Vec::new(), Vec::new());
        let ended = format!("{text}\n");
        let pieces: Vec<&[u8]> = ended.as_bytes().chunks(piece).collect();
        let mut told = Vec::new();
        for (number, piece) in pieces.iter().enumerate() {
            held.extend_from_slice(piece);
            let last = number + 1 == pieces.len();
            let done = walk.run(Text { bytes: &held, from: 0, last }, &mut faults, parse);
            told.extend(faults.drain(..).map(|fault: Fault| {
                format!(
                    "{} at {}: {}{}",
                    fault.index,
                    fault.at,
                    fault.reason,
                    if fault.is_rest { ", rest" } else { "" }
                )
            }));
            held.drain(..done);
            walk.drop_passed(done);
        }
        (walk.records(), told)
    }

    fn check(text: &str, records: u64, faults: &[&str]) {
        for piece in [1, 7, 1000] {
            let (found, told) = walk(text, piece);
            assert_eq!(
                (found, told),
                (records, faults.iter().map(ToString::to_string).collect()),
                "{text} by {piece}"
            );
        }
    }

    #[test]
    fn finds_records_in_every_container() {
        check(r#"{"Records":[{"a":1},{"b":2}]}"#, 2, &[]);
        check(r#"{"x":{},"Records":[{"a":1}],"y":[1]} {"Records":[]}"#, 1, &[]);
        check(r#"{"Records":[{"a":1}],"x":1,"Records":[{"b":2},{"c":3}]}{"d":4}"#, 4, &[]);
        check("{\"a\":1}\n{\"b\":2}\n", 2, &[]);
        check(r#"{"a":1}{"b":2}"#, 2, &[]);
        check(r#"[{"a":1}, {"b":2}]"#, 2, &[]);
        check("\u{feff}{\n  \"a\": 1\n}", 1, &[]);
        check("", 0, &[]);
    }

    #[test]
    fn a_bad_record_costs_itself() {
        check(r#"{"Records":[{"a":1},7,{"b":2}]}"#, 3, &["1 at 20: no object"]);
        check(r#"{"Records":[{"a":1},{"b":x},{"c":3}]}"#, 3, &["1 at 25: no value"]);
        check("{\"a\":1}\ngarbage\n{\"b\":2}", 3, &["1 at 8: no value"]);
        check(r#"{"Records":[{"a":1},{"b"#, 2, &["1 at 24: the text ends inside a record, rest"]);
    }

    #[test]
    fn a_record_too_large_is_passed_over_in_pieces() {
        let text = br#"[{"a":"xxxxxxxxxxxxxxxx]"},{"b":2}]"#;
        let (mut walk, mut faults) = (Walk::default(), Vec::new());
        let done = walk.run(Text { bytes: &text[..10], from: 0, last: false }, &mut faults, parse);
        let done = walk.give_up_record(&text[..10], done, &mut faults);
        assert_eq!((done, faults.len(), faults[0].range.start), (10, 1, 1));
        walk.run(Text { bytes: text, from: 10, last: false }, &mut faults, parse);
        assert_eq!((walk.records(), faults.len()), (2, 1));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_pieces_change_nothing(
            text in r#"([\[\]{}",: 0-9a-z\\]|\{"Records":\[|\{"a":1\},){0,20}"#,
            piece in 1_usize..9,
        ) {
            prop_assert_eq!(walk(&text, piece), walk(&text, 1000));
        }
    }
}
