//! The command line: names, options, help with examples.

mod bench;
mod budget;
mod commitment;
mod corrections;
mod dispute;
mod documents;
mod exports;
mod format;
mod grant;
mod money;
mod profile;
mod proofs;
mod rate;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::documents::{
    DocumentOutput, EarningsArgs, InvoiceArgs, InvoiceCommand, StatementsArgs, StatementsCommand, StatementsListArgs,
    WriteArgs,
};
pub use bench::{BenchCommand, FoldStream};
pub use budget::{AlertsCommand, BudgetCommand, BudgetSetArgs};
pub use commitment::{CommitmentCommand, CommitmentSetArgs};
pub use corrections::{AmendArgs, EventArgs, VoidArgs};
pub use dispute::{DisputeCommand, DisputeOpenArgs};
pub use exports::{DatasetFormat, FocusArgs, FocusCommand, GeneralLedgerArgs, GeneralLedgerFormat};
pub use format::{DocumentFormat, RowFormat, RowsOfCustomer};
pub use grant::{GrantAddArgs, GrantCommand};
pub use money::{
    AccountsArgs, BalanceArgs, BankArgs, CreditArgs, CurrencyCommand, ExchangeAddArgs, ExchangeCommand, InvoicesArgs,
    InvoicesCommand, InvoicesListArgs, PaymentArgs, PaymentCommand, TermsCommand, WriteOffArgs,
};
pub use profile::{ProfileCommand, ProfileSetArgs};
pub use proofs::{HeadArgs, HeadFormat, ManifestCommand, ProveArgs, VerifyProofArgs};
pub use rate::{RateArgs, RateBy};

/// The data and accounting backbone of a decentralised AI compute network.
#[derive(Debug, Parser)]
#[command(name = "stempoint", version, about, long_about = None, after_help = "\
Examples:
  stempoint demo                              a month of made-up usage, from events to an invoice
  stempoint up                                take events over HTTP, fold and settle them
  stempoint sql \"SELECT * FROM commits ORDER BY version DESC LIMIT 5\"

Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 an audit or a comparison found differences,
4 a proof holds in itself but was compared with no published head.")]
pub struct Cli {
    /// Options of all commands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of all commands.
#[derive(Debug, Args)]
pub struct Global {
    /// The data folder [default: stempoint in the user's data directory].
    #[arg(long, global = true, value_name = "DIR", env = "STEMPOINT_DATA")]
    pub data: Option<PathBuf>,
    /// The configuration [default: stempoint.toml in the data folder, if it is there].
    #[arg(long, global = true, value_name = "FILE", env = "STEMPOINT_CONFIG")]
    pub config: Option<PathBuf>,
    /// Use this Kafka cluster as the event log instead of the one in the data folder.
    #[arg(long, global = true, value_name = "HOST:PORT", env = "STEMPOINT_BROKERS")]
    pub kafka: Option<String>,
    /// Prefix of the topics on Kafka.
    #[arg(long, global = true, value_name = "PREFIX", default_value = "stempoint", hide = true)]
    pub topic_prefix: String,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make up a month of usage and run it through everything.
    #[command(after_help = "Example:\n  stempoint demo\n  stempoint demo --data /tmp/demo")]
    Demo(DemoArgs),
    /// Run log, folds, maintenance and the HTTP server in one process.
    #[command(
        after_help = "Example:\n  stempoint up --listen 127.0.0.1:8080\n  curl -X POST localhost:8080/api/v1/events -H 'Content-Type: application/cloudevents+json' -d @event.json"
    )]
    Up(UpArgs),
    /// Run the ingest fold alone (with --kafka).
    #[command(
        after_help = "Example:\n  stempoint ingest --kafka localhost:9092 --partitions 0,1 --index /var/lib/stempoint/index-a"
    )]
    Ingest(IngestArgs),
    /// Run settlement alone (with --kafka).
    #[command(after_help = "Example:\n  stempoint settle --kafka localhost:9092")]
    Settle(SettleArgs),
    /// Take the rows of a file (CSV, JSON lines or Parquet) as events.
    #[command(after_help = "\
