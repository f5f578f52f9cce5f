//! The youngest unnumbered claims, in memory.
//!
//! Claims lie in the order in which they were made, behind a table of their
//! positions. So the claims below a watermark are a prefix, a rollback cuts
//! the tail off, and the table stays small enough for the second-level cache.
//!
//! Invariant: restored claims come first and in any order; after them offsets
//! ascend. Every boundary that is asked for lies at or above the restored
//! ones, which [`super::ShardIndex`] checks.

use super::Claim;
use hashbrown::{HashTable, hash_table};

/// One unnumbered claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: u128,
    pub claim: Claim,
}

pub struct Memtable {
    entries: Vec<Entry>,
    positions: HashTable<u32>,
    planned: usize,
}

impl Memtable {
    /// Memory per claim, in bytes: the entry and its place in the table.
    pub const CLAIM_BYTES: usize = 40;

    /// An empty table planned for a number of claims. It can hold more.
    pub fn new(planned: usize) -> Self {
        Self { entries: Vec::new(), positions: HashTable::with_capacity(planned), planned }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Claims a key unless it is taken, and returns who has it then.
    #[inline]
    pub fn claim(&mut self, key: u128, claim: Claim) -> Option<Claim> {
        let Self { entries, positions, .. } = self;
        let slot =
            positions.entry(short(key), |&at| entries[at as usize].key == key, |&at| short(entries[at as usize].key));
        match slot {
            hash_table::Entry::Occupied(taken) => Some(entries[*taken.get() as usize].claim),
            hash_table::Entry::Vacant(free) => {
                free.insert(entries.len() as u32);
                entries.push(Entry { key, claim });
                None
            }
        }
    }

    /// How many of the oldest claims lie below an offset.
    pub fn count_below(&self, offset: u64) -> usize {
        self.entries.partition_point(|entry| entry.claim.offset < offset)
    }

    /// Drops all claims but the oldest `kept`.
    pub fn truncate(&mut self, kept: usize) {
        for at in kept..self.entries.len() {
            let found = self.positions.find_entry(short(self.entries[at].key), |&position| position as usize == at);
            if let Ok(found) = found {
                found.remove();
            }
        }
        self.entries.truncate(kept);
    }

    /// Forgets the oldest `count` claims, which are in a run now.
    pub fn forget_oldest(&mut self, count: usize) {
        self.entries.drain(..count);
        if self.entries.capacity() > 4 * self.planned {
            self.entries.shrink_to(2 * self.planned);
        }
        self.positions.clear();
        let Self { entries, positions, .. } = self;
        for (at, entry) in entries.iter().enumerate() {
            positions.insert_unique(short(entry.key), at as u32, |&at| short(entries[at as usize].key));
        }
    }
}

/// The keys are uniform already; their low half is not used by the runs' order.
fn short(key: u128) -> u64 {
    key as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(offset: u64) -> Claim {
        Claim { offset, fingerprint: offset + 1 }
    }

    #[test]
    fn the_first_claim_stays() {
        let mut table = Memtable::new(4);
        assert_eq!(table.claim(7, claim(1)), None);
        assert_eq!(table.claim(7, claim(2)), Some(claim(1)));
        assert_eq!(table.entries().len(), 1);
    }

    #[test]
    fn truncated_and_forgotten_claims_are_free_again() {
        let mut table = Memtable::new(4);
        for offset in 0..100 {
            assert_eq!(table.claim(u128::from(offset) << 3, claim(offset)), None);
        }
        table.truncate(table.count_below(60));
        table.forget_oldest(table.count_below(20));
        assert_eq!(table.entries().len(), 40);
        for offset in 0..100 {
            let taken = table.claim(u128::from(offset) << 3, claim(200 + offset));
            assert_eq!(taken, (20..60).contains(&offset).then(|| claim(offset)));
        }
    }
}
