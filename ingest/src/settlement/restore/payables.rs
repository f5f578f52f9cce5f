//! What providers were stated to have earned, from the table of statements.
//!
//! Invariant: they are taken up in the order in which they were issued.

use arrow::array::{Int32Array, RecordBatch, TimestampMicrosecondArray};
use stempoint_core::payables::ProviderStatement;
use stempoint_core::settlement::{Settlement, SettlementError};
use stempoint_schemas::row::typed;
use stempoint_schemas::tables::STATEMENTS;
use stempoint_schemas::time::Month;
use stempoint_store::ledger::Ledger;

use super::super::error::SettleError;
use super::receivables::{each_batch, each_row, money, needed};
use super::unexpected;

/// Takes up all statements below a control offset.
pub(super) fn payables(ledger: &Ledger, settlement: &mut Settlement, below: u64) -> Result<(), SettleError> {
    let mut rows: Vec<((u64, i32), ProviderStatement)> = Vec::new();
    each_batch(ledger, &STATEMENTS, |batch| {
        let lines = typed::<Int32Array>(batch, "line")?;
        each_row(batch, below, |offset, row| {
            rows.push(((offset, lines.value(row)), statement(batch, row, settlement)?));
            Ok(())
        })
    })?;
    rows.sort_by_key(|(place, _)| *place);
    for ((offset, _), statement) in rows {
        settlement.restore_statement(&statement).map_err(|source| SettlementError::Posting { offset, source })?;
    }
    Ok(())
}

fn statement(batch: &RecordBatch, row: usize, settlement: &mut Settlement) -> Result<ProviderStatement, SettleError> {
    let period = needed(batch, "period", row)?;
    Ok(ProviderStatement {
        number: needed(batch, "number", row)?,
        entity: needed(batch, "entity", row)?,
        provider: settlement.names_mut().intern(&needed(batch, "provider", row)?),
        currency: settlement.names_mut().intern(&needed(batch, "currency", row)?),
        period: Month::parse(&period).map_err(|_| unexpected(STATEMENTS.name, "period", &period))?,
        earned: money(batch, "earned", row)?,
        carried: money(batch, "carried", row)?,
        total: money(batch, "total", row)?,
        issued_us: typed::<TimestampMicrosecondArray>(batch, "issued_at")?.value(row),
    })
}
