//! A log of a few thousand events, folded into small files and not settled.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use stempoint_core::charge::{Charge, Side};
use stempoint_core::settlement::Answer;
use stempoint_ingest::Unwatched;
use stempoint_ingest::fold::{FoldOptions, FoldService};
use stempoint_ingest::log::embedded::{EmbeddedLog, EmbeddedOptions};
use stempoint_ingest::log::{Batch, EventLog, Topic};
use stempoint_ingest::settlement::{
    SettleError, SettleOptions, SettleService, control_rows, settle_event, stored_charges,
};
use stempoint_schemas::commit::Commit;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::time::Instant as Moment;
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::ledger::Ledger;
use stempoint_workload::bench::{BenchOptions, BenchStream, SECONDS_PER_DAY};
use stempoint_workload::simple::{Books, Record, decide};
use tokio::runtime::Runtime;

pub const EVENTS: u64 = 6_000;
/// Events that are folded at once, so that there are several files for each
/// partition and table, and several ledger versions.
pub const PIECE: u64 = 500;
const PATIENCE: Duration = Duration::from_secs(60);

/// A folded log that nothing has settled yet.
pub struct Folded {
    pub folder: tempfile::TempDir,
    pub runtime: Runtime,
    pub log: Arc<dyn EventLog>,
    pub ledger: Ledger,
    pub ends: Watermarks,
    expected: Books,
}

impl Folded {
    pub fn new(seed: u64) -> Folded {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let runtime = Runtime::new().expect("a runtime");
        let log = EmbeddedLog::open(&folder.path().join("log"), EmbeddedOptions::default()).expect("the log opens");
        let log: Arc<dyn EventLog> = Arc::new(log);
        let partitions = log.partitions(Topic::Usage) as usize;
        let ledger = runtime.block_on(Ledger::open_or_create(&folder.path().join("lake"), partitions));
        let ledger = ledger.expect("the ledger opens");
        let expected = fill(&ledger, &log, &runtime, &folder.path().join("index"), seed);
        let ends = ends(log.as_ref());
        Folded { folder, runtime, log, ledger, ends, expected }
    }

    /// The defaults, with a folder for the checkpoint that lives as long.
    pub fn options(&self) -> SettleOptions {
        SettleOptions::new(self.checkpoint())
    }

    pub fn checkpoint(&self) -> PathBuf {
        self.folder.path().join("settlement")
    }

    pub fn head(&self) -> Commit {
        self.runtime.block_on(self.ledger.head()).expect("the head can be read")
    }

    /// Starts settlement.
    pub fn start(&self, options: SettleOptions) -> Result<SettleService, SettleError> {
        SettleService::start(&self.ledger, &self.log, options, self.runtime.handle(), Arc::new(Unwatched))
    }

    /// Appends records and folds them.
    pub fn append_and_fold(&mut self, batch: Batch) {
        self.log.submit(Topic::Usage, batch).wait().expect("the log takes the batch");
        self.ends = ends(self.log.as_ref());
        fold(&self.ledger, &self.log, &self.runtime, &self.folder.path().join("index"));
    }

    /// Has a ledger of its own fold the log and handle the first control event,
    /// and gives that one's answer in words.
    pub fn first_answer(&self, name: &str) -> String {
        let lake = self.folder.path().join(name);
        let ledger = self.runtime.block_on(Ledger::open_or_create(&lake, self.ends.len())).expect("the ledger opens");
        fold(&ledger, &self.log, &self.runtime, &lake.join("index"));
        let options = SettleOptions { leads: false, ..SettleOptions::new(lake.join("checkpoint")) };
        let service = SettleService::start(&ledger, &self.log, options, self.runtime.handle(), Arc::new(Unwatched));
        let (service, begun) = (service.expect("settlement starts"), Instant::now());
        while self.runtime.block_on(ledger.head()).expect("the head can be read").control_offset == 0 {
            assert!(!service.has_stopped() && begun.elapsed() < PATIENCE, "the event is not handled");
            std::thread::yield_now();
        }
        service.stop().expect("settlement worked");
        let rows = control_rows(&ledger, 1).expect("the control events can be read");
        format!("{}: {}", rows[0].answer.name(), rows[0].message)
    }

    /// Appends a settle event.
    pub fn ask(&self, watermarks: &Watermarks) {
        let event = settle_event("operator/test", watermarks);
        self.log.submit(Topic::Control, event).wait().expect("the log takes the event");
    }

