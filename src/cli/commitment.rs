//! Options of the commands about commitments.

use clap::{Args, Subcommand};

use super::RowsOfCustomer;

/// What to do with commitments.
#[derive(Debug, Subcommand)]
pub enum CommitmentCommand {
    /// Set what a customer pays at least from a month on, or replace it.
    #[command(after_help = "\
Examples:
  stempoint commitment set acme --amount 100.00                        at least 100 USD on each month's invoice
  stempoint commitment set acme --amount 12000 --months 12 --from 2024-01

What a term's months come to less, before tax, is charged by the invoice of its last
month. The next term follows at once. A term that is under way does not change.")]
    Set(CommitmentSetArgs),
    /// End a customer's commitment.
    #[command(after_help = "Example:\n  stempoint commitment end acme --from 2025-01")]
    End {
        /// Whose commitment.
        customer: String,
        /// Its currency [default: the customer's].
        #[arg(long)]
        currency: Option<String>,
        /// The first month without it [default: this one].
        #[arg(long, value_name = "YYYY-MM")]
        from: Option<String>,
    },
    /// List what holds, month by month in which it changes.
    #[command(after_help = "Example:\n  stempoint commitment list --customer acme")]
    List(RowsOfCustomer),
}

/// Options of `commitment set`.
#[derive(Debug, Args)]
pub struct CommitmentSetArgs {
    /// Who pays at least that much.
    pub customer: String,
    /// What each term comes to at least, before tax.
    #[arg(long)]
    pub amount: String,
    /// The currency of the amount [default: the customer's].
    #[arg(long)]
    pub currency: Option<String>,
    /// How long a term is; 1 is a minimum of each month's invoice.
    #[arg(long, default_value_t = 1)]
    pub months: u32,
    /// The first month of the first term [default: this one].
    #[arg(long, value_name = "YYYY-MM")]
    pub from: Option<String>,
}
