//! The body of a message.
//!
//! Invariant: it follows from the stored row alone, so that a repeat has the
//! same bytes.

use serde::Serialize;
use stempoint_core::budget::Measure;
use stempoint_ingest::settlement::StoredAlert;
use stempoint_schemas::time::Instant;

#[derive(Serialize)]
struct Message<'a> {
    r#type: &'static str,
    timestamp: String,
    data: Data<'a>,
}

/// Names as in the table `alerts`; numbers that must be exact are texts.
#[derive(Serialize)]
struct Data<'a> {
    alert: &'a str,
    customer: &'a str,
    budget: &'a str,
    period: String,
    threshold: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meter: Option<&'static str>,
    limit: String,
    total: String,
    control_offset: u64,
    set_at: u64,
}

/// The message that tells of an alert.
pub(super) fn message(alert: &StoredAlert) -> Result<String, serde_json::Error> {
    let (currency, meter) = match &alert.limit {
        Measure::Money { currency, .. } => (Some(currency.as_str()), None),
        Measure::Units { meter, .. } => (None, Some(meter.name())),
    };
    serde_json::to_string(&Message {
        r#type: "alert",
        timestamp: Instant::from_us(alert.recorded_us).map(|time| time.to_string()).unwrap_or_default(),
        data: Data {
            alert: &alert.name,
            customer: &alert.customer,
            budget: &alert.budget,
            period: alert.period.to_string(),
            threshold: alert.threshold,
            currency,
            meter,
            limit: number(&alert.limit),
            total: number(&alert.total),
            control_offset: alert.place.0,
            set_at: alert.set_at,
        },
    })
}

fn number(measure: &Measure) -> String {
    match measure {
        Measure::Money { amount, .. } => amount.to_string(),
        Measure::Units { quantity, .. } => quantity.to_string(),
    }
}
