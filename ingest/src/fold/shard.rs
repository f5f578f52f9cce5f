//! One shard: the fold of one partition of the usage topic.
//!
//! Invariants: every record gets exactly one outcome (conservation, 2), and
//! its row, its count and its leaf are made together; where chunks and batches
//! are cut changes none of them (5).

use stempoint_schemas::commit::Shard as ShardState;
use stempoint_schemas::event::Reason;
use stempoint_schemas::hash::{self, Hash, Messages, Outcome};
use stempoint_schemas::tables::{self, Table};

use super::decide::{self, Read, RecordReader};
use super::rows::{Place, Rows};
use crate::dedup::{Candidate, DedupError, ShardIndex, Verdict};
use crate::log::RecordRef;

/// The ingest tables, in the order of [`Fences`].
pub const INGEST_TABLES: [&Table; 5] =
    [&tables::API_CALLS, &tables::GPU_USAGE, &tables::HEARTBEATS, &tables::REJECTS, &tables::DUPLICATES];

/// Per ingest table the next offset that it does not have yet. After a crash
/// between two tables' commits they differ.
pub type Fences = [u64; INGEST_TABLES.len()];

/// Records of one partition in one piece of memory, waiting to be decided.
#[derive(Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    records: Vec<Stored>,
}

#[derive(Clone, Copy)]
struct Stored {
    offset: u64,
    recorded_us: i64,
    start: usize,
    /// The length of the key; `None` where there is no key.
    key: Option<usize>,
    end: usize,
}

impl Chunk {
    /// Copies a record.
    pub fn push(&mut self, record: RecordRef<'_>) {
        let start = self.bytes.len();
        let key = record.key.unwrap_or_default();
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(record.value);
        self.records.push(Stored {
            offset: record.offset,
            recorded_us: record.time_us,
            start,
            key: record.key.map(<[u8]>::len),
            end: self.bytes.len(),
        });
    }

    /// How many records wait.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// The bytes of their keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Forgets the records and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
    }

    fn key_and_value(&self, stored: &Stored) -> (Option<&[u8]>, &[u8]) {
        let value_start = stored.start + stored.key.unwrap_or(0);
        let key = stored.key.map(|_| &self.bytes[stored.start..value_start]);
        (key, &self.bytes[value_start..stored.end])
    }
}

/// The fold of one partition.
pub struct Shard {
    partition: u32,
    reader: RecordReader,
    index: ShardIndex,
    state: ShardState,
    fences: Fences,
    rows: Rows,
    candidates: Vec<Candidate>,
    verdicts: Vec<Verdict>,
    /// The leaves of the records of a chunk.
    leaves: Messages,
}

impl Shard {
    /// A shard that goes on from what the ledger has of it.
    pub fn new(partition: u32, partitions: u32, index: ShardIndex, state: ShardState, fences: Fences) -> Shard {
        Shard {
            partition,
            reader: RecordReader::new(partition, partitions),
            index,
            state,
            fences,
            rows: Rows::new(partition),
            candidates: Vec::new(),
            verdicts: Vec::new(),
            leaves: Messages::default(),
        }
    }

    /// The partition.
    pub fn partition(&self) -> u32 {
        self.partition
    }

    /// What the ledger will say of this shard once all rows so far are
    /// committed.
    pub fn state(&self) -> &ShardState {
        &self.state
    }

    /// Per ingest table the next offset that it did not have when the shard was
    /// opened.
    pub fn fences(&self) -> &Fences {
        &self.fences
    }

    /// Decides the records of a chunk; the next offset to read is `next`.
    pub fn fold(&mut self, chunk: &Chunk, next: u64) -> Result<(), DedupError> {
        let mut reads = Vec::with_capacity(chunk.len());
        for stored in &chunk.records {
            let (key, value) = chunk.key_and_value(stored);
            reads.push(self.reader.read(stored.recorded_us, key, value));
        }
        let offsets = chunk.records.iter().map(|stored| stored.offset);
        let contents = self.reader.take(offsets.zip(&reads), &mut self.candidates);
        self.index.check_batch(&self.candidates, &mut self.verdicts)?;
        let verdicts = std::mem::take(&mut self.verdicts);
        let mut asked = verdicts.iter().copied().zip(contents);
        for (stored, read) in chunk.records.iter().zip(reads) {
            let verdict = match &read {
                Read::Event { .. } => asked.next(),
                Read::Refused { .. } => None,
            };
            self.record(chunk, stored, read, verdict);
        }
        self.verdicts = verdicts;
        self.state.tree.extend(&self.leaves.take());
        if let Some(last) = chunk.records.last() {
            let (key, value) = chunk.key_and_value(last);
            self.state.last_record = Some(hash::record_hash(key, value));
        }
        self.state.watermark = next;
        Ok(())
    }

