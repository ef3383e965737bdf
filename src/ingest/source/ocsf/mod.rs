//! Events that are OCSF already: Security Hub v2, Prowler, logs from elsewhere.
//!
//! They come in OCSF 1.0 to 1.8 and become events of the version and the columns of this lake. `draft` reads
//! every attribute that has a column of a fitting type; `rules` says what OCSF 1.1.0 demands of an object and
//! leaves out what does not meet it; `class` chooses the table; `frame` fills what is demanded of an event.
//! Promises:
//! - what has no column, does not fit, or means something else in our version stays in `unmapped`, under the
//!   names it had: `unmapped['metadata.version']` is the version it came in;
//! - `finding_info.uid` is the source's, and so is the product; Security Hub v2 keeps the ARN of the finding's
//!   own service there, as its other format does in `Id`;
//! - `metadata.uid` of a finding names a state of it, as everywhere in this lake. Security Hub v2 has
//!   one for all states of a finding, which is in `unmapped`.

mod class;
mod draft;
mod rules;
mod frame;

use self::draft::Draft;
use crate::ingest::json::Item;
use crate::ingest::source::document::observables::add_observables;
use crate::ingest::source::document::record::{Mapped, Record};
use crate::ingest::source::document::take;
use crate::lake::table::Table;

/// Says whether a record is one of these.
pub fn recognizes(record: Record<'_>) -> bool {
    record.has(&["class_uid", "metadata"])
}

/// Makes an event of a record.
///
/// # Errors
/// Why it cannot be one.
pub fn normalize(record: Record<'_>) -> Result<Mapped, &'static str> {
    let body = record.body;
    let (table, draft) = read(body)?;
    let mut event = draft.take();
    let time = frame::time(record, &event);
    frame::complete(record, table, &mut event)?;
    draft::take_equal(body, &event);
    add_observables(&mut event);
    let account = take::account(record, body, "cloud.account.uid");
    let region = take::region(record, body, "cloud.region");
    Ok(Mapped { table, time, account, region, event })
}

/// Reads an event for the table of its class. A vulnerability finding without a vulnerability that OCSF 1.1.0
/// takes for one is a detection.
fn read(body: Item<'_>) -> Result<(Table, Draft<'_>), &'static str> {
    let table = class::table(body)?;
    let draft = Draft::read(body, table);
    if table == Table::Vulnerability && !draft.has("vulnerabilities") {
        return Ok((Table::Detection, Draft::read(body, Table::Detection)));
    }
    Ok((table, draft))
}
