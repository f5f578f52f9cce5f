//! The settlement service: one thread that handles control events in order
//! and adds up usage ahead of the next settle event.
//!
//! Invariants: one control event at a time; each table is fenced by the next
//! control offset and skipped where it is ahead, so that a leader replaced in
//! the middle neither repeats nor skips (1); an event's rows are visible only
//! once all tables have them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stempoint_core::control::{self, Act};
use stempoint_core::settlement::{ControlRecord, Need, Outcome, Pending, Settlement, Supply};
use stempoint_core::usage::Usage;
use stempoint_schemas::canonical::CanonicalRows;
use stempoint_schemas::commit::Commit;
use stempoint_schemas::hash::{self, Hash, Tree};
use stempoint_schemas::tables::{self, CHARGES, CONTROL, JOURNAL, PRICES};
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::crash::crash_point;
use stempoint_store::ledger::{Ledger, overlaps, spec};
use stempoint_store::{Appended, Fence, ParquetEncoder, ReadOptions, Tuning};

use super::aggregate::{self, Aggregator, METERED};
use super::error::SettleError;
use super::{restore, rows};
use crate::fold::check_log;
use crate::log::{Batch, EventLog, Limits, PartitionReader, Topic};

/// The name of settlement's fence in each of its tables.
const FENCE: &str = "settlement";
/// The source of the leader's own control events.
pub const LEADER_SOURCE: &str = "settlement/leader";
/// How long the service waits for a control event.
const IDLE_WAIT: Duration = Duration::from_millis(25);

/// How settlement works.
#[derive(Debug, Clone)]
pub struct SettleOptions {
    /// A settle event is appended after so many rows.
    pub rows_max: u64,
    /// A settle event is appended after so long, if there are rows.
    pub interval: Duration,
    /// Whether this process appends settle events of its own.
    pub leads: bool,
    /// The currency of customers for whom nothing else was said.
    pub default_currency: String,
}

impl Default for SettleOptions {
    fn default() -> SettleOptions {
        SettleOptions {
            rows_max: 1_000_000,
            interval: Duration::from_secs(600),
            leads: true,
            default_currency: "USD".to_owned(),
        }
    }
}

/// What settlement tells those who watch it.
pub trait SettleObserver: Send + Sync {
    /// A control event was handled; so many usage rows were settled by it and
    /// settlement was busy with it for so long, adding up included.
    fn handled(&self, outcome: &Outcome, rows: u64, busy: Duration);
}

/// A settlement that runs.
pub struct SettleService {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), SettleError>>,
}

impl SettleService {
    /// Restores the state at the head and starts.
    pub fn start(
        ledger: &Ledger,
        log: &Arc<dyn EventLog>,
        options: SettleOptions,
        runtime: &tokio::runtime::Handle,
        observer: Arc<dyn SettleObserver>,
    ) -> Result<SettleService, SettleError> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut settler = Settler::open(ledger, log, options, runtime, observer, Arc::clone(&stop))?;
        let thread = std::thread::Builder::new()
            .name("settlement".to_owned())
            .spawn(move || settler.run())
            .map_err(|_| SettleError::Thread)?;
        Ok(SettleService { stop, thread })
    }

    /// Whether the thread has ended, which it does on its own only after an
    /// error.
    pub fn has_stopped(&self) -> bool {
        self.thread.is_finished()
    }

    /// Finishes the control event at hand, stops, and says what went wrong.
    pub fn stop(self) -> Result<(), SettleError> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap_or(Err(SettleError::Thread))
    }
}

/// A record of the control topic, owned.
struct Record {
    offset: u64,
    recorded_us: i64,
    key: Option<Vec<u8>>,
    value: Vec<u8>,
}

/// Usage that was added up ahead of its settle event.
struct Ahead {
    aggregator: Aggregator,
    since: Instant,
    busy: Duration,
    /// Whether the settle event for it is on the log.
    asked: bool,
}

struct Settler {
    ledger: Ledger,
    log: Arc<dyn EventLog>,
    options: SettleOptions,
    runtime: tokio::runtime::Handle,
    observer: Arc<dyn SettleObserver>,
    stop: Arc<AtomicBool>,
    settlement: Settlement,
    tree: Tree,
    reader: Box<dyn PartitionReader>,
    ahead: Option<Ahead>,
}

impl Settler {
    fn open(
        ledger: &Ledger,
        log: &Arc<dyn EventLog>,
        options: SettleOptions,
        runtime: &tokio::runtime::Handle,
        observer: Arc<dyn SettleObserver>,
        stop: Arc<AtomicBool>,
    ) -> Result<Settler, SettleError> {
        // The head first: what it shows is in the tables that are read after it.
        let head = runtime.block_on(async {
            let head = ledger.head().await?;
            for table in [&CONTROL, &PRICES, &CHARGES, &JOURNAL] {
                ledger.table(table).refresh().await?;
            }
            Ok::<Commit, SettleError>(head)
        })?;
        check_log(log.as_ref(), Topic::Control, 0, head.control_offset, head.control_record)?;
        let settlement = restore::settlement(ledger, &head, &options.default_currency)?;
        let reader = log.reader(Topic::Control, 0, head.control_offset)?;
        Ok(Settler {
            ledger: ledger.clone(),
            log: Arc::clone(log),
            options,
            runtime: runtime.clone(),
            observer,
            stop,
            settlement,
            tree: head.settlement,
            reader,
            ahead: None,
        })
    }

