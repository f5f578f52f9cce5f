//! `stempoint bench`: measuring this machine.

mod close;
mod dedup;
mod figures;
mod fold;
mod latency;
mod reprice;
mod usage;

use anyhow::Result;

use crate::cli::BenchCommand;
use crate::context::Context;

pub fn run(context: &Context, command: &BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Fold { format, stream: None, .. } => fold::run(*format),
        BenchCommand::Fold { events, stream: Some(stream), .. } => fold::run_stream(context, *stream, *events),
        BenchCommand::Dedup { keys } => dedup::run(*keys),
        BenchCommand::Close { events, customers, format } => close::run(context, *events, *customers, *format),
        BenchCommand::Reprice { events, format } => reprice::run(context, *events, *format),
        BenchCommand::Latency { rate, seconds } => latency::run(context, *rate, *seconds),
    }
}
