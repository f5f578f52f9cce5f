//! What can be wrong with a manifest.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::ledger::LedgerError;

/// Why a manifest cannot be written or checked.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// There is none.
    #[error(
        "there is no manifest in {0}: `stempoint manifest write` makes one, and so does `stempoint up` after a while"
    )]
    Missing(PathBuf),
    /// It is not what was written.
    #[error(
        "the manifest {path} is damaged: {detail}; restore it from a backup, or remove it and run `stempoint manifest write`, which signs the files as they are now"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The private key cannot be used.
    #[error(
        "the key {0} is not 64 hexadecimal digits: restore it from a backup, or remove it and the manifest beside it, and publish the new key"
    )]
    BadKey(PathBuf),
    /// A text that is no public key.
    #[error("{0:?} is no public key: it must be 64 hexadecimal digits, as `stempoint manifest write` prints it")]
    NoPublicKey(String),
    /// The operating system has no random numbers.
    #[error("failed to make a key: the operating system gives no random numbers ({0})")]
    Random(String),
    /// The lake is on another machine.
    #[error("the manifest lists files of this machine, but the lake is elsewhere")]
    NotLocal,
    /// A file or folder.
    #[error("failed to {action} {path}: {source}")]
    File {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The tables cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl ManifestError {
    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> ManifestError {
        let path = path.into();
        move |source| ManifestError::File { action, path, source }
    }
}
