//! Options of the commands about what customers owe and what accounts hold.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{RowFormat, WriteArgs};

/// What to do with terms.
#[derive(Debug, Subcommand)]
pub enum TermsCommand {
    /// Put terms in force, for one customer or for all that have none.
    #[command(after_help = "\
Examples:
  stempoint terms set --entity SPEU --due-days 14 --tax VAT=0.19
  stempoint terms set --customer acme --entity SPUS --due-days 30

Invoices that were issued keep the terms that held then.")]
    Set {
        /// The customer; all that have no terms of their own where it is left out.
        #[arg(long)]
        customer: Option<String>,
        /// Code of the legal entity that issues; its documents are numbered without gaps.
        #[arg(long)]
        entity: String,
        /// How many days the customer has to pay.
        #[arg(long, default_value_t = 30)]
        due_days: u32,
        /// A tax on the exact amount, for example VAT=0.19.
        #[arg(long, value_name = "NAME=RATE")]
        tax: Option<String>,
    },
    /// List all terms that were put in force, the newest last.
    #[command(after_help = "Example:\n  stempoint terms list")]
    List {
        /// How to print the rows.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
    },
}

/// What to do with currencies.
#[derive(Debug, Subcommand)]
pub enum CurrencyCommand {
    /// Rate a customer, or all that have none of their own, in a currency from a month on.
    #[command(after_help = "\
Examples:
  stempoint currency set EUR --customer acme --from 2024-01
  stempoint currency set EUR --from 2023-11

What is settled keeps its currency: a month in which the customer used something
already cannot be changed. The currency needs a price book of its own.")]
    Set {
        /// The currency.
        currency: String,
        /// The customer; all that have no currency of their own where it is left out.
        #[arg(long)]
        customer: Option<String>,
        /// The first month of use.
        #[arg(long, value_name = "YYYY-MM")]
        from: String,
    },
    /// List all currencies that were put in force, the newest last.
    #[command(after_help = "Example:\n  stempoint currency list")]
    List {
        /// How to print the rows.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
    },
}

/// What to do with payments.
#[derive(Debug, Subcommand)]
pub enum PaymentCommand {
    /// Take note of one payment.
    #[command(after_help = "\
Example:
  stempoint payment add acme 199.02 --invoice INV-000012
  stempoint payment add acme 25 --received 2023-12-05T00:00:00Z --id bank-17

The named invoice is paid first, then the oldest open one; what is left is kept for
what comes. The same --id again changes nothing.")]
    Add(PaymentArgs),
    /// Take note of the payments in a bank's file (CSV).
    #[command(after_help = "\
Example:
  stempoint payment import statement-2023-12.csv

The columns, in any order: id, received_at, amount, currency, reference, and, where
the bank knows them, customer and invoice. A row without a customer belongs to the
invoice that its reference names; one that names none is left out and printed.
Importing the same file again changes nothing.")]
    Import {
        /// The file.
        file: PathBuf,
        /// What tells this bank's ids from another's.
        #[arg(long, default_value = "bank")]
        source: String,
    },
    /// List payments and what they paid.
    #[command(after_help = "Example:\n  stempoint payment list --format csv")]
    List {
        /// How to print the rows.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
    },
}

/// Options of `payment add`.
#[derive(Debug, Args)]
pub struct PaymentArgs {
    /// Who paid.
    pub customer: String,
    /// How much, in whole cents.
    pub amount: String,
    /// The currency [default: the invoice's, or the customer's].
    #[arg(long)]
    pub currency: Option<String>,
    /// The invoice that is paid first.
    #[arg(long, value_name = "NUMBER")]
    pub invoice: Option<String>,
    /// What the bank knows of it.
    #[command(flatten)]
    pub bank: BankArgs,
}

/// What a bank knows of money that moved.
#[derive(Debug, Args)]
pub struct BankArgs {
    /// When the bank had it (RFC 3339) [default: now].
    #[arg(long, value_name = "TIME")]
    pub received: Option<String>,
    /// What the bank says of it.
    #[arg(long, default_value = "")]
    pub reference: String,
    /// The bank's id of it, so that it counts once [default: a random one].
    #[arg(long, requires = "received")]
    pub id: Option<String>,
}

