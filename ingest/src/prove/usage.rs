//! A record of the usage log in its shard's tree.
//!
//! Invariant: rows are read once, in log order; memory holds one batch per
//! table, however long the log is.

use stempoint_schemas::commit::Commit;
use stempoint_schemas::inclusion::PathTree;
use stempoint_schemas::proof::{Accepted, Duplicate, Place, Rejected, Row};
use stempoint_schemas::wire;
use stempoint_store::ledger::{Ledger, LogRows, RowOutcome, UsageRow};

use super::{InTree, ProveError};

/// The row at a place, the root of its tree, and its way there.
pub fn prove(ledger: &Ledger, commit: &Commit, partition: u32, offset: u64) -> Result<InTree, ProveError> {
    let mut rows = LogRows::new(ledger, partition, 0, commit.visible().get(partition), false);
    let (mut tree, mut buffer) = (PathTree::default(), Vec::new());
    let mut found = None;
    while rows.next(|row| {
        let wanted = row.offset == offset;
        tree.push(row.leaf(partition, &mut buffer), wanted);
        if wanted {
            found = Some(read(&row, partition));
        }
    })? {}
    match (found, tree.finish()) {
        (Some(row), (root, Some(inclusion))) => Ok((row?, root, inclusion)),
        _ => Err(ProveError::NoRow),
    }
}

fn read(row: &UsageRow<'_>, partition: u32) -> Result<Row, ProveError> {
    let place = Place::new(partition, row.offset, row.recorded_us);
    let source = row.source.unwrap_or_default();
    Ok(match &row.outcome {
        RowOutcome::Accepted(event) => {
            let mut bytes = Vec::new();
            wire::encode(event, &mut bytes);
            Row::Accepted(Accepted::new(place, source, bytes)?)
        }
        RowOutcome::Duplicate { original } => Row::Duplicate(Duplicate::new(place, source, *original)),
        RowOutcome::Rejected { reason, key, raw } => Row::Rejected(Rejected::new(place, reason, *key, raw)),
    })
}
