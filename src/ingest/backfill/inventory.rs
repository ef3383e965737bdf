//! Reads an S3 Inventory: a list of a bucket's objects that S3 wrote itself, for archives too large to list.
//!
//! Takes the place of a `manifest.json` and announces the newest version of each object that the
//! inventory names. What its columns are, the manifest says (CSV) or the file itself (Parquet). A
//! data file is a part of the backfill, so that a run that was stopped goes on behind it.

use arrow::array::{Array, BooleanArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use bytes::{Bytes, BytesMut};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Deserialize;

use super::announce::{Announcer, Of};
use super::ledger::Ledger;
use crate::cpu::compute;
use crate::ingest::archive::{Archive, ArchiveError, First, Listed, Sought};
use crate::ingest::decompress::{UnpackLimits, Unpacker};
use crate::ingest::error::IngestError;
use crate::ingest::notification::form_decode;
use crate::ingest::queue::Unit;

/// A manifest names data files and nothing else.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// S3 writes data files of some hundred megabytes at most.
const FILE_BYTES_MAX: u64 = 2 << 30;
/// Bytes asked for at once.
const PIECE_BYTES: u64 = 8 << 20;
/// Text of a data file that is held at once.
const TEXT_BYTES: usize = 4 << 20;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    source_bucket: String,
    destination_bucket: String,
    file_format: String,
    file_schema: String,
    files: Vec<DataFile>,
}

#[derive(Debug, Deserialize)]
struct DataFile {
    key: String,
    size: Option<u64>,
}

/// An object that an inventory names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    key: String,
    version_id: String,
    is_old: bool,
    size: u64,
    etag: String,
}

/// Announces what is asked for of the objects that an inventory names. Ends early, without an error, when
/// nothing more is wanted.
///
/// # Errors
/// The manifest or a data file cannot be read, or the catalog failed.
pub async fn read_inventory(
    announcer: &Announcer,
    ledger: Option<&Ledger>,
    (bucket, key): (&str, &str),
) -> Result<(), IngestError> {
    let failed = |key: &str, source| IngestError::List { place: format!("s3://{bucket}/{key}"), source };
    let archive = &announcer.archive;
    let manifest = read_manifest(archive, bucket, key).await.map_err(|source| failed(key, source))?;
    let columns = Columns::read(&manifest.file_schema);
    for file in &manifest.files {
        let mut unit = None;
        if let Some(ledger) = ledger {
            ledger.load(bucket, &file.key).await?;
            unit = ledger.begin(bucket, &file.key);
            if unit.is_none() {
                continue;
            }
        }
        let reading = Reading { announcer, bucket: &manifest.source_bucket, manifest: key, unit, columns };
        let sought = Sought { bucket, key: &file.key, etag: "", version_id: None };
        let is_wanted = match manifest.file_format.as_str() {
            "CSV" => reading.csv(sought).await,
            _ => reading.parquet(sought, file.size).await,
        };
        if !is_wanted.map_err(|source| failed(&file.key, source))? {
            return Ok(());
        }
        if let (Some(unit), Some(ledger)) = (unit, ledger) {
            announcer.queue.close_unit(unit);
            ledger.record(&announcer.queue).await?;
        }
    }
    Ok(())
}

async fn read_manifest(archive: &Archive, bucket: &str, key: &str) -> Result<Manifest, ArchiveError> {
    let sought = Sought { bucket, key, etag: "", version_id: None };
    let bytes = whole(archive, sought, MANIFEST_BYTES_MAX).await?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|error| ArchiveError::refused("it is no manifest.json of an S3 Inventory", error))?;
    // Whoever may write a manifest must not choose what else is read: S3 puts all of an inventory into one bucket.
    let home = manifest.destination_bucket.rsplit(':').next().unwrap_or_default();
    if home != bucket {
        let what = format!(
            "its data files lie in {home:?}, not beside it in {bucket}; name the manifest that S3 wrote there"
        );
        return Err(ArchiveError::refused(what, "another bucket"));
    }
    if manifest.source_bucket.contains("://") {
        let what = format!("its sourceBucket {:?} is no bucket", manifest.source_bucket);
        return Err(ArchiveError::refused(what, "no bucket"));
    }
    match manifest.file_format.as_str() {
        "CSV" | "Parquet" => Ok(manifest),
        format => {
            let what = format!("an inventory in {format} is not read; have S3 write it as CSV or Parquet");
            Err(ArchiveError::refused(what, "another format"))
        }
    }
}

