//! What can go wrong with the event log.
//!
//! Invariant: each message names the thing that failed and what to do about
//! it, and an error that stands for lost records says which offsets are lost.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::KafkaError;

/// The error of every operation on the event log. It can be cloned because one
/// failed write answers all the receipts that waited for it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// What is read as a log is something else and cannot be read, or cannot do
    /// what was asked.
    #[error("failed to read the tables as a log: {detail}")]
    Unreadable {
        /// What is wrong.
        detail: String,
    },

    /// Another process, or another handle of this one, has the folder open.
    #[error(
        "failed to open the event log in {}: another process has it open; stop that process, or send the request through it",
        path.display()
    )]
    Locked {
        /// The log's folder.
        path: PathBuf,
    },

    /// The log was created with another number of partitions.
    #[error(
        "failed to open the event log: topic {topic} has {recorded} partitions, but {asked} are configured; configure {recorded}, because changing the number of partitions moves sources to other partitions and needs an explicit resharding"
    )]
    PartitionMismatch {
        /// The topic's full name.
        topic: String,
        /// The number with which the topic was created.
        recorded: u32,
        /// The number in the options.
        asked: u32,
    },

    /// There is no such partition.
    #[error(
        "failed to find partition {partition} of topic {topic}: its partitions are 0 to {}", partitions.saturating_sub(1)
    )]
    UnknownPartition {
        /// The topic's full name.
        topic: String,
        /// The partition that was asked for.
        partition: u32,
        /// How many there are.
        partitions: u32,
    },

    /// The broker has no such topic.
    #[error(
        "failed to find topic {topic} on {brokers}: create it with {partitions} partition(s), message.timestamp.type=LogAppendTime and cleanup.policy=delete, or let this program create it (create_topics), or correct the topic prefix"
    )]
    UnknownTopic {
        /// The topic's full name.
        topic: String,
        /// The brokers that were asked.
        brokers: String,
        /// How many partitions it should have.
        partitions: u32,
    },

    /// A topic exists, but not as this program needs it.
    #[error(
        "failed to use topic {topic}: its setting {setting} is {found}, but must be {wanted}; change it with kafka-configs.sh --alter"
    )]
    TopicMisconfigured {
        /// The topic's full name.
        topic: String,
        /// The setting.
        setting: &'static str,
        /// Its value on the broker.
        found: String,
        /// What it must be.
        wanted: String,
    },

    /// An option has a value that makes no sense.
    #[error("failed to open the event log: option {option} is {found}, but must be {wanted}")]
    InvalidOption {
        /// The option.
        option: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        wanted: &'static str,
    },

    /// One record of a batch is larger than the limit. Nothing was written.
    #[error(
        "failed to append record {index} of a batch: its key and value have {bytes} bytes, but the limit is {max}; nothing of the batch was written"
    )]
    RecordTooLarge {
        /// Its place in the batch, from 0.
        index: usize,
        /// The bytes of its key and value.
        bytes: usize,
        /// The limit.
        max: usize,
    },

    /// A batch is larger than the limit. Nothing was written.
    #[error("failed to append a batch of {bytes} bytes: the limit is {max}; nothing was written, send smaller batches")]
    BatchTooLarge {
        /// The bytes of its keys and values.
        bytes: usize,
        /// The limit.
        max: usize,
    },

    /// Too much was queued already for too long. Nothing was written.
    #[error(
        "failed to queue a batch within {} s: the event log takes records more slowly than they are sent; nothing was written, send it again later",
        waited.as_secs_f32()
    )]
    Overloaded {
        /// How long the submit waited.
        waited: Duration,
    },

    /// Reading starts below what is still there.
    #[error(
        "failed to read topic {topic} partition {partition} from offset {from}: the log starts at {start}, so the records at {from} to {} were trimmed; start from {start}, or rebuild from the lake", start - 1
    )]
    Trimmed {
        /// The topic's full name.
        topic: String,
        /// The partition.
        partition: u32,
        /// The offset that was asked for.
        from: u64,
        /// The first offset that is there.
        start: u64,
    },

    /// An offset lies above the durable end.
    #[error(
        "failed to find offset {offset} of topic {topic} partition {partition}: the log ends at {end}, so {} offset(s) that once existed are lost, or the offset belongs to another log; restore the log, or check which one is configured", offset - end
    )]
    BeyondEnd {
        /// The topic's full name.
        topic: String,
        /// The partition.
        partition: u32,
        /// The offset that was asked for.
        offset: u64,
        /// The durable end.
        end: u64,
    },

    /// Records cannot be read as they were written.
    #[error(
        "failed to read topic {topic} partition {partition} at offset {offset}: {what}; {}", readable_again(*next)
    )]
    Corrupt {
        /// The topic's full name.
        topic: String,
        /// The partition.
        partition: u32,
        /// The first offset that cannot be read.
        offset: u64,
        /// The first offset after it that may be readable again, where known.
        next: Option<u64>,
        /// What was found.
        what: String,
    },

    /// The log on disk ends before records that were acknowledged.
    #[error(
        "failed to open the event log: topic {topic} partition {partition} ends at {end}, but records up to {acknowledged} were acknowledged, so those at {end} to {} are lost; restore the folder from a copy, or accept the loss by deleting {}", acknowledged - 1, witness.display()
    )]
    Shorter {
        /// The topic's full name.
        topic: String,
        /// The partition.
        partition: u32,
        /// The end that was acknowledged.
        acknowledged: u64,
        /// The end that is there.
        end: u64,
        /// The file that remembers what was acknowledged.
        witness: PathBuf,
    },

    /// The disk or the storage engine failed.
    #[error("failed to {doing} the event log's files; {advice}")]
    Storage {
        /// What was being done.
        doing: &'static str,
        /// What to do about it.
        advice: &'static str,
        /// Why.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },

    /// The log takes no more records because writing failed earlier.
    #[error(
        "failed to append: the event log stopped when an earlier write failed ({reason}); everything acknowledged is safe, mend the cause and open the log again"
    )]
    Stopped {
        /// The earlier failure and its causes.
        reason: String,
    },

    /// The log was closed.
    #[error("failed to use the event log: it was closed; open it again")]
    Closed,

    /// The broker did not answer in time.
    #[error(
        "failed to {doing} on Kafka at {brokers} within {} s; check that the broker runs and can be reached, then try again", waited.as_secs_f32()
    )]
    Unavailable {
        /// The brokers.
        brokers: String,
        /// What was being done.
        doing: String,
        /// How long was waited.
        waited: Duration,
        /// Why.
        #[source]
        source: Box<KafkaError>,
    },

    /// Records were not acknowledged: each may or may not be on the log.
    #[error(
        "failed to have {records} of {of} record(s) acknowledged by Kafka at {brokers} within {} s; some may be on the log, send the batch again", waited.as_secs_f32()
    )]
    Unacknowledged {
        /// The brokers.
        brokers: String,
        /// How many were not acknowledged.
        records: usize,
        /// How many the batch had.
        of: usize,
        /// The longest time that a record was tried for.
        waited: Duration,
        /// Why the first of them was not.
        #[source]
        source: Box<KafkaError>,
    },

    /// Kafka refused.
    #[error("failed to {doing} on Kafka at {brokers}; see the cause")]
    Kafka {
        /// The brokers.
        brokers: String,
        /// What was being done.
        doing: String,
        /// Why.
        #[source]
        source: Box<KafkaError>,
    },
}

fn readable_again(next: Option<u64>) -> String {
    match next {
        Some(next) => format!("restore it from a copy, or go on from offset {next} without it"),
        None => "nothing after it can be read, restore it from a copy".to_owned(),
    }
}

/// An error and its causes in one line, for places that can only hold text.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
