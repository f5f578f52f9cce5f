//! Why a row cannot be proved.

use stempoint_schemas::proof::ProofError;
use stempoint_schemas::row::ColumnError;
use stempoint_store::StoreError;
use stempoint_store::ledger::LedgerError;
use thiserror::Error;

use crate::audit::AuditError;

/// Why a row cannot be proved.
#[derive(Debug, Error)]
pub enum ProveError {
    /// There is no such ledger version.
    #[error("there is no ledger version {version}: the newest is {newest}")]
    NoVersion {
        /// The version.
        version: i64,
        /// The newest one.
        newest: i64,
    },
    /// Nothing has this id.
    #[error(
        "no accepted event has the id {id:?}{source_name}: ids are compared letter by letter; `stempoint rejects list` shows what was refused, and --at PARTITION:OFFSET proves a refusal"
    )]
    NoEvent {
        /// The id.
        id: String,
        /// " and the source …", where one was named.
        source_name: String,
    },
    /// Several sources have this id.
    #[error("{} sources have an event {id:?}: choose one with --source: {}", sources.len(), sources.join(", "))]
    SeveralSources {
        /// The id.
        id: String,
        /// The sources.
        sources: Vec<String>,
    },
    /// There is nothing at this place.
    #[error("there is no such row that is visible: `stempoint sql` shows the rows with their _partition and _offset")]
    NoRow,
    /// It came later.
    #[error("the row is not in ledger version {version} yet: it is shown from version {first} on")]
    Later {
        /// The version that was named.
        version: i64,
        /// The first that shows it.
        first: i64,
    },
    /// The rows are not those that the ledger version recorded.
    #[error(
        "the rows in the tables are not those of ledger version {version}: run `stempoint audit`, which names them"
    )]
    Changed {
        /// The version.
        version: i64,
    },
    /// The row cannot be written as a proof.
    #[error("the row cannot be proved: {0}; run `stempoint audit`")]
    Proof(#[from] ProofError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A table cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A column is not as it must be.
    #[error("failed to read a table: {0}")]
    Column(#[from] ColumnError),
    /// Settlement's rows cannot be read.
    #[error(transparent)]
    Rows(#[from] AuditError),
}
