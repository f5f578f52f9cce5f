//! The one thread that writes.
//!
//! Invariant: a group is one atomic batch, synced before its ends are published
//! and its receipts are answered; offsets and record times never go back; after
//! the first failure nothing more is written.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fjall::{Keyspace, OwnedWriteBatch, PersistMode};

use super::acknowledged::Witness;
use super::block::{BlockBuilder, Place};
use super::options::{BLOCK_BYTES, EmbeddedOptions, GROUP_BYTES};
use super::queue::{Job, Queue};
use super::shared::Shared;
use super::store::{Recovered, RecoveredPartition, Segment, Store, failed, first_kept};
use crate::log::error::with_causes;
use crate::log::{Batch, LogError, Position, Topic, partition_of};

/// How long the engine may take to write one table before the log gives up.
const TABLE_WAIT: Duration = Duration::from_secs(120);

pub(super) struct Writer {
    store: Store,
    topics: [Vec<Partition>; 2],
    /// The record time of the last group.
    last_time_us: i64,
    witness: Witness,
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    segment_bytes: u64,
    memtable_bytes: u64,
    /// Segments that are full, whose memtables have to become tables.
    full: Vec<Keyspace>,
    /// Segments that were trimmed, which are deleted one at a time: each costs
    /// the engine a dozen syncs.
    trimmed: VecDeque<Segment>,
}

struct Partition {
    topic: Topic,
    partition: u32,
    /// The first offset of the block that is being built.
    base: u64,
    block: BlockBuilder,
    /// The segment that is written to. None before the first write.
    tail: Option<Tail>,
    /// Segments that the current group has created.
    created: Vec<Segment>,
}

struct Tail {
    keyspace: Keyspace,
    /// Framed bytes in the segment.
    bytes: u64,
    /// Framed bytes since its memtable last became a table.
    in_memory: u64,
}

impl Writer {
    pub(super) fn new(
        store: Store,
        mut recovered: Recovered,
        witness: Witness,
        shared: Arc<Shared>,
        queue: Arc<Queue>,
        options: &EmbeddedOptions,
    ) -> Self {
        let last_times_us = Topic::ALL.iter().flat_map(|&topic| recovered.partitions(topic)).map(|p| p.last_time_us);
        let last_time_us = last_times_us.max().unwrap_or_default();
        let topics = Topic::ALL.map(|topic| {
            let found = (0..).zip(recovered.partitions(topic));
            found.map(|(partition, found)| Partition::new(topic, partition, found)).collect()
        });
        Self {
            store,
            topics,
            last_time_us,
            witness,
            shared,
            queue,
            segment_bytes: options.segment_bytes,
            memtable_bytes: options.memtable_bytes(),
            full: Vec::new(),
            trimmed: recovered.take_trimmed().collect(),
        }
    }

    /// Works until the queue is stopped or a write fails.
    pub(super) fn run(mut self) {
        // Also when this thread panics, nobody must wait for an answer.
        let _refuse = RefuseOnExit(Arc::clone(&self.queue));
        while let Some(jobs) = self.queue.take(GROUP_BYTES, self.trimmed.is_empty()) {
            let worked = self.group(jobs).and_then(|()| self.write_tables()).and_then(|()| self.delete_one());
            if let Err(error) = worked {
                let reason = with_causes(&error);
                tracing::error!(reason, "the event log stopped");
                self.queue.refuse_all(&LogError::Stopped { reason });
            }
        }
    }

    /// Writes and answers one group of jobs.
    fn group(&mut self, jobs: Vec<Job>) -> Result<(), LogError> {
        let mut positions = match self.write(&jobs) {
            Ok(positions) => positions.into_iter(),
            Err(error) => {
                for job in jobs {
                    job.refuse(error.clone());
                }
                return Err(error);
            }
        };
        self.publish();
        let mut outcome = Ok(());
        for job in jobs {
            match job {
                Job::Append { promise, .. } => promise.answer(Ok(positions.next().unwrap_or_default())),
                Job::Gap { done, .. } => drop(done.send(Ok(()))),
                Job::Trim { topic, partition, below, done } => {
                    let trimmed = self.trim(topic, partition, below);
                    if let Err(error @ LogError::Storage { .. }) = &trimmed {
                        outcome = Err(error.clone());
                    }
                    drop(done.send(trimmed));
                }
            }
        }
        outcome
    }

