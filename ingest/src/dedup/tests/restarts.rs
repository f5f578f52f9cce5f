//! Guards invariant 5 for deduplication: verdicts are a function of the log,
//! whatever is cut, committed, rolled back, flushed, merged, dropped and
//! restored in between.

use super::{check, model::random_log, scratch, tiny};
use crate::dedup::{Candidate, IndexOptions, ShardIndex, Verdict};
use proptest::prelude::*;
use std::path::Path;

/// What happens between two batches.
#[derive(Clone, Debug)]
enum Step {
    /// Check so many events, in batches of at most so many.
    Check { events: usize, batch: usize },
    /// The ledger has all but so many of the checked events.
    Commit { but: usize },
    /// The last so many events are read again after a rollback.
    Rollback { events: usize },
    /// The last so many events are checked again without one.
    Repeat { events: usize },
    /// The process is killed and starts again.
    Restart { shuffle: u64 },
    /// The index is lost and restored, and the process is killed on the way.
    Rebuild { shuffle: u64, killed_after: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..150usize, 1..60usize).prop_map(|(events, batch)| Step::Check { events, batch }),
        5 => (0..40usize).prop_map(|but| Step::Commit { but }),
        1 => (0..60usize).prop_map(|events| Step::Rollback { events }),
        1 => (0..200usize).prop_map(|events| Step::Repeat { events }),
        2 => any::<u64>().prop_map(|shuffle| Step::Restart { shuffle }),
        1 => (any::<u64>(), 0..300usize).prop_map(|(shuffle, killed_after)| Step::Rebuild { shuffle, killed_after }),
    ]
}

/// A shard that folds a log: the index, and how far log and ledger are.
struct Shard<'a> {
    dir: &'a Path,
    options: IndexOptions,
    log: &'a [(Candidate, Verdict)],
    index: Option<ShardIndex>,
    checked: usize,
    committed: usize,
}

impl Shard<'_> {
    fn take(mut self, step: &Step) -> Self {
        match *step {
            Step::Check { events, batch } => {
                let end = self.log.len().min(self.checked + events);
                while self.checked < end {
                    let next = end.min(self.checked + batch);
                    self.expect(self.checked..next);
                    self.checked = next;
                }
            }
            Step::Commit { but } => {
                self.committed = self.committed.max(self.checked.saturating_sub(but));
                let watermark = self.watermark();
                self.index().committed(watermark).expect("a commit");
            }
            Step::Rollback { events } => {
                self.checked = self.committed.max(self.checked.saturating_sub(events));
                let to = self.log.get(self.checked).map_or(u64::MAX, |(event, _)| event.offset);
                self.index().rollback(to).expect("a rollback");
            }
            Step::Repeat { events } => {
                let again = &self.log[self.checked.saturating_sub(events)..self.checked];
                let decided = |verdict: &Verdict| {
                    matches!(verdict, Verdict::New | Verdict::Duplicate { .. } | Verdict::Conflict { .. })
                };
                let (events, expected): (Vec<_>, Vec<_>) =
                    again.iter().filter(|(_, verdict)| decided(verdict)).copied().unzip();
                assert_eq!(check(self.index(), &events), expected);
            }
            Step::Restart { shuffle } => {
                self.reopen();
                self.checked = self.committed;
                let ledger = &self.log[..self.committed];
                restore(self.index(), ledger, shuffle, usize::MAX);
            }
            Step::Rebuild { shuffle, killed_after } => {
                self.index = None;
                let mut lost = ShardIndex::open_empty(self.dir, &self.options).expect("an empty index");
                assert_eq!(lost.covered(), 0);
                let ledger = &self.log[..self.committed];
                restore(&mut lost, ledger, shuffle, killed_after);
                drop(lost);
                self.reopen();
                self.checked = self.committed;
                restore(self.index(), ledger, !shuffle, usize::MAX);
            }
        }
        self
    }

    fn reopen(&mut self) {
        self.index = None;
        let mut index = ShardIndex::open(self.dir, self.watermark(), &self.options).expect("an index");
        index.flush_max = 30;
        self.index = Some(index);
    }

    fn index(&mut self) -> &mut ShardIndex {
        self.index.as_mut().expect("an open index")
    }

    /// The offset after the last committed event.
    fn watermark(&self) -> u64 {
        self.committed.checked_sub(1).map_or(0, |last| self.log[last].0.offset + 1)
    }

    fn expect(&mut self, range: std::ops::Range<usize>) {
        let (events, expected): (Vec<_>, Vec<_>) = self.log[range.clone()].iter().copied().unzip();
        assert_eq!(check(self.index(), &events), expected, "events {range:?}");
    }
}

/// Restores what the ledger has and the index may lack, in some order and with
/// some events that it knows, and stops early if told so.
fn restore(index: &mut ShardIndex, ledger: &[(Candidate, Verdict)], shuffle: u64, stop_after: usize) {
    let mut random = fastrand::Rng::with_seed(shuffle);
    let covered = index.covered();
    let mut accepted: Vec<Candidate> = ledger
        .iter()
        .filter(|(event, verdict)| *verdict == Verdict::New && (event.offset >= covered || random.u8(..4) == 0))
        .map(|(event, _)| *event)
        .collect();
    random.shuffle(&mut accepted);
    accepted.truncate(stop_after);
    for part in accepted.chunks(17) {
        index.restore(part).expect("restored events");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn verdicts_are_a_function_of_the_log(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..60),
        lag_max in prop_oneof![Just(40u64), Just(1_000_000)],
    ) {
        let log = random_log(seed, 1_500);
        let dir = scratch();
        let options = IndexOptions { lag_max, ..tiny() };
        let mut shard = Shard { dir: dir.path(), options, log: &log, index: None, checked: 0, committed: 0 };
        shard.reopen();
        for step in &steps {
            shard = shard.take(step);
        }
        for step in [
            Step::Check { events: log.len(), batch: 100 },
            Step::Commit { but: 0 },
            Step::Restart { shuffle: 0 },
            Step::Repeat { events: log.len() },
        ] {
            shard = shard.take(&step);
        }
    }
}
