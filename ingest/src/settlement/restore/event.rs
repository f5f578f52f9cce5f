//! One usage event, read where it stands.
//!
//! Invariant: only files whose statistics can hold the place are read, so that
//! finding an event takes the time of one file, however long the log is.

use arrow::array::{Int64Array, RecordBatch, TimestampMicrosecondArray};
use stempoint_core::correction::{EventId, UsagePlace, UsageRow};
use stempoint_core::names::{Name, Names};
use stempoint_schemas::row::{ColumnError, typed};
use stempoint_schemas::tables::Table;
use stempoint_store::ReadOptions;
use stempoint_store::ledger::{Ledger, overlaps};

use super::super::aggregate::{Interned, METERED, Places, columns, each_counted};
use super::super::error::SettleError;
use super::receivables::text;

/// What the event is called, beside the columns that count it.
const IDENTITY: [&str; 4] = ["source", "id", "incarnation", "sequence"];

/// The metered event at a place, from the tables as they are known now.
pub fn find(ledger: &Ledger, place: UsagePlace) -> Result<Option<UsageRow>, SettleError> {
    let UsagePlace { partition, offset } = place;
    for table in METERED {
        let columns = [columns(table, true).as_slice(), &IDENTITY].concat();
        let stored = ledger.table(table);
        for file in stored.snapshot().files() {
            if !overlaps(file, partition, offset, offset.saturating_add(1)) {
                continue;
            }
            let options = ReadOptions { columns: Some(&columns), dictionaries: true, ..ReadOptions::default() };
            for batch in stored.read_file(file, &options)? {
                let batch = batch?;
                if let Some(row) = at(&batch, place)? {
                    return Ok(Some(read(table, &batch, row)?));
                }
            }
        }
    }
    Ok(None)
}

fn at(batch: &RecordBatch, place: UsagePlace) -> Result<Option<usize>, ColumnError> {
    let Some(places) = Places::of(batch)? else { return Ok(None) };
    Ok((0..batch.num_rows()).find(|row| places.get(*row) == (place.partition, place.offset)))
}

fn read(table: &Table, batch: &RecordBatch, row: usize) -> Result<UsageRow, ColumnError> {
    let mut names = Names::default();
    let source = Interned::new(batch, "source", &mut names)?.name(row);
    let mut found = None;
    each_counted((table, batch), &mut names, |at| at == row, |_, counted| found = Some(counted))?;
    let missing = |column: &str| ColumnError(column.to_owned());
    let counted = found.ok_or_else(|| missing("_offset"))?;
    let owned = |name: Name| names.text(name).map(str::to_owned);
    let number = |column: &str| Ok(typed::<Int64Array>(batch, column)?.value(row).cast_unsigned());
    let id = match text(batch, "id", row)? {
        Some(id) => EventId::Text(id),
        None => EventId::Number { incarnation: number("incarnation")?, sequence: number("sequence")? },
    };
    Ok(UsageRow {
        source: owned(source).ok_or_else(|| missing("source"))?,
        id,
        time_us: typed::<TimestampMicrosecondArray>(batch, "time")?.value(row),
        customer: owned(counted.customer).ok_or_else(|| missing("customer"))?,
        provider: owned(counted.provider).ok_or_else(|| missing("provider"))?,
        model: owned(counted.dimensions.model),
        gpu: owned(counted.dimensions.gpu),
        region: owned(counted.dimensions.region),
        quantities: counted.quantities,
    })
}
