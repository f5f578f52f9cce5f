//! What the tests of the event log share.

use std::io::Write;
use std::time::{Duration, Instant};

use stempoint_ingest::log::{Batch, EventLog, Limits, LogError, PartitionReader, Position, Topic};

/// One kind of event log, empty at first, that can be opened again and again.
pub trait Fixture: Sync {
    type Log: EventLog;

    /// The number of partitions of the usage topic.
    const PARTITIONS: u32 = 3;

    /// Opens the log, the same each time.
    fn open(&self) -> Self::Log;

    /// Leaves some offsets at the end of a partition of the usage topic
    /// without a record.
    fn leave_gap(&self, log: &Self::Log, partition: u32);

    /// How long the log may take for anything that does not wait for us.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub offset: u64,
    pub time_us: i64,
    pub key: Option<Vec<u8>>,
    pub value: Vec<u8>,
}

pub const EVERYTHING: Limits = Limits { records_max: usize::MAX, bytes_max: usize::MAX };

/// A batch of the given keys and values.
pub fn batch<K: AsRef<[u8]>, V: AsRef<[u8]>>(records: impl IntoIterator<Item = (K, V)>) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in records {
        batch.push(key.as_ref(), value.as_ref());
    }
    batch
}

/// Appends to the usage topic and waits until it is durable.
pub fn append<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    log: &dyn EventLog,
    records: impl IntoIterator<Item = (K, V)>,
) -> Vec<Position> {
    let receipt = log.submit(Topic::Usage, batch(records));
    receipt.wait().expect("the append")
}

/// Polls once and gives what was lent.
pub fn poll(reader: &mut dyn PartitionReader, limits: Limits, wait: Duration) -> Result<Vec<Read>, LogError> {
    let mut read = Vec::new();
    let next = reader.poll(limits, wait, &mut |record| {
        read.push(Read {
            offset: record.offset,
            time_us: record.time_us,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.to_vec(),
        });
    })?;
    assert_eq!(next, reader.position());
    Ok(read)
}

/// Reads a partition of `topic` from `from` to its end.
pub fn read_all(log: &dyn EventLog, topic: Topic, partition: u32, from: u64) -> Vec<Read> {
    let end = log.ends(topic).expect("the ends")[partition as usize];
    let mut reader = log.reader(topic, partition, from).expect("a reader");
    read_to(reader.as_mut(), end)
}

/// Reads until the position is `end`.
pub fn read_to(reader: &mut dyn PartitionReader, end: u64) -> Vec<Read> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut all = Vec::new();
    while reader.position() < end {
        assert!(Instant::now() < deadline, "stuck at {} before {end}", reader.position());
        all.extend(poll(reader, EVERYTHING, Duration::from_millis(200)).expect("a poll"));
    }
    assert_eq!(reader.position(), end);
    all
}

/// A key of the usage topic that belongs to `partition`.
pub fn key_of(partition: u32, partitions: u32) -> String {
    (0..)
        .map(|number| format!("source/{number}"))
        .find(|key| stempoint_ingest::log::partition_of(key.as_bytes(), partitions) == partition)
        .expect("some key")
}

/// A seed for random choices: given by `STEMPOINT_SEED`, or a new one. It is
/// printed, so that a failure can be repeated.
pub fn seed() -> u64 {
    let given = std::env::var("STEMPOINT_SEED").ok();
    let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("STEMPOINT_SEED={seed}");
    seed
}

/// Says something even when the test runner hides the output of tests that
/// pass.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
