//! `stempoint terms`: on what terms customers are invoiced.

use anyhow::{Context as _, Result, anyhow};
use stempoint_core::control::Act;
use stempoint_core::terms::{Tax, Terms};
use stempoint_schemas::money::Share;

use super::sql;
use crate::access::Access;
use crate::cli::TermsCommand;
use crate::context::Context;

pub fn run(context: &Context, command: &TermsCommand) -> Result<()> {
    match command {
        TermsCommand::Set { customer, entity, due_days, tax } => {
            let tax = tax.as_deref().map(tax_of).transpose()?;
            let terms = Terms { entity: entity.clone(), due_days: *due_days, tax };
            let access = Access::open(context)?;
            let done = access.control(&Act::Terms(customer.clone(), terms));
            access.report(done)
        }
        TermsCommand::List { format } => {
            let query = "SELECT _offset, customer, entity, due_days, tax_name, tax_rate FROM terms ORDER BY _offset";
            sql::print(context, query, *format, None)
        }
    }
}

/// A tax as it is written on the command line.
fn tax_of(text: &str) -> Result<Tax> {
    let (name, rate) = text.split_once('=').with_context(|| format!("--tax {text:?} is not NAME=RATE"))?;
    let rate = Share::parse(rate).map_err(|error| anyhow!("the rate of --tax {text:?}: {error}"))?;
    let rate = rate.with_context(|| format!("the rate of --tax {text:?} is not between 0 and 1; 19 % is 0.19"))?;
    Ok(Tax { name: name.to_owned(), rate })
}