    /// Runs settlement until usage is settled up to a vector.
    pub fn settle(&self, options: SettleOptions, to: &Watermarks) {
        let service = self.start(options).expect("settlement starts");
        let begun = Instant::now();
        while !self.head().settled().covers(to) {
            assert!(!service.has_stopped(), "settlement stopped: {:?}", service.stop());
            assert!(begun.elapsed() < PATIENCE, "usage is not settled");
            std::thread::yield_now();
        }
        service.stop().expect("settlement worked");
    }

    /// Compares the charges of both sides with the model, and says how many
    /// settle events were applied.
    pub fn check(&self) -> usize {
        let below = self.head().control_offset;
        let mut sums: BTreeMap<(Side, Meter), i128> = BTreeMap::new();
        let add = |_: Option<&str>, charge: &Charge| {
            *sums.entry((charge.key.side, charge.key.meter)).or_default() += charge.quantity.nano();
        };
        stored_charges(&self.ledger, below, add).expect("the charges can be read");
        for meter in Meter::ALL {
            for side in [Side::Customer, Side::Provider] {
                let sum = sums.get(&(side, meter)).copied().unwrap_or_default();
                assert_eq!(sum, self.expected.total(meter), "{meter} on the side of the {}", side.name());
            }
        }
        let rows = control_rows(&self.ledger, below).expect("the control events can be read");
        rows.iter().filter(|row| row.answer == Answer::Applied).count()
    }
}

fn ends(log: &dyn EventLog) -> Watermarks {
    Watermarks::from_vec(log.ends(Topic::Usage).expect("the log has ends"))
}

/// Folds all that is on the log.
fn fold(ledger: &Ledger, log: &Arc<dyn EventLog>, runtime: &Runtime, index: &Path) {
    let service = start_fold(ledger, log, runtime, index);
    wait_until_folded(&service, ledger, log, runtime);
    service.stop().expect("the fold worked");
}

fn start_fold(ledger: &Ledger, log: &Arc<dyn EventLog>, runtime: &Runtime, index: &Path) -> FoldService {
    let options = FoldOptions { commit_interval: Duration::from_millis(1), ..FoldOptions::new(index.to_owned()) };
    FoldService::start(ledger, log, options, runtime.handle(), Arc::new(Unwatched)).expect("the fold starts")
}

fn wait_until_folded(service: &FoldService, ledger: &Ledger, log: &Arc<dyn EventLog>, runtime: &Runtime) {
    let (begun, ends) = (Instant::now(), ends(log.as_ref()));
    while !runtime.block_on(ledger.head()).expect("the head can be read").visible().covers(&ends) {
        assert!(!service.has_stopped() && begun.elapsed() < PATIENCE, "the log is not folded");
        std::thread::yield_now();
    }
}

/// Sends a stream piece by piece, each of which is folded before the next
/// one, and says what it must add up to.
fn fill(ledger: &Ledger, log: &Arc<dyn EventLog>, runtime: &Runtime, index: &Path, seed: u64) -> Books {
    // The month ends in the middle of the stream.
    let start = Moment::parse("2026-01-31T23:58:00Z").expect("a time");
    let mut stream = BenchStream::new(
        seed,
        BenchOptions { events_per_day: 20 * SECONDS_PER_DAY, ..BenchOptions::from_start(start) },
    );
    let service = start_fold(ledger, log, runtime, index);
    let mut sent = Vec::new();
    for _ in 0..EVENTS / PIECE {
        let mut batch = Batch::new();
        stream.fill(PIECE, &mut |key, value| {
            batch.push(key, value);
            sent.push((key.to_vec(), value.to_vec()));
        });
        log.submit(Topic::Usage, batch).wait().expect("the log takes the batch");
        wait_until_folded(&service, ledger, log, runtime);
    }
    service.stop().expect("the fold worked");
    let (_, accepted) =
        decide(sent.iter().map(|(key, value)| Record { key: Some(key), value, recorded_us: i64::MAX / 2 }));
    Books::of(&accepted)
}

/// The seed of a test: the one that was asked for, else a new one.
pub fn seed() -> u64 {
    let seed = std::env::var("STEMPOINT_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(0..1_000_000));
    eprintln!("STEMPOINT_SEED={seed}");
    seed
}
