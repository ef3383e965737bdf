//! Fills one row from one record, as its source says.

use super::cloudtrail;
use super::custom;
use super::document;
use super::log_source::LogSource;
use super::record::{Origin, RecordHead, Records};
use super::vpc_flow;
use crate::lake::table::Table;
use crate::ocsf::columns::Columns;

/// Space that rows use one after another.
#[derive(Debug, Default)]
pub struct Scratch {
    cloudtrail: cloudtrail::normalize::Scratch,
    vpc_flow: vpc_flow::normalize::Scratch,
    document: String,
}

/// Fills one row of the record's table.
pub fn normalize(
    head: &RecordHead,
    records: &Records,
    origin: Origin<'_>,
    columns: &mut Columns,
    scratch: &mut Scratch,
) {
    match head.source {
        LogSource::CloudTrail => {
            cloudtrail::normalize(head, records, origin, columns, &mut scratch.cloudtrail);
        }
        LogSource::VpcFlow => vpc_flow::normalize(head, records, origin, columns, &mut scratch.vpc_flow),
        LogSource::Custom => custom::normalize(head, records, origin, columns, &mut scratch.document),
        _ => document::normalize(head, records, origin, columns, &mut scratch.document),
    }
}

/// Fills the columns that are the same in every row of a source in a table.
pub fn fill_constants(source: LogSource, table: Table, columns: &mut Columns) {
    match source {
        LogSource::CloudTrail => cloudtrail::normalize::fill_constants(table, columns),
        LogSource::VpcFlow => vpc_flow::normalize::fill_constants(columns),
        // An event made of a document has all its attributes.
        _ => {}
    }
}
