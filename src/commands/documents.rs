//! `stempoint invoice`, `earnings` and `trial-balance`: settle what has
//! arrived, then print from the books.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use stempoint_query::documents::{self, Letterhead, Request, Statement};
use stempoint_schemas::time::Month;
use stempoint_store::ledger::Ledger;

use super::{profile, sql, verify};
use crate::access::Access;
use crate::cli::{DocumentArgs, DocumentFormat, InvoiceArgs, InvoiceCommand, RowFormat, TrialBalanceArgs};
use crate::context::Context;
use crate::print::Output;

/// An invoice, or a stored one verified.
pub fn invoice_or_verify(context: &Context, args: &InvoiceArgs) -> Result<ExitCode> {
    match (&args.command, &args.document) {
        (Some(InvoiceCommand::Verify { file }), _) => return verify::run(context, file),
        (None, Some(document)) => invoice(context, document)?,
        (None, None) => bail!("name a customer and a month, for example `stempoint invoice acme 2023-11`"),
    }
    Ok(ExitCode::SUCCESS)
}

fn invoice(context: &Context, args: &DocumentArgs) -> Result<()> {
    let sender = sender(context, args)?;
    let ledger = settled(context)?;
    let request = request(args)?;
    let statement = context.runtime.block_on(async {
        let session = sql::session(&ledger, None).await?;
        anyhow::Ok(documents::invoice(&session, &request).await?)
    })?;
    print(context, statement, &sender, args)
}

pub fn earnings(context: &Context, args: &DocumentArgs) -> Result<()> {
    let sender = sender(context, args)?;
    let ledger = settled(context)?;
    let request = request(args)?;
    let statement = context.runtime.block_on(async {
        let session = sql::session(&ledger, None).await?;
        anyhow::Ok(documents::earnings(&session, &request).await?)
    })?;
    print(context, statement, &sender, args)
}

pub fn trial_balance(context: &Context, args: &TrialBalanceArgs) -> Result<()> {
    let ledger = settled(context)?;
    if args.format != RowFormat::Table {
        let query =
            "SELECT account, asset, sum(amount) AS amount FROM journal GROUP BY account, asset ORDER BY asset, account";
        return sql::print(context, query, args.format, None);
    }
    let balance = context.runtime.block_on(async {
        let session = sql::session(&ledger, None).await?;
        anyhow::Ok(documents::trial_balance(&session).await?)
    })?;
    balance.write(&mut Output)?;
    Ok(())
}

/// The ledger after everything that has arrived was settled.
fn settled(context: &Context) -> Result<Ledger> {
    // A folder without a ledger must not get one by asking for an invoice.
    context.runtime.block_on(Ledger::open(&context.data.lake()))?;
    let access = Access::open(context)?;
    let ledger = access.ledger().clone();
    let done = access.settle();
    access.finish(done)?;
    Ok(ledger)
}

fn request(args: &DocumentArgs) -> Result<Request> {
    Ok(Request { party: args.party.clone(), period: Month::parse(&args.period)?, currency: None })
}

/// What the document is sent with; says at once when there is no place for it.
fn sender(context: &Context, args: &DocumentArgs) -> Result<Letterhead> {
    if args.format == DocumentFormat::Pdf && args.out.is_none() && std::io::stdout().is_terminal() {
        bail!("a PDF is not for a terminal: name a file with --out FILE, or send the output to one");
    }
    Ok(context.config.letterhead()?)
}

/// Prints a document with what is known now of its party.
fn print(context: &Context, statement: Statement, sender: &Letterhead, args: &DocumentArgs) -> Result<()> {
    let profile = profile::of(context, &statement.party)?;
    let bytes = documents::render(&Statement { profile, ..statement }, sender, args.format.into());
    match &args.out {
        Some(file) => write(file, &bytes),
        None => Ok(Output.write_all(&bytes)?),
    }
}

/// Writes a file whole or not at all.
pub fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = file.file_name().with_context(|| format!("{} does not name a file", file.display()))?.to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = file.with_file_name(name);
    let written = std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, file));
    written.with_context(|| {
        // What is left of it is of no use; that it cannot be removed either adds nothing.
        let _ = std::fs::remove_file(&part);
        format!("failed to write {}", file.display())
    })
}

impl From<DocumentFormat> for documents::DocumentFormat {
    fn from(format: DocumentFormat) -> documents::DocumentFormat {
        match format {
            DocumentFormat::Text => documents::DocumentFormat::Text,
            DocumentFormat::Json => documents::DocumentFormat::Json,
            DocumentFormat::Csv => documents::DocumentFormat::Csv,
            DocumentFormat::Html => documents::DocumentFormat::Html,
            DocumentFormat::Pdf => documents::DocumentFormat::Pdf,
        }
    }
}
