//! `stempoint bench close`: closing a month, from the books as a server has
//! them at the month's end to the files of all invoices.
//!
//! Invariant: each stage is done by the code that the commands use.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use stempoint_core::control::Act;
use stempoint_core::terms::{Tax, Terms};
use stempoint_ingest::log::Topic;
use stempoint_query::documents::{self, DocumentFormat, Letterhead, Request};
use stempoint_schemas::money::Share;
use stempoint_schemas::tables::{CHARGES, INVOICES, JOURNAL, SETTLEMENT};
use stempoint_schemas::time::{HOUR_US, Instant as Moment, Month};
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::ledger::Ledger;
use stempoint_workload::bench::{BenchOptions, BenchStream};

use super::figures::{self, forget_peak, peak_rss_bytes};
use super::usage;
use crate::access::Access;
use crate::cli::RowFormat;
use crate::commands::document_files::Written;
use crate::commands::invoices::write;
use crate::commands::{period, sql};
use crate::context::Context;
use crate::maintenance;
use crate::node;
use crate::progress::Progress;
use crate::scratch::Scratch;

const MONTH: &str = "2026-01";
/// An event of the first hour may be an hour old, and the last is not to come
/// too late for the month.
const MARGIN_HOURS: u64 = 1;
/// So many events, or half of them, are left for closing to settle: a little
/// fewer than those after which a server settles of its own.
const UNSETTLED_MAX: u64 = 900_000;
/// How many customers' invoices are timed one by one.
const SAMPLES: usize = 25;

pub fn run(context: &Context, events: u64, customers: u32, format: RowFormat) -> Result<()> {
    let scratch = Scratch::new()?;
    let month = Month::parse(MONTH)?;
    let books = usage::own_books(context, &scratch.path().join("data"), "close")?;
    forget_peak();
    let fold_seconds = fill(&books, month, events, customers)?;
    let fold_peak = peak_rss_bytes();
    maintain(&books)?;
    forget_peak();
    let closed = close(&books, month, &scratch)?;
    let close_peak = peak_rss_bytes();
    maintain(&books)?;
    let ledger = books.runtime.block_on(Ledger::open(&books.data.lake()))?;
    let invoices = ledger.table(&INVOICES).snapshot().rows();
    ensure!(closed.written.files == invoices, "{} of {invoices} invoices were written", closed.written.files);
    let journal = ledger.table(&JOURNAL).snapshot();
    let settlement: u64 = SETTLEMENT.into_iter().map(|table| ledger.table(table).snapshot().bytes()).sum();
    let one = one_by_one(&books, month)?;
    let stages: Duration = [closed.open, closed.closing, closed.closed, closed.invoices].iter().sum();
    let per_posting = |bytes: u64| bytes as f64 / journal.rows().max(1) as f64;
    figures::print(
        &[
            ("events", events as f64),
            ("customers", f64::from(customers)),
            ("events_left_for_closing", (events / 2).min(UNSETTLED_MAX) as f64),
            ("fold_seconds", fold_seconds),
            ("fold_peak_rss_bytes", fold_peak as f64),
            ("open_seconds", closed.open.as_secs_f64()),
            ("closing_seconds", closed.closing.as_secs_f64()),
            ("closed_seconds", closed.closed.as_secs_f64()),
            ("invoices_seconds", closed.invoices.as_secs_f64()),
            ("close_seconds", stages.as_secs_f64()),
            ("close_peak_rss_bytes", close_peak as f64),
            ("invoices", invoices as f64),
            ("invoice_bytes", closed.written.bytes as f64),
            ("charges", ledger.table(&CHARGES).snapshot().rows() as f64),
            ("postings", journal.rows() as f64),
            ("journal_bytes_per_posting", per_posting(journal.bytes())),
            ("settlement_bytes_per_posting", per_posting(settlement)),
            ("one_invoice_median_ms", one.get(one.len() / 2).copied().unwrap_or_default()),
            ("one_invoice_slowest_ms", one.last().copied().unwrap_or_default()),
        ],
        format,
    );
    Ok(())
}

