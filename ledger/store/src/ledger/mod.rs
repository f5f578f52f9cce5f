//! The ledger's tables in one lake, and its head: the newest row of
//! `commits`, which says what is visible.
//!
//! Invariants: a row of `commits` is built on the head that it follows, or
//! built anew after a conflict, so that versions form one chain (11); what is
//! visible never shrinks.

mod error;
mod rows;

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use stempoint_schemas::commit::Commit;
use stempoint_schemas::tables::{self, COMMITS};

use crate::crash::crash_point;
use crate::{AppendedAt, DataFile, Lake, ParquetEncoder, ReadOptions, Stat, Table, TableSpec, Tuning};

pub use error::LedgerError;
pub use rows::{LogRows, RowOutcome, UsageRow, bounds, overlaps};

/// How often a row of `commits` is built anew after another writer was first.
const CONFLICTS_MAX: usize = 1_000;

/// The ledger: all its tables, opened.
#[derive(Debug, Clone)]
pub struct Ledger {
    lake: Lake,
    tables: Arc<Vec<Table>>,
    partitions: usize,
    head: Arc<tokio::sync::Mutex<Head>>,
}

/// The newest ledger version that this process knows.
#[derive(Debug)]
struct Head {
    commit: Commit,
    /// The version of the Delta log of `commits` at which it was the newest.
    /// Others may have read the table's log further since.
    at: u64,
}

/// The specification of a table for the store.
pub fn spec(table: &'static tables::Table) -> TableSpec {
    TableSpec::new(table.name, table.schema(), table.comment, table.statistics)
}

impl Ledger {
    /// Opens the ledger in a folder of this machine; creates it for so many
    /// partitions of the usage topic if it is not there.
    ///
    /// # Errors
    /// [`LedgerError::Partitions`] if it was created for another number, and
    /// whatever is wrong with the tables.
    pub async fn open_or_create(folder: &Path, partitions: usize) -> Result<Ledger, LedgerError> {
        let lake = Lake::open_local(folder)?;
        let mut opened = Vec::with_capacity(tables::ALL.len());
        for table in tables::ALL {
            opened.push(Table::open_or_create(&lake, spec(table)).await?);
        }
        let ledger = Ledger::new(lake, opened, partitions);
        let head = ledger.head().await?;
        if head.shards.len() != partitions {
            return Err(LedgerError::Partitions { ledger: head.shards.len(), log: partitions });
        }
        Ok(ledger)
    }

    /// Opens a ledger that must be there.
    ///
    /// # Errors
    /// [`LedgerError::NoLedger`] if it is not.
    pub async fn open(folder: &Path) -> Result<Ledger, LedgerError> {
        if !folder.join(COMMITS.name).join("_delta_log").is_dir() {
            return Err(LedgerError::NoLedger(folder.to_owned()));
        }
        let lake = Lake::open_local(folder)?;
        let mut opened = Vec::with_capacity(tables::ALL.len());
        for table in tables::ALL {
            opened.push(Table::open(&lake, spec(table)).await?);
        }
        let mut ledger = Ledger::new(lake, opened, 0);
        ledger.partitions = ledger.head().await?.shards.len();
        Ok(ledger)
    }

    fn new(lake: Lake, tables: Vec<Table>, partitions: usize) -> Ledger {
        let head = Arc::new(tokio::sync::Mutex::new(Head { commit: Commit::first(partitions, 0), at: 0 }));
        Ledger { lake, tables: Arc::new(tables), partitions, head }
    }

    /// The lake that holds the tables.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// How many partitions the usage topic has.
    pub fn partitions(&self) -> usize {
        self.partitions
    }

    /// A table of the ledger.
    pub fn table(&self, table: &tables::Table) -> &Table {
        let index = tables::ALL.iter().position(|t| t.name == table.name).unwrap_or_default();
        &self.tables[index]
    }

    /// The newest ledger version, read now.
    pub async fn head(&self) -> Result<Commit, LedgerError> {
        let mut head = self.head.lock().await;
        self.refresh(&mut head).await?;
        Ok(head.commit.clone())
    }

    async fn refresh(&self, head: &mut Head) -> Result<(), LedgerError> {
        let commits = self.table(&COMMITS);
        let snapshot = commits.refresh().await?;
        let newest = snapshot.files().filter_map(|file| Some((version_bound(file)?, file))).max_by_key(|(v, _)| *v);
        if let Some((version, file)) = newest
            && version > head.commit.version
        {
            let row = self.read_commits(file)?.into_iter().max_by_key(|commit| commit.version);
            head.commit = row.ok_or_else(|| LedgerError::EmptyCommit(file.path.clone()))?;
        }
        head.at = snapshot.version();
        Ok(())
    }

    /// All ledger versions from `first` on, in order.
    pub async fn versions(&self, first: i64) -> Result<Vec<Commit>, LedgerError> {
        let snapshot = self.table(&COMMITS).refresh().await?;
        let mut commits = Vec::new();
        for file in snapshot.files().filter(|file| version_bound(file).is_none_or(|last| last >= first)) {
            commits.extend(self.read_commits(file)?.into_iter().filter(|commit| commit.version >= first));
        }
        commits.sort_by_key(|commit| commit.version);
        Ok(commits)
    }

    /// One ledger version; `None` where there is no such version.
    pub async fn version(&self, version: i64) -> Result<Option<Commit>, LedgerError> {
        if version == 0 {
            return Ok(Some(Commit::first(self.partitions, 0)));
        }
        let snapshot = self.table(&COMMITS).refresh().await?;
        for file in snapshot.files() {
            let (first, last) = bounds(file, "version");
            if (first..=last).contains(&version)
                && let Some(commit) = self.read_commits(file)?.into_iter().find(|commit| commit.version == version)
            {
                return Ok(Some(commit));
            }
        }
        Ok(None)
    }

    fn read_commits(&self, file: &DataFile) -> Result<Vec<Commit>, LedgerError> {
        let mut commits = Vec::new();
        for batch in self.table(&COMMITS).read_file(file, &ReadOptions::default())? {
            for (commit, hash) in Commit::from_batch(&batch?)? {
                if commit.hash() != hash {
                    return Err(LedgerError::BrokenHash { version: commit.version });
                }
                commits.push(commit);
            }
        }
        Ok(commits)
    }

    /// Appends the ledger version that `change` makes of the head. `change`
    /// is called again on each new head; `None` means that nothing is left to
    /// do. Returns the head as it then is.
    pub async fn advance(&self, mut change: impl FnMut(&mut Commit) -> bool) -> Result<Commit, LedgerError> {
        let commits = self.table(&COMMITS);
        let encoder = ParquetEncoder::new(commits.spec(), Tuning::Hot);
        let mut head = self.head.lock().await;
        for _ in 0..CONFLICTS_MAX {
            let at = head.at + 1;
            let mut next = head.commit.following(now_us());
            if !change(&mut next) {
                return Ok(head.commit.clone());
            }
            crash_point("ledger.commit.before");
            let file = commits.put_file(encoder.encode(&[next.to_batch()?])?).await?;
            if commits.append_at(at, vec![file], &[]).await? == AppendedAt::Done {
                crash_point("ledger.commit.after");
                *head = Head { commit: next, at };
                return Ok(head.commit.clone());
            }
            self.refresh(&mut head).await?;
        }
        Err(LedgerError::Conflicts)
    }
}

fn version_bound(file: &DataFile) -> Option<i64> {
    match file.max("version") {
        Some(Stat::Int(version)) => Some(*version),
        _ => None,
    }
}

/// The writer's clock, for people only.
pub(crate) fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
