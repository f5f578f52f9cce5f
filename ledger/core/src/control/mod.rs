//! Control events: from and to their protobuf form, validated.
//!
//! Invariant: inside, a control event is valid in itself; whether it may be
//! applied now is for [`crate::settlement`] to say.

mod budget;
mod commitment;
mod correction;
mod dispute;
mod money;
mod prices;
mod shares;

use prost::Message;
use stempoint_schemas::decimal;
use stempoint_schemas::event::is_plain_text;
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::proto;
use stempoint_schemas::time::{Instant, Month};
use stempoint_schemas::watermark::Watermarks;

use crate::book::{self, PriceBook};
use crate::budget::BudgetOrder;
use crate::commitment::CommitmentOrder;
use crate::correction::CorrectionOrder;
use crate::currencies::CurrencyOrder;
use crate::dispute::{DisputeOrder, ResolutionOrder};
use crate::exchange::ExchangeOrder;
use crate::receivables::{CreditOrder, GrantOrder, PaymentOrder, WriteOffOrder};
use crate::terms::Terms;
use budget::{budget_from, budget_to};
use commitment::{commitment_from, commitment_to};
use correction::{correction_from, correction_to};
use dispute::{dispute_from, dispute_to, resolution_from, resolution_to};
use money::{
    credit_from, credit_to, currency_order_from, currency_order_to, exchange_from, exchange_to, grant_from, grant_to,
    payment_from, payment_to,
};
use money::{terms_from, terms_to, write_off_from, write_off_to};
pub(crate) use prices::percent;
use prices::{price_from, price_to};
use shares::{share_from, share_to};

/// The most partitions that a settle event may name.
const PARTITIONS_MAX: u32 = 65_536;

/// An act that changes the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Put a price book in force.
    PriceBook(PriceBook),
    /// Settle usage up to these watermarks.
    Settle(Watermarks),
    /// Give up unrated usage.
    Waive(Waive),
    /// Begin to close a month, with the usage up to these watermarks.
    Closing(Month, Watermarks),
    /// Close a month for good and issue its invoices.
    Closed {
        /// The month.
        period: Month,
        /// Whether providers get statements of it. Months that were closed
        /// before there were any have none.
        has_statements: bool,
    },
    /// Put terms in force for a customer, or for all that have none.
    Terms(Option<String>, Terms),
    /// Take note of money that came in.
    Payment(PaymentOrder),
    /// Give a credit.
    Credit(CreditOrder),
    /// Set a customer's budget, or end it.
    Budget(BudgetOrder),
    /// Take a usage event back, or charge it otherwise.
    Correction(CorrectionOrder),
    /// Set what a customer pays at least, or end it.
    Commitment(CommitmentOrder),
    /// Give a customer something that pays its invoices of some months.
    Grant(GrantOrder),
    /// Give up an invoice, or put back what was given up.
    WriteOff(WriteOffOrder),
    /// Take note that one asset was changed for another.
    Exchange(ExchangeOrder),
    /// Rate a customer in another currency.
    Currency(CurrencyOrder),
    /// Take note that somebody does not agree to a line.
    Dispute(DisputeOrder),
    /// Resolve that.
    Resolution(ResolutionOrder),
}

/// Which unrated usage is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waive {
    /// The meter.
    pub meter: Meter,
    /// The billing period.
    pub period: Month,
    /// The dimensions that a charge must have.
    pub matches: Vec<(Dimension, String)>,
    /// Why, in words.
    pub reason: String,
}

impl Act {
    /// The name of the act's kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Act::PriceBook(_) => "price_book",
            Act::Settle(_) => "settle",
            Act::Waive(_) => "waive",
            Act::Closing(..) => "closing",
            Act::Closed { .. } => "closed",
            Act::Terms(..) => "terms",
            Act::Payment(_) => "payment",
            Act::Credit(_) => "credit",
            Act::Budget(_) => "budget",
            Act::Correction(_) => "correction",
            Act::Commitment(_) => "commitment",
            Act::Grant(_) => "grant",
            Act::WriteOff(_) => "write_off",
            Act::Exchange(_) => "exchange",
            Act::Currency(_) => "currency",
            Act::Dispute(_) => "dispute",
            Act::Resolution(_) => "resolution",
        }
    }
}

