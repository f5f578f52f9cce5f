//! What can go wrong when the power is cut.
//!
//! Invariant: an error means that the tree was not judged, never that it was
//! judged on incomplete knowledge.

use std::io;
use std::path::{Path, PathBuf};

/// Why a power cut could not be prepared or carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PowerCutError {
    /// The preloaded library was not built on this machine.
    #[error("power cuts are not available here: {reason}; install a C compiler and build again")]
    Unavailable {
        /// What the build said.
        reason: String,
    },
    /// The library's path cannot be given to the dynamic linker.
    #[error("failed to preload {}: LD_PRELOAD cannot hold a space or a colon; set CARGO_TARGET_DIR to another folder", path.display())]
    LibraryPath {
        /// Where the library lies.
        path: PathBuf,
    },
    /// The folder beside the root is on another filesystem.
    #[error("failed to watch {}: it is a mount point; use a folder inside it as the root", root.display())]
    MountPoint {
        /// The root that was asked for.
        root: PathBuf,
    },
    /// A file or folder could not be read or changed.
    #[error("failed to {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A process that uses the root has not ended.
    #[error("failed to cut the power: a process on {} still runs; kill it and wait for it first", root.display())]
    StillRunning {
        /// The root.
        root: PathBuf,
    },
    /// No process was started with the library since the last cut or reset.
    #[error(
        "failed to cut the power: no process loaded the library; start it with `PowerCut::command`, and dynamically linked"
    )]
    NotLoaded,
    /// The kernel refused the filter.
    #[error("failed to cut the power: the kernel refused the seccomp filter, so direct system calls went unseen")]
    NotFiltered,
    /// The library ended the process.
    #[error("failed to follow the process: {reason}")]
    Fault {
        /// What the library said.
        reason: String,
    },
    /// A file was mapped so that stores reach it.
    #[error("failed to follow {}: it was mapped shared and writable, and stores into it cannot be seen", path.display())]
    Mapped {
        /// The file.
        path: PathBuf,
    },
    /// The tree is not what the journal says it should be.
    #[error("failed to follow {}: {reason}; something changed it unseen (a process without the library?)", path.display())]
    Untracked {
        /// Relative to the root.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
}

impl PowerCutError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn untracked(path: &Path, reason: impl Into<String>) -> Self {
        Self::Untracked { path: path.to_owned(), reason: reason.into() }
    }
}
