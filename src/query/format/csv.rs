//! CSV as RFC 4180 has it, with formulas defused.
//!
//! A spreadsheet runs what begins with `=`, `+`, `-` or `@`, and a log holds what
//! an attacker wrote: such text gets a leading apostrophe. Numbers keep their
//! sign. Nothing is empty, an empty text is `""`.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::json::writer::EncoderOptions;

use super::cell::{CellKind, Cells};
use super::text::visible;
use super::{Format, Out, QueryError, Screen, encoding};

/// Writes rows.
pub(super) struct CsvWriter<'w> {
    screen: Screen,
    out: Out<'w>,
    json: EncoderOptions,
}

impl<'w> CsvWriter<'w> {
    /// Writes the line of names.
    pub(super) fn start(schema: &Schema, screen: Screen, out: Out<'w>) -> Result<Self, QueryError> {
        let mut writer = Self { screen, out, json: EncoderOptions::default() };
        let names = schema.fields().iter();
        let line: Vec<_> = names.map(|field| writer.field(field.name(), CellKind::Text)).collect();
        writer.line(&line)?;
        Ok(writer)
    }

    /// Writes rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        let json = self.json.clone();
        let mut columns = Cells::of(batch, &json).map_err(encoding(Format::Csv))?;
        for row in 0..batch.num_rows() {
            let mut line = Vec::with_capacity(columns.len());
            for cells in &mut columns {
                let text = cells.text(row).map_err(encoding(Format::Csv))?;
                line.push(text.map_or_else(String::new, |text| self.field(&text, cells.kind())));
            }
            self.line(&line)?;
        }
        Ok(())
    }

    fn field(&self, text: &str, kind: CellKind) -> String {
        let text = if self.screen.is_terminal() { visible(text) } else { text.into() };
        let guard = if kind == CellKind::Text && starts_a_formula(&text) { "'" } else { "" };
        let quoted = text.is_empty() || text.contains([',', '"', '\r', '\n']);
        if quoted { format!("\"{guard}{}\"", text.replace('"', "\"\"")) } else { format!("{guard}{text}") }
    }

    fn line(&mut self, fields: &[String]) -> Result<(), QueryError> {
        write!(self.out, "{}\r\n", fields.join(",")).map_err(QueryError::Write)
    }
}

/// The full-width forms are formulas to spreadsheets of East Asia.
fn starts_a_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}
