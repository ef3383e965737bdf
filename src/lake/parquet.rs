//! How files of the lake are encoded: one place, so that types and settings never differ between files.
//!
//! Security Lake asks for data pages up to 1 MB and row groups up to 256 MB and
//! prefers Zstandard. Level 1: level 3 costs 18 % more instructions and saves
//! half a percent. Values that hardly repeat get no dictionary, since one would be
//! built and thrown away.

use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch};
use arrow::datatypes::Int32Type;

use crate::ocsf::schema::{Leaf, LeafType, TableSchema};

/// Rows of a row group: about 8 MB compressed, far below the limit, so that a reader of one needle reads little.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// Bytes of a data page before compression.
const PAGE_BYTES: usize = 512 * 1024;
/// Rows of a data page: what a needle costs.
const PAGE_ROWS: usize = 8 * 1024;
/// The same of derived tables, which are read for needles more than for anything else.
const DERIVED_PAGE_ROWS: usize = 2 * 1024;
/// Their rows of a row group: whoever reads a page of a column reads its dictionary, and that is a row group's.
const DERIVED_ROW_GROUP_ROWS: usize = 32 * 1024;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilePurpose {
    /// Read for some hours, then merged.
    Hot,
    /// Kept: with bloom filters for what people search.
    Settled {
        /// About how many rows it will have: bloom filters are made for as many values.
        rows: u64,
    },
    /// Kept, and sorted otherwise than by time.
    Derived {
        /// About how many rows it will have.
        rows: u64,
        /// The columns it is sorted by.
        order: &'static [&'static str],
    },
}

/// Encodes one file in memory.
pub struct Encoder {
    schema: &'static TableSchema,
    purpose: FilePurpose,
    /// There once the first rows have come.
    writer: Option<ArrowWriter<Vec<u8>>>,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("bytes", &self.held_bytes()).finish_non_exhaustive()
    }
}

impl Encoder {
    /// Starts a file with the columns of a table.
    pub fn new(schema: &'static TableSchema, purpose: FilePurpose) -> Self {
        Self { schema, purpose, writer: None }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// Parquet's.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        if let Some(writer) = &mut self.writer {
            return writer.write(rows);
        }
        self.start(Some(rows))?.write(rows)
    }

    fn start(&mut self, rows: Option<&RecordBatch>) -> Result<&mut ArrowWriter<Vec<u8>>, ParquetError> {
        // The types are Parquet's own, from which crawlers and readers infer the columns.
        let options = ArrowWriterOptions::new()
            .with_properties(properties(self.schema, self.purpose, rows))
            .with_skip_arrow_metadata(true);
        let schema = std::sync::Arc::clone(&self.schema.arrow);
        Ok(self.writer.insert(ArrowWriter::try_new_with_options(Vec::new(), schema, options)?))
    }

    /// Returns how many bytes are held: written and being encoded.
    pub fn held_bytes(&self) -> usize {
        self.writer.as_ref().map_or(0, |writer| writer.bytes_written() + writer.in_progress_size())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Parquet's.
    pub fn finish(mut self) -> Result<Bytes, ParquetError> {
        if self.writer.is_none() {
            self.start(None)?;
        }
        self.writer.map_or_else(|| Ok(Bytes::new()), |writer| writer.into_inner().map(Bytes::from))
    }
}

/// Returns the settings for a table's files.
fn properties(schema: &TableSchema, purpose: FilePurpose, rows: Option<&RecordBatch>) -> WriterProperties {
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_created_by("ashiato".to_owned());
    for leaf in &schema.leaves {
        // The first rows of a sorted file say nothing of the rest.
        let is_small = !matches!(purpose, FilePurpose::Derived { .. });
        let is_same = is_small && rows.is_some_and(|rows| is_same_in_all(rows, &leaf.path));
        builder = leaf_properties(builder, leaf, (purpose, is_same));
    }
    let order: &[&str] = match purpose {
        FilePurpose::Hot => &[],
        FilePurpose::Settled { .. } => &["time"],
        FilePurpose::Derived { order, .. } => {
            builder = builder
                .set_data_page_row_count_limit(DERIVED_PAGE_ROWS)
                .set_max_row_group_row_count(Some(DERIVED_ROW_GROUP_ROWS));
            order
        }
    };
    let order = order.iter().filter_map(|name| {
        let at = schema.leaves.iter().position(|leaf| leaf.path == *name)?;
        Some(SortingColumn { column_idx: i32::try_from(at).ok()?, descending: false, nulls_first: false })
    });
    let order: Vec<_> = order.collect();
    if !order.is_empty() {
        builder = builder.set_sorting_columns(Some(order));
    }
    builder.build()
}

