//! The HTTP server: events in, health, metrics and webhooks out, and the door through
//! which the other commands append while `stempoint up` holds the log.
//!
//! Invariant: an event is answered only once it is durable; a request that is
//! refused has changed nothing.

mod append;
mod body;
mod events;
mod health;
mod metrics;
mod problem;
mod server;
mod webhooks;

pub use append::{decode_positions, encode_batch};
pub use metrics::Metrics;
pub use server::{Api, ApiError, serve};
pub use webhooks::{Receiver, Secret, SecretError, Timing, WebhookError, WebhookMetrics, Webhooks};
