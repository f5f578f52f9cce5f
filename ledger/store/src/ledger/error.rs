//! What can be wrong with a ledger.

use std::path::PathBuf;

use arrow::error::ArrowError;
use stempoint_schemas::row::{ColumnError, RowError};
use thiserror::Error;

use crate::StoreError;

/// Why the ledger cannot be read or written.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// A table's files or log.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no ledger where one must be.
    #[error(
        "there is no ledger in {0}: run `stempoint demo`, `stempoint up` or `stempoint import` first, or name another folder with --data"
    )]
    NoLedger(PathBuf),
    /// The log has another number of partitions than the ledger.
    #[error(
        "the ledger was made for {ledger} partitions of the usage topic, but the log has {log}: use the log that belongs to this ledger, or another data folder"
    )]
    Partitions {
        /// What the ledger says.
        ledger: usize,
        /// What the log says.
        log: usize,
    },
    /// A file of `commits` has no row.
    #[error(
        "the file {0} of the table commits has no row: restore it from a backup, or rebuild the ledger into a new folder with `stempoint rebuild`"
    )]
    EmptyCommit(String),
    /// A row of `commits` does not have the hash that is stored with it.
    #[error(
        "ledger version {version} does not have the hash that is stored with it: the table commits was changed after it was written; run `stempoint audit`"
    )]
    BrokenHash {
        /// The version.
        version: i64,
    },
    /// Others were always first.
    #[error("failed to append a ledger version: other writers were first a thousand times; stop some of them")]
    Conflicts,
    /// A column is not as it must be.
    #[error("failed to read a table: {0}")]
    Column(#[from] ColumnError),
    /// A row is not as it must be.
    #[error("failed to read a table: {0}")]
    Row(#[from] RowError),
    /// Rows could not be made.
    #[error("failed to build rows")]
    Arrow(#[from] ArrowError),
}
