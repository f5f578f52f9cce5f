//! Checking the books from the tables alone: invariants 1 to 4, 7 and 11.
//!
//! Invariant: a check recomputes what it checks from the rows; it never takes
//! a stored sum or hash for granted.

mod chain;
mod conservation;
mod entries;
mod files;
mod periods;
pub mod settlement_rows;
mod usage;

use std::path::Path;

use stempoint_schemas::commit::Commit;
use stempoint_schemas::tables;
use stempoint_store::ledger::Ledger;
use thiserror::Error;

use crate::dedup::DedupError;
use crate::settlement::SettleError;

/// Rows that a failed check names at most.
const ROWS_MAX: usize = 10;

/// Why an audit could not be finished.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The tables cannot be read.
    #[error(transparent)]
    Ledger(#[from] stempoint_store::ledger::LedgerError),
    /// A table cannot be read.
    #[error(transparent)]
    Store(#[from] stempoint_store::StoreError),
    /// A column is not as it must be.
    #[error("failed to read a table: {0}")]
    Column(#[from] stempoint_schemas::row::ColumnError),
    /// Settlement's tables cannot be read.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// The index that finds repeated identities failed.
    #[error(transparent)]
    Dedup(#[from] DedupError),
    /// The signed list of files cannot be used.
    #[error(transparent)]
    Manifest(#[from] stempoint_store::manifest::ManifestError),
}

/// One check and what it found.
#[derive(Debug, Clone)]
pub struct Check {
    /// What was checked, in a few words.
    pub name: &'static str,
    /// Figures, for people.
    pub figures: String,
    /// What is wrong, with the rows; nothing where all is well.
    pub problems: Vec<String>,
}

impl Check {
    fn new(name: &'static str) -> Check {
        Check { name, figures: String::new(), problems: Vec::new() }
    }

    /// Whether all is well.
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, problem: String) {
        if self.problems.len() < ROWS_MAX {
            self.problems.push(problem);
        } else if self.problems.len() == ROWS_MAX {
            self.problems.push("and more".to_owned());
        }
    }
}

/// Runs all checks at the newest ledger version. `scratch` is an empty folder
/// for files that are needed meanwhile; `manifest` is the folder of the signed
/// list of files; `progress` hears of each check.
pub async fn audit(
    ledger: &Ledger,
    scratch: &Path,
    manifest: &Path,
    mut progress: impl FnMut(&Check),
) -> Result<(Commit, Vec<Check>), AuditError> {
    let versions = ledger.versions(1).await?;
    for table in tables::ALL {
        ledger.table(table).refresh().await?;
    }
    let head = versions.last().cloned().unwrap_or_else(|| Commit::first(ledger.partitions(), 0));
    let mut checks = Vec::new();
    let mut done = |check: Check| {
        progress(&check);
        checks.push(check);
    };
    // First, because a damaged file may keep the other checks from their end.
    done(files::check(ledger, manifest).await?);
    done(chain::check(&versions, ledger.partitions()));
    for check in usage::check(ledger, &versions, &head, scratch)? {
        done(check);
    }
    done(conservation::check(ledger, &head)?);
    done(entries::check(ledger, &head)?);
    done(periods::check(ledger, &head)?);
    done(settlement_rows::check(ledger, &versions, &head)?);
    done(conservation::unrated(ledger, &head)?);
    Ok((head, checks))
}
