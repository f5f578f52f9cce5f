//! A ledger version: what it stands for, and reading it from `commits`.
//!
//! Invariant: a pin is a function of one row of `commits`.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use stempoint_schemas::commit::Commit;
use stempoint_schemas::watermark::Watermarks;

use crate::error::QueryError;

/// What a session sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The ledger version.
    pub version: i64,
    /// Per partition of the usage topic, up to where rows are visible.
    pub visible: Watermarks,
    /// Per partition, up to where usage is settled: W. Money is shown at W.
    pub settled: Watermarks,
    /// The next control event to handle: settlement's rows are visible below.
    pub control_offset: u64,
}

impl Pin {
    /// The columns of `commits` that a pin is made of.
    pub(crate) const COLUMNS: &'static str = "version, shards, control_offset";

    /// Reads the pin from a row of `commits` that has at least the columns
    /// `version`, `shards` and `control_offset`.
    ///
    /// # Errors
    /// [`QueryError::DamagedVersion`] if a column is missing, has another type
    /// or holds a negative offset.
    pub fn from_commit(batch: &RecordBatch, row: usize) -> Result<Pin, QueryError> {
        let version = long(batch, "version", row).ok_or_else(|| damaged(-1, "version"))?;
        let control_offset = long(batch, "control_offset", row)
            .and_then(|offset| u64::try_from(offset).ok())
            .ok_or_else(|| damaged(version, "control_offset"))?;
        let (visible, settled) = shards(batch, row).ok_or_else(|| damaged(version, "shards"))?;
        Ok(Pin { version, visible, settled, control_offset })
    }
}

impl From<&Commit> for Pin {
    fn from(commit: &Commit) -> Pin {
        Pin {
            version: commit.version,
            visible: commit.visible(),
            settled: commit.settled(),
            control_offset: commit.control_offset,
        }
    }
}

fn damaged(version: i64, column: &str) -> QueryError {
    QueryError::DamagedVersion { version, detail: format!("{column} is missing or out of range") }
}

fn long(batch: &RecordBatch, column: &str, row: usize) -> Option<i64> {
    let array = batch.column_by_name(column)?.as_primitive_opt::<Int64Type>()?;
    (row < array.len() && array.is_valid(row)).then(|| array.value(row))
}

/// No usage topic has more partitions than this.
const PARTITIONS_MAX: usize = 1 << 16;

fn shards(batch: &RecordBatch, row: usize) -> Option<(Watermarks, Watermarks)> {
    let lists = batch.column_by_name("shards")?.as_list_opt::<i32>()?;
    if row >= lists.len() || lists.is_null(row) {
        return None;
    }
    let shards = lists.value(row);
    let shards = shards.as_struct_opt()?;
    let partitions = shards.column_by_name("partition")?.as_primitive_opt::<Int32Type>()?;
    let visible = shards.column_by_name("watermark")?.as_primitive_opt::<Int64Type>()?;
    let settled = shards.column_by_name("settled")?.as_primitive_opt::<Int64Type>()?;
    let (mut at, mut below) = (Watermarks::default(), Watermarks::default());
    for shard in 0..shards.len() {
        let partition = u32::try_from(partitions.value(shard)).ok().filter(|p| (*p as usize) < PARTITIONS_MAX)?;
        at.set(partition, u64::try_from(visible.value(shard)).ok()?);
        below.set(partition, u64::try_from(settled.value(shard)).ok()?);
    }
    Some((at, below))
}
