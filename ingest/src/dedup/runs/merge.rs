//! Merging runs into one, in the background, with a fixed amount of memory.
//!
//! Invariant: the result holds every key of the inputs once, with the
//! combination of its records, and nothing else.

use super::{
    record::{RECORD_HEAD_BYTES, Record, combine},
    run::{BUCKET_BYTES_MAX, BUCKET_HEAD_BYTES, BUCKET_UNIT, Run, RunShape},
    writer::RunWriter,
};
use crate::dedup::{DedupError, files::half_word};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

const READ_BYTES: usize = 64 << 10;
/// Records merged between two looks at the stop signal.
const STOP_CHECK_RECORDS: u64 = 1 << 14;

/// Merges runs into a new file. `None` when it was told to stop; the file is
/// of no use then.
///
/// # Errors
/// An input is damaged, or the output cannot be written.
pub fn merge(
    inputs: &[Arc<Run>],
    path: &Path,
    id: u64,
    level: u32,
    stop: &AtomicBool,
) -> Result<Option<Run>, DedupError> {
    let records = inputs.iter().map(|run| run.shape.records).sum();
    let bytes = inputs.iter().map(|run| run.shape.bytes).sum();
    let mut writer = RunWriter::create(path, RunShape::planned(id, records, bytes), level)?;
    let mut readers = Vec::with_capacity(inputs.len());
    let mut heads = Vec::with_capacity(inputs.len());
    for run in inputs {
        let mut reader = RunReader::new(run.clone());
        if let Some(key) = reader.next_key()? {
            heads.push(key);
            readers.push(reader);
        }
    }
    let (mut last, mut merged) = (None, 0);
    let (mut payload, mut record) = (Vec::new(), Vec::new());
    while !heads.is_empty() {
        let least = least(&heads);
        let key = heads[least];
        let reader = &mut readers[least];
        if last == Some(key) {
            let damaged = || DedupError::corrupt(&reader.run.path, "two records of one key contradict each other");
            let (one, other) = writer
                .last()
                .zip(Record::read(reader.record()))
                .filter(|(a, b)| a.kind == b.kind)
                .ok_or_else(damaged)?;
            if !combine(one.kind, one.payload, other.payload, &mut payload) {
                return Err(damaged());
            }
            record.clear();
            Record { payload: &payload, ..one }.write(&mut record);
            writer.replace_last(&record);
        } else {
            writer.place(key)?.extend_from_slice(reader.record());
            last = Some(key);
        }
        match reader.next_key()? {
            Some(key) => heads[least] = key,
            None => {
                heads.swap_remove(least);
                readers.swap_remove(least);
            }
        }
        merged += 1;
        if merged % STOP_CHECK_RECORDS == 0 && stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
    }
    writer.finish().map(Some)
}

#[inline]
fn least(heads: &[u128]) -> usize {
    let mut least = 0;
    let mut key = heads[0];
    for (at, &head) in heads.iter().enumerate().skip(1) {
        // Written so that it compiles to conditional moves: which head is
        // least is random, and a mispredicted branch costs more than all of it.
        let less = head < key;
        key = if less { head } else { key };
        least = if less { at } else { least };
    }
    least
}

/// Reads the records of a run from the first to the last.
struct RunReader {
    run: Arc<Run>,
    buffer: Vec<u8>,
    /// The part of `buffer` that was read from the file.
    filled: usize,
    /// The current record.
    record: std::ops::Range<usize>,
    /// Where the records of the current bucket end.
    bucket_end: usize,
    /// Where the file is read next, relative to the first bucket.
    at: u64,
    next_bucket: u64,
}

impl RunReader {
    fn new(run: Arc<Run>) -> Self {
        Self { run, buffer: vec![0; READ_BYTES], filled: 0, record: 0..0, bucket_end: 0, at: 0, next_bucket: 0 }
    }

    /// The bytes of the current record.
    #[inline]
    fn record(&self) -> &[u8] {
        &self.buffer[self.record.clone()]
    }

    /// Goes to the next record and gives its key, or `None` at the end.
    #[inline]
    fn next_key(&mut self) -> Result<Option<u128>, DedupError> {
        if self.record.end == self.bucket_end && !self.open_bucket()? {
            return Ok(None);
        }
        let from = self.record.end;
        let record = Record::read(&self.buffer[from..self.bucket_end])
            .ok_or_else(|| self.run.damaged("bucket", self.next_bucket - 1))?;
        debug_assert!(record.bytes() >= RECORD_HEAD_BYTES);
        let key = record.key;
        self.record = from..from + record.bytes();
        Ok(Some(key))
    }

