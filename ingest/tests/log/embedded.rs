//! The suite on the embedded log, and what only it has.

use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use stempoint_ingest::log::embedded::{EmbeddedLog, EmbeddedOptions};
use stempoint_ingest::log::{EventLog, LogError, Receipt, Topic};
use tempfile::TempDir;

use crate::support::{EVERYTHING, Fixture, append, batch, key_of, poll, read_all, seed};
use crate::{crash, suite};

pub struct EmbeddedFixture {
    pub folder: TempDir,
    pub options: EmbeddedOptions,
}

impl EmbeddedFixture {
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), options: small_options() }
    }
}

/// Small segments and tables, so that small tests have many.
pub fn small_options() -> EmbeddedOptions {
    EmbeddedOptions {
        usage_partitions: EmbeddedFixture::PARTITIONS,
        segment_bytes: 50_000,
        write_buffer_bytes: 60_000,
        ..EmbeddedOptions::default()
    }
}

impl Fixture for EmbeddedFixture {
    type Log = EmbeddedLog;

    fn open(&self) -> EmbeddedLog {
        EmbeddedLog::open(self.folder.path(), self.options.clone()).expect("the log")
    }

    fn leave_gap(&self, log: &EmbeddedLog, partition: u32) {
        log.leave_gap(Topic::Usage, partition, 3).expect("a gap");
    }
}

#[test]
fn positions_are_where_records_are_read() {
    suite::positions_are_where_records_are_read(&EmbeddedFixture::new());
}

#[test]
fn concurrent_submitters_keep_the_order_of_their_keys() {
    suite::concurrent_submitters_keep_the_order_of_their_keys(&EmbeddedFixture::new());
}

#[test]
fn control_is_one_partition() {
    suite::control_is_one_partition(&EmbeddedFixture::new());
}

#[test]
fn large_records_pass_and_larger_ones_are_refused() {
    suite::large_records_pass_and_larger_ones_are_refused(&EmbeddedFixture::new());
}

#[test]
fn empty_is_nothing_special() {
    suite::empty_is_nothing_special(&EmbeddedFixture::new());
}

#[test]
fn a_log_that_is_opened_again_goes_on() {
    suite::a_log_that_is_opened_again_goes_on(&EmbeddedFixture::new());
}

#[test]
fn gaps_are_passed_over() {
    suite::gaps_are_passed_over(&EmbeddedFixture::new());
}

#[test]
fn trimming_gives_up_what_is_below() {
    suite::trimming_gives_up_what_is_below(&EmbeddedFixture::new());
}

#[test]
fn what_does_not_exist_is_refused() {
    suite::what_does_not_exist_is_refused(&EmbeddedFixture::new());
}

#[test]
fn polls_keep_their_limits() {
    suite::polls_keep_their_limits(&EmbeddedFixture::new());
}

#[test]
fn a_waiting_reader_is_woken() {
    suite::a_waiting_reader_is_woken(&EmbeddedFixture::new());
}

#[test]
fn readers_stay_below_the_durable_end() {
    suite::readers_stay_below_the_durable_end(&EmbeddedFixture::new());
}

#[test]
fn receipts_are_futures() {
    suite::receipts_are_futures(&EmbeddedFixture::new());
}

#[test]
fn survives_sigkill() {
    let fixture = EmbeddedFixture::new();
    crash::survives_sigkill(&fixture, &crash::Target::Folder(fixture.folder.path()), 15);
}

#[test]
fn another_number_of_partitions_is_refused() {
    let mut fixture = EmbeddedFixture::new();
    drop(fixture.open());
    fixture.options.usage_partitions += 1;
    let refused = EmbeddedLog::open(fixture.folder.path(), fixture.options.clone());
    let refused = refused.err().unwrap();
    assert!(matches!(&refused, LogError::PartitionMismatch { topic, recorded: 3, asked: 4 } if topic == "usage"));
    fixture.options.usage_partitions -= 1;
    fixture.open();
}

#[test]
fn no_partitions_are_refused() {
    let mut fixture = EmbeddedFixture::new();
    fixture.options.usage_partitions = 0;
    let refused = EmbeddedLog::open(fixture.folder.path(), fixture.options.clone());
    assert!(matches!(refused.err(), Some(LogError::InvalidOption { option: "usage_partitions", .. })));
}

#[test]
fn a_second_opener_is_refused() {
    let fixture = EmbeddedFixture::new();
    let log = fixture.open();
    let again = || EmbeddedLog::open(fixture.folder.path(), fixture.options.clone());
    assert!(matches!(again().err(), Some(LogError::Locked { path }) if path == fixture.folder.path()));
    // In another process too.
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded::child_that_opens"])
        .env(CHILD_OPENS, fixture.folder.path())
        .status()
        .unwrap();
    assert!(status.success());
    append(&log, [("still", "works")]);
    drop(log);
    assert!(again().is_ok());
}

const CHILD_OPENS: &str = "STEMPOINT_LOG_CHILD_OPENS";

/// Not a test of its own: the second process of
/// [`a_second_opener_is_refused`].
#[test]
fn child_that_opens() {
    let Some(folder) = std::env::var_os(CHILD_OPENS) else {
        return;
    };
    let refused = EmbeddedLog::open(folder.as_ref(), small_options());
    assert!(matches!(refused.err(), Some(LogError::Locked { .. })));
}

