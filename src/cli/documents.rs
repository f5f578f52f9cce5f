//! The options of documents: what to print, in which form, and where to.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DocumentFormat, RowFormat};

/// Options of `earnings`.
#[derive(Debug, Args)]
pub struct EarningsArgs {
    /// The provider, or the number of a statement that was issued.
    #[arg(value_name = "PROVIDER|NUMBER")]
    pub document: String,
    /// The month, where a provider is named.
    #[arg(value_name = "YYYY-MM")]
    pub period: Option<String>,
    /// The currency, where the month has several.
    #[arg(long, value_name = "CODE", requires = "period")]
    pub currency: Option<String>,
    /// How and where to.
    #[command(flatten)]
    pub output: DocumentOutput,
}

/// Options of `statements`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct StatementsArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: Option<StatementsCommand>,
    /// Which to list.
    #[command(flatten)]
    pub list: StatementsListArgs,
}

/// What to do with statements.
#[derive(Debug, Subcommand)]
pub enum StatementsCommand {
    /// Write all statements that closing a month issued, as files.
    #[command(after_help = "\
Example:
  stempoint statements write --period 2023-11 --format pdf --into statements-2023-11

A file has the number of its statement. Writing again replaces the files.")]
    Write(WriteArgs),
}

/// Which statements to list.
#[derive(Debug, Args)]
pub struct StatementsListArgs {
    /// Only this provider's.
    #[arg(long)]
    pub provider: Option<String>,
    /// Only of this month.
    #[arg(long, value_name = "YYYY-MM")]
    pub period: Option<String>,
    /// How to print the rows.
    #[arg(long, value_enum, default_value = "table")]
    pub format: RowFormat,
}

/// Options of `invoices write` and `statements write`.
#[derive(Debug, Args)]
pub struct WriteArgs {
    /// The month, which must be closed.
    #[arg(long, value_name = "YYYY-MM")]
    pub period: String,
    /// How to write them.
    #[arg(long, value_enum, default_value = "pdf")]
    pub format: DocumentFormat,
    /// The folder; it is created if it is not there.
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
}

/// How a document is printed.
#[derive(Debug, Args)]
pub struct DocumentOutput {
    /// How to print it.
    #[arg(long, value_enum, default_value = "text")]
    pub format: DocumentFormat,
    /// Where to write it [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `invoice`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct InvoiceArgs {
    /// What to do with a stored document.
    #[command(subcommand)]
    pub command: Option<InvoiceCommand>,
    /// The customer, or the number of an invoice or a credit note that was issued.
    #[arg(value_name = "CUSTOMER|NUMBER", required = true)]
    pub document: Option<String>,
    /// The month, where a customer is named.
    #[arg(value_name = "YYYY-MM")]
    pub period: Option<String>,
    /// The currency, where the month has several.
    #[arg(long, value_name = "CODE", requires = "period")]
    pub currency: Option<String>,
    /// How and where to.
    #[command(flatten)]
    pub output: DocumentOutput,
}

/// What to do with stored documents.
#[derive(Debug, Subcommand)]
pub enum InvoiceCommand {
    /// Recompute a stored invoice, credit note or statement of earnings at its ledger version.
    #[command(after_help = "\
Example:
  stempoint invoice verify acme-2023-11.pdf && echo it holds

It reads JSON, CSV, or PDF with the JSON that is attached to it. Exit code 3 says
that the books say something else; each line that differs is named.")]
    Verify {
        /// The file.
        file: PathBuf,
    },
}
