//! A table: opening or creating it, following its log, reading its files.
//!
//! Invariant: what a snapshot shows is in the log; and two processes that
//! create the same table at once end with one table.

use std::sync::{Arc, PoisonError, RwLock};

use deltalake::logstore::{CommitOrBytes, LogStoreRef};
use object_store::path::Path;
use object_store::{ObjectStore, PutMode, PutOptions, PutPayload};
use url::Url;

use crate::crash::crash_point_in;
use crate::data_file::DataFile;
use crate::encode::EncodedFile;
use crate::error::StoreError;
use crate::lake::{Lake, now_ms, unique_name};
use crate::log::{Entry, LogReader, Replay};
use crate::snapshot::Snapshot;
use crate::spec::TableSpec;

/// A handle on one table. Cloning it is cheap; the clones share what they know.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) lake: Lake,
    pub(crate) spec: TableSpec,
    pub(crate) log: LogStoreRef,
    pub(crate) reader: LogReader,
    /// The newest snapshot that this process knows.
    published: RwLock<Arc<Snapshot>>,
    /// Held by whoever advances the snapshot.
    pub(crate) head: tokio::sync::Mutex<Arc<Snapshot>>,
}

impl Table {
    /// Opens a table, creating it if it does not exist.
    ///
    /// # Errors
    /// [`StoreError::SchemaMismatch`] if it exists with other columns, and
    /// whatever is wrong with its log.
    pub async fn open_or_create(lake: &Lake, spec: TableSpec) -> Result<Self, StoreError> {
        spec.validate()?;
        let log = lake.log_store(spec.name)?;
        let reader = LogReader::new(spec.name, log.clone());
        match reader.load(&spec, false).await {
            Err(StoreError::NotATable { .. }) => create(&spec, &log, &reader).await?,
            Err(error) => return Err(error),
            Ok(replay) => {
                let snapshot = replay.snapshot;
                return Ok(Self::new(lake, spec, log, reader, snapshot));
            }
        }
        let snapshot = reader.load(&spec, false).await?.snapshot;
        Ok(Self::new(lake, spec, log, reader, snapshot))
    }

    /// Opens a table that must exist.
    ///
    /// # Errors
    /// [`StoreError::NotATable`] if it does not, otherwise as
    /// [`Table::open_or_create`].
    pub async fn open(lake: &Lake, spec: TableSpec) -> Result<Self, StoreError> {
        spec.validate()?;
        let log = lake.log_store(spec.name)?;
        let reader = LogReader::new(spec.name, log.clone());
        let snapshot = reader.load(&spec, false).await?.snapshot;
        Ok(Self::new(lake, spec, log, reader, snapshot))
    }

    fn new(lake: &Lake, spec: TableSpec, log: LogStoreRef, reader: LogReader, snapshot: Snapshot) -> Self {
        let snapshot = Arc::new(snapshot);
        Self {
            inner: Arc::new(Inner {
                lake: lake.clone(),
                spec,
                log,
                reader,
                published: RwLock::new(Arc::clone(&snapshot)),
                head: tokio::sync::Mutex::new(snapshot),
            }),
        }
    }

    /// What the table is.
    pub fn spec(&self) -> &TableSpec {
        &self.inner.spec
    }

    /// The lake that it is in.
    pub fn lake(&self) -> &Lake {
        &self.inner.lake
    }

    /// Where it is, for other Delta readers.
    pub fn url(&self) -> &Url {
        self.inner.log.root_url()
    }

    /// The newest version that this process knows. Costs nothing.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.inner.published.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads what was committed since the last known version, at a cost in
    /// proportion to that, and returns the newest version.
    ///
    /// # Errors
    /// If the log cannot be read or is damaged.
    pub async fn refresh(&self) -> Result<Arc<Snapshot>, StoreError> {
        let mut head = self.inner.head.lock().await;
        self.inner.catch_up(&mut head, None).await?;
        Ok(Arc::clone(&head))
    }

    /// Writes a data file, synced, under a name of its own. It becomes part of
    /// the table with an append; without one, vacuum removes it later.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] or [`StoreError::Storage`]; the file may be
    /// there nevertheless, which does no harm.
    pub async fn put_file(&self, file: EncodedFile) -> Result<DataFile, StoreError> {
        let table = self.inner.spec.name;
        let path = data_path();
        let size = file.bytes.len() as u64;
        crash_point_in("store.put_file.before", table);
        let options = PutOptions::from(PutMode::Create);
        let put = self.inner.store().put_opts(&Path::from(path.as_str()), PutPayload::from(file.bytes), options).await;
        put.map_err(|error| StoreError::storage(table, "write", &path, error))?;
        crash_point_in("store.put_file.after", table);
        Ok(DataFile { path, size, rows: file.rows, modified_ms: now_ms(), stats: file.stats })
    }
}

/// A new name for a data file.
pub(crate) fn data_path() -> String {
    format!("part-{}.zstd.parquet", unique_name())
}

async fn create(spec: &TableSpec, log: &LogStoreRef, reader: &LogReader) -> Result<(), StoreError> {
    let entry = Entry::create(spec)?;
    let written = log.write_commit_entry(0, CommitOrBytes::LogBytes(entry.bytes), Default::default()).await;
    match written {
        Ok(()) => Ok(()),
        // Somebody else created it, or this very attempt succeeded in spite of the error.
        Err(_) if reader.entry(0).await?.is_some() => Ok(()),
        Err(error) => Err(StoreError::storage(spec.name, "create", &crate::log::entry_path(0), error)),
    }
}

impl Inner {
    /// The object store whose root is the table's folder.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.log.object_store(None)
    }

    pub(crate) fn publish(&self, snapshot: &Arc<Snapshot>) {
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(snapshot);
    }

    /// Advances `head` to the end of the log. Answers at which version `ours`
    /// took effect, if it is met on the way.
    pub(crate) async fn catch_up(
        &self,
        head: &mut Arc<Snapshot>,
        ours: Option<&Entry>,
    ) -> Result<Option<u64>, StoreError> {
        let mut landed = None;
        let mut replay = Replay::new(&self.spec, Snapshot::clone(head));
        while let Some(bytes) = self.reader.entry(replay.snapshot.version + 1).await? {
            let version = replay.snapshot.version + 1;
            replay.apply(version, &bytes)?;
            if ours.is_some_and(|ours| ours.bytes == bytes) {
                landed = Some(version);
            }
        }
        if self.reader.is_cleaned_after(head).await? {
            return self.reload(head, ours).await;
        }
        if replay.snapshot.version > head.version {
            *head = Arc::new(replay.snapshot);
            self.publish(head);
        }
        Ok(landed)
    }

    /// Reads the table anew. Answers whether `ours` took effect.
    pub(crate) async fn reload(
        &self,
        head: &mut Arc<Snapshot>,
        ours: Option<&Entry>,
    ) -> Result<Option<u64>, StoreError> {
        let replay = self.reader.load(&self.spec, ours.is_some()).await?;
        let removed = replay.tombstones.unwrap_or_default();
        let snapshot = replay.snapshot;
        // Names are unique, so one file that is or was in the table proves the append.
        let landed = ours
            .and_then(|ours| ours.added.first())
            .is_some_and(|path| snapshot.contains(path) || removed.contains_key(path))
            .then_some(snapshot.version);
        *head = Arc::new(snapshot);
        self.publish(head);
        Ok(landed)
    }
}
