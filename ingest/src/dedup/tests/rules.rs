//! The rules one by one, and the edges of the interface.

use super::{check, hashed, numbered, scratch, tiny};
use crate::dedup::{Candidate, DedupError, IndexOptions, SEQUENCE_JUMP_MAX, ShardIndex, Verdict};

/// Guards invariant 9.
#[test]
fn the_same_id_with_other_content_is_a_conflict_for_ever() {
    let dir = scratch();
    let mut index = ShardIndex::open(dir.path(), 0, &tiny()).expect("an index");
    let first = [hashed(0, 7), numbered(1, 1, 5)];
    assert_eq!(check(&mut index, &first), [Verdict::New, Verdict::New]);
    for offset in [10, 10_000] {
        let other = first.map(|event| Candidate { offset: offset + event.offset, fingerprint: 99, ..event });
        let same = first.map(|event| Candidate { offset: offset + 5 + event.offset, ..event });
        let conflicts = [Verdict::Conflict { original: 0 }, Verdict::Conflict { original: 1 }];
        let duplicates = [Verdict::Duplicate { original: 0 }, Verdict::Duplicate { original: 1 }];
        assert_eq!(check(&mut index, &other), conflicts);
        assert_eq!(check(&mut index, &same), duplicates);
        let many: Vec<_> = (0..500).map(|id| hashed(1_000 + id, 1_000 + id)).collect();
        index.committed(offset).expect("a commit");
        if offset == 10 {
            check(&mut index, &many);
            index.committed(2_000).expect("a commit");
            assert!(index.covered() >= 2_000, "the second time the claims are looked up on disk");
        }
    }
}

#[test]
fn late_numbers_fill_their_gaps_once() {
    let dir = scratch();
    let mut index = ShardIndex::open(dir.path(), 0, &tiny()).expect("an index");
    let sent: Vec<_> = (0..3_000).filter(|number| number % 10 != 0).map(|number| numbered(number, 1, number)).collect();
    assert!(check(&mut index, &sent).iter().all(|verdict| *verdict == Verdict::New));
    index.committed(3_000).expect("a commit");
    assert!(index.covered() == 3_000);
    let late: Vec<_> = (0..300).map(|gap| numbered(3_000 + gap, 1, gap * 10)).collect();
    assert!(check(&mut index, &late).iter().all(|verdict| *verdict == Verdict::New));
    index.committed(4_000).expect("a commit");
    let again: Vec<_> = (0..3_000).map(|number| numbered(5_000 + number, 1, number)).collect();
    assert!(check(&mut index, &again).iter().all(|verdict| matches!(verdict, Verdict::Duplicate { .. })));
}

#[test]
fn a_number_from_the_far_future_claims_nothing() {
    let dir = scratch();
    let mut index = ShardIndex::open(dir.path(), 0, &tiny()).expect("an index");
    let steps = [
        (numbered(0, 1, SEQUENCE_JUMP_MAX + 1), Verdict::SequenceTooFar { highest: 0 }),
        // The source is not numbered by that, as nothing was accepted.
        (Candidate { source: 2, ..hashed(1, 1) }, Verdict::New),
        (numbered(2, 1, 1), Verdict::TurnedNumbered),
        (Candidate { source: 3, ..numbered(3, 1, SEQUENCE_JUMP_MAX) }, Verdict::New),
        (Candidate { source: 3, ..numbered(4, 1, u64::MAX) }, Verdict::SequenceTooFar { highest: SEQUENCE_JUMP_MAX }),
        (Candidate { source: 3, ..numbered(5, 2, 2 * SEQUENCE_JUMP_MAX) }, Verdict::SequenceTooFar { highest: 0 }),
        (Candidate { source: 3, ..numbered(6, 1, 2 * SEQUENCE_JUMP_MAX) }, Verdict::New),
        (Candidate { source: 3, ..numbered(7, 1, 0) }, Verdict::New),
        (Candidate { source: 3, ..hashed(8, 2) }, Verdict::TurnedUnnumbered),
    ];
    let (events, expected): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
    assert_eq!(check(&mut index, &events), expected);
}

#[test]
fn events_out_of_order_are_refused_and_claim_nothing() {
    let dir = scratch();
    let mut index = ShardIndex::open(dir.path(), 0, &tiny()).expect("an index");
    check(&mut index, &[hashed(5, 1)]);
    let mut verdicts = Vec::new();
    let refused = index.check_batch(&[hashed(6, 2), hashed(3, 3)], &mut verdicts);
    assert!(matches!(refused, Err(DedupError::OutOfOrder { offset: 3, seen: 6 })));
    assert!(verdicts.is_empty());
    assert_eq!(check(&mut index, &[hashed(5, 1), hashed(6, 2)]), [Verdict::New, Verdict::New]);
}

