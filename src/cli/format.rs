//! The choices of `--format`, and the options of lists.

use clap::{Args, ValueEnum};
use stempoint_query::literal;

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// Aligned columns.
    Table,
    /// Comma-separated values.
    Csv,
    /// An array of objects.
    Json,
}

/// How a document is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DocumentFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
    /// A page for the browser.
    Html,
    /// Pages to send, to print and to keep; the JSON is attached.
    Pdf,
}

/// Which rows to list, and how to print them.
#[derive(Debug, Args)]
pub struct RowsOfCustomer {
    /// Only this customer's.
    #[arg(long)]
    pub customer: Option<String>,
    /// How to print the rows.
    #[arg(long, value_enum, default_value = "table")]
    pub format: RowFormat,
}

impl RowsOfCustomer {
    /// The condition in SQL that a column names the customer, if one is named.
    pub fn condition(&self, column: &str) -> String {
        self.customer.as_ref().map_or_else(|| "true".to_owned(), |of| format!("{column} = {}", literal(of)))
    }
}
