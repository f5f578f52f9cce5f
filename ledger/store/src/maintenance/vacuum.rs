//! Removing files that the table does not need any more.
//!
//! delta-rs has a vacuum, but it writes two commits each time, rebuilds the
//! whole table for each, and does not see the staged files that a killed
//! process leaves.
//!
//! Invariant: a file that is in the table, was in it within the retention, or
//! was written within the retention is never removed. The retention must
//! therefore exceed the slowest write and the longest query.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error as ObjectError, ObjectMeta};

use crate::crash::crash_point_in;
use crate::error::StoreError;
use crate::lake::now_ms;
use crate::log::LOG_FOLDER;
use crate::sync::STAGED_MARK;
use crate::table::Table;

/// What vacuum did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vacuumed {
    /// How many data files were removed.
    pub files: usize,
    /// Their size (bytes).
    pub bytes: u64,
    /// How many staged files that somebody left behind were removed.
    pub staged: usize,
}

/// Removes what was merged into other files, or never became part of the
/// table, longer ago than the table's `file_retention`.
///
/// # Errors
/// If the log cannot be read or files cannot be removed; it can be repeated.
pub async fn vacuum(table: &Table) -> Result<Vacuumed, StoreError> {
    let name = table.spec().name;
    let failed = |error: ObjectError| StoreError::storage(name, "list", "its folder", error);
    let store = table.inner.store();
    // The listing comes first: what is added after it is not in it.
    let found: Vec<ObjectMeta> = store.list(None).try_collect().await.map_err(failed)?;
    let log = table.inner.reader.load(table.spec(), true).await?;
    let active: HashSet<&str> = log.snapshot.files().map(|file| file.path.as_str()).collect();
    let removed_at = log.tombstones.unwrap_or_default();
    let retention_ms = i64::try_from(table.spec().file_retention.as_millis()).unwrap_or(i64::MAX);
    let cutoff_ms = now_ms().saturating_sub(retention_ms);
    let useless: Vec<ObjectMeta> =
        found.into_iter().filter(|meta| is_useless(meta, &active, &removed_at, cutoff_ms)).collect();
    let mut done = Vacuumed { files: useless.len(), bytes: useless.iter().map(|meta| meta.size).sum(), staged: 0 };
    crash_point_in("store.vacuum.before", name);
    let paths: Vec<Result<Path, ObjectError>> = useless.into_iter().map(|meta| Ok(meta.location)).collect();
    let mut deletions = store.delete_stream(futures::stream::iter(paths).boxed());
    while let Some(deletion) = deletions.next().await {
        match deletion {
            // Somebody else was faster.
            Ok(_) | Err(ObjectError::NotFound { .. }) => {}
            Err(error) => return Err(StoreError::storage(name, "remove", "an unused file", error)),
        }
    }
    done.staged = sweep_staged(table).await?;
    crash_point_in("store.vacuum.after", name);
    Ok(done)
}

fn is_useless(meta: &ObjectMeta, active: &HashSet<&str>, removed_at: &HashMap<String, i64>, cutoff_ms: i64) -> bool {
    let path = meta.location.as_ref();
    // Names that begin so are no data, by the conventions of Delta and Hive.
    let hidden = path.split('/').any(|part| part.starts_with('_') || part.starts_with('.'));
    if hidden || active.contains(path) {
        return false;
    }
    let unused_since_ms = removed_at.get(path).copied().unwrap_or_else(|| meta.last_modified.timestamp_millis());
    unused_since_ms < cutoff_ms
}

/// Staged files are what a killed process was writing; the object store never
/// lists them.
async fn sweep_staged(table: &Table) -> Result<usize, StoreError> {
    let (name, retention) = (table.spec().name, table.spec().file_retention);
    let Some(folder) = table.lake().table_folder(name) else { return Ok(0) };
    let sweep = move || {
        let folders = [folder.join(LOG_FOLDER), folder];
        folders.iter().map(|folder| sweep_folder(folder, retention)).sum::<std::io::Result<usize>>()
    };
    let swept = tokio::task::spawn_blocking(sweep).await.map_err(std::io::Error::other).flatten();
    swept.map_err(|error| StoreError::storage(name, "remove", "staged files", error))
}

fn sweep_folder(folder: &std::path::Path, retention: Duration) -> std::io::Result<usize> {
    let mut removed = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.rsplit_once(STAGED_MARK)).map(|(_, number)| number);
        if !number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())) {
            continue;
        }
        let age = SystemTime::now().duration_since(entry.metadata()?.modified()?).unwrap_or_default();
        if age > retention {
            std::fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}
