//! Statements of what providers earned as record batches.
//!
//! Invariant 5: the batches are a function of the outcome alone.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use stempoint_core::payables::ProviderStatement;
use stempoint_core::settlement::{Outcome, Settlement};
use stempoint_schemas::money::Amount;
use stempoint_schemas::tables::{STATEMENTS, Table};

use super::{coded, decimals, lines, names, texts, times};

/// The rows of one outcome, if there are any.
pub(super) fn batch(
    settlement: &Settlement,
    outcome: &Outcome,
) -> Result<Option<(&'static Table, RecordBatch)>, ArrowError> {
    let rows = &outcome.statements;
    if rows.is_empty() {
        return Ok(None);
    }
    let money = |column: &str, pick: fn(&ProviderStatement) -> Amount| {
        decimals(&STATEMENTS, column, rows.iter().map(|row| Some(pick(row).pico())))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(outcome.control.offset.cast_signed(), rows.len())),
        lines(rows.len()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.number))),
        texts(rows.iter().map(|row| Some(row.entity.as_str()))),
        names(settlement, rows.iter().map(|row| row.provider)),
        names(settlement, rows.iter().map(|row| row.currency)),
        coded(rows.iter().map(|row| Some(row.period)), |period| period.to_string()),
        money("earned", |row| row.earned)?,
        money("carried", |row| row.carried)?,
        money("total", |row| row.total)?,
        times(rows.iter().map(|row| row.issued_us)),
    ];
    Ok(Some((&STATEMENTS, RecordBatch::try_new(STATEMENTS.building_schema(), columns)?)))
}
