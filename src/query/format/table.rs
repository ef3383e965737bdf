//! Columns for the eye.
//!
//! The first [`SIZED_ROWS`] rows are held back to find how wide the columns must
//! be; later rows flow with these widths, so a later, longer value is cut on a
//! terminal and pushes its line elsewhere. Columns that do not fit the terminal
//! shrink, the widest first; when even that does not do, each row becomes a block
//! of `name  value` lines. Numbers stand to the right.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::json::writer::EncoderOptions;

use super::cell::{CellKind, Cells};
use super::text::{char_columns, columns, visible};
use super::{Format, Out, QueryError, Screen, encoding};

/// How many rows decide the widths.
pub(super) const SIZED_ROWS: usize = 1000;

/// A column narrower than this says nothing any more.
const NARROWEST: usize = 8;

/// The most characters of a cell that are kept: a screen shows no more.
const CELL_CHARS_MAX: usize = 4096;

const BETWEEN: usize = 2;

/// Writes rows.
pub(super) struct TableWriter<'w> {
    screen: Screen,
    out: Out<'w>,
    json: EncoderOptions,
    held: Vec<Vec<String>>,
    layout: Option<Layout>,
    sides: Vec<Side>,
    written: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// How rows lie on the screen.
#[derive(Debug, PartialEq, Eq)]
enum Layout {
    /// A line a row; the widths of its columns.
    Lines(Vec<usize>),
    /// A block a row; the width of the names.
    Blocks(usize),
}

impl<'w> TableWriter<'w> {
    /// Returns a writer that has written nothing yet.
    pub(super) fn new(screen: Screen, out: Out<'w>) -> Self {
        Self {
            screen,
            out,
            json: EncoderOptions::default(),
            held: Vec::new(),
            layout: None,
            sides: Vec::new(),
            written: 0,
        }
    }

    /// Takes rows, and writes them once the widths are known.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        let json = self.json.clone();
        let mut columns = Cells::of(batch, &json).map_err(encoding(Format::Table))?;
        self.sides = columns.iter().map(|cells| side(cells.kind())).collect();
        for row in 0..batch.num_rows() {
            let mut line = Vec::with_capacity(columns.len());
            for cells in &mut columns {
                let text = cells.text(row).map_err(encoding(Format::Table))?.unwrap_or_default();
                line.push(shown(&text));
            }
            self.held.push(line);
        }
        if self.layout.is_some() || self.held.len() >= SIZED_ROWS {
            self.flush(batch.schema_ref())?;
        }
        Ok(())
    }

    /// Writes what is held, and how many rows there were.
    pub(super) fn finish(mut self, schema: &Schema) -> Result<(), QueryError> {
        self.flush(schema)?;
        let plural = if self.written == 1 { "" } else { "s" };
        writeln!(self.out, "({} row{plural})", self.written).map_err(QueryError::Write)
    }

    fn flush(&mut self, schema: &Schema) -> Result<(), QueryError> {
        let names: Vec<_> = schema.fields().iter().map(|field| shown(field.name())).collect();
        let held = std::mem::take(&mut self.held);
        let layout = match self.layout.take() {
            Some(layout) => layout,
            None => {
                let layout = Layout::of(&names, &held, self.screen);
                self.head(&names, &layout).map_err(QueryError::Write)?;
                layout
            }
        };
        for row in &held {
            self.written += 1;
            self.row(&names, row, &layout).map_err(QueryError::Write)?;
        }
        self.layout = Some(layout);
        Ok(())
    }

    fn head(&mut self, names: &[String], layout: &Layout) -> std::io::Result<()> {
        let Layout::Lines(widths) = layout else {
            return Ok(());
        };
        let rules: Vec<_> = widths.iter().map(|width| "─".repeat(*width)).collect();
        self.line(names, widths)?;
        self.line(&rules, widths)
    }

    fn row(&mut self, names: &[String], row: &[String], layout: &Layout) -> std::io::Result<()> {
        match layout {
            Layout::Lines(widths) => self.line(row, widths),
            Layout::Blocks(width) => self.block(names, row, *width),
        }
    }

    fn line(&mut self, cells: &[String], widths: &[usize]) -> std::io::Result<()> {
        let mut line = String::new();
        for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let cell = fit(cell, *width, self.screen);
            let gap = " ".repeat(width.saturating_sub(columns(&cell)));
            match self.sides.get(at) {
                Some(Side::Right) => line.extend([gap.as_str(), cell.as_str()]),
                _ => line.extend([cell.as_str(), gap.as_str()]),
            }
            line.push_str("  ");
        }
        writeln!(self.out, "{}", line.trim_end())
    }

    /// A value that is not there is left out.
    fn block(&mut self, names: &[String], row: &[String], width: usize) -> std::io::Result<()> {
        writeln!(self.out, "── {} ──", self.written)?;
        for (name, cell) in names.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
            let gap = " ".repeat(width.saturating_sub(columns(name)) + BETWEEN);
            writeln!(self.out, "{name}{gap}{cell}")?;
        }
        Ok(())
    }
}

impl Layout {
    fn of(names: &[String], rows: &[Vec<String>], screen: Screen) -> Self {
        let mut widths: Vec<_> = names.iter().map(|name| columns(name)).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(columns(cell));
            }
        }
        let Screen::Terminal { width: room } = screen else {
            return Self::Lines(widths);
        };
        let room = room.saturating_sub(BETWEEN * widths.len().saturating_sub(1));
        if widths.iter().map(|width| (*width).min(NARROWEST)).sum::<usize>() > room {
            return Self::Blocks(names.iter().map(|name| columns(name)).max().unwrap_or(0));
        }
        let cap = widest_that_fits(&widths, room);
        Self::Lines(widths.into_iter().map(|width| width.min(cap)).collect())
    }
}

/// The widest a column may be so that all fit.
fn widest_that_fits(widths: &[usize], room: usize) -> usize {
    let total = |cap: usize| widths.iter().map(|width| (*width).min(cap)).sum::<usize>();
    let (mut low, mut high) = (NARROWEST, room.max(NARROWEST));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if total(middle) <= room {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

fn side(kind: CellKind) -> Side {
    match kind {
        CellKind::Value => Side::Right,
        CellKind::Text | CellKind::Nested => Side::Left,
    }
}

/// The text as a screen may have it.
fn shown(text: &str) -> String {
    let mut kept: String = text.chars().take(CELL_CHARS_MAX + 1).collect();
    if kept.chars().count() > CELL_CHARS_MAX {
        kept.pop();
        kept.push('…');
    }
    visible(&kept).into_owned()
}

/// Cuts a cell to a column of a terminal; elsewhere nothing is lost.
fn fit(cell: &str, width: usize, screen: Screen) -> String {
    if !screen.is_terminal() || columns(cell) <= width {
        return cell.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let mut cut: String = cell
        .chars()
        .take_while(|c| {
            let fits = char_columns(*c) <= room;
            room = room.saturating_sub(char_columns(*c));
            fits
        })
        .collect();
    cut.push('…');
    cut
}
