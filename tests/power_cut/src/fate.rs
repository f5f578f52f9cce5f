//! What survives the power cut: the choice, before anything is changed.
//!
//! Invariant: what was synced survives, and what survives can exist without
//! what does not. The same seed on the same history chooses the same.

use fastrand::Rng;

use crate::history::{EditKind, History, Object};
use crate::names::Change;

/// How much of what was not synced is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All of it, as if nothing reaches the disk but by a sync.
    DropAll,
    /// Each change survives or not, by chance, as far as it can without those
    /// that did not; writes can be torn at any byte.
    Random {
        /// Chooses the chances and the outcomes.
        seed: u64,
    },
}

impl std::fmt::Display for Mode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DropAll => formatter.write_str("everything that was not synced"),
            Self::Random { seed } => write!(formatter, "a random part of what was not synced, seed {seed}"),
        }
    }
}

/// What becomes of a change of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    /// Only so many bytes from its start reached the disk.
    Torn(u64),
    Lost,
}

/// Chooses, in the order of the history.
#[derive(Debug)]
pub(crate) struct Judge(Option<Chances>);

#[derive(Debug)]
struct Chances {
    random: Rng,
    keeps: f64,
}

impl Judge {
    pub(crate) fn new(mode: Mode) -> Self {
        Self(match mode {
            Mode::DropAll => None,
            Mode::Random { seed } => {
                let mut random = Rng::with_seed(seed);
                let keeps = [0.1, 0.5, 0.9][random.usize(..3)];
                Some(Chances { random, keeps })
            }
        })
    }

    /// For each change of names, whether it survives.
    pub(crate) fn changes(&mut self, history: &History<'_>) -> Vec<bool> {
        let mut kept: Vec<bool> = Vec::with_capacity(history.changes.all.len());
        for Change { durable, needs, .. } in &history.changes.all {
            let wanted = self.0.as_mut().is_some_and(Chances::keeps);
            kept.push(*durable || (wanted && needs.iter().all(|&need| kept[need])));
        }
        kept
    }

    /// The fates of the edits that were not synced.
    pub(crate) fn edits(&mut self, object: &Object<'_>) -> Vec<Fate> {
        let unsynced = object.edits.iter().skip(object.synced);
        unsynced
            .map(|edit| match (&mut self.0, edit.kind) {
                (None, _) => Fate::Lost,
                (Some(chances), EditKind::Write { length, .. }) => chances.write(length),
                (Some(chances), EditKind::Resize { .. }) => {
                    if chances.keeps() {
                        Fate::Kept
                    } else {
                        Fate::Lost
                    }
                }
            })
            .collect()
    }
}

impl Chances {
    fn keeps(&mut self) -> bool {
        self.random.f64() < self.keeps
    }

    fn write(&mut self, length: u64) -> Fate {
        if self.keeps() {
            Fate::Kept
        } else if self.random.bool() && length > 1 {
            Fate::Torn(self.random.u64(1..length))
        } else {
            Fate::Lost
        }
    }
}
