//! Any document of the books, and how one is found again.
//!
//! Invariant: a document that was issued is found by its number alone, and
//! one that was stored by what it says of itself.

use std::fmt;

use stempoint_schemas::profile::Profile;
use stempoint_schemas::time::Month;

use super::credit_note::{CreditNote, credit_notes};
use super::earnings::earnings;
use super::error::DocumentError;
use super::invoice::invoice;
use super::letterhead::Letterhead;
use super::render::{self, DocumentFormat};
use super::statement::{Kind, Request, Statement};
use super::sums::{text, texts};
use crate::catalogue::Session;
use crate::literal;

/// A document as it can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// One party's month: an invoice, a month's credit note, earnings.
    Statement(Statement),
    /// A credit note that somebody gave.
    CreditNote(CreditNote),
}

/// What is needed to make a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// One party's month.
    Month(Kind, Request),
    /// The credit note of that number, which somebody gave.
    CreditNote(String),
}

impl Document {
    /// The document of a subject.
    ///
    /// # Errors
    /// [`DocumentError`] where there is none, or it cannot be read.
    pub async fn of(session: &Session, subject: &Subject) -> Result<Document, DocumentError> {
        match subject {
            Subject::Month(Kind::Invoice, request) => Ok(Document::Statement(invoice(session, request).await?)),
            Subject::Month(Kind::Earnings, request) => Ok(Document::Statement(earnings(session, request).await?)),
            Subject::CreditNote(number) => {
                let found = credit_notes(session, &format!("i.number = {}", literal(number))).await?;
                let unknown = || DocumentError::UnknownNumber { number: number.clone() };
                found.into_iter().next().map(Document::CreditNote).ok_or_else(unknown)
            }
        }
    }

    /// The invoice, the credit note or the statement of earnings of that number.
    ///
    /// # Errors
    /// [`DocumentError::UnknownNumber`] where there is none, and errors of
    /// reading.
    pub async fn numbered(session: &Session, number: &str) -> Result<Document, DocumentError> {
        let of = format!("WHERE number = {}", literal(number));
        let sql = format!(
            "SELECT 'customer' AS side, customer AS party, currency, period FROM invoices {of} \
             UNION ALL SELECT 'provider' AS side, provider AS party, currency, period FROM statements {of}"
        );
        let batches = session.rows(&sql).await?;
        let found = batches.iter().find(|batch| batch.num_rows() > 0);
        let value = |column| match found {
            Some(batch) => texts(batch, column, "invoices").map(|texts| text(&texts, 0)),
            None => Ok(None),
        };
        // Credit notes that somebody gave belong to no month.
        if let Some(period) = value("period")? {
            let request = Request {
                party: value("party")?.unwrap_or_default(),
                period: Month::parse(&period).map_err(|_| super::sums::missing("invoices", "period"))?,
                currency: value("currency")?,
            };
            let kind = if value("side")?.as_deref() == Some("provider") { Kind::Earnings } else { Kind::Invoice };
            return Document::of(session, &Subject::Month(kind, request)).await;
        }
        Document::of(session, &Subject::CreditNote(number.to_owned())).await
    }

    /// The credit notes that were given in a month, in the order of their
    /// issue.
    ///
    /// # Errors
    /// Errors of reading.
    pub async fn credit_notes(session: &Session, period: Month) -> Result<Vec<Document>, DocumentError> {
        let (start, end) = (period.start(), period.end());
        let condition = format!("i.issued_at >= TIMESTAMP '{start}' AND i.issued_at < TIMESTAMP '{end}'");
        let notes = credit_notes(session, &condition).await?;
        Ok(notes.into_iter().map(Document::CreditNote).collect())
    }

    /// Its number; `None` where it was not issued.
    pub fn number(&self) -> Option<&str> {
        match self {
            Document::Statement(statement) => statement.issued.as_ref().map(|issued| issued.number.as_str()),
            Document::CreditNote(note) => Some(&note.number),
        }
    }

    /// Whose it is.
    pub fn party(&self) -> &str {
        match self {
            Document::Statement(statement) => &statement.party,
            Document::CreditNote(note) => &note.customer,
        }
    }

    /// The same with what is known of its party now.
    #[must_use]
    pub fn with_profile(self, profile: Option<Profile>) -> Document {
        match self {
            Document::Statement(statement) => Document::Statement(Statement { profile, ..statement }),
            Document::CreditNote(note) => Document::CreditNote(CreditNote { profile, ..note }),
        }
    }

    /// Writes it. All formats but PDF are UTF-8 text.
    pub fn render(&self, letterhead: &Letterhead, format: DocumentFormat) -> Vec<u8> {
        match self {
            Document::Statement(statement) => render::render(statement, letterhead, format),
            Document::CreditNote(note) => render::credit_note(note, letterhead, format),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Month(Kind::Invoice, request) => {
                write!(f, "invoice of {:?} for {}", request.party, request.period)
            }
            Subject::Month(Kind::Earnings, request) => {
                write!(f, "statement of earnings of {:?} for {}", request.party, request.period)
            }
            Subject::CreditNote(number) => write!(f, "credit note {}", crate::output::printable(number)),
        }
    }
}
