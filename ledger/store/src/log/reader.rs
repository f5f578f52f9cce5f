//! Fetching the Delta log of a table.
//!
//! Invariant: a snapshot covers the log up to its end without a hole. The end
//! is where no entry follows *and* nothing was cleaned up: a process that slept
//! meanwhile must not take the gap for the end, nor what another one that
//! slept has put into it. Entries are removed upwards and none comes back, so
//! one that is still what it was proves that all after it were there. The hint
//! at the newest checkpoint proves nothing: a slow process may set it back.

use std::sync::Arc;

use bytes::Bytes;
use deltalake::logstore::LogStoreRef;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error as ObjectError, ObjectStore, ObjectStoreExt};

use crate::error::StoreError;
use crate::log::checkpoint::{self, CheckpointRef};
use crate::log::{LOG_FOLDER, Replay, entry_path};
use crate::snapshot::Snapshot;
use crate::spec::TableSpec;

/// How often a first load is repeated because the log was cleaned meanwhile.
const LOAD_ATTEMPTS_MAX: usize = 5;

/// Reads one table's log.
#[derive(Debug, Clone)]
pub(crate) struct LogReader {
    table: &'static str,
    log: LogStoreRef,
    store: Arc<dyn ObjectStore>,
}

/// What lies in the folder of the log.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The versions that have an entry, in ascending order.
    pub(crate) entries: Vec<u64>,
    /// The checkpoints whose files are all there, in ascending order.
    pub(crate) checkpoints: Vec<CheckpointRef>,
    /// All entries and parts of checkpoints, in ascending order of their versions.
    pub(crate) files: Vec<LogFile>,
}

/// One file of the log.
#[derive(Debug)]
pub(crate) struct LogFile {
    /// The version of the table that it belongs to.
    pub(crate) version: u64,
    /// Where it is, relative to the table's folder.
    pub(crate) path: Path,
    /// When it was written (milliseconds since 1970).
    pub(crate) modified_ms: i64,
}

impl LogReader {
    pub(crate) fn new(table: &'static str, log: LogStoreRef) -> Self {
        let store = log.object_store(None);
        Self { table, log, store }
    }

    /// The entry of a version, if there is one.
    pub(crate) async fn entry(&self, version: u64) -> Result<Option<Bytes>, StoreError> {
        let read = self.log.read_commit_entry(version).await;
        read.map_err(|error| StoreError::storage(self.table, "read", &entry_path(version), error))
    }

