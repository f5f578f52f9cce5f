//! What an invoice says once it was issued, or would say if it were now.
//!
//! Invariant: an issued invoice has the figures of its row in `invoices`; a
//! draft is rounded and taxed by the rules that will issue it.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
use stempoint_core::receivables::Rounded;
use stempoint_core::terms::{Tax, Terms};
use stempoint_schemas::money::{Amount, Share};
use stempoint_schemas::time::Instant;

use super::error::DocumentError;
use super::statement::Request;
use super::sums::{missing, text, texts};
use crate::catalogue::Session;
use crate::literal;

/// What is known of an invoice only once its month was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Its number.
    pub number: String,
    /// Whether its total is negative: it is given back.
    pub is_credit_note: bool,
    /// When it was issued.
    pub issued_at: Instant,
    /// When it is to be paid; `None` for a credit note.
    pub due_at: Option<Instant>,
}

/// The figures below an invoice's lines.
pub(crate) struct Totals {
    pub issued: Option<Issued>,
    pub tax_terms: Option<Tax>,
    pub tax: Amount,
    pub total: Amount,
}

/// Reads an invoice's figures, or makes those of a draft.
pub(crate) async fn totals(
    session: &Session,
    request: &Request,
    currency: &str,
    subtotal: Amount,
) -> Result<Totals, DocumentError> {
    if let Some(totals) = issued(session, request, currency, subtotal).await? {
        return Ok(totals);
    }
    let tax_terms = tax_of(session, &request.party).await?;
    let terms = Terms { tax: tax_terms.clone(), ..Terms::default() };
    let overflow = |_| DocumentError::Overflow { what: "the total".to_owned() };
    let rounded = Rounded::new(subtotal, &terms, currency).map_err(overflow)?;
    Ok(Totals { issued: None, tax_terms, tax: rounded.tax, total: rounded.total })
}

async fn issued(
    session: &Session,
    request: &Request,
    currency: &str,
    subtotal: Amount,
) -> Result<Option<Totals>, DocumentError> {
    let sql = format!(
        "SELECT number, kind, subtotal, tax_name, tax_rate, tax, total, issued_at, due_at FROM invoices \
         WHERE customer = {} AND period = {} AND currency = {}",
        literal(&request.party),
        literal(&request.period.to_string()),
        literal(currency),
    );
    for batch in session.rows(&sql).await? {
        if batch.num_rows() > 0 {
            let number = texts(&batch, "number", "invoices")?.value(0).to_owned();
            if money(&batch, "subtotal")? != subtotal {
                let detail = format!("the subtotal of {number} is not the sum of its lines in journal");
                return Err(DocumentError::Damaged { table: "invoices", detail });
            }
            let issued_at = time(&batch, "issued_at")?.ok_or_else(|| missing("invoices", "issued_at"))?;
            let is_credit_note = texts(&batch, "kind", "invoices")?.value(0) == "credit_note";
            let issued = Issued { number, is_credit_note, issued_at, due_at: time(&batch, "due_at")? };
            return Ok(Some(Totals {
                issued: Some(issued),
                tax_terms: tax(&batch, "invoices")?,
                tax: money(&batch, "tax")?,
                total: money(&batch, "total")?,
            }));
        }
    }
    Ok(None)
}

/// The tax by the terms that hold now: the customer's own before all others.
async fn tax_of(session: &Session, customer: &str) -> Result<Option<Tax>, DocumentError> {
    let sql = format!(
        "SELECT tax_name, tax_rate FROM terms WHERE customer = {} OR customer IS NULL \
         ORDER BY customer IS NULL, _offset DESC LIMIT 1",
        literal(customer)
    );
    for batch in session.rows(&sql).await? {
        if batch.num_rows() > 0 {
            return tax(&batch, "terms");
        }
    }
    Ok(None)
}

fn tax(batch: &RecordBatch, table: &'static str) -> Result<Option<Tax>, DocumentError> {
    let Some(name) = text(&texts(batch, "tax_name", table)?, 0) else { return Ok(None) };
    let rate = decimal(batch, table, "tax_rate")?;
    let rate = Share::from_pico(rate).ok_or_else(|| missing(table, "tax_rate"))?;
    Ok(Some(Tax { name, rate }))
}

fn money(batch: &RecordBatch, column: &str) -> Result<Amount, DocumentError> {
    Amount::from_pico(decimal(batch, "invoices", column)?).map_err(|_| missing("invoices", column))
}

fn decimal(batch: &RecordBatch, table: &'static str, column: &str) -> Result<i128, DocumentError> {
    let array = batch.column_by_name(column).and_then(|array| array.as_primitive_opt::<Decimal128Type>());
    array.map(|array| array.value(0)).ok_or_else(|| missing(table, column))
}

fn time(batch: &RecordBatch, column: &str) -> Result<Option<Instant>, DocumentError> {
    let array = batch.column_by_name(column).and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>());
    let array = array.ok_or_else(|| missing("invoices", column))?;
    Ok(array.is_valid(0).then(|| array.value(0)).and_then(Instant::from_us))
}
