//! The settlement service: one thread that handles control events in order
//! and adds up usage ahead of the next settle event.
//!
//! Invariant 1: one control event at a time, each written before the next one
//! is looked at.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stempoint_core::control::{self, Act};
use stempoint_core::settlement::{ControlRecord, ControlRow, Need, Pending, Settlement, Supply};
use stempoint_schemas::commit::Commit;
use stempoint_schemas::hash::{self, Tree};
use stempoint_schemas::tables::SETTLEMENT;
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::ledger::Ledger;

use super::aggregate::METERED;
use super::ahead::{Due, UsageAhead};
use super::checkpoint::Checkpoints;
use super::error::SettleError;
use super::recorded::{REACH_WAIT, is_older_than};
use super::write::write;
use super::{restore, rows};
use crate::fold::{check_log, check_rules};
use crate::log::{Batch, EventLog, Limits, PartitionReader, Topic};

/// The source of the leader's own control events.
pub const LEADER_SOURCE: &str = "settlement/leader";
/// How long the service waits for a control event.
const IDLE_WAIT: Duration = Duration::from_millis(25);

/// How settlement works.
#[derive(Debug, Clone)]
pub struct SettleOptions {
    /// When a settle event is appended.
    pub due: Due,
    /// Whether this process appends settle events of its own.
    pub leads: bool,
    /// Where the state is kept between two starts.
    pub checkpoint_folder: PathBuf,
}

impl SettleOptions {
    /// The defaults, with the checkpoint in a folder.
    pub fn new(checkpoint_folder: PathBuf) -> SettleOptions {
        SettleOptions { due: Due::default(), leads: true, checkpoint_folder }
    }
}

