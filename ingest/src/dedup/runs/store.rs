//! The set of runs on disk: flushing, merging, looking up.
//!
//! Runs are merged in tiers: as soon as a level has a full fan of them they
//! become one run of the next, so each record is rewritten a logarithmic number
//! of times. A merge runs on a thread of its own and its result is taken in at
//! a later commit; combining records is commutative, so it does not matter when.
//!
//! Invariant: the runs in memory are those of the manifest on disk.

use super::{
    manifest::Manifest,
    merge::merge,
    run::{OnFound, ProbeBuffers, RUN_BYTES_MAX, Run, RunShape},
    writer::RunWriter,
};
use crate::dedup::{DedupError, files::sync_dir};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

/// Merges that run at once: a small one must not wait for a large one.
const MERGES_MAX: usize = 2;
/// How many fans of unmerged flushes may pile up before a flush waits for a
/// merge; it bounds the number of runs.
const WAITING_FANS_MAX: usize = 4;

/// The runs of one shard.
pub struct RunStore {
    dir: PathBuf,
    fan_in: usize,
    manifest: Manifest,
    runs: Vec<Arc<Run>>,
    merges: Vec<Merge>,
    stop: Arc<AtomicBool>,
}

struct Merge {
    inputs: Vec<u64>,
    level: u32,
    output: PathBuf,
    thread: JoinHandle<Result<Option<Run>, DedupError>>,
}

