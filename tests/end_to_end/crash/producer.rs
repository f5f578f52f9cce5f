//! A producer that sends each batch until it is taken.
//!
//! Invariant: what it calls sent was acknowledged as durable; what was not
//! acknowledged is sent again as it was, before anything else.

use std::time::Duration;

use stempoint_ingest::log::kafka::{KafkaLog, KafkaOptions};
use stempoint_ingest::log::{Batch, EventLog, Topic};
use stempoint_schemas::time::Instant as Moment;
use stempoint_workload::bench::{BenchOptions, BenchStream, SECONDS_PER_DAY};

use crate::harness::{Kafka, Server};

/// Key and value of a record.
pub type Sent = (Vec<u8>, Vec<u8>);

/// The first records of a producer.
pub fn records(seed: u64, count: u64) -> Vec<Sent> {
    let mut records = Vec::new();
    stream(seed).fill(count, &mut |key, value| records.push((key.to_vec(), value.to_vec())));
    records
}

/// Half an hour before a month ends, so that long runs cross into the next.
fn stream(seed: u64) -> BenchStream {
    let start = Moment::parse("2026-01-31T23:30:00Z").expect("a time");
    BenchStream::new(seed, BenchOptions { events_per_day: 20 * SECONDS_PER_DAY, ..BenchOptions::from_start(start) })
}

pub struct Producer {
    stream: BenchStream,
    rng: fastrand::Rng,
    /// The most records in a batch.
    batch_max: u64,
    /// All records of batches that were taken, in order.
    pub sent: Vec<Sent>,
    /// The batch that was not answered yet.
    pending: Vec<Sent>,
}

impl Producer {
    pub fn new(seed: u64, batch_max: u64) -> Producer {
        Producer {
            stream: stream(seed),
            rng: fastrand::Rng::with_seed(seed),
            batch_max,
            sent: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// Whether a batch was sent that may not have been taken.
    pub fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Sends one batch through a server; false where it did not take it.
    pub fn send(&mut self, server: &Server) -> bool {
        let body = stempoint_api::encode_batch(&self.batch());
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(20))).build();
        let agent = ureq::Agent::new_with_config(config);
        let taken = agent.post(server.url("/internal/append/usage")).send(&body[..]).is_ok();
        if taken {
            self.sent.append(&mut self.pending);
        }
        taken
    }

    /// Sends one batch straight to the log. Now and then it is sent twice, as
    /// by a producer that did not hear the first answer.
    pub fn send_to(&mut self, log: &dyn EventLog) {
        let batch = self.batch();
        if self.rng.u32(..8) == 0 {
            log.submit(Topic::Usage, self.batch()).wait().expect("the broker takes the batch");
        }
        log.submit(Topic::Usage, batch).wait().expect("the broker takes the batch");
        self.sent.append(&mut self.pending);
    }

    fn batch(&mut self) -> Batch {
        if self.pending.is_empty() {
            let count = self.rng.u64(1..=self.batch_max);
            let pending = &mut self.pending;
            self.stream.fill(count, &mut |key, value| pending.push((key.to_vec(), value.to_vec())));
        }
        let mut batch = Batch::new();
        for (key, value) in &self.pending {
            batch.push(key, value);
        }
        batch
    }
}

/// The product's own client.
pub fn connect(kafka: &Kafka) -> KafkaLog {
    let options = KafkaOptions { topic_prefix: kafka.prefix.clone(), ..KafkaOptions::default() };
    KafkaLog::connect(&kafka.brokers, options).expect("the broker answers")
}
