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
    Array, ArrayRef, BooleanArray, Decimal128Array, Int32Array, Int64Array, ListArray, MapArray, RecordBatch,
    StringArray, StructArray, TimestampMillisecondArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;

use super::event::{Object, Value};
use super::schema::{
    FlagColumn, IntColumn, LeafType, ListColumn, LongColumn, MapColumn, Node, TableSchema, TextColumn,
};

/// Values of one text column, packed.
#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    ends: Vec<i32>,
    valid: Validity,
    /// How many bytes the batch before had: room for as many spares growing again.
    bytes_before: usize,
    /// What all rows had, where they had the same.
    same: Option<Same>,
    /// So many values are to be taken from it.
    filled: Option<usize>,
}

/// The values that stand in every row, many times over.
#[derive(Debug)]
struct Same {
    values: Vec<String>,
    array: StringArray,
}

/// Rows for which the same values are made at once: as many as `ingest::batch` makes in one go.
const SAME_ROWS: usize = 2048;

/// Values of one column of fixed width.
#[derive(Debug, Default)]
struct Fixed<T> {
    values: Vec<T>,
    valid: Validity,
}

/// Which rows have a value; rows past the last one set have none.
#[derive(Debug, Default)]
struct Validity {
    words: Vec<u64>,
    set: usize,
}

/// The rows of one list, as ends into its items.
#[derive(Debug, Default)]
struct List {
    ends: Vec<i32>,
    items: usize,
}

/// The columns of one table being filled.
#[derive(Debug)]
pub struct Columns {
    schema: Arc<TableSchema>,
    rows: usize,
    text: Vec<Text>,
    int: Vec<Fixed<i32>>,
    long: Vec<Fixed<i64>>,
    flag: Vec<Fixed<bool>>,
    decimal: Vec<Fixed<i128>>,
    lists: Vec<List>,
}

impl Validity {
    /// All rows have a value; the bits are then never looked at.
    fn full(rows: usize) -> Self {
        Self { words: Vec::new(), set: rows }
    }

    #[inline]
    fn set(&mut self, row: usize) {
        let word = row / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(bits) = self.words.get_mut(word) {
            *bits |= 1 << (row % 64);
        }
        self.set += 1;
    }

    fn take(&mut self, rows: usize) -> Option<NullBuffer> {
        let mut words = std::mem::take(&mut self.words);
        if std::mem::take(&mut self.set) == rows {
            return None;
        }
        words.resize(rows.div_ceil(64), 0);
        Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(words), 0, rows)))
    }
}

impl Text {
    /// Gives each row the same values. Their array is made once and cut to size for each batch: making it
    /// anew took seven percent of reading flow logs.
    fn fill(&mut self, values: &[&str], times: usize) {
        let total = values.len() * times;
        let fits = |same: &&Same| same.array.len() >= total && same.values == values;
        if self.same.as_ref().filter(fits).is_none() {
            let texts = values.iter().copied().cycle().take(total.max(values.len() * SAME_ROWS));
            let array = texts.map(Some).collect();
            self.same = Some(Same { values: values.iter().map(ToString::to_string).collect(), array });
        }
        self.filled = Some(total);
    }

    #[inline]
    fn put(&mut self, row: usize, value: &[u8]) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(self.bytes_before + self.bytes_before / 8);
        }
        self.pad(row);
        self.bytes.extend_from_slice(value);
        self.ends.push(end(self.bytes.len()));
        self.valid.set(row);
    }

    #[inline]
    fn pad(&mut self, rows: usize) {
        if self.ends.len() < rows {
            self.ends.resize(rows, end(self.bytes.len()));
        }
    }

    fn take(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        if let (Some(same), Some(total)) = (&self.same, self.filled.take()) {
            debug_assert_eq!(total, rows, "filled when all rows were complete");
            return Ok(Arc::new(same.array.slice(0, total.min(same.array.len()))));
        }
        self.pad(rows);
        let ends = std::mem::take(&mut self.ends);
        let nulls = self.valid.take(rows);
        self.bytes_before = self.bytes.len();
        let bytes = Buffer::from_vec(std::mem::take(&mut self.bytes));
        Ok(Arc::new(StringArray::try_new(offsets(&ends), bytes, nulls)?))
    }
}

