//! How much memory one index may use, and how it is split.
//!
//! Invariant: every buffer and cache of the index has its bound here; none
//! grows with the number of events.

/// Bounds of one shard's index.
#[derive(Clone, Debug)]
pub struct IndexOptions {
    /// Bytes of claims held in memory until they are flushed as a run: 40 for
    /// an unnumbered one, 32 for a numbered one and 96 for its page.
    pub buffer_bytes: usize,
    /// Pages of 256 numbers, 4 KiB each, kept for late and repeated events.
    pub cached_pages: usize,
    /// (source, incarnation) pairs whose highest number is kept, about 100
    /// bytes each.
    pub cached_streams: usize,
    /// Sources whose kind is kept, about 40 bytes each.
    pub cached_sources: usize,
    /// Runs of one level that are merged into one of the next.
    pub merge_fan_in: usize,
    /// How far, in offsets, the durable part may lag behind the watermark: the
    /// most that has to be restored after a restart.
    pub lag_max: u64,
}

impl Default for IndexOptions {
    /// About 24 MiB for one shard, so 96 MiB for four.
    fn default() -> Self {
        Self::within(24 << 20)
    }
}

impl IndexOptions {
    /// Splits a memory budget for one shard, in bytes. Merges (1.7 MiB) and the
    /// buffers of batches of up to 100,000 events (4 MiB) are part of it.
    pub fn within(bytes: usize) -> Self {
        let share = |percent: usize, each: usize| (bytes / 100 * percent / each).max(16);
        Self {
            buffer_bytes: share(36, 1),
            cached_pages: share(8, 4200),
            cached_streams: share(8, 100),
            cached_sources: share(4, 40),
            merge_fan_in: 8,
            lag_max: 2_000_000,
        }
    }
}
