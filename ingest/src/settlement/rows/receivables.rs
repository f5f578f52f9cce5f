//! Terms, currencies, documents, payments, grants and allocations as record batches.
//!
//! Invariant 5: the batches are a function of the outcome alone.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use stempoint_core::currencies::CurrencyOrder;
use stempoint_core::names::Name;
use stempoint_core::receivables::{Allocation, Document, Grant, Payment};
use stempoint_core::settlement::{Outcome, Settlement};
use stempoint_core::terms::Terms;
use stempoint_schemas::money::Amount;
use stempoint_schemas::tables::{ALLOCATIONS, CURRENCIES, GRANTS, INVOICES, PAYMENTS, TERMS, Table};
use stempoint_schemas::time::Month;

use super::{coded, decimals, disputes, lines, names, some_times, texts, times};

/// The documents of one outcome, if there are any.
pub(super) fn documents(
    settlement: &Settlement,
    outcome: &Outcome,
) -> Result<Option<(&'static Table, RecordBatch)>, ArrowError> {
    if outcome.documents.is_empty() {
        return Ok(None);
    }
    Ok(Some((&INVOICES, invoices(settlement, outcome.control.offset, &outcome.documents)?)))
}

/// The rows of one outcome by table, in order, documents apart.
pub(super) fn batches(
    settlement: &Settlement,
    outcome: &Outcome,
) -> Result<Vec<(&'static Table, RecordBatch)>, ArrowError> {
    let offset = outcome.control.offset;
    let mut batches: Vec<(&'static Table, RecordBatch)> = Vec::new();
    if let Some(payment) = &outcome.payment {
        batches.push((&PAYMENTS, payments(settlement, offset, payment)?));
    }
    if let Some(grant) = &outcome.grant {
        batches.push((&GRANTS, grants(settlement, offset, grant)?));
    }
    batches.extend(disputes::batch(settlement, outcome)?);
    if !outcome.allocations.is_empty() {
        batches.push((&ALLOCATIONS, allocations(settlement, offset, &outcome.allocations)?));
    }
    Ok(batches)
}

/// The row of terms that were put in force.
pub(super) fn terms(
    settlement: &Settlement,
    outcome: &Outcome,
) -> Result<Option<(&'static Table, RecordBatch)>, ArrowError> {
    let Some((customer, terms)) = &outcome.terms else { return Ok(None) };
    Ok(Some((&TERMS, in_force(settlement, outcome.control.offset, *customer, terms)?)))
}

/// The row of a currency that was put in force.
pub(super) fn currency(outcome: &Outcome) -> Result<Option<(&'static Table, RecordBatch)>, ArrowError> {
    let Some(CurrencyOrder { customer, currency, from }) = &outcome.currency else { return Ok(None) };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![outcome.control.offset.cast_signed()])),
        texts(std::iter::once(customer.as_deref())),
        texts(std::iter::once(Some(currency.as_str()))),
        coded(std::iter::once(Some(*from)), |from| from.to_string()),
    ];
    Ok(Some((&CURRENCIES, RecordBatch::try_new(CURRENCIES.building_schema(), columns)?)))
}

fn in_force(
    settlement: &Settlement,
    offset: u64,
    customer: Option<Name>,
    terms: &Terms,
) -> Result<RecordBatch, ArrowError> {
    let tax = terms.tax.as_ref();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![offset.cast_signed()])),
        names(settlement, std::iter::once(customer.unwrap_or_default())),
        texts(std::iter::once(Some(terms.entity.as_str()))),
        Arc::new(Int32Array::from(vec![terms.due_days.cast_signed()])),
        texts(std::iter::once(tax.map(|tax| tax.name.as_str()))),
        decimals(&TERMS, "tax_rate", std::iter::once(tax.map(|tax| tax.rate.pico())))?,
    ];
    RecordBatch::try_new(TERMS.building_schema(), columns)
}

