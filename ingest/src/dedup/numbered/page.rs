//! Pages of 256 consecutive sequence numbers, and the fragments of them that
//! are stored.
//!
//! Each flush stores what a page gained since the last one as a fragment of
//! its own, so nothing has to be read before it is written; merges put the
//! fragments of a page one after another. A fragment is: the number of claims
//! less one (1 byte) and the bytes that follow (2); for each claim its slot
//! (1), the difference of its offset to the one before (a zigzag varint) and
//! its fingerprint (8).
//!
//! Invariant: an unseen slot is known by its bit, so every offset, fingerprint
//! and sequence is allowed.

use crate::dedup::Claim;

/// Numbers per page.
pub const PAGE_SLOTS: usize = 256;

const FRAGMENT_HEAD_BYTES: usize = 3;
const VARINT_BYTES_MAX: usize = 10;
const CLAIM_BYTES_MAX: usize = 1 + VARINT_BYTES_MAX + 8;

/// Which of a page's slots are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots([u64; PAGE_SLOTS / 64]);

impl Slots {
    pub fn has(&self, slot: u8) -> bool {
        self.0[usize::from(slot) / 64] >> (slot % 64) & 1 == 1
    }

    pub fn set(&mut self, slot: u8) {
        self.0[usize::from(slot) / 64] |= 1 << (slot % 64);
    }

    pub fn clear(&mut self, slot: u8) {
        self.0[usize::from(slot) / 64] &= !(1 << (slot % 64));
    }
}

/// The page of a sequence.
pub fn page_of(sequence: u64) -> u64 {
    sequence / PAGE_SLOTS as u64
}

/// The slot of a sequence in its page.
pub fn slot_of(sequence: u64) -> u8 {
    (sequence % PAGE_SLOTS as u64) as u8
}

/// A decoded page.
pub struct Page {
    seen: Slots,
    claims: [Claim; PAGE_SLOTS],
}

impl Page {
    pub fn empty() -> Self {
        Self { seen: Slots::default(), claims: [Claim { offset: 0, fingerprint: 0 }; PAGE_SLOTS] }
    }

    /// Who claimed a slot.
    pub fn get(&self, slot: u8) -> Option<Claim> {
        self.seen.has(slot).then(|| self.claims[usize::from(slot)])
    }

    /// Adds stored fragments. A slot that two of them fill keeps the lower
    /// offset. `false` if they are malformed.
    #[must_use]
    pub fn add(&mut self, fragments: &[u8]) -> bool {
        let mut rest = fragments;
        while !rest.is_empty() {
            let Some((claims, body, after)) = split_fragment(rest) else { return false };
            if self.add_claims(claims, body).is_none() {
                return false;
            }
            rest = after;
        }
        true
    }

    fn add_claims(&mut self, claims: usize, body: &[u8]) -> Option<()> {
        let mut rest = body;
        let mut offset = 0u64;
        for _ in 0..claims {
            let (&slot, after) = rest.split_first()?;
            let (difference, after) = read_varint(after)?;
            let (fingerprint, after) = after.split_first_chunk::<8>()?;
            offset = offset.wrapping_add(difference);
            let known = self.get(slot);
            if known.is_none_or(|known| offset < known.offset) {
                self.seen.set(slot);
                self.claims[usize::from(slot)] = Claim { offset, fingerprint: u64::from_le_bytes(*fingerprint) };
            }
            rest = after;
        }
        rest.is_empty().then_some(())
    }
}