/// Whether `event` is all that `bytes` say. Fields that are not known, and all
/// but the last of those that stand there twice, are dropped by the decoder:
/// what might change the books must not vanish. A field with its default value
/// counts as too much as well; no encoder of proto3 writes it.
pub fn is_whole(event: &proto::ControlEvent, bytes: &[u8]) -> bool {
    event.encoded_len() == bytes.len()
}

/// Reads the act of a control event and checks it by today's rules; the error
/// says what is wrong with it.
pub fn from_proto(event: &proto::ControlEvent) -> Result<Act, String> {
    let act = applied_from_proto(event)?;
    match &act {
        Act::PriceBook(book) => book.check().map_err(|e| e.to_string())?,
        Act::Terms(_, terms) => terms.check()?,
        Act::Budget(order) => order.check()?,
        Act::Commitment(order) => order.check()?,
        Act::Grant(order) => order.check()?,
        Act::Exchange(order) => order.check()?,
        Act::Correction(CorrectionOrder { replacement: Some(replacement), .. }) => replacement.check()?,
        _ => {}
    }
    Ok(act)
}

/// Reads the act of a control event that was applied by the rules of its time:
/// only what cannot be understood is an error.
pub fn applied_from_proto(event: &proto::ControlEvent) -> Result<Act, String> {
    use proto::control_event::Act as Wire;
    match &event.act {
        Some(Wire::PriceBook(book)) => price_book_from(book).map(Act::PriceBook),
        Some(Wire::Settle(settle)) => watermarks_from(&settle.watermarks).map(Act::Settle),
        Some(Wire::Waive(waive)) => waive_from(waive).map(Act::Waive),
        Some(Wire::Closing(closing)) => {
            Ok(Act::Closing(period_from(&closing.period)?, watermarks_from(&closing.watermarks)?))
        }
        Some(Wire::Closed(closed)) => {
            Ok(Act::Closed { period: period_from(&closed.period)?, has_statements: closed.statements })
        }
        Some(Wire::Terms(wire)) => terms_from(wire),
        Some(Wire::Payment(wire)) => payment_from(wire).map(Act::Payment),
        Some(Wire::Credit(wire)) => credit_from(wire).map(Act::Credit),
        Some(Wire::Budget(wire)) => budget_from(wire).map(Act::Budget),
        Some(Wire::Correction(wire)) => correction_from(wire).map(Act::Correction),
        Some(Wire::Commitment(wire)) => commitment_from(wire).map(Act::Commitment),
        Some(Wire::Grant(wire)) => grant_from(wire).map(Act::Grant),
        Some(Wire::WriteOff(wire)) => write_off_from(wire).map(Act::WriteOff),
        Some(Wire::Exchange(wire)) => exchange_from(wire).map(Act::Exchange),
        Some(Wire::Currency(wire)) => currency_order_from(wire).map(Act::Currency),
        Some(Wire::Dispute(wire)) => dispute_from(wire).map(Act::Dispute),
        Some(Wire::Resolution(wire)) => resolution_from(wire).map(Act::Resolution),
        None => Err("the event has no act that these rules know".to_owned()),
    }
}

/// Writes a control event.
pub fn to_proto(id: &str, act: &Act) -> proto::ControlEvent {
    use proto::control_event::Act as Wire;
    let act = match act {
        Act::PriceBook(book) => Wire::PriceBook(price_book_to(book)),
        Act::Settle(watermarks) => Wire::Settle(proto::Settle { watermarks: watermarks_to(watermarks) }),
        Act::Waive(waive) => Wire::Waive(proto::Waive {
            meter: waive.meter.name().to_owned(),
            period: waive.period.to_string(),
            r#match: dimensions_to(&waive.matches),
            reason: waive.reason.clone(),
        }),
        Act::Closing(period, watermarks) => {
            Wire::Closing(proto::Closing { period: period.to_string(), watermarks: watermarks_to(watermarks) })
        }
        Act::Closed { period, has_statements } => {
            Wire::Closed(proto::Closed { period: period.to_string(), statements: *has_statements })
        }
        Act::Terms(customer, terms) => Wire::Terms(terms_to(customer.as_deref(), terms)),
        Act::Payment(order) => Wire::Payment(payment_to(order)),
        Act::Credit(order) => Wire::Credit(credit_to(order)),
        Act::Budget(order) => Wire::Budget(budget_to(order)),
        Act::Correction(order) => Wire::Correction(correction_to(order)),
        Act::Commitment(order) => Wire::Commitment(commitment_to(order)),
        Act::Grant(order) => Wire::Grant(grant_to(order)),
        Act::WriteOff(order) => Wire::WriteOff(write_off_to(order)),
        Act::Exchange(order) => Wire::Exchange(exchange_to(order)),
        Act::Currency(order) => Wire::Currency(currency_order_to(order)),
        Act::Dispute(order) => Wire::Dispute(dispute_to(order)),
        Act::Resolution(order) => Wire::Resolution(resolution_to(order)),
    };
    proto::ControlEvent { id: id.to_owned(), act: Some(act) }
}

