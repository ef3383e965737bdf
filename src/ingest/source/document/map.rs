//! Asks the sources whose a document is and what it means.

use super::record::{Mapped, Record};
use crate::ingest::json::{Item, Kind};
use crate::ingest::source::log_source::LogSource;
use crate::ingest::source::{
    access_analyzer, config, guardduty, insight, inspector, macie, ocsf, security_hub,
};

/// Why a record that nobody knows is set aside.
pub(super) const UNKNOWN: &str = "a record of no source we know";

/// Members of a wrapper that are looked into.
const WRAPPED_MAX: usize = 32;

/// Finds the records of a document and says whose they are, by their content. What nobody knows may be another
/// product's wrapper (`{"id": …, "finding": {…}}`): then the first object in it that somebody knows is the record. Of a message with several, some may be known and others not.
///
/// # Errors
/// Nobody knows it, or there are more findings than a message has.
pub(super) fn recognize(root: Item<'_>) -> Result<Vec<(Option<LogSource>, Record<'_>)>, &'static str> {
    let wrapped = root.children().filter(|child| child.kind() == Kind::Object).take(WRAPPED_MAX);
    for whole in std::iter::once(root).chain(wrapped) {
        let records = Record::all(whole)?;
        let known: Vec<_> = records.into_iter().map(|record| (source_of(record), record)).collect();
        if known.iter().any(|(source, _)| source.is_some()) {
            return Ok(known);
        }
    }
    Err(UNKNOWN)
}

/// Returns one record of a document. The others count as taken.
pub(super) fn recognize_one(root: Item<'_>, number: usize) -> Option<(LogSource, Record<'_>)> {
    let records = recognize(root).ok()?;
    for (_, (_, other)) in records.iter().enumerate().filter(|(other, _)| *other != number) {
        other.body.take();
    }
    records.get(number).and_then(|(source, record)| Some(((*source)?, *record)))
}

/// Says whether a record is of a source.
type Recognizes = fn(Record<'_>) -> bool;
/// Makes an event of a record, or says why it cannot be one.
type Normalizes = fn(Record<'_>) -> Result<Mapped, &'static str>;

/// The sources whose records are documents, in the order in which they are asked.
const SOURCES: [(LogSource, Recognizes, Normalizes); 8] = [
    (LogSource::GuardDuty, guardduty::recognizes, guardduty::normalize),
    (LogSource::SecurityHub, security_hub::recognizes, security_hub::normalize),
    (LogSource::Inspector, inspector::recognizes, inspector::normalize),
    (LogSource::AccessAnalyzer, access_analyzer::recognizes, access_analyzer::normalize),
    (LogSource::Macie, macie::recognizes, macie::normalize),
    (LogSource::Config, config::recognizes, config::normalize),
    (LogSource::Insight, insight::recognizes, insight::normalize),
    (LogSource::Ocsf, ocsf::recognizes, ocsf::normalize),
];

fn source_of(record: Record<'_>) -> Option<LogSource> {
    SOURCES.iter().find(|(_, recognizes, _)| recognizes(record)).map(|(source, ..)| *source)
}

/// Makes an event of a record.
///
/// # Errors
/// Why it cannot be one.
pub(super) fn map(source: LogSource, record: Record<'_>) -> Result<Mapped, &'static str> {
    let found = SOURCES.iter().find(|(other, ..)| *other == source);
    found.map_or(Err("a record of another kind"), |(_, _, normalize)| normalize(record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_but_those_with_parsers_of_their_own_is_asked() {
        for source in LogSource::ALL {
            let has_parser = matches!(source, LogSource::CloudTrail | LogSource::VpcFlow);
            assert_ne!(SOURCES.iter().any(|(other, ..)| *other == source), has_parser, "{source:?}");
        }
    }
}
