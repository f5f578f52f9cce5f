//! Commitments and what they lacked as record batches.
//!
//! Invariant 5: the batches are a function of the outcome alone.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use stempoint_core::commitment::{Commitment, CommitmentOrder, TrueUp};
use stempoint_core::names::Name;
use stempoint_core::settlement::{Outcome, Settlement};
use stempoint_schemas::money::Amount;
use stempoint_schemas::tables::{COMMITMENTS, TRUE_UPS, Table};

use super::{coded, decimals, lines, names, texts};

/// The row of a commitment that was set or ended.
pub(super) fn commitment(
    settlement: &Settlement,
    outcome: &Outcome,
) -> Result<Option<(&'static Table, RecordBatch)>, ArrowError> {
    let Some((customer, order)) = &outcome.commitment else { return Ok(None) };
    Ok(Some((&COMMITMENTS, set(settlement, outcome.control.offset, *customer, order)?)))
}

fn set(
    settlement: &Settlement,
    offset: u64,
    customer: Name,
    order: &CommitmentOrder,
) -> Result<RecordBatch, ArrowError> {
    let commitment = order.commitment;
    let amount = commitment.map(|Commitment { amount, .. }| amount.pico());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![offset.cast_signed()])),
        names(settlement, std::iter::once(customer)),
        texts(std::iter::once(Some(order.currency.as_str()))),
        texts(std::iter::once(Some(order.from.to_string().as_str()))),
        decimals(&COMMITMENTS, "amount", std::iter::once(amount))?,
        Arc::new(Int32Array::from(vec![commitment.map(|commitment| commitment.months.cast_signed())])),
    ];
    RecordBatch::try_new(COMMITMENTS.building_schema(), columns)
}

/// The rows of what commitments lacked.
pub(super) fn true_ups(
    settlement: &Settlement,
    outcome: &Outcome,
) -> Result<Option<(&'static Table, RecordBatch)>, ArrowError> {
    let rows = &outcome.true_ups;
    if rows.is_empty() {
        return Ok(None);
    }
    let money = |column: &str, pick: fn(&TrueUp) -> Amount| {
        decimals(&TRUE_UPS, column, rows.iter().map(|row| Some(pick(row).pico())))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(outcome.control.offset.cast_signed(), rows.len())),
        lines(rows.len()),
        names(settlement, rows.iter().map(|row| row.customer)),
        names(settlement, rows.iter().map(|row| row.currency)),
        coded(rows.iter().map(|row| Some(row.period)), |period| period.to_string()),
        coded(rows.iter().map(|row| Some(row.first)), |first| first.to_string()),
        money("committed", |row| row.committed)?,
        money("billed", |row| row.billed)?,
        money("amount", |row| row.amount)?,
        Arc::new(rows.iter().map(|row| row.document.as_deref()).collect::<StringArray>()),
    ];
    Ok(Some((&TRUE_UPS, RecordBatch::try_new(TRUE_UPS.building_schema(), columns)?)))
}