/// Closing answers everything that was submitted, and everything that comes
/// later is told so.
#[test]
fn closing_drains_and_ends_readers() {
    let fixture = EmbeddedFixture::new();
    let log = fixture.open();
    let receipts: Vec<_> =
        (0..50).map(|number| log.submit(Topic::Usage, batch([("key", number.to_string())]))).collect();
    let mut reader = log.reader(Topic::Usage, 0, 0).unwrap();
    let (waits, waiting) = channel();
    let reading = std::thread::spawn(move || {
        waits.send(()).unwrap();
        let end = Duration::from_secs(60);
        // Polls until an error: records may come first.
        loop {
            if let Err(error) = poll(reader.as_mut(), EVERYTHING, end) {
                return error;
            }
        }
    });
    waiting.recv().unwrap();
    drop(log);
    for receipt in receipts {
        assert!(receipt.wait().is_ok());
    }
    assert!(matches!(reading.join().unwrap(), LogError::Closed));
    let log = fixture.open();
    let found: usize = (0..3).map(|p| read_all(&log, Topic::Usage, p, 0).len()).sum();
    assert_eq!(found, 50);
}

/// Trimming gives disk space back while the log is in use, also to a reader
/// that stands before the bound, which is told what it lost.
#[test]
fn trimming_gives_disk_space_back() {
    let fixture = EmbeddedFixture::new();
    let log = fixture.open();
    let key = key_of(0, 3);
    let mut random = fastrand::Rng::with_seed(seed());
    let mut value = vec![0; 1000];
    let mut slow = log.reader(Topic::Usage, 0, 0).unwrap();
    for _ in 0..40 {
        random.fill(&mut value);
        append(&log, (0..50).map(|_| (&key, &value)));
    }
    let tables = fixture.folder.path().join("db").join("keyspaces");
    let segments = || std::fs::read_dir(&tables).unwrap().count();
    let many = segments();
    assert!(many > 20, "{many}");
    let end = log.ends(Topic::Usage).unwrap()[0];
    log.trim(Topic::Usage, 0, end - 10).unwrap();
    // The engine's own two and the last segment are left, once a table that
    // was being written is done.
    let deadline = Instant::now() + fixture.patience();
    while segments() > 3 {
        assert!(Instant::now() < deadline, "{} of {many}", segments());
        std::thread::yield_now();
    }
    let lost = poll(slow.as_mut(), EVERYTHING, Duration::ZERO).unwrap_err();
    assert!(matches!(lost, LogError::Trimmed { from: 0, start, .. } if start == end - 10));
    assert_eq!(read_all(&log, Topic::Usage, 0, end - 10).len(), 10);
}

/// Refused before anything is written when the queue stays full.
#[test]
fn a_queue_that_stays_full_refuses() {
    let mut fixture = EmbeddedFixture::new();
    fixture.options.queue_bytes = 1;
    fixture.options.queue_wait = Duration::ZERO;
    let log = fixture.open();
    // The first keeps the writer busy, the second fills the queue.
    let large = vec![1; 15_000_000];
    let first = log.submit(Topic::Usage, batch([("key", &large); 4]));
    let small = |number: u32| log.submit(Topic::Usage, batch([("key", number.to_le_bytes())]));
    let others: Vec<_> = (0..10).map(small).collect();
    let outcomes: Vec<_> = others.into_iter().map(Receipt::wait).collect();
    let refused = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    assert!(refused > 0);
    for outcome in &outcomes {
        assert!(matches!(outcome, Err(LogError::Overloaded { .. }) | Ok(_)));
    }
    assert_eq!(first.wait().unwrap().len(), 4);
    let found: usize = (0..3).map(|p| read_all(&log, Topic::Usage, p, 0).len()).sum();
    assert_eq!(found, 4 + outcomes.len() - refused);
}

/// A process that is killed while it creates the log leaves nothing behind that
/// cannot be opened.
#[test]
fn an_interrupted_creation_is_created_anew() {
    // As far as the engine gets before its marker.
    let fixture = EmbeddedFixture::new();
    let db = fixture.folder.path().join("db");
    std::fs::create_dir_all(db.join("keyspaces")).unwrap();
    std::fs::write(db.join("0.jnl"), b"").unwrap();
    append(&fixture.open(), [("key", "value")]);

    let mut random = fastrand::Rng::with_seed(seed());
    for _ in 0..20 {
        let fixture = EmbeddedFixture::new();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "embedded::child_that_creates"])
            .env(CHILD_CREATES, fixture.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // A random moment is what is wanted; nothing is waited for.
        std::thread::sleep(Duration::from_micros(random.u64(0..80_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        append(&fixture.open(), [("key", "value")]);
    }
}

const CHILD_CREATES: &str = "STEMPOINT_LOG_CHILD_CREATES";

/// Not a test of its own: what [`an_interrupted_creation_is_created_anew`]
/// kills.
#[test]
fn child_that_creates() {
    if let Some(folder) = std::env::var_os(CHILD_CREATES) {
        let log = EmbeddedLog::open(folder.as_ref(), small_options()).unwrap();
        append(&log, [("key", "value")]);
    }
}
