//! Figures, printed only with `STEMPOINT_MEASURE=1`:
//!
//! ```text
//! STEMPOINT_MEASURE=1 cargo test --release -p stempoint-ingest --test log measure -- --test-threads=1
//! ```

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use stempoint_ingest::log::embedded::{EmbeddedLog, EmbeddedOptions};
use stempoint_ingest::log::{Batch, EventLog, Limits, Topic};

use crate::support::say;

const LIMITS: Limits = Limits { records_max: 65_536, bytes_max: 8 * 1024 * 1024 };

pub fn is_wanted() -> bool {
    std::env::var_os("STEMPOINT_MEASURE").is_some_and(|value| value == "1")
}

/// Events of about 150 bytes as a gateway sends them: a random id, and strings
/// and numbers that repeat.
fn batches(records: usize) -> Vec<Batch> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..20)
        .map(|_| {
            let mut batch = Batch::new();
            for _ in 0..records {
                let key = format!("gateway/eu-{}/{}", random.u8(0..4), random.u8(0..8));
                let mut value = random.u128(..).to_le_bytes().to_vec();
                value.extend_from_slice(&random.u64(1 << 50..1 << 51).to_le_bytes());
                let text = format!(
                    "customer-{:05}.model-{:02}-instruct.node-{:03}.eu-{}.{:x}.{}.{}.{}.ok",
                    random.u32(0..10_000),
                    random.u32(0..50),
                    random.u32(0..500),
                    random.u32(0..4),
                    random.u128(..),
                    random.u32(0..100_000),
                    random.u32(0..10_000),
                    random.u32(0..10_000),
                );
                value.extend_from_slice(text.as_bytes());
                value.truncate(150 - key.len());
                batch.push(key.as_bytes(), &value);
            }
            batch
        })
        .collect()
}

/// The process's CPU time so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    // utime and stime, in hundredths of a second.
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn peak_rss() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.unwrap_or_default().split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

fn report(what: &str, records: usize, started: Instant, cpu_before: Duration) {
    let wall = started.elapsed().as_secs_f64();
    let cpu = (cpu() - cpu_before).as_secs_f64();
    say(&format!(
        "{what}: {:.2} M records/s, {:.3} µs of CPU each, {wall:.1} s; peak RSS so far {}",
        records as f64 / wall / 1e6,
        cpu / records as f64 * 1e6,
        peak_rss(),
    ));
}

/// Appends and reads back `total` records, and reports both.
pub fn measure(name: &str, log: &dyn EventLog, total: usize, per_batch: usize) {
    let batches = batches(per_batch);
    let (started, before) = (Instant::now(), cpu());
    let mut waiting = VecDeque::new();
    for batch in batches.iter().cycle().take(total / per_batch) {
        waiting.push_back(log.submit(Topic::Usage, batch.clone()));
        if waiting.len() > 100
            && let Some(receipt) = waiting.pop_front()
        {
            receipt.wait().unwrap();
        }
    }
    for receipt in waiting {
        receipt.wait().unwrap();
    }
    report(&format!("{name}: append in batches of {per_batch}"), total, started, before);

    let (started, before) = (Instant::now(), cpu());
    let ends = log.ends(Topic::Usage).unwrap();
    let mut read = 0;
    let mut bytes = 0;
    for (partition, end) in (0..).zip(ends) {
        let mut reader = log.reader(Topic::Usage, partition, 0).unwrap();
        while reader.position() < end {
            reader
                .poll(LIMITS, Duration::from_millis(100), &mut |record| {
                    read += 1;
                    bytes += record.value.len();
                })
                .unwrap();
        }
    }
    assert!(read >= total / per_batch * per_batch && bytes > read);
    report(&format!("{name}: read, one partition after the other"), read, started, before);
}

#[test]
fn measure_embedded() {
    if !is_wanted() {
        return;
    }
    for (total, per_batch) in [(10_000_000, 1000), (2_000_000, 100), (200_000, 10)] {
        let folder = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(folder.path(), EmbeddedOptions::default()).unwrap();
        measure("embedded", &log, total, per_batch);
        drop(log);
        let started = Instant::now();
        let log = EmbeddedLog::open(folder.path(), EmbeddedOptions::default()).unwrap();
        say(&format!(
            "embedded: open again in {:.0} ms; {:.0} bytes on disk per record",
            started.elapsed().as_secs_f64() * 1e3,
            bytes_below(folder.path()) as f64 / total as f64
        ));
        drop(log);
    }
}

/// Disk space below a folder, in bytes.
fn bytes_below(folder: &std::path::Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() { bytes_below(&entry.path()) } else { metadata.blocks() * 512 }
        })
        .sum()
}
