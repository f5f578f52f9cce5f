//! Documents that were stored, compared with what the books say.
//!
//! Invariants: whatever a document says of the books is compared, a field
//! that is added later too; only what never came from the books is not. A
//! document holds if its own ledger version still gives it.

mod csv;
mod json;

use std::collections::BTreeMap;

use stempoint_schemas::time::Month;

use super::document::{Document, Subject};
use super::letterhead::Letterhead;
use super::render::{DocumentFormat, attached};
use super::statement::{Kind, Request};

/// What does not come from the books.
const NOT_OF_THE_BOOKS: [&str; 3] = ["issuer", "customer_details", "provider_details"];

/// Names and values, as a document has them.
type Fields = BTreeMap<String, String>;

/// A document from a file: JSON, CSV, or PDF with its JSON attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Which document it is.
    pub subject: Subject,
    /// The ledger version that it shows.
    pub ledger_version: i64,
    format: DocumentFormat,
    content: Content,
}

/// What a document says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Content {
    /// Of the whole document.
    facts: Fields,
    /// Of each line, and of each quantity without a price.
    rows: Vec<Fields>,
}

/// Why a file is not a document that can be verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    /// A PDF without the attached JSON.
    #[error(
        "the PDF has no statement attached, or another program has rewritten it: verify the JSON or the CSV instead"
    )]
    NothingAttached,
    /// Not JSON.
    #[error("the file is not a document in JSON: {0}")]
    Json(String),
    /// Not CSV.
    #[error("line {line} of the CSV is wrong: {problem}")]
    Csv {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// Something is missing that says what to recompute.
    #[error(
        "the document does not say its {0}: it is not an invoice, a credit note or a statement of earnings from stempoint"
    )]
    Missing(&'static str),
}

impl Stored {
    /// Reads a file.
    ///
    /// # Errors
    /// [`StoredError`] if it is no document, or does not say of what.
    pub fn read(file: &[u8]) -> Result<Stored, StoredError> {
        if file.starts_with(b"%PDF-") {
            let json = attached(file).ok_or(StoredError::NothingAttached)?;
            return Stored::new(DocumentFormat::Json, json::read(&json)?);
        }
        if file.trim_ascii_start().starts_with(b"{") {
            return Stored::new(DocumentFormat::Json, json::read(file)?);
        }
        Stored::new(DocumentFormat::Csv, csv::read(file)?)
    }

    fn new(format: DocumentFormat, content: Content) -> Result<Stored, StoredError> {
        let said = |name: &'static str| content.value(name).ok_or(StoredError::Missing(name));
        let (kind, party) = match (content.value("customer"), content.value("provider")) {
            (Some(customer), None) => (Kind::Invoice, customer),
            (None, Some(provider)) => (Kind::Earnings, provider),
            _ => return Err(StoredError::Missing("customer or provider")),
        };
        // A credit that somebody gave is of no month.
        let subject = match (kind, content.value("corrects"), content.value("period")) {
            (Kind::Invoice, Some(_), None) => Subject::CreditNote(said("number")?.to_owned()),
            _ => Subject::Month(
                kind,
                Request {
                    party: party.to_owned(),
                    period: Month::parse(said("period")?).map_err(|_| StoredError::Missing("period"))?,
                    currency: Some(said("currency")?.to_owned()),
                },
            ),
        };
        let version = said("ledger_version")?.parse().map_err(|_| StoredError::Missing("ledger_version"))?;
        Ok(Stored { subject, ledger_version: version, format, content })
    }

    /// How many lines it has, those without a price included.
    pub fn rows(&self) -> usize {
        self.content.rows.len()
    }

    /// In what it differs from what the books say now of its ledger version.
    ///
    /// # Errors
    /// [`StoredError`] does not occur with documents that were made here.
    pub fn differences(&self, document: &Document) -> Result<Vec<String>, StoredError> {
        let bytes = document.render(&Letterhead::default(), self.format);
        let books = match self.format {
            DocumentFormat::Csv => csv::read(&bytes)?,
            _ => json::read(&bytes)?,
        };
        let mut differences = Vec::new();
        compare("", &self.content.facts, &books.facts, &mut differences);
        let mut left: BTreeMap<Fields, Vec<&Fields>> = BTreeMap::new();
        for row in books.rows.iter().rev() {
            left.entry(key(row)).or_default().push(row);
        }
        for (index, row) in self.content.rows.iter().enumerate() {
            let name = format!("line {} ({})", index + 1, described(row));
            match left.get_mut(&key(row)).and_then(Vec::pop) {
                Some(other) => compare(&format!("{name}: "), row, other, &mut differences),
                None => differences.push(format!("{name}: the books have no such line")),
            }
        }
        let missing = left.into_values().flatten();
        differences.extend(missing.map(|row| format!("a line is missing: {}", described(row))));
        Ok(differences)
    }
}

impl Content {
    /// A fact of the document; CSV has it in each row.
    fn value(&self, name: &str) -> Option<&str> {
        self.facts.get(name).or_else(|| self.rows.first()?.get(name)).map(String::as_str)
    }
}

/// What tells a row from others: its query, or what it is of.
fn key(row: &Fields) -> Fields {
    let is_key = |name: &str| match row.get("sql") {
        Some(sql) if !sql.is_empty() => name == "sql",
        _ => name == "meter" || name == "dimensions" || ["model", "gpu", "region"].contains(&name),
    };
    row.iter().filter(|(name, _)| is_key(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A row in a few words.
fn described(row: &Fields) -> String {
    let names = ["meter", "dimensions", "model", "gpu", "region", "item", "invoice"];
    let words: Vec<&str> = names.iter().filter_map(|name| row.get(*name)).map(String::as_str).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    crate::output::printable(&words.join(" "))
}

fn compare(name: &str, document: &Fields, books: &Fields, differences: &mut Vec<String>) {
    let show = |value: &str| crate::output::printable(value);
    for (field, value) in document {
        if NOT_OF_THE_BOOKS.contains(&field.as_str()) {
            continue;
        }
        match books.get(field) {
            Some(other) if other == value => {}
            Some(other) => {
                differences.push(format!("{name}{field} is {}, the books say {}", show(value), show(other)));
            }
            None => differences.push(format!("{name}{field} is {}, the books do not say it", show(value))),
        }
    }
    for (field, other) in books.iter().filter(|(field, _)| !document.contains_key(*field)) {
        differences.push(format!("{name}{field} is missing, the books say {}", show(other)));
    }
}
