//! Gathers the text of objects and the records in it, up to one batch's budget.
//!
//! Takes pieces of objects in order and holds the text with the places of the
//! records in it. Promises:
//! - memory is bounded by [`SegmentLimits`], however large an object is: what is
//!   held is at most the budget, one step of unpacking and one record;
//! - the text is UTF-8 in the end: records that are not are set aside;
//! - of each object, records = records held + records set aside.
//!
//! Not here: the order of the rows and their columns (`batch`).

use std::sync::Arc;

use bytes::Bytes;

use super::decompress::{UnpackError, UnpackLimits, Unpacker};
use super::source::LogSource;
use super::source::content::{read_content, unreadable};
use super::source::key::{KeyFacts, SkipReason};
use super::source::place::Place;
use super::source::record::Records;
use super::source::records::{Fault, Text};
use super::source::walk::Walk;

/// Bounds of a segment.
#[derive(Debug, Clone, Copy)]
pub struct SegmentLimits {
    /// Text held before it is written. Two lanes of this size stay below 400 MB in all; a larger one makes
    /// fewer, larger hot files.
    pub plain_bytes_max: usize,
    /// A record may be this large. CloudTrail's own limit is 256 KB, 1 MB for newer event types.
    pub record_bytes_max: usize,
    /// Of a record set aside this much is kept; a longer one is read again from its object.
    pub set_aside_bytes_max: usize,
    /// Records set aside of one object; past it the rest of the object is one entry.
    pub set_aside_records_max: u64,
    /// Bounds of unpacking.
    pub unpack: UnpackLimits,
}

impl Default for SegmentLimits {
    fn default() -> Self {
        Self {
            plain_bytes_max: 32 << 20,
            record_bytes_max: 16 << 20,
            set_aside_bytes_max: 1 << 20,
            set_aside_records_max: 10_000,
            unpack: UnpackLimits::default(),
        }
    }
}

/// A record, or the rest of an object, that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The number of the object in its batch.
    pub object: u32,
    /// The source the object was read as.
    pub source: LogSource,
    /// The index of the record in the object.
    pub index: u64,
    /// Why, and where in the text.
    pub reason: String,
    /// Its bytes, or the first of them.
    pub bytes: Vec<u8>,
    /// All its bytes are there: it can be tried again without its object.
    pub is_whole: bool,
    /// It is the rest of its object: nothing behind it could be read.
    pub is_rest: bool,
}

/// What was found in an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// The source its key or its content told.
    pub source: Option<LogSource>,
    /// Records found, good and bad.
    pub records: u64,
    /// Records set aside.
    pub set_aside: u64,
    /// Records left out, since their event was there already.
    pub skipped: u64,
    /// Bytes unpacked.
    pub plain_bytes: u64,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// The newest record, epoch milliseconds.
    pub time_max: Option<i64>,
    /// Why nothing was read, if nothing was.
    pub ending: Ending,
}

/// How the reading of an object ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ending {
    /// Its records were read or set aside.
    #[default]
    Read,
    /// It was left alone.
    Skipped(SkipReason),
    /// Nothing of it can be read.
    Failed(String),
}

/// A piece of an object.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The number of the object in its batch.
    pub object: u32,
    /// What its key says; content tells the source when the key is silent.
    pub facts: Arc<KeyFacts>,
    /// The bytes, as stored.
    pub bytes: Bytes,
    /// No piece of the object comes before this one.
    pub first: bool,
    /// No piece of the object comes after this one.
    pub last: bool,
}

/// What is left to do with a piece.
#[derive(Debug)]
pub enum Fill {
    /// All of it was taken. When it ended its object, this is what was found.
    Taken(Option<(u32, Tally)>),
    /// The segment is full: write it, then give the rest of the piece again.
    Full(Piece),
}

/// Text and records of a batch, up to its budget.
#[derive(Debug, Default)]
pub struct Segment {
    text: Vec<u8>,
    /// The records in the text.
    pub records: Records,
    /// What was set aside.
    pub set_aside: Vec<SetAside>,
    limits: SegmentLimits,
    reading: Option<Reading>,
}

/// The object being read.
#[derive(Debug)]
struct Reading {
    unpacker: Unpacker,
    walk: Walk,
    facts: Arc<KeyFacts>,
    source: Option<LogSource>,
    /// Up to here its text has been searched for records.
    done: usize,
    /// What the object is has been looked at.
    decided: bool,
    /// It had too many bad records.
    gave_up: bool,
    tally: Tally,
}

