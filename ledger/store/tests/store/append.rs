//! Fences, conflicts and puts whose outcome is reported wrongly.

use std::sync::Arc;

use object_store::memory::InMemory;
use stempoint_store::{Appended, AppendedAt, Lake, StoreError, SyncedLocalStore, Table};
use tokio::runtime::Handle;
use url::Url;

use crate::faults::{Fault, FaultyStore};
use crate::rows::{all_rows, app, append_next, expected_rows, fence, numbers, put, spec};

async fn local() -> (tempfile::TempDir, Lake, Table) {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open_local(folder.path()).expect("a lake");
    let table = Table::open_or_create(&lake, spec()).await.expect("creates");
    (folder, lake, table)
}

#[tokio::test]
async fn of_two_writers_with_one_fence_exactly_one_wins_each_range() {
    let (_folder, lake, a) = local().await;
    let b = Table::open(&lake, spec()).await.expect("opens");
    for round in 0..20 {
        let (from, start) = ((round > 0).then_some(round * 5), round * 5);
        let (one, two) = (put(&a, 1, start..start + 5).await, put(&b, 1, start..start + 5).await);
        let fences = [fence(1, from, start + 5)];
        let (one, two) = tokio::join!(a.append(vec![one], &fences), b.append(vec![two], &fences));
        let (one, two) = (one.expect("a"), two.expect("b"));
        let winners = [&one, &two].iter().filter(|done| matches!(done, Appended::Done { .. })).count();
        assert_eq!(winners, 1, "{one:?} {two:?}");
        let loser = if matches!(one, Appended::Done { .. }) { two } else { one };
        assert_eq!(loser, Appended::Overtaken { current: vec![(app(1), Some(start + 5))] });
    }
    a.refresh().await.expect("refreshes");
    assert_eq!(all_rows(&a), expected_rows(&[(1, 100)]));
}

#[tokio::test]
async fn a_writer_that_was_replaced_writes_nothing() {
    let (_folder, lake, old) = local().await;
    append_next(&old, 1, 10).await;
    let new = Table::open(&lake, spec()).await.expect("opens");
    append_next(&new, 1, 10).await;
    append_next(&new, 2, 10).await;
    let file = put(&old, 1, 10..15).await;
    let answer = old.append(vec![file.clone()], &[fence(1, Some(10), 15)]).await.expect("answers");
    assert_eq!(answer, Appended::Overtaken { current: vec![(app(1), Some(20))] });
    assert!(!old.snapshot().contains(&file.path));
    assert_eq!(old.snapshot().version(), new.snapshot().version());
    assert_eq!(all_rows(&old), expected_rows(&[(1, 20), (2, 10)]));
}

#[tokio::test]
async fn writers_with_different_fences_do_not_disturb_each_other() {
    let (_folder, lake, a) = local().await;
    let b = Table::open(&lake, spec()).await.expect("opens");
    for _ in 0..10 {
        let (one, two) = tokio::join!(append_next(&a, 1, 3), append_next(&b, 2, 4));
        assert!(matches!(one, Appended::Done { .. }) && matches!(two, Appended::Done { .. }));
    }
    a.refresh().await.expect("refreshes");
    assert_eq!(all_rows(&a), expected_rows(&[(1, 30), (2, 40)]));
}

#[tokio::test]
async fn fences_only_move_forward_and_are_named_once() {
    let (_folder, _lake, table) = local().await;
    for fences in [vec![fence(1, Some(5), 5)], vec![fence(1, Some(5), 4)], vec![fence(1, None, 1), fence(1, None, 2)]] {
        let error = table.append(vec![], &fences).await.expect_err("refused");
        assert!(matches!(error, StoreError::InvalidFence { .. }), "{error}");
    }
    let done = table.append(vec![], &[fence(1, None, 7), fence(2, None, 0)]).await.expect("moves fences alone");
    assert_eq!(done, Appended::Done { version: 1 });
    assert_eq!(table.snapshot().fence(&app(1)), Some(7));
    assert_eq!(table.snapshot().fence(&app(2)), Some(0));
    assert_eq!(table.snapshot().fence(&app(3)), None);
}

#[tokio::test]
async fn an_append_can_be_repeated_with_the_same_files() {
    let (_folder, lake, table) = local().await;
    let file = put(&table, 1, 0..5).await;
    let fences = [fence(1, None, 5)];
    table.append(vec![file.clone()], &fences).await.expect("appends");
    assert_eq!(table.append(vec![file.clone()], &fences).await.expect("again"), Appended::Done { version: 1 });
    let other = Table::open(&lake, spec()).await.expect("opens");
    append_next(&other, 2, 1).await;
    assert_eq!(other.append(vec![file], &fences).await.expect("again"), Appended::Done { version: 2 });
    assert_eq!(all_rows(&other), expected_rows(&[(1, 5), (2, 1)]));
}

