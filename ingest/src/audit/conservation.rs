//! Conservation of quantities (2): what the usage tables hold below W, with
//! what corrections made of it, is what charges hold, by meter, and both sides
//! of every price row are equal.

use std::collections::BTreeMap;

use arrow::array::{Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray};
use stempoint_core::charge::{Charge, Side};
use stempoint_schemas::commit::Commit;
use stempoint_schemas::decimal;
use stempoint_schemas::meter::{MILLI_NANO, Meter, UNIT_NANO};
use stempoint_schemas::money::QUANTITY_SCALE;
use stempoint_schemas::row::ColumnError;
use stempoint_schemas::tables::{API_CALLS, CORRECTIONS, GPU_USAGE, Table};
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::ReadOptions;
use stempoint_store::ledger::{Ledger, overlaps};

use super::{AuditError, Check};
use crate::settlement::stored_charges;

/// Compares usage with charges and customers with providers.
pub fn check(ledger: &Ledger, head: &Commit) -> Result<Check, AuditError> {
    let mut check = Check::new("conservation of quantities");
    let mut used = usage_sums(ledger, &head.settled())?;
    let corrected = add_corrections(ledger, head.control_offset, &mut used)?;
    let mut by_side: BTreeMap<(Meter, Side), i128> = BTreeMap::new();
    let mut by_row: BTreeMap<(Meter, String), (i128, i128)> = BTreeMap::new();
    let mut by_state: BTreeMap<(Meter, &'static str), i128> = BTreeMap::new();
    stored_charges(ledger, head.control_offset, |price, charge| {
        let (key, quantity) = (charge.key, charge.quantity.nano());
        *by_side.entry((key.meter, key.side)).or_default() += quantity;
        let row = price.map_or_else(|| charge.state.name().to_owned(), |price| format!("price {price}"));
        let sides = by_row.entry((key.meter, row)).or_default();
        match key.side {
            Side::Customer => {
                sides.0 += quantity;
                *by_state.entry((key.meter, charge.state.name())).or_default() += quantity;
            }
            Side::Provider => sides.1 += quantity,
        }
    })?;
    for (meter, used) in Meter::ALL.into_iter().zip(used) {
        let charged = by_side.get(&(meter, Side::Customer)).copied().unwrap_or(0);
        if used != charged {
            check.problem(format!(
                "{meter}: usage and corrections have {}, charges have {}",
                show(used),
                show(charged)
            ));
        }
    }
    for ((meter, row), (customers, providers)) in &by_row {
        if customers != providers {
            check.problem(format!("{meter}, {row}: customers {}, providers {}", show(*customers), show(*providers)));
        }
    }
    let states: Vec<String> = by_state
        .iter()
        .filter(|(_, quantity)| **quantity != 0)
        .map(|((meter, state), quantity)| format!("{meter} {} {state}", show(*quantity)))
        .collect();
    let corrected = if corrected == 0 { String::new() } else { format!("{corrected} rows of corrections; ") };
    check.figures = format!("{} price rows, both sides equal; {corrected}{}", by_row.len(), states.join(", "));
    Ok(check)
}

/// Says what waits for a price. That is no failure, but no month can be
/// closed with it.
pub fn unrated(ledger: &Ledger, head: &Commit) -> Result<Check, AuditError> {
    let mut sums: BTreeMap<(String, Meter), i128> = BTreeMap::new();
    stored_charges(ledger, head.control_offset, |_, charge: &Charge| {
        if charge.key.side == Side::Customer && charge.state.name() == "unrated" {
            *sums.entry((charge.key.period.to_string(), charge.key.meter)).or_default() += charge.quantity.nano();
        }
    })?;
    let mut check = Check::new("unrated usage");
    let waiting: Vec<String> = sums
        .iter()
        .filter(|(_, quantity)| **quantity != 0)
        .map(|((period, meter), quantity)| format!("{period} {meter} {}", show(*quantity)))
        .collect();
    check.figures = if waiting.is_empty() {
        "none".to_owned()
    } else {
        format!("{}; apply a price book that covers it, or waive it", waiting.join(", "))
    };
    Ok(check)
}

fn show(quantity: i128) -> String {
    decimal::format(quantity, QUANTITY_SCALE)
}

/// Per meter what the usage tables hold below the watermarks.
fn usage_sums(ledger: &Ledger, settled: &Watermarks) -> Result<[i128; Meter::ALL.len()], AuditError> {
    let mut sums = [0; Meter::ALL.len()];
    each_row(ledger, &API_CALLS, &["input_tokens", "output_tokens", "cached_input_tokens"], settled, |batch, row| {
        let value = |name: &str| -> Result<i128, ColumnError> {
            let column = typed::<Int64Array>(batch, name)?;
            Ok(if column.is_null(row) { 0 } else { i128::from(column.value(row)) * UNIT_NANO })
        };
        sums[0] += value("input_tokens")?;
        sums[1] += value("output_tokens")?;
        sums[2] += value("cached_input_tokens")?;
        sums[3] += UNIT_NANO;
        Ok(())
    })?;
    each_row(ledger, &GPU_USAGE, &["gpu_seconds", "energy_joules"], settled, |batch, row| {
        let value = |name: &str| -> Result<i128, ColumnError> {
            let column = typed::<Decimal128Array>(batch, name)?;
            Ok(if column.is_null(row) { 0 } else { column.value(row) })
        };
        sums[4] += value("gpu_seconds")?;
        sums[5] += value("energy_joules")? * MILLI_NANO;
        Ok(())
    })?;
    Ok(sums)
}

/// Adds what corrections took back and put; gives the number of their rows.
fn add_corrections(ledger: &Ledger, below: u64, sums: &mut [i128; Meter::ALL.len()]) -> Result<u64, AuditError> {
    let stored = ledger.table(&CORRECTIONS);
    let mut rows = 0;
    for file in stored.snapshot().files() {
        let columns = ["_offset", "meter", "quantity"];
        for batch in stored.read_file(file, &ReadOptions { columns: Some(&columns), ..ReadOptions::default() })? {
            let batch = batch?;
            let offsets = typed::<Int64Array>(&batch, "_offset")?;
            let meters = typed::<StringArray>(&batch, "meter")?;
            let quantities = typed::<Decimal128Array>(&batch, "quantity")?;
            for row in (0..batch.num_rows()).filter(|row| offsets.value(*row).cast_unsigned() < below) {
                if let Some(meter) = Meter::from_name(meters.value(row)) {
                    sums[meter.index()] += quantities.value(row);
                }
                rows += 1;
            }
        }
    }
    Ok(rows)
}

fn each_row(
    ledger: &Ledger,
    table: &'static Table,
    columns: &[&str],
    settled: &Watermarks,
    mut each: impl FnMut(&RecordBatch, usize) -> Result<(), ColumnError>,
) -> Result<(), AuditError> {
    let stored = ledger.table(table);
    let wanted: Vec<&str> = ["_partition", "_offset"].iter().chain(columns).copied().collect();
    for file in stored.snapshot().files() {
        if !settled.iter().any(|(partition, end)| overlaps(file, partition, 0, end)) {
            continue;
        }
        for batch in stored.read_file(file, &ReadOptions { columns: Some(&wanted), ..ReadOptions::default() })? {
            let batch = batch?;
            let partitions = typed::<Int32Array>(&batch, "_partition")?;
            let offsets = typed::<Int64Array>(&batch, "_offset")?;
            for row in 0..batch.num_rows() {
                if settled.is_above(partitions.value(row).cast_unsigned(), offsets.value(row).cast_unsigned()) {
                    each(&batch, row)?;
                }
            }
        }
    }
    Ok(())
}

fn typed<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a T, ColumnError> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref::<T>())
        .ok_or_else(|| ColumnError(name.to_owned()))
}