fn leaf_properties(
    builder: WriterPropertiesBuilder,
    leaf: &Leaf,
    (purpose, is_same): (FilePurpose, bool),
) -> WriterPropertiesBuilder {
    for_columns(builder, leaf, |mut builder, column, repeated| {
        if is_same {
            builder = builder.set_column_compression(column.clone(), Compression::UNCOMPRESSED);
        }
        if leaf.unique {
            builder = builder.set_column_dictionary_enabled(column.clone(), false);
        }
        if let (Some(encoding), false) = (encoding_by_page(purpose, leaf), repeated) {
            builder = builder
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column.clone(), encoding);
        }
        if !repeated && has_statistics(leaf) {
            builder = builder.set_column_statistics_enabled(column.clone(), EnabledStatistics::Page);
        }
        if let (true, Some(values)) = (leaf.needle, values_to_find(purpose, leaf)) {
            builder = builder
                .set_column_bloom_filter_enabled(column.clone(), true)
                .set_column_bloom_filter_max_ndv(column, values);
        }
        builder
    })
}

/// How columns of a derived table are written that are mostly read a page at a time, for one needle. Keys, names and
/// moments have about as many values as rows: a dictionary of them would be read with each page. Sorted, each key is told
/// by what it has other than the last.
fn encoding_by_page(purpose: FilePurpose, leaf: &Leaf) -> Option<Encoding> {
    match leaf.leaf_type {
        _ if !matches!(purpose, FilePurpose::Derived { .. }) => None,
        LeafType::Text => leaf.needle.then_some(Encoding::DELTA_BYTE_ARRAY),
        LeafType::Time => leaf.unique.then_some(Encoding::DELTA_BINARY_PACKED),
        _ => None,
    }
}

/// Returns for how many values a bloom filter is made at most. Where a file is sorted by the column, the least and
/// greatest values of its pages find them.
fn values_to_find(purpose: FilePurpose, leaf: &Leaf) -> Option<u64> {
    let rows = match purpose {
        FilePurpose::Hot => return None,
        FilePurpose::Settled { rows } => rows,
        FilePurpose::Derived { rows, order } => {
            if order.first() == Some(&leaf.path.as_str()) {
                return None;
            }
            rows
        }
    };
    Some(rows.clamp(64, ROW_GROUP_ROWS as u64))
}

/// Says whether the least and the greatest value of a page help a reader. Rows are ordered by time: numbers and
/// times of a page lie close together, while its texts are of all kinds. Comparing each text twice costs four
/// percent of writing.
fn has_statistics(leaf: &Leaf) -> bool {
    match leaf.leaf_type {
        LeafType::Map => false,
        LeafType::Text => leaf.needle && !leaf.unique,
        _ => true,
    }
}

/// Calls `set` for each Parquet column of a leaf: of a map its keys and values.
fn for_columns(
    mut builder: WriterPropertiesBuilder,
    leaf: &Leaf,
    set: impl Fn(WriterPropertiesBuilder, ColumnPath, bool) -> WriterPropertiesBuilder,
) -> WriterPropertiesBuilder {
    let mut path = Vec::new();
    for part in leaf.path.split('.') {
        path.push(part.trim_end_matches("[]").to_owned());
        if part.ends_with("[]") {
            path.extend(["list".to_owned(), "element".to_owned()]);
        }
    }
    let repeated = leaf.path.contains("[]");
    let ends: &[&[&str]] = if leaf.leaf_type == LeafType::Map {
        &[&["key_value", "key"], &["key_value", "value"]]
    } else {
        &[&[]]
    };
    for end in ends {
        let whole = path.iter().cloned().chain(end.iter().map(ToString::to_string)).collect();
        builder = set(builder, ColumnPath::new(whole), repeated || !end.is_empty());
    }
    builder
}

/// Says whether a column has one value, or none, in all rows: its page is a few bytes then, and setting a
/// compressor up for it costs more than all else (a third of the CPU of small files).
fn is_same_in_all(rows: &RecordBatch, path: &str) -> bool {
    let mut parts = path.split('.');
    let first = parts.next().unwrap_or_default();
    let mut column = rows.column_by_name(first.trim_end_matches("[]")).map(|column| items(column, first));
    for part in parts {
        let member = column
            .and_then(|column| column.as_struct_opt())
            .and_then(|column| column.column_by_name(part.trim_end_matches("[]")));
        column = member.map(|member| items(member, part));
    }
    let Some(column) = column else { return false };
    if column.null_count() == column.len() {
        return true;
    }
    if column.null_count() > 0 {
        return false;
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        return texts.iter().all(|text| text == texts.iter().next().flatten());
    }
    column.as_primitive_opt::<Int32Type>().is_some_and(|numbers| {
        let first = numbers.values().first();
        numbers.values().iter().all(|number| Some(number) == first)
    })
}

/// Of a list its items.
fn items<'a>(column: &'a ArrayRef, part: &str) -> &'a ArrayRef {
    if !part.ends_with("[]") {
        return column;
    }
    column.as_list_opt::<i32>().map_or(column, ListArray::values)
}
