//! Decides which files are merged together, and in how many parts at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::SettleLimits;
use super::input::Input;
use crate::lake::catalog::{FileKind, LakeFile, Slice};
use crate::lake::path::{AccountId, EventDay, Region};
use crate::lake::table::Table;

/// Files of one table and day that are merged and replaced together.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) table: Table,
    pub(super) day: EventDay,
    pub(super) files: Vec<LakeFile>,
}

/// Partitions that one thread merges, in the order of their rows.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) partitions: Vec<(AccountId, Region)>,
}

/// Returns what is due. A round has all hot files of a table and day that fit, and, when the day is past, the
/// settled files of the partitions that have more than one.
pub(super) fn rounds(visible: Vec<LakeFile>, today: Option<EventDay>, limits: &SettleLimits) -> Vec<Round> {
    let mut groups: BTreeMap<(Table, EventDay), Vec<LakeFile>> = BTreeMap::new();
    for file in visible {
        groups.entry((file.table, file.day)).or_default().push(file);
    }
    let mut rounds = Vec::new();
    for ((table, day), files) in groups {
        let is_past = today.is_none_or(|today| day < today);
        let (hot, settled): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.kind == FileKind::Hot);
        let files = if hot.is_empty() {
            if is_past { crowded(settled, limits) } else { Vec::new() }
        } else {
            fitting(hot, limits)
        };
        if !files.is_empty() {
            rounds.push(Round { table, day, files });
        }
    }
    rounds
}

/// Takes files while they fit; at least one.
fn fitting(mut files: Vec<LakeFile>, limits: &SettleLimits) -> Vec<LakeFile> {
    files.sort_by(|a, b| a.key.cmp(&b.key));
    let mut bytes = 0;
    files
        .into_iter()
        .enumerate()
        .take_while(|(number, file)| {
            bytes += file.bytes;
            *number == 0 || (*number < limits.inputs_max && bytes <= limits.input_bytes_max)
        })
        .map(|(_, file)| file)
        .collect()
}

/// Returns the settled files of partitions that have several, unless each is as large as a file may be: whole
/// partitions, as many as fit.
fn crowded(settled: Vec<LakeFile>, limits: &SettleLimits) -> Vec<LakeFile> {
    let mut partitions: BTreeMap<(AccountId, Region), Vec<LakeFile>> = BTreeMap::new();
    for file in settled {
        if let Some(slice) = file.slices.first() {
            partitions.entry((slice.account, slice.region.clone())).or_default().push(file);
        }
    }
    let mut chosen = Vec::new();
    let mut bytes = 0;
    for files in partitions.into_values().filter(|files| files.len() > 1 && !is_settled_for_good(files)) {
        let size: u64 = files.iter().map(|file| file.bytes).sum();
        let fits = bytes + size <= limits.input_bytes_max && chosen.len() + files.len() <= limits.inputs_max;
        if !chosen.is_empty() && !fits {
            break;
        }
        bytes += size;
        chosen.extend(files);
    }
    chosen
}

/// Files that one merge cut follow each other in time, each event once; there is nothing to merge. Files that
/// were settled at once, segment by segment, may overlap even within a batch.
fn is_settled_for_good(files: &[LakeFile]) -> bool {
    let merges: BTreeSet<_> = files.iter().map(merge_of).collect();
    merges.len() == 1 && !merges.contains(&None)
}

/// Names the merge that wrote a file: a merge numbers its files behind its job, a lane only its segments.
fn merge_of(file: &LakeFile) -> Option<&str> {
    let name = file.key.rsplit('/').next()?;
    let (merge, _number) = name.rsplit_once('-')?;
    merge.contains('-').then_some(merge)
}

/// Splits a round into jobs of about the same number of rows, cut between partitions.
pub(super) fn jobs(inputs: &[Input], limits: &SettleLimits) -> Vec<Job> {
    let mut rows: BTreeMap<(AccountId, Region), u64> = BTreeMap::new();
    for slice in inputs.iter().flat_map(|input| &input.slices) {
        *rows.entry((slice.account, slice.region.clone())).or_default() += slice.rows;
    }
    let share = rows.values().sum::<u64>().div_ceil(limits.jobs.max(1) as u64).max(1);
    let mut jobs: Vec<Job> = Vec::new();
    let mut before = 0;
    for (partition, count) in rows {
        // A partition belongs to the job in whose share its middle row lies.
        let number = usize::try_from((before + count / 2) / share).unwrap_or(0);
        if jobs.len() <= number || jobs.is_empty() {
            jobs.push(Job { partitions: Vec::new() });
        }
        if let Some(job) = jobs.last_mut() {
            job.partitions.push(partition);
        }
        before += count;
    }
    jobs
}

/// Sorts slices as the rows of a file are sorted: by account, then Region.
pub(super) fn in_order(mut slices: Vec<Slice>) -> Vec<Slice> {
    slices.sort_by(|a, b| (a.account, &a.region).cmp(&(b.account, &b.region)));
    slices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::path::{Partition, settled_key};

    fn file(name: &str) -> LakeFile {
        let account = AccountId::read("111122223333").unwrap();
        let (table, region) = (Table::ApiActivity, Region::read("eu-west-1").unwrap());
        let day = EventDay::read("20260101").unwrap();
        let partition = Partition { table, day, account, region: region.clone() };
        LakeFile {
            key: settled_key(&partition, name),
            table,
            kind: FileKind::Settled,
            day,
            slices: vec![Slice { account, region, rows: 1 }],
            rows: 1,
            bytes: 1,
            time_min: 0,
            time_max: 1,
        }
    }

    /// Returns how many files are due when the files of one partition bear these names.
    fn due(names: &[&str], today: &str) -> usize {
        let files = names.iter().map(|name| file(name)).collect();
        let rounds = rounds(files, EventDay::read(today), &SettleLimits::default());
        rounds.iter().map(|round| round.files.len()).sum()
    }

    #[test]
    fn a_past_day_is_merged_until_one_merge_wrote_all_of_it() {
        assert_eq!(due(&["a-0-0000"], "20260102"), 0);
        assert_eq!(due(&["a-0-0000", "a-0-0001"], "20260102"), 0, "cut by one merge");
        assert_eq!(due(&["a-0-0000", "b-0-0000"], "20260102"), 2);
        assert_eq!(due(&["a-0", "a-1"], "20260102"), 2, "two segments of one batch may overlap");
        assert_eq!(due(&["a-0-0000", "b-0-0000"], "20260101"), 0, "today is merged when it is over");
    }
}
