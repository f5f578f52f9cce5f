//! The choices of `--format`.

use clap::ValueEnum;

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
