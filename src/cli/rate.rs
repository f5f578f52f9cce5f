//! The options of `rate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::RowFormat;

/// Options of `rate`.
#[derive(Debug, Args)]
pub struct RateArgs {
    /// The price book (TOML), which is not put in force.
    #[arg(long = "with", value_name = "FILE")]
    pub file: PathBuf,
    /// The month.
    #[arg(long, value_name = "YYYY-MM")]
    pub period: String,
    /// What a row is for.
    #[arg(long, value_enum, default_value = "customer")]
    pub by: RateBy,
    /// The ledger version whose usage is rated [default: the newest].
    #[arg(long, value_name = "N")]
    pub version: Option<i64>,
    /// How to print the rows.
    #[arg(long, value_enum, default_value = "table")]
    pub format: RowFormat,
}

/// What a row of `rate` is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RateBy {
    /// What each customer pays, before tax.
    Customer,
    /// What each provider earns.
    Provider,
    /// What each model owner and asset pool earns.
    Owner,
    /// What customers pay for each meter.
    Meter,
}

impl RateBy {
    /// The name of the column, and of the side where it is one.
    pub const fn name(self) -> &'static str {
        match self {
            RateBy::Customer => "customer",
            RateBy::Provider => "provider",
            RateBy::Owner => "owner",
            RateBy::Meter => "meter",
        }
    }
}
