//! One row of `commits`: a ledger version.
//!
//! Invariant 11: `hash` covers every other field and the previous row's hash,
//! except `committed_at`, which is for people and decides nothing; changing
//! any row breaks the chain from there on.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, Int32Array, Int64Array, ListArray, RecordBatch, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

use crate::hash::{Hash, Tree};
use crate::hex::Hex;
use crate::row::ColumnError;
use crate::seal::{Seal, SealedShard};
use crate::tables::{COMMITS, shard_fields};
use crate::watermark::Watermarks;

/// How many records of a shard had which outcome, since the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All records.
    pub received: u64,
    /// Rows of usage tables.
    pub accepted: u64,
    /// Rows of `duplicates`.
    pub duplicate: u64,
    /// Rows of `rejects`.
    pub rejected: u64,
}

/// What a ledger version says of one partition of the usage topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shard {
    /// The next offset to read: rows below are visible.
    pub watermark: u64,
    /// The next offset to settle.
    pub settled: u64,
    /// Outcomes since the beginning.
    pub counts: Counts,
    /// The Merkle tree over the rows.
    pub tree: Tree,
    /// The hash of the last record below the watermark.
    pub last_record: Option<Hash>,
}

/// A ledger version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The ledger version.
    pub version: i64,
    /// By the writer's clock, microseconds.
    pub committed_us: i64,
    /// The number of the rules by which events were decided.
    pub rules: i32,
    /// Per partition.
    pub shards: Vec<Shard>,
    /// The next control event to handle.
    pub control_offset: u64,
    /// The Merkle tree over settlement's rows.
    pub settlement: Tree,
    /// The hash of the last control record below `control_offset`.
    pub control_record: Option<Hash>,
    /// The hash of the row before.
    pub previous_hash: Hash,
}

impl Commit {
    /// The first ledger version of a lake: nothing is visible.
    pub fn first(partitions: usize, committed_us: i64) -> Commit {
        Commit {
            version: 0,
            committed_us,
            rules: crate::event::RULES,
            shards: vec![Shard::default(); partitions],
            control_offset: 0,
            settlement: Tree::default(),
            control_record: None,
            previous_hash: [0; 32],
        }
    }

    /// The version that follows, to be changed by its writer.
    pub fn following(&self, committed_us: i64) -> Commit {
        Commit { version: self.version + 1, committed_us, previous_hash: self.hash(), ..self.clone() }
    }

    /// What can be read of the usage tables.
    pub fn visible(&self) -> Watermarks {
        Watermarks::from_vec(self.shards.iter().map(|shard| shard.watermark).collect())
    }

    /// The vector W up to which usage is settled.
    pub fn settled(&self) -> Watermarks {
        Watermarks::from_vec(self.shards.iter().map(|shard| shard.settled).collect())
    }

    /// What the hash of this row covers.
    pub fn seal(&self) -> Seal {
        let shard = |shard: &Shard| SealedShard {
            watermark: shard.watermark,
            settled: shard.settled,
            received: shard.counts.received,
            accepted: shard.counts.accepted,
            duplicate: shard.counts.duplicate,
            rejected: shard.counts.rejected,
            tree_size: shard.tree.size(),
            tree_root: Hex(shard.tree.root()),
            last_record: shard.last_record.map(Hex),
        };
        Seal {
            version: self.version,
            rules: self.rules,
            shards: self.shards.iter().map(shard).collect(),
            control_offset: self.control_offset,
            settlement_size: self.settlement.size(),
            settlement_root: Hex(self.settlement.root()),
            control_record: self.control_record.map(Hex),
            previous_hash: Hex(self.previous_hash),
        }
    }

    /// The hash of this row and, through `previous_hash`, of all before it.
    pub fn hash(&self) -> Hash {
        self.seal().hash()
    }

