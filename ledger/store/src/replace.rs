//! Replacing all of a table by one file and removing what was there before:
//! for small tables that are changed in place and must forget.
//!
//! Invariants: a replacement follows the version that its writer has seen, or
//! nothing happens, so that two writers at once cannot lose a change. After
//! one that succeeded no file is left that was there before it, whether it
//! belonged to the table or to a writer that was killed: such files are listed
//! before the commit, and whoever is still writing one has seen an older
//! version and must begin again.

use std::io;
use std::path::PathBuf;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error as ObjectError, ObjectStoreExt};

use crate::append::Outcome;
use crate::crash::crash_point_in;
use crate::encode::EncodedFile;
use crate::error::StoreError;
use crate::log::{Entry, LOG_FOLDER, Operation};
use crate::snapshot::Snapshot;
use crate::sync::{STAGED_MARK, sync_folder};
use crate::table::Table;

/// What became of [`Table::replace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// The table is the file, and older files are gone.
    Done,
    /// Nothing was changed: the table is not what was seen any more.
    Conflict,
}

/// A file in a table's folder.
enum Found {
    /// One that has its name.
    Listed(Path),
    /// One that was never given its name.
    Staged(PathBuf),
}

impl Table {
    /// Makes a table that was `seen` consist of one file, and removes every
    /// other at once, without any retention: who reads an older snapshot must
    /// refresh it.
    ///
    /// # Errors
    /// An error of the storage. The table may have been replaced, and old
    /// files may be there still; [`Table::leftovers`] says so.
    pub async fn replace(&self, seen: &Snapshot, file: EncodedFile) -> Result<Replaced, StoreError> {
        let name = self.inner.spec.name;
        let old = self.files_on_disk().await?;
        let new = self.put_file(file).await?;
        let removed: Vec<_> = seen.files().map(AsRef::as_ref).collect();
        let entry = Entry::new(name, Operation::Overwrite, [], std::slice::from_ref(&new), &removed)?;
        let outcome = {
            let mut head = self.inner.head.lock().await;
            let is_as_seen = |snapshot: &Snapshot| snapshot.version == seen.version;
            self.inner.commit(&mut head, &entry, &is_as_seen, false).await?
        };
        match outcome {
            Outcome::Landed(_) => {
                crash_point_in("store.erase.before", name);
                self.erase(old).await?;
                crash_point_in("store.erase.after", name);
                Ok(Replaced::Done)
            }
            Outcome::Refused => {
                self.erase(vec![Found::Listed(Path::from(new.path))]).await?;
                Ok(Replaced::Conflict)
            }
        }
    }

    /// How many files there are that the table does not consist of: a
    /// replacement removes them. Those of a writer at work count too.
    ///
    /// # Errors
    /// If the log or the folder cannot be read.
    pub async fn leftovers(&self) -> Result<usize, StoreError> {
        let found = self.files_on_disk().await?;
        let snapshot = self.refresh().await?;
        let is_left_over = |file: &&Found| match file {
            Found::Listed(path) => !snapshot.contains(path.as_ref()),
            Found::Staged(_) => true,
        };
        Ok(found.iter().filter(is_left_over).count())
    }

    /// The data files, and what killed processes left of such.
    async fn files_on_disk(&self) -> Result<Vec<Found>, StoreError> {
        let name = self.inner.spec.name;
        let failed = |error: ObjectError| StoreError::storage(name, "list", "its folder", error);
        let is_data = |path: &Path| !path.as_ref().starts_with(LOG_FOLDER);
        let listed: Vec<_> = self.inner.store().list(None).try_collect().await.map_err(failed)?;
        let listed = listed.into_iter().map(|meta| meta.location).filter(is_data);
        let mut found: Vec<Found> = listed.map(Found::Listed).collect();
        // The object store does not list staged files.
        if let Some(folder) = self.inner.lake.table_folder(name) {
            let failed = |error| StoreError::storage(name, "list", "its folder", error);
            for entry in std::fs::read_dir(folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                if entry.file_name().to_string_lossy().contains(STAGED_MARK) {
                    found.push(Found::Staged(entry.path()));
                }
            }
        }
        Ok(found)
    }

    async fn erase(&self, files: Vec<Found>) -> Result<(), StoreError> {
        let name = self.inner.spec.name;
        for file in files {
            match file {
                Found::Listed(path) => match self.inner.store().delete(&path).await {
                    // Somebody else was faster.
                    Ok(()) | Err(ObjectError::NotFound { .. }) => {}
                    Err(error) => return Err(StoreError::storage(name, "remove", path.as_ref(), error)),
                },
                Found::Staged(path) => match std::fs::remove_file(&path) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(StoreError::storage(name, "remove", &path.to_string_lossy(), error)),
                },
            }
        }
        // A power cut must not bring a name back.
        match self.inner.lake.table_folder(name) {
            Some(folder) => {
                sync_folder(&folder).map_err(|error| StoreError::storage(name, "sync", "its folder", error))
            }
            None => Ok(()),
        }
    }
}
