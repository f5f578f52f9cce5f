//! The records of one submit, in one piece of memory.
//!
//! Invariant: pushing a record copies its bytes once and allocates nothing of
//! its own, and a record above the limit never takes memory: the batch only
//! remembers that it must be refused.

use super::{BATCH_BYTES_MAX, LogError, RECORD_BYTES_MAX};

/// Records to append, in order.
#[derive(Debug, Default, Clone)]
pub struct Batch {
    /// Key, value, key, value, …
    arena: Vec<u8>,
    /// The lengths of each record's key and value.
    lengths: Vec<(u32, u32)>,
    /// The first record that was too large: its index and size in bytes.
    oversized: Option<(usize, usize)>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty batch with room for `records` records of `bytes` bytes in all.
    pub fn with_capacity(records: usize, bytes: usize) -> Self {
        Self { arena: Vec::with_capacity(bytes), lengths: Vec::with_capacity(records), oversized: None }
    }

    /// Adds a record. One above [`RECORD_BYTES_MAX`] makes the submit fail.
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        let bytes = key.len().saturating_add(value.len());
        let lengths = match (u32::try_from(key.len()), u32::try_from(value.len())) {
            (Ok(key), Ok(value)) if bytes <= RECORD_BYTES_MAX => (key, value),
            _ => {
                self.oversized.get_or_insert((self.lengths.len(), bytes));
                self.lengths.push((0, 0));
                return;
            }
        };
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(value);
        self.lengths.push(lengths);
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// The bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// Removes all records and keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.lengths.clear();
        self.oversized = None;
    }

    /// The keys and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.records().map(|(key_length, bytes)| bytes.split_at(key_length))
    }

    /// Each record as the length of its key, and key and value in one piece.
    pub(super) fn records(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut rest = self.arena.as_slice();
        self.lengths.iter().map(move |&(key, value)| {
            let (record, after) = rest.split_at(key as usize + value as usize);
            rest = after;
            (key as usize, record)
        })
    }

    /// Memory that the batch holds while it is queued, in bytes.
    pub(super) fn footprint(&self) -> usize {
        self.arena.len() + self.lengths.len() * size_of::<(u32, u32)>()
    }

    /// Refuses what no log takes, before anything is written.
    pub(super) fn check(&self) -> Result<(), LogError> {
        if let Some((index, bytes)) = self.oversized {
            return Err(LogError::RecordTooLarge { index, bytes, max: RECORD_BYTES_MAX });
        }
        if self.arena.len() > BATCH_BYTES_MAX {
            return Err(LogError::BatchTooLarge { bytes: self.arena.len(), max: BATCH_BYTES_MAX });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_pushed() {
        let mut batch = Batch::new();
        let records: [(&[u8], &[u8]); 4] = [(b"a", b"1"), (b"", b"22"), (b"ccc", b""), (b"", b"")];
        for (key, value) in records {
            batch.push(key, value);
        }
        assert_eq!(batch.iter().collect::<Vec<_>>(), records);
        assert_eq!((batch.len(), batch.bytes()), (4, 7));
        assert!(batch.check().is_ok());
        batch.clear();
        assert!(batch.is_empty() && batch.bytes() == 0);
    }

    #[test]
    fn a_record_above_the_limit_is_named_and_takes_no_memory() {
        let mut batch = Batch::new();
        batch.push(b"k", b"v");
        batch.push(b"k", &vec![0; RECORD_BYTES_MAX]);
        assert_eq!(batch.bytes(), 2);
        assert!(matches!(
            batch.check(),
            Err(LogError::RecordTooLarge { index: 1, bytes, .. }) if bytes == RECORD_BYTES_MAX + 1
        ));
        batch.clear();
        batch.push(b"", &vec![0; RECORD_BYTES_MAX]);
        assert!(batch.check().is_ok());
    }
}
