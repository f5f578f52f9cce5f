//! Deaths of a server on the embedded log.

use super::scenario::{at_points, at_random, run};
use super::seed;
use crate::harness::Books;

#[test]
fn killed_at_every_named_step() {
    run(&Books::new(), seed(), at_points(1), None);
}

#[test]
fn killed_at_random_moments() {
    let seed = seed();
    let mut rng = fastrand::Rng::with_seed(seed);
    run(&Books::new(), seed, at_random(&mut rng), None);
}

#[test]
fn power_cut_at_random_moments() {
    let seed = seed() ^ 1;
    let mut rng = fastrand::Rng::with_seed(seed);
    let deaths = at_random(&mut rng);
    run(&Books::new(), seed, deaths, Some(rng));
}

#[test]
fn power_cut_at_named_steps() {
    let seed = seed() ^ 2;
    run(&Books::new(), seed, at_points(3), Some(fastrand::Rng::with_seed(seed)));
}
