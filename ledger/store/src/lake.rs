//! Where the tables live: a folder of this machine, or a bucket.
//!
//! Invariant: everything that is written to a local lake, by whatever library,
//! goes through the store that syncs.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use deltalake::logstore::{LogStoreRef, StorageConfig, logstore_with};
use object_store::ObjectStore;
use tokio::runtime::Handle;
use url::Url;

use crate::error::StoreError;
use crate::local_store::SyncedLocalStore;
use crate::sync::create_folders;

/// The place of all tables. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Lake {
    url: Url,
    store: Arc<dyn ObjectStore>,
    folder: Option<PathBuf>,
    runtime: Option<Handle>,
}

impl Lake {
    /// A lake in a folder of this machine, which is created if it is missing.
    ///
    /// # Errors
    /// [`StoreError::Location`] if the folder cannot be created or used.
    pub fn open_local(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        let folder = folder.as_ref();
        let failed = |detail: String| StoreError::Location { location: folder.display().to_string(), detail };
        let absolute = std::path::absolute(folder).map_err(|error| failed(error.to_string()))?;
        create_folders(&absolute).map_err(|error| failed(error.to_string()))?;
        let folder = absolute.canonicalize().map_err(|error| failed(error.to_string()))?;
        if folder.to_str().is_none_or(|path| path.contains('%')) {
            // delta-rs would look for its checkpoints in another folder.
            return Err(failed("its path must be UTF-8 without %, choose another folder".to_owned()));
        }
        let url = Url::from_directory_path(&folder).map_err(|()| failed("it has no absolute path".to_owned()))?;
        Ok(Self { url, store: Arc::new(SyncedLocalStore::new()), folder: Some(folder), runtime: None })
    }

    /// A lake in any object store. `url` is the lake's place as seen from the
    /// root of `store`; `runtime` serves blocking reads.
    ///
    /// # Errors
    /// [`StoreError::Location`] if the URL cannot be used.
    pub fn with_store(mut url: Url, store: Arc<dyn ObjectStore>, runtime: Handle) -> Result<Self, StoreError> {
        let failed = |detail: &str| StoreError::Location { location: url.to_string(), detail: detail.to_owned() };
        if url.cannot_be_a_base() {
            return Err(failed("it is no place that can hold folders"));
        }
        let folder = match url.scheme() {
            "file" => Some(url.to_file_path().map_err(|()| failed("it is no local path"))?),
            _ => None,
        };
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self { url, store, folder, runtime: Some(runtime) })
    }

    /// Where the lake is.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where a table is: what other Delta readers are given.
    pub fn table_url(&self, table: &str) -> Result<Url, StoreError> {
        self.url
            .join(&format!("{table}/"))
            .map_err(|error| StoreError::Location { location: self.url.to_string(), detail: error.to_string() })
    }

    /// The lake's folder, if it is on this machine.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The folder of a table, if the lake is on this machine.
    pub fn table_folder(&self, table: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(table))
    }

    /// The object store, whose root is above the lake: give it to a Delta
    /// library together with [`Lake::table_url`].
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.runtime.as_ref()
    }

    pub(crate) fn log_store(&self, table: &str) -> Result<LogStoreRef, StoreError> {
        logstore_with(self.object_store(), &self.table_url(table)?, StorageConfig::default())
            .map_err(|error| StoreError::delta(table, "open", error))
    }
}

/// A name that no other process has given or will give (UUID, version 4).
pub(crate) fn unique_name() -> String {
    static SEED: OnceLock<[u8; 32]> = OnceLock::new();
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let seed = SEED.get_or_init(|| {
        let mut hasher = blake3::Hasher::new();
        // Each state is seeded by the operating system's random numbers.
        for _ in 0..4 {
            hasher.update(&RandomState::new().hash_one(std::process::id()).to_le_bytes());
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        hasher.update(&now.as_nanos().to_le_bytes());
        *hasher.finalize().as_bytes()
    });
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let hash = blake3::keyed_hash(seed, &count.to_le_bytes());
    let hex = hash.to_hex();
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

/// Milliseconds since 1970 by this machine's clock.
pub(crate) fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_repeat() {
        let names: std::collections::HashSet<_> = (0..10_000).map(|_| unique_name()).collect();
        assert_eq!(names.len(), 10_000);
        assert!(names.iter().all(|name| name.len() == 36));
    }

    #[test]
    fn missing_folders_are_created_and_files_are_no_folders() {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = Lake::open_local(folder.path().join("a/b c")).expect("a lake");
        assert!(lake.table_folder("t").expect("local").ends_with("a/b c/t"));
        let error = Lake::open_local(folder.path().join("a%20b")).expect_err("refused");
        assert!(error.to_string().contains("without %"), "{error}");
        std::fs::write(folder.path().join("file"), "x").expect("a file");
        let error = Lake::open_local(folder.path().join("file/lake")).expect_err("refused");
        assert!(error.to_string().contains("file/lake"), "{error}");
    }
}
