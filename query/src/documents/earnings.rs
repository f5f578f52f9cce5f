//! What a provider earned in a month.
//!
//! Invariant: it is made from the postings on `provider/<id>/payable` alone;
//! what is owed is a credit there and positive here.

use super::collect::collect;
use super::error::DocumentError;
use super::statement::{Kind, Request, Statement};
use crate::catalogue::Session;

/// Makes a provider's statement of earnings.
///
/// # Errors
/// As for an invoice.
pub async fn earnings(session: &Session, request: &Request) -> Result<Statement, DocumentError> {
    collect(session, Kind::Earnings, request).await
}
