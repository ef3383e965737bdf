//! Merges sorted files into partitions.
//!
//! Takes files whose rows are ordered by account, Region and time and gives one
//! file a partition (more when it is large), ordered by time, each event id once.
//! Rows are gathered in runs straight from the decoded batches, so a value is
//! copied once between decoding and encoding.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::{concat_batches, interleave_record_batch};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;

use super::input::Input;
use crate::lake::catalog::{FileKind, LakeFile, Slice};
use crate::lake::parquet::{Encoder, FilePurpose};
use crate::lake::path::{AccountId, EventDay, Partition, Region, hot_key, settled_key};
use crate::lake::table::Table;

/// Rows decoded at once from a file: a batch of a megabyte and a half for each file that is open.
const DECODE_ROWS: usize = 1024;
/// Runs of this length are copied whole; shorter ones row by row.
const RUN_ROWS_MIN: usize = 32;
/// Rows given to the encoder at once.
const BATCH_ROWS: usize = 4096;

/// A settled file, not yet in the store.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) file: LakeFile,
    pub(super) bytes: Bytes,
}

/// Rows of a merge.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) rows_in: u64,
    pub(super) rows_out: u64,
    pub(super) duplicates: u64,
}

/// A merge of some partitions of one table and day.
pub(super) struct Merge<'a> {
    pub(super) table: Table,
    pub(super) day: EventDay,
    pub(super) inputs: &'a [Input],
    pub(super) name: &'a str,
    pub(super) file_bytes_max: usize,
    pub(super) into: FileKind,
}

impl Merge<'_> {
    /// Merges partitions, which follow each other in the order of rows, and gives each file to `sink` until
    /// that says false.
    pub(super) fn run(
        &self,
        partitions: &[(AccountId, Region)],
        mut sink: impl FnMut(Merged) -> bool,
    ) -> Result<Counts, ParquetError> {
        let found = self.inputs.iter().filter_map(|input| Cursor::find(input, partitions));
        let mut cursors: Vec<Cursor<'_>> = found.collect();
        let mut counts = Counts::default();
        let mut output = Output::new(self);
        for (account, region) in partitions {
            output.enter(*account, region);
            let is_wanted = self.partition(&mut cursors, &mut output, &mut counts, &mut sink)?;
            // A partition is a file; a hot file goes on.
            if self.into == FileKind::Settled {
                output.cut()?;
            }
            if !is_wanted || !output.files.drain(..).all(&mut sink) {
                return Ok(counts);
            }
        }
        output.cut()?;
        output.files.into_iter().all(sink);
        Ok(counts)
    }

    /// Merges a partition and gives away each file that is cut; false when nobody wants them.
    fn partition(
        &self,
        cursors: &mut [Cursor<'_>],
        output: &mut Output,
        counts: &mut Counts,
        sink: &mut impl FnMut(Merged) -> bool,
    ) -> Result<bool, ParquetError> {
        let mut gather = Gather::default();
        let mut heap = BinaryHeap::new();
        for (number, cursor) in cursors.iter_mut().enumerate() {
            output.rows_expected += cursor.enter(&output.partition);
            if let Some(time) = cursor.first_time()? {
                heap.push(Reverse((time, number)));
            }
        }
        counts.rows_in += output.rows_expected;
        while let Some(Reverse((_, number))) = heap.pop() {
            let next = heap.peek().map_or(i64::MAX, |Reverse((time, _))| *time);
            let Some(cursor) = cursors.get_mut(number) else {
                continue;
            };
            // A run: all rows of this file up to the next row of any other.
            while let Some(time) = cursor.time()? {
                if time > next {
                    heap.push(Reverse((time, number)));
                    break;
                }
                if gather.is_duplicate(time, cursor.uid()) {
                    counts.duplicates += 1;
                } else {
                    gather.add(cursor);
                    counts.rows_out += 1;
                }
                cursor.advance();
                if gather.rows.len() >= BATCH_ROWS {
                    gather.write(output)?;
                }
            }
            if !output.files.drain(..).all(&mut *sink) {
                return Ok(false);
            }
        }
        gather.write(output)?;
        Ok(true)
    }
}