fn price_book_from(wire: &proto::PriceBook) -> Result<PriceBook, String> {
    let from = Instant::from_us(wire.effective_from_us).ok_or("effective_from is outside the years 1 to 9999")?;
    let effective_from = book::whole_hour(from).map_err(|e| e.to_string())?;
    let prices = numbered("price", &wire.prices, price_from)?;
    let shares = numbered("share", &wire.shares, share_from)?;
    Ok(PriceBook { currency: wire.currency.clone(), effective_from, prices, shares })
}

/// Reads each item of a list; an error names its position, from 1.
fn numbered<W, T>(what: &str, items: &[W], read: impl Fn(&W) -> Result<T, String>) -> Result<Vec<T>, String> {
    let read_at = |(index, item)| read(item).map_err(|problem| format!("{what} {}: {problem}", index + 1));
    items.iter().enumerate().map(read_at).collect()
}

fn price_book_to(book: &PriceBook) -> proto::PriceBook {
    proto::PriceBook {
        currency: book.currency.clone(),
        effective_from_us: book.effective_from.start().us(),
        prices: book.prices.iter().map(price_to).collect(),
        shares: book.shares.iter().map(share_to).collect(),
    }
}

fn watermarks_to(watermarks: &Watermarks) -> Vec<proto::Watermark> {
    watermarks.iter().map(|(partition, offset)| proto::Watermark { partition, offset }).collect()
}

fn watermarks_from(wire: &[proto::Watermark]) -> Result<Watermarks, String> {
    let mut watermarks = Watermarks::default();
    let mut last = None;
    for mark in wire {
        if last.is_some_and(|last| mark.partition <= last) {
            return Err("the watermarks are not in the order of their partitions".to_owned());
        }
        if mark.partition >= PARTITIONS_MAX {
            return Err(format!("partition {} is not below {PARTITIONS_MAX}", mark.partition));
        }
        if i64::try_from(mark.offset).is_err() {
            return Err(format!("the watermark of partition {} is too large", mark.partition));
        }
        last = Some(mark.partition);
        watermarks.set(mark.partition, mark.offset);
    }
    Ok(watermarks)
}

fn waive_from(wire: &proto::Waive) -> Result<Waive, String> {
    let meter = meter_from(&wire.meter)?;
    let matches = dimensions_from(&wire.r#match)?;
    if let Some((dimension, _)) = matches.iter().find(|(d, _)| !meter.dimensions().contains(d)) {
        return Err(format!("{meter} has no dimension {}", dimension.name()));
    }
    Ok(Waive { meter, period: period_from(&wire.period)?, matches, reason: wire.reason.chars().take(500).collect() })
}

fn period_from(text: &str) -> Result<Month, String> {
    Month::parse(text).map_err(|_| format!("period {:?} is not a month such as 2023-11", decimal::shorten(text)))
}

fn meter_from(name: &str) -> Result<Meter, String> {
    Meter::from_name(name).ok_or_else(|| format!("meter {:?} is not known", decimal::shorten(name)))
}

fn dimensions_from(wire: &[proto::Dimension]) -> Result<Vec<(Dimension, String)>, String> {
    let mut matches = Vec::new();
    for dimension in wire {
        let known = Dimension::from_name(&dimension.name)
            .ok_or_else(|| format!("dimension {:?} is not known", decimal::shorten(&dimension.name)))?;
        if matches.iter().any(|(d, _)| *d == known) {
            return Err(format!("dimension {} stands there twice", known.name()));
        }
        if !is_plain_text(dimension.value.as_bytes()) {
            return Err(format!("the value of dimension {} is not printable text", known.name()));
        }
        matches.push((known, dimension.value.clone()));
    }
    matches.sort();
    Ok(matches)
}

fn dimensions_to(matches: &[(Dimension, String)]) -> Vec<proto::Dimension> {
    matches
        .iter()
        .map(|(dimension, value)| proto::Dimension { name: dimension.name().to_owned(), value: value.clone() })
        .collect()
}
