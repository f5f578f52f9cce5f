//! What some customers were served, from the usage tables.
//!
//! Invariant 2: the sums are of the same rows and quantities as those that were
//! settled.

use hashbrown::{HashMap, HashSet};
use stempoint_core::correction::UsagePlace;
use stempoint_core::names::{Name, Names};
use stempoint_core::usage::{Dimensions, Served, ServedCell, ServedFilter};
use stempoint_schemas::time::Hour;
use stempoint_store::ReadOptions;
use stempoint_store::ledger::{Ledger, overlaps};

use super::super::aggregate::{BATCH_ROWS, Counted, METERED, Places, columns, each_counted};
use super::super::error::SettleError;

/// Sums by all that a [`ServedCell`] says but its quantities.
type Sums = HashMap<(Name, Name, Dimensions, Hour, usize), ServedCell, foldhash::fast::RandomState>;

/// The sums, from the tables as they are known now.
pub fn served(ledger: &Ledger, filter: &ServedFilter) -> Result<Served, SettleError> {
    let mut names = Names::default();
    let customers: HashSet<Name> = filter.customers.iter().map(|customer| names.intern(customer)).collect();
    let mut sums = Sums::default();
    for table in METERED {
        let stored = ledger.table(table);
        let columns = columns(table, true);
        for file in stored.snapshot().files() {
            if !filter.to.iter().any(|(partition, end)| overlaps(file, partition, 0, end)) {
                continue;
            }
            let options = ReadOptions { columns: Some(&columns), dictionaries: true, batch_rows: BATCH_ROWS };
            for batch in stored.read_file(file, &options)? {
                let batch = batch?;
                let Some(places) = Places::of(&batch)? else { continue };
                each_counted(
                    (table, &batch),
                    &mut names,
                    |_| true,
                    |row, counted| {
                        let (partition, offset) = places.get(row);
                        if !customers.contains(&counted.customer) {
                            return;
                        }
                        if let Some(cut) = filter.cut_of(UsagePlace { partition, offset }, counted.hour) {
                            add(&mut sums, counted, cut);
                        }
                    },
                )?;
            }
        }
    }
    Ok(Served { names, cells: sums.into_values().collect() })
}

fn add(sums: &mut Sums, counted: Counted, cut: usize) {
    let Counted { customer, provider, dimensions, hour, quantities } = counted;
    let empty = ServedCell { customer, provider, dimensions, hour, cut, quantities: Default::default() };
    let cell = sums.entry((customer, provider, dimensions, hour, cut)).or_insert(empty);
    for (sum, quantity) in cell.quantities.iter_mut().zip(quantities) {
        *sum += quantity;
    }
}
