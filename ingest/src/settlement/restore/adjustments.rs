//! What charge models added to linear amounts, from the journal.
//!
//! Invariant: the postings of a customer's account that have a price row and
//! no quantity are adjustments, and only they are.

use std::ops::Range;

use arrow::array::{Array, Decimal128Array, Int64Array, StringArray};
use stempoint_core::settlement::Settlement;
use stempoint_schemas::money::Amount;
use stempoint_schemas::row::typed;
use stempoint_schemas::tables::JOURNAL;
use stempoint_schemas::time::Month;
use stempoint_store::ReadOptions;
use stempoint_store::ledger::{Ledger, bounds};

use super::super::error::SettleError;
use super::unexpected;

/// Takes up all adjustments of a range of control offsets. Nothing is read
/// where no book ever had a price that is not linear.
pub(super) fn adjustments(ledger: &Ledger, settlement: &mut Settlement, range: Range<u64>) -> Result<(), SettleError> {
    if settlement.books().are_linear() {
        return Ok(());
    }
    let table = ledger.table(&JOURNAL);
    let columns = ["_offset", "account", "asset", "amount", "period", "price", "quantity"];
    for file in table.snapshot().files() {
        let (first, last) = bounds(file, "_offset");
        if first >= range.end.cast_signed() || last < range.start.cast_signed() {
            continue;
        }
        for batch in table.read_file(file, &ReadOptions { columns: Some(&columns), ..ReadOptions::default() })? {
            let batch = batch?;
            let offsets = typed::<Int64Array>(&batch, "_offset")?;
            let [accounts, assets, periods, prices] =
                ["account", "asset", "period", "price"].map(|name| typed::<StringArray>(&batch, name));
            let (accounts, assets, periods, prices) = (accounts?, assets?, periods?, prices?);
            let amounts = typed::<Decimal128Array>(&batch, "amount")?;
            let quantities = typed::<Decimal128Array>(&batch, "quantity")?;
            for row in 0..batch.num_rows() {
                let is_adjustment = prices.is_valid(row) && quantities.is_null(row);
                let customer = accounts.value(row).strip_prefix("customer/");
                let Some(customer) = customer.and_then(|account| account.strip_suffix("/receivable")) else { continue };
                if !is_adjustment || !range.contains(&offsets.value(row).cast_unsigned()) {
                    continue;
                }
                let period = Month::parse(periods.value(row))
                    .map_err(|_| unexpected(JOURNAL.name, "period", periods.value(row)))?;
                let names = settlement.names_mut();
                let holder = (names.intern(customer), names.intern(assets.value(row)));
                settlement.restore_adjustment(holder, period, Amount::from_pico(amounts.value(row))?)?;
            }
        }
    }
    Ok(())
}
