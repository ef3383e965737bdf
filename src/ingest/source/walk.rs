//! Walks over the records of one object, in the way its source writes them.

use super::lines::Lines;
use super::log_source::LogSource;
use super::parse;
use super::place::Place;
use super::record::{BadPart, Records};
use super::records::{Fault, Text, Walk as JsonWalk};
use super::vpc_flow::FlowReader;

/// The walk over one object.
#[derive(Debug)]
pub enum Walk {
    /// Records are JSON objects, whatever holds them.
    Json(JsonWalk),
    /// A record is a line.
    Lines(Lines, FlowReader),
}

impl Walk {
    /// Starts a walk over an object whose text begins at `start`.
    pub fn at(start: usize, source: LogSource) -> Self {
        match source {
            LogSource::VpcFlow => Self::Lines(Lines::at(start), FlowReader::default()),
            _ => Self::Json(JsonWalk::at(start)),
        }
    }

    /// Passes all records that are complete, adds them to `records`, and returns the place behind the last one.
    pub fn run(
        &mut self,
        text: Text<'_>,
        place: Place<'_>,
        (records, faults): (&mut Records, &mut Vec<Fault>),
    ) -> usize {
        match self {
            Self::Json(walk) => {
                let done =
                    walk.run(text, faults, |scanner, index| parse::record(scanner, records, place, index));
                for BadPart { index, range, reason } in records.bad_parts.drain(..) {
                    let (range, at) =
                        (range.start as usize..range.end as usize, walk.offset(range.start as usize));
                    faults.push(Fault { index, range, reason, at, is_rest: false });
                }
                done
            }
            Self::Lines(lines, reader) => lines
                .run(text, faults, |range, index| reader.line(text.bytes, range, (records, place), index)),
        }
    }

    /// Returns how many records were found so far, good and bad.
    pub fn records(&self) -> u64 {
        match self {
            Self::Json(walk) => walk.records(),
            Self::Lines(lines, _) => lines.records(),
        }
    }

    /// Notes that `bytes` of text before the present place are dropped before the next call.
    pub fn drop_passed(&mut self, bytes: usize) {
        match self {
            Self::Json(walk) => walk.drop_passed(bytes),
            Self::Lines(lines, _) => lines.drop_passed(bytes),
        }
    }

    /// Returns where in the object a place in the text is.
    pub fn offset(&self, at: usize) -> u64 {
        match self {
            Self::Json(walk) => walk.offset(at),
            Self::Lines(lines, _) => lines.offset(at),
        }
    }

    /// Passes over all that is left of the object.
    pub fn stop(&mut self) {
        match self {
            Self::Json(walk) => walk.stop(),
            Self::Lines(lines, _) => lines.stop(),
        }
    }

    /// Sets the record at `from` aside, of which only a part is in `bytes`, and passes over the rest of it
    /// as it comes: it is larger than a record may be.
    pub fn give_up_record(&mut self, bytes: &[u8], from: usize, faults: &mut Vec<Fault>) -> usize {
        match self {
            Self::Json(walk) => walk.give_up_record(bytes, from, faults),
            Self::Lines(lines, _) => lines.give_up_record(bytes, from, faults),
        }
    }
}
