//! `stempoint audit`: one line per check, and exit code 3 where one fails.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use stempoint_ingest::audit::{Check, audit};
use stempoint_store::ledger::Ledger;

use super::DIFFERENT;
use crate::context::Context;
use crate::scratch::Scratch;

pub fn run(context: &Context) -> Result<ExitCode> {
    let scratch = Scratch::new()?;
    let (head, checks) = context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        audit(&ledger, scratch.path(), &context.data.manifest(), print).await.context("the audit could not be finished")
    })?;
    let failed = checks.iter().filter(|check| !check.passed()).count();
    if failed == 0 {
        println!("all {} checks passed at ledger version {}", checks.len(), head.version);
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{failed} of {} checks FAILED at ledger version {}: compare with a backup, or `stempoint rebuild`",
        checks.len(),
        head.version
    );
    Ok(ExitCode::from(DIFFERENT))
}

fn print(check: &Check) {
    let mark = if check.passed() { "ok    " } else { "FAILED" };
    println!("{mark} {:<27} {}", check.name, check.figures);
    for problem in &check.problems {
        println!("         {problem}");
    }
}
