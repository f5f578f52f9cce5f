//! The unit in which records are stored: one run of consecutive offsets of one
//! partition, written by one group commit. The store's key is the first
//! offset, big-endian; the value is a header and the framed records:
//!
//! ```text
//! version u8 | count u32 | end u64 | time_us i64 | checksum [u8; 8] | record*
//! record = key length (varint) | value length (varint) | key | value
//! ```
//!
//! Integers are little-endian. `end` is the first offset after the block; it
//! exceeds `base + count` where offsets are left unused, which happens at a
//! block's end only.
//!
//! Invariant: blocks of a partition meet without holes (`end` is the next
//! block's key), and the checksum covers the topic, the partition, the base and
//! all content, so neither damaged nor misplaced bytes pass for records.

use fjall::UserValue;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::log::{RecordRef, Topic};

const VERSION: u8 = 1;
const CHECKSUM_AT: usize = 1 + 4 + 8 + 8;
const HEADER_BYTES: usize = CHECKSUM_AT + 8;

/// The place of a block, which its checksum covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) topic: Topic,
    pub(super) partition: u32,
    /// The first offset.
    pub(super) base: u64,
}

/// Frames the records of one block into memory that is used again.
#[derive(Default)]
pub(super) struct BlockBuilder {
    buffer: Vec<u8>,
    count: u32,
}

impl BlockBuilder {
    /// Adds a record, given as key and value in one piece.
    pub(super) fn push(&mut self, key_length: usize, record: &[u8]) {
        if self.buffer.is_empty() {
            self.buffer.resize(HEADER_BYTES, 0);
        }
        put_varint(&mut self.buffer, key_length);
        put_varint(&mut self.buffer, record.len() - key_length);
        self.buffer.extend_from_slice(record);
        self.count += 1;
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The bytes that the block would have now.
    pub(super) fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Finishes the block and starts the next one. `unused` offsets after the
    /// last record stay without one.
    pub(super) fn finish(&mut self, place: Place, time_us: i64, unused: u64) -> UserValue {
        self.buffer.resize(self.buffer.len().max(HEADER_BYTES), 0);
        let end = place.base + u64::from(self.count) + unused;
        let header = &mut self.buffer[..HEADER_BYTES];
        header[0] = VERSION;
        header[1..5].copy_from_slice(&self.count.to_le_bytes());
        header[5..13].copy_from_slice(&end.to_le_bytes());
        header[13..21].copy_from_slice(&time_us.to_le_bytes());
        let checksum = checksum(place, &self.buffer);
        self.buffer[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&checksum);
        let value = UserValue::from(self.buffer.as_slice());
        self.buffer.clear();
        self.count = 0;
        value
    }
}

/// A block that was read and verified, and how far it has been lent.
pub(super) struct Block {
    value: UserValue,
    /// The first offset after the block.
    pub(super) end: u64,
    /// When the log took its records: microseconds since 1970 in UTC.
    pub(super) time_us: i64,
    /// The offset of the next record, and where it begins in `value`.
    next: u64,
    next_at: usize,
    /// The first offset after the last record.
    records_end: u64,
}

impl Block {
    /// Verifies what was stored at `place`. The error says what is wrong.
    pub(super) fn parse(place: Place, value: UserValue) -> Result<Self, &'static str> {
        let Some(header) = value.first_chunk::<HEADER_BYTES>() else {
            return Err("its block is shorter than a header");
        };
        if header[0] != VERSION {
            return Err("its block has an unknown version");
        }
        if header[CHECKSUM_AT..] != checksum(place, &value) {
            return Err("its block does not match its checksum");
        }
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&header[at..at + 8]);
            bytes
        };
        let count = u32::from_le_bytes([header[1], header[2], header[3], header[4]]);
        let end = u64::from_le_bytes(number(5));
        let records_end = place.base.saturating_add(u64::from(count));
        if end < records_end || end <= place.base {
            return Err("its block ends before it begins");
        }
        Ok(Self {
            end,
            time_us: i64::from_le_bytes(number(13)),
            next: place.base,
            next_at: HEADER_BYTES,
            records_end,
            value,
        })
    }

    /// The next record, or `None` when all have been lent.
    pub(super) fn next(&mut self) -> Result<Option<RecordRef<'_>>, &'static str> {
        if self.next >= self.records_end {
            return Ok(None);
        }
        let framed = self.frame().ok_or("its block ends within a record")?;
        let (key_at, value_at, end_at) = framed;
        let record = RecordRef {
            offset: self.next,
            time_us: self.time_us,
            key: Some(&self.value[key_at..value_at]),
            value: &self.value[value_at..end_at],
        };
        self.next += 1;
        self.next_at = end_at;
        Ok(Some(record))
    }

    /// Passes over the records below `offset`.
    pub(super) fn skip_to(&mut self, offset: u64) -> Result<(), &'static str> {
        while self.next < offset.min(self.records_end) {
            self.next()?;
        }
        Ok(())
    }

    /// Where the next record's key, value and end are.
    fn frame(&self) -> Option<(usize, usize, usize)> {
        let (key_length, at) = take_varint(&self.value, self.next_at)?;
        let (value_length, key_at) = take_varint(&self.value, at)?;
        let value_at = key_at.checked_add(key_length)?;
        let end_at = value_at.checked_add(value_length)?;
        (end_at <= self.value.len()).then_some((key_at, value_at, end_at))
    }
}

