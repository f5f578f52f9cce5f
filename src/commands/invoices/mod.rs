//! `stempoint invoices`: what was issued, and what of it is paid.

pub mod write;

use std::collections::HashMap;

use anyhow::Result;
use arrow::array::StringArray;
use stempoint_query::literal;
use stempoint_schemas::row::typed;
use stempoint_schemas::tables::INVOICES;
use stempoint_store::ReadOptions;

use super::sql;
use crate::access::Access;
use crate::cli::{InvoicesArgs, InvoicesCommand, InvoicesListArgs};
use crate::context::Context;

pub fn run(context: &Context, args: &InvoicesArgs) -> Result<()> {
    match &args.command {
        Some(InvoicesCommand::Write(args)) => write::run(context, args),
        None => list(context, &args.list),
    }
}

fn list(context: &Context, args: &InvoicesListArgs) -> Result<()> {
    let mut conditions = vec!["true".to_owned()];
    if let Some(customer) = &args.customer {
        conditions.push(format!("customer = {}", literal(customer)));
    }
    if args.open {
        conditions.push("open > 0".to_owned());
    }
    let query = format!(
        "SELECT number, kind, customer, period, currency, net, tax, total, paid, credited, written_off, disputed, open, status, \
         due_at \
         FROM invoice_status WHERE {} ORDER BY _offset, line",
        conditions.join(" AND ")
    );
    sql::print(context, &query, args.format, None)
}

/// The customer of each invoice by number.
pub fn customers_of_invoices(access: &Access) -> Result<HashMap<String, String>> {
    let table = access.ledger().table(&INVOICES);
    let snapshot = access.block_on(table.refresh())?;
    let mut customers = HashMap::new();
    for file in snapshot.files() {
        let columns = ["number", "kind", "customer"];
        let options = ReadOptions { columns: Some(&columns), ..ReadOptions::default() };
        for batch in table.read_file(file, &options)? {
            let batch = batch?;
            let text = |column: &str| typed::<StringArray>(&batch, column);
            let (numbers, kinds, of) = (text("number")?, text("kind")?, text("customer")?);
            for row in (0..batch.num_rows()).filter(|row| kinds.value(*row) == "invoice") {
                customers.insert(numbers.value(row).to_owned(), of.value(row).to_owned());
            }
        }
    }
    Ok(customers)
}
