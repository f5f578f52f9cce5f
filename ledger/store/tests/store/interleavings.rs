//! Random interleavings of writers, failures and maintenance, compared with
//! what exactly-once means: the ranges of rows in the table are those from the
//! start to the fence, each once.

use std::sync::Arc;
use std::time::Duration;

use object_store::memory::InMemory;
use proptest::prelude::*;
use stempoint_store::maintenance::{checkpoint, clean_log};
use stempoint_store::{Appended, ColumnStats, DataFile, Lake, Stat, Table};
use tokio::runtime::Handle;
use url::Url;

use crate::faults::{Fault, FaultyStore};
use crate::rows::{app, fence, spec};

#[derive(Debug, Clone)]
enum Step {
    Refresh,
    /// Reads the table anew, as another process would.
    Reopen,
    /// Appends some rows of a partition, from where this writer believes its fence to be.
    Append {
        partition: i32,
        rows: i64,
    },
    /// Writes a checkpoint and removes everything that it covers.
    Maintain,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Refresh),
        1 => Just(Step::Reopen),
        6 => (0..2_i32, 1..4_i64).prop_map(|(partition, rows)| Step::Append { partition, rows }),
        2 => Just(Step::Maintain),
    ]
}

/// A file that says which rows it has; appends do not read it.
fn file(name: String, partition: i32, start: i64, end: i64) -> DataFile {
    let stats = |column: &str, min: i64, max: i64| ColumnStats {
        column: column.to_owned(),
        min: Some(Stat::Int(min)),
        max: Some(Stat::Int(max)),
        nulls: 0,
    };
    let rows = u64::try_from(end - start).expect("forward");
    let stats = Box::new([stats("p", partition.into(), partition.into()), stats("n", start, end - 1)]);
    DataFile { path: name, size: 1, rows, modified_ms: 0, stats }
}

fn chooser(mut random: fastrand::Rng) -> Box<dyn FnMut() -> (Fault, usize) + Send> {
    Box::new(move || {
        let fault = match random.u32(0..40) {
            0 => Fault::LandThenFail,
            1 => Fault::LandThenExists,
            2 => Fault::Fail,
            _ => Fault::None,
        };
        (fault, random.usize(0..4))
    })
}

async fn lake(memory: &Arc<InMemory>, seed: Option<u64>) -> Lake {
    let store: Arc<dyn object_store::ObjectStore> = match seed {
        Some(seed) => Arc::new(FaultyStore::random(Arc::clone(memory) as _, chooser(fastrand::Rng::with_seed(seed)))),
        None => Arc::clone(memory) as _,
    };
    Lake::with_store(Url::parse("memory:///lake").expect("a URL"), store, Handle::current()).expect("a lake")
}

/// Checks that a table shows what a writer was told.
fn check(table: &Table, done: &[String], refused: &[String]) {
    let snapshot = table.snapshot();
    let missing: Vec<_> = done.iter().filter(|path| !snapshot.contains(path)).collect();
    assert!(missing.is_empty(), "acknowledged files are missing at {}: {missing:?}", snapshot.version());
    let found: Vec<_> = refused.iter().filter(|path| snapshot.contains(path)).collect();
    assert!(found.is_empty(), "refused files are there at {}: {found:?}", snapshot.version());
}

/// Runs one writer's steps. Answers which files must be in the table, and which must not.
async fn write(lake: &Lake, table: Table, number: usize, steps: Vec<Step>) -> (Vec<String>, Vec<String>) {
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for (index, step) in steps.into_iter().enumerate() {
        match step {
            Step::Refresh => {
                table.refresh().await.expect("refreshes");
                check(&table, &done, &refused);
            }
            Step::Reopen => check(&Table::open(lake, spec()).await.expect("opens"), &done, &refused),
            Step::Append { partition, rows } => {
                let from = table.snapshot().fence(&app(partition));
                let start = from.unwrap_or(0);
                let path = format!("{number}-{index}.parquet");
                let files = vec![file(path.clone(), partition, start, start + rows)];
                match table.append(files, &[fence(partition, from, start + rows)]).await {
                    Ok(Appended::Done { .. }) => done.push(path),
                    Ok(Appended::Overtaken { .. }) => refused.push(path),
                    // The outcome is unknown, as with a process that dies.
                    Err(_) => drop(table.refresh().await.expect("refreshes")),
                }
            }
            Step::Maintain => {
                // The random store also makes maintenance fail, which must do no harm.
                if checkpoint(&table).await.is_ok() {
                    let _ = clean_log(&table, Duration::ZERO).await;
                }
            }
        }
    }
    (done, refused)
}

async fn run(writers: Vec<Vec<Step>>, seed: u64) -> Result<(), TestCaseError> {
    let memory = Arc::new(InMemory::new());
    let healthy = lake(&memory, None).await;
    let mut table_of_all = Table::open_or_create(&healthy, spec()).await.expect("creates");
    let mut running = Vec::new();
    for (number, steps) in writers.into_iter().enumerate() {
        let lake = lake(&memory, Some(seed.wrapping_add(number as u64))).await;
        running.push(tokio::spawn(async move {
            let table = Table::open(&lake, spec()).await.expect("opens");
            write(&lake, table, number, steps).await
        }));
    }
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for writer in running {
        let (more_done, more_refused) = writer.await.expect("no panic");
        done.extend(more_done);
        refused.extend(more_refused);
    }
    for reopened in [false, true] {
        if reopened {
            table_of_all = Table::open(&healthy, spec()).await.expect("opens");
        }
        let snapshot = table_of_all.refresh().await.expect("refreshes");
        check(&table_of_all, &done, &refused);
        for partition in 0..2 {
            let of_partition = |file: &&Arc<DataFile>| file.min("p") == Some(&Stat::Int(partition.into()));
            let range = |file: &Arc<DataFile>| match (file.min("n"), file.max("n")) {
                (Some(Stat::Int(min)), Some(Stat::Int(max))) => (*min, *max),
                other => panic!("{other:?}"),
            };
            let mut ranges: Vec<(i64, i64)> = snapshot.files().filter(of_partition).map(range).collect();
            ranges.sort_unstable();
            let end = ranges.iter().try_fold(0, |next, (min, max)| (next == *min).then_some(max + 1));
            prop_assert_eq!(end, Some(snapshot.fence(&app(partition)).unwrap_or(0)), "{:?}", ranges);
        }
    }
    Ok(())
}

/// How many are tried: 96, or as many as the environment says for a longer run.
fn interleavings() -> u32 {
    let said = std::env::var("STEMPOINT_INTERLEAVINGS");
    said.map_or(96, |said| said.parse().expect("STEMPOINT_INTERLEAVINGS is a number"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: interleavings(), ..ProptestConfig::default() })]
    #[test]
    fn each_range_is_in_the_table_exactly_once(
        writers in prop::collection::vec(prop::collection::vec(step(), 1..12), 1..4),
        seed: u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run(writers, seed))?;
    }
}