/// Folds the month and settles all but the last events as they come in; returns
/// the seconds.
fn fill(books: &Context, month: Month, events: u64, customers: u32) -> Result<f64> {
    let month_hours = ((month.end().us() - month.start().us()) / HOUR_US).unsigned_abs();
    let start = Moment::from_us(month.start().us() + MARGIN_HOURS.cast_signed() * HOUR_US).unwrap_or(month.start());
    let options = BenchOptions { customers, ..BenchOptions::from_start(start) };
    let mut stream = usage::stream(options.spread_over(events, month_hours - 2 * MARGIN_HOURS));
    let unsettled = (events / 2).min(UNSETTLED_MAX);
    let append = |stream: &mut BenchStream, events| {
        let log = node::open_log(&books.data, &books.log)?;
        anyhow::Ok(usage::fill(log.as_ref(), "month", stream, events)?.1)
    };
    let ends = append(&mut stream, events - unsettled)?;
    let (_, most) = timed(|| {
        let access = Access::open(books)?;
        let done = set_up(&access).and_then(|()| fold(&access, &ends)).and_then(|()| access.settle());
        access.finish(done)
    })?;
    let ends = append(&mut stream, unsettled)?;
    let (_, rest) = timed(|| {
        let access = Access::open(books)?;
        let done = fold(&access, &ends);
        access.finish(done)
    })?;
    Ok((most + rest).as_secs_f64())
}

/// Puts prices and terms in force.
fn set_up(access: &Access) -> Result<()> {
    access.control(&Act::PriceBook(usage::prices()?))?;
    let tax = Share::parse("0.19")?.map(|rate| Tax { name: "VAT".to_owned(), rate });
    access.control(&Act::Terms(None, Terms { entity: "BENCH".to_owned(), due_days: 30, tax }))?;
    Ok(())
}

fn fold(access: &Access, ends: &Watermarks) -> Result<()> {
    let progress = Progress::new("folding", records(ends));
    access.wait_visible(ends, |head| progress.set(records(&head.visible())))?;
    progress.done();
    Ok(())
}

fn records(watermarks: &Watermarks) -> u64 {
    watermarks.iter().map(|(_, offset)| offset).sum()
}

/// What a server does besides.
fn maintain(books: &Context) -> Result<()> {
    let log = node::open_log(&books.data, &books.log)?;
    let options = maintenance::Options { log_records_kept: None, ..maintenance::Options::new(books.data.manifest()) };
    books.runtime.block_on(async {
        let ledger = Ledger::open_or_create(&books.data.lake(), log.partitions(Topic::Usage) as usize).await?;
        maintenance::round(&ledger, log.as_ref(), &options, true).await
    })
}

/// How long the stages took.
struct Closed {
    open: Duration,
    closing: Duration,
    closed: Duration,
    invoices: Duration,
    written: Written,
}

fn close(books: &Context, month: Month, scratch: &Scratch) -> Result<Closed> {
    let (access, open) = timed(|| Access::open(books))?;
    let done = timed(|| period::begin(&access, month))
        .and_then(|(_, closing)| timed(|| period::finish(&access, month)).map(|(_, closed)| (closing, closed)));
    let (closing, closed) = access.finish(done)?;
    let into = scratch.path().join("invoices");
    let (written, invoices) = timed(|| write::write(books, month, DocumentFormat::Json, &into))?;
    Ok(Closed { open, closing, closed, invoices, written })
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let started = Instant::now();
    let done = work()?;
    Ok((done, started.elapsed()))
}

/// Milliseconds for one customer's invoice from the closed books, each with
/// everything opened anew, ascending. Customers with most and with least to
/// pay are among them.
fn one_by_one(books: &Context, month: Month) -> Result<Vec<f64>> {
    let customers = customers(books)?;
    let step = customers.len().div_ceil(SAMPLES).max(1);
    let mut times = Vec::new();
    for customer in customers.into_iter().step_by(step) {
        let request = Request { party: customer, period: month, currency: None };
        let (_, took) = timed(|| {
            let statement = books.runtime.block_on(async {
                let ledger = Ledger::open(&books.data.lake()).await?;
                let session = sql::session(&ledger, None).await?;
                anyhow::Ok(documents::invoice(&session, &request).await?)
            })?;
            Ok(documents::render(&statement, &Letterhead::default(), DocumentFormat::Json))
        })?;
        times.push(took.as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Those with an invoice, who pay most first.
fn customers(books: &Context) -> Result<Vec<String>> {
    sql::texts(books, "SELECT customer FROM invoices ORDER BY total DESC, customer")
}