/// A place in one file. The file is opened at its first row that is wanted and let go behind its last, so
/// that files which follow each other are not in memory together.
struct Cursor<'a> {
    input: &'a Input,
    /// Rows of the file that are wanted.
    wanted: std::ops::Range<u64>,
    reader: Option<ParquetRecordBatchReader>,
    slices: VecDeque<Slice>,
    /// Rows left of the partition it is in.
    left: u64,
    decoded: Option<Decoded>,
    at: usize,
    /// Where in [`Gather::batches`] its present batch is, and since which write.
    gathered: Option<(u64, usize)>,
}

/// A decoded batch with the columns that order it.
#[derive(Clone)]
struct Decoded {
    batch: RecordBatch,
    times: Int64Array,
    /// Not every table has event ids: flow records have none.
    uids: Option<StringArray>,
}

impl<'a> Cursor<'a> {
    /// Finds the rows of some partitions; `None` when the file has none of them.
    fn find(input: &'a Input, partitions: &[(AccountId, Region)]) -> Option<Self> {
        let (first, last) = (partitions.first()?, partitions.last()?);
        let (mut before, mut rows, mut slices) = (0, 0, VecDeque::new());
        for slice in &input.slices {
            let key = (slice.account, slice.region.clone());
            if key < *first {
                before += slice.rows;
            } else if key <= *last {
                rows += slice.rows;
                slices.push_back(slice.clone());
            }
        }
        let wanted = before..before + rows;
        (rows > 0).then_some(Self {
            input,
            wanted,
            reader: None,
            slices,
            left: 0,
            decoded: None,
            at: 0,
            gathered: None,
        })
    }

    fn open(&self) -> Result<ParquetRecordBatchReader, ParquetError> {
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let builder =
            ParquetRecordBatchReaderBuilder::try_new_with_options(self.input.content.clone(), options)?;
        let total = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let narrow = |rows: u64| usize::try_from(rows).unwrap_or(total).min(total);
        let wanted = narrow(self.wanted.start)..narrow(self.wanted.end);
        let selection = RowSelection::from_consecutive_ranges(std::iter::once(wanted), total);
        builder.with_row_selection(selection).with_batch_size(DECODE_ROWS).build()
    }

    /// Goes to a partition and returns how many rows it has here.
    fn enter(&mut self, (account, region): &(AccountId, Region)) -> u64 {
        self.gathered = None;
        let here = self.slices.pop_front_if(|slice| slice.account == *account && slice.region == *region);
        self.left = here.map_or(0, |slice| slice.rows);
        self.left
    }

    /// Returns the time of the partition's first row. A file whose first row is known to come later is not
    /// opened yet: of a day's files in one partition, few are open at once.
    fn first_time(&mut self) -> Result<Option<i64>, ParquetError> {
        match self.input.first_time {
            Some(time) if self.left > 0 && self.reader.is_none() => Ok(Some(time)),
            _ => self.time(),
        }
    }

    /// Returns the time of the present row, decoding more when needed; `None` at the end of the partition.
    fn time(&mut self) -> Result<Option<i64>, ParquetError> {
        if self.left == 0 {
            if self.slices.is_empty() {
                (self.reader, self.decoded) = (None, None);
            }
            return Ok(None);
        }
        loop {
            if let Some(decoded) = &self.decoded
                && self.at < decoded.times.len()
            {
                return Ok(Some(decoded.times.value(self.at)));
            }
            let reader = match &mut self.reader {
                Some(reader) => reader,
                None => self.reader.insert(self.open()?),
            };
            let batch = reader
                .next()
                .ok_or_else(|| ParquetError::EOF("fewer rows than the catalog says".to_owned()))??;
            self.decoded = Some(Decoded::new(batch)?);
            (self.at, self.gathered) = (0, None);
        }
    }

