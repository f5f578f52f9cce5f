//! Alerts read back from their table: what was crossed already, and what is to
//! be told to those who asked for it.

use arrow::array::{Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use stempoint_core::budget::{Alert, Measure};
use stempoint_core::settlement::Settlement;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::{Amount, Quantity};
use stempoint_schemas::row::typed;
use stempoint_schemas::tables::ALERTS;
use stempoint_schemas::time::Month;
use stempoint_store::ReadOptions;
use stempoint_store::ledger::{Ledger, bounds};

use super::super::error::SettleError;
use super::receivables::{needed, text};
use super::unexpected;

/// Where a row of `alerts` stands: control offset and line.
pub type AlertPlace = (u64, i32);

/// A row of `alerts` as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAlert {
    /// Its control event and line.
    pub place: AlertPlace,
    /// Its name, for example `alert-12-1`.
    pub name: String,
    /// When the log recorded the control event, microseconds.
    pub recorded_us: i64,
    /// Whose usage reached the threshold.
    pub customer: String,
    /// The budget's name.
    pub budget: String,
    /// The control event that set the limit.
    pub set_at: u64,
    /// The billing period.
    pub period: Month,
    /// The threshold (per cent of the limit).
    pub threshold: u32,
    /// The limit.
    pub limit: Measure,
    /// The period's total.
    pub total: Measure,
}

/// The rows of `alerts` after a place and below a control offset, in order, as
/// the table is known now.
///
/// # Errors
/// [`SettleError`] where the table cannot be read.
pub fn stored_alerts(ledger: &Ledger, after: Option<AlertPlace>, below: u64) -> Result<Vec<StoredAlert>, SettleError> {
    let table = ledger.table(&ALERTS);
    let mut alerts = Vec::new();
    for file in table.snapshot().files() {
        let (first, last) = bounds(file, "_offset");
        let is_known = after.is_some_and(|(offset, _)| last < offset.cast_signed());
        if is_known || first >= below.cast_signed() {
            continue;
        }
        for batch in table.read_file(file, &ReadOptions::default())? {
            let batch = batch?;
            let offsets = typed::<Int64Array>(&batch, "_offset")?;
            let lines = typed::<Int32Array>(&batch, "line")?;
            for row in 0..batch.num_rows() {
                let place = (offsets.value(row).cast_unsigned(), lines.value(row));
                if place.0 < below && after.is_none_or(|after| place > after) {
                    alerts.push(alert(&batch, row, place)?);
                }
            }
        }
    }
    alerts.sort_by_key(|alert| alert.place);
    Ok(alerts)
}

/// Takes up all alerts below a control offset.
pub(super) fn alerts(ledger: &Ledger, settlement: &mut Settlement, below: u64) -> Result<(), SettleError> {
    for stored in stored_alerts(ledger, None, below)? {
        let alert = Alert {
            customer: settlement.names_mut().intern(&stored.customer),
            budget: stored.budget,
            set_at: stored.set_at,
            period: stored.period,
            threshold: stored.threshold,
            limit: stored.limit,
            total: stored.total,
        };
        settlement.restore_alert(&alert);
    }
    Ok(())
}

fn alert(batch: &RecordBatch, row: usize, place: AlertPlace) -> Result<StoredAlert, SettleError> {
    let period = needed(batch, "period", row)?;
    Ok(StoredAlert {
        place,
        name: needed(batch, "alert", row)?,
        recorded_us: typed::<TimestampMicrosecondArray>(batch, "recorded_at")?.value(row),
        customer: needed(batch, "customer", row)?,
        budget: needed(batch, "budget", row)?,
        set_at: typed::<Int64Array>(batch, "set_at")?.value(row).cast_unsigned(),
        period: Month::parse(&period).map_err(|_| unexpected(ALERTS.name, "period", &period))?,
        threshold: typed::<Int32Array>(batch, "threshold")?.value(row).cast_unsigned(),
        limit: measure(batch, row, ("amount_limit", "quantity_limit"))?,
        total: measure(batch, row, ("amount", "quantity"))?,
    })
}

/// Money where the row has a currency, else units of its meter.
fn measure(
    batch: &RecordBatch,
    row: usize,
    (money, units): (&'static str, &'static str),
) -> Result<Measure, SettleError> {
    let number = |column: &'static str| -> Result<i128, SettleError> {
        let column = typed::<Decimal128Array>(batch, column)?;
        if column.is_null(row) { Err(unexpected(ALERTS.name, money, "null")) } else { Ok(column.value(row)) }
    };
    if let Some(currency) = text(batch, "currency", row)? {
        return Ok(Measure::Money { currency, amount: Amount::from_pico(number(money)?)? });
    }
    let meter = needed(batch, "meter", row)?;
    let meter = Meter::from_name(&meter).ok_or_else(|| unexpected(ALERTS.name, "meter", &meter))?;
    Ok(Measure::Units { meter, quantity: Quantity::from_nano(number(units)?)? })
}
