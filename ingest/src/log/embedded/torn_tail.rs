//! Cuts what a power cut left of the last write off the engine's journal.
//!
//! A group commit is one batch in the journal, synced before the next one is
//! begun. A power cut while it is written can leave any part of its pages: the
//! engine cuts some such batches off itself, and refuses to open on others
//! (those whose frame is whole and whose content has a hole).
//!
//! A batch is a start (tag 1, number of items, sequence number), the items (tag
//! 2: kind, compression, keyspace, lengths, key, value; tag 4: a keyspace), and
//! an end (tag 3, XXH3 of the items' bytes, a magic number). Numbers are little
//! endian. After the last batch the file is zeros.
//!
//! Invariant: only the last batch can be torn, so a whole batch after a broken
//! one means damage, and then nothing is cut. What is cut is kept in a file
//! until the witness has found that nothing acknowledged was in it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::preflight::damaged;
use super::storage;
use crate::log::LogError;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const MAGIC: &[u8] = b"FJL\x03";

/// Cuts a torn batch off the journal in the engine's folder, and moves it into
/// the file `kept`. Says whether there was one.
pub(super) fn cut(folder: &Path, kept: &Path) -> Result<bool, LogError> {
    let Some(journal) = last_journal(folder).map_err(|error| storage("open", error))? else { return Ok(false) };
    let bytes = without_last_zeros(&journal).map_err(|error| storage("open", error))?;
    let whole = whole_batches(&bytes);
    if whole == bytes.len() {
        return Ok(false);
    }
    let follows = (whole + 1..bytes.len()).find(|&at| batch_length(&bytes[at..]).is_some());
    if let Some(at) = follows {
        let what = format!("is damaged between the bytes {whole} and {at}, and what follows is whole");
        return Err(damaged(&journal, &what));
    }
    tracing::warn!(
        path = %journal.display(),
        bytes = bytes.len() - whole,
        "cut off a write that a crash had interrupted"
    );
    let moved = fs::write(kept, &bytes[whole..]).and_then(|()| File::open(kept)?.sync_all());
    let cut = moved.and_then(|()| {
        let journal = File::options().write(true).open(&journal)?;
        journal.set_len(whole as u64)?;
        journal.sync_all()
    });
    cut.map_err(|error| storage("open", error))?;
    Ok(true)
}

/// The journal that was written to last: that with the highest number.
fn last_journal(folder: &Path) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut last: Option<(u64, PathBuf)> = None;
    for entry in entries {
        let path = entry?.path();
        let number = path.extension().is_some_and(|extension| extension == "jnl").then(|| path.file_stem()).flatten();
        // The engine itself complains about other names.
        let Some(number) = number.and_then(|number| number.to_str()?.parse().ok()) else { continue };
        if last.as_ref().is_none_or(|(highest, _)| *highest < number) {
            last = Some((number, path));
        }
    }
    Ok(last.map(|(_, path)| path))
}

/// The content of a file up to its last byte that is not zero. The engine
/// creates journals with tens of mebibytes of zeros, which need no memory here.
fn without_last_zeros(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let (mut bytes, mut zeros) = (Vec::new(), 0);
    let mut chunk = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok(bytes);
        }
        let Some(last) = chunk[..read].iter().rposition(|&byte| byte != 0) else {
            zeros += read;
            continue;
        };
        bytes.resize(bytes.len() + zeros, 0);
        bytes.extend_from_slice(&chunk[..=last]);
        zeros = read - last - 1;
    }
}

/// How many bytes the whole batches at the beginning take.
fn whole_batches(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some(length) = batch_length(&bytes[end..]) {
        end += length;
    }
    end
}

/// The length of the batch that `bytes` begin with, if it is whole.
fn batch_length(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    if take::<1>(&mut rest)? != [START] {
        return None;
    }
    let items = u32::from_le_bytes(take(&mut rest)?);
    let _sequence_number: [u8; 8] = take(&mut rest)?;
    let content = rest;
    for _ in 0..items {
        skip_item(&mut rest)?;
    }
    let content = &content[..content.len() - rest.len()];
    let is_end = take::<1>(&mut rest)? == [END];
    let checksum = u64::from_le_bytes(take(&mut rest)?);
    rest = rest.strip_prefix(MAGIC)?;
    (is_end && checksum == xxh3_64(content)).then_some(bytes.len() - rest.len())
}

