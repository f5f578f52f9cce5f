//! `stempoint commitment`: what customers pay at least.

use anyhow::{Result, anyhow};
use stempoint_core::commitment::{Commitment, CommitmentOrder};
use stempoint_core::control::Act;
use stempoint_schemas::money::Amount;

use super::budget::month_or_this;
use super::{currency, sql};
use crate::access::Access;
use crate::cli::{CommitmentCommand, CommitmentSetArgs};
use crate::context::Context;

pub fn run(context: &Context, command: &CommitmentCommand) -> Result<()> {
    match command {
        CommitmentCommand::Set(args) => send(context, order(context, args)?),
        CommitmentCommand::End { customer, currency, from } => {
            let from = month_or_this(from.as_deref())?;
            let currency = currency::of(context, currency.as_deref(), customer, from)?;
            send(context, CommitmentOrder { customer: customer.clone(), currency, from, commitment: None })
        }
        CommitmentCommand::List(rows) => {
            let of = rows.condition("held.customer");
            // What was said later of a month and those after it counts.
            let query = format!(
                "SELECT held.customer, held.currency, held.from_period, held.amount, held.months \
                 FROM commitments AS held LEFT JOIN commitments AS later \
                 ON later.customer = held.customer AND later.currency = held.currency \
                 AND later._offset > held._offset AND later.from_period <= held.from_period \
                 WHERE later._offset IS NULL AND {of} ORDER BY held.customer, held.currency, held.from_period"
            );
            sql::print(context, &query, rows.format, None)
        }
    }
}

fn send(context: &Context, order: CommitmentOrder) -> Result<()> {
    let access = Access::open(context)?;
    let done = access.control(&Act::Commitment(order));
    access.report(done)
}

/// What the arguments ask for; settlement checks the rest.
fn order(context: &Context, args: &CommitmentSetArgs) -> Result<CommitmentOrder> {
    let from = month_or_this(args.from.as_deref())?;
    let amount = Amount::parse(&args.amount).map_err(|error| anyhow!("--amount {:?}: {error}", args.amount))?;
    Ok(CommitmentOrder {
        customer: args.customer.clone(),
        currency: currency::of(context, args.currency.as_deref(), &args.customer, from)?,
        from,
        commitment: Some(Commitment { amount, months: args.months }),
    })
}
