//! What an invoice and a statement of earnings have in common: the lines of
//! one party's month.
//!
//! Invariant: the subtotal is the sum of the lines' exact amounts; only tax
//! and total are rounded.

use stempoint_core::terms::Tax;
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::{Amount, Quantity, Share};
use stempoint_schemas::profile::Profile;
use stempoint_schemas::time::{Instant, Month};

use super::issued::Issued;

/// Which document it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What a customer owes.
    Invoice,
    /// What a provider earned.
    Earnings,
}

impl Kind {
    /// The word for the party, also the side in `charges`.
    pub const fn role(self) -> &'static str {
        match self {
            Kind::Invoice => "customer",
            Kind::Earnings => "provider",
        }
    }

    /// The party's account in `journal`.
    pub fn account(self, party: &str) -> String {
        match self {
            Kind::Invoice => format!("customer/{party}/receivable"),
            Kind::Earnings => format!("provider/{party}/payable"),
        }
    }

    /// Whose account it is; `None` where it is of another kind.
    pub fn party_of(self, account: &str) -> Option<&str> {
        let (before, after) = match self {
            Kind::Invoice => ("customer/", "/receivable"),
            Kind::Earnings => ("provider/", "/payable"),
        };
        account.strip_prefix(before)?.strip_suffix(after)
    }
}

impl Statement {
    /// The exact amounts of all lines, in their order.
    pub fn amounts(&self) -> impl Iterator<Item = Amount> + '_ {
        let lines = self.lines.iter().map(|line| line.amount);
        lines.chain(self.true_up.iter().map(|true_up| true_up.amount))
    }

    /// The queries of all lines, in their order.
    pub fn queries(&self) -> impl Iterator<Item = &str> + '_ {
        let lines = self.lines.iter().map(|line| line.sql.as_str());
        lines.chain(self.true_up.iter().map(|true_up| true_up.sql.as_str()))
    }

    /// What of the total was not paid when it was issued.
    pub fn to_be_paid(&self) -> Amount {
        // No more is paid of an invoice than its total, so nothing overflows.
        self.paid.iter().try_fold(self.total, |left, paid| left.minus(paid.amount)).unwrap_or_default()
    }
}

/// Whose month is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The customer or the provider.
    pub party: String,
    /// The billing period.
    pub period: Month,
    /// The currency; `None` where there is only one.
    pub currency: Option<String>,
}

/// One party's month in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Which document it is.
    pub kind: Kind,
    /// The customer or the provider.
    pub party: String,
    /// Who that is, where it is known: as it is now and no part of the ledger
    /// version. Only the head of a document shows it.
    pub profile: Option<Profile>,
    /// The billing period.
    pub period: Month,
    /// The currency.
    pub currency: String,
    /// Per meter, dimensions and price row, in that order.
    pub lines: Vec<Line>,
    /// What a commitment lacks, which this month's invoice charges: the line
    /// after all others.
    pub true_up: Option<TrueUp>,
    /// Usage without a price: it is in no line.
    pub unrated: Vec<Unrated>,
    /// Its number and dates, once it was issued.
    pub issued: Option<Issued>,
    /// The exact sum of the lines.
    pub subtotal: Amount,
    /// What rounding left of a provider's statements before this one, once it
    /// was issued.
    pub carried: Option<Amount>,
    /// The tax that applies, or would if it were issued now.
    pub tax_terms: Option<Tax>,
    /// The tax, rounded half away from zero to the currency's smallest unit.
    pub tax: Amount,
    /// The subtotal and what was carried, rounded likewise, and the tax.
    pub total: Amount,
    /// What an invoice was paid with when it was issued, in the order in which
    /// that was used.
    pub paid: Vec<PaidAtIssue>,
    /// The ledger version that was read.
    pub ledger_version: i64,
}

/// What was used of one meter with the same dimensions at one price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What is counted.
    pub meter: Meter,
    /// The dimensions that have a value, in the order of their columns.
    pub dimensions: Vec<(Dimension, String)>,
    /// The price row.
    pub price: String,
    /// What a charge model adds to the other lines of the price row, or takes
    /// off them, in words; such a line has no quantity and no price of its own.
    pub adjustment: Option<String>,
    /// How much.
    pub quantity: Quantity,
    /// What `per` units cost.
    pub unit_price: Amount,
    /// How many units the price is for.
    pub per: Quantity,
    /// From when the price holds: where a later book repeats a price, nothing
    /// else tells two lines apart.
    pub effective_from: Instant,
    /// The party's part of the price: the whole for a customer.
    pub share: Share,
    /// The exact amount: positive is owed by a customer or to a provider.
    pub amount: Amount,
    /// The query that gives quantity and amount.
    pub sql: String,
}

/// What a term of a commitment came to less than was promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrueUp {
    /// The term's first month; the document's month is its last.
    pub first: Month,
    /// What the term comes to at least.
    pub committed: Amount,
    /// What was billed for use in it.
    pub billed: Amount,
    /// The exact amount: the difference.
    pub amount: Amount,
    /// The query that gives the amount.
    pub sql: String,
}

/// A part of an invoice that was paid when it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidAtIssue {
    /// The grant, the payment or the credit note.
    pub source: String,
    /// How much: positive.
    pub amount: Amount,
    /// The query that gives the amount.
    pub sql: String,
}

/// Usage for which there is no price yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrated {
    /// What is counted.
    pub meter: Meter,
    /// The dimensions that have a value.
    pub dimensions: Vec<(Dimension, String)>,
    /// How much.
    pub quantity: Quantity,
}