impl<T: Default + Clone> Fixed<T> {
    #[inline]
    fn put(&mut self, row: usize, value: T) {
        if self.values.len() < row {
            self.values.resize(row, T::default());
        }
        self.values.push(value);
        self.valid.set(row);
    }

    fn take(&mut self, rows: usize) -> (Vec<T>, Option<NullBuffer>) {
        self.values.resize(rows, T::default());
        (std::mem::take(&mut self.values), self.valid.take(rows))
    }
}

/// A batch is far smaller than 2 GiB (`BatchLimits::plain_bytes_max`), so offsets fit.
fn end(len: usize) -> i32 {
    debug_assert!(i32::try_from(len).is_ok(), "a column of one batch stays under 2 GiB");
    i32::try_from(len).unwrap_or(i32::MAX)
}

fn offsets(ends: &[i32]) -> OffsetBuffer<i32> {
    let mut all = Vec::with_capacity(ends.len() + 1);
    all.push(0);
    all.extend_from_slice(ends);
    OffsetBuffer::new(ScalarBuffer::from(all))
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

    /// Sets attributes of the present row from an event under way and returns the paths of those that have no
    /// column of their type.
    pub fn event(&mut self, event: &Object) -> Vec<String> {
        let schema = Arc::clone(&self.schema);
        let mut writing = Writing { columns: self, path: String::new(), left_over: Vec::new() };
        let row = writing.columns.rows;
        writing.object((schema.arrow.fields(), &schema.roots), row, event);
        writing.left_over
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

/// An event being written.
struct Writing<'c> {
    columns: &'c mut Columns,
    path: String,
    left_over: Vec<String>,
}

impl Writing<'_> {
    fn object(&mut self, (fields, nodes): (&Fields, &[Node]), row: usize, object: &Object) {
        for (name, value) in object.attributes() {
            let length = self.path.len();
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(name);
            let found = fields.iter().zip(nodes).find(|(field, _)| field.name() == name);
            if !found.is_some_and(|(_, node)| self.value(node, row, value)) {
                self.left_over.push(self.path.clone());
            }
            self.path.truncate(length);
        }
    }

    /// Writes a value at a place: a row, or an item of a list. False when the column is of another type.
    fn value(&mut self, node: &Node, row: usize, value: &Value) -> bool {
        let columns = &mut *self.columns;
        let done = match (node, value) {
            (Node::Text(slot), Value::Text(text)) => {
                columns.text.get_mut(*slot).map(|column| column.put(row, text.as_bytes()))
            }
            (Node::Int(slot), Value::Integer(number)) => match i32::try_from(*number) {
                Ok(number) => columns.int.get_mut(*slot).map(|column| column.put(row, number)),
                Err(_out_of_range) => None,
            },
            (Node::Long(slot) | Node::Time(slot), Value::Integer(number)) => {
                columns.long.get_mut(*slot).map(|column| column.put(row, *number))
            }
            (Node::Flag(slot), Value::Flag(flag)) => {
                columns.flag.get_mut(*slot).map(|column| column.put(row, *flag))
            }
            (Node::Decimal(precision, scale, slot), Value::Text(digits)) => {
                let number = decimal(digits, *precision, *scale);
                number.and_then(|number| columns.decimal.get_mut(*slot).map(|column| column.put(row, number)))
            }
            (Node::Struct(fields, nodes), Value::Object(object)) => {
                self.object((fields, nodes), row, object);
                Some(())
            }
            (Node::List(_, list, node), Value::List(values)) => {
                let mut whole = true;
                for value in values {
                    let item = self.columns.item_of(*list, row);
                    whole &= self.value(node, item, value);
                }
                return whole;
            }
            _ => None,
        };
        done.is_some()
    }
}

impl Columns {
    /// Starts the next item of a list whose parent is a row or an item, and returns its number.
    fn item_of(&mut self, list: usize, parent: usize) -> usize {
        self.lists.get_mut(list).map_or(0, |list| {
            list.pad(parent);
            list.items += 1;
            list.items - 1
        })
    }
}