Example:
  stempoint import api_call calls.csv --source gateway-2023 --select \"
    SELECT 'call-' || _row AS id, ts AS time, customer, model, 'node-1' AS provider,
           prompt AS input_tokens, answer AS output_tokens FROM input\"

The file is the table `input`; its column _row counts 1, 2, … in file order.
Importing the same file again changes nothing, because the ids are the same.")]
    Import(ImportArgs),
    /// Ask the books a question in SQL.
    #[command(
        after_help = "Example:\n  stempoint sql \"SELECT model, sum(input_tokens) FROM api_calls GROUP BY model\" --format csv\n  stempoint sql \"SELECT count(*) FROM api_calls\" --version 12"
    )]
    Sql(SqlArgs),
    /// Print the SQL of the views, for DuckDB, Spark or any other reader of the open tables.
    #[command(after_help = "\
Example:
  stempoint views audit_conservation
  stempoint views > views.sql

The whole script wants the Delta tables under the names raw_commits, raw_api_calls,
and so on; docs/sql/README.md says how.")]
    Views(ViewsArgs),
    /// Put prices in force, or list them.
    #[command(subcommand)]
    Prices(PricesCommand),
    /// Say what a month would have cost with another price book, which is not put in force.
    #[command(after_help = "\
Examples:
  stempoint rate --with next-year.toml --period 2023-11
  stempoint rate --with next-year.toml --period 2023-11 --by meter --version 42 --format csv
  stempoint rate --with next-year.toml --period 2023-11 --by owner

