//! `stempoint invoices write`: all invoices of a closed month, and the credit
//! notes that were given in it, as files.
//!
//! Invariant: the books are read once, at one ledger version.

use std::path::Path;

use anyhow::Result;
use stempoint_query::documents::{self, Document, DocumentFormat};
use stempoint_schemas::time::Month;
use stempoint_store::ledger::Ledger;

use crate::cli::WriteArgs;
use crate::commands::document_files::{Sender, Written};
use crate::commands::sql;
use crate::context::Context;

pub fn run(context: &Context, args: &WriteArgs) -> Result<()> {
    let period = Month::parse(&args.period)?;
    let written = write(context, period, args.format.into(), &args.into)?;
    println!("{} documents of {period} in {}", written.files, args.into.display());
    Ok(())
}

/// Writes the documents that were issued for a month, and the credit notes that
/// were given in it, into a folder.
pub fn write(context: &Context, period: Month, format: DocumentFormat, into: &Path) -> Result<Written> {
    let sender = Sender::new(context, format)?;
    let (invoices, credit_notes) = context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        let session = sql::session(&ledger, None).await?;
        let invoices = documents::invoices(&session, period).await?;
        anyhow::Ok((invoices, Document::credit_notes(&session, period).await?))
    })?;
    let issued = invoices.map(|invoice| invoice.map(Document::Statement));
    sender.write("invoices", issued.chain(credit_notes.into_iter().map(Ok)), into)
}
