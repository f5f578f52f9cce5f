//! What the writer publishes and readers see.
//!
//! Invariant: an end is published only after everything below it is durable
//! and its segment is in the list, so a reader that stays below the end finds
//! each block.

use std::sync::{Condvar, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use fjall::Keyspace;

use super::store::{Recovered, Segment};
use crate::log::{LogError, Topic, deadline, lock};

pub(super) struct Shared {
    topics: [Vec<Partition>; 2],
}

pub(super) struct Partition {
    bounds: Mutex<Bounds>,
    changed: Condvar,
    segments: RwLock<Vec<Segment>>,
}

#[derive(Clone, Copy)]
struct Bounds {
    start: u64,
    end: u64,
    closed: bool,
}

impl Shared {
    pub(super) fn new(recovered: &Recovered) -> Self {
        Self {
            topics: Topic::ALL.map(|topic| {
                let partitions = recovered.partitions(topic).iter();
                partitions.map(Partition::new).collect()
            }),
        }
    }

    pub(super) fn partitions(&self, topic: Topic) -> u32 {
        self.topics[topic.index()].len() as u32
    }

    pub(super) fn partition(&self, topic: Topic, partition: u32) -> Result<&Partition, LogError> {
        self.topics[topic.index()].get(partition as usize).ok_or_else(|| LogError::UnknownPartition {
            topic: topic.to_string(),
            partition,
            partitions: self.partitions(topic),
        })
    }

    /// Start and end of each partition.
    pub(super) fn bounds(&self, topic: Topic) -> impl Iterator<Item = (u64, u64)> {
        self.topics[topic.index()].iter().map(Partition::bounds)
    }

    /// Ends all waiting, and lets go of the engine's files.
    pub(super) fn close(&self) {
        for partition in self.topics.iter().flatten() {
            lock(&partition.bounds).closed = true;
            partition.changed.notify_all();
            partition.update_segments(Vec::clear);
        }
    }
}

impl Partition {
    fn new(recovered: &super::store::RecoveredPartition) -> Self {
        Self {
            bounds: Mutex::new(Bounds { start: recovered.start, end: recovered.next, closed: false }),
            changed: Condvar::new(),
            segments: RwLock::new(recovered.segments.clone()),
        }
    }

    /// Start and end.
    pub(super) fn bounds(&self) -> (u64, u64) {
        let bounds = lock(&self.bounds);
        (bounds.start, bounds.end)
    }

    /// Waits until the end is above `offset`, at most `wait`. Gives start and
    /// end as they are then.
    pub(super) fn wait_above(&self, offset: u64, wait: Duration) -> Result<(u64, u64), LogError> {
        let deadline = deadline(wait);
        let mut bounds = lock(&self.bounds);
        loop {
            if bounds.closed {
                return Err(LogError::Closed);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if bounds.end > offset || left.is_zero() {
                return Ok((bounds.start, bounds.end));
            }
            bounds = self.changed.wait_timeout(bounds, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn publish_end(&self, end: u64) {
        lock(&self.bounds).end = end;
        self.changed.notify_all();
    }

    pub(super) fn publish_start(&self, start: u64) {
        lock(&self.bounds).start = start;
    }

    pub(super) fn update_segments<T>(&self, update: impl FnOnce(&mut Vec<Segment>) -> T) -> T {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        update(&mut segments)
    }

    /// The segment that `offset` belongs to, and the base of the one after it.
    pub(super) fn segment_of(&self, offset: u64) -> Option<(Keyspace, Option<u64>)> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let after = segments.partition_point(|segment| segment.base <= offset);
        let found = segments.get(after.checked_sub(1)?)?;
        Some((found.keyspace.clone(), segments.get(after).map(|segment| segment.base)))
    }
}
