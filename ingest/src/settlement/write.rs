//! Writing what follows from a control event: the tables first, then one row
//! of `commits`.
//!
//! Invariants: each table is fenced by the next control offset and skipped
//! where it is ahead, so that a leader replaced in the middle neither repeats
//! nor skips (1); the rows are visible only once all tables have them.

use arrow::array::RecordBatch;
use futures::future::try_join_all;
use stempoint_core::settlement::Settlement;
use stempoint_schemas::canonical::settlement_leaves;
use stempoint_schemas::commit::Commit;
use stempoint_schemas::hash::{Hash, Tree};
use stempoint_schemas::tables::Table;
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::crash::crash_point;
use stempoint_store::ledger::{Ledger, spec};
use stempoint_store::{Appended, Fence, ParquetEncoder, Tuning};

use super::error::SettleError;

/// The name of settlement's fence in each of its tables.
const FENCE: &str = "settlement";

/// Writes the rows of the control event at `offset`; `record` is the hash of its
/// record, and `tree` runs over all rows so far. Gives the ledger version that shows it.
pub async fn write(
    ledger: &Ledger,
    settlement: &Settlement,
    tree: &mut Tree,
    offset: u64,
    batches: &[(&'static Table, RecordBatch)],
    record: Hash,
) -> Result<Commit, SettleError> {
    let next = offset + 1;
    for (table, batch) in batches {
        tree.extend(&settlement_leaves(table.name, batch)?);
    }
    crash_point("settlement.before_tables");
    try_join_all(batches.iter().map(|(table, batch)| append(ledger, table, next, batch))).await?;
    crash_point("settlement.after_tables");
    let head = ledger.advance(|commit| advance(commit, next, record, tree, settlement.settled())).await?;
    crash_point("settlement.after_commit");
    Ok(head)
}

/// Appends the rows of one control event, unless the table has them.
async fn append(ledger: &Ledger, table: &'static Table, next: u64, batch: &RecordBatch) -> Result<(), SettleError> {
    let stored = ledger.table(table);
    let to = next.cast_signed();
    let mut from = stored.snapshot().fence(FENCE);
    while from.is_none_or(|from| from < to) {
        let encoded = ParquetEncoder::new(&spec(table), Tuning::Hot).encode(std::slice::from_ref(batch))?;
        let file = stored.put_file(encoded).await?;
        let fence = Fence { app: FENCE.to_owned(), from, to };
        match stored.append(vec![file], &[fence]).await? {
            Appended::Done { .. } => return Ok(()),
            Appended::Overtaken { .. } => from = stored.refresh().await?.fence(FENCE),
        }
    }
    Ok(())
}

fn advance(commit: &mut Commit, next: u64, record: Hash, tree: &Tree, settled: &Watermarks) -> bool {
    if commit.control_offset >= next {
        return false;
    }
    commit.control_offset = next;
    commit.control_record = Some(record);
    commit.settlement = tree.clone();
    for (partition, shard) in commit.shards.iter_mut().enumerate() {
        shard.settled = shard.settled.max(settled.get(partition as u32));
    }
    true
}
