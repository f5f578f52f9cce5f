//! Guards invariant 2 (conservation) where settle events name any vectors:
//! between ledger versions, in the middle of files, some of them going back.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stempoint_core::charge::Side;
use stempoint_core::settlement::{Answer, Outcome};
use stempoint_ingest::fold::{FoldObserver, FoldOptions, FoldService};
use stempoint_ingest::log::embedded::{EmbeddedLog, EmbeddedOptions};
use stempoint_ingest::log::{Batch, EventLog, Topic};
use stempoint_ingest::settlement::{
    SettleObserver, SettleOptions, SettleService, control_rows, settle_event, stored_charges,
};
use stempoint_schemas::commit::Commit;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::time::Instant as Moment;
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::ledger::Ledger;
use stempoint_workload::bench::{BenchOptions, BenchStream};
use stempoint_workload::simple::{Books, Record, decide};
use tokio::runtime::Runtime;

const EVENTS: u64 = 6_000;
/// Rows of a file, so that there are several for each partition and table.
const FILE_ROWS: usize = 250;
const PATIENCE: Duration = Duration::from_secs(60);

struct Unwatched;

impl FoldObserver for Unwatched {
    fn committed(&self, _head: &Commit, _took: Duration) {}
}

impl SettleObserver for Unwatched {
    fn handled(&self, _outcome: &Outcome, _rows: u64, _busy: Duration) {}
}

/// A folded log that nothing has settled yet.
struct Folded {
    _folder: tempfile::TempDir,
    runtime: Runtime,
    log: Arc<dyn EventLog>,
    ledger: Ledger,
    ends: Watermarks,
    expected: Books,
}

impl Folded {
    fn new(seed: u64) -> Folded {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let runtime = Runtime::new().expect("a runtime");
        let log = EmbeddedLog::open(&folder.path().join("log"), EmbeddedOptions::default()).expect("the log opens");
        let log: Arc<dyn EventLog> = Arc::new(log);
        let expected = fill(log.as_ref(), seed);
        let ends = Watermarks::from_vec(log.ends(Topic::Usage).expect("the log has ends"));
        let ledger = runtime.block_on(Ledger::open_or_create(&folder.path().join("lake"), ends.len()));
        let ledger = ledger.expect("the ledger opens");
        fold(&ledger, &log, &runtime, &folder.path().join("index"), &ends);
        Folded { _folder: folder, runtime, log, ledger, ends, expected }
    }

    fn head(&self) -> Commit {
        self.runtime.block_on(self.ledger.head()).expect("the head can be read")
    }

    /// Runs settlement until all usage is settled.
    fn settle(&self, options: SettleOptions) {
        let service =
            SettleService::start(&self.ledger, &self.log, options, self.runtime.handle(), Arc::new(Unwatched))
                .expect("settlement starts");
        let begun = Instant::now();
        while !self.head().settled().covers(&self.ends) {
            assert!(!service.has_stopped(), "settlement stopped: {:?}", service.stop());
            assert!(begun.elapsed() < PATIENCE, "usage is not settled");
            std::thread::yield_now();
        }
        service.stop().expect("settlement worked");
    }

    /// Compares the charges of both sides with the model, and says how many
    /// settle events were applied.
    fn check(&self) -> usize {
        let below = self.head().control_offset;
        let mut sums: BTreeMap<(Side, Meter), i128> = BTreeMap::new();
        let add = |_: Option<&str>, charge: &stempoint_core::charge::Charge| {
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

/// Sends a stream and says what it must add up to.
fn fill(log: &dyn EventLog, seed: u64) -> Books {
    // The month ends in the middle of the stream.
    let start = Moment::parse("2026-01-31T23:58:00Z").expect("a time");
    let mut stream = BenchStream::new(seed, BenchOptions { events_per_second: 20, ..BenchOptions::from_start(start) });
    let (mut batch, mut sent) = (Batch::new(), Vec::new());
    stream.fill(EVENTS, &mut |key, value| {
        batch.push(key, value);
        sent.push((key.to_vec(), value.to_vec()));
    });
    log.submit(Topic::Usage, batch).wait().expect("the log takes the batch");
    let (_, accepted) =
        decide(sent.iter().map(|(key, value)| Record { key: Some(key), value, recorded_us: i64::MAX / 2 }));
    Books::of(&accepted)
}

fn fold(ledger: &Ledger, log: &Arc<dyn EventLog>, runtime: &Runtime, index: &Path, ends: &Watermarks) {
    let options = FoldOptions {
        commit_interval: Duration::from_millis(1),
        batch_rows_max: FILE_ROWS,
        ..FoldOptions::new(index.to_owned())
    };
    let service =
        FoldService::start(ledger, log, options, runtime.handle(), Arc::new(Unwatched)).expect("the fold starts");
    let begun = Instant::now();
    while !runtime.block_on(ledger.head()).expect("the head can be read").visible().covers(ends) {
        assert!(!service.has_stopped() && begun.elapsed() < PATIENCE, "the log is not folded");
        std::thread::yield_now();
    }
    service.stop().expect("the fold worked");
}

fn seed() -> u64 {
    let seed = std::env::var("STEMPOINT_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(0..1_000_000));
    eprintln!("STEMPOINT_SEED={seed}");
    seed
}

#[test]
fn any_vectors_settle_each_row_once() {
    let seed = seed();
    let mut rng = fastrand::Rng::with_seed(seed);
    let folded = Folded::new(seed);
    for _ in 0..12 {
        let vector = folded.ends.iter().map(|(_, end)| rng.u64(0..=end)).collect();
        let event = settle_event("operator/test", &Watermarks::from_vec(vector));
        folded.log.submit(Topic::Control, event).wait().expect("the log takes the event");
    }
    let event = settle_event("operator/test", &folded.ends);
    folded.log.submit(Topic::Control, event).wait().expect("the log takes the event");
    folded.settle(SettleOptions { leads: false, ..SettleOptions::default() });
    assert_eq!(folded.check(), 13);
}

#[test]
fn a_leader_catches_up_in_steps() {
    let seed = seed();
    let folded = Folded::new(seed);
    let options = SettleOptions { rows_max: 1_000, interval: Duration::ZERO, ..SettleOptions::default() };
    folded.settle(options);
    let steps = folded.check();
    eprintln!("{steps} settle events");
    assert!(steps >= 3, "only {steps} settle events for {EVENTS} rows");
}