    /// Writes the records of all jobs durably. Gives the positions of each
    /// append.
    fn write(&mut self, jobs: &[Job]) -> Result<Vec<Vec<Position>>, LogError> {
        // The clock may go back; record times do not, so that they tell across partitions what came first.
        self.last_time_us = now_us().max(self.last_time_us);
        let mut group = Group {
            now_us: self.last_time_us,
            segment_bytes: self.segment_bytes,
            batch: self.store.db.batch().durability(Some(PersistMode::SyncAll)),
            store: &self.store,
            full: &mut self.full,
        };
        let mut positions = Vec::with_capacity(jobs.len());
        for job in jobs {
            match job {
                Job::Append { topic, batch, .. } => {
                    let partitions = &mut self.topics[topic.index()];
                    positions.push(group.append(partitions, batch)?);
                }
                Job::Gap { topic, partition, unused, .. } => {
                    let partition = &mut self.topics[topic.index()][*partition as usize];
                    group.finish_block(partition, *unused)?;
                }
                Job::Trim { .. } => {}
            }
        }
        for partition in self.topics.iter_mut().flatten() {
            if partition.block.count() > 0 {
                group.finish_block(partition, 0)?;
            }
        }
        if !group.batch.is_empty() {
            let batch = group.batch;
            batch.commit().map_err(|error| failed("write", error))?;
            let ends = self.topics.iter().flatten().map(|partition| partition.base);
            self.witness.remember(ends);
        }
        Ok(positions)
    }

    /// Lets readers see what was written.
    fn publish(&mut self) {
        for partition in self.topics.iter_mut().flatten() {
            let Ok(shared) = self.shared.partition(partition.topic, partition.partition) else {
                continue;
            };
            if !partition.created.is_empty() {
                shared.update_segments(|segments| segments.append(&mut partition.created));
            }
            if shared.bounds().1 < partition.base {
                shared.publish_end(partition.base);
            }
        }
    }

    fn trim(&mut self, topic: Topic, partition: u32, below: u64) -> Result<(), LogError> {
        let shared = self.shared.partition(topic, partition)?;
        let (start, end) = shared.bounds();
        if below > end {
            return Err(LogError::BeyondEnd { topic: topic.to_string(), partition, offset: below, end });
        }
        if below <= start {
            return Ok(());
        }
        // Recorded before anything is deleted.
        self.store.record_start(topic, partition, below)?;
        shared.publish_start(below);
        shared.update_segments(|segments| {
            let keep = first_kept(segments, below, end);
            self.trimmed.extend(segments.drain(..keep));
        });
        if shared.update_segments(|segments| segments.is_empty()) {
            self.topics[topic.index()][partition as usize].tail = None;
        }
        Ok(())
    }

    /// Deletes one trimmed segment. An interrupted trim is finished at the next
    /// start.
    fn delete_one(&mut self) -> Result<(), LogError> {
        self.trimmed.pop_front().map_or(Ok(()), |segment| self.store.drop_segment(segment))
    }

    /// Has memtables that are large enough, or whose segment is full, written
    /// into tables. At most one per segment is on its way at a time.
    fn write_tables(&mut self) -> Result<(), LogError> {
        for keyspace in std::mem::take(&mut self.full) {
            self.write_table(&keyspace)?;
        }
        for partition in 0..self.topics.iter().map(Vec::len).sum() {
            let mut partitions = self.topics.iter_mut().flatten();
            let Some(tail) = partitions.nth(partition).and_then(|p| p.tail.as_mut()) else {
                continue;
            };
            if tail.in_memory >= self.memtable_bytes {
                tail.in_memory = 0;
                let keyspace = tail.keyspace.clone();
                self.write_table(&keyspace)?;
            }
        }
        Ok(())
    }

