//! A credit note that somebody gave: what it takes back, why, and where the
//! money went.
//!
//! Invariants: net, tax and total are those of its row in `invoices`; what was
//! used of it and what is kept add up to the total, with the other sign. A
//! month whose total is negative has a credit note with lines of usage, which
//! is a [`super::Statement`].

use std::collections::HashMap;

use arrow::array::RecordBatch;
use stempoint_core::terms::Tax;
use stempoint_schemas::money::{Amount, Overflow};
use stempoint_schemas::profile::Profile;
use stempoint_schemas::time::{Instant, Month};

use super::error::DocumentError;
use super::issued::{money, tax, time};
use super::sums::{checked, items, missing, text, texts};
use crate::catalogue::Session;
use crate::literal;

/// A credit note that somebody gave. Its amounts are negative, as in
/// `invoices`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditNote {
    /// Its number.
    pub number: String,
    /// Who got it.
    pub customer: String,
    /// Who that is, where it is known: as it is now and no part of the ledger
    /// version.
    pub profile: Option<Profile>,
    /// The currency.
    pub currency: String,
    /// When it was issued.
    pub issued_at: Instant,
    /// The invoice that it takes back, and that one's month.
    pub corrects: Option<(String, Option<Month>)>,
    /// Why it was given, in words.
    pub reason: String,
    /// What it consists of: the net amount, and the tax where there is one.
    pub lines: Vec<CreditLine>,
    /// Where the money went: positive amounts, in the order in which it did.
    pub uses: Vec<CreditUse>,
    /// The net amount.
    pub net: Amount,
    /// The tax that the invoice had.
    pub tax_terms: Option<Tax>,
    /// The tax that is taken back.
    pub tax: Amount,
    /// Net and tax.
    pub total: Amount,
    /// The ledger version that was read.
    pub ledger_version: i64,
}

/// A part of what is credited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditLine {
    /// Which part.
    pub item: CreditItem,
    /// How much: negative.
    pub amount: Amount,
    /// The query that gives the amount.
    pub sql: String,
}

/// The parts of a credit note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreditItem {
    /// What is taken back of the revenue.
    Net,
    /// What is taken back of the tax.
    Tax,
}

impl CreditItem {
    /// The name in JSON and CSV.
    pub const fn name(self) -> &'static str {
        match self {
            CreditItem::Net => "net",
            CreditItem::Tax => "tax",
        }
    }
}

/// Where a part of the money went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditUse {
    /// The invoice that it paid; `None` for what the customer still holds.
    pub invoice: Option<String>,
    /// How much: positive.
    pub amount: Amount,
    /// The query that gives the amount.
    pub sql: String,
}

/// The parts of credit notes that were used, by their numbers.
type Used = HashMap<String, Vec<(String, Amount)>>;

/// The credit notes that meet a condition on `invoices` (as `i`), in the order
/// of their issue.
pub(super) async fn credit_notes(session: &Session, condition: &str) -> Result<Vec<CreditNote>, DocumentError> {
    let given = format!("i.kind = 'credit_note' AND i.period IS NULL AND {condition}");
    let sql = format!(
        "SELECT i.number, i.customer, i.currency, i.net, i.tax, i.total, i.corrects, i.reason, i.issued_at, \
         c.period, c.tax_name, c.tax_rate \
         FROM invoices i LEFT JOIN invoices c ON i.corrects = c.number WHERE {given} ORDER BY i._offset, i.line"
    );
    let batches = session.rows(&sql).await?;
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(Vec::new());
    }
    let mut used = used(session, &given).await?;
    let mut notes = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            notes.push(credit_note(batch, row, &mut used, session.pin().version)?);
        }
    }
    Ok(notes)
}

/// What was used of the credit notes that meet a condition, in the order in
/// which it was.
async fn used(session: &Session, given: &str) -> Result<Used, DocumentError> {
    let sql = format!(
        "SELECT source, invoice, min(_offset) AS first, min(line) AS line, {} FROM allocations \
         WHERE source IN (SELECT i.number FROM invoices i WHERE {given}) GROUP BY source, invoice ORDER BY first, line",
        items("amount")
    );
    let mut used = Used::new();
    for batch in session.rows(&sql).await? {
        let (sources, invoices) = (texts(&batch, "source", "allocations")?, texts(&batch, "invoice", "allocations")?);
        for row in 0..batch.num_rows() {
            let amount = Amount::from_pico(checked(&batch, "amount", row, "allocations")?).map_err(overflow)?;
            used.entry(sources.value(row).to_owned()).or_default().push((invoices.value(row).to_owned(), amount));
        }
    }
    Ok(used)
}

fn credit_note(batch: &RecordBatch, row: usize, used: &mut Used, version: i64) -> Result<CreditNote, DocumentError> {
    let column = |name: &str| texts(batch, name, "invoices").map(|texts| text(&texts, row));
    let needed = |name: &str| column(name)?.ok_or_else(|| missing("invoices", name));
    let month = column("period")?.map(|period| Month::parse(&period));
    let month = month.transpose().map_err(|_| missing("invoices", "period"))?;
    let number = needed("number")?;
    let (net, tax_amount, total) = (money(batch, "net", row)?, money(batch, "tax", row)?, money(batch, "total", row)?);
    let tax_terms = tax(batch, "invoices", row)?;
    let uses = uses(&number, total, used.remove(&number).unwrap_or_default())?;
    Ok(CreditNote {
        customer: needed("customer")?,
        profile: None,
        currency: needed("currency")?,
        issued_at: time(batch, "invoices", "issued_at", row)?.ok_or_else(|| missing("invoices", "issued_at"))?,
        corrects: column("corrects")?.map(|corrected| (corrected, month)),
        reason: column("reason")?.unwrap_or_default(),
        lines: lines(&number, net, tax_terms.is_some().then_some(tax_amount)),
        number,
        uses,
        net,
        tax_terms,
        tax: tax_amount,
        total,
        ledger_version: version,
    })
}

fn lines(number: &str, net: Amount, tax: Option<Amount>) -> Vec<CreditLine> {
    let line = |item, amount, account: &str| CreditLine {
        item,
        amount,
        sql: format!(
            "SELECT coalesce(-sum(amount), 0) AS amount FROM journal WHERE document = {} AND account = '{account}'",
            literal(number)
        ),
    };
    let tax = tax.map(|tax| line(CreditItem::Tax, tax, "platform/tax"));
    std::iter::once(line(CreditItem::Net, net, "platform/refunds")).chain(tax).collect()
}

/// What was used, and what is kept.
fn uses(number: &str, total: Amount, used: Vec<(String, Amount)>) -> Result<Vec<CreditUse>, DocumentError> {
    let source = literal(number);
    let mut kept = total.negated();
    let mut uses = Vec::with_capacity(used.len() + 1);
    for (invoice, amount) in used {
        kept = kept.minus(amount).map_err(overflow)?;
        let invoice_is = literal(&invoice);
        let sql =
            format!("SELECT sum(amount) AS amount FROM allocations WHERE source = {source} AND invoice = {invoice_is}");
        uses.push(CreditUse { invoice: Some(invoice), amount, sql });
    }
    if kept != Amount::ZERO {
        let sql = format!(
            "SELECT -total - coalesce((SELECT sum(amount) FROM allocations WHERE source = {source}), 0) AS amount \
             FROM invoices WHERE number = {source}"
        );
        uses.push(CreditUse { invoice: None, amount: kept, sql });
    }
    Ok(uses)
}

fn overflow(_: Overflow) -> DocumentError {
    DocumentError::Overflow { what: "what was used of a credit note".to_owned() }
}
