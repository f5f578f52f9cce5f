//! Options of the commands about budgets and alerts.

use clap::{Args, Subcommand};

use super::RowsOfCustomer;

/// What to do with budgets.
#[derive(Debug, Subcommand)]
pub enum BudgetCommand {
    /// Set a customer's budget for each month, or replace it.
    #[command(after_help = "\
Examples:
  stempoint budget set acme --name total --amount 100.00 --threshold 50,80,100
  stempoint budget set acme --name input --quantity 5000000 --meter tokens.input

A month's charges that reach a threshold give an alert, each threshold once in a
month. One that is reached already gives it at once. With another limit the budget
begins anew; with the same limit it keeps what was crossed.")]
    Set(BudgetSetArgs),
    /// End a customer's budget.
    #[command(after_help = "Example:\n  stempoint budget delete acme --name total")]
    Delete {
        /// Whose budget.
        customer: String,
        /// The budget's name.
        #[arg(long)]
        name: String,
    },
    /// List the budgets that hold.
    #[command(after_help = "Example:\n  stempoint budget list --customer acme")]
    List(RowsOfCustomer),
}

/// Options of `budget set`.
#[derive(Debug, Args)]
pub struct BudgetSetArgs {
    /// Whose usage is watched.
    pub customer: String,
    /// The budget's name among those of the customer.
    #[arg(long)]
    pub name: String,
    /// The limit in money per month, before tax, payments and credits.
    #[arg(long, required_unless_present = "quantity", conflicts_with_all = ["quantity", "meter"])]
    pub amount: Option<String>,
    /// The currency of the limit [default: the customer's].
    #[arg(long)]
    pub currency: Option<String>,
    /// The limit in charged units of a meter per month.
    #[arg(long, requires = "meter")]
    pub quantity: Option<String>,
    /// What is counted, for example tokens.input.
    #[arg(long, requires = "quantity")]
    pub meter: Option<String>,
    /// The parts of the limit that give an alert, in per cent.
    #[arg(long = "threshold", value_name = "PERCENT", value_delimiter = ',', default_value = "100")]
    pub thresholds: Vec<u32>,
    /// The first month that is watched [default: this one].
    #[arg(long, value_name = "YYYY-MM")]
    pub from: Option<String>,
}

/// What to do with alerts.
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// List them, the newest last.
    #[command(after_help = "Example:\n  stempoint alerts list --customer acme --format csv")]
    List(RowsOfCustomer),
}