    /// The row as a batch of one.
    pub fn to_batch(&self) -> Result<RecordBatch, ArrowError> {
        let bytes = |value: &[u8]| -> ArrayRef { Arc::new(BinaryArray::from_vec(vec![value])) };
        let long = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![value])) };
        let columns: Vec<ArrayRef> = vec![
            long(self.version),
            Arc::new(TimestampMicrosecondArray::from(vec![self.committed_us]).with_timezone("UTC")),
            Arc::new(Int32Array::from(vec![self.rules])),
            Arc::new(self.shards_array()?),
            long(signed(self.control_offset)),
            long(signed(self.settlement.size())),
            bytes(&self.settlement.peaks()),
            bytes(&self.settlement.root()),
            Arc::new(BinaryArray::from_opt_vec(vec![self.control_record.as_ref().map(<[u8; 32]>::as_slice)])),
            bytes(&self.previous_hash),
            bytes(&self.hash()),
        ];
        RecordBatch::try_new(COMMITS.schema(), columns)
    }

    fn shards_array(&self) -> Result<ListArray, ArrowError> {
        let long = |value: fn(&Shard) -> u64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(self.shards.iter().map(|shard| signed(value(shard)))))
        };
        let mut peaks = BinaryBuilder::new();
        let mut roots = BinaryBuilder::new();
        let mut records = BinaryBuilder::new();
        for shard in &self.shards {
            peaks.append_value(shard.tree.peaks());
            roots.append_value(shard.tree.root());
            records.append_option(shard.last_record);
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from_iter_values(0..self.shards.len() as i32)),
            long(|shard| shard.watermark),
            long(|shard| shard.settled),
            long(|shard| shard.counts.received),
            long(|shard| shard.counts.accepted),
            long(|shard| shard.counts.duplicate),
            long(|shard| shard.counts.rejected),
            long(|shard| shard.tree.size()),
            Arc::new(peaks.finish()),
            Arc::new(roots.finish()),
            Arc::new(records.finish()),
        ];
        let structs = StructArray::try_new(shard_fields(), columns, None)?;
        let field = Arc::new(Field::new("element", DataType::Struct(shard_fields()), false));
        ListArray::try_new(field, OffsetBuffer::from_lengths([self.shards.len()]), Arc::new(structs), None)
    }

    /// The rows of a batch of `commits`, each with the hash that is stored
    /// with it.
    pub fn from_batch(batch: &RecordBatch) -> Result<Vec<(Commit, Hash)>, ColumnError> {
        let versions = longs(batch, "version")?;
        let times = column(batch, "committed_at")?
            .as_primitive_opt::<TimestampMicrosecondType>()
            .cloned()
            .ok_or_else(|| ColumnError("committed_at".to_owned()))?;
        let rules = column(batch, "rules")?
            .as_primitive_opt::<Int32Type>()
            .cloned()
            .ok_or_else(|| ColumnError("rules".to_owned()))?;
        let shards =
            column(batch, "shards")?.as_list_opt::<i32>().cloned().ok_or_else(|| ColumnError("shards".to_owned()))?;
        let control_offsets = longs(batch, "control_offset")?;
        let sizes = longs(batch, "settlement_size")?;
        let peaks = binaries(batch, "settlement_peaks")?;
        let control_records = binaries(batch, "control_record")?;
        let previous = binaries(batch, "previous_hash")?;
        let hashes = binaries(batch, "hash")?;
        (0..batch.num_rows())
            .map(|row| {
                let commit = Commit {
                    version: versions.value(row),
                    committed_us: times.value(row),
                    rules: rules.value(row),
                    shards: shards_from(&shards.value(row))?,
                    control_offset: natural(control_offsets.value(row), "control_offset")?,
                    settlement: tree(sizes.value(row), peaks.value(row), "settlement_peaks")?,
                    control_record: some_hash(&control_records, row, "control_record")?,
                    previous_hash: hash(previous.value(row), "previous_hash")?,
                };
                Ok((commit, hash(hashes.value(row), "hash")?))
            })
            .collect()
    }
}

fn shards_from(array: &ArrayRef) -> Result<Vec<Shard>, ColumnError> {
    let structs = array.as_struct_opt().ok_or_else(|| ColumnError("shards".to_owned()))?;
    let batch = RecordBatch::from(structs.clone());
    let number = |name: &str, row: usize| natural(longs(&batch, name)?.value(row), name);
    let (peaks, records) = (binaries(&batch, "tree_peaks")?, binaries(&batch, "last_record")?);
    (0..batch.num_rows())
        .map(|row| {
            Ok(Shard {
                watermark: number("watermark", row)?,
                settled: number("settled", row)?,
                counts: Counts {
                    received: number("received", row)?,
                    accepted: number("accepted", row)?,
                    duplicate: number("duplicate", row)?,
                    rejected: number("rejected", row)?,
                },
                tree: tree(longs(&batch, "tree_size")?.value(row), peaks.value(row), "tree_peaks")?,
                last_record: some_hash(&records, row, "last_record")?,
            })
        })
        .collect()
}

