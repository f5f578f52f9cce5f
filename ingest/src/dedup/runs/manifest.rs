//! Which runs are part of the index, and up to where they cover the log.
//!
//! Invariant: the manifest is replaced as one step after all that it names is
//! synced; so every crash leaves a whole, older index.

use super::run::RunShape;
use crate::dedup::{
    DedupError,
    files::{self, checksum, word},
};
use std::{fs, io, path::Path};

/// The manifest's file name.
pub const MANIFEST: &str = "MANIFEST";

const MAGIC: u64 = u64::from_le_bytes(*b"STEMMAN1");
const HEAD_WORDS: usize = 5;
const RUN_WORDS: usize = 5;

/// The durable state of the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Exclusive offset up to which the runs know every accepted event.
    pub covered: u64,
    /// Exclusive offset up to which they know any; beyond `covered` only while
    /// the index is being restored.
    pub end: u64,
    /// The id of the next run.
    pub next_id: u64,
    /// Each run's shape and level.
    pub runs: Vec<(RunShape, u32)>,
}

impl Manifest {
    /// Reads the manifest of a folder; `None` if it has none.
    ///
    /// # Errors
    /// It cannot be read or is damaged.
    pub fn read(dir: &Path) -> Result<Option<Self>, DedupError> {
        let path = dir.join(MANIFEST);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(DedupError::io("read", &path, error)),
        };
        Self::decode(&bytes).map(Some).ok_or_else(|| DedupError::corrupt(&path, "it fails its checksum"))
    }

    /// Makes this the manifest of a folder.
    ///
    /// # Errors
    /// It cannot be written or synced.
    pub fn write(&self, dir: &Path) -> Result<(), DedupError> {
        files::replace(dir, MANIFEST, &self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        let mut words = vec![MAGIC, self.covered, self.end, self.next_id, self.runs.len() as u64];
        for (run, level) in &self.runs {
            words.extend([run.id, run.records, run.bytes, run.buckets, u64::from(*level)]);
        }
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend(checksum(MAGIC, 0, &bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, seal) = bytes.split_last_chunk::<4>()?;
        if u32::from_le_bytes(*seal) != checksum(MAGIC, 0, body) || body.len() % 8 != 0 {
            return None;
        }
        let words: Vec<u64> = (0..body.len() / 8).map(|at| word(body, at * 8)).collect();
        let (head, runs) = words.split_at_checked(HEAD_WORDS)?;
        if head[0] != MAGIC || runs.len() % RUN_WORDS != 0 || head[4] != (runs.len() / RUN_WORDS) as u64 {
            return None;
        }
        let runs = runs.chunks_exact(RUN_WORDS).map(|run| {
            let level = u32::try_from(run[4]).ok()?;
            Some((RunShape { id: run[0], records: run[1], bytes: run[2], buckets: run[3] }, level))
        });
        Some(Self { covered: head[1], end: head[2], next_id: head[3], runs: runs.collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flipped_bit_and_no_cut_goes_unnoticed() {
        let manifest = Manifest {
            covered: 70,
            end: 80,
            next_id: 9,
            runs: vec![(RunShape::planned(3, 1000, 99), 0), (RunShape::planned(8, 7, 1 << 20), 2)],
        };
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes), Some(manifest));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Manifest::decode(&flipped), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(Manifest::decode(&bytes[..length]), None, "{length} bytes");
        }
    }
}
