//! Deaths of a server on the embedded log.

use super::scenario::{at_points, at_random, killed, power_cut};
use super::seed;
use crate::harness::Books;

#[test]
fn killed_at_every_named_step() {
    killed(Books::new, seed(), &at_points(1));
}

#[test]
fn killed_at_random_moments() {
    let seed = seed();
    killed(Books::new, seed, &at_random(seed));
}

#[test]
fn power_cut_at_every_third_named_step() {
    power_cut(Books::new, seed() ^ 2, &at_points(3));
}

#[test]
fn power_cut_at_random_moments() {
    let seed = seed() ^ 1;
    power_cut(Books::new, seed, &at_random(seed));
}
