//! `stempoint statements`: what providers were told that they earned, listed or
//! as files.
//!
//! Invariant: what is written is read once, at one ledger version.

use anyhow::Result;
use stempoint_query::documents::{self, Document};
use stempoint_query::literal;
use stempoint_schemas::time::Month;
use stempoint_store::ledger::Ledger;

use super::document_files::Sender;
use super::sql;
use crate::cli::{StatementsArgs, StatementsCommand, StatementsListArgs, WriteArgs};
use crate::context::Context;

pub fn run(context: &Context, args: &StatementsArgs) -> Result<()> {
    match &args.command {
        Some(StatementsCommand::Write(args)) => write(context, args),
        None => list(context, &args.list),
    }
}

fn list(context: &Context, args: &StatementsListArgs) -> Result<()> {
    let period = args.period.as_deref().map(Month::parse).transpose()?;
    let mut conditions = vec!["true".to_owned()];
    conditions.extend(args.provider.as_ref().map(|provider| format!("provider = {}", literal(provider))));
    conditions.extend(period.map(|period| format!("period = '{period}'")));
    let query = format!(
        "SELECT number, provider, period, currency, earned, carried, total, issued_at FROM statements \
         WHERE {} ORDER BY _offset, line",
        conditions.join(" AND ")
    );
    sql::print(context, &query, args.format, None)
}

fn write(context: &Context, args: &WriteArgs) -> Result<()> {
    let period = Month::parse(&args.period)?;
    let sender = Sender::new(context, args.format.into())?;
    let statements = context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        let session = sql::session(&ledger, None).await?;
        anyhow::Ok(documents::statements(&session, period).await?)
    })?;
    let issued = statements.map(|statement| statement.map(Document::Statement));
    let written = sender.write("statements", issued, &args.into)?;
    println!("{} statements of {period} in {}", written.files, args.into.display());
    Ok(())
}
