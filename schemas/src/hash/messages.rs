//! Messages that wait to be hashed, because many at once take a third of the
//! time.
//!
//! Invariant: each has the hash that it would have by itself.

use super::{Hash, Outcome, length_of, many, usage_leaf_bytes};

/// How many messages are hashed at once: enough to fill the lanes, and few
/// enough to stay in the processor's cache.
const AT_ONCE: usize = 512;

/// Messages one after the other, and the hashes of those before them.
#[derive(Debug, Clone, Default)]
pub struct Messages {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    hashes: Vec<Hash>,
}

impl Messages {
    /// Adds what [`super::content_hash`] is the hash of.
    pub fn push_content(&mut self, source: &[u8], canonical: &[u8]) {
        self.push(&[&length_of(source), source, canonical]);
    }

    /// Adds what the hash is of whose [`super::first_128`] is
    /// [`super::identity_hash`].
    pub fn push_identity(&mut self, source: &[u8], id: &[u8]) {
        self.push(&[&length_of(source), source, id]);
    }

    /// Adds what [`super::usage_leaf`] is the hash of.
    pub fn push_usage_leaf(&mut self, partition: u32, offset: u64, recorded_us: i64, outcome: Outcome, row: &Hash) {
        self.push(&[&usage_leaf_bytes(partition, offset, recorded_us, outcome, row)]);
    }

    /// Adds what [`super::settlement_leaf`] is the hash of.
    pub fn push_settlement_leaf(&mut self, table: &str, row: &[u8]) {
        self.push(&[&[0, table.len() as u8], table.as_bytes(), row]);
    }

    fn push(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.ends.push(self.bytes.len());
        if self.ends.len() == AT_ONCE {
            self.hash();
        }
    }

    fn hash(&mut self) {
        let starts = std::iter::once(&0).chain(&self.ends);
        let messages: Vec<&[u8]> = starts.zip(&self.ends).map(|(start, end)| &self.bytes[*start..*end]).collect();
        many::hashes(&messages, &mut self.hashes);
        self.bytes.clear();
        self.ends.clear();
    }

    /// The hashes of all messages since the last call, in their order.
    pub fn take(&mut self) -> Vec<Hash> {
        self.hash();
        std::mem::take(&mut self.hashes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{content_hash, first_128, identity_hash, settlement_leaf, usage_leaf};
    use super::*;

    #[test]
    fn each_message_has_the_hash_that_it_has_by_itself() {
        let mut messages = Messages::default();
        for round in 0..3 {
            let mut expected = Vec::new();
            for number in 0..round * AT_ONCE as u64 / 2 + 3 {
                let text = number.to_le_bytes();
                messages.push_content(b"source", &text);
                messages.push_identity(&text, b"id");
                messages.push_usage_leaf(1, number, 3, Outcome::Duplicate, &[7; 32]);
                expected.push(content_hash(b"source", &text));
                expected.push(content_hash(&text, b"id"));
                assert_eq!(first_128(&expected[expected.len() - 1]), identity_hash(&text, b"id"));
                expected.push(usage_leaf(1, number, 3, Outcome::Duplicate, &[7; 32]));
                messages.push_settlement_leaf("table", &text);
                expected.push(settlement_leaf("table", &text));
            }
            assert_eq!(messages.take(), expected);
        }
        assert!(messages.take().is_empty());
    }
}
