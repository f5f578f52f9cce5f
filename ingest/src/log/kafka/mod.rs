//! The log on Apache Kafka, through librdkafka.
//!
//! Invariant: the same promises as the embedded log's. A position is confirmed
//! when all in-sync replicas have the record; only committed records are read;
//! positions live with the books and not on the broker; records are deleted by
//! [`EventLog::trim`] and by nothing else, unless the topic says otherwise.

mod client;
mod consumer;
mod options;
mod producer;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::AdminClient;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

pub use options::KafkaOptions;

use self::client::{Logging, base_config, block_on, is_transient};
use self::consumer::{Reader, consumer_config};
use self::producer::Producer;
use super::{Batch, EventLog, LogError, PartitionReader, Receipt, Topic};

/// An event log on a Kafka cluster.
pub struct KafkaLog {
    connection: Arc<Connection>,
    producer: Producer,
    /// Asks for watermarks and metadata; reads nothing.
    consumer: BaseConsumer<Logging>,
    admin: AdminClient<Logging>,
}

/// Where the log is and how it is used.
struct Connection {
    brokers: String,
    options: KafkaOptions,
}

impl KafkaLog {
    /// Connects to `brokers` (`host:port`, several separated by commas), and
    /// creates the topics if the options say so.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] when no broker answers in time,
    /// [`LogError::UnknownTopic`] when a topic is missing and not to be
    /// created, [`LogError::PartitionMismatch`] and
    /// [`LogError::TopicMisconfigured`] when it is not as it must be.
    pub fn connect(brokers: &str, options: KafkaOptions) -> Result<Self, LogError> {
        options.check()?;
        let connection = Arc::new(Connection { brokers: brokers.to_owned(), options });
        let set_up = |error| kafka_error(&connection, "set up a connection", error);
        let consumer: BaseConsumer<Logging> =
            consumer_config(&connection).create_with_context(Logging).map_err(set_up)?;
        let admin: AdminClient<Logging> = base_config(brokers).create_with_context(Logging).map_err(set_up)?;
        topics::prepare(&connection, &consumer, &admin)?;
        let producer = Producer::new(&connection)?;
        Ok(Self { connection, producer, consumer, admin })
    }

    fn check_partition(&self, topic: Topic, partition: u32) -> Result<(), LogError> {
        let partitions = self.partitions(topic);
        if partition < partitions {
            return Ok(());
        }
        Err(LogError::UnknownPartition { topic: self.connection.options.topic_name(topic), partition, partitions })
    }

    /// Start and end of each partition.
    fn bounds(&self, topic: Topic) -> Result<Vec<(u64, u64)>, LogError> {
        let wait = self.connection.options.request_timeout;
        (0..self.partitions(topic))
            .map(|partition| watermarks(&self.connection, &self.consumer, topic, partition, wait))
            .collect()
    }
}

impl EventLog for KafkaLog {
    fn partitions(&self, topic: Topic) -> u32 {
        self.connection.options.partitions(topic)
    }

    fn submit(&self, topic: Topic, batch: Batch) -> Receipt {
        if let Err(error) = batch.check() {
            return Receipt::ready(Err(error));
        }
        let name = self.connection.options.topic_name(topic);
        self.producer.submit(&name, self.partitions(topic), &batch)
    }

    fn ends(&self, topic: Topic) -> Result<Vec<u64>, LogError> {
        let bounds = self.bounds(topic)?;
        Ok(bounds.into_iter().map(|(_, end)| end).collect())
    }

    fn starts(&self, topic: Topic) -> Result<Vec<u64>, LogError> {
        let bounds = self.bounds(topic)?;
        Ok(bounds.into_iter().map(|(start, _)| start).collect())
    }

    fn reader(&self, topic: Topic, partition: u32, from: u64) -> Result<Box<dyn PartitionReader>, LogError> {
        self.check_partition(topic, partition)?;
        let reader = Reader::new(&self.connection, topic, partition, from)?;
        Ok(Box::new(reader))
    }

    fn trim(&self, topic: Topic, partition: u32, below: u64) -> Result<(), LogError> {
        self.check_partition(topic, partition)?;
        let connection = &self.connection;
        let name = connection.options.topic_name(topic);
        let wait = connection.options.request_timeout;
        let (start, end) = watermarks(connection, &self.consumer, topic, partition, wait)?;
        if below > end {
            return Err(LogError::BeyondEnd { topic: name, partition, offset: below, end });
        }
        if below <= start {
            return Ok(());
        }
        let doing = format!("delete the records of {name} partition {partition} below {below}");
        let failed = |error| unavailable_or(connection, &doing, error);
        let mut bounds = TopicPartitionList::new();
        let offset = Offset::Offset(below.cast_signed());
        bounds.add_partition_offset(&name, partition.cast_signed(), offset).map_err(failed)?;
        let within = topics::within(&connection.options);
        let outcome = block_on(self.admin.delete_records(&bounds, &within)).map_err(failed)?;
        for element in outcome.elements() {
            element.error().map_err(failed)?;
        }
        Ok(())
    }
}

/// Start and end of a partition: what was trimmed to, and the last stable
/// offset, because the consumer reads committed records only.
fn watermarks(
    connection: &Connection,
    consumer: &BaseConsumer<Logging>,
    topic: Topic,
    partition: u32,
    wait: Duration,
) -> Result<(u64, u64), LogError> {
    let name = connection.options.topic_name(topic);
    let (start, end) = consumer.fetch_watermarks(&name, partition.cast_signed(), wait).map_err(|error| {
        let doing = format!("find the ends of {name} partition {partition}");
        unavailable_or(connection, &doing, error)
    })?;
    Ok((start.max(0).cast_unsigned(), end.max(0).cast_unsigned()))
}

/// Tells a broker that does not answer from one that refuses.
fn unavailable_or(connection: &Connection, doing: &str, error: KafkaError) -> LogError {
    match error.rdkafka_error_code() {
        Some(code) if is_transient(code) => LogError::Unavailable {
            brokers: connection.brokers.clone(),
            doing: doing.to_owned(),
            waited: connection.options.request_timeout,
            source: Box::new(error),
        },
        _ => kafka_error(connection, doing, error),
    }
}

fn kafka_error(connection: &Connection, doing: &str, source: KafkaError) -> LogError {
    LogError::Kafka { brokers: connection.brokers.clone(), doing: doing.to_owned(), source: Box::new(source) }
}
