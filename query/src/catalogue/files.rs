//! Which files the tables consist of.
//!
//! Invariant: a list of files is one snapshot of a table. Where it was taken
//! after a ledger version was committed it holds all rows of that version,
//! because compaction keeps every row and nothing else removes any.

use std::collections::HashMap;
use std::sync::Arc;

use stempoint_schemas::tables::Table;
use stempoint_store::DataFile;

/// The active files of each table. Take the snapshot of `commits` first and
/// those of the other tables after it, so that they hold all that is visible.
#[derive(Debug, Clone, Default)]
pub struct LedgerFiles {
    tables: HashMap<&'static str, Arc<[Arc<DataFile>]>>,
}

impl LedgerFiles {
    /// No files: all tables are empty.
    pub fn new() -> LedgerFiles {
        LedgerFiles::default()
    }

    /// Says what a table consists of.
    #[must_use]
    pub fn with(mut self, table: &Table, files: impl IntoIterator<Item = Arc<DataFile>>) -> LedgerFiles {
        self.tables.insert(table.name, files.into_iter().collect());
        self
    }

    /// The files of a table.
    pub fn of(&self, table: &Table) -> Arc<[Arc<DataFile>]> {
        self.tables.get(table.name).cloned().unwrap_or_default()
    }
}
