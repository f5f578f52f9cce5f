//! Opening and creating tables.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use deltalake::{DeltaTable, DeltaTableBuilder};
use stempoint_store::{Appended, Lake, StoreError, Table, TableSpec};

use crate::rows::{all_rows, app, append_next, expected_rows, fence, put, spec};

/// Loads the table as delta-rs itself sees it, by its own store.
pub async fn with_delta_rs(table: &Table) -> DeltaTable {
    DeltaTableBuilder::from_url(table.url().clone()).expect("a URL").load().await.expect("delta-rs reads it")
}

/// Compares the files and fences with those that delta-rs sees.
pub async fn assert_delta_rs_agrees(table: &Table) {
    let delta = with_delta_rs(table).await;
    let snapshot = table.refresh().await.expect("refreshes");
    assert_eq!(delta.version(), Some(snapshot.version()));
    let mut theirs: Vec<String> = delta
        .get_file_uris()
        .expect("files")
        .map(|uri| uri.rsplit('/').next().unwrap_or_default().to_owned())
        .collect();
    let mut ours: Vec<String> = snapshot.files().map(|file| file.path.clone()).collect();
    theirs.sort();
    ours.sort();
    assert_eq!(theirs, ours);
    for (app, version) in snapshot.fences() {
        let state = delta.snapshot().expect("a state");
        let theirs = state.transaction_version(delta.log_store().as_ref(), app.clone()).await.expect("a transaction");
        assert_eq!(theirs, Some(*version), "{app}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_create_the_same_table_at_once_and_all_append_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let opened: Vec<_> = (0..8)
        .map(|partition| {
            // Each has its own lake, as another process would.
            let lake = Lake::open_local(folder.path()).expect("a lake");
            tokio::spawn(async move {
                let table = Table::open_or_create(&lake, spec()).await.expect("opens");
                let done = append_next(&table, partition, 10).await;
                assert!(matches!(done, Appended::Done { .. }), "{done:?}");
                table
            })
        })
        .collect();
    let mut tables = Vec::new();
    for table in opened {
        tables.push(table.await.expect("no panic"));
    }
    for table in &tables {
        table.refresh().await.expect("refreshes");
        assert_eq!(all_rows(table), expected_rows(&(0..8).map(|p| (p, 10)).collect::<Vec<_>>()));
    }
    assert_eq!(tables[0].snapshot().version(), 8);
    assert_delta_rs_agrees(&tables[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_reads_the_same_after_reopening_in_a_folder_with_an_odd_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open_local(folder.path().join("my data é")).expect("a lake");
    let table = Table::open_or_create(&lake, spec()).await.expect("creates");
    for _ in 0..5 {
        append_next(&table, 1, 7).await;
    }
    let again = Table::open(&lake, spec()).await.expect("opens");
    assert_eq!(again.snapshot().version(), table.snapshot().version());
    assert_eq!(again.snapshot().fence(&app(1)), Some(35));
    let files = |table: &Table| table.snapshot().files().cloned().collect::<Vec<_>>();
    assert_eq!(files(&again), files(&table));
    assert_eq!(all_rows(&again), expected_rows(&[(1, 35)]));
    assert_delta_rs_agrees(&again).await;
    stempoint_store::maintenance::checkpoint(&again).await.expect("a checkpoint");
    assert_delta_rs_agrees(&again).await;
}

#[tokio::test]
async fn another_schema_is_an_error_that_names_the_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open_local(folder.path()).expect("a lake");
    let missing = Table::open(&lake, spec()).await.expect_err("there is none");
    assert!(matches!(missing, StoreError::NotATable { .. }), "{missing}");
    Table::open_or_create(&lake, spec()).await.expect("creates");
    let mut fields: Vec<Field> = spec().schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    fields[3] = Field::new("name", DataType::Binary, false);
    let other = TableSpec { schema: Arc::new(Schema::new(fields)), ..spec() };
    let error = Table::open_or_create(&lake, other).await.expect_err("another schema");
    assert!(matches!(&error, StoreError::SchemaMismatch { column, .. } if column == "name"), "{error}");
}

#[tokio::test]
async fn columns_carry_their_comments_into_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open_local(folder.path()).expect("a lake");
    let table = Table::open_or_create(&lake, spec()).await.expect("creates");
    let delta = with_delta_rs(&table).await;
    let state = delta.snapshot().expect("a state");
    let comments: Vec<String> = state.schema().fields().map(|f| format!("{:?}", f.metadata().get("comment"))).collect();
    assert!(comments[1].contains("Column n (units)."), "{comments:?}");
    let protocol = serde_json::to_value(state.protocol()).expect("a value");
    assert_eq!((protocol["minReaderVersion"].as_i64(), protocol["minWriterVersion"].as_i64()), (Some(1), Some(2)));
}

#[tokio::test]
async fn a_handle_sees_what_another_appended_only_after_a_refresh() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open_local(folder.path()).expect("a lake");
    let (a, b) = (
        Table::open_or_create(&lake, spec()).await.expect("a"),
        Table::open_or_create(&lake, spec()).await.expect("b"),
    );
    let file = put(&a, 1, 0..3).await;
    a.append(vec![file], &[fence(1, None, 3)]).await.expect("appends");
    let old = b.snapshot();
    assert_eq!((old.version(), old.file_count()), (0, 0));
    let new = b.refresh().await.expect("refreshes");
    assert_eq!((new.version(), new.file_count(), new.rows()), (1, 1, 3));
    assert_eq!(old.file_count(), 0);
}
