//! The shares of model owners and asset pools as record batches.
//!
//! Invariant: a share has one row, or one for each provider that it names.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch};
use arrow::error::ArrowError;
use stempoint_core::book::{AppliedBook, named};
use stempoint_core::share::BookShare;
use stempoint_schemas::meter::Dimension;
use stempoint_schemas::tables::{OWNER_SHARES, Table};

use super::{decimals, lines, texts};

/// A row: the share's number from 1, whose it is, the share, and the provider.
type Row<'a> = (i32, String, &'a BookShare, Option<&'a str>);

/// The rows of a book; `None` where nobody but providers has a share.
pub(super) fn batch(applied: &AppliedBook) -> Result<Option<(&'static Table, RecordBatch)>, ArrowError> {
    let rows: Vec<Row<'_>> = (1..).zip(&applied.book.shares).flat_map(|(number, share)| rows(number, share)).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let matched =
        |dimension: Dimension| texts(rows.iter().map(move |(_, _, share, _)| named(&share.matches, dimension)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(applied.offset.cast_signed(), rows.len())),
        lines(rows.len()),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|(number, ..)| *number))),
        texts(rows.iter().map(|(_, owner, ..)| Some(owner.as_str()))),
        texts(rows.iter().map(|(_, _, share, _)| Some(share.meter.name()))),
        matched(Dimension::Model),
        matched(Dimension::Gpu),
        matched(Dimension::Region),
        texts(rows.iter().map(|(.., provider)| *provider)),
        decimals(&OWNER_SHARES, "part", rows.iter().map(|(_, _, share, _)| Some(share.part.pico())))?,
    ];
    RecordBatch::try_new(OWNER_SHARES.building_schema(), columns).map(|batch| Some((&OWNER_SHARES, batch)))
}

fn rows(number: i32, share: &BookShare) -> Vec<Row<'_>> {
    let Some(owner) = share.earner.holder() else { return Vec::new() };
    let row = |provider| (number, owner.clone(), share, provider);
    if share.providers.is_empty() {
        return vec![row(None)];
    }
    share.providers.iter().map(|provider| row(Some(provider.as_str()))).collect()
}
