//! The same through the store: tables as the folds write them, before and
//! after compaction.

use std::sync::Arc;

use arrow::compute::cast;
use arrow::record_batch::RecordBatch;
use stempoint_query::{Engine, EngineOptions, LedgerFiles, Session};
use stempoint_schemas::tables::{self, COMMITS, REJECTS, Table};
use stempoint_store::ledger::{Ledger, spec};
use stempoint_store::maintenance::{CompactionPlan, compact};
use stempoint_store::{ParquetEncoder, Tuning};

use crate::support::{Row, batch, csv};

/// Rows as the folds build them: low-cardinality texts as dictionaries.
pub fn built(table: &'static Table, rows: &[Row]) -> RecordBatch {
    let plain = batch(table, rows);
    let schema = table.building_schema();
    let columns =
        plain.columns().iter().zip(schema.fields()).map(|(column, field)| cast(column, field.data_type()).unwrap());
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

/// Appends one file.
pub async fn append(ledger: &Ledger, table: &'static Table, batches: &[RecordBatch]) {
    let encoder = ParquetEncoder::new(&spec(table), Tuning::Hot);
    let file = ledger.table(table).put_file(encoder.encode(batches).unwrap()).await.unwrap();
    ledger.table(table).append(vec![file], &[]).await.unwrap();
}

pub async fn session(ledger: &Ledger, version: Option<i64>) -> Session {
    let commits: Vec<_> = ledger.table(&COMMITS).refresh().await.unwrap().files().cloned().collect();
    let mut files = LedgerFiles::new();
    for table in tables::ALL {
        files = files.with(table, ledger.table(table).refresh().await.unwrap().files().cloned());
    }
    let engine = Engine::new(ledger.lake().object_store(), ledger.lake().url(), EngineOptions::default()).unwrap();
    let pin = engine.pin(&commits, version).await.unwrap();
    engine.session(pin, &files).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_ledger_is_pinned_across_compaction() {
    // A folder with a space must not matter.
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open_or_create(&folder.path().join("a lake 20"), 2).await.unwrap();
    for from in (0..40).step_by(10) {
        let rows: Vec<Row> = (from..from + 10)
            .map(|offset: i64| {
                vec![("_partition", (offset % 2).into()), ("_offset", (offset / 2).into()), ("reason", "test".into())]
            })
            .collect();
        append(&ledger, &REJECTS, &[built(&REJECTS, &rows)]).await;
    }
    for (first, second) in [(3, 0), (12, 20), (20, 20)] {
        let advance = |commit: &mut stempoint_schemas::commit::Commit| {
            commit.shards[0].watermark = first;
            commit.shards[1].watermark = second;
            true
        };
        ledger.advance(advance).await.unwrap();
    }
    let sql = "SELECT reason, count(*) AS n, sum(_offset) AS s FROM rejects GROUP BY reason";
    let expected = [(1, "test,3,3"), (2, "test,32,256"), (3, "test,40,380")];
    for (version, row) in expected {
        let answer = csv(&session(&ledger, Some(version)).await, sql).await.unwrap();
        assert_eq!(answer, format!("reason,n,s\n{row}\n"), "version {version}");
    }
    let all = |_: &stempoint_store::DataFile| true;
    let plan = CompactionPlan { fan_in: 2, ..CompactionPlan::new(&all, &[], &["_partition", "_offset"]) };
    compact(ledger.table(&REJECTS), &plan).await.unwrap();
    assert_eq!(ledger.table(&REJECTS).snapshot().file_count(), 1);
    for (version, row) in expected {
        let answer = csv(&session(&ledger, Some(version)).await, sql).await.unwrap();
        assert_eq!(answer, format!("reason,n,s\n{row}\n"), "version {version}");
    }
}
