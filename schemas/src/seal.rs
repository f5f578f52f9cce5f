//! What the hash of a ledger version covers, and nothing else: the trees by
//! their sizes and roots, without what it takes to let them grow.
//!
//! Invariant (11): the hash depends on every field; a seal that was copied to
//! another machine can be checked there against a published head.

use serde::{Deserialize, Serialize};

use crate::hash::Hash;
use crate::hex::Hex;

/// A ledger version as its hash sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// The ledger version.
    pub version: i64,
    /// The number of the rules by which events were decided.
    pub rules: i32,
    /// Per partition of the usage topic.
    pub shards: Vec<SealedShard>,
    /// The next control event to handle.
    pub control_offset: u64,
    /// Number of leaves in settlement's tree.
    pub settlement_size: u64,
    /// Root of settlement's tree.
    pub settlement_root: Hex<Hash>,
    /// The hash of the last control record below `control_offset`.
    pub control_record: Option<Hex<Hash>>,
    /// The hash of the row before.
    pub previous_hash: Hex<Hash>,
}

/// What a seal says of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedShard {
    /// The next offset to read: rows below are visible.
    pub watermark: u64,
    /// The next offset to settle.
    pub settled: u64,
    /// All records.
    pub received: u64,
    /// Rows of usage tables.
    pub accepted: u64,
    /// Rows of `duplicates`.
    pub duplicate: u64,
    /// Rows of `rejects`.
    pub rejected: u64,
    /// Number of leaves in the tree.
    pub tree_size: u64,
    /// Root of the tree.
    pub tree_root: Hex<Hash>,
    /// The hash of the last record below the watermark.
    pub last_record: Option<Hex<Hash>>,
}

impl Seal {
    /// The hash of the ledger version and, through `previous_hash`, of all
    /// before it.
    pub fn hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.previous_hash.0);
        hasher.update(&self.version.to_le_bytes());
        hasher.update(&self.rules.to_le_bytes());
        hasher.update(&(self.shards.len() as u64).to_le_bytes());
        for shard in &self.shards {
            for number in [
                shard.watermark,
                shard.settled,
                shard.received,
                shard.accepted,
                shard.duplicate,
                shard.rejected,
                shard.tree_size,
            ] {
                hasher.update(&number.to_le_bytes());
            }
            hasher.update(&shard.tree_root.0);
            hash_some(&mut hasher, shard.last_record.as_ref());
        }
        hasher.update(&self.control_offset.to_le_bytes());
        hasher.update(&self.settlement_size.to_le_bytes());
        hasher.update(&self.settlement_root.0);
        hash_some(&mut hasher, self.control_record.as_ref());
        *hasher.finalize().as_bytes()
    }
}

fn hash_some(hasher: &mut blake3::Hasher, value: Option<&Hex<Hash>>) {
    match value {
        Some(value) => hasher.update(&[1]).update(&value.0),
        None => hasher.update(&[0]),
    };
}
