//! An immutable file of sorted records behind a filter.
//!
//! The key space is cut into equal ranges, one *bucket* of about
//! [`KEYS_PER_BUCKET`] records each. Layout, little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 4096 | header: magic, id, records, bytes of all buckets, buckets, checksum |
//! | 64 × buckets | filter blocks: checksum (4), where the bucket begins in units of 16 bytes (4), Bloom filter of its keys (56) |
//! | the rest | buckets: checksum (4), bytes of its records (4), the records, padding to 16 |
//!
//! Both sections are in key order, so a sorted batch walks them forwards, a
//! merge writes them as streams, and a block that lets a key through says where
//! its bucket lies. Reads are positioned and never mapped: the page cache does
//! the caching and the process stays small.
//!
//! Invariant: every block and every bucket is checked before it is believed;
//! so a flipped bit is an error, never "unknown".

use super::record::Record;
use crate::dedup::{
    DedupError,
    files::{checksum, half_word, word},
};
use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Bytes of a bucket's head.
pub const BUCKET_HEAD_BYTES: usize = 8;
/// Buckets begin at multiples of so many bytes.
pub const BUCKET_UNIT: usize = 16;
/// More bytes in one bucket than uniform keys can ever bring together; it
/// bounds what a damaged length can make a reader allocate.
pub const BUCKET_BYTES_MAX: u32 = 1 << 22;
/// Bytes of one filter block.
pub const BLOCK_BYTES: usize = 64;
/// Bytes before the filter.
pub const HEADER_BYTES: u64 = 4096;
/// The most bytes that the buckets of a run can have.
pub const RUN_BYTES_MAX: u64 = (u32::MAX as u64) * BUCKET_UNIT as u64;

/// Records per bucket on average, at most. With 448 filter bits a bucket lets
/// 0.6 % of unknown keys through.
const KEYS_PER_BUCKET: u64 = 40;
/// Bytes per bucket on average, at most: pages of numbers are large records.
const BYTES_PER_BUCKET: u64 = 4096;
const MAGIC: u64 = u64::from_le_bytes(*b"STEMRUN1");
const HEADER_WORDS: usize = 5;
const HEADER_USED: usize = 8 * HEADER_WORDS + 8;
/// A pread costs about as much as copying so many more filter blocks.
const GAP_BLOCKS: u64 = 64;
/// The most filter blocks read at once: the copy stays in the second-level
/// cache.
const WINDOW_BLOCKS: u64 = 1024;

/// What is known about a run without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunShape {
    pub id: u64,
    pub records: u64,
    /// Bytes of all buckets.
    pub bytes: u64,
    pub buckets: u64,
}

impl RunShape {
    /// The shape of a run of about so many records and bytes.
    pub fn planned(id: u64, records: u64, bytes: u64) -> Self {
        let buckets = records.div_ceil(KEYS_PER_BUCKET).max(bytes.div_ceil(BYTES_PER_BUCKET)).max(1);
        Self { id, records, bytes, buckets }
    }

    pub fn buckets_at(&self) -> u64 {
        HEADER_BYTES + self.buckets * BLOCK_BYTES as u64
    }

    pub fn file_bytes(&self) -> u64 {
        self.buckets_at() + self.bytes
    }

    pub fn header(&self) -> [u8; HEADER_USED] {
        let mut header = [0; HEADER_USED];
        for (at, word) in [MAGIC, self.id, self.records, self.bytes, self.buckets].iter().enumerate() {
            header[at * 8..at * 8 + 8].copy_from_slice(&word.to_le_bytes());
        }
        let seal = u64::from(checksum(self.id, 0, &header[..8 * HEADER_WORDS]));
        header[8 * HEADER_WORDS..].copy_from_slice(&seal.to_le_bytes());
        header
    }

    fn parse(header: &[u8; HEADER_USED]) -> Option<Self> {
        let shape =
            Self { id: word(header, 8), records: word(header, 16), bytes: word(header, 24), buckets: word(header, 32) };
        (shape.header() == *header).then_some(shape)
    }

    /// The bucket of a key: the top of the key as a fraction of all buckets.
    #[inline]
    pub fn bucket_of(&self, key: u128) -> u64 {
        ((u128::from((key >> 64) as u64) * u128::from(self.buckets)) >> 64) as u64
    }
}

/// Which bit a key has in a word of the filter.
#[inline]
pub fn filter_bit(key: u128, word: usize) -> u32 {
    (key as u64 >> (6 * word)) as u32 & 63
}

/// Whether a filter block may have seen a key. Four words turn away 95 % of
/// unknown keys, so the branch after them is well predicted.
#[inline]
fn lets_through(block: &[u8], key: u128) -> bool {
    let bit = |at: usize| word(block, 8 + 8 * at) >> filter_bit(key, at);
    (bit(0) & bit(1) & bit(2) & bit(3)) & 1 == 1 && (bit(4) & bit(5) & bit(6)) & 1 == 1
}

/// Reusable buffers of lookups.
#[derive(Default)]
pub struct ProbeBuffers {
    blocks: Vec<u8>,
    bucket: Vec<u8>,
}

/// Called with the place of a known key and its record; an error ends the
/// lookup.
pub type OnFound<'a> = dyn FnMut(usize, Record<'_>) -> Result<(), DedupError> + 'a;

/// An open run.
pub struct Run {
    pub shape: RunShape,
    /// How many merges its records went through.
    pub level: u32,
    pub path: PathBuf,
    file: File,
}

