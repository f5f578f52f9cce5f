//! `POST /api/v1/events`: CloudEvents in JSON, single or batch.
//!
//! Invariant: 204 means that every event of the body is durable on the log; any
//! other answer but 503 means that none is.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use stempoint_ingest::log::{Batch, LogError, Topic};
use stempoint_schemas::time::Instant;
use stempoint_schemas::{cloudevents, wire};

use crate::body::Whole;
use crate::problem::Problem;
use crate::server::Api;

/// The largest body that is taken, in bytes.
pub const BODY_BYTES_MAX: usize = 16 << 20;

const TYPES: [&str; 3] = ["application/cloudevents+json", "application/cloudevents-batch+json", "application/json"];

/// Takes events.
pub async fn post(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    Whole(body): Whole<BODY_BYTES_MAX>,
) -> Result<StatusCode, Problem> {
    check_type(&headers)?;
    let now = Instant::from_us(now_us()).ok_or_else(|| Problem::unavailable("the clock of this machine is wrong"))?;
    let batch = tokio::task::spawn_blocking(move || encode(&body, now))
        .await
        .map_err(|_| Problem::unavailable("the request was not finished"))??;
    submit(&api, Topic::Usage, batch).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !TYPES.contains(&media_type.as_str()) {
        return Err(Problem::unsupported(format!("Content-Type is {given:?}; send {}", TYPES.join(", "))));
    }
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => Err(Problem::unsupported(format!(
            "Content-Encoding is {:?}; send the body as it is, without compression",
            String::from_utf8_lossy(encoding.as_bytes())
        ))),
        _ => Ok(()),
    }
}

fn encode(body: &[u8], now: Instant) -> Result<Batch, Problem> {
    let mut batch = Batch::new();
    let mut value = Vec::new();
    cloudevents::read(body, now, |source, event| {
        value.clear();
        wire::encode(event, &mut value);
        batch.push(source.as_bytes(), &value);
    })
    .map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(batch)
}

/// Appends a batch and waits until it is durable.
pub async fn submit(
    api: &Arc<Api>,
    topic: Topic,
    batch: Batch,
) -> Result<Vec<stempoint_ingest::log::Position>, Problem> {
    let log = Arc::clone(&api.log);
    // Submitting waits while too much is on the way, so it does not belong on
    // a thread of the runtime.
    let receipt = tokio::task::spawn_blocking(move || log.submit(topic, batch))
        .await
        .map_err(|_| Problem::unavailable("the request was not finished"))?;
    receipt.await.map_err(|error| match error {
        LogError::RecordTooLarge { .. } | LogError::BatchTooLarge { .. } => Problem::too_large(error.to_string()),
        other => {
            if matches!(other, LogError::Storage { .. } | LogError::Stopped { .. }) {
                // It takes no more until it is opened again.
                api.fail(&format!("the event log has stopped: {other}"));
            }
            tracing::error!(error = %other, "failed to append to the event log");
            Problem::unavailable(format!("the event log did not take the events: {other}; send them again"))
        }
    })
}

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
