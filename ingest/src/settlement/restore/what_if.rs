//! A what-if over the charges of a ledger version.
//!
//! Invariant: tables are read and nothing is written; the answer is of one
//! ledger version (6).

use std::collections::BTreeSet;

use stempoint_core::book::PriceBook;
use stempoint_core::settlement::what_if::{Difference, WhatIf};
use stempoint_schemas::commit::Commit;
use stempoint_schemas::tables::{CHARGES, CONTROL, CORRECTIONS, Table};
use stempoint_schemas::time::Month;
use stempoint_store::ledger::{Ledger, LedgerError};
use thiserror::Error;

use super::super::aggregate::METERED;
use super::super::error::SettleError;
use super::corrections::corrections;
use super::served::served;
use super::{each_charge, without_charges};

/// Charges that are rated together.
const CHARGES_TOGETHER: usize = 1 << 16;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum WhatIfError {
    /// The charges could not be read or rated.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// There is no such ledger version.
    #[error("there is no ledger version {version}; the latest one is {latest}")]
    NoVersion {
        /// The version.
        version: i64,
        /// The newest one.
        latest: i64,
    },
    /// Nothing is billed in the month.
    #[error("nothing is billed in {period} at ledger version {version}: {known}")]
    Nothing {
        /// The month.
        period: Month,
        /// The ledger version.
        version: i64,
        /// Which months there are.
        known: String,
    },
}

impl From<LedgerError> for WhatIfError {
    fn from(error: LedgerError) -> WhatIfError {
        WhatIfError::Settle(error.into())
    }
}

/// What a month would have cost had a book been put in force before the month
/// was closed, by the charges of a ledger version; the newest where none is
/// named. Gives the version too.
///
/// # Errors
/// [`WhatIfError`].
pub async fn what_if(
    ledger: &Ledger,
    version: Option<i64>,
    period: Month,
    book: PriceBook,
) -> Result<(i64, Difference), WhatIfError> {
    let commit = commit(ledger, version).await?;
    // After the version: what it shows is in the tables.
    refresh(ledger, &[&CONTROL, &CHARGES, &CORRECTIONS]).await?;
    let mut settlement = without_charges(ledger, commit.control_offset)?;
    corrections(ledger, &mut settlement, commit.control_offset)?;
    let mut what_if = WhatIf::new(&mut settlement, book, period);
    let (mut months, mut charges) = (BTreeSet::new(), Vec::new());
    each_charge(ledger, &mut settlement, 0..commit.control_offset, |settlement, charge| {
        months.insert(charge.key.period);
        if charge.key.period == period {
            charges.push(charge);
        }
        if charges.len() >= CHARGES_TOGETHER {
            what_if.add(settlement, &charges)?;
            charges.clear();
        }
        Ok(())
    })?;
    what_if.add(&settlement, &charges).map_err(SettleError::from)?;
    if let Some(filter) = what_if.served() {
        refresh(ledger, &METERED).await?;
        let served = served(ledger, filter)?;
        what_if.set_apart(&mut settlement, &served).map_err(SettleError::from)?;
    }
    if !months.contains(&period) {
        let known = known(&months);
        return Err(WhatIfError::Nothing { period, version: commit.version, known });
    }
    Ok((commit.version, what_if.finish(&settlement)))
}

async fn refresh(ledger: &Ledger, tables: &[&Table]) -> Result<(), WhatIfError> {
    for table in tables {
        ledger.table(table).refresh().await.map_err(SettleError::from)?;
    }
    Ok(())
}

async fn commit(ledger: &Ledger, version: Option<i64>) -> Result<Commit, WhatIfError> {
    let head = ledger.head().await?;
    let Some(version) = version else { return Ok(head) };
    let found = if (0..=head.version).contains(&version) { ledger.version(version).await? } else { None };
    found.ok_or(WhatIfError::NoVersion { version, latest: head.version })
}

fn known(months: &BTreeSet<Month>) -> String {
    match (months.first(), months.last()) {
        (Some(first), Some(last)) if first == last => format!("only {first} has usage that is settled"),
        (Some(first), Some(last)) => format!("usage is settled in {first} to {last}"),
        _ => "no usage is settled yet; send or import some, and run `stempoint invoice` or wait for settlement"
            .to_owned(),
    }
}
