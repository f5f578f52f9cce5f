//! Damages the embedded log's files in every way that one byte allows.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use stempoint_ingest::log::embedded::EmbeddedLog;
use stempoint_ingest::log::{EventLog, LogError, Topic};

use crate::embedded::{EmbeddedFixture, small_options};
use crate::support::{EVERYTHING, Fixture, append, key_of, poll, read_all, say, seed};

type Content = HashMap<(u32, u64), Vec<u8>>;

/// Fills a log, part of it in tables and part in the journal.
fn fill(fixture: &EmbeddedFixture) -> Content {
    let log = fixture.open();
    let mut random = fastrand::Rng::with_seed(3);
    let mut content = Content::new();
    for _ in 0..40 {
        let records: Vec<_> = (0..20)
            .map(|_| {
                let value: Vec<u8> = (0..random.usize(0..300)).map(|_| random.u8(..)).collect();
                (format!("source/{}", random.u8(0..9)), value)
            })
            .collect();
        let positions = append(&log, records.iter().cloned());
        for (position, (_, value)) in positions.into_iter().zip(records) {
            content.insert((position.partition, position.offset), value);
        }
    }
    content
}

/// What a damaged log still gives: all, or an error that says what is missing.
#[derive(Debug, Default)]
struct Outcome {
    refused_to_open: u32,
    named_the_offset: u32,
    unharmed: u32,
}

