//! The routes, and serving them until a stop is asked for.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::routing::{get, post};
use stempoint_ingest::log::EventLog;
use stempoint_store::ledger::Ledger;
use thiserror::Error;
use tokio::net::TcpListener;

use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::{append, events, health};

/// What can be asked for, for those who asked for something else.
const ROUTES: &str = "POST /api/v1/events, GET /healthz, GET /readyz and GET /metrics";

/// Why the server stopped.
#[derive(Debug, Error)]
pub enum ApiError {
    /// The connection side failed.
    #[error("the HTTP server failed")]
    Serve(#[source] std::io::Error),
}

/// What the routes work on.
pub struct Api {
    /// Where events go.
    pub log: Arc<dyn EventLog>,
    /// What the ledger shows.
    pub ledger: Ledger,
    /// Figures.
    pub metrics: Arc<Metrics>,
    draining: AtomicBool,
    failure: Mutex<Option<String>>,
}

impl Api {
    /// An API over a log and a ledger.
    pub fn new(log: Arc<dyn EventLog>, ledger: Ledger, metrics: Arc<Metrics>) -> Api {
        Api { log, ledger, metrics, draining: AtomicBool::new(false), failure: Mutex::new(None) }
    }

    /// From now on `/readyz` says no.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// A part has stopped for good: `/readyz` says why.
    pub fn fail(&self, reason: &str) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }

    /// Why a part has stopped for good, if one has.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn not_ready(&self) -> Option<String> {
        if self.draining.load(Ordering::SeqCst) {
            return Some("the process is stopping".to_owned());
        }
        self.failure()
    }
}

/// Serves until `stop` resolves, then finishes the requests at hand.
pub async fn serve(
    api: Arc<Api>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ApiError> {
    let router = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/api/v1/events", post(events::post))
        .route("/internal/ends", get(append::ends))
        .route("/internal/append/{topic}", post(append::post).layer(DefaultBodyLimit::max(append::BODY_BYTES_MAX)))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(events::BODY_BYTES_MAX))
        .with_state(api);
    axum::serve(listener, router).with_graceful_shutdown(stop).await.map_err(ApiError::Serve)
}

async fn not_found(uri: Uri) -> Problem {
    Problem::not_found(format!("there is nothing at {}; there are {ROUTES}", uri.path()))
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::method_not_allowed(format!("{} does not take {method}; there are {ROUTES}", uri.path()))
}
