//! `stempoint budget`: how much customers are meant to use in a month.

use anyhow::{Context as _, Result, anyhow};
use stempoint_core::budget::{Budget, BudgetOrder, Measure};
use stempoint_core::control::Act;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::{Amount, Quantity};
use stempoint_schemas::time::Month;

use super::{currency, payment, sql};
use crate::access::Access;
use crate::cli::{BudgetCommand, BudgetSetArgs};
use crate::context::Context;

pub fn run(context: &Context, command: &BudgetCommand) -> Result<()> {
    match command {
        BudgetCommand::Set(args) => send(context, order(context, args)?),
        BudgetCommand::Delete { customer, name } => {
            send(context, BudgetOrder { customer: customer.clone(), name: name.clone(), budget: None })
        }
        BudgetCommand::List(rows) => {
            let of = rows.condition("budgets.customer");
            let query = format!(
                "SELECT budgets.customer, budgets.budget, from_period, currency, amount, meter, quantity, thresholds \
                 FROM budgets JOIN (SELECT customer, budget, max(_offset) AS newest FROM budgets \
                 GROUP BY customer, budget) AS last ON budgets._offset = last.newest \
                 WHERE thresholds IS NOT NULL AND {of} ORDER BY budgets.customer, budgets.budget"
            );
            sql::print(context, &query, rows.format, None)
        }
    }
}

fn send(context: &Context, order: BudgetOrder) -> Result<()> {
    let access = Access::open(context)?;
    let done = access.control(&Act::Budget(order));
    let row = access.finish(done)?;
    println!("{} (control event {})", row.message, row.offset);
    Ok(())
}

/// What the arguments ask for; settlement checks the rest.
fn order(context: &Context, args: &BudgetSetArgs) -> Result<BudgetOrder> {
    let from = month_or_this(args.from.as_deref())?;
    let limit = match (&args.amount, &args.quantity, &args.meter) {
        (Some(amount), ..) => Measure::Money {
            currency: currency::of(context, args.currency.as_deref(), &args.customer, from)?,
            amount: Amount::parse(amount).map_err(|error| anyhow!("--amount {amount:?}: {error}"))?,
        },
        (None, Some(quantity), Some(meter)) => Measure::Units {
            meter: Meter::from_name(meter).with_context(|| unknown_meter(meter))?,
            quantity: Quantity::parse(quantity).map_err(|error| anyhow!("--quantity {quantity:?}: {error}"))?,
        },
        _ => return Err(anyhow!("a budget needs --amount, or --quantity with --meter")),
    };
    let budget = Budget { from, limit, thresholds: args.thresholds.clone() };
    Ok(BudgetOrder { customer: args.customer.clone(), name: args.name.clone(), budget: Some(budget) })
}

fn unknown_meter(name: &str) -> String {
    let known = Meter::ALL.map(Meter::name).join(", ");
    format!("there is no meter {name:?}; there are {known}")
}

/// The month of `--from`, or this one.
pub(super) fn month_or_this(from: Option<&str>) -> Result<Month> {
    match from {
        Some(from) => Month::parse(from).with_context(|| format!("--from {from:?} is not a month such as 2023-11")),
        None => Ok(payment::now()?.hour().month()),
    }
}
