//! The command line: names, options, help with examples.

mod format;
mod profile;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use format::{DocumentFormat, RowFormat};
pub use profile::{ProfileCommand, ProfileSetArgs};

/// The data and accounting backbone of a decentralised AI compute network.
#[derive(Debug, Parser)]
#[command(name = "stempoint", version, about, long_about = None, after_help = "\
Examples:
  stempoint demo                              a month of made-up usage, from events to an invoice
  stempoint up                                take events over HTTP, fold and settle them
  stempoint sql \"SELECT * FROM commits ORDER BY version DESC LIMIT 5\"

Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 an audit or a comparison found differences.")]
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
    /// Say who a customer or provider is as a person: name, address, tax id, email.
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Give up usage that has no price.
    #[command(
        after_help = "Example:\n  stempoint waive tokens.input 2023-11 --match model=beta-1 --reason \"free beta\""
    )]
    Waive(WaiveArgs),
    /// Close a month, or list months.
    #[command(subcommand)]
    Period(PeriodCommand),
    /// Print a customer's invoice for a month.
    #[command(
        after_help = "Example:\n  stempoint invoice acme 2023-11\n  stempoint invoice acme 2023-11 --format html > invoice.html"
    )]
    Invoice(DocumentArgs),
    /// Print what a provider earned in a month.
    #[command(after_help = "Example:\n  stempoint earnings node-7 2023-11 --format json")]
    Earnings(DocumentArgs),
    /// Print the sum of every account.
    #[command(after_help = "Example:\n  stempoint trial-balance")]
    TrialBalance(TrialBalanceArgs),
    /// Look at what was refused, and send it again.
    #[command(subcommand)]
    Rejects(RejectsCommand),
    /// Check the books: every event once, nothing lost, every entry balanced, nothing changed.
    #[command(after_help = "Example:\n  stempoint audit && echo clean")]
    Audit,
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

/// Options of a document.
#[derive(Debug, Args)]
pub struct DocumentArgs {
    /// The customer or the provider.
    pub party: String,
    /// The month.
    #[arg(value_name = "YYYY-MM")]
    pub period: String,
    /// How to print it.
    #[arg(long, value_enum, default_value = "text")]
    pub format: DocumentFormat,
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

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Ingest and settlement, with the roofline.
    #[command(
        after_help = "Example:\n  stempoint bench fold --events 5000000\n  stempoint bench fold --kafka localhost:9092 --format json"
    )]
    Fold {
        /// How many events.
        #[arg(long, default_value_t = 5_000_000)]
        events: u64,
        /// How to print the figures.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
    },
    /// The deduplication index alone.
    #[command(after_help = "Example:\n  stempoint bench dedup --keys 50000000")]
    Dedup {
        /// How many random keys.
        #[arg(long, default_value_t = 50_000_000)]
        keys: u64,
    },
    /// From an event to its row, at a steady rate.
    #[command(after_help = "Example:\n  stempoint bench latency --rate 20000 --seconds 600")]
    Latency {
        /// Events per second.
        #[arg(long, default_value_t = 20_000)]
        rate: u64,
        /// For how long.
        #[arg(long, default_value_t = 600)]
        seconds: u64,
    },
}
