//! The published JSON of credit notes that somebody gave.
//!
//! Invariant: amounts are strings, as in the JSON of invoices; a field has the
//! name that it has there.

use serde::Serialize;

use crate::documents::credit_note::CreditNote;
use crate::documents::currency::minor_units;
use crate::documents::letterhead::Letterhead;
use crate::documents::render::json::{Details, DocumentIssuer, details, issuer, written};

#[derive(Serialize)]
struct Document<'a> {
    number: &'a str,
    /// Only there where one is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<DocumentIssuer<'a>>,
    customer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_details: Option<Details<'a>>,
    currency: &'a str,
    issued_at: String,
    /// Null where no invoice is taken back.
    corrects: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    corrects_period: Option<String>,
    reason: &'a str,
    lines: Vec<Line<'a>>,
    uses: Vec<Use<'a>>,
    subtotal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_rate: Option<String>,
    tax: String,
    total: String,
    ledger_version: i64,
}

#[derive(Serialize)]
struct Line<'a> {
    item: &'static str,
    amount: String,
    sql: &'a str,
}

#[derive(Serialize)]
struct Use<'a> {
    /// Null for what is kept.
    invoice: Option<&'a str>,
    amount: String,
    sql: &'a str,
}

pub(in crate::documents::render) fn render(note: &CreditNote, letterhead: &Letterhead) -> String {
    let places = minor_units(&note.currency);
    let corrects = note.corrects.as_ref();
    let lines = note.lines.iter();
    let uses = note.uses.iter();
    written(&Document {
        number: &note.number,
        issuer: letterhead.issuer.as_ref().map(issuer),
        customer: &note.customer,
        customer_details: details(note.profile.as_ref()),
        currency: &note.currency,
        issued_at: note.issued_at.to_string(),
        corrects: corrects.map(|(number, _)| number.as_str()),
        corrects_period: corrects.and_then(|(_, month)| *month).map(|month| month.to_string()),
        reason: &note.reason,
        lines: lines.map(|l| Line { item: l.item.name(), amount: l.amount.to_string(), sql: &l.sql }).collect(),
        uses: uses
            .map(|part| Use { invoice: part.invoice.as_deref(), amount: part.amount.to_string(), sql: &part.sql })
            .collect(),
        subtotal: note.net.to_string(),
        tax_name: note.tax_terms.as_ref().map(|tax| tax.name.as_str()),
        tax_rate: note.tax_terms.as_ref().map(|tax| tax.rate.to_string()),
        tax: note.tax.with_places(places),
        total: note.total.with_places(places),
        ledger_version: note.ledger_version,
    })
}
