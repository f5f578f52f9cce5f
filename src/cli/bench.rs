//! The arguments of `bench`.

use clap::Subcommand;

use super::RowFormat;

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