    fn write_table(&self, keyspace: &Keyspace) -> Result<(), LogError> {
        let deadline = Instant::now() + TABLE_WAIT;
        while keyspace.sealed_memtable_count() > 0 {
            // Fails when the engine's thread has failed and stopped.
            let alive = self.store.db.persist(PersistMode::Buffer);
            alive.map_err(|error| failed("write tables of", error))?;
            if Instant::now() >= deadline {
                let stuck = std::io::Error::from(std::io::ErrorKind::TimedOut);
                return Err(failed("write tables of", fjall::Error::Io(stuck)));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let rotated = keyspace.rotate_memtable();
        rotated.map_err(|error| failed("write tables of", error))?;
        Ok(())
    }
}

impl Partition {
    fn new(topic: Topic, partition: u32, found: &RecoveredPartition) -> Self {
        let tail = found.segments.last().map(|segment| Tail {
            // Compressed where it is in tables already, which only makes the
            // segment somewhat larger than it would have been.
            bytes: segment.keyspace.disk_space(),
            in_memory: 0,
            keyspace: segment.keyspace.clone(),
        });
        Self { topic, partition, base: found.next, block: BlockBuilder::default(), tail, created: Vec::new() }
    }
}

/// One group commit in the making.
struct Group<'a> {
    now_us: i64,
    segment_bytes: u64,
    batch: OwnedWriteBatch,
    store: &'a Store,
    full: &'a mut Vec<Keyspace>,
}

impl Group<'_> {
    fn append(&mut self, partitions: &mut [Partition], batch: &Batch) -> Result<Vec<Position>, LogError> {
        let count = partitions.len() as u32;
        let mut positions = Vec::with_capacity(batch.len());
        for (key_length, record) in batch.records() {
            let number = partition_of(&record[..key_length], count);
            let partition = &mut partitions[number as usize];
            let filled = partition.block.bytes();
            if filled > 0 && filled + record.len() > BLOCK_BYTES {
                self.finish_block(partition, 0)?;
            }
            positions.push(Position { partition: number, offset: partition.base + u64::from(partition.block.count()) });
            partition.block.push(key_length, record);
        }
        Ok(positions)
    }

    /// Adds the block that is being built to the group, with `unused` offsets
    /// after its records.
    fn finish_block(&mut self, partition: &mut Partition, unused: u64) -> Result<(), LogError> {
        let place = Place { topic: partition.topic, partition: partition.partition, base: partition.base };
        let count = u64::from(partition.block.count());
        if count + unused == 0 {
            return Ok(());
        }
        let value = partition.block.finish(place, self.now_us, unused);
        let bytes = value.len() as u64;
        let tail = self.tail(partition)?;
        tail.bytes += bytes;
        tail.in_memory += bytes;
        let keyspace = tail.keyspace.clone();
        self.batch.insert(&keyspace, place.base.to_be_bytes(), value);
        partition.base += count + unused;
        Ok(())
    }

    /// The segment for the block at `partition.base`, a new one where there is
    /// none or it is full.
    fn tail<'p>(&mut self, partition: &'p mut Partition) -> Result<&'p mut Tail, LogError> {
        let is_full = |tail: &mut Tail| tail.bytes >= self.segment_bytes;
        if let Some(full) = partition.tail.take_if(is_full) {
            self.full.push(full.keyspace);
        }
        if let Some(ref mut tail) = partition.tail {
            return Ok(tail);
        }
        let base = partition.base;
        let keyspace = self.store.open_segment(partition.topic, partition.partition, base)?;
        partition.created.push(Segment { base, keyspace: keyspace.clone() });
        Ok(partition.tail.insert(Tail { keyspace, bytes: 0, in_memory: 0 }))
    }
}

struct RefuseOnExit(Arc<Queue>);

impl Drop for RefuseOnExit {
    fn drop(&mut self) {
        self.0.refuse_all(&LogError::Stopped { reason: "the writer ended unexpectedly".to_owned() });
    }
}

/// Microseconds since 1970 in UTC.
fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::receipt::promise;

    /// The clock may go back, also over a restart; record times may not, in
    /// whatever partition.
    #[test]
    fn record_times_never_go_back() {
        let folder = tempfile::tempdir().unwrap();
        let options = EmbeddedOptions::default();
        let open = || {
            let (store, recovered) = Store::open(&folder.path().join("db"), &options).unwrap();
            let (witness, _) = Witness::open(&folder.path().join("acknowledged")).unwrap();
            let shared = Arc::new(Shared::new(&recovered));
            let queue = Arc::new(Queue::new(0, Duration::ZERO));
            Writer::new(store, recovered, witness, shared, queue, &options)
        };
        let append = |writer: &mut Writer, topic| {
            let mut batch = Batch::new();
            batch.push(b"key", b"value");
            let job = Job::Append { topic, batch, promise: promise().0 };
            writer.write(&[job]).unwrap();
            writer.last_time_us
        };
        let mut writer = open();
        let first_us = append(&mut writer, Topic::Usage);
        assert!(first_us > 0);
        // As if the clock had been ahead for a while.
        let ahead_us = first_us + 1_000_000_000;
        writer.last_time_us = ahead_us;
        assert_eq!(append(&mut writer, Topic::Usage), ahead_us);
        drop(writer);
        assert_eq!(append(&mut open(), Topic::Control), ahead_us);
    }
}
