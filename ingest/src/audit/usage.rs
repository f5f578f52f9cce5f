//! The rows of the ingest tables: each record once and in one table (1), the
//! counts (2), and the Merkle trees at every ledger version (4 and 11).

use std::path::Path;

use hashbrown::HashMap;
use stempoint_schemas::commit::{Commit, Counts, Shard};
use stempoint_schemas::hash::{self, Tree};
use stempoint_store::ledger::{Ledger, LogRows, RowOutcome};

use super::{AuditError, Check};
use crate::dedup::{Candidate, IndexOptions, ShardIndex, Verdict};
use crate::fold::candidate;

/// Rows that are looked up together.
const LOOK_UP: usize = 65_536;

/// Checks all partitions in one pass over the rows.
pub fn check(ledger: &Ledger, versions: &[Commit], head: &Commit, scratch: &Path) -> Result<Vec<Check>, AuditError> {
    let mut once = Check::new("exactly once");
    let mut counted = Check::new("conservation of records");
    let mut unchanged = Check::new("rows unchanged");
    let mut totals = Counts::default();
    let mut roots = 0usize;
    for (partition, shard) in head.shards.iter().enumerate() {
        let partition = u32::try_from(partition).unwrap_or(u32::MAX);
        let mut walk = Walk {
            partition,
            tree: Tree::default(),
            counts: Counts::default(),
            expected: expected(versions, partition),
            last_good: 0,
            last_offset: None,
            index: ShardIndex::open_empty(&scratch.join(partition.to_string()), &IndexOptions::default())?,
            waiting: Vec::new(),
            verdicts: Vec::new(),
            originals: originals(ledger, partition, shard.watermark)?,
        };
        walk.run(ledger, shard.watermark, &mut once, &mut unchanged)?;
        roots += walk.expected.len();
        if walk.counts != shard.counts {
            counted.problem(format!(
                "partition {partition}: the tables have {:?}, commits says {:?}",
                walk.counts, shard.counts
            ));
        }
        let sum = walk.counts.accepted + walk.counts.duplicate + walk.counts.rejected;
        if walk.counts.received != sum {
            counted
                .problem(format!("partition {partition}: received {} but {sum} have an outcome", walk.counts.received));
        }
        totals.received += walk.counts.received;
        totals.accepted += walk.counts.accepted;
        totals.duplicate += walk.counts.duplicate;
        totals.rejected += walk.counts.rejected;
    }
    once.figures = format!("{} identities, none twice", totals.accepted);
    counted.figures = format!(
        "received {} = accepted {} + duplicate {} + rejected {}",
        totals.received, totals.accepted, totals.duplicate, totals.rejected
    );
    unchanged.figures = format!("{} rows, {roots} Merkle roots", totals.received);
    Ok(vec![once, counted, unchanged])
}

/// The tree that each ledger version says a partition had, by size.
fn expected(versions: &[Commit], partition: u32) -> Vec<(i64, Shard)> {
    let mut expected: Vec<(i64, Shard)> = Vec::new();
    for commit in versions {
        let Some(shard) = commit.shards.get(partition as usize) else { continue };
        if expected.last().is_none_or(|(_, last)| last.watermark != shard.watermark) && shard.watermark > 0 {
            expected.push((commit.version, shard.clone()));
        }
    }
    expected
}

/// The offsets that rows of `duplicates` point at.
fn originals(ledger: &Ledger, partition: u32, watermark: u64) -> Result<HashMap<u64, bool>, AuditError> {
    let mut originals = HashMap::new();
    let mut rows = LogRows::duplicates(ledger, partition, watermark);
    while rows.next(|row| {
        if let RowOutcome::Duplicate { original } = row.outcome {
            originals.insert(original, false);
        }
    })? {}
    Ok(originals)
}

