//! Whether a source is numbered: decided by its first accepted event, for ever.
//!
//! Invariant: a decision that is not stored yet stays in memory and can be
//! taken back by a rollback; what is stored may be forgotten and read again.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// The kinds of sources that are in memory.
pub struct Sources {
    /// `None` for a source that is known to have no accepted event.
    kinds: HashMap<u128, Option<bool>, RandomState>,
    /// What is not stored yet, in the order of acceptance.
    unstored: Vec<Decision>,
    last: Option<(u128, Option<bool>)>,
}

/// The first accepted event of a source decided its kind.
#[derive(Clone, Copy, Debug)]
pub struct Decision {
    pub offset: u64,
    pub source: u128,
    pub numbered: bool,
}

impl Sources {
    /// Memory per decision that is not stored yet, in bytes.
    pub const DECISION_BYTES: usize = 72;

    pub fn new() -> Self {
        Self { kinds: HashMap::default(), unstored: Vec::new(), last: None }
    }

    pub fn unstored(&self) -> &[Decision] {
        &self.unstored
    }

    /// Whether it is in memory what the source is.
    pub fn knows(&self, source: u128) -> bool {
        self.last.is_some_and(|(last, _)| last == source) || self.kinds.contains_key(&source)
    }

    /// Whether a source is numbered; `None` before its first accepted event.
    #[inline]
    pub fn is_numbered(&mut self, source: u128) -> Option<bool> {
        if let Some((last, numbered)) = self.last
            && last == source
        {
            return numbered;
        }
        let numbered = self.kinds.get(&source).copied().flatten();
        self.last = Some((source, numbered));
        numbered
    }

    /// Keeps in memory what is stored of a source.
    pub fn remember(&mut self, source: u128, numbered: Option<bool>) {
        self.last = None;
        self.kinds.insert(source, numbered);
    }

    /// Decides the kind of a source with its first accepted event.
    pub fn decide(&mut self, decision: Decision) {
        self.remember(decision.source, Some(decision.numbered));
        self.unstored.push(decision);
    }

    /// How many of the oldest unstored decisions lie below an offset.
    pub fn count_below(&self, offset: u64) -> usize {
        self.unstored.partition_point(|decision| decision.offset < offset)
    }

    /// Takes all decisions back but the oldest `kept`.
    pub fn truncate(&mut self, kept: usize) {
        self.last = None;
        for decision in self.unstored.drain(kept.min(self.unstored.len())..) {
            self.kinds.insert(decision.source, None);
        }
    }

    /// The oldest `count` decisions are stored now.
    pub fn forget_oldest(&mut self, count: usize) {
        self.unstored.drain(..count);
    }

    /// Makes room if more than `max` stored sources are in memory.
    pub fn make_room(&mut self, max: usize) {
        if self.kinds.len() <= max + self.unstored.len() {
            return;
        }
        self.last = None;
        self.kinds.clear();
        self.kinds.shrink_to(max);
        self.kinds.extend(self.unstored.iter().map(|decision| (decision.source, Some(decision.numbered))));
    }
}