It rates the month's usage as if the book had been applied before the month was
closed, and compares with what was posted: exact amounts, before tax. It settles and
changes nothing, also while a server runs.")]
    Rate(RateArgs),
    /// Say who a customer or provider is as a person: name, address, tax id, email.
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Give up usage that has no price.
    #[command(
        after_help = "Example:\n  stempoint waive tokens.input 2023-11 --match model=beta-1 --reason \"free beta\""
    )]
    Waive(WaiveArgs),
    /// Take one usage event back, as if it had never been sent.
    #[command(
        after_help = "Example:\n  stempoint void call-17 --source sdk/my-app --reason \"sent by a test\"\n  stempoint void --at 3:1042 --reason \"the call had failed\"\n\nIt is taken back at its original time, in the first month that is open."
    )]
    Void(VoidArgs),
    /// Charge one usage event as it should have been.
    #[command(
        after_help = "Example:\n  stempoint amend call-17 --set output_tokens=900 --reason \"counted twice\"\n  stempoint amend 1/204 --source node/n7 --set customer=acme --set gpu_seconds=3600 --reason \"wrong tenant\"\n\nWhat is not set stays as it was; the time of use never changes."
    )]
    Amend(AmendArgs),
    /// Close a month, or list months.
    #[command(subcommand)]
    Period(PeriodCommand),
    /// Print a customer's invoice for a month, or any invoice or credit note by its number, or verify a stored document.
    #[command(
        visible_alias = "credit-note",
        after_help = "Example:\n  stempoint invoice acme 2023-11\n  stempoint invoice acme 2023-11 --format pdf --out acme-2023-11.pdf\n  stempoint invoice SPEU-000012\n  stempoint credit-note SPEU-000013 --format pdf --out SPEU-000013.pdf\n  stempoint invoice verify acme-2023-11.pdf"
    )]
    Invoice(InvoiceArgs),
    /// List invoices and credit notes with what of them is paid, or write a month's as files.
    #[command(
        after_help = "Example:\n  stempoint invoices --open\n  stempoint invoices --customer acme --format csv\n  stempoint invoices write --period 2023-11 --into invoices-2023-11"
    )]
    Invoices(InvoicesArgs),
    /// Say on what terms customers are invoiced: by whom, due when, with which tax.
    #[command(subcommand)]
    Terms(TermsCommand),
    /// Say in which currency customers are rated.
    #[command(subcommand)]
    Currency(CurrencyCommand),
    /// Give a customer something that pays its invoices of some months, paid for or not.
    #[command(subcommand)]
    Grant(GrantCommand),
    /// Say what a customer pays at least: each month, or over a longer term.
    #[command(subcommand)]
    Commitment(CommitmentCommand),
    /// Say how much a customer is meant to use in a month, and when somebody is told.
    #[command(subcommand)]
    Budget(BudgetCommand),
    /// Look at the thresholds of budgets that were reached.
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Take note of money that came in.
    #[command(subcommand)]
    Payment(PaymentCommand),
    /// Take back an invoice or a part of it, or give a customer a credit.
    #[command(
        after_help = "Example:\n  stempoint credit acme --invoice INV-000012 --reason \"billed twice\"\n  stempoint credit acme 25.00 --reason \"an outage\""
    )]
    Credit(CreditArgs),
    /// Give up an invoice that will not be paid, or put it back.
    #[command(
        after_help = "Example:\n  stempoint write-off INV-000012 --reason insolvent\n  stempoint write-off INV-000012 40.00 --put-back --reason \"a part came after all\"\n\nWhat is written off can neither be paid nor credited until it is put back."
    )]
    WriteOff(WriteOffArgs),
    /// Take note of a line of an invoice or a statement that somebody does not agree to, and resolve it.
    #[command(subcommand)]
    Dispute(DisputeCommand),
    /// Take note of one currency changed for another.
    #[command(subcommand)]
    Exchange(ExchangeCommand),
    /// Print what a provider earned in a month, or any statement by its number.
    #[command(
        after_help = "Example:\n  stempoint earnings node-7 2023-11 --format json\n  stempoint earnings SPEU-S-000012 --format pdf --out node-7-2023-11.pdf"
    )]
    Earnings(EarningsArgs),
    /// List the statements that providers got when months were closed, or write a month's as files.
    #[command(
        after_help = "Example:\n  stempoint statements --period 2023-11\n  stempoint statements --provider node-7 --format csv\n  stempoint statements write --period 2023-11 --into statements-2023-11"
    )]
    Statements(StatementsArgs),
    /// List accounts with what they hold.
    #[command(after_help = "Example:\n  stempoint accounts\n  stempoint accounts customer/acme")]
    Accounts(AccountsArgs),
    /// Print what an account holds, at any moment and as it was known at any other.
    #[command(after_help = "\
Examples:
  stempoint balance customer/acme/receivable
  stempoint balance customer/acme --at 2023-11-30T23:59:59Z
  stempoint balance platform/revenue --at 2023-11-30T23:59:59Z --known-at 2023-12-05T00:00:00Z

A positive balance is debit: a customer owes it. A negative one is credit: it is owed
or was earned.")]
    Balance(BalanceArgs),
    /// Print the sum of every account.
    #[command(after_help = "Example:\n  stempoint trial-balance")]
    TrialBalance(TrialBalanceArgs),
    /// Write a month's entries for an accounting package, in whole cents.
    #[command(after_help = "\
Examples:
  stempoint general-ledger 2023-11 > general-ledger-2023-11.csv
  stempoint general-ledger 2023-11 --format beancount --out 2023-11.beancount

