//! Fills the columns of one table and gives an Arrow record batch.
//!
//! Takes values row by row through the handles of [`super::schema`] and gives a
//! [`RecordBatch`] of the table's schema. Promises:
//! - a value that is not set is null, and costs nothing until the batch is finished;
//! - a struct all of whose members are null is null itself, as OCSF wants it;
//! - text is UTF-8, checked by Arrow.
//!
//! Not here: the order of the rows (`ingest::batch`).

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Int32Array, Int64Array, ListArray, MapArray, RecordBatch,
    StructArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;

use super::packed::{Fixed, List, Text, Validity, any_valid, end, filled, offsets};
use super::schema::{
    FlagColumn, IntColumn, LeafType, ListColumn, LongColumn, MapColumn, Node, TableSchema, TextColumn,
};

/// The columns of one table being filled.
#[derive(Debug)]
pub struct Columns {
    pub(super) schema: Arc<TableSchema>,
    pub(super) rows: usize,
    pub(super) text: Vec<Text>,
    pub(super) int: Vec<Fixed<i32>>,
    pub(super) long: Vec<Fixed<i64>>,
    pub(super) flag: Vec<Fixed<bool>>,
    pub(super) decimal: Vec<Fixed<i128>>,
    pub(super) lists: Vec<List>,
}

impl Columns {
    /// Returns empty columns of a table.
    pub fn new(schema: &Arc<TableSchema>) -> Self {
        let counts = schema.counts;
        let fill = |count: usize| (0..count).map(|_| ());
        Self {
            schema: Arc::clone(schema),
            rows: 0,
            text: fill(counts.text).map(|()| Text::default()).collect(),
            int: fill(counts.int).map(|()| Fixed::default()).collect(),
            long: fill(counts.long).map(|()| Fixed::default()).collect(),
            flag: fill(counts.flag).map(|()| Fixed::default()).collect(),
            decimal: fill(counts.decimal).map(|()| Fixed::default()).collect(),
            lists: fill(counts.list).map(|()| List::default()).collect(),
        }
    }

    /// Returns how many rows are complete.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Sets the text of the present row. Call once a row and column.
    #[inline]
    pub fn text(&mut self, column: TextColumn, value: &str) {
        if let Some(text) = self.text.get_mut(column.0) {
            text.put(self.rows, value.as_bytes());
        }
    }

    /// Sets the 32-bit number of the present row.
    #[inline]
    pub fn int(&mut self, column: IntColumn, value: i32) {
        if let Some(int) = self.int.get_mut(column.0) {
            int.put(self.rows, value);
        }
    }

    /// Sets the 64-bit number, or the milliseconds, of the present row.
    #[inline]
    pub fn long(&mut self, column: LongColumn, value: i64) {
        if let Some(long) = self.long.get_mut(column.0) {
            long.put(self.rows, value);
        }
    }

    /// Sets the truth of the present row.
    #[inline]
    pub fn flag(&mut self, column: FlagColumn, value: bool) {
        if let Some(flag) = self.flag.get_mut(column.0) {
            flag.put(self.rows, value);
        }
    }

    /// Starts the next item of a list in the present row; the `item_*` calls fill it.
    #[inline]
    pub fn item(&mut self, list: ListColumn) {
        let rows = self.rows;
        if let Some(list) = self.lists.get_mut(list.0) {
            list.pad(rows);
            list.items += 1;
        }
    }

    /// Sets a text of the item that [`Columns::item`] started.
    #[inline]
    pub fn item_text(&mut self, list: ListColumn, column: TextColumn, value: &str) {
        if let (Some(list), Some(text)) = (self.lists.get(list.0), self.text.get_mut(column.0)) {
            text.put(list.items.saturating_sub(1), value.as_bytes());
        }
    }

    /// Sets a 32-bit number of the item that [`Columns::item`] started.
    #[inline]
    pub fn item_int(&mut self, list: ListColumn, column: IntColumn, value: i32) {
        if let (Some(list), Some(int)) = (self.lists.get(list.0), self.int.get_mut(column.0)) {
            int.put(list.items.saturating_sub(1), value);
        }
    }

    /// Adds an entry to a map of the present row. The caller sees to it that keys differ.
    #[inline]
    pub fn entry(&mut self, map: MapColumn, key: &str, value: &str) {
        self.item(map.list);
        self.item_text(map.list, map.key, key);
        self.item_text(map.list, map.value, value);
    }

    /// Gives all complete rows the same text. Call before [`Columns::finish`], for a column no row has set.
    pub fn fill_text(&mut self, column: TextColumn, value: &str) {
        if let Some(text) = self.text.get_mut(column.0) {
            text.fill(&[value], self.rows);
        }
    }

