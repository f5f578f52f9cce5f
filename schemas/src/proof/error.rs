//! Why a proof does not hold, by its parts.

use thiserror::Error;

/// Why a proof does not hold.
#[derive(Debug, Error)]
pub enum ProofError {
    /// It is not a proof at all.
    #[error("the file is not a proof that this version can read: {0}")]
    Unreadable(#[source] serde_json::Error),
    /// It is of another version.
    #[error("format is {0:?}, but this version reads \"stempoint-proof-1\"")]
    Format(String),
    /// A field of the row.
    #[error("row: {part} {problem}")]
    Row {
        /// The field.
        part: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The row is another one than the leaf.
    #[error("leaf.hash is not the hash of the row that is shown")]
    Leaf,
    /// The path is of another leaf or tree.
    #[error("path does not lead from leaf.hash at leaf.index to tree.root in a tree of tree.size leaves")]
    Path,
    /// The ledger version has another tree.
    #[error("tree is not the one that commit records for this row: its size and root are others")]
    Tree,
    /// The ledger version does not show the row.
    #[error("row: its offset {offset} is not below {end}, where commit ends, so the row is not visible there")]
    Invisible {
        /// The row's offset.
        offset: u64,
        /// The first offset that is not visible.
        end: u64,
    },
    /// The ledger version is not the head.
    #[error("commit does not have the hash head.hash: a field of commit or head.hash was changed")]
    Commit,
    /// The head names another version.
    #[error("head.version is {head}, but commit.version is {commit}")]
    Version {
        /// What the head says.
        head: i64,
        /// What the commit says.
        commit: i64,
    },
    /// The same values in other bytes.
    #[error("the text differs from what `stempoint prove` writes for the same proof, from line {line} on")]
    Text {
        /// The first line that differs.
        line: usize,
    },
}

impl ProofError {
    pub(super) fn row(part: &str, problem: impl Into<String>) -> ProofError {
        ProofError::Row { part: part.to_owned(), problem: problem.into() }
    }
}
