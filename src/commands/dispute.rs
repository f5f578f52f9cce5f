//! `stempoint dispute`: lines of invoices and statements that somebody does not
//! agree to.

use anyhow::{Result, bail};
use stempoint_core::control::Act;
use stempoint_core::dispute::{DisputeOrder, ResolutionOrder};
use stempoint_query::documents::{Document, Line};
use stempoint_schemas::money::Amount;

use super::{documents, payment, sql};
use crate::access::Access;
use crate::cli::{DisputeCommand, DisputeOpenArgs};
use crate::context::Context;

pub fn run(context: &Context, command: &DisputeCommand) -> Result<()> {
    match command {
        DisputeCommand::Open(args) => send(context, &Act::Dispute(order(context, args)?)),
        DisputeCommand::Accept { name, amount, reason } => {
            let accepted = amount.as_deref().map(payment::amount).transpose()?;
            send(context, &Act::Resolution(resolution(name, accepted, reason)))
        }
        DisputeCommand::Reject { name, reason } => {
            send(context, &Act::Resolution(resolution(name, Some(Amount::ZERO), reason)))
        }
        DisputeCommand::List { open, format } => {
            let of = if *open { "state = 'open'" } else { "true" };
            let query = format!(
                "SELECT name, document, party, currency, meter, model, gpu, region, amount, state, accepted, credit_note, \
                 reason, answer FROM dispute_status WHERE {of} ORDER BY _offset"
            );
            sql::print(context, &query, *format, None)
        }
    }
}

fn send(context: &Context, act: &Act) -> Result<()> {
    let access = Access::open(context)?;
    let done = access.control(act);
    access.report(done)
}

fn resolution(name: &str, accepted: Option<Amount>, reason: &str) -> ResolutionOrder {
    ResolutionOrder { dispute: name.to_owned(), accepted, reason: reason.to_owned() }
}

/// What the arguments ask for; settlement checks the rest.
fn order(context: &Context, args: &DisputeOpenArgs) -> Result<DisputeOrder> {
    let document = documents::numbered(context, &args.number)?;
    let line = line(&document, args)?;
    Ok(DisputeOrder {
        document: args.number.clone(),
        price: line.price.clone(),
        dimensions: line.dimensions.clone(),
        amount: args.amount.as_deref().map(payment::amount).transpose()?,
        reason: args.reason.clone(),
    })
}

/// The line of usage that the arguments count to.
fn line<'a>(document: &'a Document, args: &DisputeOpenArgs) -> Result<&'a Line> {
    let DisputeOpenArgs { number, line, .. } = args;
    let Document::Statement(statement) = document else {
        bail!("{number} is a credit that somebody gave: it has no lines of usage");
    };
    match line.checked_sub(1).and_then(|index| statement.lines.get(index)) {
        Some(found) if found.adjustment.is_some() => {
            bail!("line {line} of {number} is what a charge model adds or takes off; dispute a line that it belongs to")
        }
        Some(found) => Ok(found),
        None => bail!("{number} has lines of usage 1 to {}, and no line {line}", statement.lines.len()),
    }
}
