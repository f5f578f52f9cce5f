//! `stempoint invoice`, `earnings` and `trial-balance`: settle what has
//! arrived, then print from the books. What has a number is printed as it was
//! issued.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use stempoint_query::documents::{self, Document, Kind, Letterhead, Request, Subject};
use stempoint_schemas::time::Month;
use stempoint_store::ledger::Ledger;

use super::{profile, sql, verify};
use crate::access::Access;
use crate::cli::{
    DocumentFormat, DocumentOutput, EarningsArgs, InvoiceArgs, InvoiceCommand, RowFormat, TrialBalanceArgs,
};
use crate::context::Context;
use crate::print::Output;

/// An invoice, or a stored one verified.
pub fn invoice_or_verify(context: &Context, args: &InvoiceArgs) -> Result<ExitCode> {
    match (&args.command, &args.document, &args.period) {
        (Some(InvoiceCommand::Verify { file }), ..) => return verify::run(context, file),
        (None, Some(customer), Some(period)) => {
            month(context, Kind::Invoice, (customer, period, args.currency.as_ref()), &args.output)?;
        }
        (None, Some(number), None) => issued(context, number, &args.output)?,
        (None, None, _) => {
            bail!("name a customer and a month, for example `stempoint invoice acme 2023-11`, or a document's number")
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub fn earnings(context: &Context, args: &EarningsArgs) -> Result<()> {
    match &args.period {
        Some(period) => month(context, Kind::Earnings, (&args.document, period, args.currency.as_ref()), &args.output),
        None => issued(context, &args.document, &args.output),
    }
}

/// Prints one party's month.
fn month(
    context: &Context,
    kind: Kind,
    (party, period, currency): (&str, &str, Option<&String>),
    output: &DocumentOutput,
) -> Result<()> {
    let sender = sender(context, output)?;
    let ledger = settled(context)?;
    let request = Request { party: party.to_owned(), period: Month::parse(period)?, currency: currency.cloned() };
    let document = context.runtime.block_on(async {
        let session = sql::session(&ledger, None).await?;
        anyhow::Ok(Document::of(&session, &Subject::Month(kind, request)).await?)
    })?;
    print(context, document, &sender, output)
}

/// Prints a document that was issued. Its amounts never change, so nothing is
/// settled for it.
fn issued(context: &Context, number: &str, output: &DocumentOutput) -> Result<()> {
    let sender = sender(context, output)?;
    print(context, numbered(context, number)?, &sender, output)
}

/// The document of that number.
pub(super) fn numbered(context: &Context, number: &str) -> Result<Document> {
    context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        let session = sql::session(&ledger, None).await?;
        Ok(Document::numbered(&session, number).await?)
    })
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

/// What the document is sent with; says at once when there is no place for it.
fn sender(context: &Context, output: &DocumentOutput) -> Result<Letterhead> {
    if output.format == DocumentFormat::Pdf && output.out.is_none() && std::io::stdout().is_terminal() {
        bail!("a PDF is not for a terminal: name a file with --out FILE, or send the output to one");
    }
    Ok(context.config.letterhead()?)
}

/// Prints a document with what is known now of its party.
fn print(context: &Context, document: Document, sender: &Letterhead, output: &DocumentOutput) -> Result<()> {
    let profile = profile::of(context, document.party())?;
    let bytes = document.with_profile(profile).render(sender, output.format.into());
    match &output.out {
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
