//! A customer's invoice of a month.
//!
//! Invariant: it is made from the postings on `customer/<id>/receivable`
//! alone, so that it agrees with the journal to the last digit; once its month
//! was closed, number, tax and total are those of its row in `invoices`.

use super::collect::collect;
use super::error::DocumentError;
use super::statement::{Kind, Request, Statement};
use crate::catalogue::Session;

/// Makes a customer's invoice.
///
/// # Errors
/// [`DocumentError::UnknownParty`] if nothing of the customer is settled in
/// that month, [`DocumentError::Currency`] if it has several currencies and
/// none was chosen, and errors of reading.
pub async fn invoice(session: &Session, request: &Request) -> Result<Statement, DocumentError> {
    collect(session, Kind::Invoice, request).await
}
