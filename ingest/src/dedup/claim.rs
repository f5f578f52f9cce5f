//! The words of deduplication: what is asked and what is answered.
//!
//! Invariant: a verdict names the first claim of an identity by its offset, so
//! that every duplicate and every conflict can point at what it repeats.

/// Who claimed an identity first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The log offset of the accepted event.
    pub offset: u64,
    /// The fingerprint of its content.
    pub fingerprint: u64,
}

impl Claim {
    /// The verdict on an event that asks for the identity of this claim. The
    /// same offset means that the shard reads the same event again.
    pub(super) fn verdict(self, asking: Self) -> Verdict {
        if self.offset == asking.offset {
            Verdict::New
        } else if self.fingerprint == asking.fingerprint {
            Verdict::Duplicate { original: self.offset }
        } else {
            Verdict::Conflict { original: self.offset }
        }
    }
}

/// What makes an event the same event, within or across sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// The 128-bit hash of `(source, id)` of an unnumbered source. It must be
    /// uniformly distributed and impossible to steer (BLAKE3), because the
    /// index finds its place on disk from it.
    Hashed(u128),
    /// The place that a numbered source gave the event.
    Numbered {
        /// Which life of the source sent it.
        incarnation: u64,
        /// Its number in that life; each number is one event.
        sequence: u64,
    },
}

/// An event that asks whether it is new; or, on restoring, one that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The event's log offset in the shard's partition.
    pub offset: u64,
    /// The fingerprint of its content.
    pub fingerprint: u64,
    /// The 128-bit hash of its source.
    pub source: u128,
    /// Its identity.
    pub identity: Identity,
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody claimed the identity before; this event has it now.
    New,
    /// The event at `original` has the identity and the same content.
    Duplicate {
        /// Log offset of the accepted event.
        original: u64,
    },
    /// The event at `original` has the identity and other content.
    Conflict {
        /// Log offset of the accepted event.
        original: u64,
    },
    /// An unnumbered source sent a numbered event.
    TurnedNumbered,
    /// A numbered source sent an unnumbered event.
    TurnedUnnumbered,
    /// The sequence is more than [`super::SEQUENCE_JUMP_MAX`] above the
    /// highest accepted one.
    SequenceTooFar {
        /// The highest accepted sequence of the incarnation, or 0 before the
        /// first.
        highest: u64,
    },
}
