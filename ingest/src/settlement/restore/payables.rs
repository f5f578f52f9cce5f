//! What providers were stated to have earned, and what they and customers did
//! not agree to, from the tables of statements and of disputes.
//!
//! Invariant: they are taken up in the order of their control events: a
//! statement carries what was accepted before it.

use arrow::array::{Int32Array, RecordBatch, TimestampMicrosecondArray};
use stempoint_core::charge::Side;
use stempoint_core::dispute::{Dispute, DisputeChange, DisputeStep};
use stempoint_core::payables::ProviderStatement;
use stempoint_core::posting::RoundingKey;
use stempoint_core::settlement::{Settlement, SettlementError};
use stempoint_core::usage::Dimensions;
use stempoint_schemas::row::typed;
use stempoint_schemas::tables::{DISPUTES, STATEMENTS};
use stempoint_schemas::time::Month;
use stempoint_store::ledger::Ledger;

use super::super::error::SettleError;
use super::receivables::{each_batch, each_row, money, needed, text};
use super::unexpected;

/// One row of either table.
enum Row {
    Statement(ProviderStatement),
    Dispute(DisputeChange),
}

/// Takes up all rows below a control offset, once the invoices are known.
pub(super) fn payables(ledger: &Ledger, settlement: &mut Settlement, below: u64) -> Result<(), SettleError> {
    // No event has rows of both tables.
    let mut rows: Vec<((u64, i32), Row)> = Vec::new();
    each_batch(ledger, &STATEMENTS, |batch| {
        let lines = typed::<Int32Array>(batch, "line")?;
        each_row(batch, below, |offset, row| {
            rows.push(((offset, lines.value(row)), Row::Statement(statement(batch, row, settlement)?)));
            Ok(())
        })
    })?;
    each_batch(ledger, &DISPUTES, |batch| {
        each_row(batch, below, |offset, row| {
            rows.push(((offset, 0), Row::Dispute(dispute(batch, row, settlement)?)));
            Ok(())
        })
    })?;
    rows.sort_by_key(|(place, _)| *place);
    for ((offset, _), row) in rows {
        match row {
            Row::Statement(statement) => settlement.restore_statement(&statement),
            Row::Dispute(change) => settlement.restore_dispute(&change),
        }
        .map_err(|source| SettlementError::Posting { offset, source })?;
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

fn dispute(batch: &RecordBatch, row: usize, settlement: &mut Settlement) -> Result<DisputeChange, SettleError> {
    let read = |column: &'static str| needed(batch, column, row);
    let bad = |column: &'static str, value: &str| unexpected(DISPUTES.name, column, value);
    let (step, side, period, price) = (read("step")?, read("side")?, read("period")?, read("price")?);
    let price = settlement.price_id(&price).ok_or_else(|| bad("price", &price))?;
    let names = settlement.names_mut();
    let mut dimension = |column| Ok::<_, SettleError>(names.intern_some(text(batch, column, row)?.as_deref()));
    let dimensions = Dimensions { model: dimension("model")?, gpu: dimension("gpu")?, region: dimension("region")? };
    let line = RoundingKey {
        side: Side::from_name(&side).ok_or_else(|| bad("side", &side))?,
        party: names.intern(&read("party")?),
        dimensions,
        price,
        period: Month::parse(&period).map_err(|_| bad("period", &period))?,
    };
    let amount = money(batch, "amount", row)?;
    let currency = names.intern(&read("currency")?);
    Ok(DisputeChange {
        dispute: Dispute { name: read("name")?, document: read("document")?, currency, line, amount },
        step: DisputeStep::from_name(&step).ok_or_else(|| bad("step", &step))?,
        amount,
        reason: read("reason")?,
    })
}
