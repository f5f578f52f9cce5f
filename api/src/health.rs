//! `/healthz`, `/readyz` and `/metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use stempoint_ingest::log::Topic;

use crate::problem::Problem;
use crate::server::Api;

/// The process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The process takes events and folds them.
pub async fn readyz(State(api): State<Arc<Api>>) -> Result<&'static str, Problem> {
    if let Some(reason) = api.not_ready() {
        return Err(Problem::unavailable(reason));
    }
    let log = Arc::clone(&api.log);
    let ends = tokio::task::spawn_blocking(move || log.ends(Topic::Usage)).await;
    match ends {
        Ok(Ok(_)) => Ok("ready\n"),
        Ok(Err(error)) => Err(Problem::unavailable(format!("the event log does not answer: {error}"))),
        Err(_) => Err(Problem::unavailable("the event log did not answer")),
    }
}

/// The figures for Prometheus.
pub async fn metrics(State(api): State<Arc<Api>>) -> impl IntoResponse {
    let log = Arc::clone(&api.log);
    let ends = tokio::task::spawn_blocking(move || log.ends(Topic::Usage)).await.ok().and_then(Result::ok);
    let head = match api.ledger.head().await {
        Ok(head) => Some(head),
        Err(error) => {
            tracing::error!(%error, "failed to read the ledger's head for metrics");
            None
        }
    };
    let text = api.metrics.render(head.as_ref(), ends.as_deref());
    (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
