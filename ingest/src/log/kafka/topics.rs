//! Finds, creates and checks the topics.
//!
//! Invariant: the log is used only on topics with the configured number of
//! partitions, whose record times are the broker's, which take our largest
//! records, and from which Kafka does not compact anything away.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::client::{Logging, MESSAGE_BYTES_MAX, block_on};
use super::options::KafkaOptions;
use super::{Connection, unavailable_or};
use crate::log::{LogError, Topic, deadline};

/// How long to wait before asking again for a topic that was just created.
const PROPAGATION_PAUSE: Duration = Duration::from_millis(20);

/// Makes sure that both topics are there and as they must be.
pub(super) fn prepare(
    connection: &Connection,
    consumer: &BaseConsumer<Logging>,
    admin: &AdminClient<Logging>,
) -> Result<(), LogError> {
    let options = &connection.options;
    for topic in Topic::ALL {
        let name = options.topic_name(topic);
        let wanted = options.partitions(topic);
        let mut found = partitions(connection, consumer, &name)?;
        if found.is_none() && options.create_topics {
            create(connection, admin, &name, wanted)?;
            found = await_topic(connection, consumer, &name)?;
        }
        match found {
            Some(recorded) if recorded == wanted => {}
            Some(recorded) => {
                return Err(LogError::PartitionMismatch { topic: name, recorded, asked: wanted });
            }
            None => {
                return Err(LogError::UnknownTopic {
                    topic: name,
                    brokers: connection.brokers.clone(),
                    partitions: wanted,
                });
            }
        }
        check_settings(connection, admin, &name)?;
    }
    Ok(())
}

/// How many partitions a topic has; none where it does not exist. Asks for all
/// topics, because asking for one by name may create it.
pub(super) fn partitions(
    connection: &Connection,
    consumer: &BaseConsumer<Logging>,
    name: &str,
) -> Result<Option<u32>, LogError> {
    let metadata = consumer
        .fetch_metadata(None, connection.options.request_timeout)
        .map_err(|error| unavailable_or(connection, "list the topics", error))?;
    let found = metadata.topics().iter().find(|topic| topic.name() == name);
    Ok(found.map(|topic| topic.partitions().len() as u32))
}

fn create(connection: &Connection, admin: &AdminClient<Logging>, name: &str, partitions: u32) -> Result<(), LogError> {
    let options = &connection.options;
    let retention_ms = options.retention_ms.to_string();
    let retention_bytes = options.retention_bytes.to_string();
    let message_bytes = MESSAGE_BYTES_MAX.to_string();
    // Both were checked to fit.
    let copies = TopicReplication::Fixed(options.replication_factor.cast_signed());
    let topic = NewTopic::new(name, partitions.cast_signed(), copies)
        .set("cleanup.policy", "delete")
        .set("message.timestamp.type", "LogAppendTime")
        .set("max.message.bytes", &message_bytes)
        .set("retention.ms", &retention_ms)
        .set("retention.bytes", &retention_bytes);
    let doing = || format!("create topic {name}");
    let outcomes = block_on(admin.create_topics([&topic], &within(options)))
        .map_err(|error| unavailable_or(connection, &doing(), error))?;
    for outcome in outcomes {
        match outcome {
            // Another process may have been first, which the check finds out.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => {
                let error = KafkaError::AdminOp(code);
                return Err(unavailable_or(connection, &doing(), error));
            }
        }
    }
    Ok(())
}

/// Waits until a topic that was created has come to the broker's knowledge.
fn await_topic(connection: &Connection, consumer: &BaseConsumer<Logging>, name: &str) -> Result<Option<u32>, LogError> {
    let deadline = deadline(connection.options.request_timeout);
    loop {
        let found = partitions(connection, consumer, name)?;
        if found.is_some() || Instant::now() >= deadline {
            return Ok(found);
        }
        std::thread::sleep(PROPAGATION_PAUSE);
    }
}

fn check_settings(connection: &Connection, admin: &AdminClient<Logging>, name: &str) -> Result<(), LogError> {
    let settings = settings(connection, admin, name)?;
    let is = |wanted: &'static str| move |found: &str| found == wanted;
    for (setting, wanted) in [("message.timestamp.type", "LogAppendTime"), ("cleanup.policy", "delete")] {
        check_setting(name, &settings, setting, wanted, is(wanted))?;
    }
    let bytes = format!("{MESSAGE_BYTES_MAX} or more");
    check_setting(name, &settings, "max.message.bytes", &bytes, |found| {
        found.parse().is_ok_and(|bytes: usize| bytes >= MESSAGE_BYTES_MAX)
    })
}

/// A topic's settings. A broker that has only just heard of the topic gives
/// none, so it is asked again.
fn settings(connection: &Connection, admin: &AdminClient<Logging>, name: &str) -> Result<ConfigResource, LogError> {
    let options = &connection.options;
    let failed = |error| {
        let doing = format!("read the settings of topic {name}");
        unavailable_or(connection, &doing, error)
    };
    let deadline = deadline(options.request_timeout);
    loop {
        let topic = ResourceSpecifier::Topic(name);
        let found = block_on(admin.describe_configs([&topic], &within(options)));
        let found = found.map_err(failed)?.pop();
        let unknown = KafkaError::AdminOp(RDKafkaErrorCode::UnknownTopicOrPartition);
        match found {
            Some(Ok(found)) if !found.entries.is_empty() => return Ok(found),
            Some(Err(code)) if code != RDKafkaErrorCode::UnknownTopicOrPartition => {
                return Err(failed(KafkaError::AdminOp(code)));
            }
            _ if Instant::now() >= deadline => return Err(failed(unknown)),
            _ => std::thread::sleep(PROPAGATION_PAUSE),
        }
    }
}

fn check_setting(
    topic: &str,
    settings: &ConfigResource,
    setting: &'static str,
    wanted: &str,
    is_right: impl Fn(&str) -> bool,
) -> Result<(), LogError> {
    let found = settings.get(setting).and_then(|entry| entry.value.as_deref());
    match found {
        Some(found) if is_right(found) => Ok(()),
        found => Err(LogError::TopicMisconfigured {
            topic: topic.to_owned(),
            setting,
            found: found.unwrap_or("not known").to_owned(),
            wanted: wanted.to_owned(),
        }),
    }
}

/// The time-outs of an administrative request.
pub(super) fn within(options: &KafkaOptions) -> AdminOptions {
    AdminOptions::new().request_timeout(Some(options.request_timeout)).operation_timeout(Some(options.request_timeout))
}
