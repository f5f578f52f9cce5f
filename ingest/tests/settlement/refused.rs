//! Settle events that cannot be.

use stempoint_ingest::log::{Batch, Topic};
use stempoint_schemas::watermark::Watermarks;

use crate::folded::{Folded, seed};

/// Guards invariant 5 (determinism): a leader that takes over and a rebuild
/// handle the event again when the log has become longer, and must write the
/// same row.
#[test]
fn a_refusal_does_not_depend_on_how_long_the_log_is() {
    let folded = Folded::new(seed());
    folded.ask(&Watermarks::from_vec(vec![1_000_000_000]));
    let first = folded.first_answer("first");
    assert!(first.starts_with("refused: "), "{first}");
    let mut batch = Batch::new();
    batch.push(b"gateway/1", b"no event");
    folded.log.submit(Topic::Usage, batch).wait().expect("the log takes the record");
    assert_eq!(folded.first_answer("second"), first);
}