Usage is one entry per day, each document and payment is one of its own; every entry
balances. docs/general-ledger.md says what the columns are.")]
    GeneralLedger(GeneralLedgerArgs),
    /// Write the books as FOCUS 1.4 datasets (FinOps Open Cost and Usage Specification).
    #[command(subcommand)]
    Focus(FocusCommand),
    /// Look at what was refused, and send it again.
    #[command(subcommand)]
    Rejects(RejectsCommand),
    /// Check the books: every event once, nothing lost, every entry balanced, nothing changed.
    #[command(after_help = "Example:\n  stempoint audit && echo clean")]
    Audit,
    /// Print the head of the books: what to publish, so that nothing can be changed unnoticed.
    #[command(
        after_help = "Example:\n  stempoint head\n  stempoint head --version 12 --format json\n  stempoint head >> published-heads.txt"
    )]
    Head(HeadArgs),
    /// Write a proof that an event is in the books.
    #[command(
        after_help = "Example:\n  stempoint prove call-17 --source sdk/my-app --out call-17.proof.json\n  stempoint prove --at 3:1042            a record by its place, a refused one too\n  stempoint prove --row charges:12:3     a row that settlement wrote\n  stempoint prove --row journal:12:1:2"
    )]
    Prove(ProveArgs),
    /// Check a proof offline, against a head that was published.
    #[command(after_help = "\
Example:
  stempoint verify-proof call-17.proof.json --head 42:9d61b19d…
  stempoint verify-proof call-17.proof.json --head published-heads.txt

It needs no data folder and no network.
Exit codes: 0 the row is in the books that the head stands for, 1 a file cannot be
read, 3 the proof does not hold or is of another head, 4 it holds in itself, but no
head was given to compare it with.")]
    VerifyProof(VerifyProofArgs),
    /// Sign the list of all files of the tables, or check the files against it.
    #[command(subcommand)]
    Manifest(ManifestCommand),
    /// Fold and settle everything again elsewhere and compare.
    #[command(after_help = "Example:\n  stempoint rebuild --from lake --into /tmp/rebuilt")]
    Rebuild(RebuildArgs),
    /// Merge small files, write checkpoints and remove what nobody needs, now.
    #[command(after_help = "Example:\n  stempoint maintain")]
    Maintain,
    /// Measure this machine.
    #[command(subcommand)]
    Bench(BenchCommand),
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Seed of the made-up month; the same seed gives the same events.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// The month [default: the one before this].
    #[arg(long, value_name = "YYYY-MM")]
    pub month: Option<String>,
}

/// Options of `up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Where to listen. Only this machine can be listened on until there are API keys.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Milliseconds that rows wait for their commit at most.
    #[arg(long, value_name = "MS", default_value_t = 400)]
    pub commit_interval_ms: u64,
    /// Seconds between two settlements when there is little usage.
    #[arg(long, value_name = "S", default_value_t = 600)]
    pub settle_interval_s: u64,
    /// Seconds between two rounds of maintenance.
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub maintenance_interval_s: u64,
    /// Records of each partition of the event log that are kept once they are settled.
    #[arg(long, value_name = "N", default_value_t = 50_000_000)]
    pub log_records_kept: u64,
}

/// Options of `ingest`.
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// The partitions to fold [default: all].
    #[arg(long, value_delimiter = ',', value_name = "P,…")]
    pub partitions: Option<Vec<u32>>,
    /// The folder of this process's deduplication index [default: in the data folder].
    #[arg(long, value_name = "DIR")]
    pub index: Option<PathBuf>,
    /// Milliseconds that rows wait for their commit at most.
    #[arg(long, value_name = "MS", default_value_t = 400)]
    pub commit_interval_ms: u64,
}

/// Options of `settle`.
#[derive(Debug, Args)]
pub struct SettleArgs {
    /// Seconds between two settlements when there is little usage.
    #[arg(long, value_name = "S", default_value_t = 600)]
    pub settle_interval_s: u64,
}

/// Options of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What the rows are: api_call, gpu_usage or heartbeat.
    #[arg(value_name = "EVENT-TYPE")]
    pub kind: String,
    /// The file.
    pub file: PathBuf,
    /// Name of the source; the events' source is import/NAME.
    #[arg(long, value_name = "NAME")]
    pub source: String,
    /// The SELECT over the table `input` that gives the event's fields by name.
    #[arg(long, value_name = "SQL")]
    pub select: String,
}

/// Options of `sql`.
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// The question.
    pub query: String,
    /// How to print the rows.
    #[arg(long, value_enum, default_value = "table")]
    pub format: RowFormat,
    /// The ledger version to ask [default: the newest].
    #[arg(long, value_name = "N")]
    pub version: Option<i64>,
}