/// Text enough to tell what an object is.
const LOOK_BYTES: usize = 4096;

impl Segment {
    /// Returns an empty segment.
    pub fn new(limits: SegmentLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Returns how many records are held.
    pub fn rows(&self) -> usize {
        self.records.heads.len()
    }

    /// Says whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0 && self.set_aside.is_empty()
    }

    /// Takes a piece of an object.
    pub fn fill(&mut self, mut piece: Piece) -> Fill {
        if self.is_full() {
            return Fill::Full(piece);
        }
        let object = piece.object;
        let mut reading = match self.reading.take() {
            Some(reading) if !piece.first => reading,
            // The object ended before its bytes did: it could not be unpacked further.
            None if !piece.first => return Fill::Taken(None),
            _ => Reading::new(self.text.len(), &piece.facts, self.limits.unpack),
        };
        reading.tally.stored_bytes += piece.bytes.len() as u64;
        let (ended, error) = match self.unpack(&mut reading, &mut piece) {
            Ok(ended) => (ended, None),
            Err(error) => (true, Some(error)),
        };
        if ended {
            // A number is known to end only by what follows it.
            self.text.push(b'\n');
        }
        let from = reading.done;
        if reading.decide(&self.text, ended) {
            self.read(&mut reading, object, ended && error.is_none());
            self.bound(&mut reading, object);
        } else {
            // What is passed over may be of any encoding.
            blank(self.text.get_mut(from..reading.done));
        }
        if ended {
            return Fill::Taken(Some((object, self.end(reading, object, error))));
        }
        let full = piece.last || !piece.bytes.is_empty();
        reading.tally.stored_bytes -= piece.bytes.len() as u64;
        self.reading = Some(reading);
        piece.first = false;
        if full { Fill::Full(piece) } else { Fill::Taken(None) }
    }

    /// Says whether it is time to write; never when there is nothing to write.
    fn is_full(&self) -> bool {
        let set_aside: usize = self.set_aside.iter().map(|entry| entry.bytes.len()).sum();
        !self.is_empty() && self.text.len() + set_aside >= self.limits.plain_bytes_max
    }

    /// Returns the text that records stand in: all but a record that is not whole yet.
    ///
    /// # Errors
    /// It is no UTF-8, which `read` has seen to that it is.
    pub fn text(&self) -> Result<&str, std::str::Utf8Error> {
        let end = self.reading.as_ref().map_or(self.text.len(), |reading| reading.done);
        std::str::from_utf8(self.text.get(..end).unwrap_or_default())
    }

    /// Unpacks what there is room for. True when the object has ended.
    fn unpack(&mut self, reading: &mut Reading, piece: &mut Piece) -> Result<bool, UnpackError> {
        if piece.first && piece.last {
            // A text half again as large as the rest of the budget is no harm.
            let room = self.limits.plain_bytes_max;
            if reading.unpacker.unpack_whole(&piece.bytes, &mut self.text, room) {
                piece.bytes.clear();
                return Ok(true);
            }
        }
        // Room for one record beyond the budget: a record must be whole to be read.
        let pending = self.text.len().saturating_sub(reading.done);
        let full_at =
            self.limits.plain_bytes_max.max(self.text.len() + 1) + pending.min(self.limits.record_bytes_max);
        let unpacked = reading.unpacker.unpack(&mut piece.bytes, &mut self.text, full_at);
        if let Err(error) = unpacked {
            piece.bytes.clear();
            return Err(error);
        }
        if piece.last && piece.bytes.is_empty() {
            return reading.unpacker.finish(&mut self.text, full_at);
        }
        Ok(false)
    }

    fn read(&mut self, reading: &mut Reading, object: u32, last: bool) {
        let from = reading.done;
        let (mut faults, held) = (Vec::new(), self.rows());
        let text = Text { bytes: &self.text, from, last };
        let place = Place {
            object,
            facts: &reading.facts,
            source: reading.source.unwrap_or(LogSource::CloudTrail),
            record_bytes_max: self.limits.record_bytes_max,
        };
        reading.done = reading.walk.run(text, place, (&mut self.records, &mut faults));
        for fault in faults {
            self.note_fault(reading, object, &fault);
        }
        self.check_utf8(reading, (from, reading.done), held);
        let newest =
            self.records.heads.get(held..).unwrap_or_default().iter().map(|record| record.time).max();
        reading.tally.time_max = reading.tally.time_max.max(newest);
    }

