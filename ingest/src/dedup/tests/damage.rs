//! Damaged and missing files: an error that asks for a rebuild, or the right
//! verdict; never a wrong one and never a panic.

use super::{check, hashed, numbered, scratch, tiny};
use crate::dedup::{Candidate, DedupError, IndexOptions, ShardIndex, Verdict};
use std::{
    fs,
    path::{Path, PathBuf},
};

const EVENTS: u64 = 800;

fn options() -> IndexOptions {
    // One merge of two fans, and flushes that are not merged yet.
    IndexOptions { merge_fan_in: 3, buffer_bytes: 3_000, ..tiny() }
}

fn event(offset: u64) -> Candidate {
    if offset.is_multiple_of(2) { hashed(offset, offset) } else { numbered(offset, 1, offset / 2 * 3) }
}

/// An index whose claims are all on disk, and its run files and manifest.
fn filled(dir: &Path) -> Vec<PathBuf> {
    let mut index = ShardIndex::open(dir, 0, &options()).expect("an index");
    for from in (0..EVENTS).step_by(50) {
        let events: Vec<_> = (from..from + 50).map(event).collect();
        check(&mut index, &events);
        index.committed(from + 50).expect("a commit");
    }
    while index.store.is_merging() {
        index.store.take_in_merges().expect("a merge");
        std::thread::yield_now();
    }
    assert_eq!(index.covered(), EVENTS);
    drop(index);
    let names = fs::read_dir(dir.join("runs")).expect("a folder").map(|name| name.expect("a name").path());
    let mut files: Vec<_> = names.collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    files
}

/// Opens the index and asks for everything that it knows and some that it does
/// not: no answer may be wrong.
fn ask(dir: &Path) -> Result<(), DedupError> {
    let mut index = ShardIndex::open(dir, EVENTS, &options())?;
    assert_eq!(index.covered(), EVENTS, "it opened as if nothing were missing");
    let again: Vec<_> = (0..EVENTS).map(|offset| Candidate { offset: 1_000 + offset, ..event(offset) }).collect();
    let unknown: Vec<_> = (0..100).map(|id| hashed(2_000 + id, 5_000 + id)).collect();
    let gaps: Vec<_> = (0..100).map(|gap| numbered(3_000 + gap, 1, gap * 3 + 1)).collect();
    let mut verdicts = Vec::new();
    index.check_batch(&again, &mut verdicts)?;
    for (original, verdict) in verdicts.iter().enumerate() {
        assert_eq!(*verdict, Verdict::Duplicate { original: original as u64 });
    }
    for new in [unknown, gaps] {
        index.check_batch(&new, &mut verdicts)?;
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::New));
    }
    Ok(())
}

/// Asks, and expects the right answers or an error that leads to a rebuild.
fn ask_damaged(dir: &Path, what: &str) -> bool {
    match ask(dir) {
        Ok(()) => false,
        Err(error) => {
            assert!(error.needs_rebuild(), "{what}: {error}");
            true
        }
    }
}

#[test]
fn flipped_bytes_are_noticed_or_do_not_matter() {
    let dir = scratch();
    let files = filled(dir.path());
    ask(dir.path()).expect("an undamaged index");
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut noticed = 0;
    for file in &files {
        let whole = fs::read(file).expect("a file");
        // Everything but the unused rest of the header.
        let used: Vec<usize> = (0..whole.len()).filter(|at| whole.len() < 4096 || *at < 48 || *at >= 4096).collect();
        for _ in 0..150 {
            let at = used[random.usize(..used.len())];
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << random.u32(..8);
            fs::write(file, &damaged).expect("a damaged file");
            noticed += usize::from(ask_damaged(dir.path(), &format!("{} at {at}, seed {seed}", file.display())));
        }
        fs::write(file, &whole).expect("a file");
    }
    // Only padding does not matter, and blocks that no key asked for.
    assert!(noticed * 10 > files.len() * 150 * 8, "only {noticed} were noticed, seed {seed}");
    ask(dir.path()).expect("an undamaged index");
}

