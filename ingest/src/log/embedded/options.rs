//! How the embedded log is set up, and how much memory and disk that takes.
//!
//! Invariant: everything that grows has a bound here. In memory the log holds
//! at most `queue_bytes` of submitted batches, one group commit
//! ([`GROUP_BYTES`], or one batch where that is larger) in its submitted and
//! its framed form, twice `write_buffer_bytes` of blocks that are not in a
//! table yet, and [`CACHE_BYTES`] of blocks read: about 150 MiB with the
//! defaults under full load, next to nothing when idle. On disk it adds at most
//! about [`JOURNAL_BYTES`] to the compressed records.

use std::time::Duration;

use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{CompressionType, KeyspaceCreateOptions};

use crate::log::{LogError, Topic};

/// A block is finished when it has as many bytes, so that readers stream with
/// little memory. A larger record has a block of its own.
pub(super) const BLOCK_BYTES: usize = 256 * 1024;

/// One group commit takes further batches from the queue up to as many bytes.
pub(super) const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// The storage engine's cache of blocks that were read. Readers go forward and
/// rarely come back, so it only has to hold index blocks and the block at hand.
pub(super) const CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// The journal's size at which the engine forces out what keeps it alive.
pub(super) const JOURNAL_BYTES: u64 = 128 * 1024 * 1024;

/// Files that the engine keeps open.
pub(super) const OPEN_FILES: usize = 256;

/// Partitions that a topic may have. When it opens after a crash, the engine can
/// queue work for at most 1,000 segments, and each partition may have several.
const PARTITIONS_MAX: u32 = 256;

/// How an [`super::EmbeddedLog`] is set up.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Partitions of the usage topic: 1 to 256, fixed at creation.
    pub usage_partitions: u32,
    /// Framed bytes after which a partition starts a new segment. Trimming
    /// gives back disk space in whole segments. Below a mebibyte is for tests.
    pub segment_bytes: u64,
    /// Framed bytes, over all partitions, that are collected in memory before
    /// they are written into tables. As much again may be on its way there.
    pub write_buffer_bytes: u64,
    /// Bytes of submitted batches that may wait. A submit blocks beyond that.
    pub queue_bytes: usize,
    /// How long a submit blocks before it fails with [`LogError::Overloaded`].
    pub queue_wait: Duration,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            usage_partitions: 4,
            segment_bytes: 64 * 1024 * 1024,
            write_buffer_bytes: 32 * 1024 * 1024,
            queue_bytes: 16 * 1024 * 1024,
            queue_wait: Duration::from_secs(30),
        }
    }
}

impl EmbeddedOptions {
    /// The number of partitions of `topic`.
    pub(super) fn partitions(&self, topic: Topic) -> u32 {
        match topic {
            Topic::Usage => self.usage_partitions,
            Topic::Control => 1,
        }
    }

    /// Framed bytes that one partition collects before they become a table.
    pub(super) fn memtable_bytes(&self) -> u64 {
        self.write_buffer_bytes / u64::from(self.usage_partitions + 1)
    }

    pub(super) fn check(&self) -> Result<(), LogError> {
        if !(1..=PARTITIONS_MAX).contains(&self.usage_partitions) {
            return Err(LogError::InvalidOption {
                option: "usage_partitions",
                found: self.usage_partitions.to_string(),
                wanted: "1 to 256",
            });
        }
        Ok(())
    }

    /// How the engine stores one segment. Blocks are written once, in order,
    /// and found by their exact key, so tables need no filters and are only
    /// ever moved, never merged; they are compressed when they are first
    /// written. The log decides itself when a memtable becomes a table: the
    /// engine's own limit is soft.
    pub(super) fn keyspace() -> KeyspaceCreateOptions {
        KeyspaceCreateOptions::default()
            .max_memtable_size(u64::MAX)
            .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
            .data_block_size_policy(BlockSizePolicy::all(32 * 1024))
            .filter_policy(FilterPolicy::disabled())
    }
}
