//! A folder for files that a command needs while it runs.
//!
//! Invariant: it is gone when the command ends, unless the process is killed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folder; dropping it removes it.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new folder in the system's folder for temporary files.
    pub fn new() -> Result<Scratch> {
        let name = format!("stempoint-{}-{:016x}", std::process::id(), fastrand::u64(..));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("failed to create {}", folder.display()))?;
        Ok(Scratch(folder))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "failed to remove a temporary folder");
        }
    }
}
