//! All documents that closing a month issued: invoices, and statements of
//! earnings.
//!
//! Invariants: each is the same as by [`super::invoice`] or
//! [`super::earnings`], though the books are read once for all; they come in
//! the order of their issue, one at a time, so that memory holds the sums of
//! the month and the lines of one document.

use std::collections::HashMap;

use stempoint_schemas::money::Amount;
use stempoint_schemas::time::Month;

use super::collect::{Figures, is_closed, with_true_up};
use super::error::DocumentError;
use super::issued::documents;
use super::lines::{Prices, lines, prices};
use super::postings::{OfParties, postings};
use super::stated::stated;
use super::statement::{Kind, Request, Statement, TrueUp};
use super::true_ups::true_ups;
use crate::catalogue::Session;

/// What the documents of a month are made of.
struct Books {
    kind: Kind,
    period: Month,
    ledger_version: i64,
    sums: OfParties,
    prices: Prices,
}

impl Books {
    async fn read(session: &Session, kind: Kind, period: Month) -> Result<Books, DocumentError> {
        if !is_closed(session, period).await? {
            return Err(DocumentError::NotClosed { period: period.to_string() });
        }
        let sums = postings(session, kind, None, period).await?;
        let prices = prices(session, sums.values().flat_map(|currencies| currencies.values())).await?;
        Ok(Books { kind, period, ledger_version: session.pin().version, sums, prices })
    }

    /// The document of a party, with the figures that its lines' sum gives.
    fn document(
        &mut self,
        party: String,
        currency: String,
        figures: impl FnOnce(Amount) -> Result<Figures, DocumentError>,
    ) -> Result<Statement, DocumentError> {
        let sums = self.sums.get_mut(&party).and_then(|currencies| currencies.remove(&currency));
        let request = Request { party, period: self.period, currency: None };
        let (lines, sum) = lines(self.kind, &request, &currency, sums.as_ref(), &self.prices)?;
        Ok(figures(sum)?.below((self.kind, &request), currency, lines, self.ledger_version))
    }
}

/// The invoices and credit notes that were issued for a month.
///
/// # Errors
/// [`DocumentError::NotClosed`] if the month was not closed, and errors of
/// reading.
pub async fn invoices(
    session: &Session,
    period: Month,
) -> Result<impl Iterator<Item = Result<Statement, DocumentError>> + use<>, DocumentError> {
    let mut books = Books::read(session, Kind::Invoice, period).await?;
    let rows = documents(session, &format!("period = '{period}'")).await?;
    let true_ups = true_ups(session, period, None).await?.into_iter();
    // What commitments lacked, by customer and currency.
    let mut true_ups: HashMap<(String, String), TrueUp> =
        true_ups.map(|of| ((of.customer, of.currency), of.true_up)).collect();
    Ok(rows.into_iter().map(move |row| {
        let (party, currency) = (row.customer.clone(), row.currency.clone());
        let true_up = true_ups.remove(&(party.clone(), currency.clone()));
        books.document(party, currency, |used| {
            let subtotal = with_true_up(used, true_up.as_ref())?;
            Ok(Figures { true_up, ..Figures::of(subtotal, row.totals(subtotal)?) })
        })
    }))
}

/// The statements of earnings that were issued for a month.
///
/// # Errors
/// As for [`invoices`].
pub async fn statements(
    session: &Session,
    period: Month,
) -> Result<impl Iterator<Item = Result<Statement, DocumentError>> + use<>, DocumentError> {
    let mut books = Books::read(session, Kind::Earnings, period).await?;
    let rows = stated(session, &format!("period = '{period}'")).await?;
    Ok(rows.into_iter().map(move |row| {
        let (party, currency) = (row.provider.clone(), row.currency.clone());
        books.document(party, currency, |earned| row.figures(earned))
    }))
}
