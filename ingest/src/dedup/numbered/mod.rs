//! Numbered claims.
//!
//! A sequence above the highest of its stream is new without a look at the
//! disk, which is what almost every event is. One at or below the highest that
//! is stored is looked up in its page, which was read beforehand.
//!
//! Invariant: a number is new exactly once, however late it comes; a gap stays
//! open until its number is accepted.

mod buffer;
pub mod page;
mod sources;

use super::{Claim, Verdict};
pub use buffer::{Buffer, Groups, StreamKey};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use page::{Page, page_of, slot_of};
pub use sources::{Decision, Sources};

/// How far above the highest accepted sequence of its incarnation (0 before
/// the first) a sequence may lie. A larger jump is a fault of the source, and
/// accepting it would make all that follows look late.
pub const SEQUENCE_JUMP_MAX: u64 = 1_000_000_000;

/// The numbered claims of one shard: those in memory, and what was read of
/// those that are stored.
pub struct Numbers {
    pub buffer: Buffer,
    /// Stored pages by stream and number.
    pages: HashMap<(u32, u64), Box<Page>, RandomState>,
}

impl Numbers {
    pub fn new() -> Self {
        Self { buffer: Buffer::default(), pages: HashMap::default() }
    }

    /// Whether the stream has an accepted event.
    #[inline]
    pub fn has_begun(&self, stream: u32) -> bool {
        self.buffer.stream(stream).highest.is_some()
    }

    /// The stored page that must be read before a sequence can be checked; it
    /// counts as read from now on, and starts out empty.
    pub fn page_to_read(&mut self, stream: u32, sequence: u64) -> Option<(u32, u64)> {
        let id = (stream, page_of(sequence));
        let may_be_stored = self.buffer.stream(stream).stored.is_some_and(|stored| sequence <= stored);
        if !may_be_stored || self.pages.contains_key(&id) || self.buffer.get(stream, sequence).is_some() {
            return None;
        }
        self.pages.insert(id, Box::new(Page::empty()));
        Some(id)
    }

    /// Adds what is stored of a page that is being read; `false` if it is
    /// malformed.
    #[must_use]
    pub fn page_read(&mut self, id: (u32, u64), fragments: &[u8]) -> bool {
        self.pages.get_mut(&id).is_some_and(|page| page.add(fragments))
    }

    /// How many stored pages are in memory.
    pub fn pages_read(&self) -> usize {
        self.pages.len()
    }

    /// Forgets the stored pages: they have changed, or take too much room.
    pub fn forget_pages(&mut self) {
        self.pages.clear();
    }

    /// Gives the verdict on a sequence of a stream; a new one is claimed.
    pub fn check(&mut self, stream: u32, sequence: u64, claim: Claim) -> Verdict {
        let highest = self.buffer.stream(stream).highest;
        if sequence.saturating_sub(highest.unwrap_or(0)) > SEQUENCE_JUMP_MAX {
            return Verdict::SequenceTooFar { highest: highest.unwrap_or(0) };
        }
        if highest.is_some_and(|highest| sequence <= highest)
            && let Some(taken) = self.find(stream, sequence)
        {
            return taken.verdict(claim);
        }
        self.buffer.push(stream, sequence, claim);
        Verdict::New
    }

    /// Takes in a claim that the tables have.
    pub fn restore(&mut self, stream: u32, sequence: u64, claim: Claim) {
        if self.buffer.get(stream, sequence).is_none() {
            self.buffer.push(stream, sequence, claim);
        }
    }

    /// The oldest `count` claims are stored now.
    pub fn forget_oldest(&mut self, count: usize, streams_max: usize) {
        self.buffer.forget_oldest(count, streams_max);
        self.forget_pages();
    }

    /// The key of a page that has buffered claims.
    pub fn page_key(&self, page: usize) -> u128 {
        let page = &self.buffer.pages()[page];
        page_key(self.buffer.stream(page.stream).key, page.number)
    }

    /// Writes the claims of a group of one page.
    pub fn page_payload(&self, group: &[u32], payload: &mut Vec<u8>) {
        payload.clear();
        let claims = self.buffer.claims_of(group);
        page::encode(claims.map(|(sequence, claim)| (slot_of(sequence), claim)), payload);
    }

    fn find(&self, stream: u32, sequence: u64) -> Option<Claim> {
        self.buffer
            .get(stream, sequence)
            .or_else(|| self.pages.get(&(stream, page_of(sequence)))?.get(slot_of(sequence)))
    }
}

/// The key of a page of a stream.
pub fn page_key(stream: StreamKey, number: u64) -> u128 {
    key(b"page", stream.source, stream.incarnation, number)
}

/// The key of a stream.
pub fn stream_key(stream: StreamKey) -> u128 {
    key(b"strm", stream.source, stream.incarnation, 0)
}

/// The key of a source.
pub fn source_key(source: u128) -> u128 {
    key(b"srce", source, 0, 0)
}

/// A cryptographic hash, so that no source can choose incarnations or numbers
/// that meet the pages of another.
fn key(kind: &[u8; 4], source: u128, incarnation: u64, number: u64) -> u128 {
    let mut input = [0; 36];
    input[..4].copy_from_slice(kind);
    input[4..20].copy_from_slice(&source.to_le_bytes());
    input[20..28].copy_from_slice(&incarnation.to_le_bytes());
    input[28..].copy_from_slice(&number.to_le_bytes());
    let hash = blake3::hash(&input);
    let mut key = [0; 16];
    key.copy_from_slice(&hash.as_bytes()[..16]);
    u128::from_le_bytes(key)
}
