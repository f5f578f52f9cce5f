//! `stempoint focus`: the datasets of FOCUS as files.
//!
//! Invariant: nothing is settled by asking, so that the same question at the
//! same version gives the same rows for ever, but for names of companies.

use anyhow::Result;
use stempoint_query::export::focus::{self, Dataset, Names};
use stempoint_query::export::write_parquet;
use stempoint_query::output::{self, Format};
use stempoint_schemas::profile::{Item, Profile};
use stempoint_schemas::time::Month;
use stempoint_store::ledger::Ledger;

use super::whole_file::Output;
use super::{profile, sql};
use crate::cli::{DatasetFormat, FocusArgs, FocusCommand};
use crate::context::Context;

pub fn run(context: &Context, command: &FocusCommand) -> Result<()> {
    let (dataset, args) = match command {
        FocusCommand::CostAndUsage(args) => (Dataset::CostAndUsage, args),
        FocusCommand::InvoiceDetail(args) => (Dataset::InvoiceDetail, args),
        FocusCommand::BillingPeriod(args) => (Dataset::BillingPeriod, args),
    };
    let period = args.period.as_deref().map(Month::parse).transpose()?;
    let mut out = Output::to(args.out.as_deref())?;
    write(context, dataset, period, args, &mut out)?;
    out.finish()
}

fn write(context: &Context, dataset: Dataset, period: Option<Month>, args: &FocusArgs, out: &mut Output) -> Result<()> {
    let names = names(context)?;
    context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        let session = sql::session(&ledger, args.version).await?;
        let rows = focus::rows(&session, dataset, period, names).await?;
        match args.format {
            DatasetFormat::Csv => output::write(rows, Format::Csv, out.writer()).await?,
            DatasetFormat::Parquet => write_parquet(rows, out.writer()).await?,
        };
        Ok(())
    })
}

/// What is known of customers now, and the company in the configuration.
fn names(context: &Context) -> Result<Names> {
    let provider = context.config.letterhead()?.issuer.map(|issuer| issuer.name);
    let profiles = profile::all(context)?;
    let named = |(party, profile): (String, Profile)| Some((party, profile.get(Item::Name)?.to_owned()));
    Ok(Names { accounts: profiles.into_iter().filter_map(named).collect(), provider })
}
