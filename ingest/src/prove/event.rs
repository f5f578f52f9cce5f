//! From an event's name to its place on the log.
//!
//! Invariant: an id that several sources have is never guessed.

use arrow::array::{Array, Int32Array, Int64Array, RecordBatch, StringArray};
use stempoint_schemas::commit::Commit;
use stempoint_schemas::row::{longs, typed};
use stempoint_schemas::tables::{API_CALLS, GPU_USAGE, HEARTBEATS};
use stempoint_store::ReadOptions;
use stempoint_store::ledger::{Ledger, overlaps};

use super::ProveError;
use crate::log::partition_of;

/// Sources that an error names at most.
const SOURCES_MAX: usize = 20;

/// An event that has the name.
struct Found {
    source: String,
    partition: u32,
    offset: u64,
}

/// The partition and offset of the accepted event with this id.
pub fn find(ledger: &Ledger, head: &Commit, id: &str, source: Option<&str>) -> Result<(u32, u64), ProveError> {
    let partitions = u32::try_from(head.shards.len()).unwrap_or(u32::MAX);
    let only = source.map(|source| partition_of(source.as_bytes(), partitions));
    let mut found = Vec::new();
    for table in [&API_CALLS, &GPU_USAGE, &HEARTBEATS] {
        let stored = ledger.table(table);
        for file in stored.snapshot().files() {
            if only.is_some_and(|partition| !overlaps(file, partition, 0, u64::MAX)) {
                continue;
            }
            let columns = ["_partition", "_offset", "source", "id", "incarnation", "sequence"];
            for batch in stored.read_file(file, &ReadOptions { columns: Some(&columns), ..ReadOptions::default() })? {
                matching(&batch?, id, &mut found)?;
            }
        }
    }
    found.retain(|found| {
        source.is_none_or(|source| found.source == source) && found.offset < head.visible().get(found.partition)
    });
    found.sort_by(|a, b| (&a.source, a.offset).cmp(&(&b.source, b.offset)));
    // A source has an id once; rows that somebody has doubled have another root.
    found.dedup_by(|later, first| later.source == first.source);
    match found.as_slice() {
        [one] => Ok((one.partition, one.offset)),
        [] => {
            let source_name = source.map(|source| format!(" and the source {source:?}")).unwrap_or_default();
            Err(ProveError::NoEvent { id: id.to_owned(), source_name })
        }
        several => {
            let sources = several.iter().take(SOURCES_MAX).map(|found| found.source.clone()).collect();
            Err(ProveError::SeveralSources { id: id.to_owned(), sources })
        }
    }
}

fn matching(batch: &RecordBatch, id: &str, found: &mut Vec<Found>) -> Result<(), ProveError> {
    let (partitions, offsets) = (typed::<Int32Array>(batch, "_partition")?, longs(batch, "_offset")?);
    let (sources, ids) = (typed::<StringArray>(batch, "source")?, typed::<StringArray>(batch, "id")?);
    let (incarnations, sequences): (Int64Array, Int64Array) = (longs(batch, "incarnation")?, longs(batch, "sequence")?);
    let numbers = id.split_once('/').and_then(|(a, b)| Some((a.parse::<i64>().ok()?, b.parse::<i64>().ok()?)));
    for row in 0..batch.num_rows() {
        let has_id = ids.is_valid(row) && ids.value(row) == id;
        let has_numbers = sequences.is_valid(row)
            && numbers.is_some_and(|numbers| numbers == (incarnations.value(row), sequences.value(row)));
        if has_id || has_numbers {
            found.push(Found {
                source: sources.value(row).to_owned(),
                partition: partitions.value(row).cast_unsigned(),
                offset: offsets.value(row).cast_unsigned(),
            });
        }
    }
    Ok(())
}