/// Opens a damaged log and reads it, past what is unreadable where the error
/// says how. Everything read must be what was written.
fn examine(folder: &Path, content: &Content, outcome: &mut Outcome) {
    let log = match EmbeddedLog::open(folder, small_options()) {
        Ok(log) => log,
        Err(error) => {
            println!("refused: {error}: {:?}", std::error::Error::source(&error));
            assert!(!matches!(error, LogError::Locked { .. }));
            outcome.refused_to_open += 1;
            return;
        }
    };
    let mut found = 0;
    let mut lost = 0;
    for partition in 0..EmbeddedFixture::PARTITIONS {
        let mut next = Some(0);
        while let Some(from) = next.take() {
            let mut reader = log.reader(Topic::Usage, partition, from).unwrap();
            let end = log.ends(Topic::Usage).unwrap()[partition as usize];
            while reader.position() < end {
                match poll(reader.as_mut(), EVERYTHING, Default::default()) {
                    Ok(read) => {
                        found += read.len();
                        for record in read {
                            let written = content.get(&(partition, record.offset));
                            assert_eq!(Some(&record.value), written, "wrong content");
                        }
                    }
                    Err(LogError::Corrupt { partition: named, offset, next: after, .. }) => {
                        assert_eq!((named, offset), (partition, reader.position()));
                        assert!(after.is_none_or(|after| after > offset));
                        println!("lost: partition {named} from {offset} to {after:?}");
                        lost += 1;
                        next = after;
                        break;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
    if lost > 0 {
        outcome.named_the_offset += 1;
    } else {
        // Nothing may be missing without a word.
        assert_eq!(found, content.len(), "records are missing silently");
        outcome.unharmed += 1;
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    for file in files_below(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, content_of(&file)).unwrap();
    }
}

/// A file, a journal without the zeros at its end, which are for later use.
fn content_of(file: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(file).unwrap();
    if file.extension().is_some_and(|extension| extension == "jnl") {
        let used = bytes.iter().rposition(|&byte| byte != 0);
        bytes.truncate(used.map_or(0, |at| at + 1));
    }
    bytes
}

/// Without damage, a copy gives everything, so the other tests test damage.
#[test]
fn an_unharmed_copy_gives_everything() {
    let fixture = EmbeddedFixture::new();
    let content = fill(&fixture);
    let unharmed = tempfile::tempdir().unwrap();
    copy(fixture.folder.path(), unharmed.path());
    let mut outcome = Outcome::default();
    examine(unharmed.path(), &content, &mut outcome);
    assert_eq!(outcome.unharmed, 1);
}

/// One changed byte anywhere: an error that names the place, never a panic,
/// never wrong or silently missing records.
#[test]
fn a_changed_byte_never_passes_for_content() {
    let fixture = EmbeddedFixture::new();
    let content = fill(&fixture);
    let mut random = fastrand::Rng::with_seed(seed());
    let mut outcome = Outcome::default();
    let files = files_below(fixture.folder.path());
    for number in 0..80 {
        let damaged = tempfile::tempdir().unwrap();
        copy(fixture.folder.path(), damaged.path());
        // Each file in turn, a random place in it.
        let file = &files[number % files.len()];
        let mut bytes = content_of(file);
        if bytes.is_empty() {
            continue;
        }
        let at = random.usize(..bytes.len());
        bytes[at] ^= 1 << random.u8(0..8);
        let file = damaged.path().join(file.strip_prefix(fixture.folder.path()).unwrap());
        println!("byte {at} of {}", file.display());
        std::fs::write(&file, bytes).unwrap();
        examine(damaged.path(), &content, &mut outcome);
    }
    say(&format!("changed bytes: {outcome:?}"));
    assert!(outcome.named_the_offset > 0 && outcome.refused_to_open > 0);
}

/// A file that is missing or cut short.
#[test]
fn a_missing_or_shortened_file_never_loses_records_silently() {
    let fixture = EmbeddedFixture::new();
    let content = fill(&fixture);
    let mut outcome = Outcome::default();
    let files = files_below(fixture.folder.path());
    for (number, file) in files.iter().enumerate() {
        let name = file.strip_prefix(fixture.folder.path()).unwrap();
        if name == Path::new("lock") || name == Path::new("acknowledged") {
            continue;
        }
        // One kind of damage for each: they outnumber our patience.
        let keep = (number % 2 == 1).then_some(0.5);
        let damaged = tempfile::tempdir().unwrap();
        copy(fixture.folder.path(), damaged.path());
        let file = damaged.path().join(name);
        println!("{keep:?} of {}", name.display());
        match keep {
            None => std::fs::remove_file(&file).unwrap(),
            Some(share) => {
                let mut bytes = content_of(&file);
                bytes.truncate((bytes.len() as f64 * share) as usize);
                std::fs::write(&file, bytes).unwrap();
            }
        }
        examine(damaged.path(), &content, &mut outcome);
    }
    say(&format!("missing or shortened files: {outcome:?}"));
}

/// The engine would panic on a damaged manifest, or delete what a damaged
/// manifest does not name: each damaged byte is found before it looks.
#[test]
fn a_damaged_manifest_is_found_before_the_engine_acts_on_it() {
    let fixture = EmbeddedFixture::new();
    let content = fill(&fixture);
    let trees = fixture.folder.path().join("db").join("keyspaces");
    let manifests = files_below(&trees).into_iter().filter(|file| {
        let name = file.file_name().unwrap().to_string_lossy();
        name == "current" || name.starts_with('v')
    });
    let mut refused = 0;
    for file in manifests {
        let bytes = std::fs::read(&file).unwrap();
        let current = file.with_file_name("current");
        let number = std::fs::read(current).unwrap()[0];
        if !file.ends_with("current") && !file.ends_with(format!("v{number}")) {
            // An older one, which nothing reads.
            continue;
        }
        for at in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            std::fs::write(&file, damaged).unwrap();
            let opened = EmbeddedLog::open(fixture.folder.path(), small_options());
            assert!(opened.is_err(), "byte {at} of {}", file.display());
            refused += 1;
        }
        std::fs::write(&file, bytes).unwrap();
    }
    assert!(refused > 100);
    let mut outcome = Outcome::default();
    examine(fixture.folder.path(), &content, &mut outcome);
    assert_eq!(outcome.unharmed, 1);
}

/// A journal that lost acknowledged records at its end is found out, and the
/// loss can be accepted.
#[test]
fn a_log_that_lost_its_end_says_what_is_lost() {
    let fixture = EmbeddedFixture::new();
    let key = key_of(0, 3);
    let log = fixture.open();
    append(&log, [(&key, "kept")]);
    let journal = fixture.folder.path().join("db").join("0.jnl");
    let kept = std::fs::read(&journal).unwrap();
    append(&log, [(&key, "lost"), (&key, "lost")]);
    drop(log);
    std::fs::write(&journal, kept).unwrap();
    let refused = EmbeddedLog::open(fixture.folder.path(), small_options()).err().unwrap();
    let LogError::Shorter { topic, partition: 0, acknowledged: 3, end: 1, witness } = &refused else {
        panic!("{refused}");
    };
    assert_eq!(topic, "usage");
    assert!(refused.to_string().contains("those at 1 to 2 are lost"), "{refused}");
    std::fs::remove_file(witness).unwrap();
    let log = fixture.open();
    assert_eq!(read_all(&log, Topic::Usage, 0, 0).len(), 1);
    append(&log, [(&key, "new")]);
}
