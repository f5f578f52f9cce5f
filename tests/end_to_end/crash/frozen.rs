//! A process is frozen at a named step, another takes over, and the first goes
//! on: it must find itself fenced out, write nothing, and take part again.

use std::time::Instant;

use stempoint_ingest::log::kafka::KafkaLog;
use stempoint_ingest::log::{EventLog, Topic};
use stempoint_schemas::commit::Commit;
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::ledger::Ledger;

use super::compare::{apply_prices, compare};
use super::kafka::broker;
use super::producer::{Producer, connect};
use super::scenario::REACHED_WITHIN;
use super::seed;
use super::worker::{Fate, Worker};
use crate::harness::{Books, LOOK, Process};

/// The most records that are sent at once.
const BATCH_MAX: u64 = 200;

#[test]
fn an_ingest_process_frozen_at_every_named_step_is_fenced_out() {
    let Some(broker) = broker("frozen::an_ingest_process_frozen_at_every_named_step_is_fenced_out") else { return };
    let mut stage = Stage::new(Books::on_kafka(&broker), seed() ^ 9);
    let mut fenced = 0;
    for point in Worker::Ingest("a").points() {
        let said = stage.freeze_and_replace([Worker::Ingest("a"), Worker::Ingest("b")], point, Commit::visible);
        fenced += usize::from(said.contains("moved the fence"));
    }
    eprintln!("{fenced} of {} found their fences moved", Worker::Ingest("a").points().len());
    // At the steps before the tables are committed there is no way round it.
    assert!(fenced >= 6, "only {fenced} were fenced out");
    compare(&stage.books, &stage.producer.sent);
}

#[test]
fn a_leader_of_settlement_frozen_at_every_named_step_is_fenced_out() {
    let Some(broker) = broker("frozen::a_leader_of_settlement_frozen_at_every_named_step_is_fenced_out") else {
        return;
    };
    let mut stage = Stage::new(Books::on_kafka(&broker), seed() ^ 10);
    let ingest = Worker::Ingest("a").start(&stage.books, None);
    for point in Worker::Settle.points() {
        stage.freeze_and_replace([Worker::Settle, Worker::Settle], point, Commit::settled);
    }
    ingest.stop();
    compare(&stage.books, &stage.producer.sent);
}

/// Books with a producer, seen from outside.
struct Stage {
    books: Books,
    log: KafkaLog,
    ledger: Ledger,
    runtime: tokio::runtime::Runtime,
    producer: Producer,
}

impl Stage {
    fn new(books: Books, seed: u64) -> Stage {
        apply_prices(&books);
        let log = connect(books.kafka().expect("the books are on Kafka"));
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let ledger = runtime.block_on(Ledger::open(&books.data().join("lake"))).expect("the ledger is there");
        Stage { books, log, ledger, runtime, producer: Producer::new(seed, BATCH_MAX) }
    }

    /// Has the first freeze at a step and the second do its work meanwhile;
    /// `progress` says of the head how far that is. Gives what the first said.
    fn freeze_and_replace(
        &mut self,
        [first, second]: [Worker; 2],
        point: &'static str,
        progress: fn(&Commit) -> Watermarks,
    ) -> String {
        let mut first = self.freeze(first, point);
        let second = second.start(&self.books, None);
        self.send_and_wait(point, progress);
        first.signal("CONT");
        self.send_and_wait(point, progress);
        second.stop();
        // The first takes part again.
        self.send_and_wait(point, progress);
        assert!(!first.has_ended(), "frozen at {point}, it ended by itself:\n{}", first.said());
        first.stop()
    }

    /// Starts a process and sends until it has frozen.
    fn freeze(&mut self, worker: Worker, point: &'static str) -> Process {
        let mut process = worker.start(&self.books, Some(Fate::Freezes(point)));
        let begun = Instant::now();
        while !process.is_frozen() {
            assert!(!process.has_ended(), "it ended by itself:\n{}", process.said());
            assert!(begun.elapsed() < REACHED_WITHIN, "{point} was not reached");
            self.producer.send_to(&self.log);
        }
        process
    }

    /// Sends a batch and waits until everything sent so far has been worked on.
    fn send_and_wait(&mut self, point: &str, progress: fn(&Commit) -> Watermarks) {
        self.producer.send_to(&self.log);
        let ends = Watermarks::from_vec(self.log.ends(Topic::Usage).expect("the broker answers"));
        let begun = Instant::now();
        while !progress(&self.runtime.block_on(self.ledger.head()).expect("the head can be read")).covers(&ends) {
            assert!(begun.elapsed() < REACHED_WITHIN, "frozen at {point}: the work is not done");
            std::thread::sleep(LOOK);
        }
    }
}
