//! Several processes do the same work on the same lake at once, and are killed
//! and replaced at random moments and at named steps, while a producer sends
//! straight to Kafka.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use stempoint_ingest::log::kafka::KafkaLog;

use super::compare::{apply_prices, compare};
use super::kafka::broker;
use super::producer::{Producer, connect};
use super::scenario::CRASHES_MAX;
use super::worker::{Fate, Worker};
use super::{crashes, seed};
use crate::harness::{Books, Process};

/// The most records that are sent at once: few, so that the processes cut
/// their batches differently.
const BATCH_MAX: u64 = 20;

/// What a server says when another one was faster and it gives way.
const OVERTAKEN: &str = "another process has folded the same partitions";

#[test]
fn two_ingest_and_two_settlement_processes_are_killed_at_random_moments() {
    let test = "fight::two_ingest_and_two_settlement_processes_are_killed_at_random_moments";
    fight(test, &[Worker::Ingest("a"), Worker::Ingest("b"), Worker::Settle, Worker::Settle]);
}

#[test]
fn two_servers_with_maintenance_are_killed_at_random_moments() {
    let test = "fight::two_servers_with_maintenance_are_killed_at_random_moments";
    fight(test, &[Worker::Server { other: false }, Worker::Server { other: true }]);
}

/// Kills at random moments; every other replacement is told to die at a step
/// of its own.
fn fight(test: &str, workers: &[Worker]) {
    let Some(broker) = broker(test) else { return };
    let seed = seed() ^ 7;
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut left = crashes(12);
    while left > 0 {
        let mut arena = Arena::new(Books::on_kafka(&broker), seed, workers);
        let begun = Instant::now();
        for _ in 0..left.min(CRASHES_MAX) {
            let until = Instant::now() + Duration::from_millis(rng.u64(20..900));
            while Instant::now() < until {
                arena.go_on();
            }
            let place = rng.usize(..workers.len());
            let point = if rng.bool() { rng.choice(workers[place].points()) } else { None };
            arena.replace(place, point);
        }
        arena.go_on();
        arena.stop();
        let Arena { books, producer, killed, gave_way, .. } = arena;
        eprintln!("{killed} killed, {gave_way} gave way in {:.1} s", begun.elapsed().as_secs_f64());
        compare(&books, &producer.sent);
        left = left.saturating_sub(CRASHES_MAX);
    }
}

/// A place in the fight, and the process that holds it.
struct Place {
    worker: Worker,
    process: Process,
    /// Whether it was told to die at a step.
    doomed: bool,
}

impl Place {
    fn new(worker: Worker, books: &Books) -> Place {
        Place { worker, process: worker.start(books, None), doomed: false }
    }

    /// How it ended, which must be by a kill or because it gave way to another.
    fn ended(&self, (status, said): (ExitStatus, String)) -> End {
        assert!(!said.contains("panicked"), "{said}");
        match status.signal() {
            Some(9) => End::Killed,
            _ if self.worker.gives_way() && said.contains(OVERTAKEN) => End::GaveWay,
            _ => panic!("{:?} ended by itself with {status}:\n{said}", self.worker),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Killed,
    GaveWay,
}

struct Arena {
    books: Books,
    log: KafkaLog,
    producer: Producer,
    places: Vec<Place>,
    killed: usize,
    gave_way: usize,
}

impl Arena {
    fn new(books: Books, seed: u64, workers: &[Worker]) -> Arena {
        apply_prices(&books);
        let log = connect(books.kafka().expect("the books are on Kafka"));
        let places = workers.iter().map(|&worker| Place::new(worker, &books)).collect();
        Arena { books, log, producer: Producer::new(seed, BATCH_MAX), places, killed: 0, gave_way: 0 }
    }

    /// Sends one batch, and replaces who has ended as it had to. Nobody else
    /// may have ended.
    fn go_on(&mut self) {
        self.producer.send_to(&self.log);
        for place in 0..self.places.len() {
            let was_doomed = self.places[place].doomed;
            if self.places[place].process.has_ended() {
                let end = self.replace(place, None);
                assert!(end == End::GaveWay || was_doomed, "somebody else killed a process of this test");
            }
        }
    }

    /// Kills who holds a place, if it lives, and puts another there, who dies
    /// at a step if one is given.
    fn replace(&mut self, place: usize, point: Option<&'static str>) -> End {
        let place = &mut self.places[place];
        let ended = place.process.end_by_kill();
        let end = place.ended(ended);
        match end {
            End::Killed => self.killed += 1,
            End::GaveWay => self.gave_way += 1,
        }
        place.process = place.worker.start(&self.books, point.map(Fate::Dies));
        place.doomed = point.is_some();
        end
    }

    /// Stops all of them; who is told to die may do so meanwhile.
    fn stop(&mut self) {
        for place in &mut self.places {
            place.process.ask_to_stop();
            let (status, said) = place.process.end();
            if !status.success() {
                let end = place.ended((status, said));
                assert!(end == End::GaveWay || place.doomed, "somebody else killed a process of this test");
            }
        }
    }
}
