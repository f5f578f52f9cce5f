//! Immutable sorted runs on disk: what the index knows for ever.
//!
//! Invariant: what a lookup finds was written before and is undamaged; what it
//! does not find is in no run.

mod manifest;
mod merge;
pub mod record;
mod run;
mod sorted;
mod store;
mod writer;

pub use run::ProbeBuffers;
pub use sorted::{SORTED_KEYS_MAX, SortedKeys};
pub use store::RunStore;
