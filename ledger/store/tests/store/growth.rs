//! A table does not become slower with the number of its commits, and its
//! folder does not fill up, as long as maintenance runs beside it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::local::LocalFileSystem;
use stempoint_store::maintenance::{CompactionPlan, checkpoint, clean_log, compact, vacuum};
use stempoint_store::{EncodedFile, Fence, Lake, ParquetEncoder, Table, TableSpec, Tuning};
use tokio::runtime::Handle;
use url::Url;

use crate::compaction::ALL;
use crate::rows::{app, batch, spec};

const COMMITS: i64 = 10_000;
const MAINTAIN_EVERY: i64 = 200;
/// The last commits, which are compared with the first.
const LAST: i64 = 100;

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    durations[durations.len() / 2]
}

/// Time for one commit: a data file and an entry of the log.
async fn commit(table: &Table, file: EncodedFile, number: i64) -> Duration {
    let from = (number > 0).then_some(number);
    let start = Instant::now();
    let file = table.put_file(file).await.expect("puts");
    let fence = Fence { app: app(1), from, to: number + 1 };
    let done = table.append(vec![file], &[fence]).await.expect("appends");
    assert!(matches!(done, stempoint_store::Appended::Done { .. }), "{done:?}");
    start.elapsed()
}

/// The last commits of the table take turns with the first of a new one, so
/// that whatever else the machine does slows both down.
async fn compare(table: &Table, lake: &Lake, encoder: &ParquetEncoder) -> (Duration, Duration) {
    let new = TableSpec { name: "fresh", ..spec() };
    let new = Table::open_or_create(lake, new).await.expect("creates");
    let (mut last, mut fresh) = (Vec::new(), Vec::new());
    for number in 0..LAST {
        let file = |n: i64| encoder.encode(&[batch(1, n..n + 1)]).expect("encodes");
        let later = COMMITS - LAST + number;
        if number % 2 == 0 {
            fresh.push(commit(&new, file(number), number).await);
        }
        last.push(commit(table, file(later), later).await);
        if number % 2 == 1 {
            fresh.push(commit(&new, file(number), number).await);
        }
    }
    (median(last), median(fresh))
}

/// A folder in memory, where there is one: disk file systems take up to four
/// times as long to create a file in one folder as in another, whatever is in
/// it, which would be taken for growth.
fn memory_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// How many files a folder and those in it have.
fn count_files(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.map(|path| if path.is_dir() { count_files(&path) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_ten_thousand_commits_are_as_fast_as_the_first() {
    let folder = memory_folder();
    // Without syncing, which costs the same each time and would hide what grows.
    let url = Url::from_directory_path(folder.path().canonicalize().expect("a path")).expect("a URL");
    let lake = Lake::with_store(url, Arc::new(LocalFileSystem::new()), Handle::current()).expect("a lake");
    let brief = TableSpec { file_retention: Duration::from_secs(2), ..spec() };
    let table = Table::open_or_create(&lake, brief.clone()).await.expect("creates");
    // Maintenance has a handle of its own, as another process would.
    let maintainer = Table::open(&lake, brief.clone()).await.expect("opens");
    let plan = CompactionPlan { fan_in: 16, ..CompactionPlan::new(ALL, &["p"], &["n"]) };
    let encoder = ParquetEncoder::new(&brief, Tuning::Hot);
    let (mut commits, mut most_files, mut most_active) = (Vec::new(), 0, 0);
    let (mut compactions, mut checkpoints, mut cleanings) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..COMMITS - LAST {
        let file = encoder.encode(&[batch(1, number..number + 1)]).expect("encodes");
        commits.push(commit(&table, file, number).await);
        if (number + 1) % MAINTAIN_EVERY == 0 {
            let start = Instant::now();
            compact(&maintainer, &plan).await.expect("compacts");
            compactions.push(start.elapsed());
            let start = Instant::now();
            checkpoint(&maintainer).await.expect("a checkpoint");
            checkpoints.push(start.elapsed());
            let start = Instant::now();
            clean_log(&maintainer, Duration::from_secs(2)).await.expect("cleans");
            cleanings.push(start.elapsed());
            most_active = most_active.max(table.snapshot().file_count());
        }
        if (number + 1) % 1000 == 0 {
            vacuum(&maintainer).await.expect("vacuums");
            most_files = most_files.max(count_files(folder.path()));
        }
    }
    let first = median(commits[..100].to_vec());
    let (last, fresh) = compare(&table, &lake, &encoder).await;
    println!("a commit: {first:?} at first, {last:?} at last and {fresh:?} in a new table at that time");
    for (name, rounds) in [("compacting", compactions), ("a checkpoint", checkpoints), ("cleaning the log", cleanings)]
    {
        let (early, late) = (median(rounds[..10].to_vec()), median(rounds[rounds.len() - 10..].to_vec()));
        println!("{name}: {early:?} at first, {late:?} at last");
        assert!(late < early * 10, "{name}: {early:?} {late:?}");
    }
    println!("at most {most_active} files in the table and {most_files} on disk");
    assert!(last < fresh * 3, "{fresh:?} {last:?}");
    assert!(most_active < 400, "{most_active}");
    assert!(most_files < 5_000, "{most_files}");

    let reopening = Instant::now();
    let again = Table::open(&lake, brief).await.expect("opens");
    println!("reopened in {:?}", reopening.elapsed());
    let read = tokio::task::spawn_blocking(move || crate::rows::numbers(&again)).await.expect("reads");
    assert_eq!(read[&1], (0..COMMITS).collect::<Vec<i64>>());
}
