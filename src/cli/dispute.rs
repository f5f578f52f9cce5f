//! Options of the commands about disputes.

use clap::{Args, Subcommand};

use super::RowFormat;

/// What to do with disputes.
#[derive(Debug, Subcommand)]
pub enum DisputeCommand {
    /// Take note that a customer does not agree to a line of an invoice, or that a provider asks for more than one of its statement.
    #[command(after_help = "\
Examples:
  stempoint dispute open INV-000012 --line 3 --reason \"the model was down on the 9th\"
  stempoint dispute open INV-000012 --line 3 --amount 40.00 --reason \"billed twice\"
  stempoint dispute open INV-S-000007 --line 1 --amount 12.50 --reason \"an hour is missing\"

What is disputed of an invoice is set aside: it is not due, and can neither be paid nor
credited otherwise, until the dispute is accepted or rejected.")]
    Open(DisputeOpenArgs),
    /// Accept a dispute or a part of it: a customer gets a credit note, a provider is owed the amount.
    #[command(
        after_help = "Examples:\n  stempoint dispute accept dispute-12 --reason \"it was down\"\n  stempoint dispute accept dispute-12 25.00 --reason \"half of the day\""
    )]
    Accept {
        /// The dispute's name.
        name: String,
        /// How much of it; all of it where it is left out.
        amount: Option<String>,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
    /// Reject a dispute: what was set aside is owed again.
    #[command(after_help = "Example:\n  stempoint dispute reject dispute-12 --reason \"the logs show the calls\"")]
    Reject {
        /// The dispute's name.
        name: String,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
    /// List disputes with what became of them.
    #[command(after_help = "Example:\n  stempoint dispute list --open")]
    List {
        /// Only those that wait to be resolved.
        #[arg(long)]
        open: bool,
        /// How to print the rows.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
    },
}

/// Options of `dispute open`.
#[derive(Debug, Args)]
pub struct DisputeOpenArgs {
    /// The invoice's or the statement's number.
    pub number: String,
    /// Which line of it, counted from 1.
    #[arg(long, value_name = "N")]
    pub line: usize,
    /// How much, in whole cents: of an invoice tax included [default: all of the line], of a statement beyond the line.
    #[arg(long)]
    pub amount: Option<String>,
    /// Why, for the record.
    #[arg(long)]
    pub reason: String,
}
