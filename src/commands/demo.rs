//! `stempoint demo`: a made-up month through everything.
//!
//! Running it again is safe: the events and the price books have the same
//! identities, so they count once.

use std::io::Write;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use stempoint_core::control::Act;
use stempoint_core::price_file;
use stempoint_ingest::log::{Batch, Topic};
use stempoint_query::Session;
use stempoint_query::documents::{self, DocumentFormat, Letterhead, Request};
use stempoint_query::output::{self, Format};
use stempoint_schemas::commit::{Commit, Counts};
use stempoint_schemas::time::{Instant as Moment, Month};
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::ledger::Ledger;
use stempoint_workload::demo::{CUSTOMERS, DemoMonth};

use super::sql;
use crate::access::Access;
use crate::cli::DemoArgs;
use crate::context::Context;
use crate::print::Output;
use crate::progress::Progress;

/// Records that are appended together.
const BATCH_RECORDS: usize = 4_000;

pub fn run(context: &Context, args: &DemoArgs) -> Result<()> {
    let month = match &args.month {
        Some(month) => Month::parse(month)?,
        None => last_month()?,
    };
    println!(
        "Making up {month} for {} customers (seed {}) in {}",
        CUSTOMERS.len(),
        args.seed,
        context.data.path().display()
    );
    let demo = DemoMonth::new(month, args.seed);
    let access = Access::open(context)?;
    let ledger = access.ledger().clone();
    let done = fill(&access, &demo, args.seed);
    let run = access.finish(done)?;
    let session = context.runtime.block_on(sql::session(&ledger, None))?;
    context.runtime.block_on(summary(context, &demo, &run, &session, &ledger))
}

/// The month before this one.
fn last_month() -> Result<Month> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let now = i64::try_from(now)
        .ok()
        .and_then(Moment::from_us)
        .ok_or_else(|| anyhow!("the clock of this machine is wrong"))?;
    Ok(Month::from_index(now.hour().month().index() - 1))
}

/// What filling the books took.
struct Run {
    before: Counts,
    after: Commit,
    append_seconds: f64,
    seconds: f64,
}

fn counts(commit: &Commit) -> Counts {
    let mut sum = Counts::default();
    for shard in &commit.shards {
        sum.received += shard.counts.received;
        sum.accepted += shard.counts.accepted;
        sum.duplicate += shard.counts.duplicate;
        sum.rejected += shard.counts.rejected;
    }
    sum
}

fn fill(access: &Access, demo: &DemoMonth, seed: u64) -> Result<Run> {
    let before = access.wait_visible(&access.ends()?, |_| ())?;
    apply(access, demo, seed, "first", &demo.first_book())?;
    let started = Instant::now();
    let total = demo.events().len() as u64;
    let appending = Progress::new("appending", total);
    let (mut batch, mut sent, mut ends) = (Batch::new(), 0, before.visible());
    for event in demo.events() {
        batch.push(event.key, event.value);
        if batch.len() >= BATCH_RECORDS {
            sent += batch.len() as u64;
            ends = append(access, &ends, std::mem::take(&mut batch))?;
            appending.set(sent);
        }
    }
    ends = append(access, &ends, batch)?;
    appending.done();
    let append_seconds = started.elapsed().as_secs_f64();
    let folding = Progress::new("folding", total);
    let first = counts(&before).received;
    access.wait_visible(&ends, |head| folding.set(counts(head).received - first))?;
    folding.done();
    access.settle()?;
    let seconds = started.elapsed().as_secs_f64();
    apply(access, demo, seed, "second", &demo.second_book())?;
    let after = access.settle()?;
    Ok(Run { before: counts(&before), after, append_seconds, seconds })
}

fn append(access: &Access, ends: &Watermarks, batch: Batch) -> Result<Watermarks> {
    if batch.is_empty() {
        return Ok(ends.clone());
    }
    Ok(ends.merged(&access.append(Topic::Usage, batch)?))
}

