//! How Kafka is used.
//!
//! Invariant: what durability and order depend on (`acks=all`, idempotence,
//! checksums, committed records only) cannot be configured away.

use std::time::Duration;

use crate::log::{LogError, Topic};

/// How a [`super::KafkaLog`] is set up.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// The topics are `<topic_prefix>.usage` and `<topic_prefix>.control`.
    pub topic_prefix: String,
    /// Partitions of the usage topic, fixed at creation.
    pub usage_partitions: u32,
    /// Whether topics that do not exist are created.
    pub create_topics: bool,
    /// Copies of each partition of a topic that is created.
    pub replication_factor: u32,
    /// How long a topic that is created keeps records: milliseconds, or -1 for
    /// ever. For ever is right: the log is trimmed once its records are safe.
    pub retention_ms: i64,
    /// How many bytes a partition of a topic that is created keeps; -1: all.
    pub retention_bytes: i64,
    /// How long a record is tried to be delivered before its receipt fails,
    /// and how long a submit blocks while the producer's queue is full.
    pub delivery_timeout: Duration,
    /// How long a question to the broker may take.
    pub request_timeout: Duration,
    /// Bytes of records that may wait in the producer. A submit blocks beyond
    /// that.
    pub producer_queue_bytes: usize,
    /// Bytes of records that one reader fetches ahead.
    pub reader_queue_bytes: usize,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            topic_prefix: "stempoint".to_owned(),
            usage_partitions: 4,
            create_topics: true,
            replication_factor: 1,
            retention_ms: -1,
            retention_bytes: -1,
            delivery_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(10),
            producer_queue_bytes: 64 * 1024 * 1024,
            reader_queue_bytes: 8 * 1024 * 1024,
        }
    }
}

impl KafkaOptions {
    /// The number of partitions of `topic`.
    pub(super) fn partitions(&self, topic: Topic) -> u32 {
        match topic {
            Topic::Usage => self.usage_partitions,
            Topic::Control => 1,
        }
    }

    /// The name of `topic` on the broker.
    pub(super) fn topic_name(&self, topic: Topic) -> String {
        format!("{}.{topic}", self.topic_prefix)
    }

    pub(super) fn check(&self) -> Result<(), LogError> {
        let invalid = |option, found: String, wanted| Err(LogError::InvalidOption { option, found, wanted });
        let named = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        if i32::try_from(self.usage_partitions).is_err() || self.usage_partitions == 0 {
            return invalid("usage_partitions", self.usage_partitions.to_string(), "1 or more");
        }
        if !(1..=1000).contains(&self.replication_factor) {
            return invalid("replication_factor", self.replication_factor.to_string(), "1 to 1000");
        }
        if !(1..=200).contains(&self.topic_prefix.len()) || !self.topic_prefix.chars().all(named) {
            return invalid(
                "topic_prefix",
                format!("{:?}", self.topic_prefix),
                "1 to 200 letters, digits, dots, hyphens or underscores",
            );
        }
        Ok(())
    }
}
