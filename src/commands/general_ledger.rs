//! `stempoint general-ledger`: a month's entries for an accounting package.
//!
//! Invariant: nothing is settled by asking, so that the same question at the
//! same version gives the same entries for ever.

use anyhow::Result;
use stempoint_query::export::general_ledger::{self, Form};
use stempoint_schemas::time::Month;
use stempoint_store::ledger::Ledger;

use super::sql;
use super::whole_file::Output;
use crate::cli::{GeneralLedgerArgs, GeneralLedgerFormat};
use crate::context::Context;

pub fn run(context: &Context, args: &GeneralLedgerArgs) -> Result<()> {
    let period = Month::parse(&args.period)?;
    let entries = context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        let session = sql::session(&ledger, args.version).await?;
        anyhow::Ok(general_ledger::entries(&session, period).await?)
    })?;
    let mut out = Output::to(args.out.as_deref())?;
    general_ledger::write(&entries, form(args.format), out.writer())?;
    out.finish()
}

fn form(format: GeneralLedgerFormat) -> Form {
    match format {
        GeneralLedgerFormat::Csv => Form::Csv,
        GeneralLedgerFormat::Hledger => Form::Hledger,
        GeneralLedgerFormat::Beancount => Form::Beancount,
    }
}
