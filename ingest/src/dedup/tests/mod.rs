//! Tests of the whole index: against a simple model, with damaged files, and
//! of its bounds.

mod bounds;
mod damage;
mod model;
mod restarts;
mod rules;

use super::{Candidate, Identity, IndexOptions, ShardIndex, Verdict};
use tempfile::TempDir;

/// A folder for one test, in memory where there is such a place: these tests
/// sync thousands of times.
fn scratch() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a temporary folder")
}

/// Bounds so small that a few dozen events make flushes and merges.
fn tiny() -> IndexOptions {
    IndexOptions {
        buffer_bytes: 2_000,
        cached_pages: 2,
        cached_streams: 3,
        cached_sources: 3,
        merge_fan_in: 2,
        lag_max: 1_000_000,
    }
}

fn hashed(offset: u64, id: u64) -> Candidate {
    let key = blake3::hash(&id.to_le_bytes());
    let key = u128::from_le_bytes(*key.as_bytes().first_chunk().expect("32 bytes"));
    Candidate { offset, fingerprint: id, source: 1, identity: Identity::Hashed(key) }
}

fn numbered(offset: u64, incarnation: u64, sequence: u64) -> Candidate {
    let identity = Identity::Numbered { incarnation, sequence };
    Candidate { offset, fingerprint: sequence, source: 2, identity }
}

fn check(index: &mut ShardIndex, candidates: &[Candidate]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    index.check_batch(candidates, &mut verdicts).expect("a checked batch");
    verdicts
}
