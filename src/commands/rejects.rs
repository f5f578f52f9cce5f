//! `stempoint rejects`: what was refused, and sending it again.

use anyhow::{Context as _, Result, anyhow, bail};
use stempoint_ingest::log::{Batch, Topic};
use stempoint_schemas::event::Reason;
use stempoint_schemas::hash::hex;
use stempoint_store::ledger::{Ledger, LogRows, RowOutcome};

use super::sql;
use crate::access::Access;
use crate::cli::RejectsCommand;
use crate::context::Context;

/// Records that are sent again together, and their bytes.
const BATCH_RECORDS: usize = 1_000;
const BATCH_BYTES: usize = 8 << 20;

pub fn run(context: &Context, command: &RejectsCommand) -> Result<()> {
    match command {
        RejectsCommand::List { reason, limit, format } => {
            let condition = match reason {
                Some(reason) => format!("WHERE reason = '{}'", checked(reason)?.code()),
                None => String::new(),
            };
            let query = format!(
                "SELECT _partition || ':' || _offset AS place, _recorded_at AS recorded_at, source, reason, detail \
                 FROM rejects {condition} ORDER BY _recorded_at DESC, _partition, _offset DESC LIMIT {limit}"
            );
            sql::print(context, &query, *format, None)
        }
        RejectsCommand::Show { place } => show(context, parse(place)?),
        RejectsCommand::Replay { place, reason } => replay(context, place.as_deref(), reason.as_deref()),
    }
}

fn checked(reason: &str) -> Result<Reason> {
    Reason::from_code(reason).ok_or_else(|| {
        anyhow!("reason {reason:?} is not known; the reasons are {}", Reason::ALL.map(Reason::code).join(", "))
    })
}

pub(super) fn parse(place: &str) -> Result<(u32, u64)> {
    let (partition, offset) =
        place.split_once(':').with_context(|| format!("{place:?} is not PARTITION:OFFSET, such as 3:1042"))?;
    Ok((
        partition.parse().with_context(|| format!("{partition:?} is not a partition"))?,
        offset.parse().with_context(|| format!("{offset:?} is not an offset"))?,
    ))
}

fn show(context: &Context, (partition, offset): (u32, u64)) -> Result<()> {
    let ledger = context.runtime.block_on(Ledger::open(&context.data.lake()))?;
    let mut rows = LogRows::new(&ledger, partition, offset, offset.saturating_add(1), false);
    let mut found = false;
    while rows.next(|row| {
        if let RowOutcome::Rejected { reason, key, raw } = row.outcome {
            found = true;
            println!("place     {partition}:{offset}");
            println!("source    {}", row.source.unwrap_or("unknown"));
            println!("reason    {reason}");
            println!("key       {}", key.map_or_else(|| "none".to_owned(), printable));
            println!("bytes     {}", raw.len());
            dump(raw);
        }
    })? {}
    if found {
        Ok(())
    } else {
        bail!("there is no refused record at {partition}:{offset}; `stempoint rejects list` shows them")
    }
}

fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(300).map(|c| if c.is_control() { '·' } else { c }).collect()
}

fn dump(raw: &[u8]) {
    const SHOWN_MAX: usize = 1_024;
    for (line, bytes) in raw[..raw.len().min(SHOWN_MAX)].chunks(16).enumerate() {
        println!(
            "{:>8x}  {:<32}  {}",
            line * 16,
            hex(bytes),
            bytes.iter().map(|&b| if (0x20..0x7f).contains(&b) { b as char } else { '.' }).collect::<String>()
        );
    }
    if raw.len() > SHOWN_MAX {
        println!("          and {} more bytes", raw.len() - SHOWN_MAX);
    }
}

fn replay(context: &Context, place: Option<&str>, reason: Option<&str>) -> Result<()> {
    let wanted = reason.map(checked).transpose()?;
    let only = place.map(parse).transpose()?;
    let access = Access::open(context)?;
    let done = send(context, &access, only, wanted);
    let (sent, accepted) = access.finish(done)?;
    println!("sent {sent} refused records again: {accepted} accepted");
    Ok(())
}

fn send(context: &Context, access: &Access, only: Option<(u32, u64)>, wanted: Option<Reason>) -> Result<(usize, u64)> {
    let ledger = access.ledger();
    let before = access.wait_visible(&access.ends()?, |_| ())?;
    context.runtime.block_on(ledger.table(&stempoint_schemas::tables::REJECTS).refresh())?;
    let (mut sent, mut batch) = (0, Batch::new());
    let mut ends = before.visible();
    for (partition, end) in before.visible().iter() {
        let (from, to) = match only {
            Some((p, offset)) if p == partition => (offset, offset.saturating_add(1).min(end)),
            Some(_) => continue,
            None => (0, end),
        };
        let mut rows = LogRows::new(ledger, partition, from, to, false);
        while rows.next(|row| {
            if let RowOutcome::Rejected { reason, key: Some(key), raw } = row.outcome
                && wanted.is_none_or(|wanted| wanted.code() == reason)
            {
                batch.push(key, raw);
                sent += 1;
            }
        })? {
            if batch.len() >= BATCH_RECORDS || batch.bytes() >= BATCH_BYTES {
                ends = ends.merged(&access.append(Topic::Usage, std::mem::take(&mut batch))?);
            }
        }
    }
    if sent == 0 {
        bail!("there is nothing to send again; `stempoint rejects list` shows what was refused");
    }
    if !batch.is_empty() {
        ends = ends.merged(&access.append(Topic::Usage, batch)?);
    }
    let after = access.wait_visible(&ends, |_| ())?;
    let accepted =
        |commit: &stempoint_schemas::commit::Commit| commit.shards.iter().map(|s| s.counts.accepted).sum::<u64>();
    Ok((sent, accepted(&after).saturating_sub(accepted(&before))))
}