impl Run {
    /// Opens a run that the manifest names and checks its header and length.
    ///
    /// # Errors
    /// The file is missing, cut short or another one.
    pub fn open(path: &Path, shape: RunShape, level: u32) -> Result<Self, DedupError> {
        let failed = |error| DedupError::io("open", path, error);
        let file = File::open(path).map_err(failed)?;
        let mut header = [0; HEADER_USED];
        file.read_exact_at(&mut header, 0).map_err(failed)?;
        if RunShape::parse(&header) != Some(shape) {
            return Err(DedupError::corrupt(path, "its header is not the one that the manifest names"));
        }
        let bytes = file.metadata().map_err(failed)?.len();
        if bytes != shape.file_bytes() {
            let detail = format!("it has {bytes} bytes instead of {}", shape.file_bytes());
            return Err(DedupError::corrupt(path, detail));
        }
        Ok(Self { shape, level, path: path.to_path_buf(), file })
    }

    /// Wraps a run that was just written.
    pub fn written(path: PathBuf, shape: RunShape, level: u32, file: File) -> Self {
        Self { shape, level, path, file }
    }

    /// Reads at a position of the file.
    ///
    /// # Errors
    /// It cannot be read, or ends before.
    pub fn read(&self, buffer: &mut [u8], at: u64) -> Result<(), DedupError> {
        self.file.read_exact_at(buffer, at).map_err(|error| DedupError::io("read", &self.path, error))
    }

    /// Looks up ascending keys.
    ///
    /// # Errors
    /// A block or a bucket cannot be read or fails its checksum.
    pub fn probe(&self, keys: &[u128], buffers: &mut ProbeBuffers, found: &mut OnFound) -> Result<(), DedupError> {
        let ProbeBuffers { blocks, bucket } = buffers;
        let mut place = 0;
        while place < keys.len() {
            let first = self.shape.bucket_of(keys[place]);
            let mut last = first;
            let mut end = place + 1;
            while end < keys.len() {
                let next = self.shape.bucket_of(keys[end]);
                if next > last + GAP_BLOCKS || next - first >= WINDOW_BLOCKS {
                    break;
                }
                last = next;
                end += 1;
            }
            let bytes = (last - first + 1) as usize * BLOCK_BYTES;
            if blocks.len() < bytes {
                blocks.resize(bytes, 0);
            }
            self.read(&mut blocks[..bytes], HEADER_BYTES + first * BLOCK_BYTES as u64)?;
            let mut checked = u64::MAX;
            for (at, &key) in keys.iter().enumerate().take(end).skip(place) {
                let number = self.shape.bucket_of(key);
                let block = &blocks[(number - first) as usize * BLOCK_BYTES..][..BLOCK_BYTES];
                if number != checked {
                    if half_word(block, 0) != checksum(self.shape.id, number, &block[4..]) {
                        return Err(self.damaged("filter block", number));
                    }
                    checked = number;
                }
                if lets_through(block, key) {
                    self.read_bucket(number, u64::from(half_word(block, 4)), bucket)?;
                    if let Some(record) = self.find(number, key, bucket)? {
                        found(at, record)?;
                    }
                }
            }
            place = end;
        }
        Ok(())
    }

    /// Reads and checks a bucket, given where it begins.
    fn read_bucket(&self, number: u64, units: u64, bucket: &mut Vec<u8>) -> Result<(), DedupError> {
        let at = units * BUCKET_UNIT as u64;
        let rest = self.shape.bytes.saturating_sub(at);
        // One read is enough for most buckets: half as much again as the mean.
        let likely = self.shape.bytes / self.shape.buckets * 3 / 2 + 128;
        let first_read = likely.min(rest) as usize;
        if first_read < BUCKET_HEAD_BYTES {
            return Err(self.damaged("filter block", number));
        }
        bucket.resize(first_read, 0);
        self.read(bucket, self.shape.buckets_at() + at)?;
        let length = half_word(bucket, 4);
        let bytes = BUCKET_HEAD_BYTES + length as usize;
        if bytes as u64 > rest || length > BUCKET_BYTES_MAX {
            return Err(self.damaged("bucket", number));
        }
        bucket.resize(bytes, 0);
        if bytes > first_read {
            self.read(&mut bucket[first_read..], self.shape.buckets_at() + at + first_read as u64)?;
        }
        self.check_bucket(number, bucket)
    }

    fn find<'a>(&self, number: u64, key: u128, bucket: &'a [u8]) -> Result<Option<Record<'a>>, DedupError> {
        let mut rest = &bucket[BUCKET_HEAD_BYTES..];
        while !rest.is_empty() {
            let record = Record::read(rest).ok_or_else(|| self.damaged("bucket", number))?;
            if record.key >= key {
                return Ok((record.key == key).then_some(record));
            }
            rest = &rest[record.bytes()..];
        }
        Ok(None)
    }

    /// Checks the bytes of a whole bucket, head included and padding not.
    ///
    /// # Errors
    /// They are not what was written there.
    pub fn check_bucket(&self, number: u64, bucket: &[u8]) -> Result<(), DedupError> {
        if half_word(bucket, 0) == checksum(self.shape.id, !number, &bucket[4..]) {
            Ok(())
        } else {
            Err(self.damaged("bucket", number))
        }
    }

    /// The error of a part that cannot be what was written.
    pub fn damaged(&self, what: &str, number: u64) -> DedupError {
        DedupError::corrupt(&self.path, format!("{what} {number} fails its checksum"))
    }
}
