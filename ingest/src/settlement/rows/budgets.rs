//! Budgets and alerts as record batches.
//!
//! Invariant 5: the batches are a function of the outcome alone.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use stempoint_core::budget::{Alert, BudgetOrder, Measure};
use stempoint_core::names::Name;
use stempoint_core::settlement::{Outcome, Settlement};
use stempoint_schemas::tables::{ALERTS, BUDGETS, Table};

use super::{coded, decimals, lines, names, texts, times};

/// The row of a budget that was set or ended.
pub(super) fn budget(
    settlement: &Settlement,
    outcome: &Outcome,
) -> Result<Option<(&'static Table, RecordBatch)>, ArrowError> {
    let Some((customer, order)) = &outcome.budget else { return Ok(None) };
    Ok(Some((&BUDGETS, set(settlement, outcome.control.offset, *customer, order)?)))
}

fn set(settlement: &Settlement, offset: u64, customer: Name, order: &BudgetOrder) -> Result<RecordBatch, ArrowError> {
    let budget = order.budget.as_ref();
    let limit = || std::iter::once(budget.map(|budget| &budget.limit));
    let from = budget.map(|budget| budget.from.to_string());
    let parts = |thresholds: &[u32]| thresholds.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let thresholds = budget.map(|budget| parts(&budget.thresholds));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![offset.cast_signed()])),
        names(settlement, std::iter::once(customer)),
        texts(std::iter::once(Some(order.name.as_str()))),
        texts(std::iter::once(from.as_deref())),
        texts(limit().map(|limit| limit.and_then(currency))),
        decimals(&BUDGETS, "amount", limit().map(|limit| limit.and_then(amount)))?,
        texts(limit().map(|limit| limit.and_then(meter))),
        decimals(&BUDGETS, "quantity", limit().map(|limit| limit.and_then(quantity)))?,
        texts(std::iter::once(thresholds.as_deref())),
    ];
    RecordBatch::try_new(BUDGETS.building_schema(), columns)
}

/// The rows of the thresholds that were reached.
pub(super) fn alerts(
    settlement: &Settlement,
    outcome: &Outcome,
) -> Result<Option<(&'static Table, RecordBatch)>, ArrowError> {
    let (alerts, offset) = (&outcome.alerts, outcome.control.offset);
    if alerts.is_empty() {
        return Ok(None);
    }
    let name = |line: usize| format!("alert-{offset}-{line}");
    let limits = || alerts.iter().map(|alert| &alert.limit);
    let totals = || alerts.iter().map(|alert| &alert.total);
    let long = |pick: fn(&Alert) -> i64| Int64Array::from_iter_values(alerts.iter().map(pick));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(offset.cast_signed(), alerts.len())),
        lines(alerts.len()),
        Arc::new(StringArray::from_iter_values((1..=alerts.len()).map(name))),
        times(alerts.iter().map(|_| outcome.control.recorded_us)),
        names(settlement, alerts.iter().map(|alert| alert.customer)),
        texts(alerts.iter().map(|alert| Some(alert.budget.as_str()))),
        Arc::new(long(|alert| alert.set_at.cast_signed())),
        coded(alerts.iter().map(|alert| Some(alert.period)), |period| period.to_string()),
        Arc::new(Int32Array::from_iter_values(alerts.iter().map(|alert| alert.threshold.cast_signed()))),
        texts(limits().map(currency)),
        decimals(&ALERTS, "amount_limit", limits().map(amount))?,
        decimals(&ALERTS, "amount", totals().map(amount))?,
        texts(limits().map(meter)),
        decimals(&ALERTS, "quantity_limit", limits().map(quantity))?,
        decimals(&ALERTS, "quantity", totals().map(quantity))?,
    ];
    Ok(Some((&ALERTS, RecordBatch::try_new(ALERTS.building_schema(), columns)?)))
}

fn currency(measure: &Measure) -> Option<&str> {
    match measure {
        Measure::Money { currency, .. } => Some(currency),
        Measure::Units { .. } => None,
    }
}

fn amount(measure: &Measure) -> Option<i128> {
    match measure {
        Measure::Money { amount, .. } => Some(amount.pico()),
        Measure::Units { .. } => None,
    }
}

fn meter(measure: &Measure) -> Option<&str> {
    match measure {
        Measure::Units { meter, .. } => Some(meter.name()),
        Measure::Money { .. } => None,
    }
}

fn quantity(measure: &Measure) -> Option<i128> {
    match measure {
        Measure::Units { quantity, .. } => Some(quantity.nano()),
        Measure::Money { .. } => None,
    }
}
