//! A witness of what was acknowledged: the ends of all partitions, written to
//! a small file after each group commit.
//!
//! The storage engine cuts its journal at the first byte that it cannot read,
//! which is right after a crash but would drop acknowledged records silently
//! where a bit flipped. The witness finds that out.
//!
//! Invariant: the witness is written only after the records are durable, so it
//! never claims more than was there. It is not synced itself: after a power
//! loss it may be older, which only makes it claim less.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::log::LogError;

const MAGIC: &[u8; 8] = b"stp-ack1";
const CHECKSUM_BYTES: usize = 8;

pub(super) struct Witness {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
}

impl Witness {
    /// Opens or creates the witness, and gives the ends that it remembers:
    /// none where it is new or was being written when the machine stopped.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<u64>), LogError> {
        let failed = |source: io::Error| LogError::Storage {
            doing: "open the witness of",
            advice: "check that the folder can be written",
            source: std::sync::Arc::new(source),
        };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let ends = parse(&bytes).unwrap_or_default();
        let witness = Self { path: path.to_owned(), file, buffer: Vec::new() };
        Ok((witness, ends))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Remembers `ends`. A failure leaves an older or no witness behind, which
    /// costs its protection but no record, so it is only reported.
    pub(super) fn remember(&mut self, ends: impl Iterator<Item = u64>) {
        self.buffer.clear();
        self.buffer.extend_from_slice(MAGIC);
        for end in ends {
            self.buffer.extend_from_slice(&end.to_le_bytes());
        }
        let checksum = xxh3_64(&self.buffer);
        self.buffer.extend_from_slice(&checksum.to_le_bytes());
        let written = self.file.rewind().and_then(|()| self.file.write_all(&self.buffer));
        if let Err(error) = written {
            tracing::warn!(path = %self.path.display(), %error, "failed to write the event log's witness");
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Vec<u64>> {
    let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
    if xxh3_64(content).to_le_bytes() != *checksum {
        return None;
    }
    let ends = content.strip_prefix(MAGIC)?;
    let (ends, _) = ends.as_chunks::<8>();
    Some(ends.iter().map(|end| u64::from_le_bytes(*end)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_across_opens_and_forgets_what_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acknowledged");
        let (mut witness, ends) = Witness::open(&path).unwrap();
        assert!(ends.is_empty());
        witness.remember([7, 0, 9].into_iter());
        witness.remember([8, 1, u64::MAX].into_iter());
        assert_eq!(Witness::open(&path).unwrap().1, [8, 1, u64::MAX]);

        let mut bytes = std::fs::read(&path).unwrap();
        bytes[9] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(Witness::open(&path).unwrap().1.is_empty());
    }
}
