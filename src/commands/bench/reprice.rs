//! `stempoint bench reprice`: a price that is changed backwards takes as long
//! as there are charges, not as there were events.
//!
//! Invariant: the price is changed by the code of `prices apply`.

use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use stempoint_core::book::PriceBook;
use stempoint_core::control::Act;
use stempoint_schemas::commit::Commit;
use stempoint_schemas::money::{Amount, Price};
use stempoint_schemas::tables::CHARGES;
use stempoint_schemas::time::Instant as Moment;
use stempoint_workload::bench::BenchOptions;

use super::figures;
use super::usage;
use crate::access::Access;
use crate::cli::RowFormat;
use crate::context::Context;
use crate::node;
use crate::progress::Progress;
use crate::scratch::Scratch;

const START: &str = "2026-01-01T00:00:00Z";
/// Few enough that most hours have usage of each.
const CUSTOMERS: u32 = 50;
const DAY_HOURS: u64 = 24;
/// How many times as many.
const TIMES: u64 = 10;

pub fn run(context: &Context, events: u64, format: RowFormat) -> Result<()> {
    let scratch = Scratch::new()?;
    let mut printed = Vec::new();
    for (name, events, hours) in [
        ("few_events", events.div_ceil(TIMES), DAY_HOURS),
        ("many_events", events, DAY_HOURS),
        ("many_charges", events, DAY_HOURS * TIMES),
    ] {
        let measured = measure(context, &scratch, name, events, hours)?;
        printed.extend([
            (format!("{name}_events"), events as f64),
            (format!("{name}_charges"), measured.charges as f64),
            (format!("{name}_moved_charges"), measured.moved as f64),
            (format!("{name}_reprice_seconds"), measured.seconds),
            (format!("{name}_us_per_charge"), measured.seconds * 1e6 / measured.charges.max(1) as f64),
        ]);
    }
    figures::print(&printed, format);
    Ok(())
}

/// What one month gave.
struct Measured {
    /// Rows of `charges` before.
    charges: u64,
    /// How many of them moved to another price row.
    moved: u64,
    seconds: f64,
}

fn measure(context: &Context, scratch: &Scratch, name: &str, events: u64, hours: u64) -> Result<Measured> {
    let books = usage::own_books(context, &scratch.path().join(name), name)?;
    let log = node::open_log(&books.data, &books.log)?;
    let options = BenchOptions { customers: CUSTOMERS, ..BenchOptions::from_start(Moment::parse(START)?) };
    let mut stream = usage::stream(options.spread_over(events, hours));
    let (_, ends) = usage::fill(log.as_ref(), name, &mut stream, events)?;
    drop(log);
    let access = Access::open(&books)?;
    let done = access.control(&Act::PriceBook(usage::prices()?)).and_then(|_| {
        let progress = Progress::new(name, events);
        let folded = |head: &Commit| head.shards.iter().map(|shard| shard.counts.received).sum();
        access.wait_visible(&ends, |head| progress.set(folded(head)))?;
        progress.done();
        access.settle()?;
        reprice(&access)
    });
    let measured = access.finish(done)?;
    std::fs::remove_dir_all(books.data.path())?;
    Ok(measured)
}

fn reprice(access: &Access) -> Result<Measured> {
    let rows = || anyhow::Ok(access.block_on(access.ledger().table(&CHARGES).refresh())?.rows());
    let charges = rows()?;
    let started = Instant::now();
    access.control(&Act::PriceBook(dearer(usage::prices()?)?))?;
    let seconds = started.elapsed().as_secs_f64();
    // Each that moves is taken back and made again.
    let moved = (rows()? - charges) / 2;
    ensure!(moved > 0 || charges == 0, "no charge was rated again");
    Ok(Measured { charges, moved, seconds })
}

/// The same book with every price a cent higher.
fn dearer(mut book: PriceBook) -> Result<PriceBook> {
    let cent = Amount::parse("0.01")?;
    for price in &mut book.prices {
        let amount = price.price.amount().plus(cent)?;
        price.price = Price::new(amount, price.price.per()).ok_or_else(|| anyhow!("{amount} is no price"))?;
    }
    Ok(book)
}