    /// Gives all complete rows the same 32-bit number.
    pub fn fill_int(&mut self, column: IntColumn, value: i32) {
        if let Some(int) = self.int.get_mut(column.0) {
            *int = Fixed { values: vec![value; self.rows], valid: Validity::full(self.rows) };
        }
    }

    /// Gives all complete rows the same list of texts.
    pub fn fill_list(&mut self, list: ListColumn, column: TextColumn, values: &[&str]) {
        let rows = self.rows;
        if let (Some(list), Some(text)) = (self.lists.get_mut(list.0), self.text.get_mut(column.0)) {
            list.ends = (1..=rows).map(|row| end(row * values.len())).collect();
            list.items = rows * values.len();
            text.fill(values, rows);
        }
    }

    /// Completes the present row.
    #[inline]
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Gives all rows as one batch and starts anew.
    ///
    /// # Errors
    /// Arrow's, when a column is no UTF-8 or lengths disagree: a mistake of ours.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let schema = Arc::clone(&self.schema);
        let rows = std::mem::take(&mut self.rows);
        let arrays = schema.roots.iter().map(|node| self.build(node, rows)).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(Arc::clone(&schema.arrow), arrays)
    }

    fn build(&mut self, node: &Node, rows: usize) -> Result<ArrayRef, ArrowError> {
        let gone = || ArrowError::SchemaError("a column without its builder".to_owned());
        Ok(match node {
            Node::Text(slot) => self.text.get_mut(*slot).ok_or_else(gone)?.take(rows)?,
            Node::Int(slot) => {
                let (values, nulls) = self.int.get_mut(*slot).ok_or_else(gone)?.take(rows);
                Arc::new(Int32Array::try_new(values.into(), nulls)?)
            }
            Node::Long(slot) => {
                let (values, nulls) = self.long.get_mut(*slot).ok_or_else(gone)?.take(rows);
                Arc::new(Int64Array::try_new(values.into(), nulls)?)
            }
            Node::Time(slot) => {
                let (values, nulls) = self.long.get_mut(*slot).ok_or_else(gone)?.take(rows);
                Arc::new(TimestampMillisecondArray::try_new(values.into(), nulls)?.with_timezone("UTC"))
            }
            Node::Flag(slot) => {
                let (values, nulls) = self.flag.get_mut(*slot).ok_or_else(gone)?.take(rows);
                Arc::new(BooleanArray::new(values.into(), nulls))
            }
            Node::Decimal(precision, scale, slot) => {
                let (values, nulls) = self.decimal.get_mut(*slot).ok_or_else(gone)?.take(rows);
                let numbers = Decimal128Array::try_new(values.into(), nulls)?;
                Arc::new(numbers.with_precision_and_scale(*precision, *scale)?)
            }
            Node::Struct(fields, nodes) => self.build_struct(fields, nodes, rows)?,
            Node::List(item, list, node) => self.build_list(item, *list, node, rows)?,
            Node::Map(list, key, value) => self.build_map(*list, (*key, *value), rows)?,
        })
    }

    fn build_struct(&mut self, fields: &Fields, nodes: &[Node], rows: usize) -> Result<ArrayRef, ArrowError> {
        let arrays = nodes.iter().map(|node| self.build(node, rows)).collect::<Result<Vec<_>, _>>()?;
        let nulls = any_valid(&arrays, rows);
        Ok(Arc::new(StructArray::try_new(fields.clone(), arrays, nulls)?))
    }

    fn build_list(
        &mut self,
        item: &Arc<Field>,
        list: usize,
        node: &Node,
        rows: usize,
    ) -> Result<ArrayRef, ArrowError> {
        let (ends, items) = self.take_list(list, rows);
        let nulls = filled(&ends);
        let values = self.build(node, items)?;
        Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets(&ends), values, nulls)?))
    }

    fn build_map(&mut self, list: usize, slots: (usize, usize), rows: usize) -> Result<ArrayRef, ArrowError> {
        let (ends, items) = self.take_list(list, rows);
        let nulls = filled(&ends);
        let keys = self.build(&Node::Text(slots.0), items)?;
        let values = self.build(&Node::Text(slots.1), items)?;
        let DataType::Map(entry, sorted) = LeafType::Map.arrow() else {
            return Err(ArrowError::SchemaError("a map is a map".to_owned()));
        };
        let DataType::Struct(fields) = entry.data_type() else {
            return Err(ArrowError::SchemaError("a map has entries".to_owned()));
        };
        let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
        Ok(Arc::new(MapArray::try_new(entry, offsets(&ends), entries, nulls, sorted)?))
    }

    fn take_list(&mut self, list: usize, rows: usize) -> (Vec<i32>, usize) {
        self.lists.get_mut(list).map_or_else(
            || (vec![0; rows], 0),
            |list| {
                list.pad(rows);
                (std::mem::take(&mut list.ends), std::mem::take(&mut list.items))
            },
        )
    }
}
