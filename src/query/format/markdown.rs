//! A Markdown table for a report or a ticket.
//!
//! Whoever renders it must see text: no HTML, no link, no picture that would be
//! fetched, no cell that ends early.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::json::writer::EncoderOptions;

use super::cell::Cells;
use super::text::visible;
use super::{Format, Out, QueryError, encoding};

/// Writes rows.
pub(super) struct MarkdownWriter<'w> {
    out: Out<'w>,
    json: EncoderOptions,
}

impl<'w> MarkdownWriter<'w> {
    /// Writes names and the line below them.
    pub(super) fn start(schema: &Schema, out: Out<'w>) -> Result<Self, QueryError> {
        let mut writer = Self { out, json: EncoderOptions::default() };
        let names: Vec<_> = schema.fields().iter().map(|field| literal(field.name())).collect();
        writer.line(&names)?;
        writer.line(&vec!["---".to_owned(); names.len()])?;
        Ok(writer)
    }

    /// Writes rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        let json = self.json.clone();
        let mut columns = Cells::of(batch, &json).map_err(encoding(Format::Markdown))?;
        for row in 0..batch.num_rows() {
            let mut line = Vec::with_capacity(columns.len());
            for cells in &mut columns {
                let text = cells.text(row).map_err(encoding(Format::Markdown))?;
                line.push(text.map_or_else(String::new, |text| literal(&text)));
            }
            self.line(&line)?;
        }
        Ok(())
    }

    fn line(&mut self, cells: &[String]) -> Result<(), QueryError> {
        writeln!(self.out, "| {} |", cells.join(" | ")).map_err(QueryError::Write)
    }
}

/// Returns the text so that Markdown renders it as it is. A pipe is an entity, since
/// readers disagree on `\\|`; `://` and `www.` are broken for those that make links by themselves.
fn literal(text: &str) -> String {
    let text = visible(text);
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '|' => safe.push_str("&#124;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' => safe.extend(['\\', c]),
            c => safe.push(c),
        }
    }
    safe.replace("://", "&#58;//").replace("www.", "www&#46;")
}
