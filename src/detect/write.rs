//! Findings as a hot file of `find-detection`, which nobody sees until the run commits.

use jiff::Timestamp;

use super::error::DetectError;
use super::finding::Finding;
use crate::lake::catalog::{BatchId, FileKind, LakeFile, Slice};
use crate::lake::parquet::{Encoder, FilePurpose};
use crate::lake::path::{AccountId, EventDay, Region, hot_key};
use crate::lake::store::Lake;
use crate::lake::table::Table;
use crate::ocsf::columns::Columns;

/// Writes the findings of a run; no file when there are none.
pub(super) async fn write(
    lake: &Lake,
    batch: &BatchId,
    findings: &[Finding],
    now: Timestamp,
) -> Result<Vec<LakeFile>, DetectError> {
    const TABLE: Table = Table::Detection;
    let time = now.as_millisecond();
    let (false, Some(day)) = (findings.is_empty(), EventDay::of(time)) else { return Ok(Vec::new()) };
    // Rows of a hot file are in the order of account and Region, as settling wants to merge them.
    let mut placed: Vec<(AccountId, Region, &Finding)> = findings.iter().map(placed).collect();
    placed.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let mut columns = Columns::new(TABLE.schema());
    let log = format!("ashiato://detect/{batch}");
    for (number, (_, _, finding)) in (0..).zip(&placed) {
        let left_over = columns.event(&finding.event((&log, number), now));
        debug_assert!(left_over.is_empty(), "no column for {left_over:?}");
        columns.end_row();
    }
    let mut encoder = Encoder::new(TABLE.schema(), FilePurpose::Hot);
    let rows = columns.finish().map_err(|error| DetectError::Encode(error.into()))?;
    encoder.write(&rows).map_err(DetectError::Encode)?;
    let bytes = encoder.finish().map_err(DetectError::Encode)?;
    let file = LakeFile {
        key: hot_key(TABLE, day, &format!("{batch}-0")),
        table: TABLE,
        kind: FileKind::Hot,
        day,
        slices: slices(&placed),
        rows: placed.len() as u64,
        bytes: bytes.len() as u64,
        time_min: time,
        time_max: time,
    };
    let put = lake.put(&file.key, bytes.into()).await;
    put.map_err(|source| DetectError::Store { key: file.key.clone(), source })?;
    Ok(vec![file])
}

/// Its partition; what a record says is no path unless it is an account and a Region.
fn placed(finding: &Finding) -> (AccountId, Region, &Finding) {
    let account = finding.found.account.as_deref().and_then(AccountId::read).unwrap_or(AccountId::EXTERNAL);
    let region = finding.found.region.as_deref().and_then(Region::read).unwrap_or_else(Region::unknown);
    (account, region, finding)
}

fn slices(placed: &[(AccountId, Region, &Finding)]) -> Vec<Slice> {
    let groups = placed.chunk_by(|a, b| (a.0, &a.1) == (b.0, &b.1));
    let slice = |group: &[(AccountId, Region, &Finding)]| {
        let (account, region, _) = group.first()?;
        Some(Slice { account: *account, region: region.clone(), rows: group.len() as u64 })
    };
    groups.filter_map(slice).collect()
}
