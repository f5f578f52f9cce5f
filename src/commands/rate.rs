//! `stempoint rate`: what a month would have cost with another price book.
//!
//! Invariants: nothing is written and nothing is settled by asking; customers'
//! amounts are those of providers and the platform together.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray};
use stempoint_core::settlement::what_if::{Difference, Line, Party, Sums};
use stempoint_ingest::settlement::what_if;
use stempoint_query::output;
use stempoint_schemas::money::{AMOUNT_SCALE, Amount};
use stempoint_schemas::time::Month;
use stempoint_store::ledger::Ledger;

use super::prices;
use crate::cli::{RateArgs, RateBy};
use crate::context::Context;
use crate::print::Output;

/// Digits of a decimal in tables.
const DIGITS: u8 = 38;

/// The part of a table and what a row is for (`None` for a total), and the
/// currency: the order of the rows.
type Key = (Part, Option<String>, String);

/// The parts of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Rows,
    Customers,
    Providers,
    Owners,
    Platform,
}

pub fn run(context: &Context, args: &RateArgs) -> Result<()> {
    let period = Month::parse(&args.period)?;
    let book = prices::read(&args.file)?;
    let (version, difference) = context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        anyhow::Ok(what_if(&ledger, args.version, period, book).await?)
    })?;
    let rows = table(&difference, args.by)?;
    let mut out = BufWriter::new(Output);
    output::write_batches(rows.schema(), &[rows], args.format.into(), &mut out)?;
    out.flush()?;
    eprintln!("{period} at ledger version {version}; nothing was changed");
    for (meter, quantity) in &difference.unrated {
        eprintln!("without a price even then: {quantity} {meter}");
    }
    Ok(())
}

fn table(difference: &Difference, by: RateBy) -> Result<RecordBatch> {
    let mut sums: BTreeMap<Key, Sums> = BTreeMap::new();
    for line in &difference.lines {
        let row = row(line, by).map(|name| (Part::Rows, Some(name), line.currency.clone()));
        let total = (total(&line.party), None, line.currency.clone());
        for key in row.into_iter().chain([total]) {
            let sum = sums.entry(key).or_default();
            *sum = Sums { now: sum.now.plus(line.sums.now)?, then: sum.then.plus(line.sums.then)? };
        }
    }
    batch(&sums, by)
}

/// The row that a line counts in, besides the totals.
fn row(line: &Line, by: RateBy) -> Option<String> {
    match (by, &line.party) {
        (RateBy::Customer, Party::Customer(name))
        | (RateBy::Provider, Party::Provider(name))
        | (RateBy::Owner, Party::Owner(name)) => Some(name.clone()),
        (RateBy::Meter, Party::Customer(_)) => Some(line.meter.name().to_owned()),
        _ => None,
    }
}

fn total(party: &Party) -> Part {
    match party {
        Party::Customer(_) => Part::Customers,
        Party::Provider(_) => Part::Providers,
        Party::Owner(_) => Part::Owners,
        Party::Platform => Part::Platform,
    }
}

fn batch(sums: &BTreeMap<Key, Sums>, by: RateBy) -> Result<RecordBatch> {
    let of = |part: Part| match part {
        Part::Rows => by.name(),
        Part::Customers => "all customers",
        Part::Providers => "all providers",
        Part::Owners => "all owners",
        Part::Platform => "platform",
    };
    let amounts = |pick: fn(&Sums) -> Result<Amount>| -> Result<ArrayRef> {
        let picos: Vec<i128> = sums.values().map(|sums| Ok(pick(sums)?.pico())).collect::<Result<_>>()?;
        Ok(Arc::new(Decimal128Array::from(picos).with_precision_and_scale(DIGITS, AMOUNT_SCALE as i8)?))
    };
    let text = |texts: StringArray| -> ArrayRef { Arc::new(texts) };
    let columns = [
        ("of", text(sums.keys().map(|(part, ..)| Some(of(*part))).collect())),
        (by.name(), text(sums.keys().map(|(_, name, _)| name.as_deref()).collect())),
        ("currency", text(sums.keys().map(|(.., currency)| Some(currency.as_str())).collect())),
        ("now", amounts(|sums| Ok(sums.now))?),
        ("then", amounts(|sums| Ok(sums.then))?),
        ("difference", amounts(|sums| Ok(sums.then.minus(sums.now)?))?),
    ];
    let nullable = columns.into_iter().map(|(name, column)| (name, column, name == by.name()));
    RecordBatch::try_from_iter_with_nullable(nullable).context("failed to put the rows together")
}
