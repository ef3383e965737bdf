//! Fills one row from one document.

use sha2::{Digest, Sha256};

use super::map::{map, recognize_one};
use super::record::Mapped;
use crate::ingest::json::{Document, Item};
use crate::ingest::source::record::{Origin, RecordHead, Records};
use crate::ingest::source::time::take_time;
use crate::ingest::source::unmapped::Unmapped;
use crate::lake::path::AccountId;
use crate::lake::table::Table;
use crate::ocsf::columns::Columns;
use crate::ocsf::event::Object;
use crate::ocsf::schema::{self, CLOUD_TRAIL, CONFIGURATION_ITEM, FINDINGS, Leaf, MapColumn, VPC_FLOW};

/// Fills one row of the record's table.
pub fn normalize(
    head: &RecordHead,
    records: &Records,
    origin: Origin<'_>,
    columns: &mut Columns,
    scratch: &mut String,
) {
    // Both went well when the record was parsed, of the same text.
    let Ok(document) = Document::read(origin.text, head.range.start as usize) else { return };
    let whole = document.root();
    let Some((source, record)) = recognize_one(whole, head.body as usize) else { return };
    let Ok(Mapped { mut event, .. }) = map(source, record) else { return };
    if record.is_enveloped() && head.table.class().is_some_and(|class| class.is_finding()) {
        // Two states of a finding may have one time: a workflow that changes changes no `UpdatedAt`.
        event.integer("metadata.logged_time_dt", take_time(record.whole, "time"));
    }
    write_row(event, whole, (head, records, origin), (columns, scratch));
}

/// Writes an event as a row, and what nobody took of its document into `unmapped`.
pub fn write_row(
    mut event: Object,
    document: Item<'_>,
    (head, records, origin): (&RecordHead, &Records, Origin<'_>),
    (columns, scratch): (&mut Columns, &mut String),
) {
    place(&mut event, head, records, origin);
    if event.get("metadata.uid").is_none() && head.table.schema().leaves.iter().any(is_uid) {
        event.constant("metadata.uid", &digest(document.json(), head.body));
    }
    let left_over = columns.event(&event);
    debug_assert!(left_over.is_empty(), "no column for {left_over:?}");
    Unmapped::new(columns, unmapped(head.table), origin.text, scratch).put_rest(document);
    columns.end_row();
}

/// Flows have no ids of their own.
fn is_uid(leaf: &Leaf) -> bool {
    leaf.path == "metadata.uid"
}

/// What every event has. Of a place that the record names in its own way, that way stays.
fn place(event: &mut Object, head: &RecordHead, records: &Records, origin: Origin<'_>) {
    event.integer("time", head.time);
    event.integer("time_dt", head.time);
    event.constant("metadata.log_name", origin.object);
    event.integer("metadata.sequence", i64::try_from(head.index.min(0x7fff_ffff)).unwrap_or_default());
    let has_no = |event: &Object, path: &str| event.get(path).is_none();
    if head.account != AccountId::EXTERNAL && is_of_cloud(event) && has_no(event, "cloud.account.uid") {
        event.constant("cloud.account.uid", &head.account.to_string());
    }
    let region = records.regions.get(head.region).filter(|_| head.region > 0);
    if let Some(region) = region.filter(|_| is_of_cloud(event) && has_no(event, "cloud.region")) {
        event.constant("cloud.region", region.as_str());
    }
}

/// An event from elsewhere has no `cloud`, and OCSF wants all of it or none.
fn is_of_cloud(event: &Object) -> bool {
    event.get("cloud").is_some()
}

/// Names a state of a finding by its text: a second delivery has the same name, a changed finding another.
fn digest(text: &str, part: u32) -> String {
    let mut hasher = Sha256::new();
    hasher.update(text.as_bytes());
    hasher.update(part.to_le_bytes());
    hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The map of what has no column.
fn unmapped(table: Table) -> MapColumn {
    const OF_CLOUD_TRAIL: MapColumn = schema::map(CLOUD_TRAIL, "unmapped");
    const OF_VPC_FLOW: MapColumn = schema::map(VPC_FLOW, "unmapped");
    const OF_FINDINGS: MapColumn = schema::map(FINDINGS, "unmapped");
    const OF_CONFIGURATION: MapColumn = schema::map(CONFIGURATION_ITEM, "unmapped");
    match table {
        Table::ApiActivity
        | Table::DataActivity
        | Table::AccountChange
        | Table::Authentication
        | Table::OcsfApiActivity
        | Table::OcsfAccountChange
        | Table::OcsfAuthentication => OF_CLOUD_TRAIL,
        Table::VpcFlow | Table::OcsfNetwork => OF_VPC_FLOW,
        Table::Vulnerability | Table::Compliance | Table::Detection | Table::DataSecurity => OF_FINDINGS,
        Table::ConfigurationItem => OF_CONFIGURATION,
    }
}