    /// Goes to the next bucket that has records, and checks it.
    fn open_bucket(&mut self) -> Result<bool, DedupError> {
        let mut from = self.bucket_end.next_multiple_of(BUCKET_UNIT);
        while self.next_bucket < self.run.shape.buckets {
            from = self.fill(from, BUCKET_HEAD_BYTES)?;
            let length = half_word(&self.buffer, from + 4);
            if length > BUCKET_BYTES_MAX {
                return Err(self.run.damaged("bucket", self.next_bucket));
            }
            let bytes = BUCKET_HEAD_BYTES + length as usize;
            from = self.fill(from, bytes.next_multiple_of(BUCKET_UNIT))?;
            self.run.check_bucket(self.next_bucket, &self.buffer[from..from + bytes])?;
            self.next_bucket += 1;
            self.record = from + BUCKET_HEAD_BYTES..from + BUCKET_HEAD_BYTES;
            self.bucket_end = from + bytes;
            if length > 0 {
                return Ok(true);
            }
            from = self.bucket_end.next_multiple_of(BUCKET_UNIT);
        }
        Ok(false)
    }

    /// Makes so many bytes available from a place of the buffer on, and says
    /// where that place is now.
    fn fill(&mut self, from: usize, bytes: usize) -> Result<usize, DedupError> {
        if self.filled >= from + bytes {
            return Ok(from);
        }
        self.buffer.copy_within(from..self.filled, 0);
        self.filled -= from;
        if self.buffer.len() < bytes {
            self.buffer.resize(bytes, 0);
        }
        let rest = self.run.shape.bytes.saturating_sub(self.at);
        let read = ((self.buffer.len() - self.filled) as u64).min(rest) as usize;
        if self.filled + read < bytes {
            return Err(self.run.damaged("bucket", self.next_bucket));
        }
        let at = self.run.shape.buckets_at() + self.at;
        self.run.read(&mut self.buffer[self.filled..self.filled + read], at)?;
        self.filled += read;
        self.at += read as u64;
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::record::Kind, *};
    use crate::dedup::runs::run::ProbeBuffers;
    use std::{collections::BTreeMap, fs};

    /// Writes a run of streams, whose records combine to the highest number.
    fn run(dir: &Path, id: u64, records: &BTreeMap<u128, u64>) -> Arc<Run> {
        let path = dir.join(id.to_string());
        let shape = RunShape::planned(id, records.len() as u64, records.len() as u64 * 26);
        let mut writer = RunWriter::create(&path, shape, 0).expect("a writer");
        for (&key, number) in records {
            let payload = number.to_le_bytes();
            Record { key, kind: Kind::Stream, payload: &payload }.write(writer.place(key).expect("a place"));
        }
        Arc::new(writer.finish().expect("a run"))
    }

    fn random_runs(dir: &Path) -> (Vec<Arc<Run>>, BTreeMap<u128, u64>) {
        let mut random = fastrand::Rng::with_seed(3);
        let mut all = BTreeMap::<u128, u64>::new();
        let keys: Vec<u128> = (0..4_000).map(|_| random.u128(..)).collect();
        let runs = (0..5).map(|id| {
            let records: BTreeMap<u128, u64> =
                (0..1_000 * id).map(|_| (keys[random.usize(..keys.len())], random.u64(..))).collect();
            for (key, number) in &records {
                all.entry(*key).and_modify(|highest| *highest = (*number).max(*highest)).or_insert(*number);
            }
            run(dir, id, &records)
        });
        (runs.collect(), all)
    }

    #[test]
    fn a_merged_run_has_what_its_inputs_had() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let (runs, all) = random_runs(dir.path());
        let merged = merge(&runs, &dir.path().join("9"), 9, 1, &AtomicBool::new(false)).expect("a merge");
        let merged = Run::open(&dir.path().join("9"), merged.expect("a run").shape, 1).expect("the run");
        assert_eq!(merged.shape.records, all.len() as u64);
        let keys: Vec<u128> = all.keys().flat_map(|key| [*key, key ^ 1]).collect();
        let keys: Vec<u128> = keys.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        let mut found = BTreeMap::new();
        let mut buffers = ProbeBuffers::default();
        merged
            .probe(&keys, &mut buffers, &mut |place, record| {
                found.insert(keys[place], u64::from_le_bytes(record.payload.try_into().expect("a number")));
                Ok(())
            })
            .expect("a lookup");
        assert_eq!(found, all);
    }

    #[test]
    fn a_damaged_input_is_not_merged() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let (runs, _) = random_runs(dir.path());
        let bytes = fs::read(&runs[2].path).expect("a file");
        let buckets_at = runs[2].shape.buckets_at() as usize;
        for at in (buckets_at..bytes.len()).step_by(997) {
            let mut damaged = bytes.clone();
            damaged[at..(at + 20).min(bytes.len())].fill(0xee);
            fs::write(&runs[2].path, &damaged).expect("a damaged file");
            let merged = merge(&runs, &dir.path().join("9"), 9, 1, &AtomicBool::new(false));
            assert!(merged.is_err_and(|error| error.needs_rebuild()), "damaged at {at}");
        }
    }

    #[test]
    fn a_merge_that_is_told_to_stop_has_no_result() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let records = (0..2 * STOP_CHECK_RECORDS).map(|number| (u128::from(number) << 110, number)).collect();
        let runs = [run(dir.path(), 1, &records)];
        let stopped = merge(&runs, &dir.path().join("9"), 9, 1, &AtomicBool::new(true)).expect("a merge");
        assert!(stopped.is_none());
    }
}