#[test]
fn what_the_ledger_has_cannot_be_rolled_back() {
    let dir = scratch();
    let options = IndexOptions { lag_max: 0, ..tiny() };
    let mut index = ShardIndex::open(dir.path(), 0, &options).expect("an index");
    check(&mut index, &[hashed(0, 1), hashed(1, 2), hashed(2, 3)]);
    index.committed(2).expect("a commit");
    assert_eq!(index.covered(), 2);
    let refused = index.rollback(1);
    assert!(matches!(refused, Err(DedupError::RollbackTooFar { to: 1, kept: 2 })));
    index.rollback(2).expect("a rollback");
    assert_eq!(check(&mut index, &[hashed(2, 4)]), [Verdict::New]);
}

#[test]
fn a_rollback_takes_back_claims_and_the_kinds_of_sources() {
    let dir = scratch();
    let mut index = ShardIndex::open(dir.path(), 0, &tiny()).expect("an index");
    let events = [numbered(0, 1, 1), numbered(1, 1, 900), hashed(2, 1), Candidate { source: 9, ..hashed(3, 2) }];
    assert_eq!(check(&mut index, &events), [Verdict::New; 4]);
    index.rollback(1).expect("a rollback");
    let others = [
        Candidate { source: 9, ..numbered(1, 1, 1) },
        Candidate { source: 1, ..numbered(2, 1, 1) },
        Candidate { source: 3, ..hashed(3, 1) },
        numbered(4, 1, SEQUENCE_JUMP_MAX + 2),
        numbered(5, 1, 1),
        numbered(6, 1, 900),
    ];
    let expected = [
        Verdict::New,
        Verdict::New,
        Verdict::New,
        Verdict::SequenceTooFar { highest: 1 },
        Verdict::Duplicate { original: 0 },
        Verdict::New,
    ];
    assert_eq!(check(&mut index, &others), expected);
}

#[test]
fn an_index_ahead_of_its_ledger_is_refused() {
    let dir = scratch();
    let options = IndexOptions { lag_max: 0, ..tiny() };
    let mut index = ShardIndex::open(dir.path(), 0, &options).expect("an index");
    check(&mut index, &[hashed(0, 1)]);
    index.committed(50).expect("a commit");
    drop(index);
    let refused = ShardIndex::open(dir.path(), 49, &options).err().expect("a refusal");
    assert!(matches!(refused, DedupError::AheadOfLedger { end: 50, watermark: 49 }) && refused.needs_rebuild());
    let index = ShardIndex::open(dir.path(), 50, &options).expect("an index");
    assert_eq!(index.covered(), 50);
    drop(index);
    let mut index = ShardIndex::open_empty(dir.path(), &options).expect("an empty index");
    assert_eq!(check(&mut index, &[hashed(0, 1)]), [Verdict::New]);
}

#[test]
fn claims_at_or_above_the_watermark_never_become_durable() {
    let dir = scratch();
    let options = IndexOptions { lag_max: 0, ..tiny() };
    let mut index = ShardIndex::open(dir.path(), 0, &options).expect("an index");
    // One page holds numbers on both sides of the watermark.
    let events: Vec<_> = (0..20).flat_map(|at| [numbered(2 * at, 1, at), hashed(2 * at + 1, at)]).collect();
    check(&mut index, &events);
    index.committed(17).expect("a commit");
    drop(index);
    let mut index = ShardIndex::open(dir.path(), 17, &options).expect("an index");
    let (known, unknown) = events.split_at(17);
    let again = known.iter().map(|event| Candidate { offset: 100 + event.offset, ..*event }).collect::<Vec<_>>();
    assert!(check(&mut index, &again).iter().all(|verdict| matches!(verdict, Verdict::Duplicate { .. })));
    let others = unknown.iter().map(|event| Candidate { offset: 200 + event.offset, ..*event }).collect::<Vec<_>>();
    assert!(check(&mut index, &others).iter().all(|verdict| *verdict == Verdict::New));
}

#[test]
fn tables_that_contradict_themselves_are_noticed() {
    let dir = scratch();
    let mut index = ShardIndex::open(dir.path(), 0, &tiny()).expect("an index");
    let refused = index.restore(&[hashed(0, 1), Candidate { source: 1, ..numbered(1, 1, 1) }]);
    assert!(matches!(refused, Err(DedupError::Contradiction { offset: 1 })));
}

#[test]
fn a_wipe_that_was_cut_short_is_finished() {
    let dir = scratch();
    let options = IndexOptions { lag_max: 0, ..tiny() };
    let mut index = ShardIndex::open(dir.path(), 0, &options).expect("an index");
    check(&mut index, &[hashed(0, 1)]);
    index.committed(1).expect("a commit");
    drop(index);
    std::fs::write(dir.path().join("WIPE"), []).expect("a mark");
    let index = ShardIndex::open(dir.path(), 0, &options).expect("an index");
    assert_eq!((index.covered(), index.usage().runs), (0, 0));
}

#[test]
fn an_index_is_open_once() {
    let dir = scratch();
    let index = ShardIndex::open(dir.path(), 0, &tiny()).expect("an index");
    for second in [ShardIndex::open(dir.path(), 0, &tiny()), ShardIndex::open_empty(dir.path(), &tiny())] {
        assert!(matches!(second.err(), Some(DedupError::InUse { .. })));
    }
    drop(index);
    ShardIndex::open(dir.path(), 0, &tiny()).expect("an index");
}
