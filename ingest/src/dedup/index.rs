//! The index of one shard.
//!
//! A check has two steps. The first reads all that the batch can need
//! ([`super::lookup`]) and is the only one that can fail; the second decides
//! in memory, in log order.
//!
//! Invariant: new claims come in log order and only after what was restored;
//! so what lies below a watermark is always the oldest part of what is in
//! memory, whatever was restored, flushed or rolled back before.

use super::{
    Candidate, Claim, DedupError, Identity, IndexOptions, Verdict,
    files::{create_dir, sync_dir},
    flush::FLUSH_MAX,
    lookup::Lookup,
    memtable::Memtable,
    numbered::{Decision, Numbers, Sources},
    runs::RunStore,
};
use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

const RUNS_DIR: &str = "runs";
/// Its presence says that a wipe has begun and must be finished.
const WIPE_MARK: &str = "WIPE";
/// Accepted events that are restored between two looks at the memory they use.
const RESTORE_CHUNK: usize = 1 << 14;
/// The file that a process locks while it uses the folder.
const LOCK: &str = "LOCK";

/// The deduplication index of one shard.
pub struct ShardIndex {
    pub(super) store: RunStore,
    pub(super) memtable: Memtable,
    pub(super) numbers: Numbers,
    pub(super) sources: Sources,
    pub(super) lookup: Lookup,
    pub(super) options: IndexOptions,
    /// [`FLUSH_MAX`], or less in tests.
    pub(super) flush_max: usize,
    /// Exclusive end of what was restored or was in the runs at the start.
    pub(super) restored: u64,
    /// The lowest offset that may claim something new.
    next: u64,
    /// Held until everything else is dropped: fields are dropped in order.
    _lock: File,
}

/// How much of what is in memory is meant: the oldest so many of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub hashed: usize,
    pub numbered: usize,
    pub decisions: usize,
}

impl Mark {
    /// At most so many of each.
    pub fn capped(self, max: usize) -> Self {
        Self { hashed: self.hashed.min(max), numbered: self.numbered.min(max), decisions: self.decisions.min(max) }
    }
}

/// Figures of an index, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexUsage {
    /// Files on disk.
    pub runs: usize,
    /// Records in them: one for each unnumbered claim; far fewer for numbered
    /// ones.
    pub records: u64,
    /// Bytes of these files.
    pub disk_bytes: u64,
    /// Claims in memory that a restart would have to restore.
    pub pending: usize,
}

impl ShardIndex {
    /// Opens the index in a folder of its own, or an empty one if there is
    /// none. What the ledger has from [`Self::covered`] up to its watermark
    /// must be restored before the first check.
    ///
    /// # Errors
    /// A file cannot be read or is damaged, or the index knows events at or
    /// above the ledger's watermark. Where [`DedupError::needs_rebuild`] says
    /// so, [`Self::open_empty`] is the answer.
    pub fn open(dir: &Path, watermark: u64, options: &IndexOptions) -> Result<Self, DedupError> {
        create_dir(dir)?;
        let lock = lock(dir)?;
        if exists(&dir.join(WIPE_MARK))? {
            wipe(dir)?;
        }
        Self::open_locked(dir, lock, watermark, options)
    }

    fn open_locked(dir: &Path, lock: File, watermark: u64, options: &IndexOptions) -> Result<Self, DedupError> {
        let runs = dir.join(RUNS_DIR);
        create_dir(&runs)?;
        let store = RunStore::open(&runs, options.merge_fan_in)?;
        let end = store.end();
        if end > watermark {
            return Err(DedupError::AheadOfLedger { end, watermark });
        }
        Ok(Self {
            store,
            memtable: Memtable::new(options.buffer_bytes / Memtable::CLAIM_BYTES),
            numbers: Numbers::new(),
            sources: Sources::new(),
            lookup: Lookup::default(),
            // A buffer of nothing would never be empty enough.
            options: IndexOptions { buffer_bytes: options.buffer_bytes.max(1_024), ..options.clone() },
            flush_max: FLUSH_MAX,
            restored: end,
            next: end,
            _lock: lock,
        })
    }

