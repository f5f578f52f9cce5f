//! The customers of a price book's rows.
//!
//! Invariant: a price row has a row here exactly where it is for one customer.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::error::ArrowError;
use stempoint_core::book::AppliedBook;
use stempoint_schemas::tables::{PRICE_CUSTOMERS, Table};

use super::{lines, texts};

/// The rows of a book; `None` where all of its prices are for all.
pub(super) fn batch(applied: &AppliedBook) -> Result<Option<(&'static Table, RecordBatch)>, ArrowError> {
    let own =
        (0..).zip(&applied.book.prices).filter_map(|(position, price)| Some((position, price.customer.as_deref()?)));
    let rows: Vec<(String, &str)> = own.map(|(position, customer)| (applied.price_name(position), customer)).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(applied.offset.cast_signed(), rows.len())),
        lines(rows.len()),
        texts(rows.iter().map(|(price, _)| Some(price.as_str()))),
        texts(rows.iter().map(|(_, customer)| Some(*customer))),
    ];
    RecordBatch::try_new(PRICE_CUSTOMERS.building_schema(), columns).map(|batch| Some((&PRICE_CUSTOMERS, batch)))
}