/// Options of `credit`.
#[derive(Debug, Args)]
pub struct CreditArgs {
    /// Who gets it.
    pub customer: String,
    /// How much, tax included; all that is left of the invoice where it is left out.
    pub amount: Option<String>,
    /// The currency [default: the invoice's, or the customer's].
    #[arg(long)]
    pub currency: Option<String>,
    /// The invoice that it takes back.
    #[arg(long, value_name = "NUMBER")]
    pub invoice: Option<String>,
    /// Why, for the record.
    #[arg(long)]
    pub reason: String,
}

/// Options of `write-off`.
#[derive(Debug, Args)]
pub struct WriteOffArgs {
    /// The invoice's number.
    pub invoice: String,
    /// How much; all that is open, or was written off, where it is left out.
    pub amount: Option<String>,
    /// Put back what was written off: it is open again.
    #[arg(long)]
    pub put_back: bool,
    /// Why, for the record.
    #[arg(long)]
    pub reason: String,
}

/// What to do with exchanges.
#[derive(Debug, Subcommand)]
pub enum ExchangeCommand {
    /// Take note that the bank changed one currency for another.
    #[command(after_help = "\
Examples:
  stempoint exchange add 1000.00 USD 921.35 EUR --rate 0.925
  stempoint exchange add 500 EUR 543.10 USD --received 2023-11-20T10:00:00Z --id MT940-17

What was got beyond the rate, or short of it, is a gain or a loss on platform/exchange.
The same --id again changes nothing.")]
    Add(ExchangeAddArgs),
    /// List exchanges with what was gained or lost.
    #[command(after_help = "Example:\n  stempoint exchange list --format csv")]
    List {
        /// How to print the rows.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
    },
}

/// Options of `exchange add`.
#[derive(Debug, Args)]
pub struct ExchangeAddArgs {
    /// How much the bank gave, in whole cents.
    pub given: String,
    /// Of which currency.
    pub given_currency: String,
    /// How much it got, in whole cents.
    pub got: String,
    /// Of which currency.
    pub got_currency: String,
    /// What one unit of what was given is worth, in the currency that was got [default: what was got for it].
    #[arg(long)]
    pub rate: Option<String>,
    /// What the bank knows of it.
    #[command(flatten)]
    pub bank: BankArgs,
}

/// Options of `invoices`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct InvoicesArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: Option<InvoicesCommand>,
    /// Which to list.
    #[command(flatten)]
    pub list: InvoicesListArgs,
}

/// What to do with invoices.
#[derive(Debug, Subcommand)]
pub enum InvoicesCommand {
    /// Write all documents that closing a month issued, and the credit notes that were given in it, as files.
    #[command(after_help = "\
Example:
  stempoint invoices write --period 2023-11 --format pdf --into invoices-2023-11

A file has the number of its document. Writing again replaces the files.")]
    Write(WriteArgs),
}

/// Which invoices to list.
#[derive(Debug, Args)]
pub struct InvoicesListArgs {
    /// Only this customer's.
    #[arg(long)]
    pub customer: Option<String>,
    /// Only those that are not paid.
    #[arg(long)]
    pub open: bool,
    /// How to print the rows.
    #[arg(long, value_enum, default_value = "table")]
    pub format: RowFormat,
}

/// Options of `accounts`.
#[derive(Debug, Args)]
pub struct AccountsArgs {
    /// Only accounts that begin with this, for example customer/acme.
    pub prefix: Option<String>,
    /// How to print the rows.
    #[arg(long, value_enum, default_value = "table")]
    pub format: RowFormat,
}

/// Options of `balance`.
#[derive(Debug, Args)]
pub struct BalanceArgs {
    /// The account, or what its name begins with up to a slash: customer/acme.
    pub account: String,
    /// Only what counts up to this moment (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Only what the books knew then: a ledger version, or a moment (RFC 3339) by the log's record times.
    #[arg(long, value_name = "VERSION|TIME")]
    pub known_at: Option<String>,
    /// How to print the rows.
    #[arg(long, value_enum, default_value = "table")]
    pub format: RowFormat,
}
