//! Guards the bounds: memory, number of files, replay after a restart.

use super::{check, hashed, numbered, scratch, tiny};
use crate::dedup::{
    IndexOptions, ShardIndex,
    measure::{Design, Load, measure},
};

#[test]
fn memory_files_and_lag_stay_bounded() {
    let dir = scratch();
    let options = IndexOptions { buffer_bytes: 20_000, merge_fan_in: 4, lag_max: 3_000, ..tiny() };
    let mut index = ShardIndex::open(dir.path(), 0, &options).expect("an index");
    let mut runs_max = 0;
    for from in (0..60_000).step_by(100) {
        let event = |offset: u64| {
            if offset.is_multiple_of(3) { numbered(offset, offset % 5, offset) } else { hashed(offset, offset) }
        };
        let events: Vec<_> = (from..from + 100).map(event).collect();
        check(&mut index, &events);
        index.committed(from + 100).expect("a commit");
        let usage = index.usage();
        assert!(usage.pending <= options.buffer_bytes / 32 + 100, "{usage:?}");
        assert!(from + 100 - index.covered() <= options.lag_max, "{usage:?}");
        runs_max = runs_max.max(usage.runs);
    }
    // Four fans that wait, and less than a fan on each of four levels above,
    // while two merges hold one each.
    assert!(runs_max <= 4 * 4 + 4 * 4 + 2 * 4, "{runs_max} runs");
}

#[test]
fn an_idle_part_of_the_log_does_not_hold_back_what_is_covered() {
    let dir = scratch();
    let options = IndexOptions { lag_max: 100, ..IndexOptions::default() };
    let mut index = ShardIndex::open(dir.path(), 0, &options).expect("an index");
    check(&mut index, &[hashed(0, 1)]);
    index.committed(1_000).expect("a commit");
    assert_eq!(index.covered(), 1_000);
    // Nothing but rejects: there is nothing to write but how far it is.
    index.committed(5_000).expect("a commit");
    assert_eq!((index.covered(), index.usage().runs), (5_000, 1));
}

#[test]
fn the_measured_designs_agree_on_every_verdict() {
    for design in [Design::Hashed, Design::Numbered, Design::PlainStore] {
        let dir = scratch();
        let load = Load { keys: 60_000, batch: 7_000, levels: 2 };
        let levels = measure(dir.path(), design, load, &mut |_| {}).expect("a measurement");
        assert_eq!(levels.len(), 2);
        assert!(levels.iter().all(|level| level.wrong_verdicts == 0), "{design:?}: {levels:?}");
    }
}

/// `STEMPOINT_MEASURE=1 cargo test --release -p stempoint-ingest dedup -- --nocapture fifty_million`
#[test]
fn fifty_million_keys_take_the_memory_of_five() {
    if std::env::var_os("STEMPOINT_MEASURE").is_none() {
        println!("left out: fifty_million_keys_take_the_memory_of_five; it needs STEMPOINT_MEASURE=1 and minutes");
        return;
    }
    for design in [Design::Hashed, Design::Numbered, Design::PlainStore] {
        let dir = tempfile::TempDir::new().expect("a temporary folder");
        // The plain store is twenty times slower: a fifth of the keys shows it.
        let keys = if design == Design::PlainStore { 10_000_000 } else { 50_000_000 };
        let load = Load { keys, batch: 50_000, levels: 10 };
        let levels =
            measure(dir.path(), design, load, &mut |level| println!("{design:?} {level:?}")).expect("a measurement");
        let (first, last) = (levels[0], levels[levels.len() - 1]);
        assert_eq!(last.wrong_verdicts, 0);
        if design != Design::PlainStore {
            assert!(last.peak_rss_bytes < first.peak_rss_bytes + (8 << 20), "{first:?} {last:?}");
        }
    }
}