    /// The newest checkpoint, as far as the log says.
    pub(crate) async fn last_checkpoint(&self) -> Result<Option<CheckpointRef>, StoreError> {
        let path = format!("{LOG_FOLDER}/_last_checkpoint");
        // The file is only a hint: if it is damaged, listing finds the checkpoint.
        Ok(self.fetch(&path).await?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    async fn fetch(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        let failed = |error| StoreError::storage(self.table, "read", path, error);
        match self.store.get(&Path::from(path)).await {
            Ok(result) => result.bytes().await.map(Some).map_err(failed),
            Err(ObjectError::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Lists the log. Its cost grows with the number of entries.
    pub(crate) async fn list(&self) -> Result<Listing, StoreError> {
        let folder = Path::from(LOG_FOLDER);
        let found: Result<Vec<_>, _> = self.store.list(Some(&folder)).try_collect().await;
        let found = match found {
            Ok(found) => found,
            Err(ObjectError::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(StoreError::storage(self.table, "list", LOG_FOLDER, error)),
        };
        let mut listing = Listing::default();
        let mut parts = Vec::new();
        for meta in found {
            let name = meta.location.filename().unwrap_or_default();
            let version = if let Some(version) = name.strip_suffix(".json").and_then(|v| v.parse().ok()) {
                listing.entries.push(version);
                version
            } else if let Some(checkpoint) = CheckpointRef::from_name(name) {
                parts.push(checkpoint);
                checkpoint.version
            } else {
                continue;
            };
            let modified_ms = meta.last_modified.timestamp_millis();
            listing.files.push(LogFile { version, path: meta.location, modified_ms });
        }
        listing.entries.sort_unstable();
        listing.files.sort_unstable_by_key(|file| file.version);
        parts.sort_unstable_by_key(|checkpoint| (checkpoint.version, checkpoint.parts));
        for group in parts.chunk_by(|a, b| a == b) {
            if group.len() == group[0].parts.unwrap_or(1) as usize {
                listing.checkpoints.push(group[0]);
            }
        }
        Ok(listing)
    }

    /// Reads the whole table from its newest checkpoint and the entries after it.
    pub(crate) async fn load<'a>(&self, spec: &'a TableSpec, with_tombstones: bool) -> Result<Replay<'a>, StoreError> {
        let mut attempt = 1;
        loop {
            match self.try_load(spec, with_tombstones).await {
                // While this process was reading, maintenance may have written
                // a newer checkpoint and removed what came before it.
                Err(StoreError::MissingLogEntry { version, .. })
                    if attempt < LOAD_ATTEMPTS_MAX
                        && self.list().await?.checkpoints.last().is_some_and(|newest| newest.version >= version) =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn try_load<'a>(&self, spec: &'a TableSpec, with_tombstones: bool) -> Result<Replay<'a>, StoreError> {
        // The listing and not the hint decides where to start: a hint may have
        // been written by a process that was slow.
        let listing = self.list().await?;
        let mut replay = match self.newest_checkpoint(&listing).await? {
            Some((checkpoint, files)) => {
                let mut replay = checkpoint::replay(spec, checkpoint, files, with_tombstones)?;
                replay.snapshot.entry = self.entry(checkpoint.version).await?.map(|bytes| blake3::hash(&bytes));
                replay
            }
            None => self.first_entry(spec, &listing, with_tombstones).await?,
        };
        let (start, entry) = (replay.snapshot.version, replay.snapshot.entry);
        while let Some(bytes) = self.entry(replay.snapshot.version + 1).await? {
            replay.apply(replay.snapshot.version + 1, &bytes)?;
        }
        let head = replay.snapshot.version;
        if let Some(later) = listing.entries.into_iter().find(|version| *version > head) {
            return Err(self.hole(head + 1, later));
        }
        if self.entry_has_changed(start, entry).await? {
            // Without a newer checkpoint it was another program that removed the entry, long ago.
            let newest = self.list().await?.checkpoints.last().map_or(0, |newest| newest.version);
            if newest > start {
                return Err(self.hole(start, newest));
            }
        }
        Ok(replay)
    }

    async fn first_entry<'a>(
        &self,
        spec: &'a TableSpec,
        listing: &Listing,
        with_tombstones: bool,
    ) -> Result<Replay<'a>, StoreError> {
        let Some(bytes) = self.entry(0).await? else {
            return Err(match listing.entries.first() {
                Some(later) => self.hole(0, *later),
                None => StoreError::NotATable { table: self.table.to_owned(), url: self.log.root_url().to_string() },
            });
        };
        let snapshot = Snapshot { version: 0, entry: None, files: Default::default(), fences: Default::default() };
        let mut replay = Replay::new(spec, snapshot);
        replay.tombstones = with_tombstones.then(Default::default);
        replay.apply(0, &bytes)?;
        Ok(replay)
    }

    async fn newest_checkpoint(
        &self,
        listing: &Listing,
    ) -> Result<Option<(CheckpointRef, Vec<(String, Bytes)>)>, StoreError> {
        for checkpoint in listing.checkpoints.iter().rev() {
            // It is only gone if a newer one has replaced it meanwhile, which the entries will tell.
            if let Some(files) = self.checkpoint_files(*checkpoint).await? {
                return Ok(Some((*checkpoint, files)));
            }
        }
        Ok(None)
    }

    /// Whether entries after a snapshot may have been removed: then what stands
    /// behind it is not what was committed there.
    pub(crate) async fn is_cleaned_after(&self, snapshot: &Snapshot) -> Result<bool, StoreError> {
        // Other programs do not clean upwards; of those the hint tells.
        let changed = self.entry_has_changed(snapshot.version, snapshot.entry);
        let (newest, changed) = tokio::try_join!(self.last_checkpoint(), changed)?;
        Ok(changed || newest.is_some_and(|newest| newest.version > snapshot.version))
    }

    /// Whether the entry of a version is not, or is no longer, the one that was known.
    async fn entry_has_changed(&self, version: u64, known: Option<blake3::Hash>) -> Result<bool, StoreError> {
        let Some(known) = known else { return Ok(true) };
        Ok(self.entry(version).await?.is_none_or(|bytes| blake3::hash(&bytes) != known))
    }

    /// Removes an entry that this process has put where it has no effect.
    pub(crate) async fn remove_entry(&self, version: u64) -> Result<(), StoreError> {
        let path = entry_path(version);
        match self.store.delete(&Path::from(path.as_str())).await {
            Ok(()) | Err(ObjectError::NotFound { .. }) => Ok(()),
            Err(error) => Err(StoreError::storage(self.table, "remove", &path, error)),
        }
    }

    /// What the checkpoint of one version holds, if there is one.
    pub(crate) async fn read_checkpoint(&self, spec: &TableSpec, version: u64) -> Result<Option<Snapshot>, StoreError> {
        let checkpoint = CheckpointRef { version, parts: None };
        let Some(files) = self.checkpoint_files(checkpoint).await? else { return Ok(None) };
        checkpoint::replay(spec, checkpoint, files, false).map(|replay| Some(replay.snapshot))
    }

    async fn checkpoint_files(&self, checkpoint: CheckpointRef) -> Result<Option<Vec<(String, Bytes)>>, StoreError> {
        let mut files = Vec::new();
        for path in checkpoint.paths() {
            let Some(bytes) = self.fetch(&path).await? else { return Ok(None) };
            files.push((path, bytes));
        }
        Ok(Some(files))
    }

    fn hole(&self, version: u64, later: u64) -> StoreError {
        StoreError::MissingLogEntry { table: self.table.to_owned(), version, later, path: entry_path(version) }
    }
}
