//! `stempoint alerts`: which thresholds of budgets were reached.

use anyhow::Result;
use stempoint_query::literal;

use super::sql;
use crate::cli::AlertsCommand;
use crate::context::Context;

pub fn run(context: &Context, command: &AlertsCommand) -> Result<()> {
    let AlertsCommand::List { customer, format } = command;
    let of = customer.as_ref().map_or_else(String::new, |customer| format!("WHERE customer = {}", literal(customer)));
    let query = format!(
        "SELECT alert, recorded_at, customer, budget, period, threshold, currency, amount_limit, amount, \
         meter, quantity_limit, quantity FROM alerts {of} ORDER BY _offset, line"
    );
    sql::print(context, &query, *format, None)
}
