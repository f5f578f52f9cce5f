//! Corrected usage events, from their table.
//!
//! Invariant: of several corrections of an event the last one counts, whatever
//! the order of the rows in their files.

use std::collections::BTreeMap;

use arrow::array::{Decimal128Array, Int32Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use stempoint_core::correction::{Metered, UsagePlace};
use stempoint_core::settlement::Settlement;
use stempoint_core::usage::Dimensions;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::row::typed;
use stempoint_schemas::tables::CORRECTIONS;
use stempoint_schemas::time::Month;
use stempoint_store::ReadOptions;
use stempoint_store::ledger::Ledger;

use super::super::error::SettleError;
use super::receivables::{needed, text};
use super::unexpected;

/// What is charged since each correction; nothing where the event was taken
/// back.
type Put = BTreeMap<(u64, UsagePlace), Option<Metered>>;

/// Takes up all rows below a control offset.
pub(super) fn corrections(ledger: &Ledger, settlement: &mut Settlement, below: u64) -> Result<(), SettleError> {
    let table = ledger.table(&CORRECTIONS);
    let mut put = Put::new();
    for file in table.snapshot().files() {
        for batch in table.read_file(file, &ReadOptions::default())? {
            let batch = batch?;
            let offsets = typed::<Int64Array>(&batch, "_offset")?;
            for row in 0..batch.num_rows() {
                let offset = offsets.value(row).cast_unsigned();
                if offset < below {
                    take_up(&batch, row, offset, settlement, &mut put)?;
                }
            }
        }
    }
    for ((offset, place), now) in put {
        settlement.restore_correction(place, offset, now);
    }
    Ok(())
}

fn take_up(
    batch: &RecordBatch,
    row: usize,
    offset: u64,
    settlement: &mut Settlement,
    put: &mut Put,
) -> Result<(), SettleError> {
    let place = UsagePlace {
        partition: typed::<Int32Array>(batch, "usage_partition")?.value(row).cast_unsigned(),
        offset: typed::<Int64Array>(batch, "usage_offset")?.value(row).cast_unsigned(),
    };
    let now = put.entry((offset, place)).or_default();
    if needed(batch, "part", row)? != "put" {
        return Ok(());
    }
    let name = needed(batch, "meter", row)?;
    let meter = Meter::from_name(&name).ok_or_else(|| unexpected(CORRECTIONS.name, "meter", &name))?;
    let period = needed(batch, "period", row)?;
    let mut names = |column: &'static str| -> Result<_, SettleError> {
        Ok(settlement.names_mut().intern_some(text(batch, column, row)?.as_deref()))
    };
    let metered = Metered {
        customer: names("customer")?,
        provider: names("provider")?,
        dimensions: Dimensions { model: names("model")?, gpu: names("gpu")?, region: names("region")? },
        time_us: typed::<TimestampMicrosecondArray>(batch, "time")?.value(row),
        period: Month::parse(&period).map_err(|_| unexpected(CORRECTIONS.name, "period", &period))?,
        quantities: [0; Meter::ALL.len()],
    };
    let metered = now.get_or_insert(metered);
    metered.quantities[meter.index()] = typed::<Decimal128Array>(batch, "quantity")?.value(row);
    Ok(())
}
