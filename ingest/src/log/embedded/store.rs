//! The storage engine's side: what is on disk and how it is found again.
//!
//! A keyspace `<topic>-<partition>-<base>` per segment holds the blocks, the
//! keyspace `meta` the number of partitions and how far each was trimmed.
//!
//! Invariant: the next offset of a partition is the end of its last block, or
//! where it was trimmed to, whichever is greater; so no offset is given twice,
//! whatever was trimmed and whenever the process was killed.

use std::path::Path;
use std::sync::Arc;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Slice};

use super::block::{Block, Place};
use super::options::{CACHE_BYTES, EmbeddedOptions, JOURNAL_BYTES, OPEN_FILES};
use crate::log::{LogError, Topic};

pub(super) struct Store {
    pub(super) db: Database,
    meta: Keyspace,
}

/// A run of consecutive blocks of one partition.
#[derive(Clone)]
pub(super) struct Segment {
    /// The first offset.
    pub(super) base: u64,
    pub(super) keyspace: Keyspace,
}

/// What was found on disk.
pub(super) struct Recovered {
    topics: [Vec<RecoveredPartition>; 2],
}

#[derive(Default)]
pub(super) struct RecoveredPartition {
    /// The first offset that was not trimmed.
    pub(super) start: u64,
    /// The offset after the last block.
    pub(super) next: u64,
    /// The last record time, microseconds since 1970 in UTC.
    pub(super) last_time_us: i64,
    /// In the order of their bases.
    pub(super) segments: Vec<Segment>,
    /// What a trim gave up that was interrupted after it was recorded.
    pub(super) trimmed: Vec<Segment>,
}

impl Recovered {
    pub(super) fn partitions(&self, topic: Topic) -> &[RecoveredPartition] {
        &self.topics[topic.index()]
    }

    /// Takes what is still to be deleted.
    pub(super) fn take_trimmed(&mut self) -> impl Iterator<Item = Segment> {
        self.topics.iter_mut().flatten().flat_map(|partition| std::mem::take(&mut partition.trimmed))
    }

    /// Compares with the ends that a witness remembers, in the order of
    /// [`Topic::ALL`].
    pub(super) fn check(&self, acknowledged: &[u64], witness: &Path) -> Result<(), LogError> {
        let partitions = Topic::ALL.into_iter().flat_map(|topic| {
            let numbered = (0..).zip(self.partitions(topic));
            numbered.map(move |(partition, found)| (topic, partition, found.next))
        });
        for ((topic, partition, end), &acknowledged) in partitions.zip(acknowledged) {
            if end < acknowledged {
                return Err(LogError::Shorter {
                    topic: topic.to_string(),
                    partition,
                    acknowledged,
                    end,
                    witness: witness.to_owned(),
                });
            }
        }
        Ok(())
    }
}

impl Store {
    /// Opens or creates the engine's folder and finds out what is there.
    pub(super) fn open(folder: &Path, options: &EmbeddedOptions) -> Result<(Self, Recovered), LogError> {
        let db = Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .max_cached_files(Some(OPEN_FILES))
            .journal_compression(fjall::CompressionType::None)
            // One thread writes tables; the log never waits for more than one
            // table per partition.
            .worker_threads(1)
            .open()
            .map_err(|error| match error {
                fjall::Error::Locked => LogError::Locked { path: folder.to_owned() },
                error => failed("open", error),
            })?;
        let meta = db
            .keyspace("meta", KeyspaceCreateOptions::default)
            .and_then(named_durably)
            .map_err(|error| failed("open", error))?;
        let store = Self { db, meta };
        for topic in Topic::ALL {
            store.check_partitions(topic, options.partitions(topic))?;
        }
        let recovered = store.recover(options)?;
        Ok((store, recovered))
    }

    /// Compares the number of partitions with the recorded one, or records it.
    fn check_partitions(&self, topic: Topic, asked: u32) -> Result<(), LogError> {
        let key = format!("partitions/{topic}");
        match self.get(&key)?.as_deref().map(<[u8; 4]>::try_from) {
            None => self.put(&key, &asked.to_le_bytes()),
            Some(Ok(recorded)) if u32::from_le_bytes(recorded) == asked => Ok(()),
            Some(Ok(recorded)) => Err(LogError::PartitionMismatch {
                topic: topic.to_string(),
                recorded: u32::from_le_bytes(recorded),
                asked,
            }),
            Some(Err(_)) => Err(corrupt_meta(topic, 0)),
        }
    }

    fn recover(&self, options: &EmbeddedOptions) -> Result<Recovered, LogError> {
        let mut topics = Topic::ALL.map(|topic| {
            let mut partitions: Vec<RecoveredPartition> = Vec::new();
            partitions.resize_with(options.partitions(topic) as usize, Default::default);
            partitions
        });
        for name in self.db.list_keyspace_names() {
            if let Some((topic, partition, base)) = parse_name(&name)
                && let Some(found) = topics[topic.index()].get_mut(partition as usize)
            {
                let keyspace = self.open_segment(topic, partition, base)?;
                found.segments.push(Segment { base, keyspace });
            }
        }
        for topic in Topic::ALL {
            for (partition, found) in (0..).zip(&mut topics[topic.index()]) {
                self.recover_partition(topic, partition, found)?;
            }
        }
        Ok(Recovered { topics })
    }

