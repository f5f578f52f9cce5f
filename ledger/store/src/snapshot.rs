//! What a table consists of at one version of its Delta log.
//!
//! Invariant: a snapshot never changes. The next one shares almost all of it,
//! so that adding a file costs the same whether a table has ten or thousands.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::data_file::DataFile;

/// One version of a table.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) version: u64,
    /// Which entry the log had at this version: its hash. Only that it is
    /// still there proves that nothing after it was cleaned up. `None` if it
    /// was gone already when a checkpoint was read instead.
    pub(crate) entry: Option<blake3::Hash>,
    pub(crate) files: FileSet,
    pub(crate) fences: Arc<BTreeMap<String, i64>>,
}

impl Snapshot {
    /// The version of the Delta log.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The files that make up the table, in the order in which they were added.
    pub fn files(&self) -> impl Iterator<Item = &Arc<DataFile>> {
        self.files.iter()
    }

    /// How many files there are.
    pub fn file_count(&self) -> usize {
        self.files.count
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.files.rows
    }

    /// How large the files are together (bytes).
    pub fn bytes(&self) -> u64 {
        self.files.bytes
    }

    /// Where a fence stands; `None` if it was never set.
    pub fn fence(&self, app: &str) -> Option<i64> {
        self.fences.get(app).copied()
    }

    /// All fences.
    pub fn fences(&self) -> &BTreeMap<String, i64> {
        &self.fences
    }

    /// Whether a file is part of this version.
    pub fn contains(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path == path)
    }
}

/// Files in chunks: copying the set copies the pointers to the chunks and, on
/// the next addition, the pointers of one chunk.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileSet {
    chunks: Vec<Arc<Vec<Arc<DataFile>>>>,
    count: usize,
    rows: u64,
    bytes: u64,
}

const CHUNK_FILES_MAX: usize = 128;

impl FileSet {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<DataFile>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    pub(crate) fn push(&mut self, file: Arc<DataFile>) {
        self.count += 1;
        self.rows = self.rows.saturating_add(file.rows);
        self.bytes = self.bytes.saturating_add(file.size);
        match self.chunks.last_mut().filter(|chunk| chunk.len() < CHUNK_FILES_MAX) {
            Some(chunk) => Arc::make_mut(chunk).push(file),
            None => self.chunks.push(Arc::new(vec![file])),
        }
    }

    /// Removes files by path; those that are not there do not matter.
    pub(crate) fn remove(&mut self, paths: &HashSet<&str>) {
        let gone = |file: &Arc<DataFile>| paths.contains(file.path.as_str());
        for chunk in &mut self.chunks {
            if chunk.iter().any(gone) {
                let kept = chunk.iter().filter(|file| !gone(file)).cloned().collect();
                for file in chunk.iter().filter(|file| gone(file)) {
                    self.count -= 1;
                    self.rows = self.rows.saturating_sub(file.rows);
                    self.bytes = self.bytes.saturating_sub(file.size);
                }
                *chunk = Arc::new(kept);
            }
        }
        self.join_small_chunks();
    }

    /// Keeps the number of chunks in proportion to the number of files.
    fn join_small_chunks(&mut self) {
        let mut joined: Vec<Arc<Vec<Arc<DataFile>>>> = Vec::with_capacity(self.chunks.len());
        for chunk in self.chunks.drain(..).filter(|chunk| !chunk.is_empty()) {
            match joined.last_mut().filter(|last| last.len() + chunk.len() <= CHUNK_FILES_MAX) {
                Some(last) => Arc::make_mut(last).extend(chunk.iter().cloned()),
                None => joined.push(chunk),
            }
        }
        self.chunks = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(number: u32) -> Arc<DataFile> {
        Arc::new(DataFile {
            path: format!("part-{number}"),
            size: 10,
            rows: u64::from(number),
            modified_ms: 0,
            stats: Box::new([]),
        })
    }

    proptest! {
        #[test]
        fn behaves_like_a_list(steps in prop::collection::vec((0_u32..600, any::<bool>()), 0..900)) {
            let (mut set, mut model) = (FileSet::default(), Vec::<u32>::new());
            let before = set.clone();
            for (number, add) in steps {
                if add && !model.contains(&number) {
                    set.push(file(number));
                    model.push(number);
                } else {
                    let paths: Vec<String> = (number..number + 5).map(|n| format!("part-{n}")).collect();
                    set.remove(&paths.iter().map(String::as_str).collect());
                    model.retain(|n| !(number..number + 5).contains(n));
                }
            }
            let paths: Vec<_> = set.iter().map(|f| f.path.clone()).collect();
            prop_assert_eq!(paths, model.iter().map(|n| format!("part-{n}")).collect::<Vec<_>>());
            prop_assert_eq!(set.count, model.len());
            prop_assert_eq!(set.rows, model.iter().map(|n| u64::from(*n)).sum::<u64>());
            prop_assert!(set.chunks.len() <= 2 * (set.count / CHUNK_FILES_MAX + 1));
            prop_assert_eq!(before.count, 0);
        }
    }
}
