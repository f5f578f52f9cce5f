//! What the documents call things.

use stempoint_schemas::money::Amount;

use crate::documents::figures::tax_label;
use crate::documents::statement::{Kind, PaidAtIssue, Statement};

/// The words that differ from document to document.
pub(super) struct Words {
    pub title: &'static str,
    pub party: &'static str,
    pub total: &'static str,
    pub appendix: &'static str,
}

pub(super) fn words(statement: &Statement) -> Words {
    let is_credit_note = statement.issued.as_ref().is_some_and(|issued| issued.is_credit_note);
    match statement.kind {
        Kind::Invoice if is_credit_note => Words {
            title: "Credit note",
            party: "Credited to",
            total: "Total credited",
            appendix: "How every amount can be recomputed",
        },
        Kind::Invoice => Words {
            title: "Invoice",
            party: "Billed to",
            total: if statement.paid.is_empty() { "Total due" } else { "Total" },
            appendix: "How every amount can be recomputed",
        },
        Kind::Earnings => Words {
            title: "Statement of earnings",
            party: "Provider",
            total: if statement.carried.is_some() { "To be paid" } else { "Total earned" },
            appendix: "How every amount can be recomputed",
        },
    }
}

/// What stands between the lines and the total.
pub(super) fn before_total(statement: &Statement) -> Vec<(String, Amount)> {
    let carried = statement.carried.filter(|carried| *carried != Amount::ZERO);
    let mut sums = vec![("Subtotal".to_owned(), statement.subtotal)];
    sums.extend(carried.map(|carried| ("Carried over".to_owned(), carried)));
    sums.push((tax_label(statement), statement.tax));
    sums
}

/// What stands below the total: what was paid at once.
pub(super) fn after_total(statement: &Statement) -> Vec<(String, Amount)> {
    let label = |paid: &PaidAtIssue| format!("Paid with {}", paid.source);
    statement.paid.iter().map(|paid| (label(paid), paid.amount.negated())).collect()
}

/// What is to be paid, with its label, where some of the total was paid at once.
pub(super) fn to_be_paid(statement: &Statement) -> Option<(&'static str, Amount)> {
    (!statement.paid.is_empty()).then(|| ("To be paid", statement.to_be_paid()))
}

/// What is rounded, where that shows.
pub(super) fn rounding(statement: &Statement) -> Option<&'static str> {
    if statement.tax_terms.is_some() {
        return Some("Lines are exact. The net amount and the tax are each rounded once, half away from zero.");
    }
    if statement.carried.is_some() {
        return Some("Lines are exact. Only the total is rounded; what that leaves is carried to the next statement.");
    }
    let is_rounded = statement.subtotal != statement.total;
    is_rounded.then_some("Lines are exact. Only the total is rounded, half away from zero.")
}
