//! A fold starts while another one commits.

use std::sync::atomic::{AtomicBool, Ordering};

use stempoint_schemas::watermark::Watermarks;

use super::super::producer::{Producer, Sent};
use super::super::seed;
use super::Place;
use super::fold::Fold;

/// How often one takes over from the other.
const ROUNDS: usize = 12;

/// It must know every event that is visible to it, so that it takes none for
/// new that is sent again.
#[test]
fn a_fold_that_starts_while_another_commits_knows_what_is_visible() {
    let place = Place::new();
    let mut producer = Producer::new(seed() ^ 12, 20);
    let everything = Watermarks::from_vec(vec![u64::MAX; 4]);
    let mut sent: Vec<Sent> = Vec::new();
    let mut first = Fold::start(&place, "lake", "index-0", &everything);
    for round in 1..=ROUNDS {
        let done = AtomicBool::new(false);
        let mut second = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    producer.send_to(place.log.as_ref());
                }
            });
            let second = Fold::start(&place, "lake", &format!("index-{round}"), &everything);
            done.store(true, Ordering::SeqCst);
            second
        });
        first.end();
        let new = producer.sent.split_off(0);
        place.send(&new);
        sent.extend(new.iter().cloned());
        sent.extend(new);
        second.fold_to(&place.ends());
        first = second;
    }
    first.end();
    place.check(&place.at("lake"), &sent, "the last fold");
}