/// Reads a decimal number that fits exactly into so many digits, as a multiple of its last place.
pub fn decimal(digits: &str, precision: u8, scale: i8) -> Option<i128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = usize::try_from(scale).ok()?;
    let kept = fraction.trim_end_matches('0');
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    if unsigned.is_empty() || !is_number(unsigned) || !is_number(fraction) || kept.len() > scale {
        return None;
    }
    let number: i128 = format!("{whole}{kept:0<scale$}").parse().ok()?;
    (number.unsigned_abs() < 10_u128.pow(u32::from(precision))).then_some(number)
}

impl List {
    #[inline]
    fn pad(&mut self, rows: usize) {
        if self.ends.len() < rows {
            self.ends.resize(rows, end(self.items));
        }
    }
}

/// A list without items is null, since OCSF has no use for an empty one.
fn filled(ends: &[i32]) -> Option<NullBuffer> {
    let mut last = 0;
    let valid: Vec<bool> = ends.iter().map(|end| std::mem::replace(&mut last, *end) != *end).collect();
    valid.contains(&false).then(|| NullBuffer::from(valid))
}

/// A struct is there when one of its members is.
fn any_valid(arrays: &[ArrayRef], rows: usize) -> Option<NullBuffer> {
    let mut valid: Option<BooleanBuffer> = None;
    for array in arrays {
        let nulls = array.logical_nulls()?;
        let bits = nulls.inner();
        valid = Some(valid.map_or_else(|| bits.clone(), |valid| &valid | bits));
    }
    let valid = valid?;
    debug_assert_eq!(valid.len(), rows, "all members have the rows of the struct");
    (valid.count_set_bits() < rows).then(|| NullBuffer::new(valid))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::json::LineDelimitedWriter;

    use super::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        let check = |digits, expected| assert_eq!(decimal(digits, 3, 1), expected, "{digits}");
        check("9.8", Some(98));
        check("10", Some(100));
        check("-0.50", Some(-5));
        check("7.55", None);
        check("100.0", None);
        check("1e1", None);
        check("", None);
        check(".5", None);
    }

    /// Lists in lists, with rows and items that have none, keep what belongs together together.
    #[test]
    fn an_event_with_lists_in_lists_becomes_a_row() {
        let list = "a[].b[].c string x\na[].d int x\ne decimal(3,1) x\n";
        let mut columns = Columns::new(&Arc::new(TableSchema::read(list).unwrap()));
        let inner = |text: &str| {
            let mut object = Object::default();
            object.constant("c", text);
            object
        };
        let outer = |texts: &[&str], number: i64| {
            let mut object = Object::default();
            object.objects("b", texts.iter().map(|text| inner(text)).collect());
            object.integer("d", number);
            object
        };
        let mut rows = [Object::default(), Object::default(), Object::default()];
        rows[0].objects("a", vec![outer(&["1", "2"], 1), outer(&[], 2), outer(&["3"], 3)]);
        rows[2].objects("a", vec![outer(&[], 4), outer(&["5"], 1 << 40)]);
        rows[2].constant("e", "9.8");
        rows[2].constant("f.g", "no column");
        let left_over: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let left_over = columns.event(row);
                columns.end_row();
                left_over
            })
            .collect();
        let batch = columns.finish().unwrap();
        let mut text = Vec::new();
        LineDelimitedWriter::new(&mut text).write(&batch).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "{\"a\":[{\"b\":[{\"c\":\"1\"},{\"c\":\"2\"}],\"d\":1},{\"d\":2},{\"b\":[{\"c\":\"3\"}],\"d\":3}]}\n{}\n\
             {\"a\":[{\"d\":4},{\"b\":[{\"c\":\"5\"}]}],\"e\":9.8}\n"
        );
        assert!(batch.column(0).as_list::<i32>().is_null(1));
        assert_eq!(left_over, [vec![], vec![], vec!["a.d".to_owned(), "f".to_owned()]]);
    }
}