fn invoices(settlement: &Settlement, offset: u64, documents: &[Document]) -> Result<RecordBatch, ArrowError> {
    let name = |pick: fn(&Document) -> Name| names(settlement, documents.iter().map(pick));
    let money = |column: &str, pick: fn(&Document) -> Amount| {
        decimals(&INVOICES, column, documents.iter().map(|document| Some(pick(document).pico())))
    };
    let tax = || documents.iter().map(|document| document.tax_terms.as_ref());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(offset.cast_signed(), documents.len())),
        lines(documents.len()),
        Arc::new(StringArray::from_iter_values(documents.iter().map(|document| &document.number))),
        texts(documents.iter().map(|document| Some(document.kind.name()))),
        texts(documents.iter().map(|document| Some(document.entity.as_str()))),
        name(|document| document.customer),
        name(|document| document.currency),
        coded(documents.iter().map(|document| document.period), |period| period.to_string()),
        money("subtotal", |document| document.subtotal)?,
        money("net", |document| document.net)?,
        texts(tax().map(|tax| tax.map(|tax| tax.name.as_str()))),
        decimals(&INVOICES, "tax_rate", tax().map(|tax| tax.map(|tax| tax.rate.pico())))?,
        money("tax", |document| document.tax)?,
        money("total", |document| document.total)?,
        texts(documents.iter().map(|document| document.corrects.as_deref())),
        Arc::new(documents.iter().map(|document| document.reason.as_deref()).collect::<StringArray>()),
        times(documents.iter().map(|document| document.issued_us)),
        some_times(documents.iter().map(|document| document.due_us)),
    ];
    RecordBatch::try_new(INVOICES.building_schema(), columns)
}

fn payments(settlement: &Settlement, offset: u64, payment: &Payment) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![offset.cast_signed()])),
        Arc::new(StringArray::from(vec![payment.name.as_str()])),
        names(settlement, std::iter::once(payment.customer)),
        names(settlement, std::iter::once(payment.currency)),
        decimals(&PAYMENTS, "amount", std::iter::once(Some(payment.amount.pico())))?,
        times(std::iter::once(payment.received_us)),
        Arc::new(StringArray::from(vec![payment.invoice.as_deref()])),
        Arc::new(StringArray::from(vec![payment.reference.as_str()])),
    ];
    RecordBatch::try_new(PAYMENTS.building_schema(), columns)
}

fn grants(settlement: &Settlement, offset: u64, grant: &Grant) -> Result<RecordBatch, ArrowError> {
    let order = &grant.order;
    let kind = if order.received_us.is_some() { "prepaid" } else { "promotional" };
    let month = |month: Option<Month>| coded(std::iter::once(month), |month| month.to_string());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![offset.cast_signed()])),
        Arc::new(StringArray::from(vec![grant.name.as_str()])),
        names(settlement, std::iter::once(grant.customer)),
        names(settlement, std::iter::once(grant.currency)),
        decimals(&GRANTS, "amount", std::iter::once(Some(order.amount.pico())))?,
        texts(std::iter::once(Some(kind))),
        some_times(std::iter::once(order.received_us)),
        Arc::new(Int32Array::from(vec![order.priority.cast_signed()])),
        month(Some(order.from)),
        month(order.until),
        Arc::new(StringArray::from(vec![order.reason.as_str()])),
    ];
    RecordBatch::try_new(GRANTS.building_schema(), columns)
}

fn allocations(settlement: &Settlement, offset: u64, rows: &[Allocation]) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(offset.cast_signed(), rows.len())),
        lines(rows.len()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.invoice))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.source))),
        names(settlement, rows.iter().map(|row| row.customer)),
        names(settlement, rows.iter().map(|row| row.currency)),
        decimals(&ALLOCATIONS, "amount", rows.iter().map(|row| Some(row.amount.pico())))?,
    ];
    RecordBatch::try_new(ALLOCATIONS.building_schema(), columns)
}
