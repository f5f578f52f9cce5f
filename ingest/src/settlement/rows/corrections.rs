//! Corrections of usage events as a record batch.
//!
//! Invariant 5: the batch is a function of the outcome alone.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use stempoint_core::charge::of_meter;
use stempoint_core::correction::{Correction, EventId, Metered};
use stempoint_core::names::Name;
use stempoint_core::settlement::{Outcome, Settlement};
use stempoint_core::usage::Dimensions;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::tables::{CORRECTIONS, Table};

use super::{coded, decimals, lines, names, texts, times};

/// One row: a meter of what was taken back or put.
#[derive(Clone, Copy)]
struct Line<'a> {
    part: &'static str,
    metered: &'a Metered,
    meter: Meter,
    nano: i128,
}

/// The rows of an event that was corrected.
pub(super) fn batch(
    settlement: &Settlement,
    outcome: &Outcome,
) -> Result<Option<(&'static Table, RecordBatch)>, ArrowError> {
    let Some(correction) = &outcome.correction else { return Ok(None) };
    let offset = outcome.control.offset.cast_signed();
    Ok(Some((&CORRECTIONS, rows(settlement, offset, correction)?)))
}

fn rows(settlement: &Settlement, offset: i64, correction: &Correction) -> Result<RecordBatch, ArrowError> {
    let parts = [("taken_back", -1, Some(&correction.taken_back)), ("put", 1, correction.put.as_ref())];
    let rows: Vec<Line<'_>> = parts
        .into_iter()
        .filter_map(|(part, sign, metered)| metered.map(|metered| (part, sign, metered)))
        .flat_map(|(part, sign, metered)| {
            metered.counted().map(move |(meter, nano)| Line { part, metered, meter, nano: sign * nano })
        })
        .collect();
    let order = &correction.order;
    let (id, numbers) = match &order.id {
        EventId::Text(id) => (Some(id.as_str()), None),
        EventId::Number { incarnation, sequence } => (None, Some((incarnation.cast_signed(), sequence.cast_signed()))),
    };
    let long = |value: Option<i64>| -> ArrayRef { Arc::new(rows.iter().map(|_| value).collect::<Int64Array>()) };
    let all = |text: &str| texts(rows.iter().map(|_| Some(text)));
    let name = |pick: fn(&Metered) -> Name| names(settlement, rows.iter().map(|row| pick(row.metered)));
    let dimension = |pick: fn(Dimensions) -> Name| {
        names(settlement, rows.iter().map(|row| pick(of_meter(row.meter, row.metered.dimensions))))
    };
    let columns: Vec<ArrayRef> = vec![
        long(Some(offset)),
        lines(rows.len()),
        texts(rows.iter().map(|row| Some(row.part))),
        Arc::new(Int32Array::from_value(order.place.partition.cast_signed(), rows.len())),
        long(Some(order.place.offset.cast_signed())),
        all(&order.source),
        Arc::new(rows.iter().map(|_| id).collect::<StringArray>()),
        long(numbers.map(|(incarnation, _)| incarnation)),
        long(numbers.map(|(_, sequence)| sequence)),
        times(rows.iter().map(|row| row.metered.time_us)),
        name(|metered| metered.customer),
        name(|metered| metered.provider),
        texts(rows.iter().map(|row| Some(row.meter.name()))),
        dimension(|dimensions| dimensions.model),
        dimension(|dimensions| dimensions.gpu),
        dimension(|dimensions| dimensions.region),
        coded(rows.iter().map(|_| Some(correction.period)), |period| period.to_string()),
        decimals(&CORRECTIONS, "quantity", rows.iter().map(|row| Some(row.nano)))?,
        all(&order.reason),
    ];
    RecordBatch::try_new(CORRECTIONS.building_schema(), columns)
}
