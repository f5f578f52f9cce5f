//! `stempoint invoice verify`: whether a stored document still holds.
//!
//! Invariant: nothing is settled or written; the document's own ledger version
//! is read.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use stempoint_query::documents::{Document, DocumentFormat, Stored};
use stempoint_store::ledger::Ledger;

use super::{DIFFERENT, sql};
use crate::context::Context;

pub fn run(context: &Context, file: &Path) -> Result<ExitCode> {
    let name = file.display();
    let bytes = std::fs::read(file).with_context(|| format!("failed to read {name}"))?;
    let stored = Stored::read(&bytes).with_context(|| format!("failed to verify {name}"))?;
    let document = context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        let session = sql::session(&ledger, Some(stored.ledger_version)).await?;
        anyhow::Ok(Document::of(&session, &stored.subject).await?)
    });
    let document = document.with_context(|| format!("failed to recompute {name}"))?;
    let differences = stored.differences(&document)?;
    let what = format!("{}, ledger version {}", stored.subject, stored.ledger_version);
    if differences.is_empty() {
        println!("holds: {what}, {} lines", stored.rows());
        if bytes.starts_with(b"%PDF-") {
            println!("{}", pages(&bytes, &document.render(&context.config.letterhead()?, DocumentFormat::Pdf)));
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