#[tokio::test]
async fn append_at_takes_the_next_version_or_nothing() {
    let (_folder, lake, a) = local().await;
    let b = Table::open(&lake, spec()).await.expect("opens");
    let one = put(&a, 1, 0..1).await;
    assert_eq!(a.append_at(1, vec![one], &[]).await.expect("answers"), AppendedAt::Done);
    let two = put(&b, 1, 0..2).await;
    assert_eq!(b.append_at(1, vec![two.clone()], &[]).await.expect("answers"), AppendedAt::Conflict);
    assert_eq!(b.snapshot().version(), 1, "after a conflict the new head is known");
    assert_eq!(b.append_at(3, vec![two.clone()], &[]).await.expect("answers"), AppendedAt::Conflict);
    assert_eq!(b.append_at(2, vec![two], &[]).await.expect("answers"), AppendedAt::Done);
    let (three, four) = (put(&a, 1, 3..4).await, put(&b, 1, 4..5).await);
    let (x, y) = tokio::join!(a.append_at(3, vec![three], &[]), b.append_at(3, vec![four], &[]));
    let (x, y) = (x.expect("a"), y.expect("b"));
    assert!(
        matches!((x, y), (AppendedAt::Done, AppendedAt::Conflict) | (AppendedAt::Conflict, AppendedAt::Done)),
        "{x:?} {y:?}"
    );
}

/// A lake whose store answers puts of log entries as the script says.
async fn faulty(script: &[Fault]) -> (tempfile::TempDir, Arc<FaultyStore>, Table) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(FaultyStore::new(Arc::new(SyncedLocalStore::new())));
    let url = Url::from_directory_path(folder.path().canonicalize().expect("a path")).expect("a URL");
    let lake = Lake::with_store(url, Arc::clone(&store) as _, Handle::current()).expect("a lake");
    let table = Table::open_or_create(&lake, spec()).await.expect("creates");
    store.script.lock().expect("unpoisoned").extend(script);
    (folder, store, table)
}

#[tokio::test]
async fn a_put_that_succeeds_but_reports_an_error_counts_once() {
    use Fault::{Fail, LandThenExists, LandThenFail};
    for script in [
        vec![LandThenFail],
        vec![LandThenExists],
        vec![Fail, LandThenFail],
        vec![Fail, Fail, LandThenExists],
        vec![Fail, Fail, Fail],
    ] {
        let (_folder, store, table) = faulty(&script).await;
        let done = append_next(&table, 1, 10).await;
        assert_eq!(done, Appended::Done { version: 1 }, "{script:?}");
        append_next(&table, 1, 10).await;
        assert_eq!(all_rows(&table), expected_rows(&[(1, 20)]), "{script:?}");
        assert!(store.script.lock().expect("unpoisoned").is_empty());
    }
}

#[tokio::test]
async fn append_at_recognises_its_own_success() {
    for fault in [Fault::LandThenFail, Fault::LandThenExists] {
        let (_folder, _store, table) = faulty(&[fault]).await;
        let file = put(&table, 1, 0..5).await;
        assert_eq!(table.append_at(1, vec![file], &[]).await.expect("answers"), AppendedAt::Done);
        assert_eq!(all_rows(&table), expected_rows(&[(1, 5)]));
    }
}

#[tokio::test]
async fn a_store_that_keeps_failing_is_an_error_and_nothing_is_written() {
    let (_folder, _store, table) = faulty(&[Fault::Fail; 4]).await;
    let file = put(&table, 1, 0..5).await;
    let fences = [fence(1, None, 5)];
    let error = table.append(vec![file.clone()], &fences).await.expect_err("fails");
    assert!(matches!(error, StoreError::Storage { .. }), "{error}");
    assert_eq!(table.refresh().await.expect("refreshes").fence(&app(1)), None);
    assert_eq!(table.append(vec![file], &fences).await.expect("appends"), Appended::Done { version: 1 });
}

#[tokio::test]
async fn a_full_disk_says_so_at_once_and_loses_nothing() {
    let (_folder, _store, table) = faulty(&[Fault::DiskFull]).await;
    let file = put(&table, 1, 0..5).await;
    let error = table.append(vec![file], &[fence(1, None, 5)]).await.expect_err("fails");
    assert!(matches!(&error, StoreError::DiskFull { table, .. } if table == "usage"), "{error}");
    append_next(&table, 1, 5).await;
    assert_eq!(all_rows(&table), expected_rows(&[(1, 5)]));

    let folder = tempfile::tempdir().expect("a folder");
    let mut store = FaultyStore::new(Arc::new(SyncedLocalStore::new()));
    store.data_too = true;
    let store = Arc::new(store);
    let url = Url::from_directory_path(folder.path().canonicalize().expect("a path")).expect("a URL");
    let lake = Lake::with_store(url, Arc::clone(&store) as _, Handle::current()).expect("a lake");
    let table = Table::open_or_create(&lake, spec()).await.expect("creates");
    store.script.lock().expect("unpoisoned").push_back(Fault::DiskFull);
    let encoder = stempoint_store::ParquetEncoder::new(table.spec(), stempoint_store::Tuning::Hot);
    let file = encoder.encode(&[crate::rows::batch(1, 0..5)]).expect("encodes");
    let error = table.put_file(file.clone()).await.expect_err("fails");
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    table.put_file(file).await.expect("there is space again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_in_memory_behaves_like_one_on_disk() {
    let url = Url::parse("memory:///lake").expect("a URL");
    let lake = Lake::with_store(url, Arc::new(InMemory::new()), Handle::current()).expect("a lake");
    let table = Table::open_or_create(&lake, spec()).await.expect("creates");
    for _ in 0..3 {
        append_next(&table, 1, 10).await;
    }
    let read = tokio::task::spawn_blocking(move || numbers(&table)).await.expect("reads");
    assert_eq!(read[&1], (0..30).collect::<Vec<i64>>());
}
