//! The charge models of a price book as rows.
//!
//! Invariant: a price row has rows here exactly where its customers do not pay
//! the linear amount.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch};
use arrow::error::ArrowError;
use stempoint_core::book::{AppliedBook, BookPrice};
use stempoint_core::charge_model::{ChargeModel, Charging, Tier};
use stempoint_schemas::money::Quantity;
use stempoint_schemas::tables::{CHARGE_MODELS, Table};

use super::{decimals, lines, texts};

/// A tier of a price, or the price itself where it has none.
struct Row<'a> {
    price: String,
    charging: &'a Charging,
    number: i32,
    above: i128,
    tier: Option<&'a Tier>,
}

/// The rows of a book; `None` where all of its prices are linear.
pub(super) fn batch(applied: &AppliedBook) -> Result<Option<(&'static Table, RecordBatch)>, ArrowError> {
    let adjusted = (0..).zip(&applied.book.prices).filter(|(_, price)| !price.charging.is_linear());
    let rows: Vec<Row> = adjusted.flat_map(|(position, price)| rows(applied.price_name(position), price)).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let decimals =
        |column: &str, value: fn(&Row) -> Option<i128>| decimals(&CHARGE_MODELS, column, rows.iter().map(value));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(applied.offset.cast_signed(), rows.len())),
        lines(rows.len()),
        texts(rows.iter().map(|row| Some(row.price.as_str()))),
        texts(rows.iter().map(|row| Some(row.charging.model.name()))),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.number))),
        decimals("above", |row| Some(row.above))?,
        decimals("up_to", |row| row.tier.and_then(|tier| tier.up_to).map(Quantity::nano))?,
        decimals("amount", |row| row.tier.map(|tier| tier.amount.pico()))?,
        decimals("flat", |row| row.tier.map(|tier| tier.flat.pico()))?,
        decimals("percent", |row| match row.charging.model {
            ChargeModel::Percentage(percent) => Some(i128::from(percent)),
            _ => None,
        })?,
        decimals("minimum", |row| Some(row.charging.minimum.pico()).filter(|&minimum| minimum != 0))?,
    ];
    RecordBatch::try_new(CHARGE_MODELS.building_schema(), columns).map(|batch| Some((&CHARGE_MODELS, batch)))
}

fn rows(price: String, of: &BookPrice) -> Vec<Row<'_>> {
    let row = |number, above, tier| Row { price: price.clone(), charging: &of.charging, number, above, tier };
    let tiers = of.charging.model.tiers();
    if tiers.is_empty() {
        return vec![row(1, 0, None)];
    }
    let mut above = 0;
    let mut rows = Vec::with_capacity(tiers.len());
    for (number, tier) in (1..).zip(tiers) {
        rows.push(row(number, above, Some(tier)));
        above = tier.up_to.map_or(above, Quantity::nano);
    }
    rows
}
