//! One row for each line, what a commitment lacks included, and one for each
//! unrated quantity, whose price and amount are empty.
//!
//! Invariant: the columns are the same for every document of a kind.

use stempoint_schemas::meter::Dimension;

use crate::documents::statement::{Kind, Statement};
use crate::output::csv_field;

pub(crate) fn render(statement: &Statement) -> String {
    let mut csv =
        format!("{},period,currency,meter,model,gpu,region,state,quantity,unit_price,per,", statement.kind.role());
    csv.push_str(if statement.kind == Kind::Earnings { "share,amount" } else { "amount" });
    csv.push_str(",price,effective_from,ledger_version,sql\n");
    for line in &statement.lines {
        let share = (statement.kind == Kind::Earnings).then(|| line.share.to_string());
        let own = |text: String| if line.adjustment.is_some() { String::new() } else { text };
        let (unit_price, per) = (own(line.unit_price.to_string()), own(line.per.to_string()));
        let prices = [Some(unit_price), Some(per), share, Some(line.amount.to_string())];
        let state = if line.adjustment.is_some() { "adjustment" } else { "charged" };
        let quantity = own(line.quantity.to_string());
        let mut fields = beginning(statement, line.meter.name(), &line.dimensions, state, &quantity);
        fields.extend(prices.into_iter().flatten());
        fields.extend([line.price.clone(), line.effective_from.to_string()]);
        fields.extend([statement.ledger_version.to_string(), csv_field(&line.sql)]);
        csv.push_str(&fields.join(","));
        csv.push('\n');
    }
    if let Some(true_up) = &statement.true_up {
        let mut fields = beginning(statement, "", &[], "commitment", "");
        fields.extend([String::new(), String::new(), true_up.amount.to_string(), String::new(), String::new()]);
        fields.extend([statement.ledger_version.to_string(), csv_field(&true_up.sql)]);
        csv.push_str(&fields.join(","));
        csv.push('\n');
    }
    for unrated in &statement.unrated {
        let quantity = unrated.quantity.to_string();
        let mut fields = beginning(statement, unrated.meter.name(), &unrated.dimensions, "unrated", &quantity);
        let empty = if statement.kind == Kind::Earnings { 6 } else { 5 };
        fields.extend(vec![String::new(); empty]);
        fields.extend([statement.ledger_version.to_string(), String::new()]);
        csv.push_str(&fields.join(","));
        csv.push('\n');
    }
    csv
}

fn beginning(
    statement: &Statement,
    meter: &str,
    dimensions: &[(Dimension, String)],
    state: &str,
    quantity: &str,
) -> Vec<String> {
    let mut fields = vec![
        csv_field(&statement.party),
        statement.period.to_string(),
        csv_field(&statement.currency),
        meter.to_owned(),
    ];
    for dimension in Dimension::ALL {
        let value = dimensions.iter().find(|(d, _)| *d == dimension);
        fields.push(value.map(|(_, value)| csv_field(value)).unwrap_or_default());
    }
    fields.extend([state.to_owned(), quantity.to_owned()]);
    fields
}
