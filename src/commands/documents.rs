//! `stempoint invoice`, `earnings` and `trial-balance`: settle what has
//! arrived, then print from the books.

use std::io::Write;

use anyhow::Result;
use stempoint_query::documents::{self, Request, Statement};
use stempoint_schemas::time::Month;
use stempoint_store::ledger::Ledger;

use super::{profile, sql};
use crate::access::Access;
use crate::cli::{DocumentArgs, DocumentFormat, RowFormat, TrialBalanceArgs};
use crate::context::Context;

pub fn invoice(context: &Context, args: &DocumentArgs) -> Result<()> {
    let ledger = settled(context)?;
    let request = request(args)?;
    let statement = context.runtime.block_on(async {
        let session = sql::session(&ledger, None).await?;
        anyhow::Ok(documents::invoice(&session, &request).await?)
    })?;
    print(context, statement, args.format)
}

pub fn earnings(context: &Context, args: &DocumentArgs) -> Result<()> {
    let ledger = settled(context)?;
    let request = request(args)?;
    let statement = context.runtime.block_on(async {
        let session = sql::session(&ledger, None).await?;
        anyhow::Ok(documents::earnings(&session, &request).await?)
    })?;
    print(context, statement, args.format)
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
    balance.write(&mut std::io::stdout())?;
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

/// Prints a document with what is known now of its party.
fn print(context: &Context, statement: Statement, format: DocumentFormat) -> Result<()> {
    let profile = profile::of(context, &statement.party)?;
    let text = documents::render(&Statement { profile, ..statement }, format.into());
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

impl From<DocumentFormat> for documents::DocumentFormat {
    fn from(format: DocumentFormat) -> documents::DocumentFormat {
        match format {
            DocumentFormat::Text => documents::DocumentFormat::Text,
            DocumentFormat::Json => documents::DocumentFormat::Json,
            DocumentFormat::Csv => documents::DocumentFormat::Csv,
            DocumentFormat::Html => documents::DocumentFormat::Html,
        }
    }
}
