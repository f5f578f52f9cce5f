//! Steps of disputes as a record batch.
//!
//! Invariant 5: the batch is a function of the outcome alone.

use std::iter::once;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use stempoint_core::dispute::DisputeChange;
use stempoint_core::settlement::{Outcome, Settlement};
use stempoint_schemas::tables::{DISPUTES, Table};

use super::{coded, decimals, names, texts};

/// What an outcome did to a dispute.
pub(super) fn batch(
    settlement: &Settlement,
    outcome: &Outcome,
) -> Result<Option<(&'static Table, RecordBatch)>, ArrowError> {
    let Some(change) = &outcome.dispute else { return Ok(None) };
    Ok(Some((&DISPUTES, row(settlement, outcome.control.offset, change)?)))
}

fn row(settlement: &Settlement, offset: u64, change: &DisputeChange) -> Result<RecordBatch, ArrowError> {
    let (dispute, line) = (&change.dispute, &change.dispute.line);
    let meter = settlement.books().price(line.price).map(|row| row.meter.name());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![offset.cast_signed()])),
        Arc::new(StringArray::from(vec![dispute.name.as_str()])),
        texts(once(Some(change.step.name()))),
        texts(once(Some(line.side.name()))),
        names(settlement, once(line.party)),
        names(settlement, once(dispute.currency)),
        Arc::new(StringArray::from(vec![dispute.document.as_str()])),
        coded(once(Some(line.period)), |period| period.to_string()),
        texts(once(meter)),
        names(settlement, once(line.dimensions.model)),
        names(settlement, once(line.dimensions.gpu)),
        names(settlement, once(line.dimensions.region)),
        coded(once(Some(line.price)), |price| settlement.price_name(price)),
        decimals(&DISPUTES, "amount", once(Some(change.amount.pico())))?,
        Arc::new(StringArray::from(vec![change.reason.as_str()])),
    ];
    RecordBatch::try_new(DISPUTES.building_schema(), columns)
}
