//! The sender of one receiver: it looks for alerts that became visible, and
//! delivers them one after the other.
//!
//! Invariant: an alert is passed over only once the receiver has answered with
//! a status of 200 to 299.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use stempoint_ingest::settlement::{AlertPlace, StoredAlert, stored_alerts};
use stempoint_schemas::tables::ALERTS;
use stempoint_store::ledger::Ledger;
use tokio::runtime::Handle;
use ureq::tls::{RootCerts, TlsConfig};

use super::cursor::Cursor;
use super::{Receiver, Stop, WebhookError, WebhookMetrics, body};

/// Between two looks for new alerts.
const LOOK: Duration = Duration::from_millis(250);

pub(super) struct Sender {
    receiver: Receiver,
    ledger: Ledger,
    runtime: Handle,
    metrics: WebhookMetrics,
    stop: Arc<Stop>,
    agent: ureq::Agent,
    cursor: Cursor,
    /// The last alert that was taken.
    taken: Option<AlertPlace>,
    /// The control offset up to which alerts are in the queue.
    seen: u64,
    queue: VecDeque<StoredAlert>,
}

impl Sender {
    pub(super) fn open(
        receiver: Receiver,
        ledger: &Ledger,
        folder: &Path,
        runtime: &Handle,
        metrics: &WebhookMetrics,
        stop: Arc<Stop>,
    ) -> Result<Sender, WebhookError> {
        let cursor = Cursor::new(folder, &receiver.name);
        let taken = cursor.read().map_err(|error| WebhookError::Cursor {
            name: receiver.name.clone(),
            file: cursor.path().to_owned(),
            error,
        })?;
        let agent = agent(receiver.timing.timeout);
        Ok(Sender {
            receiver,
            ledger: ledger.clone(),
            runtime: runtime.clone(),
            metrics: metrics.clone(),
            stop,
            agent,
            cursor,
            taken,
            seen: 0,
            queue: VecDeque::new(),
        })
    }

    /// Delivers until it is asked to stop.
    pub(super) fn run(&mut self) {
        let (mut failures, mut wait) = (0_u32, Duration::ZERO);
        while !self.stop.wait(wait) {
            wait = match self.step() {
                Ok(true) => {
                    failures = 0;
                    Duration::ZERO
                }
                Ok(false) => LOOK,
                Err(error) => {
                    failures = failures.saturating_add(1);
                    self.metrics.failed.with_label_values(&[&self.receiver.name]).inc();
                    let wait = self.receiver.timing.after(failures);
                    tracing::warn!(receiver = self.receiver.name, failures, ?wait, "a webhook failed: {error:#}");
                    wait
                }
            };
        }
    }

    /// Delivers one alert, if there is any.
    fn step(&mut self) -> Result<bool> {
        self.look().context("failed to read the alerts")?;
        let Some(alert) = self.queue.front() else { return Ok(false) };
        self.deliver(alert)?;
        self.cursor.write(alert.place).with_context(|| format!("failed to write {}", self.cursor.path().display()))?;
        self.taken = Some(alert.place);
        self.queue.pop_front();
        self.metrics.sent.with_label_values(&[&self.receiver.name]).inc();
        self.count();
        Ok(true)
    }

    /// Queues what became visible since the last look.
    fn look(&mut self) -> Result<()> {
        let below = self.runtime.block_on(self.ledger.head())?.control_offset;
        if below > self.seen {
            self.runtime.block_on(self.ledger.table(&ALERTS).refresh())?;
            self.queue = stored_alerts(&self.ledger, self.taken, below)?.into();
            self.seen = below;
            self.count();
        }
        Ok(())
    }

    fn count(&self) {
        let pending = i64::try_from(self.queue.len()).unwrap_or(i64::MAX);
        self.metrics.pending.with_label_values(&[&self.receiver.name]).set(pending);
    }

    fn deliver(&self, alert: &StoredAlert) -> Result<()> {
        let (id, body) = (&alert.name, body::message(alert)?);
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let answer = self
            .agent
            .post(&self.receiver.url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now_s.to_string())
            .header("webhook-signature", self.receiver.secret.signature(id, now_s, &body))
            .send(body.as_bytes())
            .with_context(|| format!("{id} was not delivered"))?;
        if !answer.status().is_success() {
            bail!("{id} was answered with status {}", answer.status().as_u16());
        }
        Ok(())
    }
}

/// Follows no redirection: what was signed for one receiver is not sent to
/// another.
fn agent(timeout: Duration) -> ureq::Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("stempoint/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls.build());
    ureq::Agent::new_with_config(config.build())
}
