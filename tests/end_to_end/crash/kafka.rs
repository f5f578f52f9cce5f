//! Deaths of a server on a real Kafka. A power cut takes what was not synced
//! of the tables and of the deduplication index; the broker has its own disk.

use super::scenario::{at_points, at_random, killed, power_cut};
use super::seed;
use crate::harness::Books;

/// The broker to test with, or none after having said what is left out.
pub fn broker(test: &str) -> Option<String> {
    let broker = std::env::var("STEMPOINT_KAFKA").ok().filter(|broker| !broker.is_empty());
    if broker.is_none() {
        eprintln!(
            "left out: crash::{test} (needs a broker: run `deploy/kafka/kafka start` and set STEMPOINT_KAFKA to the \
             HOST:PORT that it prints)"
        );
    }
    broker
}

#[test]
fn killed_at_every_named_step() {
    let Some(broker) = broker("kafka::killed_at_every_named_step") else { return };
    killed(|| Books::on_kafka(&broker), seed() ^ 3, &at_points(1));
}

#[test]
fn killed_at_random_moments() {
    let Some(broker) = broker("kafka::killed_at_random_moments") else { return };
    let seed = seed() ^ 4;
    killed(|| Books::on_kafka(&broker), seed, &at_random(seed));
}

#[test]
fn power_cut_at_every_third_named_step() {
    let Some(broker) = broker("kafka::power_cut_at_every_third_named_step") else { return };
    power_cut(|| Books::on_kafka(&broker), seed() ^ 6, &at_points(3));
}

#[test]
fn power_cut_at_random_moments() {
    let Some(broker) = broker("kafka::power_cut_at_random_moments") else { return };
    let seed = seed() ^ 5;
    power_cut(|| Books::on_kafka(&broker), seed, &at_random(seed));
}
