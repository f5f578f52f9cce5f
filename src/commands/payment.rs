//! `stempoint payment`, `credit` and `write-off`: what comes in from customers,
//! what they no longer owe, and what they will not pay.

mod bank;

use anyhow::{Result, anyhow};
use stempoint_core::control::Act;
use stempoint_core::receivables::{CreditOrder, PaymentOrder, WriteOffOrder};
use stempoint_core::settlement::Answer;
use stempoint_ingest::settlement::StoredControl;
use stempoint_schemas::money::Amount;
use stempoint_schemas::time::Instant;

use super::{currency, sql};
use crate::access::Access;
use crate::cli::{BankArgs, CreditArgs, PaymentArgs, PaymentCommand, WriteOffArgs};
use crate::context::Context;

/// Whose ids `--id` names.
const SOURCE: &str = "operator/cli";

pub fn run(context: &Context, command: &PaymentCommand) -> Result<()> {
    match command {
        PaymentCommand::Add(args) => add(context, args),
        PaymentCommand::Import { file, source } => bank::import(context, file, source),
        PaymentCommand::List { format } => sql::print(
            context,
            "SELECT p.payment, p.received_at, p.customer, p.currency, p.amount, coalesce(sum(a.amount), 0) AS used, \
             string_agg(a.invoice, ', ' ORDER BY a._offset, a.line) AS paid, p.reference \
             FROM payments p LEFT JOIN allocations a ON a.source = p.payment \
             GROUP BY p._offset, p.payment, p.received_at, p.customer, p.currency, p.amount, p.reference \
             ORDER BY p._offset",
            *format,
            None,
        ),
    }
}

fn add(context: &Context, args: &PaymentArgs) -> Result<()> {
    let (chosen, invoice) = (args.currency.as_deref(), args.invoice.as_deref());
    let act = Act::Payment(PaymentOrder {
        customer: args.customer.clone(),
        currency: currency::of_payment(context, chosen, &args.customer, invoice)?,
        amount: amount(&args.amount)?,
        received_us: received(&args.bank)?.us(),
        invoice: args.invoice.clone(),
        reference: args.bank.reference.clone(),
    });
    let access = Access::open(context)?;
    let done = send(&access, args.bank.id.as_deref(), &act);
    access.report(done)
}

/// When the bank had the money.
pub(super) fn received(bank: &BankArgs) -> Result<Instant> {
    match &bank.received {
        Some(text) => Ok(Instant::parse(text)?),
        None => now(),
    }
}

/// Sends an act; of those with the same id one counts.
pub(super) fn send(access: &Access, id: Option<&str>, act: &Act) -> Result<StoredControl> {
    let Some(id) = id else { return access.control(act) };
    let row = access.control_once(SOURCE, id, act)?;
    match row.answer {
        Answer::Applied | Answer::Duplicate => Ok(row),
        other => Err(anyhow!("{} by settlement: {}", other.name(), row.message)),
    }
}

pub fn credit(context: &Context, args: &CreditArgs) -> Result<()> {
    let (chosen, invoice) = (args.currency.as_deref(), args.invoice.as_deref());
    let act = Act::Credit(CreditOrder {
        customer: args.customer.clone(),
        currency: currency::of_payment(context, chosen, &args.customer, invoice)?,
        amount: args.amount.as_deref().map(amount).transpose()?,
        invoice: args.invoice.clone(),
        reason: args.reason.clone(),
    });
    let access = Access::open(context)?;
    let done = access.control(&act);
    access.report(done)
}

pub fn write_off(context: &Context, args: &WriteOffArgs) -> Result<()> {
    let act = Act::WriteOff(WriteOffOrder {
        invoice: args.invoice.clone(),
        amount: args.amount.as_deref().map(amount).transpose()?,
        is_put_back: args.put_back,
        reason: args.reason.clone(),
    });
    let access = Access::open(context)?;
    let done = access.control(&act);
    access.report(done)
}

pub(super) fn amount(text: &str) -> Result<Amount> {
    Amount::parse(text).map_err(|error| anyhow!("the amount {text:?}: {error}"))
}

pub(super) fn now() -> Result<Instant> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let us = i64::try_from(since.as_micros())?;
    Instant::from_us(us).ok_or_else(|| anyhow!("this machine's clock is outside the years 1 to 9999"))
}
