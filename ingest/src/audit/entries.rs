//! The journal: every entry sums to zero per asset (3), and so does every
//! ledger version, because it consists of whole entries.

use arrow::array::{Array, Decimal128Array, Int32Array, Int64Array, StringArray};
use hashbrown::HashMap;
use stempoint_schemas::commit::Commit;
use stempoint_schemas::decimal;
use stempoint_schemas::money::AMOUNT_SCALE;
use stempoint_schemas::row::ColumnError;
use stempoint_schemas::tables::JOURNAL;
use stempoint_store::ReadOptions;
use stempoint_store::ledger::Ledger;

use super::{AuditError, Check};

/// Adds up every entry.
pub fn check(ledger: &Ledger, head: &Commit) -> Result<Check, AuditError> {
    let mut check = Check::new("entries balance");
    let mut sums: HashMap<(i64, i32, String), i128> = HashMap::new();
    let mut postings = 0u64;
    let table = ledger.table(&JOURNAL);
    for file in table.snapshot().files() {
        let columns = ["_offset", "entry", "asset", "amount"];
        let options = ReadOptions { columns: Some(&columns), ..ReadOptions::default() };
        for batch in table.read_file(file, &options)? {
            let batch = batch?;
            let column = |name: &str| batch.column_by_name(name).ok_or_else(|| ColumnError(name.to_owned()));
            let typed = |name: &str| ColumnError(name.to_owned());
            let offsets = column("_offset")?.as_any().downcast_ref::<Int64Array>().ok_or_else(|| typed("_offset"))?;
            let entries = column("entry")?.as_any().downcast_ref::<Int32Array>().ok_or_else(|| typed("entry"))?;
            let assets = column("asset")?.as_any().downcast_ref::<StringArray>().ok_or_else(|| typed("asset"))?;
            let amounts =
                column("amount")?.as_any().downcast_ref::<Decimal128Array>().ok_or_else(|| typed("amount"))?;
            for row in 0..batch.num_rows() {
                if offsets.value(row).cast_unsigned() >= head.control_offset {
                    continue;
                }
                postings += 1;
                let key = (offsets.value(row), entries.value(row), assets.value(row).to_owned());
                let sum = sums.entry(key).or_default();
                match sum.checked_add(amounts.value(row)) {
                    Some(total) => *sum = total,
                    None => check.problem(format!(
                        "the sum of entry {} of control event {} overflows",
                        entries.value(row),
                        offsets.value(row)
                    )),
                }
            }
        }
    }
    for ((offset, entry, asset), sum) in &sums {
        if *sum != 0 {
            check.problem(format!(
                "entry {entry} of control event {offset} sums to {} {asset}",
                decimal::format(*sum, AMOUNT_SCALE)
            ));
        }
    }
    check.figures = format!("{postings} postings in {} entries, each sums to zero", sums.len());
    Ok(check)
}