/// What settlement tells those who watch it.
pub trait SettleObserver: Send + Sync {
    /// A control event was handled; so many usage rows were settled by it and
    /// settlement was busy with it for so long, adding up included.
    fn handled(&self, control: &ControlRow, rows: u64, busy: Duration);
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
    ahead: UsageAhead,
    checkpoints: Checkpoints,
    /// The ledger version after the last control event.
    head: Commit,
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
            for table in SETTLEMENT {
                ledger.table(table).refresh().await?;
            }
            Ok::<Commit, SettleError>(head)
        })?;
        check_rules(&head)?;
        check_log(log.as_ref(), Topic::Control, 0, head.control_offset, head.control_record)?;
        let checkpoints = Checkpoints::new(options.checkpoint_folder.clone());
        let checkpoint = runtime.block_on(checkpoints.read(ledger, &head))?;
        let settlement = restore::settlement(ledger, &head, checkpoint)?;
        let reader = log.reader(Topic::Control, 0, head.control_offset)?;
        let ahead = UsageAhead::new(ledger, runtime, options.due);
        Ok(Settler {
            ledger: ledger.clone(),
            log: Arc::clone(log),
            options,
            runtime: runtime.clone(),
            observer,
            stop,
            settlement,
            tree: head.settlement.clone(),
            reader,
            ahead,
            checkpoints,
            head,
        })
    }

    fn run(&mut self) -> Result<(), SettleError> {
        self.work()?;
        self.checkpoint(true);
        Ok(())
    }

    /// Keeps the state if that is due or work ends, and if the last ledger
    /// version is this leader's own.
    fn checkpoint(&mut self, at_end: bool) {
        if self.head.settlement == self.tree && (at_end || self.checkpoints.are_due(&self.settlement)) {
            self.checkpoints.write(&self.settlement, &self.head);
        }
    }

    fn work(&mut self) -> Result<(), SettleError> {
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
            self.checkpoint(false);
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
        if !self.options.leads || self.ahead.is_asked() {
            return Ok(false);
        }
        let worked = self.ahead.step(self.settlement.settled(), self.settlement.apart())?;
        if let Some(watermarks) = self.ahead.ask_if_due() {
            self.log.submit(Topic::Control, settle_event(LEADER_SOURCE, &watermarks)).wait()?;
        }
        Ok(worked)
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
        let Some((supplied, mut busy)) = self.supply(&pending, record)? else { return Ok(false) };
        let (outcome, settled_rows) = match supplied {
            Supplied::Ready(supply) => {
                let settled_rows = if let Supply::Usage(usage) = &supply { usage.rows } else { 0 };
                (self.settlement.apply(pending, supply)?, settled_rows)
            }
            Supplied::Refused(reason) => (self.settlement.refuse(pending, reason), 0),
        };
        let hash = hash::record_hash(record.key.as_deref(), &record.value);
        let batches = rows::batches(&self.settlement, &outcome)?;
        self.checkpoints.count(outcome.charges.len());
        // A large settlement's memory is free for the encoders of its rows.
        let control = outcome.into_control();
        self.head = self.runtime.block_on(write(
            &self.ledger,
            &self.settlement,
            &mut self.tree,
            control.offset,
            &batches,
            hash,
        ))?;
        busy += started.elapsed();
        self.observer.handled(&control, settled_rows, busy);
        Ok(true)
    }

    /// Reads what an event needs; `None` where the service was asked to stop.
    fn supply(&mut self, pending: &Pending, record: &Record) -> Result<Option<(Supplied, Duration)>, SettleError> {
        let supply = match &pending.need {
            Need::Nothing => Supply::Nothing,
            Need::Charges(filter) => {
                Supply::Charges(restore::charges(&self.ledger, &mut self.settlement, record.offset, filter)?)
            }
            Need::Row(place) => {
                self.refresh_usage()?;
                Supply::Row(restore::usage_event(&self.ledger, *place)?.map(Box::new))
            }
            Need::ChargesAndServed(filter, served) => {
                let charges = restore::charges(&self.ledger, &mut self.settlement, record.offset, filter)?;
                self.refresh_usage()?;
                Supply::ChargesAndServed(charges, restore::served(&self.ledger, served)?)
            }
            Need::Usage { from, to, apart } => return self.supply_usage((from, to), apart, record),
        };
        Ok(Some((Supplied::Ready(supply), Duration::ZERO)))
    }

    fn refresh_usage(&self) -> Result<(), SettleError> {
        for table in METERED {
            self.runtime.block_on(self.ledger.table(table).refresh())?;
        }
        Ok(())
    }

    /// The usage between two vectors, if the log had all of it when it took the
    /// event.
    fn supply_usage(
        &mut self,
        (from, to): (&Watermarks, &Watermarks),
        apart: &BTreeSet<String>,
        record: &Record,
    ) -> Result<Option<(Supplied, Duration)>, SettleError> {
        let is_there = match self.wait_until_reached(to)? {
            Some(true) if !self.wait_until_visible(to)? => return Ok(None),
            Some(true) => is_older_than(&self.ledger, &self.runtime, (from, to), record.recorded_us)?,
            Some(false) => false,
            None => return Ok(None),
        };
        if is_there {
            let (usage, busy) = self.ahead.take((from, to), apart)?;
            return Ok(Some((Supplied::Ready(Supply::Usage(usage)), busy)));
        }
        self.ahead.refused(to);
        let reason = format!("the watermarks {to} lie beyond the end of the log");
        Ok(Some((Supplied::Refused(reason), Duration::ZERO)))
    }

    /// Whether the log reaches a vector, now or in a moment; `None` where the
    /// service was asked to stop.
    fn wait_until_reached(&self, to: &Watermarks) -> Result<Option<bool>, SettleError> {
        let begun = Instant::now();
        loop {
            let ends = Watermarks::from_vec(self.log.ends(Topic::Usage)?);
            let can_be = to.len() <= ends.len();
            if can_be && ends.covers(to) {
                return Ok(Some(true));
            }
            if !can_be || begun.elapsed() > REACH_WAIT {
                return Ok(Some(false));
            }
            if self.stopping() {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
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
}

enum Supplied {
    Ready(Supply),
    Refused(String),
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
