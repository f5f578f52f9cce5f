//! What can go wrong with a table, in words that name the table and the file
//! and say what to do.
//!
//! Invariant: damaged or missing data on disk becomes one of these errors and
//! never a panic.

use std::io;

/// A cause from a library.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Errors of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no Delta log where the table should be.
    #[error(
        "failed to open table {table}: there is no Delta log under {url}; restore the folder, or, if an earlier version of stempoint made the books, run `stempoint maintain` once, which adds the tables that are new"
    )]
    NotATable {
        /// The table.
        table: String,
        /// Where it was looked for.
        url: String,
    },
    /// The folder or URL of the lake cannot be used.
    #[error("failed to open the lake at {location}: {detail}")]
    Location {
        /// The folder or URL as given.
        location: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The table on disk has another schema than the program expects.
    #[error(
        "failed to open table {table}: column {column} {detail}; this data directory was written by a program with another schema"
    )]
    SchemaMismatch {
        /// The table.
        table: String,
        /// The first column that differs.
        column: String,
        /// How it differs.
        detail: String,
    },
    /// The wanted schema cannot be stored in a table that every reader reads.
    #[error("failed to describe table {table}: column {column} {detail}")]
    UnsupportedSchema {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Why not.
        detail: String,
    },
    /// Another program gave the table features that this one must not ignore.
    #[error(
        "failed to use table {table}: {detail}; undo what another program changed, or rebuild the table from the log"
    )]
    UnsupportedTable {
        /// The table.
        table: String,
        /// The feature.
        detail: String,
    },
    /// An entry in the middle of the Delta log is gone.
    #[error(
        "failed to read the Delta log of table {table}: version {version} is missing although version {later} exists; restore {path} from a backup, or rebuild the table from the log"
    )]
    MissingLogEntry {
        /// The table.
        table: String,
        /// The version that is missing.
        version: u64,
        /// A later version that exists.
        later: u64,
        /// The missing file, relative to the table's folder.
        path: String,
    },
    /// A file of the Delta log cannot be understood.
    #[error(
        "failed to read the Delta log of table {table}: {path} is damaged ({detail}); restore it from a backup, or rebuild the table from the log"
    )]
    CorruptLog {
        /// The table.
        table: String,
        /// The damaged file, relative to the table's folder.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// A data file that the table refers to is gone.
    #[error(
        "failed to read table {table}: its data file {path} is missing; restore it from a backup, or rebuild the table from the log"
    )]
    MissingFile {
        /// The table.
        table: String,
        /// The file, relative to the table's folder.
        path: String,
    },
    /// A data file is damaged.
    #[error(
        "failed to read table {table}: its data file {path} is damaged ({detail}); restore it from a backup, or rebuild the table from the log"
    )]
    CorruptFile {
        /// The table.
        table: String,
        /// The file, relative to the table's folder.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// Rows that do not fit the table were to be written or asked for.
    #[error("failed to use rows of table {table}: column {column} {detail}")]
    Rows {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Why they do not fit.
        detail: String,
    },
    /// A fence that does not move forward.
    #[error("failed to append to table {table}: the fence {app} must move forward, not from {from:?} to {to}")]
    InvalidFence {
        /// The table.
        table: String,
        /// The fence's name.
        app: String,
        /// Where it stands.
        from: Option<i64>,
        /// Where it was to go.
        to: i64,
    },
    /// An append without a fence could not be told from one that never happened.
    #[error(
        "failed to append to table {table}: this process was stopped for so long that the log no longer tells whether its append took place; restart it and read the table"
    )]
    UnknownOutcome {
        /// The table.
        table: String,
    },
    /// Other writers were faster every time.
    #[error(
        "failed to commit to table {table}: other writers were faster {attempts} times in a row; try again, and check how many processes write"
    )]
    TooManyConflicts {
        /// The table.
        table: String,
        /// How often it was tried.
        attempts: usize,
    },
    /// A file that was to be merged was removed by somebody else.
    #[error(
        "failed to compact table {table}: {path} was removed by another program meanwhile; nothing was changed, only one process may maintain a table"
    )]
    Vanished {
        /// The table.
        table: String,
        /// The file.
        path: String,
    },
    /// What the checkpoint says is not what the log says.
    #[error(
        "failed to clean the log of table {table}: its checkpoint {version} does not match the log ({detail}); nothing was removed, delete the checkpoint and let maintenance write a new one"
    )]
    CheckpointMismatch {
        /// The table.
        table: String,
        /// The version of the checkpoint.
        version: u64,
        /// How it differs.
        detail: String,
    },
    /// No space is left.
    #[error(
        "failed to write {path} of table {table}: the disk is full; free some space, nothing that was acknowledged is lost"
    )]
    DiskFull {
        /// The table.
        table: String,
        /// The file that was being written.
        path: String,
        /// The cause.
        #[source]
        source: Cause,
    },
    /// The storage failed otherwise.
    #[error("failed to {action} {path} of table {table}")]
    Storage {
        /// The table.
        table: String,
        /// What was being done, for example `read`.
        action: &'static str,
        /// The file or folder.
        path: String,
        /// The cause.
        #[source]
        source: Cause,
    },
    /// The Delta library failed.
    #[error("failed to {action} table {table}")]
    Delta {
        /// The table.
        table: String,
        /// What was being done, for example `checkpoint`.
        action: &'static str,
        /// The cause.
        #[source]
        source: Cause,
    },
}

impl StoreError {
    /// An error of the storage: a full disk is told apart from all else.
    pub(crate) fn storage(table: &str, action: &'static str, path: &str, source: impl Into<Cause>) -> Self {
        let source = source.into();
        let (table, path) = (table.to_owned(), path.to_owned());
        if is_disk_full(source.as_ref()) {
            Self::DiskFull { table, path, source }
        } else {
            Self::Storage { table, action, path, source }
        }
    }

    /// An error of the Delta library while it did `action`.
    pub(crate) fn delta(table: &str, action: &'static str, source: impl Into<Cause>) -> Self {
        let source = source.into();
        let table = table.to_owned();
        if is_disk_full(source.as_ref()) {
            Self::DiskFull { table, path: "_delta_log".to_owned(), source }
        } else {
            Self::Delta { table, action, source }
        }
    }
}

fn is_disk_full(error: &(dyn std::error::Error + 'static)) -> bool {
    /// Longer chains of causes do not occur.
    const DEPTH_MAX: usize = 16;
    let mut next = Some(error);
    for _ in 0..DEPTH_MAX {
        let Some(error) = next else { return false };
        if let Some(io) = error.downcast_ref::<io::Error>() {
            if matches!(io.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                return true;
            }
            // An io::Error answers `source()` with its inner error's source and skips the inner error.
            next = io.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| error.source());
        } else {
            next = error.source();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_found_behind_any_number_of_wrappers() {
        let io = io::Error::from(io::ErrorKind::StorageFull);
        let store = object_store::Error::Generic { store: "test", source: Box::new(io) };
        let nested = io::Error::other(store);
        let error = StoreError::storage("t", "write", "f", nested);
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
        let other = StoreError::storage("t", "write", "f", io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(matches!(other, StoreError::Storage { .. }), "{other:?}");
    }
}
