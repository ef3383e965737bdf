//! Writes rows in the form a person or a program wants.
//!
//! Takes record batches and gives text, or a Parquet file. Promises:
//! - what a log says stays text: no control code reaches a terminal, no cell
//!   becomes a formula, a link or HTML;
//! - memory does not grow with the answer: `json`, `jsonl`, `csv` and `markdown` hold
//!   a few hundred rows, `table` holds its first `table::SIZED_ROWS` to size the columns.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

pub mod text;
mod cell;
mod table;
mod markdown;
mod csv;
mod json;

use self::csv::CsvWriter;
use self::json::{JsonShape, JsonWriter};
use self::markdown::MarkdownWriter;
use self::table::TableWriter;
use super::error::{Cause, QueryError};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Columns for the eye, as wide as the terminal; one block a row when they do not fit.
    #[default]
    Table,
    /// One JSON array.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// RFC 4180, with formulas defused.
    Csv,
    /// A table for a report or a ticket.
    Markdown,
    /// A Parquet file, to --output only.
    Parquet,
}

impl Format {
    /// Returns the word a person types.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Markdown => "markdown",
            Self::Parquet => "parquet",
        }
    }
}

/// Where text goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// A terminal of so many columns: cells are cut to fit, control codes made visible in every format.
    Terminal {
        /// Its columns.
        width: usize,
    },
    /// A file or pipe: nothing is cut.
    None,
}

impl Screen {
    fn is_terminal(self) -> bool {
        matches!(self, Self::Terminal { .. })
    }
}

/// Takes batches and writes rows. Call [`RowWriter::finish`] at the end.
pub struct RowWriter<'w> {
    format: Format,
    schema: SchemaRef,
    sink: Sink<'w>,
}

type Out<'w> = &'w mut (dyn Write + Send);

enum Sink<'w> {
    Table(TableWriter<'w>),
    Markdown(MarkdownWriter<'w>),
    Csv(CsvWriter<'w>),
    Json(JsonWriter<'w>),
    Parquet(Box<ArrowWriter<File>>),
}

/// How many rows are turned into text at once.
const ROWS_AT_ONCE: usize = 256;

impl std::fmt::Debug for RowWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowWriter").field("format", &self.format).finish_non_exhaustive()
    }
}

impl<'w> RowWriter<'w> {
    /// Starts text in `format`. For Parquet see [`RowWriter::parquet`].
    ///
    /// # Errors
    /// The place does not take it, or the format is no text.
    pub fn text(format: Format, schema: &Schema, screen: Screen, out: Out<'w>) -> Result<Self, QueryError> {
        let schema = Arc::new(unique_names(schema));
        let sink = match format {
            Format::Table => Sink::Table(TableWriter::new(screen, out)),
            Format::Json => Sink::Json(JsonWriter::new(JsonShape::Array, out)),
            Format::Jsonl => Sink::Json(JsonWriter::new(JsonShape::Lines, out)),
            Format::Csv => Sink::Csv(CsvWriter::start(&schema, screen, out)?),
            Format::Markdown => Sink::Markdown(MarkdownWriter::start(&schema, out)?),
            Format::Parquet => {
                return Err(encoding(format)(ArrowError::NotYetImplemented(
                    "parquet is no text, give a file".to_owned(),
                )));
            }
        };
        Ok(Self { format, schema, sink })
    }

    /// Starts a Parquet file.
    ///
    /// # Errors
    /// A column has a type that Parquet cannot hold.
    pub fn parquet(schema: &Schema, file: File) -> Result<Self, QueryError> {
        let schema = Arc::new(unique_names(schema));
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
            .map_err(|error| parquet_error(&error))?;
        Ok(Self { format: Format::Parquet, schema, sink: Sink::Parquet(Box::new(writer)) })
    }

    /// Writes the rows of a batch.
    ///
    /// # Errors
    /// The place does not take them, or a value has no text.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), batch.columns().to_vec())
            .map_err(encoding(self.format))?;
        for start in (0..batch.num_rows()).step_by(ROWS_AT_ONCE) {
            let rows = batch.slice(start, ROWS_AT_ONCE.min(batch.num_rows() - start));
            match &mut self.sink {
                Sink::Table(table) => table.write(&rows)?,
                Sink::Markdown(markdown) => markdown.write(&rows)?,
                Sink::Csv(csv) => csv.write(&rows)?,
                Sink::Json(json) => json.write(&rows)?,
                Sink::Parquet(parquet) => parquet.write(&rows).map_err(|error| parquet_error(&error))?,
            }
        }
        Ok(())
    }

    /// Writes what is held back and what closes the text.
    ///
    /// # Errors
    /// The place does not take it.
    pub fn finish(self) -> Result<(), QueryError> {
        match self.sink {
            Sink::Table(table) => table.finish(&self.schema),
            Sink::Markdown(_) | Sink::Csv(_) => Ok(()),
            Sink::Json(json) => json.finish(),
            Sink::Parquet(parquet) => parquet.close().map(drop).map_err(|error| parquet_error(&error)),
        }
    }
}

fn encoding(format: Format) -> impl Fn(ArrowError) -> QueryError {
    move |error| QueryError::Encode { format: format.word(), source: Cause::new(&error) }
}

fn parquet_error(error: &ParquetError) -> QueryError {
    QueryError::Encode { format: Format::Parquet.word(), source: Cause::new(error) }
}

/// Numbers the columns that have the name of an earlier one: an object has each key once.
fn unique_names(schema: &Schema) -> Schema {
    let mut fields: Vec<Field> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let taken = |fields: &[Field], name: &str| fields.iter().any(|field| field.name() == name);
        let name = std::iter::once(field.name().clone())
            .chain((2_u32..).map(|number| format!("{}_{number}", field.name())))
            .find(|name| !taken(&fields, name));
        let field = field.as_ref().clone();
        fields.push(name.map_or_else(|| field.clone(), |name| field.clone().with_name(name)));
    }
    Schema::new(fields)
}

#[cfg(test)]
mod tests;
