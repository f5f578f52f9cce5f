//! The fold as a service: worker threads that own shards, and a committer.
//!
//! Invariants: a shard belongs to one thread; every queue is bounded, so that
//! memory is; a stop drains what was read, and an error loses nothing because
//! it is read again from the watermark.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stempoint_schemas::commit::Commit;
use stempoint_store::ledger::{Ledger, spec};
use stempoint_store::{ParquetEncoder, Tuning};

use super::commit::{Committer, Sealed};
use super::error::FoldError;
use super::open::{check_rules, open_shard};
use super::shard::{Chunk, INGEST_TABLES, Shard};
use crate::dedup::IndexOptions;
use crate::log::{EventLog, Limits, PartitionReader, Topic};

/// How the fold works.
#[derive(Debug, Clone)]
pub struct FoldOptions {
    /// Where the deduplication index lives.
    pub index_folder: PathBuf,
    /// The partitions that this process folds; none stands for all.
    pub partitions: Option<Vec<u32>>,
    /// How many threads fold.
    pub workers: usize,
    /// Rows wait at most so long for their commit, and four times as long where the fold is behind the log.
    pub commit_interval: Duration,
    /// A shard's rows are cut after so many.
    pub batch_rows_max: usize,
    /// A shard's rows are cut after so many bytes of records: refused ones are
    /// kept whole, and each can have megabytes.
    pub batch_bytes_max: usize,
    /// Options of the deduplication index.
    pub index: IndexOptions,
}

impl FoldOptions {
    /// The defaults, with the index in a folder.
    pub fn new(index_folder: PathBuf) -> FoldOptions {
        FoldOptions {
            index_folder,
            partitions: None,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            commit_interval: Duration::from_millis(400),
            batch_rows_max: 131_072,
            batch_bytes_max: 64 << 20,
            index: IndexOptions::default(),
        }
    }
}

/// Records that are decided together: few enough that they stay in the processor's cache from one step to the next.
const CHUNK_RECORDS: usize = 4_096;
const CHUNK_BYTES: usize = 8 << 20;
/// How long a worker waits for a record when none of its shards has any.
const IDLE_WAIT: Duration = Duration::from_millis(20);
/// Where more records are there than a chunk holds, they are late already: fewer and larger files then cost less, each
/// of which has its texts once.
const BEHIND_FACTOR: u32 = 4;
/// Batches that may wait for the committer.
const SEALED_MAX: usize = 2;

/// What the fold tells those who watch it.
pub trait FoldObserver: Send + Sync {
    /// A commit has become visible.
    fn committed(&self, head: &Commit, took: Duration);
}

/// A fold that runs.
pub struct FoldService {
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<Result<(), FoldError>>>,
    committer: Option<JoinHandle<Result<(), FoldError>>>,
}

/// What all threads share.
struct Shared {
    stop: Arc<AtomicBool>,
    /// Per partition the watermark that is committed.
    committed: Vec<AtomicU64>,
    options: FoldOptions,
}

