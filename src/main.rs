//! The one binary: command line, configuration, telemetry, supervision.
//! What the commands do is in the crates; here they are only put together.

#[macro_use]
mod print;

mod access;
mod cli;
mod commands;
mod config;
mod context;
mod data;
mod maintenance;
mod node;
mod progress;
mod scratch;
mod stop;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

/// The C library's allocator keeps what each of many short-lived threads once
/// used: a process that had folded 100 million events held 1.3 GB, mostly free.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    telemetry::start();
    print::until_closed(|| {
        let result = context::Context::new(&cli.global, commands::default_folder(&cli.command))
            .and_then(|context| commands::run(&context, cli.command));
        match result {
            Ok(code) => code,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        }
    })
}
