//! The published JSON of invoices and statements of earnings.
//!
//! Invariant: quantities and amounts are strings, so that no reader makes
//! floating-point numbers of them; they are the shortest exact text, which is
//! also what `stempoint sql --format json` prints for the line's query.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use stempoint_schemas::meter::Dimension;
use stempoint_schemas::profile::{Item, Profile};

use crate::documents::currency::minor_units;
use crate::documents::letterhead::{Issuer, Letterhead};
use crate::documents::statement::{Kind, Line, PaidAtIssue, Statement, TrueUp, Unrated};

#[derive(Serialize)]
struct Document<'a> {
    /// Null until the document is finalised.
    number: Option<&'a str>,
    /// Only there where one is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<DocumentIssuer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_details: Option<Details<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_details: Option<Details<'a>>,
    period: String,
    currency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<String>,
    lines: Vec<DocumentLine<'a>>,
    /// Only there where something is unrated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unrated: Vec<UnratedLine<'a>>,
    subtotal: String,
    /// Only there in a provider's statement that was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    carried: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_rate: Option<String>,
    tax: String,
    total: String,
    /// Only there where an invoice was paid in part or in full when it was issued.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paid: Vec<Paid<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_be_paid: Option<String>,
    ledger_version: i64,
}

/// What a part of it was paid with.
#[derive(Serialize)]
struct Paid<'a> {
    source: &'a str,
    amount: String,
    sql: &'a str,
}

/// Who the party is, as far as it is known now.
#[derive(Serialize)]
pub(super) struct Details<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_id: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct DocumentIssuer<'a> {
    name: &'a str,
    address: &'a [String],
    tax_id: Option<&'a str>,
    email: Option<&'a str>,
    payment: &'a [String],
}

#[derive(Serialize)]
struct DocumentLine<'a> {
    /// Null in the line of what a commitment lacks, which has nothing of usage.
    meter: Option<&'static str>,
    dimensions: Dimensions<'a>,
    /// Only there where a charge model adjusts the other lines of its price:
    /// such a line has no quantity and no unit price.
    #[serde(skip_serializing_if = "Option::is_none")]
    adjustment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commitment: Option<Commitment>,
    quantity: Option<String>,
    unit_price: Option<String>,
    per: Option<String>,
    effective_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<String>,
    amount: String,
    sql: &'a str,
}

/// Of which term, what was promised and what was billed in it.
#[derive(Serialize)]
struct Commitment {
    first_period: String,
    committed: String,
    billed: String,
}

#[derive(Serialize)]
struct UnratedLine<'a> {
    meter: &'static str,
    dimensions: Dimensions<'a>,
    quantity: String,
}

struct Dimensions<'a>(&'a [(Dimension, String)]);

impl Serialize for Dimensions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (dimension, value) in self.0 {
            map.serialize_entry(dimension.name(), value)?;
        }
        map.end()
    }
}

pub(crate) fn render(statement: &Statement, letterhead: &Letterhead) -> String {
    let party = |kind| (statement.kind == kind).then_some(statement.party.as_str());
    let details = |kind| details(statement.profile.as_ref().filter(|_| statement.kind == kind));
    let places = minor_units(&statement.currency);
    let (issued, tax_terms) = (statement.issued.as_ref(), statement.tax_terms.as_ref());
    let document = Document {
        number: issued.map(|issued| issued.number.as_str()),
        issuer: letterhead.issuer.as_ref().map(issuer),
        customer: party(Kind::Invoice),
        customer_details: details(Kind::Invoice),
        provider: party(Kind::Earnings),
        provider_details: details(Kind::Earnings),
        period: statement.period.to_string(),
        currency: &statement.currency,
        issued_at: issued.map(|issued| issued.issued_at.to_string()),
        due_at: issued.and_then(|issued| issued.due_at).map(|due| due.to_string()),
        lines: lines(statement),
        unrated: statement.unrated.iter().map(unrated).collect(),
        subtotal: statement.subtotal.to_string(),
        carried: statement.carried.map(|carried| carried.to_string()),
        tax_name: tax_terms.map(|tax| tax.name.as_str()),
        tax_rate: tax_terms.map(|tax| tax.rate.to_string()),
        tax: statement.tax.with_places(places),
        total: statement.total.with_places(places),
        paid: statement.paid.iter().map(|paid| self::paid(paid, places)).collect(),
        to_be_paid: (!statement.paid.is_empty()).then(|| statement.to_be_paid().with_places(places)),
        ledger_version: statement.ledger_version,
    };
    written(&document)
}

/// The text of a document.
pub(super) fn written(document: &impl Serialize) -> String {
    // Strings and integers under fixed keys: there is nothing that can fail.
    let mut json = serde_json::to_string_pretty(document).unwrap_or_default();
    json.push('\n');
    json
}

/// What is known of a party.
pub(super) fn details(profile: Option<&Profile>) -> Option<Details<'_>> {
    let profile = profile?;
    let [name, address, tax_id] = [Item::Name, Item::Address, Item::TaxId].map(|item| profile.get(item));
    (name.or(address).or(tax_id).is_some()).then_some(Details { name, address, tax_id })
}

pub(super) fn issuer(issuer: &Issuer) -> DocumentIssuer<'_> {
    DocumentIssuer {
        name: &issuer.name,
        address: &issuer.address,
        tax_id: issuer.tax_id.as_deref(),
        email: issuer.email.as_deref(),
        payment: &issuer.payment,
    }
}

fn paid(paid: &PaidAtIssue, places: u32) -> Paid<'_> {
    Paid { source: &paid.source, amount: paid.amount.with_places(places), sql: &paid.sql }
}

fn lines(statement: &Statement) -> Vec<DocumentLine<'_>> {
    let lines = statement.lines.iter().map(|l| line(statement.kind, l));
    lines.chain(statement.true_up.iter().map(true_up)).collect()
}

fn true_up(true_up: &TrueUp) -> DocumentLine<'_> {
    let commitment = Commitment {
        first_period: true_up.first.to_string(),
        committed: true_up.committed.to_string(),
        billed: true_up.billed.to_string(),
    };
    DocumentLine {
        meter: None,
        dimensions: Dimensions(&[]),
        adjustment: None,
        commitment: Some(commitment),
        quantity: None,
        unit_price: None,
        per: None,
        effective_from: None,
        share: None,
        amount: true_up.amount.to_string(),
        sql: &true_up.sql,
    }
}

fn line(kind: Kind, line: &Line) -> DocumentLine<'_> {
    let unless_adjusted = |text: String| line.adjustment.is_none().then_some(text);
    DocumentLine {
        meter: Some(line.meter.name()),
        dimensions: Dimensions(&line.dimensions),
        adjustment: line.adjustment.as_deref(),
        commitment: None,
        quantity: unless_adjusted(line.quantity.to_string()),
        unit_price: unless_adjusted(line.unit_price.to_string()),
        per: unless_adjusted(line.per.to_string()),
        effective_from: Some(line.effective_from.to_string()),
        share: (kind == Kind::Earnings).then(|| line.share.to_string()),
        amount: line.amount.to_string(),
        sql: &line.sql,
    }
}

fn unrated(unrated: &Unrated) -> UnratedLine<'_> {
    UnratedLine {
        meter: unrated.meter.name(),
        dimensions: Dimensions(&unrated.dimensions),
        quantity: unrated.quantity.to_string(),
    }
}
