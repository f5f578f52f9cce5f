//! Reads one partition of the embedded log.
//!
//! Invariant: a reader lends each record below the end that it saw once, in
//! order. Blocks meet without holes, so a block that is not where the one
//! before it ended is reported as lost, never passed over.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use fjall::{Keyspace, UserValue};

use super::block::{Block, Place};
use super::shared::Shared;
use super::store::unreadable;
use crate::log::{Limits, LogError, PartitionReader, RecordRef, Topic};

pub(super) struct Reader {
    shared: Arc<Shared>,
    topic: Topic,
    partition: u32,
    /// The next offset to lend.
    next: u64,
    /// The block that `next` lies in, once it has been read.
    block: Option<Block>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, topic: Topic, partition: u32, from: u64) -> Result<Self, LogError> {
        let (start, end) = shared.partition(topic, partition)?.bounds();
        let reader = Self { shared, topic, partition, next: from, block: None };
        if from > end {
            return Err(LogError::BeyondEnd { topic: topic.to_string(), partition, offset: from, end });
        }
        reader.check_start(start)?;
        Ok(reader)
    }

    fn check_start(&self, start: u64) -> Result<(), LogError> {
        if self.next >= start {
            return Ok(());
        }
        Err(LogError::Trimmed { topic: self.topic.to_string(), partition: self.partition, from: self.next, start })
    }

    /// Lends records below `end` until the limits are reached.
    fn lend(&mut self, end: u64, limits: Limits, each: &mut dyn FnMut(RecordRef<'_>)) -> Result<(), LogError> {
        let mut left = Left { records: limits.records_max, bytes: limits.bytes_max };
        while self.next < end {
            let mut block = match self.block.take() {
                Some(block) => block,
                None => self.read_block()?,
            };
            match lend_block(&mut block, &mut self.next, &mut left, each) {
                Ok(ControlFlow::Continue(())) => self.next = block.end,
                Ok(ControlFlow::Break(())) => {
                    self.block = Some(block);
                    return Ok(());
                }
                Err(what) => return Err(self.corrupt(what, Some(block.end))),
            }
        }
        Ok(())
    }

    /// Reads the block that `next` lies in.
    fn read_block(&self) -> Result<Block, LogError> {
        let partition = self.shared.partition(self.topic, self.partition)?;
        let Some((keyspace, next_segment)) = partition.segment_of(self.next) else {
            // The segment went while this reader was on its way to it.
            self.check_start(partition.bounds().0)?;
            return Err(self.corrupt("its segment is missing", None));
        };
        let broken = |error| {
            let after = offset_after(&keyspace, self.next).or(next_segment);
            unreadable(self.topic, self.partition, self.next, after, error)
        };
        let (base, value) = match find_block(&keyspace, self.next) {
            Ok(Some(found)) => found,
            Ok(None) => {
                self.check_start(partition.bounds().0)?;
                let after = offset_after(&keyspace, self.next).or(next_segment);
                return Err(self.corrupt("its block is missing", after));
            }
            Err(error) => return Err(broken(error)),
        };
        let place = Place { topic: self.topic, partition: self.partition, base };
        let found = Block::parse(place, value).and_then(|mut block| {
            block.skip_to(self.next)?;
            Ok(block)
        });
        let after = || offset_after(&keyspace, base).or(next_segment);
        match found {
            Ok(block) if block.end > self.next => Ok(block),
            Ok(_) => Err(self.corrupt("its block is missing", after())),
            Err(what) => Err(self.corrupt(what, after())),
        }
    }

    fn corrupt(&self, what: &str, next: Option<u64>) -> LogError {
        LogError::Corrupt {
            topic: self.topic.to_string(),
            partition: self.partition,
            offset: self.next,
            next,
            what: what.to_owned(),
        }
    }
}

impl PartitionReader for Reader {
    fn poll(&mut self, limits: Limits, wait: Duration, each: &mut dyn FnMut(RecordRef<'_>)) -> Result<u64, LogError> {
        let partition = self.shared.partition(self.topic, self.partition)?;
        let (start, end) = partition.wait_above(self.next, wait)?;
        self.check_start(start)?;
        self.lend(end, limits, each)?;
        Ok(self.next)
    }

    fn position(&self) -> u64 {
        self.next
    }
}

/// What a poll may still lend.
struct Left {
    records: usize,
    bytes: usize,
}

/// Lends the rest of a block. Breaks when the limits were reached first.
fn lend_block(
    block: &mut Block,
    next: &mut u64,
    left: &mut Left,
    each: &mut dyn FnMut(RecordRef<'_>),
) -> Result<ControlFlow<()>, &'static str> {
    loop {
        if left.records == 0 || left.bytes == 0 {
            return Ok(ControlFlow::Break(()));
        }
        let Some(record) = block.next()? else {
            return Ok(ControlFlow::Continue(()));
        };
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.len();
        left.records -= 1;
        left.bytes = left.bytes.saturating_sub(bytes);
        *next = record.offset + 1;
        each(record);
    }
}

/// The block in which `offset` may lie, with its base: the last one that does
/// not begin after it. Readers mostly come to the first offset of a block,
/// which is found by its key.
fn find_block(keyspace: &Keyspace, offset: u64) -> fjall::Result<Option<(u64, UserValue)>> {
    let key = offset.to_be_bytes();
    if let Some(value) = keyspace.get(key)? {
        return Ok(Some((offset, value)));
    }
    let Some(before) = keyspace.range(..=key).next_back() else {
        return Ok(None);
    };
    let (key, value) = before.into_inner()?;
    Ok(<[u8; 8]>::try_from(key.as_ref()).ok().map(|base| (u64::from_be_bytes(base), value)))
}

/// The base of the first block after `offset`, where it can be read.
fn offset_after(keyspace: &Keyspace, offset: u64) -> Option<u64> {
    let from = offset.checked_add(1)?.to_be_bytes();
    let key = keyspace.range(from..).next()?.key().ok()?;
    <[u8; 8]>::try_from(key.as_ref()).ok().map(u64::from_be_bytes)
}
