//! Turns a Parquet object into text, a row a line, so that one parser reads both forms of a log.
//!
//! A flat file (VPC Flow Logs) becomes a header of its columns' names and lines of
//! cells joined by tabs; a null is `-`, as in flow logs, and so is the text `None`,
//! which writers in Python leave in columns of text. A file with columns inside
//! columns (Security Lake's own) becomes lines of JSON. Promises: rows are decoded
//! as they are asked for; only the packed file is in memory.

use std::fmt::Write as _;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;

/// Rows decoded at once.
const DECODE_ROWS: usize = 1024;
/// The same of rows with columns inside columns, which become text all at once.
const NESTED_ROWS: usize = 64;

/// The first bytes of a Parquet file.
pub const PARQUET: [u8; 4] = *b"PAR1";

/// Rows of a file, on their way to text.
#[derive(Debug)]
pub struct ParquetRows {
    reader: ParquetRecordBatchReader,
    /// The line before the first row, until it is written.
    header: Option<String>,
    is_flat: bool,
    batch: Option<RecordBatch>,
    at: usize,
}

impl ParquetRows {
    /// Opens a file.
    ///
    /// # Errors
    /// It is no Parquet, or has columns inside columns.
    pub fn open(file: Bytes) -> Result<Self, ParquetError> {
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
        let fields = metadata.schema().fields();
        let is_flat = !fields.iter().any(|field| field.data_type().is_nested());
        let (mut options, mut header) = (ArrowReaderOptions::new(), None);
        if is_flat {
            // Views share the page's bytes: a long text that stands in many rows is in memory once.
            let views: Vec<Field> = fields.iter().map(|field| as_view(field)).collect();
            options = options.with_schema(std::sync::Arc::new(Schema::new(views)));
            header = Some(fields.iter().map(|field| cell(field.name())).collect::<Vec<_>>().join("\t"));
        }
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?;
        let rows = if is_flat { DECODE_ROWS } else { NESTED_ROWS };
        let reader = builder.with_batch_size(rows).build()?;
        Ok(Self { reader, header, is_flat, batch: None, at: 0 })
    }

    /// Appends lines until `out` holds `full_at` bytes. False when there are no more.
    ///
    /// # Errors
    /// A page cannot be decoded.
    pub fn lines(&mut self, out: &mut Vec<u8>, full_at: usize) -> Result<bool, ArrowError> {
        if let Some(header) = self.header.take() {
            out.extend_from_slice(header.as_bytes());
            out.push(b'\n');
        }
        while out.len() < full_at {
            let batch = match self.batch.take().filter(|batch| self.at < batch.num_rows()) {
                Some(batch) => batch,
                None => {
                    self.at = 0;
                    match self.reader.next() {
                        Some(batch) => batch?,
                        None => return Ok(false),
                    }
                }
            };
            if self.is_flat {
                self.at = write_cells(&batch, self.at, (out, full_at))?;
            } else {
                LineDelimitedWriter::new(&mut *out).write(&batch)?;
                self.at = batch.num_rows();
            }
            self.batch = Some(batch);
        }
        Ok(true)
    }
}

fn as_view(field: &Field) -> Field {
    match field.data_type() {
        DataType::Utf8 => field.clone().with_data_type(DataType::Utf8View),
        _ => field.clone(),
    }
}

/// Appends rows from `start` and returns the first that is left.
fn write_cells(
    batch: &RecordBatch,
    start: usize,
    (out, full_at): (&mut Vec<u8>, usize),
) -> Result<usize, ArrowError> {
    let options = FormatOptions::new().with_null("-");
    let columns: Vec<ArrayFormatter<'_>> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
        .collect::<Result<_, _>>()?;
    let mut text = String::new();
    for row in start..batch.num_rows() {
        if out.len() >= full_at {
            return Ok(row);
        }
        for (number, column) in columns.iter().enumerate() {
            text.clear();
            // Writing into a string cannot fail; a value that cannot be shown is left empty by the formatter.
            if write!(text, "{}", column.value(row)).is_err() {
                text.clear();
            }
            if number > 0 {
                out.push(b'\t');
            }
            out.extend_from_slice(cell(&text).as_bytes());
        }
        out.push(b'\n');
    }
    Ok(batch.num_rows())
}

/// Keeps a text from breaking the line it stands in.
fn cell(text: &str) -> std::borrow::Cow<'_, str> {
    match text {
        "" | "None" => "-".into(),
        _ if text.contains(['\t', '\n', '\r']) => text.replace(['\t', '\n', '\r'], " ").into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn file(rows: usize) -> Bytes {
        let numbers = Int64Array::from_iter((0..rows).map(|row| (row % 3 > 0).then_some(row as i64)));
        let texts = StringArray::from_iter((0..rows).map(|row| (row % 2 > 0).then(|| format!("a\tb{row}"))));
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("account_id", Arc::new(numbers) as arrow::array::ArrayRef, true),
            ("action", Arc::new(texts), true),
        ])
        .unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap().into()
    }

    #[test]
    fn rows_become_lines_as_they_are_asked_for() {
        let (mut rows, mut out, mut steps) = (ParquetRows::open(file(3000)).unwrap(), Vec::new(), 0);
        while rows.lines(&mut out, (steps + 1) * 1000).unwrap() {
            assert!(out.len() < (steps + 1) * 1000 + 40);
            steps += 1;
        }
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(steps > 10 && lines.len() == 3001, "{steps} steps, {} lines", lines.len());
        assert_eq!(lines[..5], ["account_id\taction", "-\t-", "1\ta b1", "2\t-", "-\ta b3"]);
    }

    #[test]
    fn columns_inside_columns_become_json() {
        let texts = Arc::new(StringArray::from(vec!["x", "y"])) as arrow::array::ArrayRef;
        let field = Arc::new(Field::new("uid", DataType::Utf8, true));
        let structs = Arc::new(arrow::array::StructArray::from(vec![(field, texts)]));
        let batch = RecordBatch::try_from_iter([("user", structs as arrow::array::ArrayRef)]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let mut out = Vec::new();
        let mut rows = ParquetRows::open(writer.into_inner().unwrap().into()).unwrap();
        while rows.lines(&mut out, usize::MAX).unwrap() {}
        let lines = "{\"user\":{\"uid\":\"x\"}}\n{\"user\":{\"uid\":\"y\"}}\n";
        assert_eq!(String::from_utf8(out).unwrap(), lines);
    }

    #[test]
    fn what_is_no_parquet_is_refused() {
        assert!(ParquetRows::open(Bytes::from_static(b"PAR1 and nothing else PAR1")).is_err());
        assert!(ParquetRows::open(Bytes::from_static(b"PAR1")).is_err());
    }
}
