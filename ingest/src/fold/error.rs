//! What stops the ingest fold.

use arrow::error::ArrowError;
use stempoint_store::StoreError;
use stempoint_store::ledger::LedgerError;
use thiserror::Error;

use crate::dedup::DedupError;
use crate::log::LogError;

/// Why the fold stopped. Whatever it had not committed, it will read again.
#[derive(Debug, Error)]
pub enum FoldError {
    /// The event log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The deduplication index.
    #[error(transparent)]
    Dedup(#[from] DedupError),
    /// Rows could not be built.
    #[error("failed to build rows")]
    Arrow(#[from] ArrowError),
    /// The log is shorter than what was folded from it.
    #[error("the log ends at offset {end} of partition {partition} of {topic}, but the ledger was folded up to {watermark}: {} records were lost; restore the log, or rebuild with `stempoint rebuild --from lake`", watermark - end)]
    ShorterLog {
        /// The topic.
        topic: &'static str,
        /// The partition.
        partition: u32,
        /// What the ledger says.
        watermark: u64,
        /// Where the log ends.
        end: u64,
    },
    /// The log has another record where the ledger ends.
    #[error(
        "the record below offset {watermark} of partition {partition} of {topic} is not the one that was folded: this is another log than the ledger's; use the log that belongs to it, or another data folder"
    )]
    OtherLog {
        /// The topic.
        topic: &'static str,
        /// The partition.
        partition: u32,
        /// What the ledger says.
        watermark: u64,
    },
    /// Another process folds the same partitions and was faster.
    #[error("another process has folded the same partitions in the meantime")]
    Overtaken,
    /// The ledger was decided by rules that this program does not know.
    #[error(
        "the ledger was written by rules {ledger}, this program knows rules up to {known}: use a newer version of stempoint"
    )]
    NewerRules {
        /// What the ledger says.
        ledger: i32,
        /// What this program knows.
        known: i32,
    },
    /// A thread of the fold ended without saying why.
    #[error("a thread of the fold stopped unexpectedly")]
    Thread,
}
