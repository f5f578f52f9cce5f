//! Settle events that cannot be.

use stempoint_ingest::log::{Batch, partition_of};
use stempoint_ingest::settlement::{Due, SettleOptions};

use crate::folded::{EVENTS, Folded, seed};

const SOURCE: &[u8] = b"gateway/1";

/// Guards invariant 5 (determinism): a leader that takes over and a rebuild
/// handle the event again when the log has become longer, and must write the
/// same row.
#[test]
fn a_refusal_does_not_depend_on_how_long_the_log_is() {
    let mut folded = Folded::new(seed());
    let partition = partition_of(SOURCE, folded.ends.len() as u32);
    let mut beyond = folded.ends.clone();
    beyond.set(partition, beyond.get(partition) + 1);
    folded.ask(&beyond);
    let first = folded.first_answer("first");
    assert!(first.starts_with("refused: the watermarks "), "{first}");
    let mut batch = Batch::new();
    batch.push(SOURCE, b"no event");
    folded.append_and_fold(batch);
    assert!(folded.ends.covers(&beyond), "the log has what the event names");
    assert_eq!(folded.first_answer("second"), first);
}

/// What was on the log when the event was recorded is settled, also by those
/// who handle it when the log has become longer.
#[test]
fn what_was_there_is_settled_however_long_the_log_is() {
    let mut folded = Folded::new(seed());
    let ends = folded.ends.clone();
    folded.ask(&ends);
    let first = folded.first_answer("first");
    assert!(first.starts_with("applied: settled "), "{first}");
    let mut batch = Batch::new();
    batch.push(SOURCE, b"no event");
    folded.append_and_fold(batch);
    assert_eq!(folded.first_answer("second"), first);
}

/// A leader whose settle event was refused, because clocks disagree, goes on
/// with the next one instead of waiting for the first for ever.
#[test]
fn a_leader_goes_on_after_a_refusal() {
    let folded = Folded::new(seed());
    let mut beyond = folded.ends.clone();
    beyond.set(0, beyond.get(0) + 1_000_000);
    folded.ask(&beyond);
    let due = Due { rows: EVENTS / 4, ..folded.options().due };
    folded.settle(SettleOptions { due, ..folded.options() }, &folded.ends);
}