fn apply(access: &Access, demo: &DemoMonth, seed: u64, which: &str, file: &str) -> Result<()> {
    let book = price_file::read(file).map_err(|error| anyhow!("the demo's {which} price book: {error}"))?;
    let id = format!("{}-{seed}-{which}", demo.month());
    access.control_once("operator/demo", &id, &Act::PriceBook(book))?;
    Ok(())
}

async fn summary(context: &Context, demo: &DemoMonth, run: &Run, session: &Session, ledger: &Ledger) -> Result<()> {
    let (month, after) = (demo.month(), counts(&run.after));
    let new = after.received - run.before.received;
    let mut out = Output;
    writeln!(out, "\nEvents")?;
    writeln!(
        out,
        "  {new} events in {:.1} s: {:.0} events/s from the first append to the last posting",
        run.seconds,
        new as f64 / run.seconds
    )?;
    writeln!(out, "  of which {:.1} s until they were durable on the log", run.append_seconds)?;
    writeln!(
        out,
        "  {} accepted, {} duplicates caught, {} refused with a reason",
        after.accepted - run.before.accepted,
        after.duplicate - run.before.duplicate,
        after.rejected - run.before.rejected
    )?;
    if run.before.received > 0 {
        writeln!(out, "  The books had {} events before; what is the same counted once.", run.before.received)?;
    }
    table(session, "\nWhy events were refused", "SELECT reason, count(*) AS events, min(detail) AS example FROM rejects GROUP BY reason ORDER BY events DESC, reason").await?;
    let customer = CUSTOMERS[0].id;
    let request = Request { party: customer.to_owned(), period: month, currency: None };
    let invoice = documents::invoice(session, &request).await?;
    writeln!(out)?;
    let text = documents::render(&invoice, &Letterhead::default(), DocumentFormat::Text);
    shortened(&String::from_utf8_lossy(&text), &mut out)?;
    let earned = format!(
        "SELECT split_part(account, '/', 2) AS node, asset, -sum(amount) AS earned FROM journal \
         WHERE account LIKE 'provider/%/payable' AND period = '{month}' GROUP BY account, asset ORDER BY earned DESC LIMIT 8"
    );
    table(session, "What the nodes earned (the first eight)", &earned).await?;
    writeln!(out, "\nTrial balance at ledger version {}", run.after.version)?;
    documents::trial_balance(session).await?.condensed()?.write(&mut out)?;
    let files: u64 = stempoint_schemas::tables::ALL.iter().map(|t| ledger.table(t).snapshot().bytes()).sum();
    writeln!(out, "\n{:.1} MB of Delta tables in {}", files as f64 / 1e6, context.data.lake().display())?;
    let data = context.data.path().display();
    writeln!(out, "\nTry next:")?;
    writeln!(out, "  stempoint --data {data} audit")?;
    writeln!(out, "  stempoint --data {data} invoice {customer} {month} --format html > invoice.html")?;
    writeln!(
        out,
        "  stempoint --data {data} sql \"SELECT model, count(*) AS calls, sum(output_tokens) AS tokens FROM api_calls GROUP BY model ORDER BY calls DESC\""
    )?;
    writeln!(out, "(From the source folder: cargo run --release -- --data {data} audit)")?;
    Ok(())
}

/// Prints an invoice without the middle of a long list of lines.
fn shortened(invoice: &str, out: &mut impl Write) -> Result<()> {
    const FIRST: usize = 16;
    const LAST: usize = 9;
    let lines: Vec<&str> = invoice.lines().collect();
    let hidden = lines.len().saturating_sub(FIRST + LAST);
    for (index, line) in lines.iter().enumerate() {
        if hidden > 0 && index == FIRST {
            writeln!(out, "  … {hidden} more lines …")?;
        }
        if index < FIRST || index >= FIRST + hidden {
            writeln!(out, "{line}")?;
        }
    }
    writeln!(out)?;
    Ok(())
}

async fn table(session: &Session, title: &str, query: &str) -> Result<()> {
    println!("{title}");
    let rows = session.sql(query).await?;
    output::write(rows, Format::Table, &mut Output).await?;
    Ok(())
}