    fn record(&mut self, chunk: &Chunk, stored: &Stored, read: Read<'_>, verdict: Option<(Verdict, Hash)>) {
        let place = Place { offset: stored.offset, recorded_us: stored.recorded_us };
        let (source, refusal) = match read {
            Read::Event { source, event, .. } => match verdict {
                Some((Verdict::New, content)) => {
                    let table = event.payload.kind() as usize;
                    if place.offset >= self.fences[table] {
                        self.rows.accept(place, source, &event);
                    }
                    self.state.counts.accepted += 1;
                    return self.count(place, Outcome::Accepted, &content);
                }
                Some((Verdict::Duplicate { original }, _)) => {
                    if place.offset >= self.fences[DUPLICATES] {
                        self.rows.duplicate(place, source, original);
                    }
                    self.state.counts.duplicate += 1;
                    return self.count(place, Outcome::Duplicate, &hash::duplicate_hash(source.as_bytes(), original));
                }
                Some((other, _)) => (Some(source), decide::refusal(other)),
                None => (Some(source), None),
            },
            Read::Refused { source, refusal } => (source, Some(refusal)),
        };
        // Every event has a verdict, so a refusal is always there.
        let refusal = refusal.unwrap_or_else(|| stempoint_schemas::event::Refusal::new(Reason::Malformed, "undecided"));
        let (key, value) = chunk.key_and_value(stored);
        if place.offset >= self.fences[REJECTS] {
            self.rows.reject(place, source, &refusal, key, value);
        }
        self.state.counts.rejected += 1;
        self.count(place, Outcome::Rejected, &hash::reject_hash(refusal.reason.code(), key, value));
    }

    fn count(&mut self, place: Place, outcome: Outcome, row: &Hash) {
        self.state.counts.received += 1;
        self.leaves.push_usage_leaf(self.partition, place.offset, place.recorded_us, outcome, row);
    }

    /// Takes the rows so far, to be written.
    pub fn take_rows(&mut self) -> Result<Vec<(&'static Table, arrow::array::RecordBatch)>, arrow::error::ArrowError> {
        self.rows.take()
    }

    /// Everything below `watermark` is in the ledger. Another process may have
    /// put more there than this shard has read, and what it has not read its
    /// index does not know.
    pub fn committed(&mut self, watermark: u64) -> Result<(), DedupError> {
        self.index.committed(watermark.min(self.state.watermark))
    }
}

const REJECTS: usize = 3;
const DUPLICATES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dedup::IndexOptions;

    const SOURCE: &[u8] = b"gateway/1";

    fn shard(folder: &std::path::Path, state: ShardState) -> Shard {
        // What is committed is in the index's files at once.
        let options = IndexOptions { lag_max: 0, ..IndexOptions::default() };
        let index = ShardIndex::open(folder, state.watermark, &options).expect("opens");
        Shard::new(0, 1, index, state, [0; INGEST_TABLES.len()])
    }

    fn chunk(offsets: std::ops::Range<u64>) -> Chunk {
        let mut chunk = Chunk::default();
        for offset in offsets {
            chunk.push(RecordRef { offset, time_us: 0, key: Some(SOURCE), value: b"no event" });
        }
        chunk
    }

    #[test]
    fn the_index_covers_no_more_than_the_shard_has_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut shard = shard(folder.path(), ShardState::default());
        shard.fold(&chunk(0..3), 3).expect("folds");
        // Another process has committed up to 10.
        shard.committed(10).expect("commits");
        drop(shard);
        let index = ShardIndex::open(folder.path(), 10, &IndexOptions::default()).expect("opens");
        assert_eq!(index.covered(), 3);
    }

    /// The rows of the tables that a crash left ahead are not written again,
    /// and the counts and the tree are as if there had been no crash.
    #[test]
    fn what_a_table_has_is_counted_and_not_written_again() {
        let roots: Vec<(Hash, u64, usize)> = [0, 2]
            .into_iter()
            .map(|fence| {
                let folder = tempfile::tempdir().expect("a folder");
                let mut shard = shard(folder.path(), ShardState::default());
                shard.fences[REJECTS] = fence;
                shard.fold(&chunk(0..3), 3).expect("folds");
                let rows = shard.take_rows().expect("rows").iter().map(|(_, batch)| batch.num_rows()).sum();
                (shard.state.tree.root(), shard.state.counts.rejected, rows)
            })
            .collect();
        assert_eq!((roots[0].1, roots[0].2), (3, 3));
        assert_eq!(roots[1], (roots[0].0, 3, 1));
    }
}
