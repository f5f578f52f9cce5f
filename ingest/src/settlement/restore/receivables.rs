//! What customers owe, from the tables of documents, payments and
//! allocations.
//!
//! Invariant: they are taken up in the order of their control events, as they
//! were made.

use arrow::array::{
    Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use stempoint_core::receivables::{Allocation, Document, DocumentKind, Payment};
use stempoint_core::settlement::Settlement;
use stempoint_core::terms::Tax;
use stempoint_schemas::money::{Amount, Share};
use stempoint_schemas::row::{ColumnError, typed};
use stempoint_schemas::tables::{ALLOCATIONS, INVOICES, PAYMENTS, Table};
use stempoint_schemas::time::Month;
use stempoint_store::ReadOptions;
use stempoint_store::ledger::Ledger;

use super::super::error::SettleError;
use super::unexpected;

/// One row of any of the tables.
enum Row {
    Document(Document),
    Payment(Payment),
    Allocation(Allocation),
}

/// Takes up all rows below a control offset.
pub(super) fn receivables(ledger: &Ledger, settlement: &mut Settlement, below: u64) -> Result<(), SettleError> {
    // Of one event: documents, the payment, what they paid; each in its lines.
    let mut rows: Vec<((u64, u8, i32), Row)> = Vec::new();
    each_batch(ledger, &INVOICES, |batch| {
        let lines = typed::<Int32Array>(batch, "line")?;
        each_row(batch, below, |offset, row| {
            rows.push(((offset, 0, lines.value(row)), Row::Document(document(batch, row, settlement)?)));
            Ok(())
        })
    })?;
    each_batch(ledger, &PAYMENTS, |batch| {
        each_row(batch, below, |offset, row| {
            rows.push(((offset, 1, 0), Row::Payment(payment(batch, row, settlement)?)));
            Ok(())
        })
    })?;
    each_batch(ledger, &ALLOCATIONS, |batch| {
        let lines = typed::<Int32Array>(batch, "line")?;
        each_row(batch, below, |offset, row| {
            rows.push(((offset, 2, lines.value(row)), Row::Allocation(allocation(batch, row, settlement)?)));
            Ok(())
        })
    })?;
    rows.sort_by_key(|(place, _)| *place);
    for ((offset, ..), row) in rows {
        match row {
            Row::Document(document) => settlement.restore_document(&document),
            Row::Payment(payment) => {
                settlement.restore_payment(&payment);
                Ok(())
            }
            Row::Allocation(allocation) => settlement.restore_allocation(&allocation),
        }
        .map_err(|source| stempoint_core::settlement::SettlementError::Posting { offset, source })?;
    }
    Ok(())
}

pub(super) fn each_batch(
    ledger: &Ledger,
    table: &'static Table,
    mut each: impl FnMut(&RecordBatch) -> Result<(), SettleError>,
) -> Result<(), SettleError> {
    let stored = ledger.table(table);
    for file in stored.snapshot().files() {
        for batch in stored.read_file(file, &ReadOptions::default())? {
            each(&batch?)?;
        }
    }
    Ok(())
}

pub(super) fn each_row(
    batch: &RecordBatch,
    below: u64,
    mut each: impl FnMut(u64, usize) -> Result<(), SettleError>,
) -> Result<(), SettleError> {
    let offsets = typed::<Int64Array>(batch, "_offset")?;
    for row in 0..batch.num_rows() {
        let offset = offsets.value(row).cast_unsigned();
        if offset < below {
            each(offset, row)?;
        }
    }
    Ok(())
}

fn document(batch: &RecordBatch, row: usize, settlement: &mut Settlement) -> Result<Document, SettleError> {
    let table = INVOICES.name;
    let kind = needed(batch, "kind", row)?;
    let period = match text(batch, "period", row)? {
        Some(period) => Some(Month::parse(&period).map_err(|_| unexpected(table, "period", &period))?),
        None => None,
    };
    let tax_terms = match text(batch, "tax_name", row)? {
        Some(name) => {
            let rate = typed::<Decimal128Array>(batch, "tax_rate")?.value(row);
            let rate = Share::from_pico(rate).ok_or_else(|| unexpected(table, "tax_rate", &rate.to_string()))?;
            Some(Tax { name, rate })
        }
        None => None,
    };
    let due = typed::<TimestampMicrosecondArray>(batch, "due_at")?;
    Ok(Document {
        number: needed(batch, "number", row)?,
        kind: DocumentKind::from_name(&kind).ok_or_else(|| unexpected(table, "kind", &kind))?,
        entity: needed(batch, "entity", row)?,
        customer: settlement.names_mut().intern(&needed(batch, "customer", row)?),
        currency: settlement.names_mut().intern(&needed(batch, "currency", row)?),
        period,
        subtotal: money(batch, "subtotal", row)?,
        net: money(batch, "net", row)?,
        tax_terms,
        tax: money(batch, "tax", row)?,
        total: money(batch, "total", row)?,
        corrects: text(batch, "corrects", row)?,
        reason: text(batch, "reason", row)?,
        issued_us: typed::<TimestampMicrosecondArray>(batch, "issued_at")?.value(row),
        due_us: due.is_valid(row).then(|| due.value(row)),
    })
}

fn payment(batch: &RecordBatch, row: usize, settlement: &mut Settlement) -> Result<Payment, SettleError> {
    Ok(Payment {
        name: needed(batch, "payment", row)?,
        customer: settlement.names_mut().intern(&needed(batch, "customer", row)?),
        currency: settlement.names_mut().intern(&needed(batch, "currency", row)?),
        amount: money(batch, "amount", row)?,
        received_us: typed::<TimestampMicrosecondArray>(batch, "received_at")?.value(row),
        invoice: text(batch, "invoice", row)?,
        reference: needed(batch, "reference", row)?,
    })
}

fn allocation(batch: &RecordBatch, row: usize, settlement: &mut Settlement) -> Result<Allocation, SettleError> {
    Ok(Allocation {
        invoice: needed(batch, "invoice", row)?,
        source: needed(batch, "source", row)?,
        customer: settlement.names_mut().intern(&needed(batch, "customer", row)?),
        currency: settlement.names_mut().intern(&needed(batch, "currency", row)?),
        amount: money(batch, "amount", row)?,
    })
}

pub(super) fn text(batch: &RecordBatch, column: &str, row: usize) -> Result<Option<String>, ColumnError> {
    let texts = typed::<StringArray>(batch, column)?;
    Ok(texts.is_valid(row).then(|| texts.value(row).to_owned()))
}

pub(super) fn needed(batch: &RecordBatch, column: &str, row: usize) -> Result<String, ColumnError> {
    text(batch, column, row)?.ok_or_else(|| ColumnError(column.to_owned()))
}

pub(super) fn money(batch: &RecordBatch, column: &str, row: usize) -> Result<Amount, SettleError> {
    Ok(Amount::from_pico(typed::<Decimal128Array>(batch, column)?.value(row))?)
}
