//! JSON: an array, or a line for each row.
//!
//! A member without a value is left out. Control characters, C1 and direction
//! marks are escaped, so the text can be looked at in a terminal.

use arrow::array::{RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field};
use arrow::json::writer::{EncoderOptions, make_encoder};
use std::sync::Arc;

use super::text::visible_json;
use super::{Format, Out, QueryError, encoding};
use crate::query::error::Cause;

/// What stands around the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonShape {
    /// `[`, commas, `]`.
    Array,
    /// Line ends.
    Lines,
}

/// Writes objects.
pub(super) struct JsonWriter<'w> {
    shape: JsonShape,
    rows: u64,
    out: Out<'w>,
    options: EncoderOptions,
}

impl<'w> JsonWriter<'w> {
    /// Returns a writer that has written nothing yet.
    pub(super) fn new(shape: JsonShape, out: Out<'w>) -> Self {
        Self { shape, rows: 0, out, options: EncoderOptions::default() }
    }

    /// Writes the rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        let format = self.format();
        let options = self.options.clone();
        let rows = StructArray::from(batch.clone());
        let data_type = DataType::Struct(batch.schema_ref().fields().clone());
        let field = Arc::new(Field::new("row", data_type, false));
        let mut encoder = make_encoder(&field, &rows, &options).map_err(encoding(format))?;
        let mut bytes = Vec::new();
        for row in 0..batch.num_rows() {
            bytes.clear();
            encoder.encode(row, &mut bytes);
            let text = std::str::from_utf8(&bytes)
                .map_err(|error| QueryError::Encode { format: format.word(), source: Cause::new(&error) })?;
            self.object(&visible_json(text)).map_err(QueryError::Write)?;
        }
        Ok(())
    }

    fn object(&mut self, text: &str) -> std::io::Result<()> {
        let before = match (self.shape, self.rows) {
            (JsonShape::Array, 0) => "[\n",
            (JsonShape::Array, _) => ",\n",
            (JsonShape::Lines, _) => "",
        };
        self.rows += 1;
        self.out.write_all(before.as_bytes())?;
        self.out.write_all(text.as_bytes())?;
        match self.shape {
            JsonShape::Array => Ok(()),
            JsonShape::Lines => self.out.write_all(b"\n"),
        }
    }

    /// Closes the array.
    pub(super) fn finish(self) -> Result<(), QueryError> {
        let end: &[u8] = match (self.shape, self.rows) {
            (JsonShape::Lines, _) => b"",
            (JsonShape::Array, 0) => b"[]\n",
            (JsonShape::Array, _) => b"\n]\n",
        };
        self.out.write_all(end).map_err(QueryError::Write)
    }

    fn format(&self) -> Format {
        match self.shape {
            JsonShape::Array => Format::Json,
            JsonShape::Lines => Format::Jsonl,
        }
    }
}
