//! `stempoint grant`: what pays customers' invoices before all else.

use anyhow::Result;
use stempoint_core::control::Act;
use stempoint_core::receivables::GrantOrder;
use stempoint_schemas::time::Instant;

use super::{budget, currency, payment, sql};
use crate::access::Access;
use crate::cli::{GrantAddArgs, GrantCommand};
use crate::context::Context;

pub fn run(context: &Context, command: &GrantCommand) -> Result<()> {
    match command {
        GrantCommand::Add(args) => {
            let act = Act::Grant(order(context, args)?);
            let access = Access::open(context)?;
            let done = payment::send(&access, args.id.as_deref(), &act);
            access.report(done)
        }
        GrantCommand::List(rows) => {
            let of = rows.condition("customer");
            let query = format!(
                "SELECT name, customer, currency, kind, priority, from_period, until_period, amount, used, unused, \
                 state, reason FROM grant_status WHERE {of} ORDER BY _offset"
            );
            sql::print(context, &query, rows.format, None)
        }
    }
}

/// What the arguments ask for; settlement checks the rest.
fn order(context: &Context, args: &GrantAddArgs) -> Result<GrantOrder> {
    let from = budget::month_or_this(args.from.as_deref())?;
    let received = match &args.received {
        Some(text) => Some(Instant::parse(text)?),
        None if args.paid => Some(payment::now()?),
        None => None,
    };
    Ok(GrantOrder {
        customer: args.customer.clone(),
        currency: currency::of(context, args.currency.as_deref(), &args.customer, from)?,
        amount: payment::amount(&args.amount)?,
        received_us: received.map(Instant::us),
        priority: args.priority,
        from,
        until: args.until.as_deref().map(|until| budget::month_or_this(Some(until))).transpose()?,
        reason: args.reason.clone(),
    })
}
