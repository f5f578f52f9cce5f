//! `stempoint bench latency`: from an append to the row's visibility in SQL,
//! at a steady rate.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use stempoint_ingest::Unwatched;
use stempoint_ingest::log::{Batch, Topic};
use stempoint_schemas::time::Instant as Moment;
use stempoint_schemas::watermark::Watermarks;
use stempoint_workload::bench::{BenchOptions, BenchStream};

use super::figures;
use crate::context::Context;
use crate::data::DataFolder;
use crate::maintenance;
use crate::node::{Node, Parts};
use crate::progress::Progress;
use crate::scratch::Scratch;

/// Time between two appends.
const TICK: Duration = Duration::from_millis(50);

pub fn run(context: &Context, rate: u64, seconds: u64) -> Result<()> {
    let scratch = Scratch::new()?;
    let data = DataFolder::new(scratch.path().join("data"));
    let parts = Parts {
        maintain: Some(maintenance::Options {
            interval: Duration::from_secs(20),
            ..maintenance::Options::new(data.manifest())
        }),
        ..Parts::folds(&data)
    };
    let node = Node::start(&data, &context.log, parts, context.runtime.handle(), Arc::new(Unwatched))?;
    let measured = drive(context, &node, rate, seconds);
    let stopped = node.stop();
    let mut waits = measured?;
    stopped?;
    waits.sort_unstable();
    let at = |part: f64| {
        waits
            .get(((waits.len() as f64 * part) as usize).min(waits.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    let events = rate * seconds;
    println!("{rate} events/s for {seconds} s, {} appends", waits.len());
    println!("from append to visible: median {:?}, p99 {:?}, largest {:?}", at(0.5), at(0.99), at(1.0));
    println!(
        "on disk: tables {:.1} bytes/event, all {:.1} bytes/event",
        size(&data.lake())? as f64 / events as f64,
        size(data.path())? as f64 / events as f64
    );
    println!(
        "CPU {:.2} s per second, peak memory {:.0} MiB",
        figures::cpu_seconds() / seconds as f64,
        figures::peak_rss_bytes() as f64 / 1048576.0
    );
    Ok(())
}

/// Appends at the rate and notes how long each append's last record waits.
fn drive(context: &Context, node: &Node, rate: u64, seconds: u64) -> Result<Vec<Duration>> {
    let start = Moment::parse("2026-01-01T00:00:00Z")?;
    let mut stream = BenchStream::new(1, BenchOptions::from_start(start));
    let progress = Progress::new("appending", rate * seconds);
    let mut waiting: VecDeque<(Instant, Watermarks)> = VecDeque::new();
    let mut waits = Vec::new();
    let begun = Instant::now();
    let mut sent = 0;
    while sent < rate * seconds || !waiting.is_empty() {
        let due = ((begun.elapsed().as_secs_f64() * rate as f64) as u64).min(rate * seconds);
        if due > sent {
            let mut batch = Batch::new();
            stream.fill(due - sent, &mut |key, value| batch.push(key, value));
            sent = due;
            let appended = Instant::now();
            let mut ends = Watermarks::default();
            for position in node.log.submit(Topic::Usage, batch).wait()? {
                ends.set(position.partition, ends.get(position.partition).max(position.offset + 1));
            }
            waiting.push_back((appended, ends));
            progress.set(sent);
        }
        let visible = context.runtime.block_on(node.ledger.head())?.visible();
        while waiting.front().is_some_and(|(_, ends)| visible.covers(ends)) {
            if let Some((appended, _)) = waiting.pop_front() {
                waits.push(appended.elapsed());
            }
        }
        anyhow::ensure!(!node.has_failed(), "a fold has stopped");
        std::thread::sleep(TICK / 4);
    }
    progress.done();
    Ok(waits)
}

fn size(folder: &std::path::Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        // A file can be merged away between listing and looking.
        sum += if kind.is_dir() {
            size(&entry.path()).unwrap_or(0)
        } else {
            entry.metadata().map_or(0, |meta| meta.len())
        };
    }
    Ok(sum)
}
