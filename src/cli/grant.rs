//! Options of the commands about grants.

use clap::{Args, Subcommand};

use super::RowsOfCustomer;

/// What to do with grants.
#[derive(Debug, Subcommand)]
pub enum GrantCommand {
    /// Give a customer something that pays its invoices of some months.
    #[command(after_help = "\
Examples:
  stempoint grant add acme 500.00 --paid --until 2024-10 --reason \"a package of 500\"
  stempoint grant add acme 25 --until 2024-01 --priority 0 --reason \"a welcome\"

Grants pay invoices when they are issued, before payments that are kept: those with
the smallest priority first, then those that end first, then the oldest. What is left
after the last month was closed is gone. The same --id again changes nothing.")]
    Add(GrantAddArgs),
    /// List grants with what of them is used, left or gone.
    #[command(after_help = "Example:\n  stempoint grant list --customer acme")]
    List(RowsOfCustomer),
}

/// Options of `grant add`.
#[derive(Debug, Args)]
pub struct GrantAddArgs {
    /// Whose invoices it pays.
    pub customer: String,
    /// How much.
    pub amount: String,
    /// The currency [default: the customer's].
    #[arg(long)]
    pub currency: Option<String>,
    /// The customer paid for it: the money is at the bank.
    #[arg(long)]
    pub paid: bool,
    /// When the bank had the money [default: now].
    #[arg(long, value_name = "TIME", requires = "paid")]
    pub received: Option<String>,
    /// Grants with a smaller one are used first (0 to 1000).
    #[arg(long, default_value_t = 100)]
    pub priority: u32,
    /// The first month whose invoices it pays [default: this one].
    #[arg(long, value_name = "YYYY-MM")]
    pub from: Option<String>,
    /// The last one [default: it does not end].
    #[arg(long, value_name = "YYYY-MM")]
    pub until: Option<String>,
    /// What it is for.
    #[arg(long)]
    pub reason: String,
    /// A name of the order: the same one counts once.
    #[arg(long)]
    pub id: Option<String>,
}
