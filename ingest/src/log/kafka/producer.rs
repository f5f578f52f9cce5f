//! Appends to Kafka.
//!
//! Invariant: a receipt is answered with positions only when all in-sync
//! replicas have every record of its batch; a record that is not acknowledged
//! in time fails its receipt. The idempotent producer keeps each partition's
//! order over its retries.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer};

use super::client::{Logging, base_config};
use super::{Connection, kafka_error};
use crate::log::receipt::{Promise, promise};
use crate::log::{Batch, LogError, Position, Receipt, deadline, lock, partition_of};

/// Records in the producer's queue at most, apart from the bound on bytes.
const QUEUE_RECORDS_MAX: usize = 500_000;

/// How long a full queue is left alone before the next try.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(1);

// A ticket packs two 32-bit numbers into one word.
const _: () = assert!(usize::BITS == 64, "the Kafka producer needs a 64-bit machine");
const INDEX_BITS: u32 = 32;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;

pub(super) struct Producer {
    producer: ThreadedProducer<Pending>,
    connection: Arc<Connection>,
}

impl Producer {
    pub(super) fn new(connection: &Arc<Connection>) -> Result<Self, LogError> {
        let options = &connection.options;
        let timeout_ms = options.delivery_timeout.as_millis().max(1);
        let producer = base_config(&connection.brokers)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "2")
            .set("batch.size", "1000000")
            .set("delivery.timeout.ms", timeout_ms.to_string())
            .set("queue.buffering.max.messages", QUEUE_RECORDS_MAX.to_string())
            .set("queue.buffering.max.kbytes", (options.producer_queue_bytes / 1024).max(1).to_string())
            .create_with_context(Pending { connection: Arc::clone(connection), slots: Mutex::default() })
            .map_err(|error| kafka_error(connection, "set up a producer", error))?;
        Ok(Self { producer, connection: Arc::clone(connection) })
    }

    /// Hands a batch to the client library. Blocks while its queue is full.
    pub(super) fn submit(&self, topic: &str, partitions: u32, batch: &Batch) -> Receipt {
        if batch.is_empty() {
            return Receipt::ready(Ok(Vec::new()));
        }
        let client = self.producer.client();
        if let Some((_, reason)) = client.fatal_error() {
            return Receipt::ready(Err(LogError::Stopped { reason }));
        }
        let (promise, receipt) = promise();
        let pending = client.context();
        let ticket = pending.open(promise, batch.len());
        let deadline = deadline(self.connection.options.delivery_timeout);
        for (index, (key_length, record)) in batch.records().enumerate() {
            let (key, value) = record.split_at(key_length);
            let partition = partition_of(key, partitions);
            let record = BaseRecord::with_opaque_to(topic, ticket | index)
                .partition(partition.cast_signed())
                .key(key)
                .payload(value);
            if let Err(error) = self.enqueue(record, deadline) {
                // What comes after a refused record must not overtake it.
                pending.failed(ticket, batch.len() - index, error);
                break;
            }
        }
        receipt
    }

    fn enqueue(&self, mut record: BaseRecord<'_, [u8], [u8], usize>, deadline: Instant) -> Result<(), KafkaError> {
        loop {
            let (error, refused) = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            if !is_queue_full(&error) || Instant::now() >= deadline {
                return Err(error);
            }
            std::thread::sleep(FULL_QUEUE_PAUSE);
            record = refused;
        }
    }
}

impl Drop for Producer {
    /// Waits until what was submitted is acknowledged or has timed out.
    fn drop(&mut self) {
        let timeout = self.connection.options.delivery_timeout;
        if self.producer.flush(timeout).is_err() {
            self.producer.purge(PurgeConfig::default().queue().inflight());
            // The purged records' reports, which fail their receipts.
            let _ = self.producer.flush(Duration::from_secs(1));
        }
    }
}

/// The batches that are not acknowledged yet. A record's ticket is the slot of
/// its batch in the upper half and its index in the batch in the lower.
struct Pending {
    connection: Arc<Connection>,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    batches: Vec<Option<Waiting>>,
    free: Vec<usize>,
}

struct Waiting {
    promise: Promise,
    positions: Vec<Position>,
    /// Records without a report.
    left: usize,
    /// Records that failed, and why the first did.
    failed: usize,
    error: Option<KafkaError>,
}

impl Pending {
    /// Registers a batch of `records` records and gives its ticket.
    fn open(&self, promise: Promise, records: usize) -> usize {
        let nowhere = Position { partition: 0, offset: 0 };
        let waiting = Waiting { promise, positions: vec![nowhere; records], left: records, failed: 0, error: None };
        let mut slots = lock(&self.slots);
        let slot = slots.free.pop().unwrap_or(slots.batches.len());
        if slot == slots.batches.len() {
            slots.batches.push(None);
        }
        slots.batches[slot] = Some(waiting);
        slot << INDEX_BITS
    }

    /// Takes the report on the record with `ticket`, and answers the batch
    /// when it was the last.
    fn delivered(&self, ticket: usize, position: Position) {
        let index = ticket & INDEX_MASK;
        self.report(ticket, 1, |waiting| {
            if let Some(place) = waiting.positions.get_mut(index) {
                *place = position;
            }
        });
    }

    /// Takes the report that `records` records of a batch failed.
    fn failed(&self, ticket: usize, records: usize, error: KafkaError) {
        self.report(ticket, records, |waiting| {
            waiting.failed += records;
            waiting.error.get_or_insert(error);
        });
    }

    fn report(&self, ticket: usize, records: usize, update: impl FnOnce(&mut Waiting)) {
        let slot = ticket >> INDEX_BITS;
        let mut slots = lock(&self.slots);
        let Some(Some(waiting)) = slots.batches.get_mut(slot) else {
            return;
        };
        update(waiting);
        waiting.left = waiting.left.saturating_sub(records);
        if waiting.left > 0 {
            return;
        }
        let done = slots.batches[slot].take();
        slots.free.push(slot);
        drop(slots);
        if let Some(done) = done {
            done.answer(&self.connection);
        }
    }
}

impl Waiting {
    fn answer(self, connection: &Connection) {
        self.promise.answer(match self.error {
            None => Ok(self.positions),
            // Nothing of the batch fitted into the queue.
            Some(error) if is_queue_full(&error) && self.failed == self.positions.len() => {
                Err(LogError::Overloaded { waited: connection.options.delivery_timeout })
            }
            Some(source) => Err(LogError::Unacknowledged {
                brokers: connection.brokers.clone(),
                records: self.failed,
                of: self.positions.len(),
                waited: connection.options.delivery_timeout,
                source: Box::new(source),
            }),
        });
    }
}

fn is_queue_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}

impl ClientContext for Pending {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Logging.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Logging.error(error, reason);
    }
}

impl ProducerContext for Pending {
    type DeliveryOpaque = usize;

    fn delivery(&self, report: &DeliveryResult<'_>, ticket: usize) {
        match report {
            Ok(message) => self.delivered(
                ticket,
                Position { partition: message.partition().cast_unsigned(), offset: message.offset().cast_unsigned() },
            ),
            Err((error, _)) => self.failed(ticket, 1, error.clone()),
        }
    }
}
