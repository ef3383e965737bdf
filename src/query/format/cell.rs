//! One value as text.
//!
//! Takes a column and a row and gives text: a scalar as SQL would print it, a
//! struct, list or map as compact JSON.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// What kind of text a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    /// Text as somebody wrote it.
    Text,
    /// A number, a moment, a truth: our own spelling.
    Value,
    /// JSON.
    Nested,
}

/// The values of one column.
pub(super) struct Cells<'a> {
    array: &'a dyn Array,
    kind: CellKind,
    spell: Spell<'a>,
}

enum Spell<'a> {
    Plain(ArrayFormatter<'a>),
    Json(NullableEncoder<'a>),
}

const PLAIN: FormatOptions<'static> = FormatOptions::new().with_display_error(false);

impl<'a> Cells<'a> {
    /// Returns the columns of a batch.
    pub(super) fn of(batch: &'a RecordBatch, json: &'a EncoderOptions) -> Result<Vec<Self>, ArrowError> {
        let fields = batch.schema_ref().fields().iter();
        fields
            .zip(batch.columns())
            .map(|(field, array)| {
                let kind = kind(array.data_type());
                let spell = match kind {
                    CellKind::Nested => Spell::Json(make_encoder(field, array.as_ref(), json)?),
                    CellKind::Text | CellKind::Value => {
                        Spell::Plain(ArrayFormatter::try_new(array.as_ref(), &PLAIN)?)
                    }
                };
                let array = array.as_ref();
                Ok(Self { array, kind, spell })
            })
            .collect()
    }

    /// Returns what kind of text the cells are.
    pub(super) fn kind(&self) -> CellKind {
        self.kind
    }

    /// Returns the text of a row, or nothing when it has no value.
    pub(super) fn text(&mut self, row: usize) -> Result<Option<String>, ArrowError> {
        if self.array.is_null(row) || self.array.data_type().is_null() {
            return Ok(None);
        }
        match &mut self.spell {
            Spell::Plain(plain) => plain.value(row).try_to_string().map(Some),
            Spell::Json(encoder) => {
                let mut bytes = Vec::new();
                encoder.encode(row, &mut bytes);
                let text = String::from_utf8(bytes)
                    .map_err(|error| ArrowError::JsonError(format!("encode a nested value: {error}")))?;
                Ok(Some(super::text::visible_json(&text).into_owned()))
            }
        }
    }
}

fn kind(data_type: &DataType) -> CellKind {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => CellKind::Text,
        DataType::Dictionary(_, values) => kind(values),
        data_type if data_type.is_nested() => CellKind::Nested,
        _ => CellKind::Value,
    }
}