    /// A record that outgrows its limit is passed over, and so is an object with too many bad ones, so that
    /// neither can fill the memory.
    fn bound(&mut self, reading: &mut Reading, object: u32) {
        let from = reading.done;
        if self.text.len().saturating_sub(from) > self.limits.record_bytes_max {
            let mut faults = Vec::new();
            reading.done = reading.walk.give_up_record(&self.text, from, &mut faults);
            for fault in faults {
                self.note_fault(reading, object, &fault);
            }
            blank(self.text.get_mut(from..reading.done));
        }
        if reading.tally.set_aside > self.limits.set_aside_records_max && !reading.gave_up {
            reading.gave_up = true;
            let index = reading.walk.records();
            reading.walk.stop();
            let reason = format!("more than {} bad records", self.limits.set_aside_records_max);
            let fault =
                Fault { index, range: 0..0, reason: "", at: reading.walk.offset(from), is_rest: true };
            self.note_fault(reading, object, &fault);
            if let Some(entry) = self.set_aside.last_mut() {
                entry.reason.insert_str(0, &reason);
            }
        }
    }

    fn note_fault(&mut self, reading: &mut Reading, object: u32, fault: &Fault) {
        reading.tally.set_aside += 1;
        let bytes = self.text.get(fault.range.clone()).unwrap_or_default();
        let kept = bytes.get(..self.limits.set_aside_bytes_max.min(bytes.len())).unwrap_or_default().to_vec();
        let rest = if fault.is_rest { ", and nothing behind it can be read" } else { "" };
        let reason = format!("{} at byte {}{rest}", fault.reason, fault.at);
        // A line means nothing without the header of its object.
        let stands_alone = reading.source != Some(LogSource::VpcFlow);
        let is_whole = stands_alone && !fault.is_rest && !bytes.is_empty() && kept.len() == bytes.len();
        self.set_aside.push(SetAside {
            object,
            source: reading.source.unwrap_or(LogSource::CloudTrail),
            index: fault.index,
            reason,
            bytes: kept,
            is_whole,
            is_rest: fault.is_rest,
        });
    }

    /// Sets aside the records of a stretch of text that are not UTF-8, and blanks what else is not, so that
    /// all text left is.
    fn check_utf8(&mut self, reading: &mut Reading, (from, to): (usize, usize), held: usize) {
        let Some(stretch) = self.text.get(from..to) else {
            return;
        };
        if simdutf8::basic::from_utf8(stretch).is_ok() {
            return;
        }
        let fresh = self.records.heads.split_off(held.min(self.records.heads.len()));
        let mut at = from;
        for record in fresh {
            let range = record.range.start as usize..record.range.end as usize;
            let bytes = self.text.get(range.clone()).unwrap_or_default();
            if simdutf8::basic::from_utf8(bytes).is_ok() {
                blank(self.text.get_mut(at..range.start));
                at = range.end;
                self.records.heads.push(record);
                continue;
            }
            let at = reading.walk.offset(range.start);
            let fault =
                Fault { index: record.index, range, reason: "text that is no UTF-8", at, is_rest: false };
            self.note_fault(reading, record.object, &fault);
        }
        blank(self.text.get_mut(at..to));
    }

    fn end(&mut self, mut reading: Reading, object: u32, error: Option<UnpackError>) -> Tally {
        // What is left behind the last record cannot be kept: it may be no UTF-8.
        blank(self.text.get_mut(reading.done..));
        reading.tally.source = reading.source;
        reading.tally.records = reading.walk.records();
        reading.tally.plain_bytes = reading.unpacker.plain_bytes();
        let found_any = reading.tally.records > 0;
        if let Some(error) = error {
            if found_any {
                // What came before the break is good; the rest is one entry that says so.
                let rest = SetAside {
                    object,
                    source: reading.source.unwrap_or(LogSource::CloudTrail),
                    index: reading.tally.records,
                    reason: error.to_string(),
                    bytes: Vec::new(),
                    is_whole: false,
                    is_rest: true,
                };
                self.set_aside.push(rest);
                reading.tally.records += 1;
                reading.tally.set_aside += 1;
            } else if matches!(reading.tally.ending, Ending::Read | Ending::Skipped(SkipReason::Unknown)) {
                // What could be unpacked may be too little to tell a log by: that is no reason to be silent.
                reading.tally.ending = Ending::Failed(error.to_string());
            }
        }
        reading.tally
    }

