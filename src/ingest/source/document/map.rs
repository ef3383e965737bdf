//! Asks the sources whose a document is and what it means.

use super::record::{Mapped, Record};
use crate::ingest::json::Kind;
use crate::ingest::source::log_source::LogSource;
use crate::ingest::source::{
    access_analyzer, config, guardduty, insight, inspector, macie, ocsf, security_hub,
};

/// Says whose a record is, by its content. One that nobody knows may lie in another product's wrapper
/// (`{"id": …, "finding": {…}}`): then the record is the one object in it.
pub(super) fn recognize(record: Record<'_>) -> Option<(LogSource, Record<'_>)> {
    if let Some(source) = source_of(record) {
        return Some((source, record));
    }
    let mut objects = record.body.children().filter(|child| child.kind() == Kind::Object);
    let inner = objects.next().filter(|_| objects.next().is_none())?;
    let inner = Record { body: inner, ..record };
    source_of(inner).map(|source| (source, inner))
}

fn source_of(record: Record<'_>) -> Option<LogSource> {
    LogSource::ALL.into_iter().find(|source| match source {
        LogSource::CloudTrail | LogSource::VpcFlow => false,
        LogSource::GuardDuty => guardduty::recognizes(record),
        LogSource::SecurityHub => security_hub::recognizes(record),
        LogSource::Inspector => inspector::recognizes(record),
        LogSource::AccessAnalyzer => access_analyzer::recognizes(record),
        LogSource::Macie => macie::recognizes(record),
        LogSource::Config => config::recognizes(record),
        LogSource::Insight => insight::recognizes(record),
        LogSource::Ocsf => ocsf::recognizes(record),
    })
}

/// Makes an event of a record.
///
/// # Errors
/// Why it cannot be one.
pub(super) fn map(source: LogSource, record: Record<'_>) -> Result<Mapped, &'static str> {
    match source {
        LogSource::CloudTrail | LogSource::VpcFlow => Err("a record of another kind"),
        LogSource::GuardDuty => guardduty::normalize(record),
        LogSource::SecurityHub => security_hub::normalize(record),
        LogSource::Inspector => inspector::normalize(record),
        LogSource::AccessAnalyzer => access_analyzer::normalize(record),
        LogSource::Macie => macie::normalize(record),
        LogSource::Config => config::normalize(record),
        LogSource::Insight => insight::normalize(record),
        LogSource::Ocsf => ocsf::normalize(record),
    }
}