    fn recover_partition(&self, topic: Topic, partition: u32, found: &mut RecoveredPartition) -> Result<(), LogError> {
        found.start = self.recorded_start(topic, partition)?;
        found.next = found.start;
        found.segments.sort_by_key(|segment| segment.base);

        // A segment is created before the commit that fills it.
        while let Some(last) = found.segments.last()
            && is_empty(last)?
        {
            let empty = last.clone();
            found.segments.pop();
            self.drop_segment(empty)?;
        }
        if let Some(last) = found.segments.last() {
            let (end, time_us) = last_block(topic, partition, last)?;
            found.next = found.next.max(end);
            found.last_time_us = time_us;
        }

        let keep = first_kept(&found.segments, found.start, found.next);
        found.trimmed = found.segments.drain(..keep).collect();
        match found.segments.first() {
            Some(first) if first.base > found.start => Err(LogError::Corrupt {
                topic: topic.to_string(),
                partition,
                offset: found.start,
                next: None,
                what: format!("the records up to offset {} are missing", first.base - 1),
            }),
            _ => Ok(()),
        }
    }

    /// The keyspace of a segment, created durably if it is not there.
    pub(super) fn open_segment(&self, topic: Topic, partition: u32, base: u64) -> Result<Keyspace, LogError> {
        self.db
            .keyspace(&format!("{topic}-{partition}-{base}"), EmbeddedOptions::keyspace)
            .and_then(named_durably)
            .map_err(|error| failed("open a segment of", error))
    }

    /// Deletes a segment. Its files go when the last reader lets go of it.
    pub(super) fn drop_segment(&self, segment: Segment) -> Result<(), LogError> {
        self.db.delete_keyspace(segment.keyspace).map_err(|error| failed("delete a segment of", error))
    }

    /// Records durably that everything below `start` was given up.
    pub(super) fn record_start(&self, topic: Topic, partition: u32, start: u64) -> Result<(), LogError> {
        self.put(&format!("start/{topic}/{partition}"), &start.to_le_bytes())
    }

    fn recorded_start(&self, topic: Topic, partition: u32) -> Result<u64, LogError> {
        match self.get(&format!("start/{topic}/{partition}"))? {
            None => Ok(0),
            Some(bytes) => {
                <[u8; 8]>::try_from(bytes.as_ref()).map(u64::from_le_bytes).map_err(|_| corrupt_meta(topic, partition))
            }
        }
    }

    fn get(&self, key: &str) -> Result<Option<Slice>, LogError> {
        self.meta.get(key).map_err(|error| failed("read", error))
    }

    fn put(&self, key: &str, value: &[u8]) -> Result<(), LogError> {
        self.meta
            .insert(key, value)
            .and_then(|()| self.db.persist(PersistMode::SyncAll))
            .map_err(|error| failed("write", error))
    }
}

/// How many of the first segments lie wholly below `start`.
pub(super) fn first_kept(segments: &[Segment], start: u64, next: u64) -> usize {
    let ends = segments.iter().skip(1).map(|segment| segment.base);
    ends.chain([next]).take(segments.len()).take_while(|&end| end <= start).count()
}

fn is_empty(segment: &Segment) -> Result<bool, LogError> {
    segment.keyspace.is_empty().map_err(|error| failed("read", error))
}

/// The end and the record time of a segment's last block.
fn last_block(topic: Topic, partition: u32, segment: &Segment) -> Result<(u64, i64), LogError> {
    let corrupt = |offset, what: &str| LogError::Corrupt {
        topic: topic.to_string(),
        partition,
        offset,
        next: None,
        what: what.to_owned(),
    };
    let Some(last) = segment.keyspace.last_key_value() else {
        return Err(corrupt(segment.base, "its segment is empty"));
    };
    let (key, value) = last.into_inner().map_err(|error| unreadable(topic, partition, segment.base, None, error))?;
    let base = <[u8; 8]>::try_from(key.as_ref())
        .map(u64::from_be_bytes)
        .map_err(|_| corrupt(segment.base, "a key is not an offset"))?;
    let place = Place { topic, partition, base };
    let block = Block::parse(place, value).map_err(|what| corrupt(base, what))?;
    Ok((block.end, block.time_us))
}

fn parse_name(name: &str) -> Option<(Topic, u32, u64)> {
    let mut parts = name.split('-');
    let topic = parts.next()?;
    let topic = Topic::ALL.into_iter().find(|known| known.name() == topic)?;
    let partition = parts.next()?.parse().ok()?;
    let base = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((topic, partition, base))
}

fn corrupt_meta(topic: Topic, partition: u32) -> LogError {
    LogError::Corrupt {
        topic: topic.to_string(),
        partition,
        offset: 0,
        next: None,
        what: "what the log records about its partitions is damaged".to_owned(),
    }
}

/// The engine makes a keyspace's folder without syncing the folder that names
/// it: after a power cut the keyspace would be gone with all its blocks.
fn named_durably(keyspace: Keyspace) -> fjall::Result<Keyspace> {
    if let Some(parent) = keyspace.path().parent() {
        std::fs::File::open(parent)?.sync_all()?;
    }
    Ok(keyspace)
}

/// An error of the engine while it wrote or opened files.
pub(super) fn failed(doing: &'static str, source: fjall::Error) -> LogError {
    let advice = match source {
        fjall::Error::Io(_) | fjall::Error::Storage(fjall::LsmError::Io(_)) => {
            "check the disk's space and health, then open the log again"
        }
        fjall::Error::Poisoned => "check the disk's space, then open the log again",
        _ => "a file is damaged: restore the folder from a copy",
    };
    LogError::Storage { doing, advice, source: Arc::new(source) }
}

/// An error of the engine while it read the block at `offset`.
pub(super) fn unreadable(
    topic: Topic,
    partition: u32,
    offset: u64,
    next: Option<u64>,
    error: fjall::Error,
) -> LogError {
    match error {
        fjall::Error::Io(_) | fjall::Error::Storage(fjall::LsmError::Io(_)) => failed("read", error),
        error => LogError::Corrupt {
            topic: topic.to_string(),
            partition,
            offset,
            next,
            what: format!("its file is damaged ({error})"),
        },
    }
}
