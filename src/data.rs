//! The data folder: what lies where, and who may write to it.
//!
//! Invariant: one process at a time holds the lock and writes; the others
//! read the tables, and append through the server that holds it. Profiles are
//! outside: their table's own commits keep its writers apart.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A data folder.
#[derive(Debug, Clone)]
pub struct DataFolder(PathBuf);

impl DataFolder {
    /// A folder that was named.
    pub fn new(folder: PathBuf) -> DataFolder {
        DataFolder(folder)
    }

    /// A folder of this name in the user's data directory.
    pub fn default_named(name: &str) -> Result<DataFolder> {
        let user = dirs::data_dir().context("there is no user data directory; name a folder with --data DIR")?;
        Ok(DataFolder(user.join(name)))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The Delta tables.
    pub fn lake(&self) -> PathBuf {
        self.0.join("lake")
    }

    /// The embedded event log.
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The deduplication indexes.
    pub fn index(&self) -> PathBuf {
        self.0.join("index")
    }

    /// Settlement's checkpoint.
    pub fn settlement(&self) -> PathBuf {
        self.0.join("settlement")
    }

    /// The signed list of the tables' files.
    pub fn manifest(&self) -> PathBuf {
        self.0.join("manifest")
    }

    /// How far each receiver of webhooks has come.
    pub fn webhooks(&self) -> PathBuf {
        self.0.join("webhooks")
    }

    fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Takes the lock. `Err(Some(address))` inside the result says that a
    /// server holds it and where it listens.
    pub fn lock(&self) -> Result<Lock, LockError> {
        let failed = |error: std::io::Error| LockError::Failed(self.0.clone(), error);
        std::fs::create_dir_all(&self.0).map_err(failed)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.lock_file())
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(failed)?;
                Ok(Lock(file))
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // What cannot be read is no address.
                let _ = file.read_to_string(&mut text);
                match text.trim().parse() {
                    Ok(address) => Err(LockError::Served(address)),
                    Err(_) => Err(LockError::Held(self.0.clone())),
                }
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// Why the lock was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// A server holds it and listens there.
    #[error("a server at {0} works on this data folder")]
    Served(SocketAddr),
    /// Another command holds it.
    #[error("another stempoint command is writing to {0}: wait until it has ended, or name another folder with --data")]
    Held(PathBuf),
    /// The file cannot be used.
    #[error("failed to lock the data folder {0}: {1}")]
    Failed(PathBuf, #[source] std::io::Error),
}

/// The lock of a data folder, held until it is dropped.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Tells the other commands where to find the server.
    pub fn announce(&mut self, address: SocketAddr) -> Result<()> {
        self.0.set_len(0)?;
        self.0.seek(SeekFrom::Start(0))?;
        writeln!(self.0, "{address}").context("failed to write the server's address into the lock file")
    }
}

/// Refuses a folder that does not hold what a command needs.
pub fn must_be_empty(folder: &Path) -> Result<()> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("failed to look into {}", folder.display())),
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!("{} is not empty: name a new folder with --into", folder.display());
            }
            Ok(())
        }
    }
}
