//! `stempoint invoices write`: all invoices of a closed month, and the credit
//! notes that were given in it, as files.
//!
//! Invariants: a file is written whole or not at all, and has the name of its
//! document, so that writing again replaces it by the same. The books are read
//! once, at one ledger version.

use std::path::Path;

use anyhow::{Context as _, Result};
use stempoint_query::documents::{self, Document, DocumentFormat};
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

/// Writes the documents that were issued for a month, and the credit notes that
/// were given in it, into a folder.
pub fn write(context: &Context, period: Month, format: DocumentFormat, into: &Path) -> Result<Written> {
    let letterhead = context.config.letterhead()?;
    let profiles = profile::all(context)?;
    let (invoices, credit_notes) = context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        let session = sql::session(&ledger, None).await?;
        let invoices = documents::invoices(&session, period).await?;
        anyhow::Ok((invoices, Document::credit_notes(&session, period).await?))
    })?;
    std::fs::create_dir_all(into).with_context(|| format!("failed to create the folder {}", into.display()))?;
    let progress = Progress::new("invoices", (invoices.len() + credit_notes.len()) as u64);
    let mut written = Written::default();
    let issued = invoices.map(|invoice| invoice.map(Document::Statement));
    for document in issued.chain(credit_notes.into_iter().map(Ok)) {
        let document = document?;
        let number = document.number().unwrap_or_default().to_owned();
        let profile = profiles.get(document.party()).cloned();
        let bytes = document.with_profile(profile).render(&letterhead, format);
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
