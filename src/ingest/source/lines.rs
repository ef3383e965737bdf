//! Finds the records in text of one record a line.
//!
//! Promises the same as the walk over JSON: a bad line costs itself, text may come
//! in pieces, and what cannot be passed is one fault with its place.

use super::offset::Offset;
use super::records::{Fault, Found, TOO_LARGE, Text};

/// A walk over the lines of one object.
#[derive(Debug)]
pub struct Lines {
    index: u64,
    offset: Offset,
    /// A line too long to hold is being passed over.
    skipping: bool,
    stopped: bool,
}

impl Lines {
    /// Starts a walk over an object whose text begins at `start`.
    pub fn at(start: usize) -> Self {
        Self { index: 0, offset: Offset::at(start), skipping: false, stopped: false }
    }

    /// Returns how many records were found so far, good and bad.
    pub fn records(&self) -> u64 {
        self.index
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
        self.stopped = true;
        self.index += 1;
    }

    /// Passes all lines that are complete and returns the place behind the last one. `parse` gets a line's
    /// place and the index it would have; [`Found::Container`] is a line that is no record.
    pub fn run(
        &mut self,
        Text { bytes, from, .. }: Text<'_>,
        faults: &mut Vec<Fault>,
        mut parse: impl FnMut(std::ops::Range<usize>, u64) -> Found,
    ) -> usize {
        let mut at = from;
        for end in memchr::memchr_iter(b'\n', bytes.get(from..).unwrap_or_default()) {
            let (start, end) = (at, from + end);
            at = end + 1;
            if self.stopped || std::mem::take(&mut self.skipping) {
                continue;
            }
            let text_end = if bytes.get(end.saturating_sub(1)) == Some(&b'\r') { end - 1 } else { end };
            if start >= text_end {
                continue;
            }
            match parse(start..text_end, self.index) {
                Found::Container => continue,
                Found::Rejected(reason) => faults.push(self.fault(start..text_end, reason)),
                Found::Record | Found::Records(_) => {}
            }
            self.index += 1;
        }
        if self.stopped { bytes.len() } else { at }
    }

    /// Sets the line at `from` aside, of which only a part is in `bytes`: it is larger than a record may be.
    pub fn give_up_record(&mut self, bytes: &[u8], from: usize, faults: &mut Vec<Fault>) -> usize {
        if !self.skipping {
            faults.push(self.fault(from..bytes.len(), TOO_LARGE));
            self.index += 1;
            self.skipping = true;
        }
        bytes.len()
    }

    fn fault(&self, range: std::ops::Range<usize>, reason: &'static str) -> Fault {
        let at = self.offset(range.start);
        Fault { index: self.index, range, reason, at, is_rest: false }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes every line that starts with a digit for a record.
    fn walk(text: &[u8], piece: usize) -> (u64, Vec<(u64, u64)>) {
        let (mut lines, mut faults, mut held, mut told) = (Lines::at(0), Vec::new(), Vec::new(), Vec::new());
        for piece in text.chunks(piece) {
            held.extend_from_slice(piece);
            let bytes = held.clone();
            let done = lines.run(Text { bytes: &held, from: 0, last: false }, &mut faults, |range, _| {
                match bytes[range.start] {
                    b'#' => Found::Container,
                    byte if byte.is_ascii_digit() => Found::Record,
                    _ => Found::Rejected("no digit"),
                }
            });
            told.extend(faults.drain(..).map(|fault: Fault| (fault.index, fault.at)));
            held.drain(..done);
            lines.drop_passed(done);
        }
        (lines.records(), told)
    }

    #[test]
    fn a_bad_line_costs_itself() {
        assert_eq!(walk(b"#h\n1 a\r\n\nbad\n2 b\n", 1000), (3, vec![(1, 9)]));
    }

    #[test]
    fn a_line_too_long_is_passed_over_in_pieces() {
        let (mut lines, mut faults) = (Lines::at(0), Vec::new());
        let text = b"1111111111\n2\n";
        assert_eq!(lines.give_up_record(&text[..4], 0, &mut faults), 4);
        assert_eq!(lines.give_up_record(&text[..8], 4, &mut faults), 8);
        lines.run(Text { bytes: text, from: 8, last: true }, &mut faults, |_, _| Found::Record);
        assert_eq!((lines.records(), faults.len()), (2, 1));
    }

    proptest! {
        #[test]
        fn pieces_change_nothing(text in "[#0-9a-z\r\n]{0,60}", piece in 1_usize..9) {
            prop_assert_eq!(walk(text.as_bytes(), piece), walk(text.as_bytes(), 1000));
        }
    }
}
