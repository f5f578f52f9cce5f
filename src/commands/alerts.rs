//! `stempoint alerts`: which thresholds of budgets were reached.

use anyhow::Result;

use super::sql;
use crate::cli::AlertsCommand;
use crate::context::Context;

pub fn run(context: &Context, command: &AlertsCommand) -> Result<()> {
    let AlertsCommand::List(rows) = command;
    let of = rows.condition("customer");
    let query = format!(
        "SELECT alert, recorded_at, customer, budget, period, threshold, currency, amount_limit, amount, \
         meter, quantity_limit, quantity FROM alerts WHERE {of} ORDER BY _offset, line"
    );
    sql::print(context, &query, rows.format, None)
}
