//! `profiles`: who the parties are, as people. The one table that is changed
//! in place.
//!
//! Invariants: it is no part of the books, of no Merkle tree and of no ledger
//! version, so that what is deleted here changes no proof and no total; a
//! change that is reported as done is in the table, whoever else changes it at
//! once; and of a profile that was changed or deleted no older bytes are left,
//! neither in data files nor in the Delta log, which has no statistics of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use stempoint_schemas::profile::{Item, Profile, TABLE, TABLE_COMMENT, schema};
use stempoint_schemas::row::ColumnError;

use crate::ledger::LedgerError;
use crate::maintenance::{CompactionPlan, Schedule, maintain};
use crate::{Lake, ParquetEncoder, ReadOptions, Replaced, Snapshot, StoreError, Table, TableSpec, Tuning};

/// How often a change begins again because others were faster.
const CONFLICTS_MAX: usize = 1_000;
/// How often a read begins again because the files are gone that it read, and
/// a write because somebody removed what it was writing.
const GONE_MAX: usize = 20;
/// The wait before.
const GONE_WAIT: Duration = Duration::from_millis(5);

/// All profiles by party.
pub type All = BTreeMap<String, Profile>;

/// The table of profiles.
#[derive(Debug, Clone)]
pub struct Profiles {
    table: Table,
}

fn spec() -> TableSpec {
    TableSpec::new(TABLE, schema(), TABLE_COMMENT, &[])
}

impl Profiles {
    /// Opens the table, creating it if it is not there.
    ///
    /// # Errors
    /// Whatever is wrong with the table.
    pub async fn open_or_create(lake: &Lake) -> Result<Profiles, LedgerError> {
        Ok(Profiles { table: Table::open_or_create(lake, spec()).await? })
    }

    /// Opens the table if there is one.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub async fn open(lake: &Lake) -> Result<Option<Profiles>, LedgerError> {
        match Table::open(lake, spec()).await {
            Ok(table) => Ok(Some(Profiles { table })),
            Err(StoreError::NotATable { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// All profiles as they are now.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub async fn all(&self) -> Result<All, LedgerError> {
        Ok(self.read().await?.1)
    }

    /// Changes profiles, and removes what older versions of the table left.
    /// `change` is asked again where others were faster.
    ///
    /// # Errors
    /// If the table cannot be read or written; then the change may have been
    /// made, and old bytes may be there: do it again.
    pub async fn change<T>(&self, mut change: impl FnMut(&mut All) -> T) -> Result<T, LedgerError> {
        let mut failures = 0;
        for _ in 0..CONFLICTS_MAX {
            let (seen, before) = self.read().await?;
            let mut after = before.clone();
            let done = change(&mut after);
            if after == before && self.table.leftovers().await? == 0 {
                return Ok(done);
            }
            let file = ParquetEncoder::new(self.table.spec(), Tuning::Hot).encode(&[rows(&after)?])?;
            match self.table.replace(&seen, file).await {
                Ok(Replaced::Done) => return Ok(done),
                Ok(Replaced::Conflict) => {}
                // Another one removes what is not in the table, also what is being written.
                Err(StoreError::Storage { action: "write", .. }) if failures < GONE_MAX => {
                    failures += 1;
                    tokio::time::sleep(GONE_WAIT).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::TooManyConflicts { table: TABLE.to_owned(), attempts: CONFLICTS_MAX }.into())
    }

    /// Removes what a killed process left, and keeps the Delta log short.
    ///
    /// # Errors
    /// As [`Profiles::change`].
    pub async fn maintain(&self) -> Result<(), LedgerError> {
        if self.table.leftovers().await? > 0 {
            self.change(|_| ()).await?;
        }
        self.table.refresh().await?;
        maintain(&self.table, &CompactionPlan::new(&|_| false, &[], &[]), &Schedule::default()).await?;
        Ok(())
    }

    async fn read(&self) -> Result<(Arc<Snapshot>, All), LedgerError> {
        let mut failures = 0;
        loop {
            let snapshot = self.table.refresh().await?;
            match self.read_files(&snapshot) {
                Err(LedgerError::Store(StoreError::MissingFile { .. })) if failures < GONE_MAX => {
                    failures += 1;
                    tokio::time::sleep(GONE_WAIT).await;
                }
                read => return Ok((snapshot, read?)),
            }
        }
    }

    fn read_files(&self, snapshot: &Snapshot) -> Result<All, LedgerError> {
        let mut all = All::new();
        for file in snapshot.files() {
            for batch in self.table.read_file(file, &ReadOptions::default())? {
                restore(&batch?, &mut all)?;
            }
        }
        Ok(all)
    }
}

/// Profiles as rows of the table.
///
/// # Errors
/// None that can be met: the columns are as long as each other.
pub fn rows(all: &All) -> Result<RecordBatch, LedgerError> {
    let parties: StringArray = all.keys().map(Some).collect();
    let items = Item::ALL.map(|item| all.values().map(|profile| profile.get(item)).collect::<StringArray>());
    let columns = [parties].into_iter().chain(items).map(|column| Arc::new(column) as ArrayRef);
    Ok(RecordBatch::try_new(schema(), columns.collect())?)
}

fn restore(batch: &RecordBatch, all: &mut All) -> Result<(), LedgerError> {
    let column = |name: &str| {
        let column = batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<StringArray>());
        column.ok_or_else(|| LedgerError::from(ColumnError(name.to_owned())))
    };
    let parties = column("party")?;
    for item in Item::ALL {
        let values = column(item.name())?;
        for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
            all.entry(parties.value(row).to_owned()).or_default().restore(item, values.value(row));
        }
    }
    Ok(())
}
