//! Opening a shard where the ledger left it.
//!
//! Invariants: the log that is read is the log that was folded (the record
//! below the watermark still has its hash), and the deduplication index knows
//! every accepted event below the watermark before the shard reads on.

use std::path::Path;
use std::time::Duration;

use stempoint_schemas::commit::Commit;
use stempoint_schemas::event::RULES;
use stempoint_schemas::hash;
use stempoint_store::ledger::{Ledger, LogRows, RowOutcome};

use super::decide::candidate;
use super::error::FoldError;
use super::shard::{Fences, INGEST_TABLES, Shard};
use crate::dedup::{Candidate, IndexOptions, ShardIndex};
use crate::log::{EventLog, Limits, Topic};

/// How many rows are handed to the index at once when it is caught up.
const RESTORE_ROWS: usize = 65_536;

/// The name of a partition's fence in every ingest table.
pub fn fence_app(partition: u32) -> String {
    format!("ingest/{partition}")
}

/// Refuses a ledger that was decided by rules that this program does not know.
pub fn check_rules(head: &Commit) -> Result<(), FoldError> {
    if head.rules > RULES {
        return Err(FoldError::NewerRules { ledger: head.rules, known: RULES });
    }
    Ok(())
}

/// Opens the shard of a partition at the head's watermark.
pub fn open_shard(
    ledger: &Ledger,
    log: &dyn EventLog,
    head: &Commit,
    partition: u32,
    index_folder: &Path,
    options: &IndexOptions,
) -> Result<Shard, FoldError> {
    let state = head.shards.get(partition as usize).cloned().unwrap_or_default();
    check_log(log, Topic::Usage, partition, state.watermark, state.last_record)?;
    let folder = index_folder.join(partition.to_string());
    let index = open_index(ledger, &folder, partition, state.watermark, options)?;
    let mut fences: Fences = [0; INGEST_TABLES.len()];
    for (fence, table) in fences.iter_mut().zip(INGEST_TABLES) {
        let stored = ledger.table(table).snapshot().fence(&fence_app(partition)).unwrap_or(0);
        *fence = stored.cast_unsigned();
    }
    let partitions = u32::try_from(head.shards.len()).unwrap_or(u32::MAX);
    Ok(Shard::new(partition, partitions, index, state, fences))
}

/// Compares the record just below a watermark with the hash that the ledger
/// has of it: a log that was replaced or cut must not be read on from.
pub fn check_log(
    log: &dyn EventLog,
    topic: Topic,
    partition: u32,
    watermark: u64,
    expected: Option<hash::Hash>,
) -> Result<(), FoldError> {
    let end = log.ends(topic)?.get(partition as usize).copied().unwrap_or(0);
    if end < watermark {
        return Err(FoldError::ShorterLog { topic: topic.name(), partition, watermark, end });
    }
    let start = log.starts(topic)?.get(partition as usize).copied().unwrap_or(0);
    let Some(expected) = expected else { return Ok(()) };
    let mut found = None;
    // The record just below can stand before a gap; look back a little.
    for back in [1u64, 16, 4_096] {
        let from = watermark.saturating_sub(back).max(start);
        if from >= watermark {
            return Ok(());
        }
        let mut reader = log.reader(topic, partition, from)?;
        while reader.position() < watermark {
            let before = reader.position();
            let limits = Limits { records_max: 4_096, bytes_max: 64 << 20 };
            let next = reader.poll(limits, Duration::from_millis(200), &mut |record| {
                if record.offset < watermark {
                    found = Some(hash::record_hash(record.key, record.value));
                }
            })?;
            if next == before {
                break;
            }
        }
        if found.is_some() || from == start {
            break;
        }
    }
    match found {
        Some(found) if found != expected => Err(FoldError::OtherLog { topic: topic.name(), partition, watermark }),
        _ => Ok(()),
    }
}

fn open_index(
    ledger: &Ledger,
    folder: &Path,
    partition: u32,
    watermark: u64,
    options: &IndexOptions,
) -> Result<ShardIndex, FoldError> {
    let mut index = match ShardIndex::open(folder, watermark, options) {
        Ok(index) => index,
        Err(error) if error.needs_rebuild() => {
            tracing::warn!(partition, %error, "rebuilding the deduplication index from the tables");
            ShardIndex::open_empty(folder, options)?
        }
        Err(error) => return Err(error.into()),
    };
    restore(ledger, &mut index, partition, watermark)?;
    Ok(index)
}

/// Tells the index every accepted event that it does not know yet.
fn restore(ledger: &Ledger, index: &mut ShardIndex, partition: u32, watermark: u64) -> Result<(), FoldError> {
    let from = index.covered();
    let mut rows = LogRows::new(ledger, partition, from, watermark, true);
    let mut accepted: Vec<Candidate> = Vec::with_capacity(RESTORE_ROWS);
    let mut buffer = Vec::new();
    loop {
        let more = rows.next(|row| {
            let content = row.content_hash(&mut buffer);
            let source = row.source.unwrap_or_default();
            if let RowOutcome::Accepted(event) = &row.outcome {
                accepted.push(candidate(hash::source_hash(source.as_bytes()), source, event, row.offset, &content));
            }
        })?;
        if accepted.len() >= RESTORE_ROWS || !more {
            index.restore(&accepted)?;
            accepted.clear();
        }
        if !more {
            return Ok(());
        }
    }
}
