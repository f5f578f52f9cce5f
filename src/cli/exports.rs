//! Options of the commands that write files for other programs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which dataset of FOCUS to write.
#[derive(Debug, Subcommand)]
pub enum FocusCommand {
    /// What was used by hour and what it costs, with taxes, roundings and credits.
    #[command(
        after_help = "Example:\n  stempoint focus cost-and-usage --period 2023-11 --format parquet --out focus-2023-11.parquet"
    )]
    CostAndUsage(FocusArgs),
    /// The lines of the invoices and credit notes that were issued.
    #[command(after_help = "Example:\n  stempoint focus invoice-detail --period 2023-11 > invoices-2023-11.csv")]
    InvoiceDetail(FocusArgs),
    /// The months, and whether they are open or closed.
    #[command(after_help = "Example:\n  stempoint focus billing-period")]
    BillingPeriod(FocusArgs),
}

/// Options of `focus`.
#[derive(Debug, Args)]
pub struct FocusArgs {
    /// Only this billing period [default: all].
    #[arg(long, value_name = "YYYY-MM")]
    pub period: Option<String>,
    /// In which form.
    #[arg(long, value_enum, default_value = "csv")]
    pub format: DatasetFormat,
    /// Where to write it [default: standard output].
    #[arg(long, value_name = "FILE", required_if_eq("format", "parquet"))]
    pub out: Option<PathBuf>,
    /// The ledger version to ask [default: the newest].
    #[arg(long, value_name = "N")]
    pub version: Option<i64>,
}

/// The forms of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DatasetFormat {
    /// Comma-separated values.
    Csv,
    /// A file of Parquet.
    Parquet,
}

/// Options of `general-ledger`.
#[derive(Debug, Args)]
pub struct GeneralLedgerArgs {
    /// The accounting month.
    #[arg(value_name = "YYYY-MM")]
    pub period: String,
    /// For which program.
    #[arg(long, value_enum, default_value = "csv")]
    pub format: GeneralLedgerFormat,
    /// Where to write it [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The ledger version to ask [default: the newest].
    #[arg(long, value_name = "N")]
    pub version: Option<i64>,
}

/// The forms of the general ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GeneralLedgerFormat {
    /// Comma-separated values, one row per line of an entry.
    Csv,
    /// A journal of hledger and Ledger.
    Hledger,
    /// A file of Beancount.
    Beancount,
}
