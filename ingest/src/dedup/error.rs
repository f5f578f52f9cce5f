//! What can go wrong in the index, and whether a rebuild is the answer.
//!
//! Invariant: data that fails its checksum is never read as an answer.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Errors of the deduplication index.
#[derive(Debug, thiserror::Error)]
pub enum DedupError {
    /// The file system refused.
    #[error("failed to {action} {path}: check free space and permissions, then start the shard again")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file is missing, cut short or altered.
    #[error("failed to trust {path}: {detail}; rebuild the deduplication index from the tables")]
    Corrupt {
        /// Which file or folder.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The embedded key-value store refused.
    #[error("failed to {action} {path}: check that no other process uses it, then start the shard again")]
    Store {
        /// What was tried.
        action: &'static str,
        /// On which folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<fjall::Error>,
    },
    /// Another process has the index open.
    #[error("failed to open {path}: another process uses it; stop that one first")]
    InUse {
        /// The folder of the index.
        path: PathBuf,
    },
    /// The index knows events that the ledger does not.
    #[error(
        "failed to start from offset {watermark}: the deduplication index reaches to {end}, past the ledger; rebuild it from the tables"
    )]
    AheadOfLedger {
        /// Exclusive end of the durable claims.
        end: u64,
        /// The ledger's watermark.
        watermark: u64,
    },
    /// Candidates did not come in log order.
    #[error(
        "failed to check offset {offset}: offset {seen} was checked before it; roll back to the watermark and read again from there"
    )]
    OutOfOrder {
        /// The offset that came too late.
        offset: u64,
        /// The offset that came before it.
        seen: u64,
    },
    /// A rollback asks for claims to be dropped that the ledger has.
    #[error(
        "failed to roll back to offset {to}: claims up to {kept} are in the ledger; rebuild the deduplication index from the tables"
    )]
    RollbackTooFar {
        /// Where the rollback should end.
        to: u64,
        /// Exclusive end of the claims that cannot be dropped.
        kept: u64,
    },
    /// The tables hold numbered and unnumbered events of one source.
    #[error("failed to restore offset {offset}: its source was accepted both with and without numbers; run the audit")]
    Contradiction {
        /// The offset of the accepted event that does not fit.
        offset: u64,
    },
    /// A background merge ended without an answer.
    #[error("failed to merge runs in {path}: the merge thread ended abnormally; start the shard again")]
    MergeLost {
        /// The folder of the runs.
        path: PathBuf,
    },
}

impl DedupError {
    /// Whether the index must be wiped and restored from the tables.
    pub fn needs_rebuild(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::AheadOfLedger { .. } | Self::RollbackTooFar { .. })
    }

    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound | io::ErrorKind::InvalidData => {
                Self::corrupt(path, format!("tried to {action}: {source}"))
            }
            _ => Self::Io { action, path: path.to_path_buf(), source },
        }
    }

    pub(super) fn corrupt(path: &Path, detail: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_path_buf(), detail: detail.into() }
    }

    pub(super) fn store(action: &'static str, path: &Path, source: fjall::Error) -> Self {
        match source {
            fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source)) => {
                Self::io(action, path, source)
            }
            fjall::Error::Locked | fjall::Error::Poisoned | fjall::Error::KeyspaceDeleted => {
                Self::Store { action, path: path.to_path_buf(), source: Box::new(source) }
            }
            other => Self::corrupt(path, format!("tried to {action}: {other:?}")),
        }
    }
}
