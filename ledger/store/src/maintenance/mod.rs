//! Keeping tables fast and small: merging files, checkpoints, cleaning the
//! log, removing files that nobody needs.
//!
//! One process maintains a table, on a schedule of its own and never inside
//! an append. Appends go on meanwhile.
//!
//! Invariant: maintenance changes no row and no fence.

mod checkpoint;
mod compact;
mod plan;
mod vacuum;

use std::time::Duration;

pub use checkpoint::{checkpoint, clean_log};
pub use compact::{Compacted, compact};
pub use plan::CompactionPlan;
pub use vacuum::{Vacuumed, vacuum};

use crate::error::StoreError;
use crate::table::Table;

/// How often what is done by [`maintain`].
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// A checkpoint is written when the newest is so many commits old.
    pub checkpoint_commits: u64,
    /// Log entries that a checkpoint covers are kept for so long, for readers
    /// that are slow and for people who look into the log.
    pub log_kept: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { checkpoint_commits: 200, log_kept: Duration::from_secs(3600) }
    }
}

/// What one round of maintenance did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Maintained {
    /// Merged files.
    pub compacted: Compacted,
    /// The version of the checkpoint that was written, if one was due.
    pub checkpoint: Option<u64>,
    /// How many files of the log were removed.
    pub log_files_removed: usize,
}

/// One round: merges files, and when a checkpoint is due writes it and cleans
/// the log. [`vacuum`] lists all files, so it has a slower schedule.
///
/// # Errors
/// As the steps; each of them can be repeated.
pub async fn maintain(table: &Table, plan: &CompactionPlan<'_>, schedule: &Schedule) -> Result<Maintained, StoreError> {
    let mut done = Maintained { compacted: compact(table, plan).await?, ..Maintained::default() };
    let version = table.snapshot().version();
    let newest = table.inner.reader.last_checkpoint().await?.map_or(0, |newest| newest.version);
    if version.saturating_sub(newest) >= schedule.checkpoint_commits {
        done.checkpoint = Some(checkpoint(table).await?);
        done.log_files_removed = clean_log(table, schedule.log_kept).await?;
    }
    Ok(done)
}
