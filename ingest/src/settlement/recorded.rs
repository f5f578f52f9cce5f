//! Whether a settle event names only what the log had when it took the event.
//!
//! Invariant 5: the answer follows from record times alone, so that a leader
//! that takes over and a rebuild, for which the log has become longer, find
//! the same.

use std::time::Duration;

use arrow::array::{Int32Array, Int64Array, TimestampMicrosecondArray};
use stempoint_schemas::row::typed;
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::ledger::{Ledger, overlaps};
use stempoint_store::{DataFile, ReadOptions, Stat, Table};

use super::error::SettleError;
use crate::fold::INGEST_TABLES;

/// How far the clocks of Kafka's brokers may be apart: a record counts as
/// older than a control event if its time is not later by more than this.
pub const CLOCK_SKEW: Duration = Duration::from_secs(1);

/// How long to wait for the log to reach what a settle event names. What the
/// log took before the event is durable long before; what it takes after this
/// has a record time that is later by more than [`CLOCK_SKEW`].
pub const REACH_WAIT: Duration = Duration::from_secs(2);

/// Whether all records in [from, to) were recorded before a control event was.
/// The ledger must show them.
pub fn is_older_than(
    ledger: &Ledger,
    runtime: &tokio::runtime::Handle,
    (from, to): (&Watermarks, &Watermarks),
    recorded_us: i64,
) -> Result<bool, SettleError> {
    let latest_us = recorded_us.saturating_add(CLOCK_SKEW.as_micros() as i64);
    for table in INGEST_TABLES {
        let stored = ledger.table(table);
        runtime.block_on(stored.refresh())?;
        for file in stored.snapshot().files() {
            let has_rows = to.iter().any(|(partition, end)| overlaps(file, partition, from.get(partition), end));
            if has_rows && may_be_later(file, latest_us) && has_later(stored, file, (from, to), latest_us)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// What the file's statistics say.
fn may_be_later(file: &DataFile, latest_us: i64) -> bool {
    !matches!(file.max("_recorded_at"), Some(Stat::Time(last_us)) if *last_us <= latest_us)
}

/// What its rows say.
fn has_later(
    table: &Table,
    file: &DataFile,
    (from, to): (&Watermarks, &Watermarks),
    latest_us: i64,
) -> Result<bool, SettleError> {
    let options = ReadOptions { columns: Some(&["_partition", "_offset", "_recorded_at"]), ..ReadOptions::default() };
    for batch in table.read_file(file, &options)? {
        let batch = batch?;
        let partitions = typed::<Int32Array>(&batch, "_partition")?;
        let offsets = typed::<Int64Array>(&batch, "_offset")?;
        let times = typed::<TimestampMicrosecondArray>(&batch, "_recorded_at")?;
        let is_later = |row: usize| {
            let (partition, offset) = (partitions.value(row).cast_unsigned(), offsets.value(row).cast_unsigned());
            times.value(row) > latest_us && !from.is_above(partition, offset) && to.is_above(partition, offset)
        };
        if (0..batch.num_rows()).any(is_later) {
            return Ok(true);
        }
    }
    Ok(false)
}
