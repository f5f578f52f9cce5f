//! Made-up usage for benchmarks, and books of their own to put it into.
//!
//! Invariant: what is appended has the same seed each time, so that runs
//! compare; nothing of a benchmark gets into anybody's books.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, anyhow};
use stempoint_core::book::PriceBook;
use stempoint_core::price_file;
use stempoint_ingest::log::{Batch, EventLog, Topic};
use stempoint_schemas::watermark::Watermarks;
use stempoint_workload::bench::{BenchOptions, BenchStream};

use crate::cli::Global;
use crate::context::Context;
use crate::node::LogChoice;
use crate::progress::Progress;

/// Records that are appended together.
const BATCH_RECORDS: u64 = 10_000;
const SEED: u64 = 1;

/// The prices of benchmarks.
pub fn prices() -> Result<PriceBook> {
    price_file::read(include_str!("prices.toml")).map_err(|error| anyhow!("the benchmark's price book: {error}"))
}

/// A log that nothing else uses.
pub fn own_log(context: &Context, name: &str) -> LogChoice {
    match &context.log {
        LogChoice::Embedded => LogChoice::Embedded,
        LogChoice::Kafka { brokers, .. } => {
            LogChoice::Kafka { brokers: brokers.clone(), prefix: format!("bench-{name}-{:016x}", fastrand::u64(..)) }
        }
    }
}

/// Books of a benchmark in a folder, for the code that commands use.
pub fn own_books(context: &Context, folder: &Path, name: &str) -> Result<Context> {
    let (kafka, topic_prefix) = match own_log(context, name) {
        LogChoice::Embedded => (None, String::new()),
        LogChoice::Kafka { brokers, prefix } => (Some(brokers), prefix),
    };
    std::fs::create_dir_all(folder)?;
    Context::new(&Global { data: Some(folder.to_owned()), config: None, kafka, topic_prefix }, name)
}

/// The stream of all benchmarks.
pub fn stream(options: BenchOptions) -> BenchStream {
    BenchStream::new(SEED, options)
}

/// Appends the next events of a stream; returns the seconds that appending
/// took, generating apart, and the ends of the log.
pub fn fill(log: &dyn EventLog, name: &str, stream: &mut BenchStream, events: u64) -> Result<(f64, Watermarks)> {
    let progress = Progress::new(&format!("append {name}"), events);
    let (mut seconds, mut left) = (0.0, events);
    while left > 0 {
        // Several batches on the way at once, as several producers would have.
        let mut batches = Vec::new();
        for _ in 0..16 {
            let count = left.min(BATCH_RECORDS);
            if count == 0 {
                break;
            }
            let mut batch = Batch::with_capacity(count as usize, count as usize * 200);
            stream.fill(count, &mut |key, value| batch.push(key, value));
            left -= count;
            batches.push(batch);
        }
        let started = Instant::now();
        let receipts: Vec<_> = batches.into_iter().map(|batch| log.submit(Topic::Usage, batch)).collect();
        for receipt in receipts {
            receipt.wait()?;
        }
        seconds += started.elapsed().as_secs_f64();
        progress.set(events - left);
    }
    progress.done();
    Ok((seconds, Watermarks::from_vec(log.ends(Topic::Usage)?)))
}