    fn uid(&self) -> Option<&str> {
        let decoded = self.decoded.as_ref()?;
        decoded.uids.as_ref().filter(|uids| uids.is_valid(self.at)).map(|uids| uids.value(self.at))
    }

    fn advance(&mut self) {
        self.at += 1;
        self.left -= 1;
    }
}

impl Decoded {
    fn new(batch: RecordBatch) -> Result<Self, ParquetError> {
        let missing = |what: &str| ParquetError::General(format!("a file of the lake without {what}"));
        let times = batch.column_by_name("time").and_then(|times| times.as_primitive_opt::<Int64Type>());
        let times = times.ok_or_else(|| missing("time"))?.clone();
        let metadata = batch.column_by_name("metadata").and_then(|metadata| metadata.as_struct_opt());
        let uids = metadata
            .and_then(|metadata| metadata.column_by_name("uid"))
            .and_then(|uid| uid.as_string_opt::<i32>());
        let uids = uids.cloned();
        Ok(Self { batch, times, uids })
    }
}

/// Rows chosen for the output, as places in decoded batches.
#[derive(Default)]
struct Gather {
    batches: Vec<Decoded>,
    rows: Vec<(usize, usize)>,
    /// How often rows were written: batches gathered before are let go of then.
    writes: u64,
    /// The event ids at the present time, the first of them apart.
    seen: HashSet<String>,
    first: String,
    seen_at: i64,
}

impl Gather {
    /// Says whether an event id was there before: rows come by time, and events of one id have one time.
    fn is_duplicate(&mut self, time: i64, uid: Option<&str>) -> bool {
        let Some(uid) = uid else { return false };
        if time != self.seen_at {
            self.seen_at = time;
            // Clearing costs what the set once held.
            self.seen = HashSet::new();
            self.first.clear();
            self.first.push_str(uid);
            return false;
        }
        // Most events are alone at their time: the set is filled only when a second one comes.
        if self.seen.is_empty() {
            self.seen.insert(self.first.clone());
        }
        !self.seen.insert(uid.to_owned())
    }

    fn add(&mut self, cursor: &mut Cursor<'_>) {
        let Some(decoded) = &cursor.decoded else { return };
        let batch = match cursor.gathered {
            Some((writes, batch)) if writes == self.writes => batch,
            _ => {
                self.batches.push(decoded.clone());
                cursor.gathered = Some((self.writes, self.batches.len() - 1));
                self.batches.len() - 1
            }
        };
        self.rows.push((batch, cursor.at));
    }

    /// Gives the gathered rows to the encoder and lets go of their batches.
    fn write(&mut self, output: &mut Output) -> Result<(), ParquetError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let runs = self.runs();
        let slice = |(batch, start, rows): &(usize, usize, usize)| {
            self.batches.get(*batch).map(|decoded| decoded.batch.slice(*start, *rows))
        };
        let rows = if let ([only], Some(rows)) = (runs.as_slice(), runs.first().and_then(slice)) {
            debug_assert_eq!(only.2, self.rows.len(), "one run has all rows");
            rows
        } else if runs.len() * RUN_ROWS_MIN <= self.rows.len() {
            let slices: Vec<RecordBatch> = runs.iter().filter_map(slice).collect();
            let schema = slices
                .first()
                .map_or_else(|| std::sync::Arc::clone(&output.table.schema().arrow), RecordBatch::schema);
            concat_batches(&schema, &slices)?
        } else {
            let batches: Vec<&RecordBatch> = self.batches.iter().map(|decoded| &decoded.batch).collect();
            interleave_record_batch(&batches, &self.rows)?
        };
        let (from, to) = (self.time(self.rows.first()), self.time(self.rows.last()));
        self.rows.clear();
        self.batches.clear();
        self.writes += 1;
        output.write(&rows, (from, to))
    }

    /// Returns the rows as runs: a batch, its first row, how many follow.
    fn runs(&self) -> Vec<(usize, usize, usize)> {
        let mut runs: Vec<(usize, usize, usize)> = Vec::new();
        for (batch, row) in &self.rows {
            match runs.last_mut() {
                Some((last, start, rows)) if last == batch && *start + *rows == *row => *rows += 1,
                _ => runs.push((*batch, *row, 1)),
            }
        }
        runs
    }

    fn time(&self, row: Option<&(usize, usize)>) -> i64 {
        let (batch, at) = row.copied().unwrap_or_default();
        self.batches.get(batch).map_or(0, |decoded| decoded.times.value(at))
    }
}

