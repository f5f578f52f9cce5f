//! Records: what runs hold, and how two records of one key become one.
//!
//! A record is: key (16 bytes), kind and payload length (2: two bits and
//! fourteen), payload. All keys are parts of cryptographic hashes, those of
//! different kinds of different inputs, so they never meet and are uniformly
//! distributed.
//!
//! Invariant: combining is commutative, associative and idempotent, so neither
//! the order of merges nor a claim that was restored twice matters.

use crate::dedup::{Claim, files::word, numbered::page};

/// Bytes before a payload.
pub const RECORD_HEAD_BYTES: usize = 18;
/// The longest payload; a full page needs about a third.
pub const PAYLOAD_BYTES_MAX: usize = (1 << LENGTH_BITS) - 1;

const LENGTH_BITS: u32 = 14;

/// What a record says about its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An unnumbered identity: offset (8), fingerprint (8).
    Hashed,
    /// Claims of a page of numbers: its fragments.
    Page,
    /// A stream: its highest number (8).
    Stream,
    /// A source: 1 if it is numbered, else 0.
    Source,
}

/// A record that lies in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub key: u128,
    pub kind: Kind,
    pub payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// Appends the record's bytes. Payloads are at most [`PAYLOAD_BYTES_MAX`]
    /// long, which the kinds see to.
    pub fn write(&self, to: &mut Vec<u8>) {
        write_head(self.key, self.kind, self.payload.len(), to);
        to.extend_from_slice(self.payload);
    }

    /// Reads the record at the beginning of `bytes`; `None` if it is cut short.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (key, rest) = bytes.split_first_chunk::<16>()?;
        let (head, rest) = rest.split_first_chunk::<2>()?;
        let head = u16::from_le_bytes(*head);
        let kind = match head >> LENGTH_BITS {
            0 => Kind::Hashed,
            1 => Kind::Page,
            2 => Kind::Stream,
            _ => Kind::Source,
        };
        let payload = rest.get(..usize::from(head) & PAYLOAD_BYTES_MAX)?;
        Some(Self { key: u128::from_le_bytes(*key), kind, payload })
    }

    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        RECORD_HEAD_BYTES + self.payload.len()
    }
}

/// Makes one payload of two of the same key and kind; `false` if one of them
/// is malformed.
#[must_use]
pub fn combine(kind: Kind, one: &[u8], other: &[u8], into: &mut Vec<u8>) -> bool {
    into.clear();
    match kind {
        Kind::Hashed => {
            let (Some(a), Some(b)) = (hashed_claim(one), hashed_claim(other)) else { return false };
            into.extend_from_slice(if a.offset <= b.offset { one } else { other });
        }
        Kind::Stream => {
            let (Some(a), Some(b)) = (stream_highest(one), stream_highest(other)) else { return false };
            into.extend_from_slice(&a.max(b).to_le_bytes());
        }
        Kind::Source => into.extend_from_slice(one),
        Kind::Page => return page::combine(one, other, into),
    }
    true
}

/// Appends the record of an unnumbered claim. It goes word by word into its
/// place: a payload that was put together elsewhere would have to be read back
/// before it is written out.
#[inline]
pub fn write_hashed(key: u128, claim: Claim, to: &mut Vec<u8>) {
    write_head(key, Kind::Hashed, 16, to);
    to.extend_from_slice(&claim.offset.to_le_bytes());
    to.extend_from_slice(&claim.fingerprint.to_le_bytes());
}

#[inline]
fn write_head(key: u128, kind: Kind, payload_bytes: usize, to: &mut Vec<u8>) {
    debug_assert!(payload_bytes <= PAYLOAD_BYTES_MAX);
    let head = (kind as u16) << LENGTH_BITS | payload_bytes as u16;
    to.extend_from_slice(&(key as u64).to_le_bytes());
    to.extend_from_slice(&((key >> 64) as u64).to_le_bytes());
    to.extend_from_slice(&head.to_le_bytes());
}

/// The claim in the payload of an unnumbered one.
pub fn hashed_claim(payload: &[u8]) -> Option<Claim> {
    (payload.len() == 16).then(|| Claim { offset: word(payload, 0), fingerprint: word(payload, 8) })
}

/// The highest number in the payload of a stream.
pub fn stream_highest(payload: &[u8]) -> Option<u64> {
    payload.try_into().ok().map(u64::from_le_bytes)
}

/// Whether the payload of a source says that it is numbered.
pub fn source_is_numbered(payload: &[u8]) -> Option<bool> {
    match payload {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}
