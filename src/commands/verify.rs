//! `stempoint invoice verify`: whether a stored document still holds.
//!
//! Invariant: nothing is settled or written; the document's own ledger version
//! is read.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use stempoint_query::documents::{self, DocumentFormat, Kind, Stored};
use stempoint_store::ledger::Ledger;

use super::{DIFFERENT, sql};
use crate::context::Context;

pub fn run(context: &Context, file: &Path) -> Result<ExitCode> {
    let name = file.display();
    let bytes = std::fs::read(file).with_context(|| format!("failed to read {name}"))?;
    let stored = Stored::read(&bytes).with_context(|| format!("failed to verify {name}"))?;
    let statement = context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        let session = sql::session(&ledger, Some(stored.ledger_version)).await?;
        let statement = match stored.kind {
            Kind::Invoice => documents::invoice(&session, &stored.request).await,
            Kind::Earnings => documents::earnings(&session, &stored.request).await,
        };
        anyhow::Ok(statement?)
    });
    let statement = statement.with_context(|| format!("failed to recompute {name}"))?;
    let differences = stored.differences(&statement)?;
    let what = format!(
        "{} of {:?} for {}, ledger version {}",
        match stored.kind {
            Kind::Invoice => "invoice",
            Kind::Earnings => "statement of earnings",
        },
        stored.request.party,
        stored.request.period,
        stored.ledger_version
    );
    if differences.is_empty() {
        println!("holds: {what}, {} lines", stored.rows());
        if bytes.starts_with(b"%PDF-") {
            println!(
                "{}",
                pages(&bytes, &documents::render(&statement, &context.config.letterhead()?, DocumentFormat::Pdf))
            );
        }
        return Ok(ExitCode::SUCCESS);
    }
    println!("DOES NOT HOLD: {what}");
    for difference in &differences {
        println!("  {difference}");
    }
    Ok(ExitCode::from(DIFFERENT))
}

/// What the attached statement cannot say: whether the pages show the same.
fn pages(stored: &[u8], printed: &[u8]) -> &'static str {
    if stored == printed {
        "its pages are to the byte those that would be printed now"
    } else {
        "only the attached statement was verified: the pages would be printed differently now, with other details of \
         the company or by another version of stempoint"
    }
}
