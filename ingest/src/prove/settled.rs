//! A row that settlement wrote in settlement's tree.

use arrow::array::{Int32Array, RecordBatch};
use stempoint_schemas::canonical::CanonicalRows;
use stempoint_schemas::commit::Commit;
use stempoint_schemas::hash::settlement_leaf;
use stempoint_schemas::inclusion::PathTree;
use stempoint_schemas::proof::{Row, Settled};
use stempoint_schemas::row::{ColumnError, longs, typed};
use stempoint_schemas::tables::{Kind, Table};
use stempoint_store::ReadOptions;
use stempoint_store::ledger::{Ledger, bounds};

use super::{InTree, ProveError};
use crate::audit::settlement_rows::SettlementLeaves;

/// The columns whose numbers name one row of a table of settlement.
pub fn numbers_of(table: &Table) -> Vec<&'static str> {
    let names = table.columns.iter().map(|column| column.name);
    names.filter(|name| ["_offset", "entry", "line"].contains(name)).collect()
}

/// The row with these numbers, the root of settlement's tree, and the way there.
pub fn prove(ledger: &Ledger, commit: &Commit, table: &'static Table, numbers: &[i64]) -> Result<InTree, ProveError> {
    let bytes = find(ledger, table, numbers)?.ok_or(ProveError::NoRow)?;
    let wanted = settlement_leaf(table.name, &bytes);
    let mut leaves = SettlementLeaves::new(ledger, commit.control_offset);
    let mut tree = PathTree::default();
    while let Some((_, _, leaf)) = leaves.next_leaf()? {
        // The numbers are part of the row, so no other one has this leaf.
        tree.push(leaf, leaf == wanted);
    }
    let (root, inclusion) = tree.finish();
    let row = Row::Settled(Settled::new(table.name, bytes)?);
    Ok((row, root, inclusion.ok_or(ProveError::NoRow)?))
}

/// The row's canonical bytes.
fn find(ledger: &Ledger, table: &'static Table, numbers: &[i64]) -> Result<Option<Vec<u8>>, ProveError> {
    let offset = numbers.first().copied().unwrap_or_default();
    let stored = ledger.table(table);
    for file in stored.snapshot().files() {
        let (first, last) = bounds(file, "_offset");
        if !(first..=last).contains(&offset) {
            continue;
        }
        for batch in stored.read_file(file, &ReadOptions::default())? {
            let batch = batch?;
            if let Some(row) = position(table, &batch, numbers)? {
                let mut bytes = Vec::new();
                CanonicalRows::new(&batch)?.write(row, &mut bytes);
                return Ok(Some(bytes));
            }
        }
    }
    Ok(None)
}

fn position(table: &'static Table, batch: &RecordBatch, numbers: &[i64]) -> Result<Option<usize>, ColumnError> {
    let mut columns: Vec<Vec<i64>> = Vec::new();
    for name in numbers_of(table) {
        let is_int = table.index(name).is_some_and(|index| table.columns[index].kind == Kind::Int);
        columns.push(match is_int {
            true => typed::<Int32Array>(batch, name)?.values().iter().map(|&number| i64::from(number)).collect(),
            false => longs(batch, name)?.values().to_vec(),
        });
    }
    let is_wanted = |row: &usize| columns.iter().map(|column| column[*row]).eq(numbers.iter().copied());
    Ok((0..batch.num_rows()).find(is_wanted))
}
