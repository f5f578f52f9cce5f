//! The event log, deduplication, the ingest fold and the service around the
//! settlement state machine.

pub mod audit;
pub mod dedup;
pub mod fold;
pub mod log;
pub mod prove;
pub mod rebuild;
pub mod settlement;
mod unwatched;

pub use unwatched::Unwatched;
