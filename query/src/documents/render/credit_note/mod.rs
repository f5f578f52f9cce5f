//! Credit notes that somebody gave, in each format but PDF, and the words that
//! all of them use.
//!
//! Invariant: each amount has the number under which the appendix has its
//! query: first the parts of the credit, then where the money went.

pub(super) mod csv;
pub(super) mod html;
pub(super) mod json;
pub(super) mod text;

use crate::documents::credit_note::{CreditItem, CreditLine, CreditNote, CreditUse};
use crate::documents::figures::percent;

pub(super) const TITLE: &str = "Credit note";
pub(super) const PARTY: &str = "Credited to";
pub(super) const TOTAL: &str = "Total credited";
pub(super) const USES: &str = "Where the money went";
pub(super) const APPENDIX: &str = "How every amount can be recomputed";
/// What a query gives.
pub(super) const GIVES: &str = "that amount";

/// The invoice that is taken back: `SPEU-000001 (2023-11)`.
pub(super) fn corrected(note: &CreditNote) -> Option<String> {
    let (number, month) = note.corrects.as_ref()?;
    Some(month.map_or_else(|| number.clone(), |month| format!("{number} ({month})")))
}

/// What a part of the credit is, and how it came about.
pub(super) fn part(note: &CreditNote, line: &CreditLine) -> (String, String) {
    let corrected = note.corrects.as_ref().map(|(number, _)| number.as_str());
    match line.item {
        CreditItem::Net => {
            let why = corrected
                .map_or_else(|| "Net amount".to_owned(), |number| format!("Net amount, taken back of {number}"));
            (note.reason.clone(), why)
        }
        CreditItem::Tax => {
            let label = note.tax_terms.as_ref().map(|tax| format!("{} {}", tax.name, percent(tax.rate)));
            let why = corrected.map(|number| format!("Tax, in proportion to that of {number}"));
            (label.unwrap_or_else(|| "Tax".to_owned()), why.unwrap_or_default())
        }
    }
}

/// What a part of the money did.
pub(super) fn used_for(part: &CreditUse) -> String {
    match &part.invoice {
        Some(invoice) => format!("Paid of invoice {invoice}"),
        None => "Not used yet: kept for what comes".to_owned(),
    }
}

/// The queries of all amounts, in the order of their numbers.
pub(super) fn queries(note: &CreditNote) -> Vec<&str> {
    let lines = note.lines.iter().map(|line| line.sql.as_str());
    lines.chain(note.uses.iter().map(|part| part.sql.as_str())).collect()
}
