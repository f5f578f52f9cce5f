//! Closed months: nothing is billed in them after they were closed (7).

use std::collections::BTreeMap;

use arrow::array::{Int64Array, StringArray};
use stempoint_core::control::{Act, applied_from_proto};
use stempoint_core::settlement::Answer;
use stempoint_schemas::commit::Commit;
use stempoint_schemas::proto::ControlEvent;
use stempoint_schemas::row::typed;
use stempoint_schemas::tables::{CHARGES, JOURNAL, PERIODS, Table};
use stempoint_schemas::time::Month;
use stempoint_store::ReadOptions;
use stempoint_store::ledger::{Ledger, bounds};

use super::{AuditError, Check};
use crate::settlement::control_rows;

/// By control offset, the month that the event there closed.
type Closed = BTreeMap<u64, Month>;

/// Looks for charges and postings that came into a closed month.
pub fn check(ledger: &Ledger, head: &Commit) -> Result<Check, AuditError> {
    let mut check = Check::new("closed months");
    let closed = closed_by_events(ledger, head)?;
    let mut rows = 0;
    for table in [&CHARGES, &JOURNAL, &PERIODS] {
        rows += look_for_late_rows(ledger, head, table, &closed, &mut check)?;
    }
    check.figures = match closed.values().max() {
        Some(last) => format!("{} closed, the last one {last}; {rows} later rows, none in them", closed.len()),
        None => "none".to_owned(),
    };
    Ok(check)
}

/// From the events themselves, which do not depend on what was made of them.
fn closed_by_events(ledger: &Ledger, head: &Commit) -> Result<Closed, AuditError> {
    let mut closed = Closed::new();
    for row in control_rows(ledger, head.control_offset)? {
        if row.answer != Answer::Applied {
            continue;
        }
        let event: Option<ControlEvent> = prost::Message::decode(&row.raw[..]).ok();
        if let Some(Ok(Act::Closed { period, .. })) = event.as_ref().map(applied_from_proto) {
            closed.insert(row.offset, period);
        }
    }
    Ok(closed)
}

/// Gives the number of rows that came after a month was closed.
fn look_for_late_rows(
    ledger: &Ledger,
    head: &Commit,
    table: &'static Table,
    closed: &Closed,
    check: &mut Check,
) -> Result<u64, AuditError> {
    let Some(&first) = closed.keys().next() else { return Ok(0) };
    let stored = ledger.table(table);
    let mut rows = 0;
    for file in stored.snapshot().files() {
        if bounds(file, "_offset").1 <= first.cast_signed() {
            continue;
        }
        let options = ReadOptions { columns: Some(&["_offset", "period"]), ..ReadOptions::default() };
        for batch in stored.read_file(file, &options)? {
            let batch = batch?;
            let (offsets, periods): (Int64Array, StringArray) = (typed(&batch, "_offset")?, typed(&batch, "period")?);
            for row in 0..batch.num_rows() {
                let offset = offsets.value(row).cast_unsigned();
                let last = closed.range(..offset).next_back().map(|(_, month)| *month);
                let (Some(last), true) = (last, offset < head.control_offset) else { continue };
                rows += 1;
                if Month::parse(periods.value(row)).is_ok_and(|period| period <= last) {
                    check.problem(format!(
                        "{}: control event {offset} has a row in {}, when {last} was closed",
                        table.name,
                        periods.value(row)
                    ));
                }
            }
        }
    }
    Ok(rows)
}
