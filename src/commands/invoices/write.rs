//! `stempoint invoices write`: all invoices of a closed month as files.
//!
//! Invariants: a file is written whole or not at all, and has the name of its
//! document, so that writing again replaces it by the same. The books are read
//! once, at one ledger version.

use std::path::Path;

use anyhow::{Context as _, Result};
use stempoint_query::documents::{self, DocumentFormat, Statement};
use stempoint_schemas::time::Month;
use stempoint_store::ledger::Ledger;

use crate::cli::InvoicesWriteArgs;
use crate::commands::{documents as files, profile, sql};
use crate::context::Context;
use crate::progress::Progress;

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// How many files.
    pub files: u64,
    /// How large they are together.
    pub bytes: u64,
}

pub fn run(context: &Context, args: &InvoicesWriteArgs) -> Result<()> {
    let period = Month::parse(&args.period)?;
    let written = write(context, period, args.format.into(), &args.into)?;
    println!("{} documents of {period} in {}", written.files, args.into.display());
    Ok(())
}

/// Writes the documents that were issued for a month into a folder.
pub fn write(context: &Context, period: Month, format: DocumentFormat, into: &Path) -> Result<Written> {
    let letterhead = context.config.letterhead()?;
    let profiles = profile::all(context)?;
    let invoices = context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        let session = sql::session(&ledger, None).await?;
        anyhow::Ok(documents::invoices(&session, period).await?)
    })?;
    std::fs::create_dir_all(into).with_context(|| format!("failed to create the folder {}", into.display()))?;
    let progress = Progress::new("invoices", invoices.len() as u64);
    let mut written = Written::default();
    for statement in invoices {
        let statement = statement?;
        let number = statement.issued.as_ref().map(|issued| issued.number.clone()).unwrap_or_default();
        let profile = profiles.get(&statement.party).cloned();
        let bytes = documents::render(&Statement { profile, ..statement }, &letterhead, format);
        files::write(&into.join(format!("{number}.{}", extension(format))), &bytes)?;
        written = Written { files: written.files + 1, bytes: written.bytes + bytes.len() as u64 };
        progress.set(written.files);
    }
    progress.done();
    Ok(written)
}

fn extension(format: DocumentFormat) -> &'static str {
    match format {
        DocumentFormat::Text => "txt",
        other => other.name(),
    }
}
