//! Reading the journal that the preloaded library writes.
//!
//! Invariant: a record is taken only whole, as its checksum shows. One that a
//! kill tore is skipped: its operation had not begun, or its success had not
//! been told to the program.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const MAGIC: u32 = 0x5043_5554;
const HEAD_BYTES: usize = 72;
const CHECKSUM_AT: usize = 8;

/// A change of names. Paths are relative to the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming<'a> {
    Create(&'a Path),
    MakeFolder(&'a Path),
    Link(&'a Path),
    Remove(&'a Path),
    /// From the first to the second; `None` is outside the root.
    Rename(Option<&'a Path>, Option<&'a Path>),
    Exchange(&'a Path, &'a Path),
}

/// One record of the journal. Offsets and sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    Start { filtered: bool },
    Done { token: u64, succeeded: bool, inode: u64 },
    Naming { token: u64, inode: u64, naming: Naming<'a> },
    Nameless { inode: u64 },
    Before { inode: u64, offset: u64, bytes: &'a [u8] },
    Write { inode: u64, offset: u64, length: u64, old_size: u64 },
    Resize { inode: u64, size: u64, old_size: u64 },
    Sync { token: u64, inode: u64 },
    SyncAll { token: u64 },
    Mapped { path: &'a Path },
    Fault { reason: &'a [u8] },
}

/// The records of a journal, in the order of the changes.
pub(crate) fn parse(journal: &[u8]) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    let mut rest = journal;
    while rest.len() >= HEAD_BYTES {
        match whole_record(rest) {
            Some((record, length)) => {
                records.extend(record);
                rest = &rest[length..];
            }
            // Torn: the next record begins somewhere behind.
            None => rest = &rest[1..],
        }
    }
    records
}

/// The record at the start of `bytes` and its length; no record where its kind is unknown.
fn whole_record(bytes: &[u8]) -> Option<(Option<Record<'_>>, usize)> {
    if u32_at(bytes, 0)? != MAGIC {
        return None;
    }
    let length = usize::try_from(u32_at(bytes, 4)?).ok()?;
    if length < HEAD_BYTES || !length.is_multiple_of(8) {
        return None;
    }
    let whole = bytes.get(..length)?;
    if checksum(whole) != u64_at(whole, CHECKSUM_AT)? {
        return None;
    }
    Some((decode(whole), length))
}

fn checksum(whole: &[u8]) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    for (number, word) in whole.chunks_exact(8).enumerate() {
        let word = if number * 8 == CHECKSUM_AT { 0 } else { u64_at(word, 0).unwrap_or(0) };
        sum = (sum ^ word).wrapping_mul(0x0100_0000_01b3);
        sum ^= sum >> 32;
    }
    sum
}

fn decode(whole: &[u8]) -> Option<Record<'_>> {
    let first_end = HEAD_BYTES.checked_add(usize::try_from(u32_at(whole, 24)?).ok()?)?;
    let second_end = first_end.checked_add(usize::try_from(u32_at(whole, 28)?).ok()?)?;
    let first = whole.get(HEAD_BYTES..first_end)?;
    let second = whole.get(first_end..second_end)?;
    let (token, inode) = (u64_at(whole, 32)?, u64_at(whole, 40)?);
    let (offset, size, old_size) = (u64_at(whole, 48)?, u64_at(whole, 56)?, u64_at(whole, 64)?);
    let naming = |naming| Record::Naming { token, inode, naming };
    Some(match u32_at(whole, 16)? {
        1 => Record::Start { filtered: size == 1 },
        2 => Record::Done { token, succeeded: offset == 0, inode },
        3 => naming(Naming::Create(path(first))),
        4 => naming(Naming::MakeFolder(path(first))),
        5 => naming(Naming::Link(path(first))),
        6 => naming(Naming::Remove(path(first))),
        7 => naming(Naming::Rename(inside(first), inside(second))),
        8 => naming(Naming::Exchange(path(first), path(second))),
        9 => Record::Nameless { inode },
        10 => Record::Before { inode, offset, bytes: first },
        11 => Record::Write { inode, offset, length: size, old_size },
        12 => Record::Resize { inode, size, old_size },
        13 => Record::Sync { token, inode },
        14 => Record::SyncAll { token },
        15 => Record::Mapped { path: path(first) },
        16 => Record::Fault { reason: first },
        _ => return None,
    })
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn inside(bytes: &[u8]) -> Option<&Path> {
    (!bytes.is_empty()).then(|| path(bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: u32, token: u64, first: &[u8]) -> Vec<u8> {
        let length = (HEAD_BYTES + first.len()).next_multiple_of(8);
        let mut whole = vec![0; length];
        whole[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        whole[4..8].copy_from_slice(&(length as u32).to_le_bytes());
        whole[16..20].copy_from_slice(&kind.to_le_bytes());
        whole[24..28].copy_from_slice(&(first.len() as u32).to_le_bytes());
        whole[32..40].copy_from_slice(&token.to_le_bytes());
        whole[HEAD_BYTES..HEAD_BYTES + first.len()].copy_from_slice(first);
        let sum = checksum(&whole);
        whole[8..16].copy_from_slice(&sum.to_le_bytes());
        whole
    }

    #[test]
    fn a_torn_record_is_skipped_wherever_it_was_torn() {
        let before = written(14, 1, b"");
        let torn = written(3, 2, b"a/name");
        let after = written(14, 3, b"");
        for length in 0..torn.len() {
            let journal = [&before[..], &torn[..length], &after[..]].concat();
            let expected = [Record::SyncAll { token: 1 }, Record::SyncAll { token: 3 }];
            assert_eq!(parse(&journal), expected, "torn after {length} bytes");
        }
        let whole = [&before[..], &torn[..], &after[..]].concat();
        let created = Record::Naming { token: 2, inode: 0, naming: Naming::Create(Path::new("a/name")) };
        assert_eq!(parse(&whole)[1], created);
    }

    #[test]
    fn garbage_and_a_flipped_bit_give_no_record() {
        let mut record = written(3, 2, b"a/name");
        record[HEAD_BYTES] ^= 1;
        assert!(parse(&record).is_empty());
        assert!(parse(&[0x54; 200]).is_empty());
    }
}
