//! Writing a run from ascending records, with a fixed amount of memory.
//!
//! Invariant: a run is whole and synced before anyone can name it.

use super::{
    record::Record,
    run::{BLOCK_BYTES, BUCKET_BYTES_MAX, BUCKET_HEAD_BYTES, BUCKET_UNIT, HEADER_BYTES, Run, RunShape, filter_bit},
};
use crate::dedup::{DedupError, files::checksum};
use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

const BUFFER_BYTES: usize = 128 << 10;
/// A long merge syncs every so many bytes, so that the sync of a flush next to
/// it never has to wait for gigabytes.
const SYNC_BYTES: u64 = 16 << 20;

/// A run in the making.
pub struct RunWriter {
    path: PathBuf,
    file: File,
    shape: RunShape,
    level: u32,
    records: u64,
    /// The number of the open bucket, and where it begins in `buckets.bytes`.
    bucket: u64,
    bucket_from: usize,
    /// Where the last record begins in `buckets.bytes`.
    last_from: usize,
    filter: [u64; 7],
    blocks: Section,
    buckets: Section,
    unsynced: u64,
}

/// One of the two streams into the file.
struct Section {
    bytes: Vec<u8>,
    begin: u64,
    written: u64,
}

impl Section {
    fn new(begin: u64) -> Self {
        Self { bytes: Vec::with_capacity(BUFFER_BYTES + 8192), begin, written: 0 }
    }

    fn flush(&mut self, file: &File, path: &Path) -> Result<u64, DedupError> {
        file.write_all_at(&self.bytes, self.begin + self.written)
            .map_err(|error| DedupError::io("write", path, error))?;
        let flushed = self.bytes.len() as u64;
        self.written += flushed;
        self.bytes.clear();
        Ok(flushed)
    }
}

impl RunWriter {
    /// Creates the file of a run of a planned shape.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path, shape: RunShape, level: u32) -> Result<Self, DedupError> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .map_err(|error| DedupError::io("create", path, error))?;
        let mut buckets = Section::new(shape.buckets_at());
        buckets.bytes.extend_from_slice(&[0; BUCKET_HEAD_BYTES]);
        Ok(Self {
            path: path.to_path_buf(),
            file,
            shape,
            level,
            records: 0,
            bucket: 0,
            bucket_from: 0,
            last_from: 0,
            filter: [0; 7],
            blocks: Section::new(HEADER_BYTES),
            buckets,
            unsynced: 0,
        })
    }

    /// Makes place for the record of a key, which is to be appended to the
    /// bytes that are given; keys ascend strictly.
    ///
    /// # Errors
    /// The file cannot be written.
    #[inline]
    pub fn place(&mut self, key: u128) -> Result<&mut Vec<u8>, DedupError> {
        let bucket = self.shape.bucket_of(key);
        while self.bucket < bucket {
            self.seal_bucket()?;
        }
        for (at, word) in self.filter.iter_mut().enumerate() {
            *word |= 1 << filter_bit(key, at);
        }
        self.last_from = self.buckets.bytes.len();
        self.records += 1;
        Ok(&mut self.buckets.bytes)
    }

    /// The record that was appended last.
    pub fn last(&self) -> Option<Record<'_>> {
        Record::read(&self.buckets.bytes[self.last_from..])
    }

    /// Puts another record of the same key in the place of the last.
    pub fn replace_last(&mut self, record: &[u8]) {
        self.buckets.bytes.truncate(self.last_from);
        self.buckets.bytes.extend_from_slice(record);
    }

    /// Writes what is left, syncs the file and opens it as a run. Its name is
    /// durable once the folder is synced.
    ///
    /// # Errors
    /// The file cannot be written or synced.
    pub fn finish(mut self) -> Result<Run, DedupError> {
        while self.bucket < self.shape.buckets {
            self.seal_bucket()?;
        }
        // The head of a bucket after the last was begun.
        self.buckets.bytes.truncate(self.bucket_from);
        self.buckets.flush(&self.file, &self.path)?;
        self.blocks.flush(&self.file, &self.path)?;
        self.shape.records = self.records;
        self.shape.bytes = self.buckets.written;
        self.file
            .write_all_at(&self.shape.header(), 0)
            .and_then(|()| self.file.sync_all())
            .map_err(|error| DedupError::io("sync", &self.path, error))?;
        Ok(Run::written(self.path, self.shape, self.level, self.file))
    }

    fn seal_bucket(&mut self) -> Result<(), DedupError> {
        let head = &mut self.buckets.bytes[self.bucket_from..];
        let length = head.len() - BUCKET_HEAD_BYTES;
        if length > BUCKET_BYTES_MAX as usize {
            return Err(DedupError::corrupt(&self.path, "its keys are not uniformly distributed hashes"));
        }
        head[4..8].copy_from_slice(&(length as u32).to_le_bytes());
        let seal = checksum(self.shape.id, !self.bucket, &head[4..]);
        head[..4].copy_from_slice(&seal.to_le_bytes());

        let begins = (self.buckets.written + self.bucket_from as u64) / BUCKET_UNIT as u64;
        let mut block = [0; BLOCK_BYTES];
        block[4..8].copy_from_slice(&(begins as u32).to_le_bytes());
        for (at, word) in self.filter.iter().enumerate() {
            block[8 + at * 8..16 + at * 8].copy_from_slice(&word.to_le_bytes());
        }
        let seal = checksum(self.shape.id, self.bucket, &block[4..]);
        block[..4].copy_from_slice(&seal.to_le_bytes());
        self.blocks.bytes.extend_from_slice(&block);
        self.filter = [0; 7];

        let padded = self.buckets.bytes.len().next_multiple_of(BUCKET_UNIT);
        self.buckets.bytes.resize(padded, 0);
        self.flush_full()?;
        self.bucket += 1;
        self.bucket_from = self.buckets.bytes.len();
        self.buckets.bytes.extend_from_slice(&[0; BUCKET_HEAD_BYTES]);
        Ok(())
    }

    fn flush_full(&mut self) -> Result<(), DedupError> {
        for section in [&mut self.blocks, &mut self.buckets] {
            if section.bytes.len() >= BUFFER_BYTES {
                self.unsynced += section.flush(&self.file, &self.path)?;
            }
        }
        if self.unsynced >= SYNC_BYTES {
            self.file.sync_data().map_err(|error| DedupError::io("sync", &self.path, error))?;
            self.unsynced = 0;
        }
        Ok(())
    }
}
