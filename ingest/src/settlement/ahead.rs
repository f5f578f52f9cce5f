//! Usage that is added up before its settle event comes, so that handling the
//! event takes little time.
//!
//! Invariant: what was added up ahead is used only for exactly the rows that
//! the settle event names; otherwise they are added up anew.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use stempoint_core::usage::Usage;
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::ledger::{Ledger, bounds, overlaps};
use stempoint_store::{DataFile, ReadOptions};

use super::aggregate::{self, Aggregator, BATCH_ROWS, METERED};
use super::error::SettleError;

/// Rows that are added up in one step; between two of them control events are
/// handled.
const STEP_ROWS: u64 = 1_000_000;

/// When a settle event is due, if there are rows.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// After so many rows.
    pub rows: u64,
    /// After so many sums: they are the work that is left for the event.
    pub sums: usize,
    /// After so long.
    pub interval: Duration,
}

impl Default for Due {
    fn default() -> Due {
        Due { rows: 4_000_000, sums: 250_000, interval: Duration::from_secs(600) }
    }
}

/// Usage rows added up, as far as they are visible.
pub struct UsageAhead {
    ledger: Ledger,
    runtime: tokio::runtime::Handle,
    due: Due,
    /// The last ledger version whose rows were looked at.
    stepped_to: i64,
    sums: Option<Sums>,
    /// The last vector that was refused; asking for it again would be in vain.
    refused: Option<Watermarks>,
}

struct Sums {
    aggregator: Aggregator,
    since: Instant,
    busy: Duration,
    /// Whether the settle event for it is on the log.
    asked: bool,
}

impl UsageAhead {
    /// Nothing added up yet.
    pub fn new(ledger: &Ledger, runtime: &tokio::runtime::Handle, due: Due) -> UsageAhead {
        UsageAhead { ledger: ledger.clone(), runtime: runtime.clone(), due, stepped_to: 0, sums: None, refused: None }
    }

    /// Whether a settle event for what was added up was asked for.
    pub fn is_asked(&self) -> bool {
        self.sums.as_ref().is_some_and(|sums| sums.asked)
    }

    /// Takes note that a settle event was refused: a later one is due.
    pub fn refused(&mut self, to: &Watermarks) {
        self.refused = Some(to.clone());
        if let Some(sums) = &mut self.sums
            && sums.aggregator.to() == to
        {
            sums.asked = false;
        }
    }

    /// Adds up more of what is visible and not settled, with what is served to
    /// the customers of `apart` apart. Says whether there was anything to do.
    pub fn step(&mut self, settled: &Watermarks, apart: &BTreeSet<String>) -> Result<bool, SettleError> {
        // A new price book or currency can name more of them.
        self.sums.take_if(|sums| sums.aggregator.apart() != apart);
        let from = self.sums.as_ref().map_or_else(|| settled.clone(), |sums| sums.aggregator.to().clone());
        let to = self.next_vector(&from)?;
        if to == from {
            return Ok(false);
        }
        let started = Instant::now();
        let mut sums = self.sums.take().unwrap_or_else(|| Sums {
            aggregator: Aggregator::new(from, apart.clone()),
            since: started,
            busy: Duration::ZERO,
            asked: false,
        });
        sums.aggregator.extend_to(to);
        self.add_up(&mut sums.aggregator)?;
        sums.busy += started.elapsed();
        self.sums = Some(sums);
        Ok(true)
    }

    /// What is visible, or an earlier ledger version's vector where that is
    /// too far from `from` for one settle event. Between two versions a vector
    /// would cut files in two, and both parts would read them.
    fn next_vector(&mut self, from: &Watermarks) -> Result<Watermarks, SettleError> {
        let head = self.runtime.block_on(self.ledger.head())?;
        let visible = head.visible().merged(from);
        let rows_max = self.due.rows.min(STEP_ROWS);
        if head.version == self.stepped_to || rows_between(from, &visible) <= rows_max {
            self.stepped_to = head.version;
            return Ok(visible);
        }
        let mut to = from.clone();
        for version in self.runtime.block_on(self.ledger.versions(self.stepped_to + 1))? {
            let next = version.visible().merged(from);
            if to != *from && rows_between(from, &next) > rows_max {
                break;
            }
            to = next;
            self.stepped_to = version.version;
        }
        Ok(to)
    }

    /// The vector to settle up to, if enough was added up or has waited long
    /// enough.
    pub fn ask_if_due(&mut self) -> Option<Watermarks> {
        let (due, sums) = (&self.due, self.sums.as_mut()?);
        let is_due = sums.aggregator.rows() >= due.rows
            || sums.aggregator.sums() >= due.sums
            || sums.since.elapsed() >= due.interval;
        if sums.asked || !is_due || self.refused.as_ref() == Some(sums.aggregator.to()) {
            return None;
        }
        sums.asked = true;
        Some(sums.aggregator.to().clone())
    }

    /// The usage between two vectors: added up ahead if that fits, else now.
    /// Says how long adding up ahead took.
    pub fn take(
        &mut self,
        (from, to): (&Watermarks, &Watermarks),
        apart: &BTreeSet<String>,
    ) -> Result<(Usage, Duration), SettleError> {
        let fits = |aggregator: &Aggregator| {
            aggregator.start() == from && to.covers(aggregator.to()) && aggregator.apart() == apart
        };
        let (mut aggregator, busy) = match self.sums.take().filter(|sums| fits(&sums.aggregator)) {
            Some(sums) => (sums.aggregator, sums.busy),
            None => (Aggregator::new(from.clone(), apart.clone()), Duration::ZERO),
        };
        if aggregator.to() != to {
            aggregator.extend_to(to.clone());
            self.add_up(&mut aggregator)?;
        }
        Ok((aggregator.finish(), busy))
    }

    fn add_up(&self, aggregator: &mut Aggregator) -> Result<(), SettleError> {
        let (from, to) = (aggregator.from().clone(), aggregator.to().clone());
        for table in METERED {
            let stored = self.ledger.table(table);
            self.runtime.block_on(stored.refresh())?;
            for file in stored.snapshot().files() {
                if !to.iter().any(|(partition, end)| overlaps(file, partition, from.get(partition), end)) {
                    continue;
                }
                let columns = aggregate::columns(table, !is_within(file, &from, &to));
                let options = ReadOptions { columns: Some(&columns), dictionaries: true, batch_rows: BATCH_ROWS };
                for batch in stored.read_file(file, &options)? {
                    aggregator.add(table, &batch?)?;
                }
            }
        }
        Ok(())
    }
}

/// How many records lie between two vectors, gaps between offsets included.
fn rows_between(from: &Watermarks, to: &Watermarks) -> u64 {
    to.iter().map(|(partition, offset)| offset.saturating_sub(from.get(partition))).sum()
}

/// Whether all rows of a file lie in [from, to).
fn is_within(file: &DataFile, from: &Watermarks, to: &Watermarks) -> bool {
    let unsigned = |(first, last): (i64, i64)| Some((u64::try_from(first).ok()?, u64::try_from(last).ok()?));
    let (Some((partition, last_partition)), Some((first, last))) =
        (unsigned(bounds(file, "_partition")), unsigned(bounds(file, "_offset")))
    else {
        return false;
    };
    let Ok(partition) = u32::try_from(partition) else { return false };
    u64::from(partition) == last_partition && first >= from.get(partition) && last < to.get(partition)
}
