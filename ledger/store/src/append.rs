//! Appending exactly once, without reading the table first.
//!
//! A blind append is a legal commit of the Delta protocol whose cost does not
//! depend on the size of the table. What makes it exactly once is the fence: a
//! named number in the log (`txn`) that each append moves from where its
//! writer believes it to be. A writer that was replaced finds its fence moved
//! and writes nothing.
//!
//! Invariant: an append moves a fence only from the value that its writer
//! named, and its files are in the table if and only if it did. The next
//! version is tried only when another entry is known to hold the one before,
//! so that not even a put that is executed late can land twice.

use std::sync::Arc;
use std::time::Duration;

use deltalake::kernel::transaction::TransactionError;
use deltalake::logstore::CommitOrBytes;

use crate::crash::crash_point_in;
use crate::data_file::DataFile;
use crate::error::StoreError;
use crate::log::{Entry, Operation, entry_path};
use crate::snapshot::Snapshot;
use crate::sync::sync_folder;
use crate::table::{Inner, Table};

/// How often an append gives way to faster writers.
const CONFLICTS_MAX: usize = 1000;
/// How often a put that failed for no known reason is repeated.
const FAILURES_MAX: u32 = 4;
/// The wait before the first repetition; it doubles each time.
const FAILURE_WAIT: Duration = Duration::from_millis(20);

/// One fence and where an append moves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Its name, for example `ingest/3`.
    pub app: String,
    /// Where the writer believes it to stand; `None` if it was never set.
    pub from: Option<i64>,
    /// Where it stands after the append.
    pub to: i64,
}

/// What became of [`Table::append`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// The files are in the table and the fences stand where they should.
    Done {
        /// The version of the log at which that was so.
        version: u64,
    },
    /// Nothing was written by this call: a fence stands elsewhere. If all of
    /// them stand where this append would have moved them, an earlier attempt
    /// with other files may have succeeded.
    Overtaken {
        /// The fences that were named, with where they stand.
        current: Vec<(String, Option<i64>)>,
    },
}

/// What became of [`Table::append_at`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendedAt {
    /// The files are in the table, at that version.
    Done,
    /// Nothing was written: the version was taken.
    Conflict,
}

/// What became of an entry.
pub(crate) enum Outcome {
    /// It is in the log; this version shows it.
    Landed(u64),
    /// It is not in the log and never will be.
    Refused,
}

impl Table {
    /// Adds files and moves fences, in one commit, behind whatever others
    /// have committed meanwhile.
    ///
    /// The files must have been written with [`Table::put_file`]. After an
    /// error, or if the call is dropped, the outcome is unknown until the
    /// fences are read again with [`Table::refresh`].
    ///
    /// # Errors
    /// [`StoreError::InvalidFence`], [`StoreError::TooManyConflicts`],
    /// [`StoreError::UnknownOutcome`], or an error of the storage.
    pub async fn append(&self, files: Vec<DataFile>, fences: &[Fence]) -> Result<Appended, StoreError> {
        let entry = self.inner.append_entry(&files, fences)?;
        let mut head = self.inner.head.lock().await;
        let in_place = |snapshot: &Snapshot| fences.iter().all(|fence| snapshot.fence(&fence.app) == fence.from);
        if fences.is_empty() && files.is_empty() {
            return Ok(Appended::Done { version: head.version });
        }
        if !in_place(&head) {
            // The caller may repeat an append whose outcome it did not learn.
            self.inner.catch_up(&mut head, None).await?;
            if files.first().is_some_and(|file| head.contains(&file.path)) {
                return Ok(Appended::Done { version: head.version });
            }
        }
        match self.inner.commit(&mut head, &entry, &in_place, fences.is_empty()).await? {
            Outcome::Landed(version) => Ok(Appended::Done { version }),
            Outcome::Refused => {
                let current = fences.iter().map(|fence| (fence.app.clone(), head.fence(&fence.app))).collect();
                Ok(Appended::Overtaken { current })
            }
        }
    }

    /// Adds files and moves fences in exactly this version of the log, which
    /// must follow the newest one: for tables in which each commit builds on
    /// the one before.
    ///
    /// # Errors
    /// As [`Table::append`].
    pub async fn append_at(
        &self,
        version: u64,
        files: Vec<DataFile>,
        fences: &[Fence],
    ) -> Result<AppendedAt, StoreError> {
        let entry = self.inner.append_entry(&files, fences)?;
        let mut head = self.inner.head.lock().await;
        let is_next = |snapshot: &Snapshot| snapshot.version.checked_add(1) == Some(version);
        match self.inner.commit(&mut head, &entry, &is_next, false).await? {
            Outcome::Landed(_) => Ok(AppendedAt::Done),
            Outcome::Refused => Ok(AppendedAt::Conflict),
        }
    }
}

