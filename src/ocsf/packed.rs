//! The values of one column as they come, packed the way Arrow holds them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::error::ArrowError;

/// Values of one text column, packed.
#[derive(Debug, Default)]
pub(super) struct Text {
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
pub(super) struct Same {
    values: Vec<String>,
    array: StringArray,
}

/// Rows for which the same values are made at once: as many as `ingest::batch` makes in one go.
const SAME_ROWS: usize = 2048;

/// Values of one column of fixed width.
#[derive(Debug, Default)]
pub(super) struct Fixed<T> {
    pub(super) values: Vec<T>,
    pub(super) valid: Validity,
}

/// Which rows have a value; rows past the last one set have none.
#[derive(Debug, Default)]
pub(super) struct Validity {
    words: Vec<u64>,
    set: usize,
}

/// The rows of one list, as ends into its items.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) ends: Vec<i32>,
    pub(super) items: usize,
}

impl Validity {
    /// All rows have a value; the bits are then never looked at.
    pub(super) fn full(rows: usize) -> Self {
        Self { words: Vec::new(), set: rows }
    }

    #[inline]
    pub(super) fn set(&mut self, row: usize) {
        let word = row / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(bits) = self.words.get_mut(word) {
            *bits |= 1 << (row % 64);
        }
        self.set += 1;
    }

    pub(super) fn take(&mut self, rows: usize) -> Option<NullBuffer> {
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
    pub(super) fn fill(&mut self, values: &[&str], times: usize) {
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
    pub(super) fn put(&mut self, row: usize, value: &[u8]) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(self.bytes_before + self.bytes_before / 8);
        }
        self.pad(row);
        self.bytes.extend_from_slice(value);
        self.ends.push(end(self.bytes.len()));
        self.valid.set(row);
    }

    #[inline]
    pub(super) fn pad(&mut self, rows: usize) {
        if self.ends.len() < rows {
            self.ends.resize(rows, end(self.bytes.len()));
        }
    }

    pub(super) fn take(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
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
    pub(super) fn put(&mut self, row: usize, value: T) {
        if self.values.len() < row {
            self.values.resize(row, T::default());
        }
        self.values.push(value);
        self.valid.set(row);
    }

    pub(super) fn take(&mut self, rows: usize) -> (Vec<T>, Option<NullBuffer>) {
        self.values.resize(rows, T::default());
        (std::mem::take(&mut self.values), self.valid.take(rows))
    }
}

/// A batch is far smaller than 2 GiB (`BatchLimits::plain_bytes_max`), so offsets fit.
pub(super) fn end(len: usize) -> i32 {
    debug_assert!(i32::try_from(len).is_ok(), "a column of one batch stays under 2 GiB");
    i32::try_from(len).unwrap_or(i32::MAX)
}

pub(super) fn offsets(ends: &[i32]) -> OffsetBuffer<i32> {
    let mut all = Vec::with_capacity(ends.len() + 1);
    all.push(0);
    all.extend_from_slice(ends);
    OffsetBuffer::new(ScalarBuffer::from(all))
}

impl List {
    #[inline]
    pub(super) fn pad(&mut self, rows: usize) {
        if self.ends.len() < rows {
            self.ends.resize(rows, end(self.items));
        }
    }
}

/// A list without items is null, since OCSF has no use for an empty one.
pub(super) fn filled(ends: &[i32]) -> Option<NullBuffer> {
    let mut last = 0;
    let valid: Vec<bool> = ends.iter().map(|end| std::mem::replace(&mut last, *end) != *end).collect();
    valid.contains(&false).then(|| NullBuffer::from(valid))
}

/// A struct is there when one of its members is.
pub(super) fn any_valid(arrays: &[ArrayRef], rows: usize) -> Option<NullBuffer> {
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
