//! The arguments of `bench`.

use clap::{Subcommand, ValueEnum};

use super::RowFormat;

/// Which sources the events of `bench fold` come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FoldStream {
    /// Half of them numbered, half not.
    Mix,
    /// Numbered ones alone.
    Numbered,
    /// Others alone.
    Unnumbered,
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
        /// Measures one stream of that many events, for the process that
        /// measures all of them.
        #[arg(long, value_enum, hide = true)]
        stream: Option<FoldStream>,
    },
    /// The deduplication index alone.
    #[command(after_help = "Example:\n  stempoint bench dedup --keys 50000000")]
    Dedup {
        /// How many random keys.
        #[arg(long, default_value_t = 50_000_000)]
        keys: u64,
    },
    /// Closing a month: from the last event to the files of all invoices.
    #[command(after_help = "\
Example:
  stempoint bench close --events 10000000 --customers 10000 --format json

close_seconds is what closing takes: opening the books, fixing and settling the
month's usage, issuing, and writing every invoice as JSON. What comes before, folding
and settling as usage comes in, is fold_seconds.")]
    Close {
        /// How many events the month has.
        #[arg(long, default_value_t = 10_000_000)]
        events: u64,
        /// How many customers.
        #[arg(long, default_value_t = 10_000)]
        customers: u32,
        /// How to print the figures.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
    },
    /// Changing a price backwards, over few and many events and charges.
    #[command(after_help = "\
Example:
  stempoint bench reprice --events 10000000

Three months are rated again: a tenth of the events in a day, all of them in a day,
which is about as many charges, and all of them in ten days, which is ten times as many.")]
    Reprice {
        /// How many events.
        #[arg(long, default_value_t = 10_000_000)]
        events: u64,
        /// How to print the figures.
        #[arg(long, value_enum, default_value = "table")]
        format: RowFormat,
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