/// What a merge writes.
struct Output {
    table: Table,
    day: EventDay,
    into: FileKind,
    /// Where the rows of this moment belong.
    partition: (AccountId, Region),
    rows_expected: u64,
    name: String,
    file_bytes_max: usize,
    open: Option<Open>,
    /// Files ended so far: of a partition, of the merge.
    cuts: u32,
    /// Those that nobody has taken yet.
    files: Vec<Merged>,
}

/// The file being encoded.
struct Open {
    encoder: Encoder,
    slices: Vec<Slice>,
    rows: u64,
    time_min: i64,
    time_max: i64,
}

impl Output {
    fn new(merge: &Merge<'_>) -> Self {
        Self {
            table: merge.table,
            day: merge.day,
            into: merge.into,
            partition: (AccountId::EXTERNAL, Region::unknown()),
            rows_expected: 0,
            name: merge.name.to_owned(),
            file_bytes_max: merge.file_bytes_max,
            open: None,
            cuts: 0,
            files: Vec::new(),
        }
    }

    /// Goes on with a partition.
    fn enter(&mut self, account: AccountId, region: &Region) {
        self.partition = (account, region.clone());
        self.rows_expected = 0;
        if self.into == FileKind::Settled {
            self.cuts = 0;
        }
    }

    fn write(&mut self, rows: &RecordBatch, (from, to): (i64, i64)) -> Result<(), ParquetError> {
        let purpose = match self.into {
            FileKind::Hot => FilePurpose::Hot,
            FileKind::Settled => FilePurpose::Settled { rows: self.rows_expected },
        };
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(Open {
                encoder: Encoder::new(self.table.schema(), purpose),
                slices: Vec::new(),
                rows: 0,
                time_min: from,
                time_max: to,
            }),
        };
        open.encoder.write(rows)?;
        let count = rows.num_rows() as u64;
        open.rows += count;
        open.time_min = open.time_min.min(from);
        open.time_max = open.time_max.max(to);
        let (account, region) = &self.partition;
        match open.slices.last_mut() {
            Some(slice) if slice.account == *account && slice.region == *region => slice.rows += count,
            _ => open.slices.push(Slice { account: *account, region: region.clone(), rows: count }),
        }
        if open.encoder.held_bytes() >= self.file_bytes_max { self.cut() } else { Ok(()) }
    }

    /// Ends the present file.
    fn cut(&mut self) -> Result<(), ParquetError> {
        let Some(Open { encoder, slices, rows, time_min, time_max }) = self.open.take() else {
            return Ok(());
        };
        let bytes = encoder.finish()?;
        let name = format!("{}-{:04}", self.name, self.cuts);
        self.cuts += 1;
        let (table, day) = (self.table, self.day);
        let key = match self.into {
            FileKind::Hot => hot_key(table, day, &name),
            FileKind::Settled => {
                let (account, region) = self.partition.clone();
                settled_key(&Partition { table, day, account, region }, &name)
            }
        };
        let bytes_written = bytes.len() as u64;
        let file = LakeFile {
            key,
            table,
            kind: self.into,
            day,
            slices,
            rows,
            bytes: bytes_written,
            time_min,
            time_max,
        };
        self.files.push(Merged { file, bytes });
        Ok(())
    }
}