fn skip_item(rest: &mut &[u8]) -> Option<()> {
    match take::<1>(rest)? {
        [ITEM] => {
            let _kind_compression_keyspace: [u8; 10] = take(rest)?;
            let key = usize::from(u16::from_le_bytes(take(rest)?));
            let _value_in_memory: [u8; 4] = take(rest)?;
            let value = u32::from_le_bytes(take(rest)?) as usize;
            *rest = rest.get(key + value..)?;
        }
        [CLEAR] => {
            let _keyspace: [u8; 8] = take(rest)?;
        }
        _ => return None,
    }
    Some(())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fjall::{Database, KeyspaceCreateOptions, PersistMode};

    /// Where each of the batches in the journal ends.
    struct Written {
        folder: tempfile::TempDir,
        journal: PathBuf,
        bytes: Vec<u8>,
        ends: Vec<usize>,
    }

    /// What the engine itself writes: batches of 1, 2 and 3 values, each larger than a page.
    fn written() -> Written {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::builder(folder.path()).journal_compression(fjall::CompressionType::None).open().unwrap();
        let values = db.keyspace("values", KeyspaceCreateOptions::default).unwrap();
        let mut ends = Vec::new();
        for count in 1..=3_u8 {
            let mut batch = db.batch().durability(Some(PersistMode::SyncAll));
            for number in 0..count {
                batch.insert(&values, [count, number], vec![count; 5000]);
            }
            batch.commit().unwrap();
            let journal = last_journal(folder.path()).unwrap().unwrap();
            ends.push(without_last_zeros(&journal).unwrap().len());
        }
        drop((values, db));
        let journal = last_journal(folder.path()).unwrap().unwrap();
        let bytes = without_last_zeros(&journal).unwrap();
        Written { folder, journal, bytes, ends }
    }

    impl Written {
        fn cut(&self, bytes: &[u8]) -> Result<bool, LogError> {
            fs::write(&self.journal, bytes).unwrap();
            cut(self.folder.path(), &self.kept())
        }

        fn kept(&self) -> PathBuf {
            self.folder.path().join("kept")
        }

        /// How many values the engine finds.
        fn values(&self) -> usize {
            let db = Database::builder(self.folder.path()).open().unwrap();
            db.keyspace("values", KeyspaceCreateOptions::default).unwrap().iter().count()
        }
    }

    #[test]
    fn a_whole_journal_is_left_alone() {
        let written = written();
        assert_eq!(whole_batches(&written.bytes), written.ends[2]);
        let mut with_zeros = written.bytes.clone();
        with_zeros.resize(3 << 20, 0);
        assert!(!written.cut(&with_zeros).unwrap());
        assert_eq!(fs::read(&written.journal).unwrap(), with_zeros);
        assert_eq!(written.values(), 6);
        assert!(!cut(&written.folder.path().join("absent"), Path::new("kept")).unwrap());
    }

    #[test]
    fn a_last_batch_with_any_part_missing_is_cut_off_and_kept() {
        let written = written();
        let begin = written.ends[1];
        for length in (1..written.bytes.len() - begin).step_by(97) {
            for at in (begin..=written.bytes.len() - length).step_by(997) {
                let mut torn = written.bytes.clone();
                torn[at..at + length].fill(0);
                if torn == written.bytes {
                    continue;
                }
                let was_torn = written.cut(&torn).unwrap();
                assert_eq!(fs::read(&written.journal).unwrap(), written.bytes[..begin], "{length} zeros at {at}");
                let kept = if was_torn { fs::read(written.kept()).unwrap() } else { Vec::new() };
                assert!(torn[begin..].starts_with(&kept) && torn[begin + kept.len()..].iter().all(|&byte| byte == 0));
            }
        }
        assert_eq!(written.values(), 3);
    }

    #[test]
    fn damage_before_a_whole_batch_is_an_error_and_nothing_is_cut() {
        let written = written();
        for at in (0..written.ends[1]).step_by(61) {
            let mut damaged = written.bytes.clone();
            damaged[at] ^= 0x55;
            let error = written.cut(&damaged).unwrap_err();
            let reason = crate::log::error::with_causes(&error);
            assert!(reason.contains(".jnl is damaged between"), "{reason}");
            assert_eq!(fs::read(&written.journal).unwrap(), damaged);
        }
    }
}
