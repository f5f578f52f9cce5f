//! Rows of the receivables: documents, payments, and what paid what.
//!
//! Invariant 4: none of them ever changes; what is open of an invoice is its
//! total less its allocations.

use stempoint_schemas::money::Amount;
use stempoint_schemas::time::Month;

use crate::names::Name;
use crate::terms::Tax;

/// Which document it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// What a customer owes for a month.
    Invoice,
    /// What it no longer owes, with a negative total.
    CreditNote,
}

impl DocumentKind {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            DocumentKind::Invoice => "invoice",
            DocumentKind::CreditNote => "credit_note",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<DocumentKind> {
        [DocumentKind::Invoice, DocumentKind::CreditNote].into_iter().find(|kind| kind.name() == name)
    }
}

/// An invoice or a credit note as it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its number, for example `INV-000012`.
    pub number: String,
    /// Which document it is.
    pub kind: DocumentKind,
    /// The code of the legal entity that issued it.
    pub entity: String,
    /// Whose it is.
    pub customer: Name,
    /// The currency.
    pub currency: Name,
    /// The month that it is for; `None` for a credit that somebody gave.
    pub period: Option<Month>,
    /// The exact sum of its lines.
    pub subtotal: Amount,
    /// What the subtotal is rounded to: whole cents.
    pub net: Amount,
    /// The tax that was applied.
    pub tax_terms: Option<Tax>,
    /// The tax in whole cents.
    pub tax: Amount,
    /// Net and tax: what is to be paid.
    pub total: Amount,
    /// The invoice that a credit note corrects.
    pub corrects: Option<String>,
    /// Why it was given, in words.
    pub reason: Option<String>,
    /// When it was issued: the log's record time, microseconds.
    pub issued_us: i64,
    /// When an invoice is to be paid, microseconds.
    pub due_us: Option<i64>,
}

/// Money that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its name, for example `payment-12`, with the control event's offset.
    pub name: String,
    /// Who paid.
    pub customer: Name,
    /// The currency.
    pub currency: Name,
    /// How much.
    pub amount: Amount,
    /// When the bank had it, microseconds.
    pub received_us: i64,
    /// The invoice that it names.
    pub invoice: Option<String>,
    /// What the bank says of it.
    pub reference: String,
}

/// A part of an invoice that was paid or credited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// The invoice's number.
    pub invoice: String,
    /// The payment's name or the credit note's number.
    pub source: String,
    /// Whose both are.
    pub customer: Name,
    /// Their currency.
    pub currency: Name,
    /// How much.
    pub amount: Amount,
}
