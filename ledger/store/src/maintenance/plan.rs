//! Which files to merge.
//!
//! Files are merged with neighbours of about their size, so that each row is
//! written again only a few times on its way into a large file.
//!
//! Invariant: a merge takes only files that the caller allows, with equal
//! values in the columns that must be equal, next to each other in the order
//! that was asked for.

use std::sync::Arc;

use crate::data_file::{DataFile, Stat};
use crate::snapshot::Snapshot;

/// Which files may be merged, and how.
#[derive(Clone, Copy)]
pub struct CompactionPlan<'a> {
    /// Says of each file whether it may be merged.
    pub eligible: &'a (dyn Fn(&DataFile) -> bool + Send + Sync),
    /// Columns that have one value in all rows of a merged file, for example
    /// the partition. A file with more than one is left alone.
    pub same: &'a [&'a str],
    /// Columns by whose smallest values the files are put in order.
    pub order: &'a [&'a str],
    /// How large merged files become (bytes).
    pub target_bytes: u64,
    /// How many files of about one size must have gathered.
    pub fan_in: usize,
    /// How many merges one round does at most.
    pub merges_max: usize,
}

impl<'a> CompactionPlan<'a> {
    /// The usual sizes.
    pub fn new(
        eligible: &'a (dyn Fn(&DataFile) -> bool + Send + Sync),
        same: &'a [&'a str],
        order: &'a [&'a str],
    ) -> Self {
        Self { eligible, same, order, target_bytes: 128 << 20, fan_in: 32, merges_max: 64 }
    }

    /// The groups of files to merge.
    pub(crate) fn groups(&self, snapshot: &Snapshot) -> Vec<Vec<Arc<DataFile>>> {
        let mut groups = Vec::new();
        for neighbours in self.neighbours(snapshot) {
            self.runs(&neighbours, &mut groups);
        }
        groups.truncate(self.merges_max);
        groups
    }

    /// The files that may be merged, in order, apart by the columns that must be equal.
    fn neighbours(&self, snapshot: &Snapshot) -> Vec<Vec<Arc<DataFile>>> {
        // A file of a quarter of the target is large enough to stay.
        let small = |file: &&Arc<DataFile>| file.size < self.target_bytes / 4;
        let mut keyed: Vec<(Vec<Stat>, Vec<Stat>, Arc<DataFile>)> = snapshot
            .files()
            .filter(small)
            .filter(|file| (self.eligible)(file))
            .filter_map(|file| Some((self.same_key(file)?, self.order_key(file)?, Arc::clone(file))))
            .collect();
        keyed.sort_by(|a, b| (&a.0, &a.1, &a.2.path).cmp(&(&b.0, &b.1, &b.2.path)));
        keyed
            .chunk_by(|a, b| a.0 == b.0)
            .map(|group| group.iter().map(|(.., file)| Arc::clone(file)).collect())
            .collect()
    }

    fn same_key(&self, file: &DataFile) -> Option<Vec<Stat>> {
        let value = |column: &&str| file.min(column).filter(|min| file.max(column) == Some(min)).cloned();
        self.same.iter().map(value).collect()
    }

    fn order_key(&self, file: &DataFile) -> Option<Vec<Stat>> {
        self.order.iter().map(|column| file.min(column).cloned()).collect()
    }

    /// Finds runs of neighbours in which no file is much larger than the others.
    fn runs(&self, files: &[Arc<DataFile>], groups: &mut Vec<Vec<Arc<DataFile>>>) {
        let mut free = vec![true; files.len()];
        let tiers: Vec<u32> = files.iter().map(|file| self.tier(file.size)).collect();
        let mut levels = tiers.clone();
        levels.sort_unstable();
        levels.dedup();
        for level in levels {
            let mut start = 0;
            while start < files.len() {
                let fits = |index: usize| free[index] && tiers[index] <= level;
                let end = (start..files.len()).find(|index| !fits(*index)).unwrap_or(files.len());
                if end - start >= self.fan_in.max(2) {
                    self.cut(&files[start..end], groups);
                    free[start..end].fill(false);
                }
                start = end.max(start) + 1;
            }
        }
    }

    /// Cuts a run into merges of the target's size.
    fn cut(&self, run: &[Arc<DataFile>], groups: &mut Vec<Vec<Arc<DataFile>>>) {
        let (mut group, mut bytes) = (Vec::new(), 0_u64);
        for file in run {
            group.push(Arc::clone(file));
            bytes = bytes.saturating_add(file.size);
            if bytes >= self.target_bytes {
                groups.push(std::mem::take(&mut group));
                bytes = 0;
            }
        }
        groups.push(group);
        groups.retain(|group| group.len() > 1);
    }

    /// Files of one tier differ in size by at most the factor of one merge.
    fn tier(&self, size: u64) -> u32 {
        size.max(1).ilog(self.fan_in.max(2) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_file::ColumnStats;
    use crate::snapshot::FileSet;

    fn file(partition: i64, offset: i64, size: u64) -> DataFile {
        let stats = |column: &str, value: i64| ColumnStats {
            column: column.to_owned(),
            min: Some(Stat::Int(value)),
            max: Some(Stat::Int(value)),
            nulls: 0,
        };
        DataFile {
            path: format!("{partition}-{offset}"),
            size,
            rows: 1,
            modified_ms: 0,
            stats: Box::new([stats("p", partition), stats("o", offset)]),
        }
    }

    fn snapshot(files: impl IntoIterator<Item = DataFile>) -> Snapshot {
        let mut set = FileSet::default();
        files.into_iter().for_each(|file| set.push(Arc::new(file)));
        Snapshot { version: 1, entry: None, files: set, fences: Arc::default() }
    }

    fn names(groups: &[Vec<Arc<DataFile>>]) -> Vec<Vec<&str>> {
        groups.iter().map(|group| group.iter().map(|file| file.path.as_str()).collect()).collect()
    }

    const ALL: &(dyn Fn(&DataFile) -> bool + Send + Sync) = &|_| true;

    fn plan() -> CompactionPlan<'static> {
        CompactionPlan { fan_in: 3, target_bytes: 1000, ..CompactionPlan::new(ALL, &["p"], &["o"]) }
    }

    #[test]
    fn neighbours_of_one_partition_are_merged_in_order() {
        let table = snapshot([file(2, 1, 10), file(1, 3, 10), file(1, 1, 10), file(2, 2, 10), file(1, 2, 10)]);
        assert_eq!(names(&plan().groups(&table)), [["1-1", "1-2", "1-3"]]);
    }

    #[test]
    fn large_files_stay_and_part_their_neighbours() {
        let table = snapshot([file(1, 1, 10), file(1, 2, 10), file(1, 3, 240), file(1, 4, 10), file(1, 5, 10)]);
        assert_eq!(names(&plan().groups(&table)), [["1-1", "1-2", "1-3", "1-4", "1-5"]]);
        let table = snapshot([file(1, 1, 10), file(1, 2, 10), file(1, 3, 400), file(1, 4, 10), file(1, 5, 10)]);
        assert_eq!(names(&plan().groups(&table)), [["1-1", "1-2", "1-4", "1-5"]]);
    }

    #[test]
    fn medium_files_wait_for_files_of_their_size() {
        let table = snapshot([file(1, 1, 100), file(1, 2, 10), file(1, 3, 10)]);
        let few = CompactionPlan { fan_in: 4, ..plan() };
        assert!(few.groups(&table).is_empty());
        let table = snapshot((1..=4).map(|o| file(1, o, 100)).chain((5..=8).map(|o| file(1, o, 10))));
        assert_eq!(names(&few.groups(&table)), [["1-5", "1-6", "1-7", "1-8"], ["1-1", "1-2", "1-3", "1-4"]]);
    }

    #[test]
    fn merges_are_cut_at_the_target() {
        let table = snapshot((1..=9).map(|o| file(1, o, 240)));
        let groups = plan().groups(&table);
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [5, 4]);
    }

    #[test]
    fn files_that_may_not_be_merged_are_left_out() {
        let table = snapshot((1..=5).map(|o| file(1, o, 10)));
        let plan = CompactionPlan { eligible: &|file| file.max("o") < Some(&Stat::Int(4)), ..plan() };
        assert_eq!(names(&plan.groups(&table)), [["1-1", "1-2", "1-3"]]);
        let unknown = DataFile { stats: Box::new([]), ..file(1, 9, 10) };
        assert!(plan.groups(&snapshot([unknown.clone(), unknown.clone(), unknown])).is_empty());
    }

    /// A week of one-second commits: how often is each byte written again,
    /// and how many files are there?
    #[test]
    fn a_week_of_commits_stays_small_and_is_rewritten_a_few_times() {
        let plan = CompactionPlan::new(ALL, &["p"], &["o"]);
        let (mut files, mut written, mut most) = (Vec::<DataFile>::new(), 0_u64, 0);
        for second in 0..604_800 {
            files.push(file(1, second, 25_000));
            most = most.max(files.len());
            if second % 32 != 0 {
                continue;
            }
            for group in plan.groups(&snapshot(files.clone())) {
                let merged: u64 = group.iter().map(|f| f.size).sum();
                written += merged;
                let first = group[0].stats[1].min.clone();
                files.retain(|file| !group.iter().any(|f| f.path == file.path));
                let Some(Stat::Int(offset)) = first else { panic!("no offset") };
                files.push(file(1, offset, merged));
            }
        }
        let arrived = 604_800 * 25_000;
        println!("{} files at most, each byte written again {:.2} times", most, written as f64 / arrived as f64);
        assert!(most < 700, "{most}");
        assert!(written < 4 * arrived, "{written}");
    }
}
