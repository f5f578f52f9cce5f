//! `commits`: what is visible. One row per ledger version, each chained to
//! the one before by its hash.

use arrow::datatypes::{DataType, Field, Fields};

use super::{Encoding, Kind, Table, WrittenBy, column, long};

/// What is visible.
pub const COMMITS: Table = Table {
    name: "commits",
    comment: "One row per ledger version: up to where each table can be read, with counts and hashes to check it by.",
    written_by: WrittenBy::Commit,
    columns: &[
        column("version", Kind::Long, false, Encoding::Delta, "The ledger version, +1 each."),
        column(
            "committed_at",
            Kind::Time,
            false,
            Encoding::Delta,
            "When the row was written, by the writer's clock (UTC). For people only: nothing depends on it.",
        ),
        column("rules", Kind::Int, false, Encoding::Dictionary, "Number of the rules by which events were decided."),
        column(
            "shards",
            Kind::Shards,
            false,
            Encoding::Plain,
            "Per partition of the usage topic: watermarks, counts and hashes.",
        ),
        long(
            "control_offset",
            "Next control event to handle: rows of settlement's tables with a lower _offset are visible.",
        ),
        long("settlement_size", "Number of leaves in settlement's Merkle tree."),
        column(
            "settlement_peaks",
            Kind::Bytes,
            false,
            Encoding::Plain,
            "Roots of the perfect subtrees of settlement's Merkle tree, largest first (32 bytes each).",
        ),
        column(
            "settlement_root",
            Kind::Bytes,
            false,
            Encoding::Plain,
            "Root of settlement's Merkle tree (BLAKE3, 32 bytes).",
        ),
        column(
            "control_record",
            Kind::Bytes,
            true,
            Encoding::Plain,
            "Hash of the last control record below control_offset; null before the first.",
        ),
        column(
            "previous_hash",
            Kind::Bytes,
            false,
            Encoding::Plain,
            "Hash of the previous ledger version's row (BLAKE3, 32 bytes; zeros before the first).",
        ),
        column(
            "hash",
            Kind::Bytes,
            false,
            Encoding::Plain,
            "Hash of this row and, through previous_hash, of all before it (BLAKE3, 32 bytes).",
        ),
    ],
    statistics: &["version"],
};

/// The fields of one shard in a row of `commits`.
pub fn shard_fields() -> Fields {
    Fields::from(vec![
        Field::new("partition", DataType::Int32, false),
        Field::new("watermark", DataType::Int64, false),
        Field::new("settled", DataType::Int64, false),
        Field::new("received", DataType::Int64, false),
        Field::new("accepted", DataType::Int64, false),
        Field::new("duplicate", DataType::Int64, false),
        Field::new("rejected", DataType::Int64, false),
        Field::new("tree_size", DataType::Int64, false),
        Field::new("tree_peaks", DataType::Binary, false),
        Field::new("tree_root", DataType::Binary, false),
        Field::new("last_record", DataType::Binary, true),
    ])
}
