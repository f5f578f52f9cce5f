//! What an invoice says once it was issued, or would say if it were now.
//!
//! Invariant: an issued invoice has the figures of its row in `invoices`; a
//! draft is rounded and taxed by the rules that will issue it.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use stempoint_core::receivables::Rounded;
use stempoint_core::terms::{Tax, Terms};
use stempoint_schemas::money::{Amount, Share};
use stempoint_schemas::time::Instant;

use super::error::DocumentError;
use super::statement::{PaidAtIssue, Request};
use super::sums::{missing, text, texts};
use crate::catalogue::Session;
use crate::literal;

const ALLOCATIONS: &str = "allocations";

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
    /// What it was paid with when it was issued.
    pub paid: Vec<PaidAtIssue>,
}

impl Totals {
    /// The figures below what a provider earned.
    pub fn of_provider(issued: Option<Issued>, total: Amount) -> Totals {
        Totals { issued, tax_terms: None, tax: Amount::ZERO, total, paid: Vec::new() }
    }
}

/// The row of a customer's month, once it was issued.
pub(crate) async fn issued(
    session: &Session,
    request: &Request,
    currency: &str,
) -> Result<Option<DocumentRow>, DocumentError> {
    let condition = format!(
        "customer = {} AND period = '{}' AND currency = {}",
        literal(&request.party),
        request.period,
        literal(currency)
    );
    Ok(documents(session, &condition).await?.into_iter().next())
}

/// The figures that a customer's month would have if it were issued now.
pub(crate) async fn draft(
    session: &Session,
    customer: &str,
    currency: &str,
    subtotal: Amount,
) -> Result<Totals, DocumentError> {
    let tax_terms = tax_of(session, customer).await?;
    let terms = Terms { tax: tax_terms.clone(), ..Terms::default() };
    let overflow = |_| DocumentError::Overflow { what: "the total".to_owned() };
    let rounded = Rounded::new(subtotal, &terms, currency).map_err(overflow)?;
    Ok(Totals { issued: None, tax_terms, tax: rounded.tax, total: rounded.total, paid: Vec::new() })
}

/// A row of `invoices`: a month's invoice or credit note.
pub(crate) struct DocumentRow {
    pub customer: String,
    pub currency: String,
    pub subtotal: Amount,
    totals: Totals,
}

impl DocumentRow {
    /// Its figures, if its lines add up to what it was issued for.
    pub(crate) fn totals(self, subtotal: Amount) -> Result<Totals, DocumentError> {
        if self.subtotal == subtotal {
            return Ok(self.totals);
        }
        let number = self.totals.issued.map(|issued| issued.number).unwrap_or_default();
        let detail = format!("the subtotal of {number} is not the sum of its lines in journal");
        Err(DocumentError::Damaged { table: "invoices", detail })
    }
}

/// The rows of `invoices` that meet a condition, in the order of their issue.
pub(crate) async fn documents(session: &Session, condition: &str) -> Result<Vec<DocumentRow>, DocumentError> {
    let sql = format!(
        "SELECT number, kind, customer, currency, subtotal, tax_name, tax_rate, tax, total, issued_at, due_at \
         FROM invoices WHERE {condition} ORDER BY _offset, line"
    );
    let batches = session.rows(&sql).await?;
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(Vec::new());
    }
    let mut paid = paid(session, condition).await?;
    let mut rows = Vec::new();
    for batch in batches {
        let text = |column| texts(&batch, column, "invoices");
        let (numbers, kinds, customers, currencies) =
            (text("number")?, text("kind")?, text("customer")?, text("currency")?);
        for row in 0..batch.num_rows() {
            let issued = Issued {
                number: numbers.value(row).to_owned(),
                is_credit_note: kinds.value(row) == "credit_note",
                issued_at: time(&batch, "invoices", "issued_at", row)?
                    .ok_or_else(|| missing("invoices", "issued_at"))?,
                due_at: time(&batch, "invoices", "due_at", row)?,
            };
            rows.push(DocumentRow {
                customer: customers.value(row).to_owned(),
                currency: currencies.value(row).to_owned(),
                subtotal: money(&batch, "subtotal", row)?,
                totals: Totals {
                    issued: Some(issued),
                    tax_terms: tax(&batch, "invoices", row)?,
                    tax: money(&batch, "tax", row)?,
                    total: money(&batch, "total", row)?,
                    paid: paid.remove(numbers.value(row)).unwrap_or_default(),
                },
            });
        }
    }
    Ok(rows)
}

/// What the invoices that meet a condition were paid with when they were
/// issued, by their numbers.
async fn paid(session: &Session, condition: &str) -> Result<HashMap<String, Vec<PaidAtIssue>>, DocumentError> {
    let sql = format!(
        "SELECT a._offset, a.invoice, a.source, a.amount FROM allocations a \
         JOIN (SELECT _offset, number FROM invoices WHERE {condition}) i \
         ON a.invoice = i.number AND a._offset = i._offset ORDER BY a._offset, a.line"
    );
    let mut found: HashMap<String, Vec<PaidAtIssue>> = HashMap::new();
    for batch in session.rows(&sql).await? {
        let (invoices, sources) = (texts(&batch, "invoice", ALLOCATIONS)?, texts(&batch, "source", ALLOCATIONS)?);
        let offsets = batch.column_by_name("_offset").and_then(|array| array.as_primitive_opt::<Int64Type>());
        let offsets = offsets.ok_or_else(|| missing(ALLOCATIONS, "_offset"))?;
        for row in 0..batch.num_rows() {
            let (invoice, source, offset) = (invoices.value(row), sources.value(row), offsets.value(row));
            let sql = format!(
                "SELECT sum(amount) AS amount FROM allocations WHERE invoice = {} AND source = {} AND _offset = {offset}",
                literal(invoice),
                literal(source)
            );
            let (source, amount) = (source.to_owned(), decimal(&batch, ALLOCATIONS, "amount", row)?);
            found.entry(invoice.to_owned()).or_default().push(PaidAtIssue { source, amount, sql });
        }
    }
    Ok(found)
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
            return tax(&batch, "terms", 0);
        }
    }
    Ok(None)
}

pub(super) fn tax(batch: &RecordBatch, table: &'static str, row: usize) -> Result<Option<Tax>, DocumentError> {
    let Some(name) = text(&texts(batch, "tax_name", table)?, row) else { return Ok(None) };
    let rate = decimal(batch, table, "tax_rate", row)?.pico();
    let rate = Share::from_pico(rate).ok_or_else(|| missing(table, "tax_rate"))?;
    Ok(Some(Tax { name, rate }))
}

pub(super) fn money(batch: &RecordBatch, column: &str, row: usize) -> Result<Amount, DocumentError> {
    decimal(batch, "invoices", column, row)
}

/// An amount in a decimal column of a table.
pub(super) fn decimal(
    batch: &RecordBatch,
    table: &'static str,
    column: &str,
    row: usize,
) -> Result<Amount, DocumentError> {
    let array = batch.column_by_name(column).and_then(|array| array.as_primitive_opt::<Decimal128Type>());
    let amount = array.and_then(|array| Amount::from_pico(array.value(row)).ok());
    amount.ok_or_else(|| missing(table, column))
}

/// A moment in a column of a table.
pub(super) fn time(
    batch: &RecordBatch,
    table: &'static str,
    column: &str,
    row: usize,
) -> Result<Option<Instant>, DocumentError> {
    let array = batch.column_by_name(column).and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>());
    let array = array.ok_or_else(|| missing(table, column))?;
    Ok(array.is_valid(row).then(|| array.value(row)).and_then(Instant::from_us))
}
