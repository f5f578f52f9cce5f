//! All invoices of a month that was closed.
//!
//! Invariants: each is the same as by [`super::invoice`], though the books are
//! read once for all; they come in the order of their issue, one at a time, so
//! that memory holds the sums of the month and the lines of one document.

use std::collections::HashMap;
use std::vec::IntoIter;

use stempoint_schemas::time::Month;

use super::collect::{is_closed, with_true_up};
use super::error::DocumentError;
use super::issued::{DocumentRow, documents};
use super::lines::{Prices, lines, prices};
use super::postings::{OfParties, postings};
use super::statement::{Kind, Request, Statement, TrueUp};
use super::true_ups::true_ups;
use crate::catalogue::Session;

/// The invoices and credit notes that were issued for a month.
pub struct Invoices {
    period: Month,
    ledger_version: i64,
    rows: IntoIter<DocumentRow>,
    sums: OfParties,
    prices: Prices,
    /// What commitments lacked, by customer and currency.
    true_ups: HashMap<(String, String), TrueUp>,
}

/// Reads what a month's invoices are made of.
///
/// # Errors
/// [`DocumentError::NotClosed`] if the month was not closed, and errors of
/// reading.
pub async fn invoices(session: &Session, period: Month) -> Result<Invoices, DocumentError> {
    if !is_closed(session, period).await? {
        return Err(DocumentError::NotClosed { period: period.to_string() });
    }
    let rows = documents(session, &format!("period = '{period}'")).await?;
    let sums = postings(session, Kind::Invoice, None, period).await?;
    let prices = prices(session, sums.values().flat_map(|currencies| currencies.values())).await?;
    let true_ups = true_ups(session, period, None).await?.into_iter();
    let true_ups = true_ups.map(|of| ((of.customer, of.currency), of.true_up)).collect();
    Ok(Invoices { period, ledger_version: session.pin().version, rows: rows.into_iter(), sums, prices, true_ups })
}

impl Invoices {
    fn statement(&mut self, row: DocumentRow) -> Result<Statement, DocumentError> {
        let (party, currency) = (row.customer.clone(), row.currency.clone());
        let sums = self.sums.get_mut(&party).and_then(|currencies| currencies.remove(&currency));
        let request = Request { party: party.clone(), period: self.period, currency: None };
        let (lines, used) = lines(Kind::Invoice, &request, &currency, sums.as_ref(), &self.prices)?;
        let true_up = self.true_ups.remove(&(party.clone(), currency.clone()));
        let subtotal = with_true_up(used, true_up.as_ref())?;
        let totals = row.totals(subtotal)?;
        Ok(Statement {
            kind: Kind::Invoice,
            party,
            profile: None,
            period: self.period,
            currency,
            lines,
            true_up,
            unrated: Vec::new(),
            issued: totals.issued,
            subtotal,
            carried: None,
            tax_terms: totals.tax_terms,
            tax: totals.tax,
            total: totals.total,
            ledger_version: self.ledger_version,
        })
    }
}

impl Iterator for Invoices {
    type Item = Result<Statement, DocumentError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        Some(self.statement(row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Invoices {}
