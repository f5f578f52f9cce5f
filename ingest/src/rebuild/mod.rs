//! Folding and settling again, and comparing the rows.
//!
//! Invariant 5: the same records give the same logical rows; files and Delta
//! metadata are not compared.

mod lake_log;

use stempoint_store::ledger::{Ledger, LogRows};

use crate::audit::AuditError;
use crate::audit::settlement_rows::SettlementLeaves;

pub use lake_log::LakeLog;

/// What a comparison found.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Rows of the ingest tables that were compared.
    pub usage_rows: u64,
    /// Rows of settlement's tables that were compared.
    pub settlement_rows: u64,
    /// The first differences, in words.
    pub differences: Vec<String>,
}

/// Compares the rows that the older ledger shows with those of the newer.
pub async fn compare(older: &Ledger, newer: &Ledger) -> Result<Comparison, AuditError> {
    let (head, rebuilt) = (older.head().await?, newer.head().await?);
    for ledger in [older, newer] {
        for table in stempoint_schemas::tables::ALL {
            ledger.table(table).refresh().await?;
        }
    }
    let mut comparison = Comparison::default();
    if !rebuilt.visible().covers(&head.visible()) || rebuilt.control_offset < head.control_offset {
        comparison.differences.push(format!(
            "the rebuilt ledger ends at {} and control event {}, the other at {} and {}",
            rebuilt.visible(),
            rebuilt.control_offset,
            head.visible(),
            head.control_offset
        ));
    }
    for (partition, watermark) in head.visible().iter() {
        compare_partition(older, newer, partition, watermark, &mut comparison)?;
    }
    let (mut left, mut right) =
        (SettlementLeaves::new(older, head.control_offset), SettlementLeaves::new(newer, head.control_offset));
    loop {
        let (a, b) = (left.next_leaf()?, right.next_leaf()?);
        if a != b {
            let (offset, table, _) = a.or(b).unwrap_or_default();
            comparison.differences.push(format!("{table}: the rows of control event {offset} differ"));
            break;
        }
        if a.is_none() {
            break;
        }
        comparison.settlement_rows += 1;
    }
    Ok(comparison)
}

fn compare_partition(
    older: &Ledger,
    newer: &Ledger,
    partition: u32,
    watermark: u64,
    comparison: &mut Comparison,
) -> Result<(), AuditError> {
    let mut left = LogRows::new(older, partition, 0, watermark, false);
    let mut right = LogRows::new(newer, partition, 0, watermark, false);
    let mut buffer = Vec::new();
    loop {
        let (mut a, mut b) = (None, None);
        left.next(|row| a = Some((row.offset, row.table, row.leaf(partition, &mut buffer))))?;
        right.next(|row| b = Some((row.offset, row.table, row.leaf(partition, &mut buffer))))?;
        if a != b {
            let (offset, table, _) = a.or(b).unwrap_or_default();
            comparison.differences.push(format!("{table}: the row of partition {partition}, offset {offset} differs"));
            return Ok(());
        }
        if a.is_none() {
            return Ok(());
        }
        comparison.usage_rows += 1;
    }
}
