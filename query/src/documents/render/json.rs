//! The published JSON of invoices and statements of earnings.
//!
//! Invariant: quantities and amounts are strings, so that no reader makes
//! floating-point numbers of them; they are the shortest exact text, which is
//! also what `stempoint sql --format json` prints for the line's query.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use stempoint_schemas::meter::Dimension;
use stempoint_schemas::profile::Item;

use crate::documents::currency::minor_units;
use crate::documents::statement::{Kind, Line, Statement, Unrated};

#[derive(Serialize)]
struct Document<'a> {
    /// Null until the document is finalised.
    number: Option<&'a str>,
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
    lines: Vec<DocumentLine<'a>>,
    /// Only there where something is unrated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unrated: Vec<UnratedLine<'a>>,
    subtotal: String,
    tax: String,
    total: String,
    ledger_version: i64,
}

/// Who the party is, as far as it is known now.
#[derive(Serialize)]
struct Details<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_id: Option<&'a str>,
}

#[derive(Serialize)]
struct DocumentLine<'a> {
    meter: &'static str,
    dimensions: Dimensions<'a>,
    quantity: String,
    unit_price: String,
    per: String,
    effective_from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<String>,
    amount: String,
    sql: &'a str,
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

pub(crate) fn render(statement: &Statement) -> String {
    let party = |kind| (statement.kind == kind).then_some(statement.party.as_str());
    let details = |kind| {
        let profile = statement.profile.as_ref().filter(|_| statement.kind == kind)?;
        let [name, address, tax_id] = [Item::Name, Item::Address, Item::TaxId].map(|item| profile.get(item));
        (name.or(address).or(tax_id).is_some()).then_some(Details { name, address, tax_id })
    };
    let places = minor_units(&statement.currency);
    let document = Document {
        number: None,
        customer: party(Kind::Invoice),
        customer_details: details(Kind::Invoice),
        provider: party(Kind::Earnings),
        provider_details: details(Kind::Earnings),
        period: statement.period.to_string(),
        currency: &statement.currency,
        lines: statement.lines.iter().map(|l| line(statement.kind, l)).collect(),
        unrated: statement.unrated.iter().map(unrated).collect(),
        subtotal: statement.subtotal.to_string(),
        tax: statement.tax.with_places(places),
        total: statement.total.with_places(places),
        ledger_version: statement.ledger_version,
    };
    // Strings and integers under fixed keys: there is nothing that can fail.
    let mut json = serde_json::to_string_pretty(&document).unwrap_or_default();
    json.push('\n');
    json
}

fn line(kind: Kind, line: &Line) -> DocumentLine<'_> {
    DocumentLine {
        meter: line.meter.name(),
        dimensions: Dimensions(&line.dimensions),
        quantity: line.quantity.to_string(),
        unit_price: line.unit_price.to_string(),
        per: line.per.to_string(),
        effective_from: line.effective_from.to_string(),
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
