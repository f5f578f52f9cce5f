//! Checkpoints, cleaning the log, vacuum.

use std::time::Duration;

use stempoint_store::maintenance::{CompactionPlan, Vacuumed, checkpoint, clean_log, compact, vacuum};
use stempoint_store::{Lake, ReadOptions, Table, TableSpec};

use crate::compaction::ALL;
use crate::open::{assert_delta_rs_agrees, with_delta_rs};
use crate::rows::{all_rows, append_next, expected_rows, put, spec};

async fn table_with(spec: TableSpec, appends: i64) -> (tempfile::TempDir, Lake, Table) {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open_local(folder.path()).expect("a lake");
    let table = Table::open_or_create(&lake, spec).await.expect("creates");
    for _ in 0..appends {
        append_next(&table, 1, 10).await;
    }
    (folder, lake, table)
}

/// Waits until a file was written so long ago.
async fn wait_until_old(path: &std::path::Path, age: Duration) {
    let written = std::fs::metadata(path).and_then(|metadata| metadata.modified()).expect("a time");
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while written.elapsed().is_ok_and(|elapsed| elapsed <= age) {
        assert!(std::time::Instant::now() < deadline, "the clock stands still");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_replaces_the_log_for_every_reader() {
    let (folder, lake, table) = table_with(spec(), 12).await;
    assert_eq!(checkpoint(&table).await.expect("a checkpoint"), 12);
    assert_eq!(checkpoint(&table).await.expect("nothing to do"), 12);
    append_next(&table, 1, 10).await;
    assert_eq!(clean_log(&table, Duration::from_secs(3600)).await.expect("too young"), 0);
    assert_eq!(clean_log(&table, Duration::ZERO).await.expect("cleans"), 12);
    let log = names(&folder.path().join("usage/_delta_log"));
    assert_eq!(
        log,
        [
            "00000000000000000012.checkpoint.parquet",
            "00000000000000000012.json",
            "00000000000000000013.json",
            "_last_checkpoint"
        ]
    );
    let again = Table::open(&lake, spec()).await.expect("opens");
    assert_eq!(all_rows(&again), expected_rows(&[(1, 130)]));
    assert_eq!(again.snapshot().fences(), table.snapshot().fences());
    let stats = |table: &Table| {
        table
            .snapshot()
            .files()
            .map(|f| (f.path.clone(), f.stats.clone()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    assert_eq!(stats(&again), stats(&table));
    assert_delta_rs_agrees(&again).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vacuum_removes_what_is_old_and_unused_and_nothing_else() {
    let brief = TableSpec { file_retention: Duration::from_secs(1), ..spec() };
    let (folder, _lake, table) = table_with(brief, 12).await;
    let data = folder.path().join("usage");
    let plan = CompactionPlan { fan_in: 4, ..CompactionPlan::new(ALL, &["p"], &["n"]) };
    let before = table.snapshot();
    wait_until_old(&data.join(&before.files().last().expect("a file").path), Duration::from_secs(1)).await;
    compact(&table, &plan).await.expect("compacts");
    // What counts is when a file was merged, not when it was written: readers may still use it.
    assert_eq!(vacuum(&table).await.expect("just merged"), Vacuumed::default());
    assert!(before.files().all(|file| table.read_file(file, &ReadOptions::default()).is_ok()));
    let orphan = put(&table, 1, 0..3).await;
    std::fs::write(data.join("part-x.parquet#1"), "staged").expect("writes");
    std::fs::write(data.join("_delta_log/00000000000000000099.json#1"), "staged").expect("writes");
    assert_eq!(vacuum(&table).await.expect("too young"), Vacuumed::default());
    let mut done = Vacuumed::default();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while (done.files, done.staged) != (13, 2) {
        assert!(std::time::Instant::now() < deadline, "{done:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let more = vacuum(&table).await.expect("vacuums");
        done = Vacuumed {
            files: done.files + more.files,
            bytes: done.bytes + more.bytes,
            staged: done.staged + more.staged,
        };
    }
    let young = put(&table, 1, 0..3).await;
    assert_eq!(vacuum(&table).await.expect("too young"), Vacuumed::default());
    let left = names(&data);
    assert!(!left.contains(&orphan.path) && left.contains(&young.path), "{left:?}");
    assert_eq!(left.len(), 3, "{left:?}");
    assert_eq!(all_rows(&table), expected_rows(&[(1, 120)]));
    assert_delta_rs_agrees(&table).await;
}

/// Tombstones must not pile up in checkpoints for longer than files are kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkpoints_forget_removed_files_after_the_retention() {
    let brief = TableSpec { file_retention: Duration::from_secs(0), ..spec() };
    let (folder, _lake, table) = table_with(brief, 40).await;
    let plan = CompactionPlan { fan_in: 4, ..CompactionPlan::new(ALL, &["p"], &["n"]) };
    compact(&table, &plan).await.expect("compacts");
    tokio::time::sleep(Duration::from_millis(5)).await;
    let version = checkpoint(&table).await.expect("a checkpoint");
    clean_log(&table, Duration::ZERO).await.expect("cleans");
    let hint = std::fs::read_to_string(folder.path().join("usage/_delta_log/_last_checkpoint")).expect("a hint");
    let hint: serde_json::Value = serde_json::from_str(&hint).expect("JSON");
    assert_eq!(hint["version"].as_u64(), Some(version));
    // Protocol, metadata, one fence, one file.
    assert_eq!(hint["size"].as_u64(), Some(4), "{hint}");
}

/// Everything that delta-rs writes here goes through the store that syncs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delta_rs_writes_through_the_synced_store() {
    let (_folder, lake, table) = table_with(spec(), 3).await;
    assert!(format!("{:?}", lake.object_store()).starts_with("SyncedLocalStore"));
    let before = stempoint_store::sync_count();
    checkpoint(&table).await.expect("a checkpoint");
    // The checkpoint and its hint: content and folder of each. Other tests only add to it.
    assert!(stempoint_store::sync_count() - before >= 4);
    assert_eq!(with_delta_rs(&table).await.version(), Some(3));
}
