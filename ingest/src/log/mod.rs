//! The event log: two topics of partitions, to which events are appended
//! durably and from which the folds read in order. Two implementations pass
//! one conformance suite: [`embedded::EmbeddedLog`] for one machine and
//! [`kafka::KafkaLog`] for Apache Kafka.
//!
//! Invariant: a position is handed out only once the record at it is durable
//! (fsync, or `acks=all`), readers see only records below the durable end, and
//! the order of one key's records is the order in which they were submitted.

mod batch;
pub mod embedded;
mod error;
pub mod kafka;
mod partitioner;
mod receipt;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use batch::Batch;
pub use error::LogError;
pub use partitioner::partition_of;
pub use receipt::Receipt;

/// The most bytes that one record's key and value may have together.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most bytes that the keys and values of one [`Batch`] may have together.
pub const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One of the log's two topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Metered events, partitioned by source.
    Usage,
    /// What people and the system decide, in one total order: one partition.
    Control,
}

impl Topic {
    /// Both topics.
    pub const ALL: [Topic; 2] = [Topic::Usage, Topic::Control];

    /// The topic's name without a prefix. On Kafka it is `<prefix>.<name>`.
    pub const fn name(self) -> &'static str {
        match self {
            Topic::Usage => "usage",
            Topic::Control => "control",
        }
    }

    /// The topic's place in [`Topic::ALL`].
    const fn index(self) -> usize {
        match self {
            Topic::Usage => 0,
            Topic::Control => 1,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The partition, from 0.
    pub partition: u32,
    /// The record's place in its partition. Offsets grow but have gaps.
    pub offset: u64,
}

/// One record, lent by a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// The record's place in its partition.
    pub offset: u64,
    /// When the log took the record: microseconds since 1970 in UTC. It never
    /// goes back in the embedded log, from one partition to another neither;
    /// Kafka's is the time at which the broker appended, in whole milliseconds.
    pub time_us: i64,
    /// The key: the event's source. Only records that were produced to Kafka
    /// by others can be without.
    pub key: Option<&'a [u8]>,
    /// The event on the wire. A Kafka tombstone reads as empty.
    pub value: &'a [u8],
}

/// How much one [`PartitionReader::poll`] lends at most. One record is lent
/// even where it alone is larger than `bytes_max`.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Records.
    pub records_max: usize,
    /// Bytes of keys and values.
    pub bytes_max: usize,
}

/// A durable, partitioned log of the topics of [`Topic`].
pub trait EventLog: Send + Sync {
    /// The number of partitions of `topic`, fixed when the log was created.
    fn partitions(&self, topic: Topic) -> u32;

    /// Appends the records of `batch`, each to the partition of its key. Waits
    /// for a bounded time while too many bytes are on the way already, so it
    /// does not belong on a thread that must not block.
    ///
    /// Records of one key keep their order, within the batch and from one
    /// submit to the next of the same thread. The receipt holds the positions
    /// in the batch's order once all records are durable. After an error some
    /// of the records may be on the log nevertheless: sending the batch again
    /// is safe, because events deduplicate.
    fn submit(&self, topic: Topic, batch: Batch) -> Receipt;

    /// The end of each partition: the first offset that is not durable yet.
    ///
    /// # Errors
    /// When the log is closed or its broker does not answer in time.
    fn ends(&self, topic: Topic) -> Result<Vec<u64>, LogError>;

    /// The start of each partition: the first offset that was not trimmed.
    ///
    /// # Errors
    /// When the log is closed or its broker does not answer in time.
    fn starts(&self, topic: Topic) -> Result<Vec<u64>, LogError>;

    /// A reader of one partition, whose first record is the one at `from` or,
    /// where `from` lies in a gap, the next one.
    ///
    /// # Errors
    /// [`LogError::Trimmed`] when `from` lies below the start,
    /// [`LogError::BeyondEnd`] when it lies above the durable end, and when the
    /// partition does not exist or the log does not answer.
    fn reader(&self, topic: Topic, partition: u32, from: u64) -> Result<Box<dyn PartitionReader>, LogError>;

    /// Gives up all records below the offset `below` for ever, and their disk
    /// space as soon as that is cheap. Returns once it is durable. An offset
    /// at or below the start changes nothing.
    ///
    /// # Errors
    /// [`LogError::BeyondEnd`] when `below` lies above the durable end, and
    /// when the partition does not exist or the log does not answer.
    fn trim(&self, topic: Topic, partition: u32, below: u64) -> Result<(), LogError>;
}

/// Reads one partition in order.
pub trait PartitionReader: Send {
    /// Waits at most `wait` for a record, then lends what is there, below the
    /// durable end only, to `each`, up to the limits. Returns the next offset
    /// to read, which is exclusive and moves over gaps.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] names the offset of a record that cannot be read;
    /// the records before it have been lent, and the reader stays at it. A
    /// broker that is away is no error: nothing is lent, and reading goes on
    /// when it is back.
    fn poll(&mut self, limits: Limits, wait: Duration, each: &mut dyn FnMut(RecordRef<'_>)) -> Result<u64, LogError>;

    /// The next offset to read.
    fn position(&self) -> u64;
}

/// The moment until which something may wait. No wait is longer than a day, so
/// that no moment is beyond what the clock can tell.
fn deadline(wait: Duration) -> Instant {
    const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
    Instant::now() + wait.min(WAIT_MAX)
}

/// Locks `mutex`, also after another thread panicked while it held the lock:
/// each critical section of this module leaves its data consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
