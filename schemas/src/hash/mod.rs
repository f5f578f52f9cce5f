//! The hashes that make the books tamper-evident (invariant 11): content
//! hashes, leaves, and Merkle trees of RFC 6962's shape over BLAKE3.
//!
//! Invariant: a leaf is a function of one canonical row; a tree is a function
//! of its leaves in order; equal roots and sizes mean equal rows.

mod many;
mod messages;
mod tree;

pub use messages::Messages;
pub use tree::Tree;
pub(crate) use tree::{empty_root, node};

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// What became of a record of the usage log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is a row of a usage table.
    Accepted,
    /// It repeats an accepted one.
    Duplicate,
    /// It is a row of `rejects`.
    Rejected,
}

/// BLAKE3 of the parts one after the other. Most of what is hashed here is
/// short, and hashing one short piece is faster than feeding a hasher.
fn hash_of(parts: &[&[u8]]) -> Hash {
    let mut buffer = [0u8; 512];
    let mut length = 0;
    for part in parts {
        let Some(space) = buffer.get_mut(length..length + part.len()) else {
            let mut hasher = blake3::Hasher::new();
            parts.iter().for_each(|part| _ = hasher.update(part));
            return *hasher.finalize().as_bytes();
        };
        space.copy_from_slice(part);
        length += part.len();
    }
    *blake3::hash(&buffer[..length]).as_bytes()
}

/// The hash of an event's content: its source and its canonical bytes.
pub fn content_hash(source: &[u8], canonical: &[u8]) -> Hash {
    hash_of(&[&length_of(source), source, canonical])
}

/// What sets a source apart from what follows it.
fn length_of(source: &[u8]) -> [u8; 2] {
    (source.len() as u16).to_le_bytes()
}

/// The part of a content hash that the deduplication index keeps.
pub fn fingerprint(content: &Hash) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&content[..8]);
    u64::from_le_bytes(first)
}

/// The 128-bit hash of `(source, id)`.
pub fn identity_hash(source: &[u8], id: &[u8]) -> u128 {
    first_128(&hash_of(&[&length_of(source), source, id]))
}

/// The 128-bit hash of a source.
pub fn source_hash(source: &[u8]) -> u128 {
    first_128(blake3::hash(source).as_bytes())
}

/// The part of a hash that stands for a source or an identity.
pub fn first_128(hash: &Hash) -> u128 {
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    u128::from_be_bytes(first)
}

/// The hash of a duplicate's row: its source and the offset that it repeats.
pub fn duplicate_hash(source: &[u8], original: u64) -> Hash {
    hash_of(&[&original.to_le_bytes(), source])
}

/// The hash of a reject's row: its reason, its key and its raw bytes.
pub fn reject_hash(reason: &str, key: Option<&[u8]>, raw: &[u8]) -> Hash {
    let key_length = key.map_or(0, |key| key.len() as u64 + 1);
    let key = key.unwrap_or_default();
    hash_of(&[&[reason.len() as u8], reason.as_bytes(), &key_length.to_le_bytes(), key, raw])
}

/// The leaf of one record of the usage log: where it stood, when it was
/// recorded, what became of it, and the hash of its row.
pub fn usage_leaf(partition: u32, offset: u64, recorded_us: i64, outcome: Outcome, row: &Hash) -> Hash {
    *blake3::hash(&usage_leaf_bytes(partition, offset, recorded_us, outcome, row)).as_bytes()
}

fn usage_leaf_bytes(partition: u32, offset: u64, recorded_us: i64, outcome: Outcome, row: &Hash) -> [u8; 54] {
    let mut buffer = [0u8; 54];
    buffer[0] = 0;
    buffer[1..5].copy_from_slice(&partition.to_le_bytes());
    buffer[5..13].copy_from_slice(&offset.to_le_bytes());
    buffer[13..21].copy_from_slice(&recorded_us.to_le_bytes());
    buffer[21] = outcome as u8;
    buffer[22..].copy_from_slice(row);
    buffer
}

/// The leaf of one row that settlement wrote: the table's name and the row's
/// canonical bytes.
pub fn settlement_leaf(table: &str, row: &[u8]) -> Hash {
    hash_of(&[&[0, table.len() as u8], table.as_bytes(), row])
}

/// The hash of a log record, to notice a log that was replaced.
pub fn record_hash(key: Option<&[u8]>, value: &[u8]) -> Hash {
    reject_hash("", key, value)
}

/// A hash as people see it.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_differ(hashes: &[Hash]) {
        for (index, hash) in hashes.iter().enumerate() {
            let same = hashes[..index].iter().position(|earlier| earlier == hash);
            assert_eq!(same, None, "of number {index}");
        }
    }

    /// Whatever a leaf leaves out could be changed in the tables unnoticed: an
    /// audit makes its leaves with the same functions.
    #[test]
    fn every_part_of_a_row_counts_in_its_leaf() {
        let row = [7; 32];
        all_differ(&[
            usage_leaf(1, 2, 3, Outcome::Accepted, &row),
            usage_leaf(0, 2, 3, Outcome::Accepted, &row),
            usage_leaf(1, 0, 3, Outcome::Accepted, &row),
            usage_leaf(1, 2, 0, Outcome::Accepted, &row),
            usage_leaf(1, 2, 3, Outcome::Duplicate, &row),
            usage_leaf(1, 2, 3, Outcome::Rejected, &row),
            usage_leaf(1, 2, 3, Outcome::Accepted, &[8; 32]),
        ]);
        all_differ(&[duplicate_hash(b"a", 1), duplicate_hash(b"b", 1), duplicate_hash(b"a", 2)]);
        all_differ(&[
            reject_hash("why", Some(b"key"), b"raw"),
            reject_hash("who", Some(b"key"), b"raw"),
            reject_hash("why", Some(b"kex"), b"raw"),
            reject_hash("why", Some(b"key"), b"row"),
            reject_hash("why", Some(b"keyr"), b"aw"),
            reject_hash("whyk", Some(b"ey"), b"raw"),
            reject_hash("why", Some(b""), b"keyraw"),
            reject_hash("why", None, b"keyraw"),
        ]);
        all_differ(&[
            settlement_leaf("table", b"row"),
            settlement_leaf("tabla", b"row"),
            settlement_leaf("table", b"raw"),
            settlement_leaf("tabler", b"ow"),
        ]);
    }

    #[test]
    fn sources_and_ids_do_not_run_together() {
        assert_ne!(identity_hash(b"ab", b"c"), identity_hash(b"a", b"bc"));
        assert_ne!(content_hash(b"ab", b"c"), content_hash(b"a", b"bc"));
        let long = vec![7; 5000];
        assert_ne!(content_hash(b"a", &long), content_hash(b"b", &long));
    }
}