/// Reads an object into memory.
async fn whole(archive: &Archive, sought: Sought<'_>, bytes_max: u64) -> Result<Bytes, ArchiveError> {
    let First { bytes, size, etag } = archive.first(sought, PIECE_BYTES).await?;
    if size > bytes_max {
        let what = format!("it has {size} bytes, {bytes_max} are the most");
        return Err(ArchiveError::refused(what, "too large"));
    }
    let mut whole = BytesMut::from(bytes);
    while (whole.len() as u64) < size {
        let start = whole.len() as u64;
        let sought = Sought { etag: &etag, ..sought };
        whole.extend_from_slice(&archive.range(sought, start..size.min(start + PIECE_BYTES)).await?);
    }
    Ok(whole.freeze())
}

/// Where the columns that matter stand in a CSV.
#[derive(Debug, Clone, Copy, Default)]
struct Columns {
    key: Option<usize>,
    version_id: Option<usize>,
    is_latest: Option<usize>,
    is_delete_marker: Option<usize>,
    size: Option<usize>,
    etag: Option<usize>,
}

impl Columns {
    fn read(schema: &str) -> Self {
        let at = |name: &str| schema.split(',').position(|column| column.trim() == name);
        Self {
            key: at("Key"),
            version_id: at("VersionId"),
            is_latest: at("IsLatest"),
            is_delete_marker: at("IsDeleteMarker"),
            size: at("Size"),
            etag: at("ETag"),
        }
    }

    /// Reads a line; `None` when it has no key.
    fn row(self, line: &str) -> Option<Row> {
        let cells = cells(line);
        let cell = |at: Option<usize>| cells.get(at?).map(String::as_str);
        Some(Row {
            key: form_decode(cell(self.key)?),
            version_id: cell(self.version_id).unwrap_or_default().to_owned(),
            is_old: cell(self.is_latest) == Some("false") || cell(self.is_delete_marker) == Some("true"),
            size: cell(self.size).and_then(|size| size.parse().ok()).unwrap_or(0),
            etag: cell(self.etag).unwrap_or_default().to_owned(),
        })
    }
}

/// Takes a line of CSV apart. Keys are encoded, so no cell holds a line's end.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.trim_end_matches('\r').chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(std::mem::take(&mut cell)),
            letter => cell.push(letter),
        }
    }
    cells.push(cell);
    cells
}

/// One data file being read.
struct Reading<'a> {
    announcer: &'a Announcer,
    bucket: &'a str,
    /// The key of the manifest that names it.
    manifest: &'a str,
    unit: Option<Unit>,
    columns: Columns,
}

