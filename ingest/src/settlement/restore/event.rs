//! One usage event, read where it stands.
//!
//! Invariant: only files whose statistics can hold the place are read, so that
//! finding an event takes the time of one file, however long the log is.

use arrow::array::{Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use stempoint_core::correction::{EventId, Quantities, UsagePlace, UsageRow};
use stempoint_schemas::row::{ColumnError, typed};
use stempoint_schemas::tables::{API_CALLS, GPU_USAGE, Table};
use stempoint_store::ReadOptions;
use stempoint_store::ledger::{Ledger, overlaps};

use super::super::aggregate::{METERED, MILLI, UNIT};
use super::super::error::SettleError;
use super::receivables::{needed, text};

const OF_ALL: [&str; 9] =
    ["_partition", "_offset", "source", "id", "incarnation", "sequence", "time", "customer", "region"];
const OF_API_CALLS: [&str; 5] = ["provider", "model", "input_tokens", "output_tokens", "cached_input_tokens"];
const OF_GPU_USAGE: [&str; 4] = ["node", "gpu", "gpu_seconds", "energy_joules"];

/// The metered event at a place, from the tables as they are known now.
pub fn find(ledger: &Ledger, place: UsagePlace) -> Result<Option<UsageRow>, SettleError> {
    let UsagePlace { partition, offset } = place;
    for table in METERED {
        let metered: &[&str] = if table.name == API_CALLS.name { &OF_API_CALLS } else { &OF_GPU_USAGE };
        let columns = [&OF_ALL, metered].concat();
        let stored = ledger.table(table);
        for file in stored.snapshot().files() {
            if !overlaps(file, partition, offset, offset.saturating_add(1)) {
                continue;
            }
            let options = ReadOptions { columns: Some(&columns), ..ReadOptions::default() };
            for batch in stored.read_file(file, &options)? {
                let batch = batch?;
                if let Some(row) = at(&batch, place)? {
                    return Ok(Some(read(table, &batch, row)?));
                }
            }
        }
    }
    Ok(None)
}

fn at(batch: &RecordBatch, place: UsagePlace) -> Result<Option<usize>, ColumnError> {
    let (partitions, offsets): (Int32Array, Int64Array) = (typed(batch, "_partition")?, typed(batch, "_offset")?);
    let is_there = |row: &usize| {
        (partitions.value(*row).cast_unsigned(), offsets.value(*row).cast_unsigned()) == (place.partition, place.offset)
    };
    Ok((0..batch.num_rows()).find(is_there))
}

fn read(table: &Table, batch: &RecordBatch, row: usize) -> Result<UsageRow, ColumnError> {
    let is_gpu = table.name == GPU_USAGE.name;
    let needed = |column| needed(batch, column, row);
    let number = |column: &'static str| number(batch, column, row);
    let id = match text(batch, "id", row)? {
        Some(id) => EventId::Text(id),
        None => EventId::Number {
            incarnation: number("incarnation")?.cast_unsigned(),
            sequence: number("sequence")?.cast_unsigned(),
        },
    };
    let tokens = |column: &'static str| Ok::<i128, ColumnError>(i128::from(number(column)?) * UNIT);
    let quantities: Quantities = if is_gpu {
        [0, 0, 0, 0, decimal(batch, "gpu_seconds", row)?, decimal(batch, "energy_joules", row)? * MILLI]
    } else {
        [tokens("input_tokens")?, tokens("output_tokens")?, tokens("cached_input_tokens")?, UNIT, 0, 0]
    };
    Ok(UsageRow {
        source: needed("source")?,
        id,
        time_us: typed::<TimestampMicrosecondArray>(batch, "time")?.value(row),
        customer: needed("customer")?,
        provider: needed(if is_gpu { "node" } else { "provider" })?,
        model: if is_gpu { None } else { text(batch, "model", row)? },
        gpu: if is_gpu { text(batch, "gpu", row)? } else { None },
        region: text(batch, "region", row)?,
        quantities,
    })
}

/// An integer, 0 where it is absent.
fn number(batch: &RecordBatch, column: &'static str, row: usize) -> Result<i64, ColumnError> {
    let column = typed::<Int64Array>(batch, column)?;
    Ok(if column.is_null(row) { 0 } else { column.value(row) })
}

/// A decimal in its smallest unit, 0 where it is absent.
fn decimal(batch: &RecordBatch, column: &'static str, row: usize) -> Result<i128, ColumnError> {
    let column = typed::<Decimal128Array>(batch, column)?;
    Ok(if column.is_null(row) { 0 } else { column.value(row) })
}
