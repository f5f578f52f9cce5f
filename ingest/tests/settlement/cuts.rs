//! Guards invariant 2 (conservation) where settle events name any vectors:
//! between ledger versions, in the middle of files, some of them going back.

use std::time::Duration;

use stempoint_ingest::settlement::{Due, SettleOptions};
use stempoint_schemas::watermark::Watermarks;

use crate::folded::{EVENTS, Folded, PIECE, seed};

#[test]
fn any_vectors_settle_each_row_once() {
    let seed = seed();
    let mut rng = fastrand::Rng::with_seed(seed);
    let folded = Folded::new(seed);
    for _ in 0..12 {
        let vector = folded.ends.iter().map(|(_, end)| rng.u64(0..=end)).collect();
        folded.ask(&Watermarks::from_vec(vector));
    }
    folded.ask(&folded.ends);
    folded.settle(SettleOptions { leads: false, ..folded.options() }, &folded.ends);
    assert_eq!(folded.check(), 13);
}

#[test]
fn a_leader_catches_up_in_steps() {
    let folded = Folded::new(seed());
    let due = Due { rows: 2 * PIECE, sums: usize::MAX, interval: Duration::ZERO };
    let options = SettleOptions { due, ..folded.options() };
    folded.settle(options, &folded.ends);
    let steps = folded.check() as u64;
    assert!(steps >= EVENTS / (2 * PIECE), "only {steps} settle events for {EVENTS} rows");
}

/// Many sums are much work for one settle event, however few the rows are.
#[test]
fn a_leader_settles_what_has_many_sums() {
    let folded = Folded::new(seed());
    let due = Due { rows: u64::MAX, sums: 1, interval: Duration::MAX };
    folded.settle(SettleOptions { due, ..folded.options() }, &folded.ends);
    assert!(folded.check() >= 1);
}
