//! `stempoint exchange`: one currency changed for another.

use anyhow::Result;
use stempoint_core::control::Act;
use stempoint_core::exchange::{ExchangeOrder, Money};

use super::{payment, sql};
use crate::access::Access;
use crate::cli::{ExchangeAddArgs, ExchangeCommand};
use crate::context::Context;

/// Each exchange from its two entries: the bank gave the one asset and got the
/// other.
const LIST: &str = "\
SELECT document AS exchange, min(effective_at) AS effective_at,
  sum(CASE WHEN account = 'treasury/bank' AND amount < 0 THEN -amount END) AS given,
  min(CASE WHEN account = 'treasury/bank' AND amount < 0 THEN asset END) AS given_asset,
  sum(CASE WHEN account = 'treasury/bank' AND amount > 0 THEN amount END) AS got,
  min(CASE WHEN account = 'treasury/bank' AND amount > 0 THEN asset END) AS got_asset,
  coalesce(sum(CASE WHEN account = 'platform/exchange' THEN -amount END), 0) AS gain
FROM journal WHERE document LIKE 'exchange-%' GROUP BY document, _offset ORDER BY _offset";

pub fn run(context: &Context, command: &ExchangeCommand) -> Result<()> {
    match command {
        ExchangeCommand::Add(args) => {
            let act = Act::Exchange(order(args)?);
            let access = Access::open(context)?;
            let done = payment::send(&access, args.bank.id.as_deref(), &act);
            access.report(done)
        }
        ExchangeCommand::List { format } => sql::print(context, LIST, *format, None),
    }
}

/// What the arguments say; settlement checks it.
fn order(args: &ExchangeAddArgs) -> Result<ExchangeOrder> {
    let money = |amount: &str, asset: &str| -> Result<Money> {
        Ok(Money { asset: asset.to_owned(), amount: payment::amount(amount)? })
    };
    Ok(ExchangeOrder {
        given: money(&args.given, &args.given_currency)?,
        got: money(&args.got, &args.got_currency)?,
        rate: args.rate.as_deref().map(payment::amount).transpose()?,
        received_us: payment::received(&args.bank)?.us(),
        reference: args.bank.reference.clone(),
    })
}
