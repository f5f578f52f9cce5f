//! What all connections to Kafka share.
//!
//! Invariant: the client library's own messages go to this program's log, and
//! its failures are told apart into those that pass and those that do not.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::log::RECORD_BYTES_MAX;

/// What one request or response may have on top of a record's key and value.
pub(super) const FRAME_BYTES_MAX: usize = 64 * 1024;

/// The largest batch of records that a topic takes.
pub(super) const MESSAGE_BYTES_MAX: usize = RECORD_BYTES_MAX + FRAME_BYTES_MAX;

/// Passes the client library's messages on.
#[derive(Clone)]
pub(super) struct Logging;

impl ClientContext for Logging {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
        // A broker that is away is an error for the library and a warning for
        // us: everything waits for it and goes on.
        match level {
            Emerg | Alert | Critical => tracing::error!(facility, "kafka: {message}"),
            Error | Warning => tracing::warn!(facility, "kafka: {message}"),
            Notice | Info => tracing::info!(facility, "kafka: {message}"),
            Debug => tracing::debug!(facility, "kafka: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, "kafka: {reason}");
    }
}

impl ConsumerContext for Logging {}

/// What every client is set up with.
pub(super) fn base_config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "stempoint")
        .set("message.max.bytes", MESSAGE_BYTES_MAX.to_string())
        // A broker that comes back is found within a second.
        .set("reconnect.backoff.max.ms", "1000")
        // A topic is created by us with its settings, never by a question.
        .set("allow.auto.create.topics", "false")
        .set("log.connection.close", "false");
    config
}

/// Whether a failure may pass by itself when the broker is back.
pub(super) fn is_transient(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::TimedOutQueue
            | Code::NodeUpdate
            | Code::WaitCache
            | Code::BrokerNotAvailable
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::ReplicaNotAvailable
            | Code::NetworkException
            | Code::CoordinatorLoadInProgress
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::OffsetNotAvailable
            | Code::KafkaStorageError
            | Code::NotEnoughReplicas
    )
}

/// Waits for a future of the client library, whose requests have time-outs and
/// are driven by its own threads.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
