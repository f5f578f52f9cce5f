//! Reads one partition from Kafka.
//!
//! Invariant: only committed records below the last stable offset are lent,
//! checksums verified; the position comes from what was consumed, transaction
//! markers included, and is never stored on the broker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Logging, MESSAGE_BYTES_MAX, base_config, is_transient};
use super::{Connection, kafka_error, topics, watermarks};
use crate::log::{Limits, LogError, PartitionReader, RecordRef, Topic, deadline};

/// Bytes that a reader asks one partition for at a time. A larger record comes
/// nevertheless.
const FETCH_BYTES: usize = 1024 * 1024;

/// Records that a reader keeps ahead. The client library spends some 300 bytes
/// on each apart from its content.
const QUEUE_RECORDS: usize = 30_000;

/// How often a broker that is away is reported.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// How long a question about a partition's bounds may keep a reader.
const BOUNDS_WAIT: Duration = Duration::from_secs(5);

pub(super) struct Reader {
    consumer: BaseConsumer<Logging>,
    connection: Arc<Connection>,
    topic: Topic,
    partition: u32,
    next: u64,
    reported: Option<Instant>,
}

/// How every consumer is set up.
pub(super) fn consumer_config(connection: &Connection) -> ClientConfig {
    let queue_kbytes = (connection.options.reader_queue_bytes / 1024).max(1);
    let mut config = base_config(&connection.brokers);
    config
        .set("group.id", format!("{}.readers", connection.options.topic_prefix))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "200")
        .set("fetch.message.max.bytes", FETCH_BYTES.to_string())
        .set("fetch.max.bytes", MESSAGE_BYTES_MAX.to_string())
        .set("queued.min.messages", QUEUE_RECORDS.to_string())
        .set("queued.max.messages.kbytes", queue_kbytes.to_string())
        // The default of a second would stall a reader that empties its queue
        // faster than that.
        .set("fetch.queue.backoff.ms", "2")
        .set("fetch.error.backoff.ms", "100");
    config
}

impl Reader {
    pub(super) fn new(connection: &Arc<Connection>, topic: Topic, partition: u32, from: u64) -> Result<Self, LogError> {
        let consumer: BaseConsumer<Logging> = consumer_config(connection)
            .create_with_context(Logging)
            .map_err(|error| kafka_error(connection, "set up a reader", error))?;
        let reader =
            Self { consumer, connection: Arc::clone(connection), topic, partition, next: from, reported: None };
        reader.check_bounds(connection.options.request_timeout)?;
        reader.assign()?;
        Ok(reader)
    }

    /// Has the client library fetch from the next offset on.
    fn assign(&self) -> Result<(), LogError> {
        let mut assignment = TopicPartitionList::new();
        assignment
            .add_partition_offset(
                &self.connection.options.topic_name(self.topic),
                self.partition.cast_signed(),
                Offset::Offset(self.next.cast_signed()),
            )
            .and_then(|()| self.consumer.assign(&assignment))
            .map_err(|error| kafka_error(&self.connection, "start a reader", error))
    }

    /// Compares the next offset with what the partition has.
    fn check_bounds(&self, wait: Duration) -> Result<(), LogError> {
        let topic = self.connection.options.topic_name(self.topic);
        let (start, end) = watermarks(&self.connection, &self.consumer, self.topic, self.partition, wait)?;
        if self.next < start {
            return Err(LogError::Trimmed { topic, partition: self.partition, from: self.next, start });
        }
        if self.next > end {
            return Err(LogError::BeyondEnd { topic, partition: self.partition, offset: self.next, end });
        }
        Ok(())
    }

    /// Decides whether an error of the client library ends the poll. One that
    /// passes by itself is only reported.
    fn handle(&mut self, error: KafkaError) -> Result<(), LogError> {
        let topic = self.connection.options.topic_name(self.topic);
        let outcome = match error.rdkafka_error_code() {
            Some(code) if is_transient(code) => {
                self.report(&error);
                return Ok(());
            }
            // The client library has stopped fetching.
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
                self.check_bounds(BOUNDS_WAIT).and_then(|()| self.assign())
            }
            // A broker that has just started may not know its topics yet.
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
                self.check_topic(topic)
            }
            Some(Code::BadMessage | Code::BadCompression | Code::InvalidMessage) => Err(LogError::Corrupt {
                topic,
                partition: self.partition,
                offset: self.next,
                next: None,
                what: format!("Kafka's batch of records is damaged ({error})"),
            }),
            _ => {
                let doing = format!("read {topic} partition {}", self.partition);
                Err(kafka_error(&self.connection, &doing, error.clone()))
            }
        };
        if matches!(outcome, Err(LogError::Unavailable { .. })) {
            self.report(&error);
            return Ok(());
        }
        outcome
    }

    fn check_topic(&self, topic: String) -> Result<(), LogError> {
        match topics::partitions(&self.connection, &self.consumer, &topic)? {
            Some(_) => Ok(()),
            None => Err(LogError::UnknownTopic {
                topic,
                brokers: self.connection.brokers.clone(),
                partitions: self.connection.options.partitions(self.topic),
            }),
        }
    }

    fn report(&mut self, error: &KafkaError) {
        if self.reported.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
            self.reported = Some(Instant::now());
            tracing::warn!(
                topic = %self.topic,
                partition = self.partition,
                brokers = self.connection.brokers,
                %error,
                "Kafka does not answer; reading goes on when it is back"
            );
        }
    }

    /// Moves the position over what was consumed without being a record:
    /// transaction markers and what aborted transactions wrote.
    fn pass_gap(&mut self) {
        let Ok(positions) = self.consumer.position() else {
            return;
        };
        for element in positions.elements() {
            if let Offset::Offset(offset) = element.offset() {
                self.next = self.next.max(offset.cast_unsigned());
            }
        }
    }
}

impl PartitionReader for Reader {
    fn poll(&mut self, limits: Limits, wait: Duration, each: &mut dyn FnMut(RecordRef<'_>)) -> Result<u64, LogError> {
        let deadline = deadline(wait);
        let mut records = 0;
        let mut bytes = 0;
        while records < limits.records_max && bytes < limits.bytes_max {
            // Waits for the first record only.
            let patience = match records {
                0 => deadline.saturating_duration_since(Instant::now()),
                _ => Duration::ZERO,
            };
            let error = match self.consumer.poll(patience) {
                Some(Ok(message)) => {
                    let record = lend(&message);
                    bytes += record.key.map_or(0, <[u8]>::len) + record.value.len();
                    records += 1;
                    self.next = record.offset + 1;
                    each(record);
                    continue;
                }
                Some(Err(error)) => error,
                None if records == 0 && Instant::now() < deadline => continue,
                None => {
                    self.pass_gap();
                    break;
                }
            };
            self.handle(error)?;
        }
        Ok(self.next)
    }

    fn position(&self) -> u64 {
        self.next
    }
}

fn lend<'a>(message: &'a BorrowedMessage<'_>) -> RecordRef<'a> {
    RecordRef {
        offset: message.offset().cast_unsigned(),
        time_us: message.timestamp().to_millis().unwrap_or_default().saturating_mul(1000),
        key: message.key(),
        value: message.payload().unwrap_or_default(),
    }
}