    /// Wipes the folder and opens an empty index, to be restored from the
    /// tables from offset 0 on.
    ///
    /// # Errors
    /// The folder cannot be wiped.
    pub fn open_empty(dir: &Path, options: &IndexOptions) -> Result<Self, DedupError> {
        create_dir(dir)?;
        let lock = lock(dir)?;
        wipe(dir)?;
        Self::open_locked(dir, lock, 0, options)
    }

    /// Exclusive offset up to which a restart knows every accepted event.
    /// Accepted rows from here to the watermark are to be restored after it.
    pub fn covered(&self) -> u64 {
        self.store.covered()
    }

    /// Takes in accepted events that the tables have, in any order, also ones
    /// that it knows already.
    ///
    /// # Errors
    /// A file cannot be read or written, or the accepted events contradict
    /// each other.
    pub fn restore(&mut self, accepted: &[Candidate]) -> Result<(), DedupError> {
        let covered = self.covered();
        for chunk in accepted.chunks(RESTORE_CHUNK) {
            self.look_up_streams(chunk)?;
            for (index, event) in chunk.iter().enumerate().filter(|(_, event)| event.offset >= covered) {
                self.restored = self.restored.max(event.offset + 1);
                self.next = self.next.max(self.restored);
                self.restore_one(index, event)?;
            }
            self.flush_restored()?;
        }
        Ok(())
    }

    /// Gives one verdict for each candidate, in log order. New ones claim their
    /// identity at once, also against later ones of the same call.
    ///
    /// # Errors
    /// A file cannot be read or is damaged, or the offsets do not ascend. No
    /// candidate of the call has claimed anything then.
    pub fn check_batch(&mut self, candidates: &[Candidate], verdicts: &mut Vec<Verdict>) -> Result<(), DedupError> {
        verdicts.clear();
        verdicts.reserve(candidates.len());
        let (mark, next) = (self.mark(), self.next);
        let checked = self.check_all(candidates, verdicts);
        if checked.is_err() {
            verdicts.clear();
            self.truncate(mark);
            self.next = next;
        }
        checked
    }

    /// All claims below the watermark are in the ledger; they are made durable
    /// when enough have come together.
    ///
    /// # Errors
    /// A flush or a merge failed. Nothing is lost, and the next call tries
    /// again; but a full disk stays full.
    pub fn committed(&mut self, watermark: u64) -> Result<(), DedupError> {
        if watermark < self.restored {
            return Ok(());
        }
        self.store.take_in_merges()?;
        self.flush_committed(watermark)
    }

    /// Drops all claims at or above an offset: the shard reads again from the
    /// ledger's watermark.
    ///
    /// # Errors
    /// Some of them are in the ledger already.
    pub fn rollback(&mut self, to: u64) -> Result<(), DedupError> {
        let kept = self.restored.max(self.store.end());
        if to < kept {
            return Err(DedupError::RollbackTooFar { to, kept });
        }
        self.truncate(self.mark_below(to));
        self.next = self.next.min(to);
        Ok(())
    }

    /// Figures for metrics.
    pub fn usage(&self) -> IndexUsage {
        let runs = self.store.runs();
        IndexUsage {
            runs: runs.len(),
            records: runs.iter().map(|run| run.shape.records).sum(),
            disk_bytes: runs.iter().map(|run| run.shape.file_bytes()).sum(),
            pending: self.claims_made(),
        }
    }

    fn check_all(&mut self, mut rest: &[Candidate], verdicts: &mut Vec<Verdict>) -> Result<(), DedupError> {
        while !rest.is_empty() {
            let looked_up = self.look_up(rest)?;
            let (chunk, after) = rest.split_at(looked_up);
            for (index, candidate) in chunk.iter().enumerate() {
                let claims = self.claims_made();
                verdicts.push(self.decide(index, candidate));
                if self.claims_made() > claims {
                    if candidate.offset < self.next {
                        return Err(DedupError::OutOfOrder { offset: candidate.offset, seen: self.next - 1 });
                    }
                    self.next = candidate.offset + 1;
                }
            }
            rest = after;
        }
        Ok(())
    }

