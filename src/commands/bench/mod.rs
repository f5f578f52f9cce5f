//! `stempoint bench`: measuring this machine.

mod dedup;
mod figures;
mod fold;
mod latency;

use anyhow::Result;

use crate::cli::BenchCommand;
use crate::context::Context;

pub fn run(context: &Context, command: &BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Fold { events, format } => fold::run(context, *events, *format),
        BenchCommand::Dedup { keys } => dedup::run(*keys),
        BenchCommand::Latency { rate, seconds } => latency::run(context, *rate, *seconds),
    }
}
