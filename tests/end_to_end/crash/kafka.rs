//! Deaths of a server on a real Kafka. A power cut takes what was not synced
//! of the tables and of the deduplication index; the broker has its own disk.

use super::scenario::{at_points, at_random, run};
use super::seed;
use crate::harness::Books;

/// Books on new topics of the broker to test with, or none after having said
/// what is left out.
pub fn books(test: &str) -> Option<Books> {
    let broker = std::env::var("STEMPOINT_KAFKA").ok().filter(|broker| !broker.is_empty());
    if broker.is_none() {
        eprintln!(
            "left out: crash::{test} (needs a broker: run `deploy/kafka/kafka start` and set STEMPOINT_KAFKA to the \
             HOST:PORT that it prints)"
        );
    }
    broker.map(|broker| Books::on_kafka(&broker))
}

#[test]
fn killed_at_every_named_step() {
    let Some(books) = books("kafka::killed_at_every_named_step") else { return };
    run(&books, seed() ^ 3, at_points(1), None);
}

#[test]
fn killed_at_random_moments() {
    let Some(books) = books("kafka::killed_at_random_moments") else { return };
    let seed = seed() ^ 4;
    let mut rng = fastrand::Rng::with_seed(seed);
    run(&books, seed, at_random(&mut rng), None);
}

#[test]
fn power_cut_at_random_moments() {
    let Some(books) = books("kafka::power_cut_at_random_moments") else { return };
    let seed = seed() ^ 5;
    let mut rng = fastrand::Rng::with_seed(seed);
    let deaths = at_random(&mut rng);
    run(&books, seed, deaths, Some(rng));
}

#[test]
fn power_cut_at_named_steps() {
    let Some(books) = books("kafka::power_cut_at_named_steps") else { return };
    let seed = seed() ^ 6;
    run(&books, seed, at_points(3), Some(fastrand::Rng::with_seed(seed)));
}