    /// Forgets everything, also an object half read.
    pub fn reset(&mut self) {
        self.reading = None;
        self.clear();
    }

    /// Makes room for more after the records were written: only the text of a record not yet whole stays.
    pub fn clear(&mut self) {
        let keep_from = self.reading.as_ref().map_or(self.text.len(), |reading| reading.done);
        if let Some(reading) = &mut self.reading {
            let start = keep_from.min(self.text.len());
            self.text.drain(..start);
            reading.walk.drop_passed(start);
            reading.done = 0;
        } else {
            self.text.clear();
        }
        self.records.clear();
        self.set_aside.clear();
    }
}

impl Reading {
    fn new(start: usize, facts: &Arc<KeyFacts>, limits: UnpackLimits) -> Self {
        let source = facts.source;
        Self {
            unpacker: Unpacker::new(limits),
            walk: Walk::at(start, source.unwrap_or(LogSource::CloudTrail)),
            facts: Arc::clone(facts),
            source,
            done: start,
            decided: false,
            gave_up: false,
            tally: Tally::default(),
        }
    }

    /// Says whether its text is to be read, deciding that once by the first text that comes.
    fn decide(&mut self, text: &[u8], ended: bool) -> bool {
        let fresh = text.get(self.done..).unwrap_or_default();
        if !self.decided && !ended && fresh.len() < LOOK_BYTES {
            return false;
        }
        if !self.decided && self.unpacker.plain_bytes() > 0 {
            self.decided = true;
            self.tally.ending = match (unreadable(fresh, self.source), self.source, read_content(fresh)) {
                (Some(reason), Some(_), _) => Ending::Failed(reason.to_owned()),
                (_, None, Err(reason)) => Ending::Skipped(reason),
                (_, None, Ok(source)) => {
                    self.source = Some(source);
                    self.walk = Walk::at(self.done, source);
                    Ending::Read
                }
                (None, Some(_), _) => Ending::Read,
            };
        }
        let read = self.tally.ending == Ending::Read;
        if !read {
            self.done = text.len();
        }
        read
    }
}

/// Overwrites all bytes beyond ASCII, which are of no use where no record is.
fn blank(text: Option<&mut [u8]>) {
    for byte in text.unwrap_or_default() {
        if !byte.is_ascii() {
            *byte = b' ';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is held never exceeds the budget, a record and a step, however large the object.
    #[test]
    fn memory_does_not_grow_with_the_object() {
        let limits =
            SegmentLimits { plain_bytes_max: 65_536, record_bytes_max: 16_384, ..SegmentLimits::default() };
        let record = r#"{"eventTime":"2026-01-01T00:00:00Z","eventName":"X","requestParameters":"PAD"},"#;
        let record = record.replace("PAD", &"x".repeat(1000));
        let mut text = format!("{{\"Records\":[{}", record.repeat(8000));
        text.truncate(text.len() - 1);
        text.push_str("]}");
        let (mut segment, mut rows, mut peak, mut tally) = (Segment::new(limits), 0, 0, None);
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(100_000).collect();
        for (number, bytes) in pieces.iter().enumerate() {
            let (first, last) = (number == 0, number + 1 == pieces.len());
            let facts = Arc::new(KeyFacts { source: Some(LogSource::CloudTrail), ..KeyFacts::default() });
            let mut piece = Piece { object: 0, facts, bytes: Bytes::copy_from_slice(bytes), first, last };
            loop {
                let fill = segment.fill(piece);
                peak = peak.max(segment.text.len());
                match fill {
                    Fill::Taken(ended) => {
                        tally = ended;
                        break;
                    }
                    Fill::Full(rest) => {
                        rows += segment.rows();
                        segment.clear();
                        piece = rest;
                    }
                }
            }
        }
        rows += segment.rows();
        let tally = tally.unwrap().1;
        assert_eq!((rows, tally.records, tally.plain_bytes), (8000, 8000, text.len() as u64));
        assert!(peak < 65_536 + 2 * 16_384, "{peak} bytes held of {}", text.len());
    }
}