fn checksum(place: Place, block: &[u8]) -> [u8; 8] {
    let mut header = [0; CHECKSUM_AT + 13];
    header[..CHECKSUM_AT].copy_from_slice(&block[..CHECKSUM_AT]);
    header[CHECKSUM_AT] = place.topic.index() as u8;
    header[CHECKSUM_AT + 1..CHECKSUM_AT + 5].copy_from_slice(&place.partition.to_le_bytes());
    header[CHECKSUM_AT + 5..].copy_from_slice(&place.base.to_le_bytes());
    xxh3_64_with_seed(&block[HEADER_BYTES..], xxh3_64(&header)).to_le_bytes()
}

fn put_varint(buffer: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        buffer.push(value as u8 | 0x80);
        value >>= 7;
    }
    buffer.push(value as u8);
}

/// The number at `at`, and where what follows it begins.
fn take_varint(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut value = 0;
    // Lengths have at most 32 bits, which take at most five bytes.
    for shift in [0, 7, 14, 21, 28] {
        let byte = *bytes.get(at)?;
        at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value, at));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(base: u64) -> Place {
        Place { topic: Topic::Usage, partition: 3, base }
    }

    type Records = Vec<(Vec<u8>, Vec<u8>)>;
    type Numbered = Vec<(u64, Vec<u8>, Vec<u8>)>;

    fn build(records: &Records, base: u64, unused: u64) -> UserValue {
        let mut builder = BlockBuilder::default();
        for (key, value) in records {
            builder.push(key.len(), &[key.as_slice(), value.as_slice()].concat());
        }
        assert_eq!(builder.count() as usize, records.len());
        builder.finish(place(base), 1_700_000_000_000_000, unused)
    }

    fn read(block: &mut Block) -> Result<Numbered, &'static str> {
        let mut found = Vec::new();
        while let Some(record) = block.next()? {
            let key = record.key.unwrap_or_default().to_vec();
            found.push((record.offset, key, record.value.to_vec()));
        }
        Ok(found)
    }

    proptest! {
        #[test]
        fn reads_back_what_was_framed(
            records in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..300), prop::collection::vec(any::<u8>(), 0..300)), 0..40),
            base in 0..1_u64 << 40,
            unused in 1..5_u64,
            from in 0..50_u64,
        ) {
            let mut block = Block::parse(place(base), build(&records, base, unused)).unwrap();
            prop_assert_eq!(block.end, base + records.len() as u64 + unused);
            block.skip_to(base + from).unwrap();
            let found = read(&mut block).unwrap();
            let expected: Vec<_> = (base..).zip(records).map(|(o, (k, v))| (o, k, v)).skip(from as usize).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn any_change_of_a_byte_is_found(
            records in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20), prop::collection::vec(any::<u8>(), 0..20)), 1..5),
            at in any::<prop::sample::Index>(),
            flip in 1..=255_u8,
        ) {
            let mut bytes = build(&records, 9, 0).to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert!(Block::parse(place(9), UserValue::from(bytes)).is_err());
        }

        #[test]
        fn garbage_with_a_right_checksum_is_an_error_not_a_panic(
            mut bytes in prop::collection::vec(any::<u8>(), HEADER_BYTES..200),
        ) {
            bytes[0] = VERSION;
            let sum = checksum(place(0), &bytes);
            bytes[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&sum);
            if let Ok(mut block) = Block::parse(place(0), UserValue::from(bytes)) {
                let _ = read(&mut block);
            }
        }
    }

    #[test]
    fn a_block_at_another_place_is_refused() {
        let records = vec![(b"k".to_vec(), b"v".to_vec())];
        let value = build(&records, 5, 0);
        assert!(Block::parse(place(5), value.clone()).is_ok());
        assert!(Block::parse(place(6), value.clone()).is_err());
        let other = Place { topic: Topic::Control, ..place(5) };
        assert!(Block::parse(other, value).is_err());
    }

    #[test]
    fn a_truncated_block_is_refused() {
        let value = build(&vec![(b"key".to_vec(), b"value".to_vec())], 0, 0);
        for length in 0..value.len() {
            assert!(Block::parse(place(0), UserValue::from(&value[..length])).is_err());
        }
    }
}