    #[inline]
    fn decide(&mut self, index: usize, candidate: &Candidate) -> Verdict {
        let claim = Claim { offset: candidate.offset, fingerprint: candidate.fingerprint };
        match candidate.identity {
            Identity::Hashed(key) => self.decide_hashed(index, candidate.source, key, claim),
            Identity::Numbered { sequence, .. } => {
                let stream = self.lookup.stream(index);
                if self.numbers.has_begun(stream) {
                    self.numbers.check(stream, sequence, claim)
                } else {
                    self.decide_first(stream, candidate.source, sequence, claim)
                }
            }
        }
    }

    fn decide_hashed(&mut self, index: usize, source: u128, key: u128, claim: Claim) -> Verdict {
        let kind = self.sources.is_numbered(source);
        if kind == Some(true) {
            return Verdict::TurnedUnnumbered;
        }
        let taken = self.lookup.claim_found(index).or_else(|| self.memtable.claim(key, claim));
        let verdict = taken.map_or(Verdict::New, |taken| taken.verdict(claim));
        if kind.is_none() && verdict == Verdict::New {
            self.sources.decide(Decision { offset: claim.offset, source, numbered: false });
        }
        verdict
    }

    /// Decides on what may be the first event of a stream.
    fn decide_first(&mut self, stream: u32, source: u128, sequence: u64, claim: Claim) -> Verdict {
        let kind = self.sources.is_numbered(source);
        if kind == Some(false) {
            return Verdict::TurnedNumbered;
        }
        let verdict = self.numbers.check(stream, sequence, claim);
        if kind.is_none() && verdict == Verdict::New {
            self.sources.decide(Decision { offset: claim.offset, source, numbered: true });
        }
        verdict
    }

    fn restore_one(&mut self, index: usize, event: &Candidate) -> Result<(), DedupError> {
        let Candidate { offset, fingerprint, source, identity } = *event;
        let claim = Claim { offset, fingerprint };
        let numbered = matches!(identity, Identity::Numbered { .. });
        let kind = match identity {
            Identity::Numbered { .. } if self.numbers.has_begun(self.lookup.stream(index)) => Some(true),
            _ => self.sources.is_numbered(source),
        };
        match kind {
            Some(known) if known != numbered => return Err(DedupError::Contradiction { offset }),
            Some(_) => {}
            None => self.sources.decide(Decision { offset, source, numbered }),
        }
        match identity {
            Identity::Hashed(key) => {
                self.memtable.claim(key, claim);
            }
            Identity::Numbered { sequence, .. } => {
                self.numbers.restore(self.lookup.stream(index), sequence, claim);
            }
        }
        Ok(())
    }

    /// All that is in memory.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            hashed: self.memtable.entries().len(),
            numbered: self.numbers.buffer.len(),
            decisions: self.sources.unstored().len(),
        }
    }

    /// What of it lies below an offset.
    pub(super) fn mark_below(&self, offset: u64) -> Mark {
        Mark {
            hashed: self.memtable.count_below(offset),
            numbered: self.numbers.buffer.count_below(offset),
            decisions: self.sources.count_below(offset),
        }
    }

    fn truncate(&mut self, mark: Mark) {
        self.memtable.truncate(mark.hashed);
        self.numbers.buffer.truncate(mark.numbered);
        self.sources.truncate(mark.decisions);
    }

    #[inline]
    fn claims_made(&self) -> usize {
        self.memtable.entries().len() + self.numbers.buffer.len()
    }
}

fn lock(dir: &Path) -> Result<File, DedupError> {
    let path = dir.join(LOCK);
    let file = File::create(&path).map_err(|error| DedupError::io("create", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DedupError::InUse { path: dir.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(DedupError::io("lock", &path, error)),
    }
}

fn exists(path: &Path) -> Result<bool, DedupError> {
    path.try_exists().map_err(|error| DedupError::io("look for", path, error))
}

/// Removes all runs; a crash in the middle is finished by the next open.
fn wipe(dir: &Path) -> Result<(), DedupError> {
    let mark = dir.join(WIPE_MARK);
    fs::write(&mark, []).map_err(|error| DedupError::io("write", &mark, error))?;
    sync_dir(dir)?;
    let runs = dir.join(RUNS_DIR);
    if exists(&runs)? {
        fs::remove_dir_all(&runs).map_err(|error| DedupError::io("remove", &runs, error))?;
    }
    sync_dir(dir)?;
    fs::remove_file(&mark).map_err(|error| DedupError::io("remove", &mark, error))?;
    sync_dir(dir)
}
