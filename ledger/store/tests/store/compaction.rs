//! Merging files: no row changes, appends go on.

use std::time::Duration;

use stempoint_store::maintenance::{CompactionPlan, Schedule, compact, maintain};
use stempoint_store::{DataFile, Lake, Stat, StoreError, Table};

use crate::open::assert_delta_rs_agrees;
use crate::rows::{all_rows, app, append_next, expected_rows, numbers, spec};

pub const ALL: &(dyn Fn(&DataFile) -> bool + Send + Sync) = &|_| true;

fn plan() -> CompactionPlan<'static> {
    CompactionPlan { fan_in: 4, ..CompactionPlan::new(ALL, &["p"], &["n"]) }
}

async fn table_with(appends: i64) -> (tempfile::TempDir, Lake, Table) {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open_local(folder.path()).expect("a lake");
    let table = Table::open_or_create(&lake, spec()).await.expect("creates");
    for _ in 0..appends {
        append_next(&table, 1, 10).await;
        append_next(&table, 2, 7).await;
    }
    (folder, lake, table)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_fences_stay_and_files_become_few() {
    let (_folder, lake, table) = table_with(20).await;
    let before = all_rows(&table);
    let done = compact(&table, &plan()).await.expect("compacts");
    assert_eq!((done.merges, done.files, done.rows), (2, 40, 340));
    assert!(done.bytes_after < done.bytes_before, "{done:?}");
    let snapshot = table.snapshot();
    assert_eq!((snapshot.file_count(), snapshot.rows()), (2, 340));
    assert_eq!(all_rows(&table), before);
    assert_eq!(before, expected_rows(&[(1, 200), (2, 140)]));
    assert_eq!((snapshot.fence(&app(1)), snapshot.fence(&app(2))), (Some(200), Some(140)));
    for file in snapshot.files() {
        assert_eq!(file.min("p"), file.max("p"), "partitions stay apart");
        assert_eq!(file.min("n"), Some(&Stat::Int(0)));
    }
    assert_delta_rs_agrees(&table).await;
    let again = Table::open(&lake, spec()).await.expect("opens");
    assert_eq!(all_rows(&again), before);
    append_next(&again, 1, 10).await;
    assert_eq!(again.snapshot().fence(&app(1)), Some(210));
    assert_delta_rs_agrees(&again).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_allowed_is_merged() {
    let (_folder, _lake, table) = table_with(20).await;
    let below = |file: &DataFile| file.min("p") == Some(&Stat::Int(1)) && file.max("n") < Some(&Stat::Int(100));
    let plan = CompactionPlan { eligible: &below, ..plan() };
    let done = compact(&table, &plan).await.expect("compacts");
    assert_eq!((done.merges, done.files), (1, 10));
    assert_eq!(table.snapshot().file_count(), 31);
    assert_eq!(all_rows(&table), expected_rows(&[(1, 200), (2, 140)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_during_compaction_are_kept() {
    let (_folder, lake, table) = table_with(20).await;
    let maintainer = Table::open(&lake, spec()).await.expect("opens");
    let writing = tokio::spawn(async move {
        for _ in 0..60 {
            append_next(&table, 1, 10).await;
        }
        table
    });
    let mut merges = 0;
    while !writing.is_finished() {
        merges += compact(&maintainer, &plan()).await.expect("compacts").merges;
    }
    let table = writing.await.expect("no panic");
    merges += compact(&maintainer, &plan()).await.expect("compacts").merges;
    table.refresh().await.expect("refreshes");
    assert!(merges > 2, "{merges}");
    assert_eq!(numbers(&table)[&1], (0..800).collect::<Vec<i64>>());
    assert_eq!(all_rows(&table), expected_rows(&[(1, 800), (2, 140)]));
    assert_delta_rs_agrees(&table).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_compactions_of_the_same_files_one_gives_way() {
    let (_folder, lake, a) = table_with(20).await;
    let b = Table::open(&lake, spec()).await.expect("opens");
    let (plan_a, plan_b) = (plan(), plan());
    let (one, two) = tokio::join!(compact(&a, &plan_a), compact(&b, &plan_b));
    // Either one finds nothing left to do, or it notices that its files are gone.
    for result in [one, two] {
        assert!(matches!(&result, Ok(_) | Err(StoreError::Vanished { .. })), "{result:?}");
    }
    a.refresh().await.expect("refreshes");
    assert_eq!(all_rows(&a), expected_rows(&[(1, 200), (2, 140)]));
    assert_delta_rs_agrees(&a).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_file_stops_compaction_and_changes_nothing() {
    let (folder, _lake, table) = table_with(5).await;
    let version = table.snapshot().version();
    let gone = table.snapshot().files().nth(2).expect("a file").path.clone();
    std::fs::remove_file(folder.path().join("usage").join(&gone)).expect("removes");
    let error = compact(&table, &plan()).await.expect_err("a file is missing");
    assert!(matches!(&error, StoreError::MissingFile { path, .. } if *path == gone), "{error}");
    assert_eq!(table.refresh().await.expect("refreshes").version(), version);
    let staged = std::fs::read_dir(folder.path().join("usage")).expect("a folder");
    let staged = staged.filter(|e| e.as_ref().is_ok_and(|e| e.file_name().to_string_lossy().contains('#'))).count();
    assert_eq!(staged, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_whose_put_reports_an_error_counts_once() {
    use crate::faults::{Fault, FaultyStore};
    use std::sync::Arc;
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(FaultyStore::new(Arc::new(stempoint_store::SyncedLocalStore::new())));
    let url = url::Url::from_directory_path(folder.path().canonicalize().expect("a path")).expect("a URL");
    let lake = Lake::with_store(url, Arc::clone(&store) as _, tokio::runtime::Handle::current()).expect("a lake");
    let table = Table::open_or_create(&lake, spec()).await.expect("creates");
    for _ in 0..8 {
        append_next(&table, 1, 10).await;
    }
    store.script.lock().expect("unpoisoned").push_back(Fault::LandThenFail);
    assert_eq!(compact(&table, &plan()).await.expect("compacts").merges, 1);
    assert_eq!(table.snapshot().file_count(), 1);
    assert_eq!(all_rows(&table), expected_rows(&[(1, 80)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rounds_of_maintenance_keep_everything_small() {
    let (folder, lake, table) = table_with(0).await;
    let maintainer = Table::open(&lake, spec()).await.expect("opens");
    let schedule = Schedule { checkpoint_commits: 10, log_kept: Duration::ZERO };
    for _ in 0..30 {
        for _ in 0..4 {
            append_next(&table, 1, 5).await;
        }
        maintain(&maintainer, &plan(), &schedule).await.expect("maintains");
    }
    table.refresh().await.expect("refreshes");
    assert_eq!(all_rows(&table), expected_rows(&[(1, 600)]));
    assert!(table.snapshot().file_count() < 20, "{}", table.snapshot().file_count());
    let log = std::fs::read_dir(folder.path().join("usage/_delta_log")).expect("a folder").count();
    assert!(log < 25, "{log} files in the log");
    assert_delta_rs_agrees(&table).await;
}
