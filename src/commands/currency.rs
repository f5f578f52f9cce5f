//! `stempoint currency`: in which currency customers are rated.

use anyhow::Result;
use stempoint_core::control::Act;
use stempoint_core::currencies::{self, CurrencyOrder};
use stempoint_query::literal;
use stempoint_schemas::time::Month;

use super::budget::month_or_this;
use super::sql;
use crate::access::Access;
use crate::cli::CurrencyCommand;
use crate::context::Context;

/// The currency that somebody chose, or that of a customer in a month.
pub(super) fn of(context: &Context, chosen: Option<&str>, customer: &str, month: Month) -> Result<String> {
    if let Some(chosen) = chosen {
        return Ok(chosen.to_owned());
    }
    // Of several orders for a month the last one counts, the customer's own before all others.
    let query = format!(
        "SELECT currency FROM currencies WHERE (customer = {} OR customer IS NULL) AND from_period <= '{month}' \
         ORDER BY customer IS NULL, _offset DESC LIMIT 1",
        literal(customer)
    );
    first(context, &query)
}

/// The currency that somebody chose, or that of an invoice, or of a customer now.
pub(super) fn of_payment(
    context: &Context,
    chosen: Option<&str>,
    customer: &str,
    invoice: Option<&str>,
) -> Result<String> {
    let Some(number) = invoice.filter(|_| chosen.is_none()) else {
        return of(context, chosen, customer, month_or_this(None)?);
    };
    first(context, &format!("SELECT currency FROM invoices WHERE number = {}", literal(number)))
}

/// What a query finds; the default where there is nothing, or are no books yet.
fn first(context: &Context, query: &str) -> Result<String> {
    let found = if context.data.lake().exists() { sql::texts(context, query)? } else { Vec::new() };
    Ok(found.into_iter().next().unwrap_or_else(|| currencies::DEFAULT.to_owned()))
}

pub fn run(context: &Context, command: &CurrencyCommand) -> Result<()> {
    match command {
        CurrencyCommand::Set { currency, customer, from } => {
            let (customer, currency) = (customer.clone(), currency.clone());
            let act = Act::Currency(CurrencyOrder { customer, currency, from: Month::parse(from)? });
            let access = Access::open(context)?;
            let done = access.control(&act);
            access.report(done)
        }
        CurrencyCommand::List { format } => {
            let query = "SELECT _offset, customer, currency, from_period FROM currencies ORDER BY _offset";
            sql::print(context, query, *format, None)
        }
    }
}
