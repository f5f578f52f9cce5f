//! Statements as text, JSON, CSV and HTML.
//!
//! Invariant: the bytes depend on the statement alone; names from outside
//! cannot become markup, styles or control characters.

mod csv;
mod html;
mod json;
mod text;

use std::fmt;
use std::str::FromStr;

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
    /// A page to send and to print.
    Html,
}

impl DocumentFormat {
    const ALL: [DocumentFormat; 4] =
        [DocumentFormat::Text, DocumentFormat::Json, DocumentFormat::Csv, DocumentFormat::Html];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            DocumentFormat::Text => "text",
            DocumentFormat::Json => "json",
            DocumentFormat::Csv => "csv",
            DocumentFormat::Html => "html",
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
        let known = "text, json, csv and html";
        DocumentFormat::ALL
            .into_iter()
            .find(|format| format.name() == text)
            .ok_or_else(|| FormatError { given: text.to_owned(), known })
    }
}

/// Writes a statement.
pub fn render(statement: &Statement, format: DocumentFormat) -> String {
    match format {
        DocumentFormat::Text => text::render(statement),
        DocumentFormat::Json => json::render(statement),
        DocumentFormat::Csv => csv::render(statement),
        DocumentFormat::Html => html::render(statement),
    }
}
