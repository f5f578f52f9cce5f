//! Why a document cannot be made.
//!
//! Invariant: a document is either whole or not made at all.

use crate::error::QueryError;

/// Errors of documents.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The books could not be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Nothing is known of the party in that month.
    #[error("failed to find settled usage of {role} {party:?} in {period}: {hint}")]
    UnknownParty {
        /// `customer` or `provider`.
        role: &'static str,
        /// Who was asked for.
        party: String,
        /// The month.
        period: String,
        /// What there is instead.
        hint: String,
    },
    /// The month has several currencies and none was chosen, or another one.
    #[error(
        "failed to choose the currency for {role} {party:?} in {period}: there are {known}; name one of them with --currency"
    )]
    Currency {
        /// `customer` or `provider`.
        role: &'static str,
        /// Who was asked for.
        party: String,
        /// The month.
        period: String,
        /// The currencies.
        known: String,
    },
    /// No document has that number.
    #[error(
        "there is no invoice or credit note {number:?}; `stempoint invoices` lists them, and `stempoint invoice \
         CUSTOMER YYYY-MM` prints a customer's month"
    )]
    UnknownNumber {
        /// What was asked for.
        number: String,
    },
    /// The month has no invoices yet.
    #[error(
        "{period} is not closed, so its documents have no numbers yet; `stempoint period close {period}` issues them"
    )]
    NotClosed {
        /// The month.
        period: String,
    },
    /// A sum left the range of 38 digits, or might have.
    #[error(
        "failed to add up {what}: the numbers are so large that the sum may not fit 38 digits; look for the rows with the largest amounts"
    )]
    Overflow {
        /// What was added up.
        what: String,
    },
    /// A posting names a price row that the version does not have.
    #[error("failed to find price row {price} of the journal in prices; run audit, which names the rows")]
    MissingPrice {
        /// The price row.
        price: String,
    },
    /// A row holds what settlement never writes.
    #[error("failed to read {table}: {detail}; run audit, which names the rows")]
    Damaged {
        /// The table.
        table: &'static str,
        /// What is wrong.
        detail: String,
    },
}