impl Reading<'_> {
    /// False when nothing more is wanted.
    async fn announce(&self, row: Row) -> bool {
        if row.is_old {
            return true;
        }
        let version_id = Some(row.version_id.as_str()).filter(|id| !id.is_empty() && *id != "null");
        let listed = Listed { key: row.key, etag: row.etag.trim_matches('"').to_owned(), size: row.size };
        self.announcer.announce(self.bucket, listed, Of { unit: self.unit, version_id }).await
    }

    async fn csv(&self, sought: Sought<'_>) -> Result<bool, ArchiveError> {
        let archive = &self.announcer.archive;
        let broken = |error| ArchiveError::refused("its packing is broken", error);
        let First { bytes, size, etag } = archive.first(sought, PIECE_BYTES).await?;
        let mut read = bytes.len() as u64;
        let (mut piece, mut text) = (bytes, Vec::new());
        let mut unpacker = Unpacker::new(UnpackLimits::default());
        loop {
            while !piece.is_empty() {
                unpacker.unpack(&mut piece, &mut text, TEXT_BYTES).map_err(broken)?;
                if !self.lines(&mut text).await? {
                    return Ok(false);
                }
            }
            if read >= size {
                break;
            }
            let end = size.min(read + PIECE_BYTES);
            piece = archive.range(Sought { etag: &etag, ..sought }, read..end).await?;
            read = end;
        }
        while !unpacker.finish(&mut text, TEXT_BYTES).map_err(broken)? {
            if !self.lines(&mut text).await? {
                return Ok(false);
            }
        }
        text.push(b'\n');
        self.lines(&mut text).await
    }

    /// Announces the whole lines of a text and leaves the rest in it, which must leave room for more.
    async fn lines(&self, text: &mut Vec<u8>) -> Result<bool, ArchiveError> {
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = text.drain(..end).collect();
        for line in String::from_utf8_lossy(&whole).lines().filter(|line| !line.is_empty()) {
            let Some(row) = self.columns.row(line) else { continue };
            if !self.announce(row).await {
                return Ok(false);
            }
        }
        if text.len() >= TEXT_BYTES {
            let what = format!(
                "a line of it is longer than {TEXT_BYTES} bytes, so it is no data file of the inventory in {:?}; have \
                 S3 write that again",
                self.manifest
            );
            return Err(ArchiveError::refused(what, "no end of the line"));
        }
        Ok(true)
    }

    async fn parquet(&self, sought: Sought<'_>, size: Option<u64>) -> Result<bool, ArchiveError> {
        let broken = |error: String| ArchiveError::refused("it cannot be read as Parquet", error);
        if size.is_some_and(|size| size > FILE_BYTES_MAX) {
            return Err(ArchiveError::refused("it is too large", "too large"));
        }
        let file = whole(&self.announcer.archive, sought, FILE_BYTES_MAX).await?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build());
        let mut reader = reader.map_err(|error| broken(error.to_string()))?;
        loop {
            let step = move || {
                let batch = reader.next();
                (
                    reader,
                    batch
                        .map(|batch| batch.map_err(|error| error.to_string()).and_then(|batch| rows(&batch))),
                )
            };
            let Some((next, batch)) = compute(step).await else {
                return Err(broken("decoding broke down".to_owned()));
            };
            reader = next;
            let Some(batch) = batch else { return Ok(true) };
            for row in batch.map_err(broken)? {
                if !self.announce(row).await {
                    return Ok(false);
                }
            }
        }
    }
}

/// Reads the rows of a batch by the names of its columns, as S3 writes them.
fn rows(batch: &RecordBatch) -> Result<Vec<Row>, String> {
    let column = |name: &str, to: &DataType| {
        let column = batch.column_by_name(name)?;
        cast(column, to).ok()
    };
    let text = |name: &str| column(name, &DataType::Utf8);
    let keys = text("key").ok_or("it has no column key")?;
    let (versions, etags, sizes) = (text("version_id"), text("e_tag"), text("size"));
    let flag = |name: &str| column(name, &DataType::Boolean);
    let (latest, markers) = (flag("is_latest"), flag("is_delete_marker"));
    let at = |column: &Option<arrow::array::ArrayRef>, row: usize| {
        let column = column.as_ref()?.as_any().downcast_ref::<StringArray>()?;
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let is = |column: &Option<arrow::array::ArrayRef>, row: usize| {
        let column = column.as_ref()?.as_any().downcast_ref::<BooleanArray>()?;
        column.is_valid(row).then(|| column.value(row))
    };
    let keys = Some(keys);
    let rows = (0..batch.num_rows()).filter_map(|row| {
        Some(Row {
            key: at(&keys, row)?,
            version_id: at(&versions, row).unwrap_or_default(),
            is_old: is(&latest, row) == Some(false) || is(&markers, row) == Some(true),
            size: at(&sizes, row).and_then(|size| size.parse().ok()).unwrap_or(0),
            etag: at(&etags, row).unwrap_or_default(),
        })
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_by_the_manifests_columns() {
        let columns = Columns::read("Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, ETag");
        let line = r#""b","AWSLogs/a%2Bb+c%2C.json.gz","v1","true","false","17","abc-2""#;
        let row = Row {
            key: "AWSLogs/a+b c,.json.gz".into(),
            version_id: "v1".into(),
            is_old: false,
            size: 17,
            etag: "abc-2".into(),
        };
        assert_eq!(columns.row(line), Some(row));
        let row = |line| Columns::read("Bucket, Key, IsLatest, IsDeleteMarker").row(line).unwrap();
        assert!(row(r#""b","k","false","false""#).is_old && row(r#""b","k","true","true""#).is_old);
        assert!(!row("b,k,true,false\r").is_old);
        assert_eq!(Columns::read("Bucket, Key").row(r#""b""#), None);
        assert_eq!(cells(r#""a""b",,c"#), [r#"a"b"#, "", "c"]);
    }
}
