//! Payments from a bank's file.
//!
//! Invariant: a row's id within the bank's source is the control event's id,
//! so that a row counts once however often its file is imported.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use stempoint_core::control::Act;
use stempoint_core::receivables::PaymentOrder;
use stempoint_core::settlement::Answer;
use stempoint_schemas::time::Instant;

use super::amount;
use crate::access::Access;
use crate::commands::invoices::customers_of_invoices;
use crate::context::Context;

/// The columns that a file must have.
const NEEDED: [&str; 5] = ["id", "received_at", "amount", "currency", "reference"];

/// One row of the file.
struct Row {
    line: u64,
    id: String,
    order: PaymentOrder,
}

impl Row {
    /// Whether it is known whose payment it is.
    fn is_matched(&self) -> bool {
        !self.order.customer.is_empty()
    }
}

/// How many rows came to what.
#[derive(Default)]
struct Counts {
    taken: u64,
    known: u64,
    left_out: u64,
}

pub fn import(context: &Context, file: &Path, source: &str) -> Result<()> {
    let rows = read(file)?;
    let access = Access::open(context)?;
    let done = send(&access, source, rows);
    let counts = access.finish(done)?;
    println!("{} taken, {} known already, {} left out", counts.taken, counts.known, counts.left_out);
    if counts.left_out > 0 {
        bail!(
            "{} payments were left out: name their customer or invoice in the file and import it again",
            counts.left_out
        );
    }
    Ok(())
}

/// Reads the whole file before anything is sent.
fn read(file: &Path) -> Result<Vec<Row>> {
    let name = file.display();
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(file)
        .with_context(|| format!("failed to read {name}"))?;
    let headings = reader.headers().with_context(|| format!("failed to read the heading of {name}"))?.clone();
    let place = |column: &str| headings.iter().position(|heading| heading == column);
    if let Some(missing) = NEEDED.iter().find(|column| place(column).is_none()) {
        bail!("{name} has no column {missing}; it needs {}", NEEDED.join(", "));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.with_context(|| format!("failed to read {name}"))?;
        let line = record.position().map_or(0, csv::Position::line);
        let text = |column: &str| place(column).and_then(|place| record.get(place)).unwrap_or_default().to_owned();
        let some = |column: &str| Some(text(column)).filter(|text| !text.is_empty());
        let at = |what: anyhow::Error| anyhow!("{name}, line {line}: {what}");
        let received = Instant::parse(&text("received_at")).map_err(|error| at(error.into()))?;
        let order = PaymentOrder {
            customer: text("customer"),
            currency: text("currency"),
            amount: amount(&text("amount")).map_err(at)?,
            received_us: received.us(),
            invoice: some("invoice"),
            reference: text("reference"),
        };
        let id = some("id").ok_or_else(|| at(anyhow!("the id is empty; it is what makes the payment count once")))?;
        rows.push(Row { line, id, order });
    }
    Ok(rows)
}

fn send(access: &Access, source: &str, mut rows: Vec<Row>) -> Result<Counts> {
    let invoices = customers_of_invoices(access)?;
    rows.iter_mut().for_each(|row| match_up(&mut row.order, &invoices));
    let acts: Vec<(String, Act)> = rows
        .iter()
        .filter(|row| row.is_matched())
        .map(|row| (row.id.clone(), Act::Payment(row.order.clone())))
        .collect();
    let mut answers = access.control_all(&format!("bank/{source}"), &acts)?.into_iter();
    let mut counts = Counts::default();
    for row in &rows {
        let answer = if row.is_matched() { answers.next() } else { None };
        match answer.map(|answer| (answer.answer, answer.message)) {
            Some((Answer::Applied, _)) => counts.taken += 1,
            Some((Answer::Duplicate, _)) => counts.known += 1,
            Some((other, message)) => {
                println!("line {}: {} by settlement: {message}", row.line, other.name());
                counts.left_out += 1;
            }
            None => {
                println!("line {}: {:?} names no invoice that is known", row.line, row.order.reference);
                counts.left_out += 1;
            }
        }
    }
    Ok(counts)
}

/// Finds the invoice in the reference, and the customer by the invoice.
fn match_up(order: &mut PaymentOrder, invoices: &HashMap<String, String>) {
    if order.invoice.is_none() {
        let words = order.reference.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        order.invoice = words.map(str::to_ascii_uppercase).find(|word| invoices.contains_key(word));
    }
    if order.customer.is_empty()
        && let Some(customer) = order.invoice.as_ref().and_then(|number| invoices.get(number))
    {
        order.customer.clone_from(customer);
    }
}