impl FoldService {
    /// Opens all shards at the head and starts to fold. Blocks until the
    /// deduplication indexes have caught up.
    pub fn start(
        ledger: &Ledger,
        log: &Arc<dyn EventLog>,
        options: FoldOptions,
        runtime: &tokio::runtime::Handle,
        observer: Arc<dyn FoldObserver>,
    ) -> Result<FoldService, FoldError> {
        // The head first: what it shows is in the tables that are read after it, whoever commits meanwhile. From
        // tables that are older than the head the deduplication index would miss events.
        let head = runtime.block_on(async {
            let head = ledger.head().await?;
            for table in INGEST_TABLES {
                ledger.table(table).refresh().await?;
            }
            Ok::<Commit, FoldError>(head)
        })?;
        check_rules(&head)?;
        let count = u32::try_from(head.shards.len()).unwrap_or(u32::MAX);
        let partitions: Vec<u32> = options.partitions.clone().unwrap_or_else(|| (0..count).collect());
        let workers = options.workers.clamp(1, partitions.len().max(1));
        let mut owned: Vec<Vec<Source>> = (0..workers).map(|_| Vec::new()).collect();
        for (position, &partition) in partitions.iter().enumerate() {
            let shard = open_shard(ledger, log.as_ref(), &head, partition, &options.index_folder, &options.index)?;
            let reader = log.reader(Topic::Usage, partition, shard.state().watermark)?;
            owned[position % workers].push(Source::new(shard, reader));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let committed = head.shards.iter().map(|shard| AtomicU64::new(shard.watermark)).collect();
        let shared = Arc::new(Shared { stop: Arc::clone(&stop), committed, options });
        let (sender, receiver) = sync_channel(SEALED_MAX);
        let committer = Committer::new(ledger, owned.iter().flatten().map(|source| &source.shard));
        let service = FoldService {
            stop,
            workers: owned
                .into_iter()
                .enumerate()
                .map(|(number, sources)| {
                    let (shared, sender) = (Arc::clone(&shared), sender.clone());
                    spawn(format!("fold-{number}"), move || work(&shared, sources, &sender))
                })
                .collect::<Result<_, _>>()?,
            committer: Some(spawn("fold-commit".to_owned(), {
                let (shared, runtime) = (Arc::clone(&shared), runtime.clone());
                move || commit_all(&shared, committer, &receiver, &runtime, observer.as_ref())
            })?),
        };
        Ok(service)
    }

    /// Whether a thread has ended, which it does on its own only after an
    /// error.
    pub fn has_stopped(&self) -> bool {
        self.workers.iter().any(JoinHandle::is_finished) || self.committer.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Asks all threads to stop, waits until what was read is committed, and
    /// says what went wrong, if anything did.
    pub fn stop(mut self) -> Result<(), FoldError> {
        self.stop.store(true, Ordering::SeqCst);
        let mut result = Ok(());
        for worker in self.workers.drain(..) {
            let ended = worker.join().unwrap_or(Err(FoldError::Thread));
            result = result.and(ended);
        }
        // The workers' senders are gone, so the committer ends too.
        let ended = self.committer.take().map_or(Ok(()), |thread| thread.join().unwrap_or(Err(FoldError::Thread)));
        ended.and(result)
    }
}

fn spawn(
    name: String,
    body: impl FnOnce() -> Result<(), FoldError> + Send + 'static,
) -> Result<JoinHandle<Result<(), FoldError>>, FoldError> {
    std::thread::Builder::new().name(name).spawn(body).map_err(|_| FoldError::Thread)
}

/// A shard with its reader and the rows that wait to be cut.
struct Source {
    shard: Shard,
    reader: Box<dyn PartitionReader>,
    chunk: Chunk,
    waiting: usize,
    waiting_bytes: usize,
    waiting_since: Option<Instant>,
}

impl Source {
    fn new(shard: Shard, reader: Box<dyn PartitionReader>) -> Source {
        Source { shard, reader, chunk: Chunk::default(), waiting: 0, waiting_bytes: 0, waiting_since: None }
    }

    /// Reads and decides what is there, up to a chunk. Says how many records
    /// there were.
    fn fold(&mut self, wait: Duration) -> Result<usize, FoldError> {
        self.chunk.clear();
        let limits = Limits { records_max: CHUNK_RECORDS, bytes_max: CHUNK_BYTES };
        let chunk = &mut self.chunk;
        let next = self.reader.poll(limits, wait, &mut |record| chunk.push(record))?;
        if next == self.shard.state().watermark {
            return Ok(0);
        }
        self.shard.fold(&self.chunk, next)?;
        self.waiting += self.chunk.len();
        self.waiting_bytes += self.chunk.bytes();
        self.waiting_since.get_or_insert_with(Instant::now);
        Ok(self.chunk.len())
    }

    /// Whether the last chunk was full, so that more is there already.
    fn is_behind(&self) -> bool {
        self.chunk.len() >= CHUNK_RECORDS || self.chunk.bytes() >= CHUNK_BYTES
    }

    fn is_due(&self, options: &FoldOptions) -> bool {
        let interval = options.commit_interval * if self.is_behind() { BEHIND_FACTOR } else { 1 };
        self.waiting >= options.batch_rows_max
            || self.waiting_bytes >= options.batch_bytes_max
            || self.waiting_since.is_some_and(|since| since.elapsed() >= interval)
    }

    fn seal(&mut self, encoders: &Encoders) -> Result<Sealed, FoldError> {
        let files = self
            .shard
            .take_rows()?
            .into_iter()
            .map(|(table, batch)| Ok((table, encoders.get(table.name).encode(&[batch])?)))
            .collect::<Result<_, FoldError>>()?;
        self.waiting = 0;
        self.waiting_bytes = 0;
        self.waiting_since = None;
        Ok(Sealed { partition: self.shard.partition(), state: self.shard.state().clone(), files })
    }
}

/// One encoder per ingest table.
struct Encoders(Vec<(&'static str, ParquetEncoder)>);

impl Encoders {
    fn new() -> Encoders {
        Encoders(INGEST_TABLES.iter().map(|t| (t.name, ParquetEncoder::new(&spec(t), Tuning::Hot))).collect())
    }

    fn get(&self, table: &str) -> &ParquetEncoder {
        let index = self.0.iter().position(|(name, _)| *name == table).unwrap_or_default();
        &self.0[index].1
    }
}

fn work(shared: &Shared, mut sources: Vec<Source>, sender: &SyncSender<Sealed>) -> Result<(), FoldError> {
    let encoders = Encoders::new();
    let mut idle = false;
    loop {
        let stopping = shared.stop.load(Ordering::SeqCst);
        let mut read = 0;
        for (position, source) in sources.iter_mut().enumerate() {
            // Only the first waits, so that the others are looked at soon.
            let wait = if idle && position == 0 && !stopping { IDLE_WAIT } else { Duration::ZERO };
            if !stopping {
                read += source.fold(wait)?;
            }
            let partition = source.shard.partition() as usize;
            source.shard.committed(shared.committed[partition].load(Ordering::SeqCst))?;
            if source.waiting_since.is_some() && (stopping || source.is_due(&shared.options)) {
                let sealed = source.seal(&encoders)?;
                if sender.send(sealed).is_err() {
                    // The committer has stopped and says why.
                    return Ok(());
                }
            }
        }
        if stopping {
            return Ok(());
        }
        idle = read == 0;
    }
}

fn commit_all(
    shared: &Shared,
    mut committer: Committer,
    receiver: &Receiver<Sealed>,
    runtime: &tokio::runtime::Handle,
    observer: &dyn FoldObserver,
) -> Result<(), FoldError> {
    while let Ok(first) = receiver.recv() {
        let started = Instant::now();
        let mut sealed = vec![first];
        sealed.extend(receiver.try_iter().take(SEALED_MAX * 4));
        match runtime.block_on(committer.commit(sealed)) {
            Ok(head) => {
                for (committed, shard) in shared.committed.iter().zip(&head.shards) {
                    committed.fetch_max(shard.watermark, Ordering::SeqCst);
                }
                observer.committed(&head, started.elapsed());
            }
            Err(error) => {
                shared.stop.store(true, Ordering::SeqCst);
                return Err(error);
            }
        }
    }
    Ok(())
}