/// Offsets and sizes stay far below 2^63; a larger one is stored as the
/// largest number, which no reader takes for a real one.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn natural(value: i64, name: &str) -> Result<u64, ColumnError> {
    u64::try_from(value).map_err(|_| ColumnError(name.to_owned()))
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ColumnError> {
    batch.column_by_name(name).ok_or_else(|| ColumnError(name.to_owned()))
}

fn longs(batch: &RecordBatch, name: &str) -> Result<Int64Array, ColumnError> {
    column(batch, name)?.as_primitive_opt::<Int64Type>().cloned().ok_or_else(|| ColumnError(name.to_owned()))
}

fn binaries(batch: &RecordBatch, name: &str) -> Result<BinaryArray, ColumnError> {
    column(batch, name)?.as_binary_opt::<i32>().cloned().ok_or_else(|| ColumnError(name.to_owned()))
}

fn hash(bytes: &[u8], name: &str) -> Result<Hash, ColumnError> {
    Hash::try_from(bytes).map_err(|_| ColumnError(name.to_owned()))
}

fn some_hash(array: &BinaryArray, row: usize, name: &str) -> Result<Option<Hash>, ColumnError> {
    if array.is_null(row) { Ok(None) } else { hash(array.value(row), name).map(Some) }
}

fn tree(size: i64, peaks: &[u8], name: &str) -> Result<Tree, ColumnError> {
    Tree::restore(natural(size, name)?, peaks).ok_or_else(|| ColumnError(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit() -> Commit {
        let mut tree = Tree::default();
        (0..5u8).for_each(|i| tree.push([i; 32]));
        let shard = Shard {
            watermark: 7,
            settled: 3,
            counts: Counts { received: 7, accepted: 4, duplicate: 2, rejected: 1 },
            tree: tree.clone(),
            last_record: Some([9; 32]),
        };
        Commit {
            version: 12,
            committed_us: 1_700_000_000_000_000,
            rules: 1,
            shards: vec![Shard::default(), shard],
            control_offset: 4,
            settlement: tree,
            control_record: None,
            previous_hash: [1; 32],
        }
    }

    #[test]
    fn a_row_and_back() {
        let commit = commit();
        let rows = Commit::from_batch(&commit.to_batch().unwrap()).unwrap();
        assert_eq!(rows, [(commit.clone(), commit.hash())]);
        let next = commit.following(0);
        assert_eq!((next.version, next.previous_hash), (13, commit.hash()));
    }

    /// As large as the tree of [`commit`], with another last leaf.
    fn other_tree() -> Tree {
        let mut tree = Tree::default();
        (0..5u8).for_each(|i| tree.push([i.min(3); 32]));
        tree
    }

    #[test]
    fn every_field_counts_in_the_hash() {
        let base = commit();
        let changes: [fn(&mut Commit); 18] = [
            |c| c.version += 1,
            |c| c.rules += 1,
            |c| c.shards.push(Shard::default()),
            |c| c.shards[0].watermark += 1,
            |c| c.shards[1].settled += 1,
            |c| c.shards[1].counts.received += 1,
            |c| c.shards[1].counts.accepted += 1,
            |c| c.shards[1].counts.duplicate += 1,
            |c| c.shards[1].counts.rejected += 1,
            |c| c.shards[1].tree.push([0; 32]),
            |c| c.shards[1].tree = other_tree(),
            |c| c.shards[1].last_record = None,
            |c| c.shards[1].last_record = Some([8; 32]),
            |c| c.control_offset += 1,
            |c| c.settlement.push([0; 32]),
            |c| c.settlement = other_tree(),
            |c| c.control_record = Some([0; 32]),
            |c| c.previous_hash[0] ^= 1,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut changed = base.clone();
            change(&mut changed);
            assert_ne!(changed, base, "change {number}");
            assert_ne!(changed.hash(), base.hash(), "change {number}");
        }
    }
}