/// Appends a fragment of 1 to 256 claims.
pub fn encode(claims: impl ExactSizeIterator<Item = (u8, Claim)>, to: &mut Vec<u8>) {
    let from = to.len();
    to.resize(from + FRAGMENT_HEAD_BYTES + claims.len() * CLAIM_BYTES_MAX, 0);
    to[from] = (claims.len() - 1) as u8;
    let mut at = from + FRAGMENT_HEAD_BYTES;
    let mut last = 0u64;
    for (slot, claim) in claims {
        to[at] = slot;
        at += 1;
        at += write_varint(claim.offset.wrapping_sub(last), &mut to[at..]);
        to[at..at + 8].copy_from_slice(&claim.fingerprint.to_le_bytes());
        at += 8;
        last = claim.offset;
    }
    to.truncate(at);
    let length = (at - from - FRAGMENT_HEAD_BYTES) as u16;
    to[from + 1..from + FRAGMENT_HEAD_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// The fragments of two records of one page as those of one. More claims than
/// the page has slots were restored twice and are made one. `false` if they
/// are malformed.
#[must_use]
pub fn combine(one: &[u8], other: &[u8], into: &mut Vec<u8>) -> bool {
    let (Some(a), Some(b)) = (count_claims(one), count_claims(other)) else { return false };
    if a + b <= PAGE_SLOTS {
        into.extend_from_slice(one);
        into.extend_from_slice(other);
        return true;
    }
    let mut page = Page::empty();
    if !page.add(one) || !page.add(other) {
        return false;
    }
    let claims: Vec<_> = (0..=u8::MAX).filter_map(|slot| Some((slot, page.get(slot)?))).collect();
    encode(claims.into_iter(), into);
    true
}

fn count_claims(fragments: &[u8]) -> Option<usize> {
    let (mut rest, mut count) = (fragments, 0);
    while !rest.is_empty() {
        let (claims, _, after) = split_fragment(rest)?;
        count += claims;
        rest = after;
    }
    Some(count)
}

/// The number of claims of the first fragment, its body, and what follows.
fn split_fragment(fragments: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let (&[more, low, high], rest) = fragments.split_first_chunk::<FRAGMENT_HEAD_BYTES>()?;
    let (body, after) = rest.split_at_checked(usize::from(u16::from_le_bytes([low, high])))?;
    Some((usize::from(more) + 1, body, after))
}

/// Differences wrap around; zigzag keeps small negative ones short. Says how
/// many bytes it took.
fn write_varint(difference: u64, to: &mut [u8]) -> usize {
    let signed = difference as i64;
    let mut rest = ((signed << 1) ^ (signed >> 63)) as u64;
    let mut at = 0;
    while rest >= 0x80 {
        to[at] = rest as u8 | 0x80;
        rest >>= 7;
        at += 1;
    }
    to[at] = rest as u8;
    at + 1
}

fn read_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut zigzag = 0u64;
    for (at, &byte) in bytes.iter().enumerate().take(VARINT_BYTES_MAX) {
        zigzag |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            let difference = (zigzag >> 1) ^ (zigzag & 1).wrapping_neg();
            return Some((difference, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claims() -> impl Strategy<Value = Vec<(u8, Claim)>> {
        prop::collection::btree_map(any::<u8>(), (any::<u64>(), any::<u64>()), 1..=PAGE_SLOTS).prop_map(|claims| {
            claims.into_iter().map(|(slot, (offset, fingerprint))| (slot, Claim { offset, fingerprint })).collect()
        })
    }

    proptest! {
        #[test]
        fn fragments_read_as_they_were_written(one in claims(), other in claims()) {
            let mut combined = Vec::new();
            let mut encoded = [Vec::new(), Vec::new()];
            encode(one.iter().copied(), &mut encoded[0]);
            encode(other.iter().copied(), &mut encoded[1]);
            prop_assert!(combine(&encoded[0], &encoded[1], &mut combined));
            prop_assert!(combined.len() <= crate::dedup::runs::record::PAYLOAD_BYTES_MAX);
            let mut page = Page::empty();
            prop_assert!(page.add(&combined));
            for slot in 0..=u8::MAX {
                let of_slot = one.iter().chain(&other).filter(|(at, _)| *at == slot).map(|(_, claim)| *claim);
                let first = of_slot.min_by_key(|claim| claim.offset).map(|claim| claim.offset);
                prop_assert_eq!(page.get(slot).map(|claim| claim.offset), first);
            }
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Page::empty().add(&bytes);
            let _ = combine(&bytes, &bytes, &mut Vec::new());
        }
    }
}
