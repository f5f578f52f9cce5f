//! Webhooks: what the books record is told to those who asked for it, as the
//! Standard Webhooks specification says.
//!
//! Invariants: each alert reaches each receiver at least once and in order,
//! with an id that stays the same however often it is sent; a receiver that is
//! down holds up neither the folds nor the end of the process. A receiver's
//! URL and secret are never logged.

mod body;
mod cursor;
mod sender;
mod sign;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};
use stempoint_store::ledger::Ledger;
use thiserror::Error;
use tokio::runtime::Handle;

pub use sign::{Secret, SecretError};

/// How long a stop waits for a delivery that is under way. One that is cut off
/// is made again after the next start.
const STOP_WAIT: Duration = Duration::from_secs(1);
/// Between two looks whether a sender has ended.
const STOP_LOOK: Duration = Duration::from_millis(10);

/// Who is told of alerts.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Its name here, which also names its place in the data folder.
    pub name: String,
    /// Where it listens: an `http` or `https` URL.
    pub url: String,
    /// What its messages are signed with.
    pub secret: Secret,
    /// How patient its sender is.
    pub timing: Timing,
}

/// How patient a sender is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Before the first repeat; each further one waits twice as long.
    pub retry_first: Duration,
    /// Before any repeat at most.
    pub retry_max: Duration,
    /// How long one delivery may take.
    pub timeout: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(300),
            timeout: Duration::from_secs(10),
        }
    }
}

impl Timing {
    /// How long to wait after so many failures in a row.
    fn after(&self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.retry_first.saturating_mul(doubled).min(self.retry_max)
    }
}

/// Why webhooks cannot be sent.
#[derive(Debug, Error)]
pub enum WebhookError {
    /// The place in the data folder cannot be read.
    #[error("failed to read how far webhook {name} has come, {file}: {error}", file = file.display())]
    Cursor {
        /// The receiver.
        name: String,
        /// The file.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// There is no thread for it.
    #[error("failed to start the thread of webhook {0}: {1}")]
    Thread(String, #[source] std::io::Error),
}

/// Figures of all receivers, by name.
#[derive(Debug, Clone)]
pub struct WebhookMetrics {
    sent: IntCounterVec,
    failed: IntCounterVec,
    pending: IntGaugeVec,
}

impl WebhookMetrics {
    pub(crate) fn new(registry: &Registry) -> Result<WebhookMetrics, prometheus::Error> {
        let counters = |name: &str, help: &str| {
            let counters = IntCounterVec::new(Opts::new(name, help), &["receiver"])?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let pending = IntGaugeVec::new(
            Opts::new("stempoint_webhook_pending", "Alerts that a receiver has not taken yet."),
            &["receiver"],
        )?;
        registry.register(Box::new(pending.clone()))?;
        Ok(WebhookMetrics {
            sent: counters("stempoint_webhook_sent_total", "Alerts that a receiver took.")?,
            failed: counters("stempoint_webhook_failed_total", "Deliveries that failed and are tried again.")?,
            pending,
        })
    }
}

/// Asks senders to stop, and wakes them.
#[derive(Debug, Default)]
struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits so long, or until it is asked; says whether it was.
    fn wait(&self, duration: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(asked, duration, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Senders that run, one thread for each receiver.
pub struct Webhooks {
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

impl Webhooks {
    /// Starts to send what each receiver has not taken yet; `folder` keeps how
    /// far each has come.
    ///
    /// # Errors
    /// [`WebhookError`] where a place cannot be read or a thread not be started.
    pub fn start(
        receivers: Vec<Receiver>,
        ledger: &Ledger,
        folder: &Path,
        runtime: &Handle,
        metrics: &WebhookMetrics,
    ) -> Result<Webhooks, WebhookError> {
        let stop = Arc::new(Stop::default());
        let mut threads = Vec::new();
        for receiver in receivers {
            let name = receiver.name.clone();
            let mut sender = sender::Sender::open(receiver, ledger, folder, runtime, metrics, Arc::clone(&stop))?;
            let thread = std::thread::Builder::new().name(format!("webhook-{name}")).spawn(move || sender.run());
            threads.push(thread.map_err(|error| WebhookError::Thread(name, error))?);
        }
        Ok(Webhooks { stop, threads })
    }

    /// Stops; a delivery that takes longer than a moment is left behind.
    pub fn stop(self) {
        self.stop.ask();
        let begun = Instant::now();
        while self.threads.iter().any(|thread| !thread.is_finished()) && begun.elapsed() < STOP_WAIT {
            std::thread::sleep(STOP_LOOK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_repeat_waits_twice_as_long_up_to_a_limit() {
        let timing = Timing {
            retry_first: Duration::from_millis(10),
            retry_max: Duration::from_millis(70),
            timeout: Duration::ZERO,
        };
        let waits: Vec<u128> = [1, 2, 3, 4, 40, u32::MAX].map(|failures| timing.after(failures).as_millis()).into();
        assert_eq!(waits, [10, 20, 40, 70, 70, 70]);
    }
}
