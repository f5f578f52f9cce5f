//! The maintenance schedule: merging files, checkpoints, cleaning the Delta
//! log, removing old files, trimming the event log, signing the list of files.
//!
//! Invariants: never inside a commit; only rows below W are merged; the event
//! log is trimmed only below the watermark, whose files are synced, and below
//! what is to be kept of it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use stempoint_ingest::log::{EventLog, Topic};
use stempoint_schemas::commit::Commit;
use stempoint_schemas::tables::{self, WrittenBy};
use stempoint_store::DataFile;
use stempoint_store::ledger::{Ledger, bounds};
use stempoint_store::maintenance::{CompactionPlan, Schedule, maintain, vacuum};
use stempoint_store::manifest::renew;
use stempoint_store::profiles::Profiles;
use tokio::runtime::Handle;

/// How often what is done.
#[derive(Debug, Clone)]
pub struct Options {
    /// Between two rounds of merging.
    pub interval: Duration,
    /// Between two searches for files that nobody needs.
    pub vacuum_interval: Duration,
    /// Records of each partition of the event log that are kept below the
    /// watermark; `None` keeps all.
    pub log_records_kept: Option<u64>,
    /// The folder of the signed list of files.
    pub manifest: PathBuf,
}

impl Options {
    /// The usual ones, for the manifest in that folder.
    pub fn new(manifest: PathBuf) -> Options {
        Options {
            interval: Duration::from_secs(60),
            vacuum_interval: Duration::from_secs(1800),
            log_records_kept: Some(50_000_000),
            manifest,
        }
    }
}

/// How often the thread looks whether it is to stop.
const TICK: Duration = Duration::from_millis(100);

/// Runs rounds until it is asked to stop. What fails is logged and tried
/// again in the next round.
pub fn run(ledger: &Ledger, log: &dyn EventLog, options: &Options, runtime: &Handle, stop: &AtomicBool) {
    let (mut last_round, mut last_vacuum) = (Instant::now(), Instant::now());
    while !stop.load(Ordering::SeqCst) {
        std::thread::sleep(TICK);
        if last_round.elapsed() >= options.interval {
            let with_vacuum = last_vacuum.elapsed() >= options.vacuum_interval;
            if let Err(error) = runtime.block_on(round(ledger, log, options, with_vacuum)) {
                tracing::warn!("maintenance failed and will be tried again: {error:#}");
            }
            last_round = Instant::now();
            if with_vacuum {
                last_vacuum = Instant::now();
            }
        }
    }
}

/// One round over all tables.
pub async fn round(ledger: &Ledger, log: &dyn EventLog, options: &Options, with_vacuum: bool) -> Result<()> {
    let head = ledger.head().await?;
    for table in tables::ALL {
        let stored = ledger.table(table);
        stored.refresh().await?;
        let (same, order): (&[&str], &[&str]) = match table.written_by {
            WrittenBy::Ingest => (&["_partition"], &["_offset"]),
            WrittenBy::Settlement => (&[], &["_offset"]),
            WrittenBy::Commit => (&[], &["version"]),
        };
        let eligible = |file: &DataFile| is_settled(&head, table, file);
        let plan = CompactionPlan::new(&eligible, same, order);
        let done = maintain(stored, &plan, &Schedule::default()).await?;
        tracing::debug!(table = table.name, ?done, "maintained");
        if with_vacuum {
            vacuum(stored).await?;
        }
    }
    if let Some(profiles) = Profiles::open(ledger.lake()).await? {
        profiles.maintain().await?;
    }
    if let Some(kept) = options.log_records_kept {
        trim(&head, log, kept)?;
    }
    // Last, so that what was merged and removed is on the list as it is now.
    let renewed = renew(ledger, &options.manifest).await?;
    tracing::debug!(files = renewed.files, hashed = renewed.hashed, "signed the list of files");
    for problem in renewed.problems {
        tracing::warn!("a file of the tables is not what it was: {problem}; see `stempoint manifest verify`");
    }
    Ok(())
}

/// Whether all rows of a file are visible and, where they carry usage,
/// settled: such a file can be merged.
pub fn is_settled(head: &Commit, table: &tables::Table, file: &DataFile) -> bool {
    let last = |column| u64::try_from(bounds(file, column).1).unwrap_or(u64::MAX);
    match table.written_by {
        WrittenBy::Ingest => {
            let (first, partition) = bounds(file, "_partition");
            first == partition && last("_offset") < head.settled().get(u32::try_from(partition).unwrap_or(u32::MAX))
        }
        WrittenBy::Settlement => last("_offset") < head.control_offset,
        WrittenBy::Commit => bounds(file, "version").1 < head.version,
    }
}

fn trim(head: &Commit, log: &dyn EventLog, kept: u64) -> Result<()> {
    for (partition, settled) in head.settled().iter() {
        let below = settled.saturating_sub(kept);
        if below > 0 {
            log.trim(Topic::Usage, partition, below)?;
        }
    }
    Ok(())
}