struct Walk {
    partition: u32,
    tree: Tree,
    counts: Counts,
    expected: Vec<(i64, Shard)>,
    last_good: usize,
    last_offset: Option<u64>,
    index: ShardIndex,
    waiting: Vec<Candidate>,
    verdicts: Vec<Verdict>,
    originals: HashMap<u64, bool>,
}

impl Walk {
    fn run(
        &mut self,
        ledger: &Ledger,
        watermark: u64,
        once: &mut Check,
        unchanged: &mut Check,
    ) -> Result<(), AuditError> {
        let mut rows = LogRows::new(ledger, self.partition, 0, watermark, false);
        let mut buffer = Vec::new();
        let mut next_root = 0;
        let mut repeated = None;
        loop {
            let more = rows.next(|row| {
                if self.last_offset == Some(row.offset) {
                    repeated = Some((row.offset, row.table));
                }
                self.last_offset = Some(row.offset);
                next_root = self.compare_roots(next_root, row.offset, unchanged);
                self.count(&row, &mut buffer, once);
            })?;
            if let Some((offset, table)) = repeated.take() {
                once.problem(format!("partition {}: offset {offset} has a second row, in {table}", self.partition));
            }
            if self.waiting.len() >= LOOK_UP || !more {
                self.look_up(once)?;
            }
            if !more {
                break;
            }
        }
        self.compare_roots(next_root, u64::MAX, unchanged);
        Ok(())
    }

    fn count(&mut self, row: &stempoint_store::ledger::UsageRow<'_>, buffer: &mut Vec<u8>, once: &mut Check) {
        self.counts.received += 1;
        let source = row.source.unwrap_or_default();
        match &row.outcome {
            RowOutcome::Accepted(event) => {
                self.counts.accepted += 1;
                if let Some(found) = self.originals.get_mut(&row.offset) {
                    *found = true;
                }
                let content = row.content_hash(buffer);
                self.waiting.push(candidate(hash::source_hash(source.as_bytes()), source, event, row.offset, &content));
            }
            RowOutcome::Duplicate { original } => {
                self.counts.duplicate += 1;
                if self.originals.get(original) != Some(&true) {
                    once.problem(format!(
                        "partition {}: offset {} repeats offset {original}, where there is no accepted event before it",
                        self.partition, row.offset
                    ));
                }
            }
            RowOutcome::Rejected { .. } => self.counts.rejected += 1,
        }
        self.tree.push(row.leaf(self.partition, buffer));
    }

    /// Compares the tree with what ledger versions say of it, before the row
    /// at `offset` is added. Returns the next version to compare with.
    fn compare_roots(&mut self, mut next: usize, offset: u64, unchanged: &mut Check) -> usize {
        while let Some((version, shard)) = self.expected.get(next) {
            if offset < shard.watermark {
                break;
            }
            if self.tree != shard.tree || self.counts != shard.counts {
                let from = if self.last_good == 0 { 0 } else { self.expected[self.last_good - 1].1.watermark };
                unchanged.problem(format!(
                    "partition {}: the rows of offsets {from} to {} are not those of ledger version {version}",
                    self.partition,
                    shard.watermark.saturating_sub(1)
                ));
                // Every later root differs too; the first one names the rows.
                return self.expected.len();
            }
            next += 1;
            self.last_good = next;
        }
        next
    }

    fn look_up(&mut self, once: &mut Check) -> Result<(), AuditError> {
        self.index.check_batch(&self.waiting, &mut self.verdicts)?;
        for (candidate, verdict) in self.waiting.iter().zip(&self.verdicts) {
            if let Verdict::Duplicate { original } | Verdict::Conflict { original } = verdict {
                once.problem(format!(
                    "partition {}: offsets {original} and {} are accepted with one identity",
                    self.partition, candidate.offset
                ));
            }
        }
        if let Some(last) = self.waiting.last() {
            self.index.committed(last.offset + 1)?;
        }
        self.waiting.clear();
        Ok(())
    }
}