impl RunStore {
    /// Opens the runs of a folder, or an empty set in an empty folder.
    ///
    /// # Errors
    /// A file is missing or damaged.
    pub fn open(dir: &Path, fan_in: usize) -> Result<Self, DedupError> {
        let manifest = match Manifest::read(dir)? {
            Some(manifest) => manifest,
            None if is_empty(dir)? => {
                let manifest = Manifest::default();
                manifest.write(dir)?;
                manifest
            }
            None => return Err(DedupError::corrupt(dir, "it has files but no manifest")),
        };
        let runs = manifest
            .runs
            .iter()
            .map(|(shape, level)| Run::open(&run_path(dir, shape.id), *shape, *level).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        remove_strays(dir, &runs)?;
        Ok(Self {
            dir: dir.to_path_buf(),
            fan_in: fan_in.max(2),
            manifest,
            runs,
            merges: Vec::new(),
            stop: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Exclusive offset up to which the runs know every accepted event.
    pub fn covered(&self) -> u64 {
        self.manifest.covered
    }

    /// Exclusive offset up to which they know any.
    pub fn end(&self) -> u64 {
        self.manifest.end
    }

    /// The folder of the runs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn runs(&self) -> &[Arc<Run>] {
        &self.runs
    }

    /// Whether a merge is running or waits to be taken in.
    #[cfg(test)]
    pub fn is_merging(&self) -> bool {
        !self.merges.is_empty()
    }

    /// Looks up ascending keys in all runs; a key can be found in several.
    ///
    /// # Errors
    /// A run cannot be read or is damaged.
    pub fn probe(&self, keys: &[u128], buffers: &mut ProbeBuffers, found: &mut OnFound) -> Result<(), DedupError> {
        self.runs.iter().try_for_each(|run| run.probe(keys, buffers, found))
    }

    /// Adds a run and moves `covered` and `end`, in one step. `planned` is how
    /// many records it will have and about how many bytes; `write` pushes them
    /// in ascending order of their keys.
    ///
    /// # Errors
    /// The run or the manifest cannot be written; nothing has changed then.
    pub fn flush(
        &mut self,
        planned: (u64, u64),
        covered: u64,
        end: u64,
        write: &mut dyn FnMut(&mut RunWriter) -> Result<(), DedupError>,
    ) -> Result<(), DedupError> {
        self.take_in_merges()?;
        let waiting = self.runs.iter().filter(|run| run.level == 0).count();
        if waiting >= WAITING_FANS_MAX * self.fan_in {
            self.wait_for_merge()?;
        }
        let mut added = None;
        if planned.0 > 0 {
            let id = self.new_id();
            let shape = RunShape::planned(id, planned.0, planned.1);
            let mut writer = RunWriter::create(&run_path(&self.dir, id), shape, 0)?;
            write(&mut writer)?;
            let run = Arc::new(writer.finish()?);
            sync_dir(&self.dir)?;
            added = Some(run);
        }
        let mut next = Manifest { covered, end: self.manifest.end.max(end).max(covered), ..self.manifest.clone() };
        next.runs.extend(added.iter().map(|run| (run.shape, run.level)));
        next.write(&self.dir)?;
        self.manifest = next;
        self.runs.extend(added);
        self.start_merges();
        Ok(())
    }

    /// Takes in the merges that have ended and starts those that are due.
    ///
    /// # Errors
    /// A merge failed, or the manifest cannot be written.
    pub fn take_in_merges(&mut self) -> Result<(), DedupError> {
        while let Some(at) = self.merges.iter().position(|merge| merge.thread.is_finished()) {
            let merge = self.merges.swap_remove(at);
            self.take_in(merge)?;
        }
        self.start_merges();
        Ok(())
    }

    fn wait_for_merge(&mut self) -> Result<(), DedupError> {
        let merges = self.merges.iter().enumerate();
        if let Some((shortest, _)) = merges.min_by_key(|(_, merge)| merge.level) {
            let merge = self.merges.swap_remove(shortest);
            self.take_in(merge)?;
        }
        self.start_merges();
        Ok(())
    }

    fn take_in(&mut self, merge: Merge) -> Result<(), DedupError> {
        let merged = merge.thread.join().unwrap_or_else(|_| Err(DedupError::MergeLost { path: self.dir.clone() }));
        let run = match merged {
            Ok(Some(run)) => Arc::new(run),
            Ok(None) => return Ok(()),
            Err(error) => {
                fs::remove_file(&merge.output).ok();
                return Err(error);
            }
        };
        sync_dir(&self.dir)?;
        let gone = |id: u64| merge.inputs.contains(&id);
        let mut next = self.manifest.clone();
        next.runs.retain(|(shape, _)| !gone(shape.id));
        next.runs.push((run.shape, run.level));
        next.write(&self.dir)?;
        self.manifest = next;
        for old in self.runs.extract_if(.., |old| gone(old.shape.id)) {
            // A file that stays behind is removed when the index is opened.
            fs::remove_file(&old.path).ok();
        }
        self.runs.push(run);
        Ok(())
    }

    fn start_merges(&mut self) {
        while self.merges.len() < MERGES_MAX {
            let Some(inputs) = self.due_merge() else { break };
            let id = self.new_id();
            let level = inputs[0].level + 1;
            let output = run_path(&self.dir, id);
            let ids = inputs.iter().map(|run| run.shape.id).collect();
            let thread = thread::Builder::new().name("dedup-merge".to_owned()).spawn({
                let (output, stop) = (output.clone(), self.stop.clone());
                move || merge(&inputs, &output, id, level, &stop)
            });
            match thread {
                Ok(thread) => self.merges.push(Merge { inputs: ids, level, output, thread }),
                Err(error) => {
                    tracing::warn!(%error, dir = %self.dir.display(), "no thread for a merge; it is tried again later");
                    break;
                }
            }
        }
    }

    /// An id that no run of this process had, not even one whose flush failed:
    /// a manifest on disk may name it. It is durable with the next manifest;
    /// until then a crash leaves at most a stray file of that name.
    fn new_id(&mut self) -> u64 {
        let id = self.manifest.next_id;
        self.manifest.next_id += 1;
        id
    }

    /// The oldest full fan of the lowest level that has one.
    fn due_merge(&self) -> Option<Vec<Arc<Run>>> {
        let busy: HashSet<u64> = self.merges.iter().flat_map(|merge| merge.inputs.iter().copied()).collect();
        let free = |run: &&Arc<Run>| !busy.contains(&run.shape.id);
        let top = self.runs.iter().map(|run| run.level).max()?;
        (0..=top).find_map(|level| {
            let fan: Vec<_> =
                self.runs.iter().filter(free).filter(|run| run.level == level).take(self.fan_in).cloned().collect();
            let bytes: u64 = fan.iter().map(|run| run.shape.bytes).sum();
            (fan.len() == self.fan_in && bytes <= RUN_BYTES_MAX).then_some(fan)
        })
    }
}

impl Drop for RunStore {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for merge in self.merges.drain(..) {
            // Its output is a stray file, removed when the index is opened.
            merge.thread.join().ok();
        }
    }
}

fn run_path(dir: &Path, id: u64) -> PathBuf {
    dir.join(format!("{id:016x}.run"))
}

fn is_empty(dir: &Path) -> Result<bool, DedupError> {
    let mut names = fs::read_dir(dir).map_err(|error| DedupError::io("list", dir, error))?;
    Ok(names.all(|name| name.is_ok_and(|name| name.path().extension().is_some_and(|end| end == "draft"))))
}

/// Removes what a crash left behind: runs that no manifest names.
fn remove_strays(dir: &Path, runs: &[Arc<Run>]) -> Result<(), DedupError> {
    let failed = |error| DedupError::io("clean", dir, error);
    for name in fs::read_dir(dir).map_err(failed)? {
        let path = name.map_err(failed)?.path();
        let is_run = path.extension().is_some_and(|end| end == "run");
        if is_run && runs.iter().all(|run| run.path != path) {
            fs::remove_file(&path).map_err(failed)?;
        }
    }
    Ok(())
}
