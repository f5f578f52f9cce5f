//! What can go wrong with a question, in words for the person who asked.
//!
//! Invariant: an error of a library is turned into one of these before it
//! leaves the crate, and says what to do next.

use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

/// Errors of queries.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text is not SQL, or not SQL that can be run here.
    #[error("failed to understand the SQL: {0}")]
    Syntax(String),
    /// The statement is not a query.
    #[error(
        "failed to run {statement}: the books are read only here; write a SELECT, or see the other commands for what changes them"
    )]
    ReadOnly {
        /// The kind of statement.
        statement: String,
    },
    /// A table that does not exist.
    #[error("failed to find the table {name}; there are {known}")]
    UnknownTable {
        /// The name as written.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The text is SQL, but not about these tables.
    #[error("failed to plan the query: {0}")]
    Plan(String),
    /// The text is too long.
    #[error(
        "failed to read the SQL: it has {bytes} bytes, and at most {bytes_max} can be planned; put long lists of values into several queries"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The most that is accepted.
        bytes_max: usize,
    },
    /// The query is larger than what can be planned safely.
    #[error("failed to plan the query: {0}")]
    TooComplex(String),
    /// The query needs more memory than it may have.
    #[error(
        "failed to run the query within its memory: group by fewer columns, ask for fewer rows, or allow more memory ({0})"
    )]
    Memory(String),
    /// There is no such ledger version.
    #[error("failed to find ledger version {version}: {known}")]
    UnknownVersion {
        /// The version that was asked for.
        version: i64,
        /// Which versions there are.
        known: String,
    },
    /// Nothing was ever committed.
    #[error("failed to open the ledger: nothing has been committed yet; send or import some events first")]
    NoVersion,
    /// A row of `commits` does not say what it must.
    #[error(
        "failed to read ledger version {version}: its row in commits is damaged ({detail}); restore the table commits from a backup"
    )]
    DamagedVersion {
        /// The version, as far as known.
        version: i64,
        /// What is wrong.
        detail: String,
    },
    /// A data file is gone or cannot be read.
    #[error("failed to read a data file: {0}; restore the file from a backup, or rebuild the tables from the log")]
    DataFile(String),
    /// The query failed while it ran.
    #[error("failed to run the query: {0}")]
    Failed(String),
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::SQL(error, _) if matches!(**error, ParserError::RecursionLimitExceeded) => {
                let nested = "it nests too many parentheses or queries in each other; name inner queries with WITH";
                Self::TooComplex(nested.to_owned())
            }
            DataFusionError::SQL(error, _) => Self::Syntax(error.to_string()),
            DataFusionError::Plan(text) | DataFusionError::Configuration(text) => Self::Plan(text.clone()),
            DataFusionError::SchemaError(error, _) => Self::Plan(error.to_string()),
            DataFusionError::NotImplemented(text) => Self::Plan(format!("{text} (not supported)")),
            DataFusionError::ResourcesExhausted(text) => Self::Memory(first_line(text)),
            DataFusionError::ObjectStore(error) => Self::DataFile(error.to_string()),
            DataFusionError::ParquetError(error) => Self::DataFile(error.to_string()),
            DataFusionError::ArrowError(error, _) => match error.as_ref() {
                ArrowError::ParquetError(text) => Self::DataFile(text.clone()),
                other => Self::Failed(other.to_string()),
            },
            other => match missing_file(other) {
                Some(text) => Self::DataFile(text),
                None => Self::Failed(other.message().into_owned()),
            },
        }
    }
}

/// Finds an object store's error behind wrappers of other libraries.
fn missing_file(error: &DataFusionError) -> Option<String> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(found) = cause.downcast_ref::<object_store::Error>() {
            return Some(found.to_string());
        }
        source = cause.source();
    }
    None
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