    fn run(&mut self) -> Result<(), SettleError> {
        let mut wait = Duration::ZERO;
        while !self.stopping() {
            let mut records = Vec::new();
            let limits = Limits { records_max: 64, bytes_max: 16 << 20 };
            self.reader.poll(limits, wait, &mut |record| {
                records.push(Record {
                    offset: record.offset,
                    recorded_us: record.time_us,
                    key: record.key.map(<[u8]>::to_vec),
                    value: record.value.to_vec(),
                });
            })?;
            let idle = records.is_empty();
            for record in records {
                if !self.handle(&record)? {
                    return Ok(());
                }
            }
            let worked = self.work_ahead()?;
            wait = if idle && !worked { IDLE_WAIT } else { Duration::ZERO };
        }
        Ok(())
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Adds up what has become visible, and appends a settle event when it is
    /// due. Says whether there was anything to do.
    fn work_ahead(&mut self) -> Result<bool, SettleError> {
        if !self.options.leads || self.ahead.as_ref().is_some_and(|ahead| ahead.asked) {
            return Ok(false);
        }
        let visible = self.runtime.block_on(self.ledger.head())?.visible();
        let from = self.ahead.as_ref().map_or_else(|| self.settlement.settled().clone(), |a| a.aggregator.to().clone());
        let to = self.next_step(&from, &visible);
        let worked = to != from;
        if worked {
            let started = Instant::now();
            let mut ahead = self.ahead.take().unwrap_or_else(|| Ahead {
                aggregator: Aggregator::new(from.clone(), from.clone(), &self.options.default_currency),
                since: started,
                busy: Duration::ZERO,
                asked: false,
            });
            ahead.aggregator.extend_to(to);
            self.add_up(&mut ahead.aggregator)?;
            ahead.busy += started.elapsed();
            self.ahead = Some(ahead);
        }
        let due = self.ahead.as_ref().is_some_and(|ahead| {
            ahead.aggregator.rows() >= self.options.rows_max || ahead.since.elapsed() >= self.options.interval
        });
        if due && let Some(ahead) = &mut self.ahead {
            let watermarks = ahead.aggregator.to().clone();
            ahead.asked = true;
            self.log.submit(Topic::Control, settle_event(LEADER_SOURCE, &watermarks)).wait()?;
        }
        Ok(worked)
    }

    /// A vector between `from` and `visible`, so that one settle event stays
    /// near its number of rows.
    fn next_step(&self, from: &Watermarks, visible: &Watermarks) -> Watermarks {
        let partitions = visible.len().max(1) as u64;
        let step = self.options.rows_max.div_ceil(partitions).max(1);
        let mut to = from.clone();
        for (partition, offset) in visible.iter() {
            to.set(partition, offset.min(from.get(partition).saturating_add(step)).max(from.get(partition)));
        }
        to
    }

    fn add_up(&self, aggregator: &mut Aggregator) -> Result<(), SettleError> {
        let (from, to) = (aggregator.from().clone(), aggregator.to().clone());
        for table in METERED {
            let stored = self.ledger.table(table);
            self.runtime.block_on(stored.refresh())?;
            for file in stored.snapshot().files() {
                if !to.iter().any(|(partition, end)| overlaps(file, partition, from.get(partition), end)) {
                    continue;
                }
                let options = ReadOptions {
                    columns: Some(aggregate::columns(table)),
                    dictionaries: true,
                    ..ReadOptions::default()
                };
                for batch in stored.read_file(file, &options)? {
                    aggregator.add(table, &batch?)?;
                }
            }
        }
        Ok(())
    }

    /// Handles one control event; false where the service was asked to stop
    /// while it waited.
    fn handle(&mut self, record: &Record) -> Result<bool, SettleError> {
        let control = ControlRecord {
            offset: record.offset,
            recorded_us: record.recorded_us,
            key: record.key.as_deref(),
            value: &record.value,
        };
        let pending = self.settlement.read(control);
        let started = Instant::now();
        let Some((supplied, mut busy)) = self.supply(&pending, record.offset)? else { return Ok(false) };
        let (outcome, settled_rows) = match supplied {
            Supplied::Ready(supply) => {
                let settled_rows = if let Supply::Usage(usage) = &supply { usage.rows } else { 0 };
                (self.settlement.apply(pending, supply)?, settled_rows)
            }
            Supplied::Refused(reason) => (self.settlement.refuse(pending, reason), 0),
        };
        self.write(&outcome, hash::record_hash(record.key.as_deref(), &record.value))?;
        busy += started.elapsed();
        self.observer.handled(&outcome, settled_rows, busy);
        Ok(true)
    }

    /// Reads what an event needs; `None` where the service was asked to stop.
    fn supply(&mut self, pending: &Pending, offset: u64) -> Result<Option<(Supplied, Duration)>, SettleError> {
        let supply = match &pending.need {
            Need::Nothing => Supply::Nothing,
            Need::Charges(filter) => {
                Supply::Charges(restore::charges(&self.ledger, &mut self.settlement, offset, filter)?)
            }
            Need::Usage { from, to } => {
                let ends = Watermarks::from_vec(self.log.ends(Topic::Usage)?);
                if to.len() > ends.len() || !ends.covers(to) {
                    let reason = format!("the watermarks {to} lie beyond the end of the log, which is {ends}");
                    return Ok(Some((Supplied::Refused(reason), Duration::ZERO)));
                }
                if !self.wait_until_visible(to)? {
                    return Ok(None);
                }
                let (usage, busy) = self.usage(from, to)?;
                return Ok(Some((Supplied::Ready(Supply::Usage(usage)), busy)));
            }
        };
        Ok(Some((Supplied::Ready(supply), Duration::ZERO)))
    }

    fn wait_until_visible(&self, to: &Watermarks) -> Result<bool, SettleError> {
        loop {
            if self.runtime.block_on(self.ledger.head())?.visible().covers(to) {
                return Ok(true);
            }
            if self.stopping() {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The usage between two vectors: added up ahead if that fits, else now.
    fn usage(&mut self, from: &Watermarks, to: &Watermarks) -> Result<(Usage, Duration), SettleError> {
        if let Some(mut ahead) = self.ahead.take()
            && ahead.aggregator.start() == from
            && to.covers(ahead.aggregator.to())
        {
            if ahead.aggregator.to() != to {
                ahead.aggregator.extend_to(to.clone());
                self.add_up(&mut ahead.aggregator)?;
            }
            return Ok((ahead.aggregator.finish(), ahead.busy));
        }
        let mut aggregator = Aggregator::new(from.clone(), to.clone(), &self.options.default_currency);
        self.add_up(&mut aggregator)?;
        Ok((aggregator.finish(), Duration::ZERO))
    }

    fn write(&mut self, outcome: &Outcome, record: Hash) -> Result<(), SettleError> {
        let offset = outcome.control.offset;
        let next = offset + 1;
        let mut bytes = Vec::new();
        crash_point("settlement.before_tables");
        for (table, batch) in rows::batches(&self.settlement, outcome)? {
            let canonical = CanonicalRows::new(&batch)?;
            for row in 0..canonical.len() {
                bytes.clear();
                canonical.write(row, &mut bytes);
                self.tree.push(hash::settlement_leaf(table.name, &bytes));
            }
            self.runtime.block_on(append(&self.ledger, table, next, &batch))?;
            crash_point("settlement.after_table");
        }
        let (tree, settled) = (&self.tree, self.settlement.settled());
        self.runtime.block_on(self.ledger.advance(|commit| advance(commit, next, record, tree, settled)))?;
        crash_point("settlement.after_commit");
        Ok(())
    }
}

enum Supplied {
    Ready(Supply),
    Refused(String),
}

/// Appends the rows of one control event, unless the table has them.
async fn append(
    ledger: &Ledger,
    table: &'static tables::Table,
    next: u64,
    batch: &arrow::array::RecordBatch,
) -> Result<(), SettleError> {
    let stored = ledger.table(table);
    let to = next.cast_signed();
    let mut from = stored.snapshot().fence(FENCE);
    while from.is_none_or(|from| from < to) {
        let encoded = ParquetEncoder::new(&spec(table), Tuning::Hot).encode(std::slice::from_ref(batch))?;
        let file = stored.put_file(encoded).await?;
        let fence = Fence { app: FENCE.to_owned(), from, to };
        match stored.append(vec![file], &[fence]).await? {
            Appended::Done { .. } => return Ok(()),
            Appended::Overtaken { .. } => from = stored.refresh().await?.fence(FENCE),
        }
    }
    Ok(())
}

fn advance(commit: &mut Commit, next: u64, record: Hash, tree: &Tree, settled: &Watermarks) -> bool {
    if commit.control_offset >= next {
        return false;
    }
    commit.control_offset = next;
    commit.control_record = Some(record);
    commit.settlement = tree.clone();
    for (partition, shard) in commit.shards.iter_mut().enumerate() {
        shard.settled = shard.settled.max(settled.get(partition as u32));
    }
    true
}

/// A settle event for these watermarks. The same watermarks have the same id,
/// so that two leaders do not settle them twice.
pub fn settle_event(source: &str, watermarks: &Watermarks) -> Batch {
    use prost::Message;
    let event = control::to_proto(&settle_id(watermarks), &Act::Settle(watermarks.clone()));
    let mut batch = Batch::new();
    batch.push(source.as_bytes(), &event.encode_to_vec());
    batch
}

fn settle_id(watermarks: &Watermarks) -> String {
    let whole = watermarks.to_string();
    format!("settle-{}", hash::hex(&hash::content_hash(b"settle", whole.as_bytes())[..16]))
}
