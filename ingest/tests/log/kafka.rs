//! The suite on Apache Kafka, and what only it has.

use std::ffi::OsString;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Message};
use stempoint_ingest::log::kafka::{KafkaLog, KafkaOptions};
use stempoint_ingest::log::{EventLog, LogError, Topic, partition_of};

use crate::support::{EVERYTHING, Fixture, append, batch, key_of, poll, read_all, read_to, say};
use crate::{crash, measure, suite};

const PATIENCE: Duration = Duration::from_secs(30);

pub struct KafkaFixture {
    brokers: String,
    options: KafkaOptions,
}

impl KafkaFixture {
    fn new(brokers: &str) -> Self {
        let options = KafkaOptions {
            topic_prefix: format!("test-{:016x}", fastrand::u64(..)),
            usage_partitions: Self::PARTITIONS,
            delivery_timeout: Duration::from_secs(30),
            ..KafkaOptions::default()
        };
        Self { brokers: brokers.to_owned(), options }
    }

    fn connect(&self) -> Result<KafkaLog, LogError> {
        KafkaLog::connect(&self.brokers, self.options.clone())
    }

    fn topic(&self) -> String {
        format!("{}.usage", self.options.topic_prefix)
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    /// A producer in the middle of a transaction.
    fn transaction(&self) -> BaseProducer {
        let producer: BaseProducer =
            self.config().set("transactional.id", format!("test-{:x}", fastrand::u64(..))).create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        producer
    }

    fn send(&self, producer: &BaseProducer, partition: u32, value: &str) {
        let topic = self.topic();
        let record = BaseRecord::<str, str>::to(&topic).partition(partition as i32).payload(value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
    }

    fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (setting, value) in settings {
            topic = topic.set(setting, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let outcome = runtime.block_on(admin.create_topics([&topic], &options)).unwrap();
        assert!(outcome.iter().all(Result::is_ok), "{outcome:?}");
    }
}

impl Fixture for KafkaFixture {
    type Log = KafkaLog;

    fn open(&self) -> KafkaLog {
        self.connect().expect("the log")
    }

    fn leave_gap(&self, log: &KafkaLog, partition: u32) {
        let end = log.ends(Topic::Usage).unwrap()[partition as usize];
        let producer = self.transaction();
        self.send(&producer, partition, "aborted");
        self.send(&producer, partition, "aborted too");
        producer.abort_transaction(PATIENCE).unwrap();
        await_end(log, partition, end + 3);
    }
}

/// Waits for a transaction's marker, which comes after its end.
fn await_end(log: &KafkaLog, partition: u32, end: u64) {
    let deadline = Instant::now() + PATIENCE;
    while log.ends(Topic::Usage).unwrap()[partition as usize] < end {
        assert!(Instant::now() < deadline, "no marker came");
        std::thread::yield_now();
    }
}

/// The broker to test with, or none after having said what is left out.
fn broker(test: &str) -> Option<String> {
    let broker = std::env::var("STEMPOINT_KAFKA").ok().filter(|broker| !broker.is_empty());
    if broker.is_none() {
        say(&format!(
            "left out: kafka::{test} (needs a broker: run `deploy/kafka/kafka start` and set STEMPOINT_KAFKA to the HOST:PORT that it prints)"
        ));
    }
    broker
}

fn with_broker(test: &str, run: impl FnOnce(&KafkaFixture)) {
    if let Some(broker) = broker(test) {
        run(&KafkaFixture::new(&broker));
    }
}

#[test]
fn positions_are_where_records_are_read() {
    with_broker("positions_are_where_records_are_read", suite::positions_are_where_records_are_read);
}

#[test]
fn concurrent_submitters_keep_the_order_of_their_keys() {
    with_broker(
        "concurrent_submitters_keep_the_order_of_their_keys",
        suite::concurrent_submitters_keep_the_order_of_their_keys,
    );
}

#[test]
fn control_is_one_partition() {
    with_broker("control_is_one_partition", suite::control_is_one_partition);
}

#[test]
fn large_records_pass_and_larger_ones_are_refused() {
    with_broker(
        "large_records_pass_and_larger_ones_are_refused",
        suite::large_records_pass_and_larger_ones_are_refused,
    );
}

#[test]
fn empty_is_nothing_special() {
    with_broker("empty_is_nothing_special", suite::empty_is_nothing_special);
}

#[test]
fn a_log_that_is_opened_again_goes_on() {
    with_broker("a_log_that_is_opened_again_goes_on", suite::a_log_that_is_opened_again_goes_on);
}

#[test]
fn gaps_are_passed_over() {
    with_broker("gaps_are_passed_over", suite::gaps_are_passed_over);
}

#[test]
fn trimming_gives_up_what_is_below() {
    with_broker("trimming_gives_up_what_is_below", suite::trimming_gives_up_what_is_below);
}

#[test]
fn what_does_not_exist_is_refused() {
    with_broker("what_does_not_exist_is_refused", suite::what_does_not_exist_is_refused);
}

#[test]
fn polls_keep_their_limits() {
    with_broker("polls_keep_their_limits", suite::polls_keep_their_limits);
}

#[test]
fn a_waiting_reader_is_woken() {
    with_broker("a_waiting_reader_is_woken", suite::a_waiting_reader_is_woken);
}

#[test]
fn readers_stay_below_the_durable_end() {
    with_broker("readers_stay_below_the_durable_end", suite::readers_stay_below_the_durable_end);
}

#[test]
fn receipts_are_futures() {
    with_broker("receipts_are_futures", suite::receipts_are_futures);
}

#[test]
fn survives_sigkill() {
    with_broker("survives_sigkill", |fixture| {
        let target = crash::Target::Kafka { brokers: &fixture.brokers, prefix: &fixture.options.topic_prefix };
        crash::survives_sigkill(fixture, &target, 5);
    });
}

/// A transaction that is open hides itself and what follows it; the end is the
/// last stable offset.
#[test]
fn what_is_not_committed_is_not_there() {
    with_broker("what_is_not_committed_is_not_there", |fixture| {
        let log = fixture.open();
        let key = key_of(0, KafkaFixture::PARTITIONS);
        append(&log, [(&key, "before")]);
        let end = log.ends(Topic::Usage).unwrap()[0];
        let producer = fixture.transaction();
        fixture.send(&producer, 0, "pending");
        append(&log, [(&key, "after")]);
        assert_eq!(log.ends(Topic::Usage).unwrap()[0], end);
        let mut reader = log.reader(Topic::Usage, 0, 0).unwrap();
        assert_eq!(read_to(reader.as_mut(), end).len(), 1);
        let wait = Duration::from_millis(500);
        assert!(poll(reader.as_mut(), EVERYTHING, wait).unwrap().is_empty());
        producer.commit_transaction(PATIENCE).unwrap();
        // The pending record, the one after it, and the marker.
        await_end(&log, 0, end + 3);
        let end = log.ends(Topic::Usage).unwrap()[0];
        let values: Vec<_> = read_to(reader.as_mut(), end).into_iter().map(|r| r.value).collect();
        assert_eq!(values, [b"pending".to_vec(), b"after".to_vec()]);
    });
}

#[test]
fn a_record_without_a_key_or_value_is_passed_on() {
    with_broker("a_record_without_a_key_or_value_is_passed_on", |fixture| {
        let log = fixture.open();
        let producer: BaseProducer = fixture.config().create().unwrap();
        fixture.send(&producer, 1, "no key");
        let topic = fixture.topic();
        let tombstone = BaseRecord::<str, str>::to(&topic).partition(1).key("key");
        producer.send(tombstone).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
        let read = read_all(&log, Topic::Usage, 1, 0);
        assert_eq!(read[0].key, None);
        assert_eq!(read[0].value, b"no key");
        assert_eq!(read[1].key.as_deref(), Some(b"key".as_slice()));
        assert_eq!(read[1].value, b"");
    });
}

/// Remembers into which partition the client library itself put each key.
struct Partitions(std::sync::Mutex<Vec<(usize, i32)>>);

impl ClientContext for Partitions {}

impl ProducerContext for Partitions {
    type DeliveryOpaque = usize;

    fn delivery(&self, report: &DeliveryResult<'_>, number: usize) {
        let partition = report.as_ref().map(Message::partition).unwrap_or(-1);
        self.0.lock().unwrap().push((number, partition));
    }
}

#[test]
fn our_partitioner_agrees_with_the_client_library() {
    with_broker("our_partitioner_agrees_with_the_client_library", |fixture| {
        const PARTITIONS: u32 = 7;
        let topic = fixture.topic();
        fixture.create_topic(&topic, PARTITIONS as i32, &[]);
        let producer: ThreadedProducer<Partitions> = fixture
            .config()
            .set("partitioner", "murmur2_random")
            .create_with_context(Partitions(Default::default()))
            .unwrap();
        let mut random = fastrand::Rng::with_seed(1);
        let keys: Vec<Vec<u8>> = (0..2_000).map(|number| (0..number % 60).map(|_| random.u8(..)).collect()).collect();
        for (number, key) in keys.iter().enumerate() {
            let record = BaseRecord::with_opaque_to(&topic, number).key(key).payload("");
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        let client = producer.client();
        let found = client.context().0.lock().unwrap().clone();
        assert_eq!(found.len(), keys.len());
        for (number, partition) in found {
            let ours = partition_of(&keys[number], PARTITIONS);
            assert_eq!(ours as i32, partition, "key {:?}", keys[number]);
        }
    });
}

#[test]
fn an_unknown_topic_is_refused_and_not_created() {
    with_broker("an_unknown_topic_is_refused_and_not_created", |fixture| {
        let options = KafkaOptions { create_topics: false, ..fixture.options.clone() };
        for _ in 0..2 {
            let refused = KafkaLog::connect(&fixture.brokers, options.clone()).err().unwrap();
            assert!(
                matches!(&refused, LogError::UnknownTopic { topic, partitions: 3, .. } if *topic == fixture.topic())
            );
            assert!(refused.to_string().contains("create_topics"), "{refused}");
        }
    });
}

#[test]
fn another_number_of_partitions_is_refused() {
    with_broker("another_number_of_partitions_is_refused", |fixture| {
        drop(fixture.open());
        let options = KafkaOptions { usage_partitions: 5, ..fixture.options.clone() };
        let refused = KafkaLog::connect(&fixture.brokers, options).err().unwrap();
        assert!(matches!(refused, LogError::PartitionMismatch { recorded: 3, asked: 5, .. }));
    });
}

#[test]
fn a_topic_with_wrong_settings_is_refused() {
    with_broker("a_topic_with_wrong_settings_is_refused", |fixture| {
        let right = [
            ("message.timestamp.type", "LogAppendTime"),
            ("cleanup.policy", "delete"),
            ("max.message.bytes", "20000000"),
        ];
        let wrong = ["CreateTime", "compact", "1000000"];
        for (number, wrong) in wrong.into_iter().enumerate() {
            let fixture = KafkaFixture::new(&fixture.brokers);
            let mut settings = right;
            settings[number].1 = wrong;
            fixture.create_topic(&fixture.topic(), 3, &settings);
            let refused = fixture.connect().err().unwrap();
            assert!(
                matches!(&refused, LogError::TopicMisconfigured { setting, found, .. } if *setting == right[number].0 && found == wrong),
                "{refused}"
            );
        }
    });
}

#[test]
fn a_reader_that_was_overtaken_by_a_trim_is_told() {
    with_broker("a_reader_that_was_overtaken_by_a_trim_is_told", |fixture| {
        // Reads nothing ahead, so that it comes to the trimmed records.
        let options = KafkaOptions { reader_queue_bytes: 1, ..fixture.options.clone() };
        let log = KafkaLog::connect(&fixture.brokers, options).unwrap();
        let key = key_of(0, KafkaFixture::PARTITIONS);
        let mut random = fastrand::Rng::with_seed(1);
        let mut value = vec![0; 100_000];
        for _ in 0..100 {
            // Random bytes, which the producer cannot compress into one fetch.
            random.fill(&mut value);
            append(&log, [(&key, &value)]);
        }
        let mut reader = log.reader(Topic::Usage, 0, 0).unwrap();
        let end = log.ends(Topic::Usage).unwrap()[0];
        log.trim(Topic::Usage, 0, end - 1).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let lost = loop {
            assert!(Instant::now() < deadline, "at {}", reader.position());
            if let Err(error) = poll(reader.as_mut(), EVERYTHING, Duration::from_millis(100)) {
                break error;
            }
        };
        assert!(matches!(lost, LogError::Trimmed { start, .. } if start == end - 1), "{lost}");
    });
}

/// Needs no broker: there is none.
#[test]
fn a_broker_that_is_not_there_is_reported_in_time() {
    let options = KafkaOptions { request_timeout: Duration::from_secs(1), ..KafkaOptions::default() };
    let started = Instant::now();
    let refused = KafkaLog::connect("127.0.0.1:9", options).err().unwrap();
    assert!(matches!(refused, LogError::Unavailable { .. }), "{refused:?}");
    assert!(refused.to_string().contains("127.0.0.1:9"));
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for prefix in ["", "a b", &"x".repeat(300)] {
        let options = KafkaOptions { topic_prefix: prefix.to_owned(), ..KafkaOptions::default() };
        let refused = KafkaLog::connect("127.0.0.1:9", options).err().unwrap();
        assert!(matches!(refused, LogError::InvalidOption { option: "topic_prefix", .. }));
    }
}

/// A broker of its own, for a test that ends it.
struct OwnBroker {
    script: OsString,
    folder: tempfile::TempDir,
}

impl OwnBroker {
    fn run(&self, verb: &str, arguments: &[&str]) -> String {
        let output = Command::new(&self.script)
            .arg(verb)
            .arg("--dir")
            .arg(self.folder.path())
            .args(arguments)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "{verb}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Starts it on free ports and gives its address.
    fn start(&self) -> String {
        let is_free = |port: &u16| [*port, port + 1].iter().all(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok());
        let from = fastrand::u16(20_000..30_000);
        let port = (from..from + 100).find(is_free).expect("free ports");
        self.run("start", &["--port", &port.to_string()])
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        let stop =
            Command::new(&self.script).arg("kill").arg("--dir").arg(self.folder.path()).stdout(Stdio::null()).status();
        if stop.is_err() {
            say("failed to end the test's own broker");
        }
    }
}

/// The broker is killed and comes back: appends wait for it or fail in time,
/// readers wait, and nothing that was acknowledged is lost.
#[test]
fn a_broker_that_comes_back_is_used_again() {
    let Some(script) = std::env::var_os("STEMPOINT_KAFKA_SCRIPT") else {
        say(
            "left out: kafka::a_broker_that_comes_back_is_used_again (starts, kills and starts a broker of its own: set STEMPOINT_KAFKA_SCRIPT to the path of deploy/kafka/kafka)",
        );
        return;
    };
    let broker = OwnBroker { script, folder: tempfile::tempdir().unwrap() };
    let fixture = KafkaFixture::new(&broker.start());
    let log = fixture.open();
    let impatient = KafkaLog::connect(
        &fixture.brokers,
        KafkaOptions {
            delivery_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(2),
            ..fixture.options.clone()
        },
    )
    .unwrap();
    let key = key_of(0, KafkaFixture::PARTITIONS);
    append(&log, [(&key, "1")]);
    let mut reader = log.reader(Topic::Usage, 0, 0).unwrap();
    let read = poll(reader.as_mut(), EVERYTHING, PATIENCE).unwrap();
    assert_eq!(read.len(), 1);

    broker.run("kill", &[]);
    let failed = impatient.submit(Topic::Usage, batch([(&key, "never")])).wait();
    assert!(matches!(failed, Err(LogError::Unacknowledged { records: 1, of: 1, .. })), "{failed:?}");
    let ends = impatient.ends(Topic::Usage);
    assert!(matches!(ends, Err(LogError::Unavailable { .. })), "{ends:?}");
    let waiting = log.submit(Topic::Usage, batch([(&key, "2"), (&key, "3")]));
    let wait = Duration::from_millis(500);
    assert!(poll(reader.as_mut(), EVERYTHING, wait).unwrap().is_empty());

    broker.run("start", &[]);
    let positions = waiting.wait().unwrap();
    assert_eq!(positions.len(), 2);
    let end = log.ends(Topic::Usage).unwrap()[0];
    let values: Vec<_> = read_to(reader.as_mut(), end).into_iter().map(|r| r.value).collect();
    assert_eq!(values, [b"2", b"3"]);
    // The one that gave up works again too.
    append(&impatient, [(&key, "4")]);
    assert_eq!(read_all(&log, Topic::Usage, 0, 0).len(), 4);
}

#[test]
fn measure_kafka() {
    if measure::is_wanted() {
        with_broker("measure_kafka", |fixture| {
            measure::measure("kafka", &fixture.open(), 2_000_000, 1000);
        });
    }
}