/// Options of `views`.
#[derive(Debug, Args)]
pub struct ViewsArgs {
    /// One view [default: the script that makes all of them].
    pub name: Option<String>,
}

/// What to do with prices.
#[derive(Debug, Subcommand)]
pub enum PricesCommand {
    /// Put a price book in force.
    #[command(after_help = "Example:\n  stempoint prices apply prices.toml")]
    Apply {
        /// The file (TOML).
        file: PathBuf,
    },
    /// List the tiers, percentages and minimums of prices that are not so much
    /// per unit.
    #[command(after_help = "Example:\n  stempoint prices models")]
    Models {
        /// How to print the rows.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
    },
    /// List what model owners and asset pools earn.
    #[command(after_help = "Example:\n  stempoint prices shares")]
    Shares {
        /// How to print the rows.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
    },
    /// List all prices that were ever in force.
    #[command(after_help = "Example:\n  stempoint prices list --format csv")]
    List {
        /// How to print the rows.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
    },
}

/// What to do with months.
#[derive(Debug, Subcommand)]
pub enum PeriodCommand {
    /// Close a month for good: nothing in it changes afterwards.
    #[command(after_help = "\
Example:
  stempoint period close 2023-11

It settles what has arrived and fixes it as the month's usage. Then it closes the
month, unless usage of it waits for a price: apply a price book or waive it, and
run the command again. What arrives late is billed in an open month.")]
    Close {
        /// The month.
        #[arg(value_name = "YYYY-MM")]
        period: String,
    },
    /// List the months that are being closed or closed.
    #[command(after_help = "Example:\n  stempoint period list --format csv")]
    List {
        /// How to print the rows.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
    },
}

/// Options of `waive`.
#[derive(Debug, Args)]
pub struct WaiveArgs {
    /// The meter, for example tokens.input.
    pub meter: String,
    /// The billing period, for example 2023-11.
    #[arg(value_name = "YYYY-MM")]
    pub period: String,
    /// Only usage with this dimension; can be given more than once.
    #[arg(long = "match", value_name = "DIMENSION=VALUE")]
    pub matches: Vec<String>,
    /// Why, for the record.
    #[arg(long)]
    pub reason: String,
}

/// Options of `trial-balance`.
#[derive(Debug, Args)]
pub struct TrialBalanceArgs {
    /// How to print the rows.
    #[arg(long, value_enum, default_value = "table")]
    pub format: RowFormat,
}

/// What to do with refused records.
#[derive(Debug, Subcommand)]
pub enum RejectsCommand {
    /// List them, newest first.
    #[command(after_help = "Example:\n  stempoint rejects list --reason conflict --limit 20")]
    List {
        /// Only those with this reason.
        #[arg(long)]
        reason: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// How to print the rows.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
    },
    /// Show one with its bytes.
    #[command(after_help = "Example:\n  stempoint rejects show 3:1042")]
    Show {
        /// Partition and offset, as `rejects list` prints them.
        #[arg(value_name = "PARTITION:OFFSET")]
        place: String,
    },
    /// Send them again: all of a reason, or one.
    #[command(
        after_help = "Example:\n  stempoint rejects replay --reason unknown_type\n  stempoint rejects replay 3:1042"
    )]
    Replay {
        /// Partition and offset, as `rejects list` prints them.
        #[arg(value_name = "PARTITION:OFFSET", required_unless_present = "reason")]
        place: Option<String>,
        /// All that have this reason.
        #[arg(long, conflicts_with = "place")]
        reason: Option<String>,
    },
}

/// From what to rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RebuildFrom {
    /// The event log.
    Log,
    /// The tables, where the log was trimmed.
    Lake,
}

/// Options of `rebuild`.
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// What to fold again.
    #[arg(long, value_enum)]
    pub from: RebuildFrom,
    /// A new folder for the result.
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
}
