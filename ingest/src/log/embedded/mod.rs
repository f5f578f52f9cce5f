//! The embedded log: durable on one machine, on the storage engine fjall.
//!
//! One writer thread does group commit: it takes what is queued, assigns
//! offsets and record times, writes blocks of records (`block`) as one atomic
//! batch with one fsync, publishes the new ends and answers the receipts.
//! Readers share nothing with it but the ends and the list of segments. A
//! segment is a keyspace of the engine, dropped as a whole when it is trimmed.
//!
//! Invariant: what a receipt confirms is found again after a crash, a power
//! loss or a full disk; a folder has one owner; memory is bounded
//! (`options`). After a failed write the log takes no more records until it
//! is opened again, because the engine cannot tell what reached the disk.

mod acknowledged;
mod block;
mod options;
mod preflight;
mod queue;
mod reader;
mod shared;
mod store;
mod torn_tail;
mod writer;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

pub use options::EmbeddedOptions;

use self::acknowledged::Witness;
use self::queue::{Job, Queue};
use self::reader::Reader;
use self::shared::Shared;
use self::store::Store;
use self::writer::Writer;
use super::receipt::promise;
use super::{Batch, EventLog, LogError, PartitionReader, Receipt, Topic};

/// An event log in a folder of this machine.
pub struct EmbeddedLog {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
    /// Unlocks the folder when it is closed, which must come last.
    _lock: File,
}

impl EmbeddedLog {
    /// Opens the log in `folder`, or creates it there.
    ///
    /// # Errors
    /// [`LogError::Locked`] when it is open already,
    /// [`LogError::PartitionMismatch`] when it was created with another number
    /// of partitions, [`LogError::Shorter`] when acknowledged records are
    /// missing, and when the files cannot be read or written.
    pub fn open(folder: &Path, options: EmbeddedOptions) -> Result<Self, LogError> {
        options.check()?;
        let lock = take_lock(folder)?;
        let (witness, acknowledged) = Witness::open(&folder.join("acknowledged"))?;
        let db = folder.join("db");
        preflight::check(&db, acknowledged.iter().any(|&end| end > 0))?;
        let kept = folder.join("torn");
        let was_torn = torn_tail::cut(&db, &kept)?;
        let (store, recovered) = Store::open(&db, &options)?;
        sync_names(folder)?;
        recovered.check(&acknowledged, witness.path())?;
        if was_torn {
            fs::remove_file(&kept).map_err(|source| storage("open", source))?;
        }

        let shared = Arc::new(Shared::new(&recovered));
        let queue = Arc::new(Queue::new(options.queue_bytes, options.queue_wait));
        let writer = Writer::new(store, recovered, witness, Arc::clone(&shared), Arc::clone(&queue), &options);
        let writer = std::thread::Builder::new()
            .name("event-log-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| storage("start the writer of", source))?;
        Ok(Self { shared, queue, writer: Some(writer), _lock: lock })
    }

    /// Leaves the next `unused` offsets of a partition without a record, as
    /// transactions do on Kafka, so that tests can show that nobody counts on
    /// consecutive offsets.
    ///
    /// # Errors
    /// As [`EventLog::trim`].
    #[doc(hidden)]
    pub fn leave_gap(&self, topic: Topic, partition: u32, unused: u64) -> Result<(), LogError> {
        self.shared.partition(topic, partition)?;
        let (done, answer) = sync_channel(1);
        self.queue.push(Job::Gap { topic, partition, unused, done });
        answer.recv().unwrap_or(Err(LogError::Closed))
    }
}

impl EventLog for EmbeddedLog {
    fn partitions(&self, topic: Topic) -> u32 {
        self.shared.partitions(topic)
    }

    fn submit(&self, topic: Topic, batch: Batch) -> Receipt {
        if let Err(error) = batch.check() {
            return Receipt::ready(Err(error));
        }
        let (promise, receipt) = promise();
        self.queue.push(Job::Append { topic, batch, promise });
        receipt
    }

    fn ends(&self, topic: Topic) -> Result<Vec<u64>, LogError> {
        Ok(self.shared.bounds(topic).map(|(_, end)| end).collect())
    }

    fn starts(&self, topic: Topic) -> Result<Vec<u64>, LogError> {
        Ok(self.shared.bounds(topic).map(|(start, _)| start).collect())
    }

    fn reader(&self, topic: Topic, partition: u32, from: u64) -> Result<Box<dyn PartitionReader>, LogError> {
        let reader = Reader::new(Arc::clone(&self.shared), topic, partition, from)?;
        Ok(Box::new(reader))
    }

    fn trim(&self, topic: Topic, partition: u32, below: u64) -> Result<(), LogError> {
        self.shared.partition(topic, partition)?;
        let (done, answer) = sync_channel(1);
        self.queue.push(Job::Trim { topic, partition, below, done });
        answer.recv().unwrap_or(Err(LogError::Closed))
    }
}

impl Drop for EmbeddedLog {
    /// Writes what is queued, answers it, and closes the folder.
    fn drop(&mut self) {
        self.queue.stop(LogError::Closed);
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the event log's writer ended unexpectedly");
        }
        self.shared.close();
    }
}

/// Makes sure that nobody else has the folder open.
fn take_lock(folder: &Path) -> Result<File, LogError> {
    let opened = fs::create_dir_all(folder)
        .and_then(|()| File::options().write(true).create(true).truncate(false).open(folder.join("lock")));
    let lock = opened.map_err(|source| storage("create", source))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(LogError::Locked { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(storage("lock", source)),
    }
}

/// Makes the names of the log's folder and of what is in it survive a power
/// cut. The engine does so only for what is in its own folder.
fn sync_names(folder: &Path) -> Result<(), LogError> {
    let sync = |folder: &Path| File::open(folder).and_then(|folder| folder.sync_all());
    let parent = fs::canonicalize(folder).map(|path| path.parent().map(Path::to_owned));
    sync(folder)
        .and(parent)
        .and_then(|parent| parent.as_deref().map_or(Ok(()), sync))
        .map_err(|source| storage("sync", source))
}

/// An input or output error outside the engine.
fn storage(doing: &'static str, source: io::Error) -> LogError {
    LogError::Storage {
        doing,
        advice: "check that the folder exists, can be written, and that the disk has space",
        source: Arc::new(source),
    }
}