impl Inner {
    fn append_entry(&self, files: &[DataFile], fences: &[Fence]) -> Result<Entry, StoreError> {
        for fence in fences {
            let twice = fences.iter().filter(|other| other.app == fence.app).count() > 1;
            if twice || fence.from.is_some_and(|from| fence.to <= from) {
                return Err(StoreError::InvalidFence {
                    table: self.spec.name.to_owned(),
                    app: fence.app.clone(),
                    from: fence.from,
                    to: fence.to,
                });
            }
        }
        let moves = fences.iter().map(|fence| (fence.app.clone(), fence.to));
        Entry::new(self.spec.name, Operation::Append, moves, files, &[])
    }

    /// Puts an entry at the end of the log, as long as `may_follow` agrees to
    /// what it would follow. `blind` says that nothing else tells whether the
    /// entry is in the log when the log itself no longer does.
    pub(crate) async fn commit(
        &self,
        head: &mut Arc<Snapshot>,
        entry: &Entry,
        may_follow: &(dyn Fn(&Snapshot) -> bool + Sync),
        blind: bool,
    ) -> Result<Outcome, StoreError> {
        let mut failures = 0;
        for _ in 0..CONFLICTS_MAX {
            if !may_follow(head) {
                // What this process knows may be old.
                if let Some(version) = self.catch_up(head, Some(entry)).await? {
                    return Ok(Outcome::Landed(version));
                }
                if !may_follow(head) {
                    return Ok(Outcome::Refused);
                }
            }
            let version = head.version + 1;
            let Err(error) = self.write_entry(version, entry).await else {
                if let Some(version) = self.confirm(head, version, entry).await? {
                    return Ok(Outcome::Landed(version));
                }
                if blind {
                    return Err(StoreError::UnknownOutcome { table: self.spec.name.to_owned() });
                }
                continue;
            };
            // Whatever the error says, only the log tells who has the version.
            if let Some(version) = self.catch_up(head, Some(entry)).await? {
                self.sync_log().await?;
                return Ok(Outcome::Landed(version));
            }
            if head.version < version {
                failures += 1;
                self.wait_to_repeat(error, version, failures).await?;
            }
        }
        Err(StoreError::TooManyConflicts { table: self.spec.name.to_owned(), attempts: CONFLICTS_MAX })
    }

    async fn write_entry(&self, version: u64, entry: &Entry) -> Result<(), TransactionError> {
        crash_point_in("store.commit.before", self.spec.name);
        let lines = CommitOrBytes::LogBytes(entry.bytes.clone());
        self.log.write_commit_entry(version, lines, Default::default()).await?;
        crash_point_in("store.commit.after", self.spec.name);
        Ok(())
    }

    /// Checks that a version that could be written was the end of the log, and
    /// not a place from which an entry had been cleaned up.
    async fn confirm(&self, head: &mut Arc<Snapshot>, version: u64, entry: &Entry) -> Result<Option<u64>, StoreError> {
        if self.reader.is_cleaned_after(head).await? {
            let landed = self.reload(head, Some(entry)).await?;
            if landed.is_none() && head.version > version {
                self.reader.remove_entry(version).await?;
            }
            return Ok(landed);
        }
        let mut replay = crate::log::Replay::new(&self.spec, Snapshot::clone(head));
        replay.apply(version, &entry.bytes)?;
        *head = Arc::new(replay.snapshot);
        self.publish(head);
        Ok(Some(version))
    }

    async fn wait_to_repeat(&self, error: TransactionError, version: u64, failures: u32) -> Result<(), StoreError> {
        let error = StoreError::storage(self.spec.name, "write", &entry_path(version), error);
        if failures >= FAILURES_MAX || matches!(error, StoreError::DiskFull { .. }) {
            return Err(error);
        }
        tracing::warn!(table = self.spec.name, version, failures, %error, "a commit failed and is repeated");
        tokio::time::sleep(FAILURE_WAIT * 2_u32.saturating_pow(failures - 1)).await;
        Ok(())
    }

    /// An entry whose put reported an error may be visible without its name
    /// being on disk yet.
    async fn sync_log(&self) -> Result<(), StoreError> {
        let Some(folder) = self.lake.table_folder(self.spec.name) else { return Ok(()) };
        let folder = folder.join(crate::log::LOG_FOLDER);
        let synced = tokio::task::spawn_blocking(move || sync_folder(&folder)).await;
        synced
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(|error| StoreError::storage(self.spec.name, "sync", crate::log::LOG_FOLDER, error))
    }
}
