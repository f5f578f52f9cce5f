//! Checkpoints of the Delta log, and removing the entries that they cover.
//!
//! delta-rs cleans logs too, but in no particular order and without reading
//! the checkpoint that is to replace them.
//!
//! Invariant: an entry is removed only when a checkpoint that was read back
//! and compared holds everything that it says, and never before those below
//! it.

use std::collections::BTreeSet;
use std::time::Duration;

use deltalake::DeltaTable;
use deltalake::checkpoints::create_checkpoint;
use object_store::path::Path;
use object_store::{Error as ObjectError, ObjectStoreExt};

use crate::crash::crash_point_in;
use crate::error::StoreError;
use crate::lake::now_ms;
use crate::log::LOG_FOLDER;
use crate::snapshot::Snapshot;
use crate::table::Table;

/// Writes a checkpoint of the newest version and compares it with what the
/// entries of the log add up to. Returns the version.
///
/// # Errors
/// [`StoreError::CheckpointMismatch`], upon which the checkpoint is removed
/// again; otherwise as reading and writing.
pub async fn checkpoint(table: &Table) -> Result<u64, StoreError> {
    let name = table.spec().name;
    let snapshot = table.refresh().await?;
    let version = snapshot.version();
    if table.inner.reader.last_checkpoint().await?.is_some_and(|newest| newest.version >= version) {
        return Ok(version);
    }
    crash_point_in("store.checkpoint.before", name);
    let mut delta = DeltaTable::new(table.inner.log.clone());
    // The library blocks its thread now and then, so it gets a task of its own.
    let written = tokio::spawn(async move {
        delta.load_version(version).await?;
        create_checkpoint(&delta, None).await
    });
    match written.await {
        Ok(result) => result.map_err(|error| StoreError::delta(name, "checkpoint", error))?,
        Err(error) => return Err(StoreError::delta(name, "checkpoint", error)),
    }
    compare(table, &snapshot).await?;
    crash_point_in("store.checkpoint.after", name);
    Ok(version)
}

async fn compare(table: &Table, expected: &Snapshot) -> Result<(), StoreError> {
    let Some(found) = table.inner.reader.read_checkpoint(table.spec(), expected.version()).await? else {
        let listing = table.inner.reader.list().await?;
        if listing.checkpoints.last().is_some_and(|newest| newest.version > expected.version()) {
            // Another process has written a newer one and removed this one already.
            return Ok(());
        }
        return refuse(table, expected.version(), "it cannot be found").await;
    };
    let paths = |snapshot: &Snapshot| snapshot.files().map(|file| file.path.clone()).collect::<BTreeSet<_>>();
    if found.rows() != expected.rows() || paths(&found) != paths(expected) {
        return refuse(table, expected.version(), "it has other files").await;
    }
    if found.fences() != expected.fences() {
        return refuse(table, expected.version(), "it has other fences").await;
    }
    Ok(())
}

async fn refuse(table: &Table, version: u64, detail: &str) -> Result<(), StoreError> {
    let store = table.inner.store();
    let mut paths = vec![format!("{LOG_FOLDER}/{version:020}.checkpoint.parquet")];
    if table.inner.reader.last_checkpoint().await?.is_some_and(|newest| newest.version == version) {
        paths.insert(0, format!("{LOG_FOLDER}/_last_checkpoint"));
    }
    for path in paths {
        // It may not be there, and the error that follows says enough.
        let _ = store.delete(&Path::from(path)).await;
    }
    let table = table.spec().name.to_owned();
    Err(StoreError::CheckpointMismatch { table, version, detail: detail.to_owned() })
}

/// Removes log entries and checkpoints that are older than `kept` and that the
/// newest checkpoint covers. Returns how many files it removed.
///
/// # Errors
/// If the newest checkpoint cannot be read, or files cannot be removed.
pub async fn clean_log(table: &Table, kept: Duration) -> Result<usize, StoreError> {
    let name = table.spec().name;
    let Some(newest) = table.inner.reader.last_checkpoint().await? else { return Ok(0) };
    let readable = table.inner.reader.read_checkpoint(table.spec(), newest.version).await?;
    if readable.is_none() {
        let (table, detail) = (name.to_owned(), "it is missing".to_owned());
        return Err(StoreError::CheckpointMismatch { table, version: newest.version, detail });
    }
    crash_point_in("store.clean_log.before", name);
    let kept_ms = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    let cutoff_ms = now_ms().saturating_sub(kept_ms);
    let listing = table.inner.reader.list().await?;
    let store = table.inner.store();
    let mut removed = 0;
    // One after the other and upwards: as long as an entry is there, all that
    // follow it are, by which a process that slept notices that it did.
    for file in listing.files {
        if file.version >= newest.version || file.modified_ms > cutoff_ms {
            break;
        }
        match store.delete(&file.path).await {
            Ok(()) | Err(ObjectError::NotFound { .. }) => removed += 1,
            Err(error) => return Err(StoreError::storage(name, "remove", file.path.as_ref(), error)),
        }
    }
    crash_point_in("store.clean_log.after", name);
    Ok(removed)
}
