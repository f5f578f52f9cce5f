//! `stempoint bench fold`: ingest and settlement, and the roofline: reading
//! the log alone and writing the same rows alone. Each stream of events has a
//! process of its own, as a node has, so that its memory is not what an earlier
//! stream left behind.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};
use stempoint_core::control::{Act, to_proto};
use stempoint_core::settlement::ControlRow;
use stempoint_ingest::fold::FoldObserver;
use stempoint_ingest::log::{Batch, EventLog, Limits, Topic};
use stempoint_ingest::settlement::{SettleObserver, settle_event};
use stempoint_schemas::commit::Commit;
use stempoint_schemas::tables;
use stempoint_schemas::time::Instant as Moment;
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::ledger::{Ledger, spec};
use stempoint_store::{ParquetEncoder, ReadOptions, Tuning};
use stempoint_workload::bench::{BenchOptions, Sources};

use super::figures::{self, cpu_seconds, forget_peak, peak_rss_bytes};
use super::usage;
use crate::cli::{FoldStream, RowFormat};
use crate::context::Context;
use crate::data::DataFolder;
use crate::maintenance;
use crate::node::{self, LogChoice, Node, Parts};
use crate::progress::Progress;
use crate::scratch::Scratch;

pub fn run(format: RowFormat) -> Result<()> {
    let mix = in_own_process(FoldStream::Mix)?;
    let numbered = in_own_process(FoldStream::Numbered)?;
    let unnumbered = in_own_process(FoldStream::Unnumbered)?;
    figures::print(&mix.figures(&numbered, &unnumbered), format);
    Ok(())
}

/// Runs this command again for one stream; its progress is shown as it goes.
fn in_own_process(stream: FoldStream) -> Result<Measured> {
    let name = stream.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let output = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .args(["--stream", &name])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "measuring the stream {name:?} failed with {}", output.status);
    serde_json::from_slice(&output.stdout).with_context(|| format!("the stream {name:?} gave no figures"))
}

/// Measures one stream, of all events or of half of them, and prints what it
/// gave, for [`in_own_process`].
pub fn run_stream(context: &Context, stream: FoldStream, events: u64) -> Result<()> {
    let scratch = Scratch::new()?;
    let (name, sources, events) = match stream {
        FoldStream::Mix => ("mix", Sources::All, events),
        FoldStream::Numbered => ("numbered", Sources::Numbered, events / 2),
        FoldStream::Unnumbered => ("unnumbered", Sources::Unnumbered, events / 2),
    };
    println!("{}", serde_json::to_string(&measure(context, &scratch, name, sources, events)?)?);
    Ok(())
}

/// What one stream gave.
#[derive(Serialize, Deserialize)]
struct Measured {
    events: u64,
    append: f64,
    fold: f64,
    cpu: f64,
    settle: f64,
    log_only: f64,
    encode_only: f64,
    peak_rss: u64,
    table_bytes: u64,
}

impl Measured {
    fn figures(&self, numbered: &Measured, unnumbered: &Measured) -> Vec<(&'static str, f64)> {
        let rate = |measured: &Measured| measured.events as f64 / measured.fold;
        vec![
            ("events", self.events as f64),
            ("events_per_second", rate(self)),
            ("cpu_us_per_event", self.cpu * 1e6 / self.events as f64),
            ("append_events_per_second", self.events as f64 / self.append),
            ("settle_events_per_second", self.settle),
            ("numbered_events_per_second", rate(numbered)),
            ("unnumbered_events_per_second", rate(unnumbered)),
            ("peak_rss_bytes", self.peak_rss.max(numbered.peak_rss).max(unnumbered.peak_rss) as f64),
            ("disk_bytes_per_event", self.table_bytes as f64 / self.events as f64),
            ("log_only_events_per_second", self.log_only),
            ("encode_only_events_per_second", self.encode_only),
        ]
    }
}

/// Adds up how long settlement was busy.
#[derive(Default)]
struct Watch {
    rows: AtomicU64,
    busy_us: AtomicU64,
}

impl FoldObserver for Watch {
    fn committed(&self, _head: &Commit, _took: Duration) {}
}

