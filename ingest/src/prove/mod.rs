//! Finding a row and proving that it is in the books (invariant 11).
//!
//! Invariant: a proof is given out only where the rows that lie in the tables
//! now have the root that the ledger version recorded.

mod error;
mod event;
mod settled;
mod usage;

use stempoint_schemas::commit::Commit;
use stempoint_schemas::hash::Hash;
use stempoint_schemas::inclusion::Inclusion;
use stempoint_schemas::proof::{Proof, Row};
use stempoint_schemas::tables::{self, Table};
use stempoint_store::ledger::Ledger;

pub use error::ProveError;
pub use event::find as find_event;
pub use settled::numbers_of;

/// What is to be proved.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// An accepted event by its id, or by `INCARNATION/SEQUENCE` where its
    /// source is numbered.
    Event {
        /// The id.
        id: String,
        /// The source; needed where several have this id.
        source: Option<String>,
    },
    /// Whatever became of a record of the usage log.
    Place {
        /// The partition.
        partition: u32,
        /// The offset.
        offset: u64,
    },
    /// A row that settlement wrote, by the numbers in the columns that
    /// [`numbers_of`] names.
    Settled {
        /// The table.
        table: &'static Table,
        /// The numbers.
        numbers: Vec<i64>,
    },
}

/// A row with the root of its tree and its way there.
type InTree = (Row, Hash, Inclusion);

/// Proves a row at a ledger version; the newest where none is named.
///
/// # Errors
/// Where there is no such row or version, or the tables are not what they were.
pub async fn prove(ledger: &Ledger, wanted: &Wanted, version: Option<i64>) -> Result<Proof, ProveError> {
    // The commits first: what they show is in the tables that are read after them.
    let head = ledger.head().await?;
    let commit = match version {
        Some(version) => {
            let found = ledger.version(version).await?;
            found.ok_or(ProveError::NoVersion { version, newest: head.version })?
        }
        None => head.clone(),
    };
    for table in tables::ALL {
        ledger.table(table).refresh().await?;
    }
    let (row, root, inclusion) = match wanted {
        Wanted::Event { id, source } => {
            let (partition, offset) = event::find(ledger, &head, id, source.as_deref())?;
            record(ledger, &commit, partition, offset).await?
        }
        Wanted::Place { partition, offset } => record(ledger, &commit, *partition, *offset).await?,
        Wanted::Settled { table, numbers } => {
            let offset = numbers.first().map_or(0, |offset| offset.cast_unsigned());
            must_show(ledger, &commit, |commit| commit.control_offset > offset).await?;
            settled::prove(ledger, &commit, table, numbers)?
        }
    };
    match Proof::new(row, inclusion, &commit) {
        Ok(proof) if proof.tree.root.0 == root => Ok(proof),
        // The row itself can be read; it or its neighbours are not what they were.
        _ => Err(ProveError::Changed { version: commit.version }),
    }
}

async fn record(ledger: &Ledger, commit: &Commit, partition: u32, offset: u64) -> Result<InTree, ProveError> {
    must_show(ledger, commit, |commit| commit.visible().get(partition) > offset).await?;
    usage::prove(ledger, commit, partition, offset)
}

/// Says from which ledger version on a row is shown, where the one that was
/// named does not show it.
async fn must_show(ledger: &Ledger, commit: &Commit, shows: impl Fn(&Commit) -> bool) -> Result<(), ProveError> {
    if shows(commit) {
        return Ok(());
    }
    let version = commit.version;
    match ledger.versions(version).await?.iter().find(|later| shows(later)) {
        Some(first) => Err(ProveError::Later { version, first: first.version }),
        None => Err(ProveError::NoRow),
    }
}
