//! Decides which files are merged together, and in how many parts at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::SettleLimits;
use super::input::Input;
use crate::lake::catalog::{FileKind, LakeFile};
use crate::lake::path::{AccountId, EventDay, Region};
use crate::lake::table::Table;

/// Files of one table and day that are merged and replaced together.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) table: Table,
    pub(super) day: EventDay,
    pub(super) files: Vec<LakeFile>,
    pub(super) into: FileKind,
}

/// Partitions that one thread merges, in the order of their rows.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) partitions: Vec<(AccountId, Region)>,
}

/// Settled files of a round. They are read one after another, but all are open: processes may have 1,024 files.
const SETTLED_MAX: usize = 256;

/// Returns what is due, each file in one round: hot files, and, when the day is past, the settled files of the
/// partitions that have more than one.
pub(super) fn rounds(
    due: Vec<LakeFile>,
    today: Option<EventDay>,
    limits: &SettleLimits,
    may_fold: impl Fn(Table, EventDay) -> bool,
) -> Vec<Round> {
    let mut groups: BTreeMap<(Table, EventDay), Vec<LakeFile>> = BTreeMap::new();
    for file in due {
        groups.entry((file.table, file.day)).or_default().push(file);
    }
    let mut rounds = Vec::new();
    for ((table, day), files) in groups {
        let is_past = today.is_none_or(|today| day < today);
        let (hot, settled): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.kind == FileKind::Hot);
        let (into, groups) = if !hot.is_empty() {
            hot_groups(hot, limits, may_fold(table, day))
        } else if is_past {
            (FileKind::Settled, crowded(settled, limits))
        } else {
            continue;
        };
        rounds.extend(groups.into_iter().map(|files| Round { table, day, files, into }));
    }
    rounds
}

/// Groups hot files. All of a group are open at once, so a group has a bound; and each group that goes into
/// partitions gives each of them a file. So of too many, the smallest are folded into fewer hot ones first: as many
/// as it takes, since their rows are encoded once more.
fn hot_groups(
    mut hot: Vec<LakeFile>,
    limits: &SettleLimits,
    may_fold: bool,
) -> (FileKind, Vec<Vec<LakeFile>>) {
    let inputs_max = limits.inputs_max.max(2);
    hot.sort_by(|a, b| a.key.cmp(&b.key));
    let too_many = hot.len().saturating_sub(inputs_max);
    if may_fold && too_many > 0 {
        let is_small = |file: &&LakeFile| file.bytes < limits.file_bytes_max as u64 / 2;
        let mut small: Vec<LakeFile> = hot.iter().filter(is_small).cloned().collect();
        small.sort_by_key(|file| file.bytes);
        let (mut groups, mut left, mut rest) = (Vec::new(), too_many, small.as_slice());
        while left > 0 && rest.len() > 1 {
            let (group, behind) = rest.split_at((left + 1).min(inputs_max).min(rest.len()));
            left -= group.len() - 1;
            groups.push(group.to_vec());
            rest = behind;
        }
        // Where few are small, folding them would change little.
        if left * 2 <= too_many {
            return (FileKind::Hot, groups);
        }
    }
    (FileKind::Settled, hot.chunks(inputs_max).map(<[LakeFile]>::to_vec).collect())
}

/// Groups the settled files of partitions that have several, unless each is as large as a file may be: whole
/// partitions, as many as fit.
fn crowded(settled: Vec<LakeFile>, limits: &SettleLimits) -> Vec<Vec<LakeFile>> {
    let mut partitions: BTreeMap<(AccountId, Region), Vec<LakeFile>> = BTreeMap::new();
    for file in settled {
        if let Some(slice) = file.slices.first() {
            partitions.entry((slice.account, slice.region.clone())).or_default().push(file);
        }
    }
    let mut groups: Vec<Vec<LakeFile>> = Vec::new();
    let mut bytes = 0;
    for files in partitions.into_values().filter(|files| files.len() > 1 && !is_settled_for_good(files)) {
        let size: u64 = files.iter().map(|file| file.bytes).sum();
        // A partition of many small files is merged in parts first; of large ones no part is worth it.
        let is_small = size / (files.len() as u64) < limits.file_bytes_max as u64 / 2;
        if files.len() > SETTLED_MAX && is_small {
            groups.extend(files.chunks(SETTLED_MAX).filter(|part| part.len() > 1).map(<[LakeFile]>::to_vec));
            bytes = u64::MAX / 2;
            continue;
        }
        match groups.last_mut() {
            Some(group)
                if bytes + size <= limits.input_bytes_max && group.len() + files.len() <= SETTLED_MAX =>
            {
                group.extend(files);
                bytes += size;
            }
            _ => {
                groups.push(files);
                bytes = size;
            }
        }
    }
    groups
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
pub(super) fn jobs(inputs: &[Input], threads: usize) -> Vec<Job> {
    let mut rows: BTreeMap<(AccountId, Region), u64> = BTreeMap::new();
    for slice in inputs.iter().flat_map(|input| &input.slices) {
        *rows.entry((slice.account, slice.region.clone())).or_default() += slice.rows;
    }
    let share = rows.values().sum::<u64>().div_ceil(threads.max(1) as u64).max(1);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::catalog::Slice;
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
        let rounds = rounds(files, EventDay::read(today), &SettleLimits::default(), |_, _| true);
        rounds.iter().map(|round| round.files.len()).sum()
    }

    #[test]
    fn many_small_hot_files_are_folded_before_they_go_into_partitions() {
        let limits = SettleLimits { inputs_max: 4, file_bytes_max: 100, ..SettleLimits::default() };
        let plan = |sizes: &[u64]| {
            let files = sizes.iter().enumerate().map(|(number, bytes)| LakeFile {
                kind: FileKind::Hot,
                bytes: *bytes,
                ..file(&format!("{number:02}-0"))
            });
            let rounds = rounds(files.collect(), EventDay::read("20260101"), &limits, |_, _| true);
            rounds.iter().map(|round| (round.into, round.files.len())).collect::<Vec<_>>()
        };
        assert_eq!(plan(&[1; 4]), [(FileKind::Settled, 4)]);
        assert_eq!(
            plan(&[1; 10]),
            [(FileKind::Hot, 4), (FileKind::Hot, 4)],
            "the rest waits for the next look"
        );
        assert_eq!(plan(&[1; 5]), [(FileKind::Hot, 2)], "no more than it takes");
        assert_eq!(plan(&[1, 1, 1, 60, 60]), [(FileKind::Hot, 2)], "large ones stay");
        assert_eq!(plan(&[60; 5]), [(FileKind::Settled, 4), (FileKind::Settled, 1)]);
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