impl SettleObserver for Watch {
    fn handled(&self, _control: &ControlRow, rows: u64, busy: Duration) {
        self.rows.fetch_add(rows, Ordering::SeqCst);
        self.busy_us.fetch_add(u64::try_from(busy.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

fn measure(context: &Context, scratch: &Scratch, name: &str, sources: Sources, events: u64) -> Result<Measured> {
    let data = DataFolder::new(scratch.path().join(name));
    let choice = usage::own_log(context, name);
    std::fs::create_dir_all(data.path())?;
    let log = node::open_log(&data, &choice)?;
    let start = Moment::parse("2026-01-01T00:00:00Z")?;
    let options = BenchOptions { sources, ..BenchOptions::from_start(start) };
    let mut stream = usage::stream(options);
    let (append, ends) = usage::fill(log.as_ref(), name, &mut stream, events)?;
    let counts = *stream.counts();
    apply_prices(log.as_ref())?;
    let log_only = read_log(&log, counts.events)?;
    drop(log);
    forget_peak();
    let (fold, cpu, settle) = fold(context, &data, &choice, &ends, counts.events, name)?;
    let peak_rss = peak_rss_bytes();
    let ledger = context.runtime.block_on(Ledger::open(&data.lake()))?;
    let encode_only = encode(&ledger)?;
    let log = node::open_log(&data, &choice)?;
    let options = maintenance::Options { log_records_kept: None, ..maintenance::Options::new(data.manifest()) };
    context.runtime.block_on(maintenance::round(&ledger, log.as_ref(), &options, false))?;
    let table_bytes = tables::ALL.iter().map(|table| ledger.table(table).snapshot().bytes()).sum();
    let accepted: u64 = context.runtime.block_on(ledger.head())?.shards.iter().map(|shard| shard.counts.accepted).sum();
    ensure!(accepted == counts.accepted, "{accepted} events were accepted, the stream has {}", counts.accepted);
    drop(log);
    std::fs::remove_dir_all(data.path())?;
    Ok(Measured { events: counts.events, append, fold, cpu, settle, log_only, encode_only, peak_rss, table_bytes })
}

fn apply_prices(log: &dyn EventLog) -> Result<()> {
    use prost::Message;
    let mut batch = Batch::new();
    batch.push(b"operator/bench", &to_proto("bench-prices", &Act::PriceBook(usage::prices()?)).encode_to_vec());
    log.submit(Topic::Control, batch).wait()?;
    Ok(())
}

/// Reads the whole log on as many threads as the fold has.
fn read_log(log: &Arc<dyn EventLog>, events: u64) -> Result<f64> {
    let ends = log.ends(Topic::Usage)?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(ends.len());
    let started = Instant::now();
    let read: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                let (log, ends) = (Arc::clone(log), &ends);
                scope.spawn(move || -> Result<u64> {
                    let mut records = 0;
                    for partition in (worker..ends.len()).step_by(workers) {
                        let mut reader = log.reader(Topic::Usage, partition as u32, 0)?;
                        let limits = Limits { records_max: 32_768, bytes_max: 8 << 20 };
                        while reader.position() < ends[partition] {
                            reader.poll(limits, Duration::from_secs(1), &mut |record| {
                                records += u64::from(!record.value.is_empty() || record.key.is_some());
                            })?;
                        }
                    }
                    Ok(records)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Ok(0))).sum::<Result<u64>>()
    })?;
    ensure!(read == events, "the log has {read} records, {events} were appended");
    Ok(read as f64 / started.elapsed().as_secs_f64())
}

/// Folds and settles everything; returns seconds, CPU seconds and the rows
/// per second of settlement alone.
fn fold(
    context: &Context,
    data: &DataFolder,
    choice: &LogChoice,
    ends: &Watermarks,
    events: u64,
    name: &str,
) -> Result<(f64, f64, f64)> {
    let watch = Arc::new(Watch::default());
    let progress = Progress::new(&format!("fold {name}"), events);
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let node = Node::start(data, choice, Parts::folds(data), context.runtime.handle(), Arc::clone(&watch))?;
    let mut asked = false;
    loop {
        let head = context.runtime.block_on(node.ledger.head())?;
        progress.set(head.shards.iter().map(|shard| shard.counts.received).sum());
        if head.settled().covers(ends) {
            break;
        }
        if head.visible().covers(ends) && !asked {
            node.log.submit(Topic::Control, settle_event("settlement/request", ends)).wait()?;
            asked = true;
        }
        if node.has_failed() {
            node.stop()?;
            anyhow::bail!("a fold has stopped");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let (seconds, used) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    progress.done();
    node.stop()?;
    let busy = watch.busy_us.load(Ordering::SeqCst) as f64 / 1e6;
    Ok((seconds, used, watch.rows.load(Ordering::SeqCst) as f64 / busy.max(1e-6)))
}

/// Writes the same rows as Parquet again, in memory, on one thread.
fn encode(ledger: &Ledger) -> Result<f64> {
    let (mut rows, mut seconds) = (0, 0.0);
    for table in [&tables::API_CALLS, &tables::GPU_USAGE] {
        let stored = ledger.table(table);
        let encoder = ParquetEncoder::new(&spec(table), Tuning::Hot);
        for file in stored.snapshot().files() {
            let options = ReadOptions { dictionaries: true, batch_rows: 1 << 20, ..ReadOptions::default() };
            let batches = stored.read_file(file, &options)?.collect::<Result<Vec<_>, _>>()?;
            let started = Instant::now();
            rows += encoder.encode(&batches)?.rows;
            seconds += started.elapsed().as_secs_f64();
        }
    }
    Ok(rows as f64 / seconds)
}
