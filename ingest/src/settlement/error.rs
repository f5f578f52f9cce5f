//! What stops settlement.

use arrow::error::ArrowError;
use stempoint_core::posting::PostingError;
use stempoint_core::settlement::SettlementError;
use stempoint_schemas::money::Overflow;
use stempoint_schemas::row::ColumnError;
use stempoint_store::StoreError;
use stempoint_store::ledger::LedgerError;
use thiserror::Error;

use crate::fold::FoldError;
use crate::log::LogError;

/// Why settlement stopped. Whatever it had not committed, it handles again.
#[derive(Debug, Error)]
pub enum SettleError {
    /// The event log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state machine.
    #[error(transparent)]
    Core(#[from] SettlementError),
    /// The log is not the one that the ledger was made from.
    #[error(transparent)]
    Check(#[from] FoldError),
    /// A column is not as it must be.
    #[error("failed to read a table of settlement: {0}")]
    Column(#[from] ColumnError),
    /// Rows could not be built.
    #[error("failed to build rows of settlement")]
    Arrow(#[from] ArrowError),
    /// Stored quantities do not add up to something that fits.
    #[error("failed to add up the stored charges: {0}")]
    Overflow(#[from] Overflow),
    /// Charges could not be rated.
    #[error("failed to rate the charges: {0}")]
    Posting(#[from] PostingError),
    /// A stored row has a value that settlement never writes.
    #[error("table {table} has {value:?} in column {column}, which settlement never writes; run `stempoint audit`")]
    Value {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The value.
        value: String,
    },
    /// The thread ended without saying why.
    #[error("the thread of settlement stopped unexpectedly")]
    Thread,
}
