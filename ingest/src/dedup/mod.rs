//! Deduplication for ever, with memory that does not grow: which identity was
//! accepted first, and where.
//!
//! One [`ShardIndex`] belongs to one shard (one partition of the usage topic)
//! and to the one thread that folds it. It keeps a [`Claim`] for every
//! accepted event:
//!
//! - unnumbered events by the 128-bit hash of `(source, id)` ([`memtable`]);
//! - numbered events in pages of 256 sequence numbers per (source,
//!   incarnation), so that a late spool is new, a gap stays visible and a
//!   repeat with other content is a conflict ([`numbered`]).
//!
//! Both become records of immutable sorted runs on disk ([`runs`]).
//!
//! Invariants: exactly once (1): of all events with one identity only the
//! first is [`Verdict::New`], for ever. Same id, other content (9) is
//! [`Verdict::Conflict`] and leaves the first claim in place. Determinism (5):
//! a verdict is a function of the log order alone, not of how batches were
//! cut, nor of flushes, merges or restarts. The index is never the truth: what
//! it has lost it is told again from the tables, and what it cannot trust it
//! reports as an error.

mod claim;
mod error;
mod files;
mod flush;
mod index;
mod lookup;
pub mod measure;
mod memtable;
mod numbered;
mod options;
mod runs;

#[cfg(test)]
mod tests;

pub use claim::{Candidate, Claim, Identity, Verdict};
pub use error::DedupError;
pub use index::{IndexUsage, ShardIndex};
pub use numbered::SEQUENCE_JUMP_MAX;
pub use options::IndexOptions;
