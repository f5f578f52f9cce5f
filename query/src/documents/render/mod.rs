//! Statements and credit notes as text, JSON, CSV, HTML and PDF.
//!
//! Invariant: the bytes depend on the document and the letterhead alone; names from outside
//! cannot become markup, styles or control characters.

mod credit_note;
mod csv;
mod html;
mod json;
mod pdf;
mod text;
mod words;

pub use pdf::attached;

use std::fmt;
use std::str::FromStr;

use super::credit_note::CreditNote;
use super::letterhead::Letterhead;
use super::statement::Statement;
use crate::output::FormatError;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DocumentFormat {
    /// For a terminal.
    #[default]
    Text,
    /// For programs: the published format.
    Json,
    /// One row a line, for spreadsheets.
    Csv,
    /// A page for the browser.
    Html,
    /// Pages to send, to print and to keep; the JSON is attached.
    Pdf,
}

impl DocumentFormat {
    const ALL: [DocumentFormat; 5] =
        [DocumentFormat::Text, DocumentFormat::Json, DocumentFormat::Csv, DocumentFormat::Html, DocumentFormat::Pdf];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            DocumentFormat::Text => "text",
            DocumentFormat::Json => "json",
            DocumentFormat::Csv => "csv",
            DocumentFormat::Html => "html",
            DocumentFormat::Pdf => "pdf",
        }
    }
}

impl fmt::Display for DocumentFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DocumentFormat {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<DocumentFormat, FormatError> {
        let known = "text, json, csv, html and pdf";
        DocumentFormat::ALL
            .into_iter()
            .find(|format| format.name() == text)
            .ok_or_else(|| FormatError { given: text.to_owned(), known })
    }
}

/// Writes a statement. All formats but PDF are UTF-8 text.
pub fn render(statement: &Statement, letterhead: &Letterhead, format: DocumentFormat) -> Vec<u8> {
    match format {
        DocumentFormat::Text => text::render(statement, letterhead).into_bytes(),
        DocumentFormat::Json => json::render(statement, letterhead).into_bytes(),
        DocumentFormat::Csv => csv::render(statement).into_bytes(),
        DocumentFormat::Html => html::render(statement, letterhead).into_bytes(),
        DocumentFormat::Pdf => pdf::render(statement, letterhead),
    }
}

/// Writes a credit note that somebody gave, in the same formats.
pub(super) fn credit_note(note: &CreditNote, letterhead: &Letterhead, format: DocumentFormat) -> Vec<u8> {
    match format {
        DocumentFormat::Text => credit_note::text::render(note, letterhead).into_bytes(),
        DocumentFormat::Json => credit_note::json::render(note, letterhead).into_bytes(),
        DocumentFormat::Csv => credit_note::csv::render(note).into_bytes(),
        DocumentFormat::Html => credit_note::html::render(note, letterhead).into_bytes(),
        DocumentFormat::Pdf => pdf::credit_note(note, letterhead),
    }
}