#[test]
fn missing_cut_and_exchanged_files_are_noticed() {
    let dir = scratch();
    let files = filled(dir.path());
    for file in &files {
        let whole = fs::read(file).expect("a file");
        fs::remove_file(file).expect("a file");
        assert!(ask_damaged(dir.path(), "a missing file"), "{}", file.display());
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(file, &whole[..length]).expect("a file");
            assert!(ask_damaged(dir.path(), "a cut file"), "{} cut to {length}", file.display());
        }
        fs::write(file, &whole).expect("a file");
    }
    let (one, other) = (fs::read(&files[0]).expect("a file"), fs::read(&files[1]).expect("a file"));
    fs::write(&files[0], &other).expect("a file");
    assert!(ask_damaged(dir.path(), "an exchanged file"));
    fs::write(&files[0], &one).expect("a file");
    ask(dir.path()).expect("an undamaged index");
}

#[test]
fn strays_of_a_crash_are_removed() {
    let dir = scratch();
    filled(dir.path());
    let stray = dir.path().join("runs/00000000000fffff.run");
    fs::write(&stray, b"half a run").expect("a stray");
    fs::write(dir.path().join("runs/MANIFEST.draft"), b"half a manifest").expect("a stray");
    ask(dir.path()).expect("an undamaged index");
    assert!(!stray.exists());
}

#[test]
fn a_flush_that_fails_is_tried_again() {
    let dir = scratch();
    let options = options();
    let mut index = ShardIndex::open(dir.path(), 0, &options).expect("an index");
    let events: Vec<_> = (0..200).map(event).collect();
    check(&mut index, &events);
    let (runs, away) = (dir.path().join("runs"), dir.path().join("away"));
    fs::rename(&runs, &away).expect("a renamed folder");
    index.committed(200).expect_err("no folder to write to");
    let again: Vec<_> = (0..200).map(|offset| Candidate { offset: 500 + offset, ..event(offset) }).collect();
    let duplicates: Vec<_> = (0..200).map(|original| Verdict::Duplicate { original }).collect();
    assert_eq!(check(&mut index, &again), duplicates);
    fs::rename(&away, &runs).expect("a renamed folder");
    index.committed(200).expect("a commit");
    assert_eq!(index.covered(), 200);
    assert_eq!(check(&mut index, &again), duplicates);
}

#[test]
fn after_a_failed_lookup_nothing_is_believed_that_was_not_read() {
    let dir = scratch();
    let files = filled(dir.path());
    let options = IndexOptions { cached_pages: 100, ..options() };
    let run = files.iter().find(|file| file.extension().is_some_and(|end| end == "run")).expect("a run");
    let whole = fs::read(run).expect("a file");
    let mut index = ShardIndex::open(dir.path(), EVENTS, &options).expect("an index");
    let again: Vec<_> = (0..EVENTS).map(|offset| Candidate { offset: EVENTS + offset, ..event(offset) }).collect();
    let turned =
        [Candidate { source: 2, ..hashed(2 * EVENTS, 1) }, Candidate { source: 1, ..numbered(2 * EVENTS + 1, 7, 1) }];
    let tenth = (whole.len() - 4096) / 10;
    for damaged_from in (4096..whole.len() - tenth).step_by(tenth) {
        let mut damaged = whole.clone();
        damaged[damaged_from..damaged_from + tenth].fill(0xee);
        fs::write(run, &damaged).expect("a damaged file");
        let mut verdicts = Vec::new();
        let refused = index.check_batch(&again, &mut verdicts);
        assert!(refused.is_err_and(|error| error.needs_rebuild()), "damaged from {damaged_from}");
        fs::write(run, &whole).expect("a file");
        assert_eq!(check(&mut index, &turned), [Verdict::TurnedUnnumbered, Verdict::TurnedNumbered]);
        let duplicates: Vec<_> = (0..EVENTS).map(|original| Verdict::Duplicate { original }).collect();
        assert_eq!(check(&mut index, &again), duplicates, "damaged from {damaged_from}");
        drop(index);
        index = ShardIndex::open(dir.path(), EVENTS, &options).expect("an index");
    }
}
