//! Which rows a ledger version shows.
//!
//! Invariant 6: a row is visible by its partition and offset (or version)
//! alone. Statistics of files only save work: a file that they do not place
//! wholly below or above the line is filtered row by row.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Int32Type, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, col, lit};
use stempoint_schemas::tables::{Table, WrittenBy};
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::{DataFile, Stat};

use super::pin::Pin;

/// The line below which rows of a table are visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// Rows whose offset is lower than their partition's watermark.
    Watermarks(Arc<[i64]>),
    /// Rows with a lower control offset.
    ControlOffset(i64),
    /// Rows up to this version.
    Version(i64),
    /// Rows of a table without a line: all.
    All,
}

/// Where a file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// All its rows are visible.
    Visible,
    /// Some of its rows may be hidden.
    Straddling,
    /// None of its rows is visible.
    Hidden,
}

impl Visibility {
    /// What a pin shows of a table.
    pub(crate) fn of(table: &Table, pin: &Pin) -> Visibility {
        match table.written_by {
            WrittenBy::Ingest => Visibility::watermarks(&pin.visible),
            WrittenBy::Settlement => Visibility::ControlOffset(signed(pin.control_offset)),
            WrittenBy::Commit => Visibility::Version(pin.version),
        }
    }

    /// What a pin shows of a usage table where money is concerned: rows that
    /// are settled, and visible.
    pub(crate) fn settled(pin: &Pin) -> Visibility {
        let lower = pin.settled.iter().map(|(partition, offset)| offset.min(pin.visible.get(partition))).collect();
        Visibility::watermarks(&Watermarks::from_vec(lower))
    }

    fn watermarks(watermarks: &Watermarks) -> Visibility {
        Visibility::Watermarks(watermarks.iter().map(|(_, offset)| signed(offset)).collect())
    }

    /// The columns that decide.
    pub(crate) fn columns(&self) -> &'static [&'static str] {
        match self {
            Visibility::Watermarks(_) => &["_partition", "_offset"],
            Visibility::ControlOffset(_) => &["_offset"],
            Visibility::Version(_) => &["version"],
            Visibility::All => &[],
        }
    }

    /// Where a file lies by its statistics.
    pub(crate) fn place(&self, file: &DataFile) -> Place {
        match self {
            Visibility::All => Place::Visible,
            Visibility::ControlOffset(end) => place(bounds(file, "_offset"), *end, *end),
            Visibility::Version(last) => {
                let end = last.saturating_add(1);
                place(bounds(file, "version"), end, end)
            }
            Visibility::Watermarks(watermarks) => match bounds(file, "_partition") {
                Some((first, last)) => {
                    let (lowest, highest) = extremes(watermarks, first, last);
                    place(bounds(file, "_offset"), lowest, highest)
                }
                None => Place::Straddling,
            },
        }
    }

    /// The filter that keeps the visible rows, on a schema that has the
    /// deciding columns.
    pub(crate) fn filter(&self, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
        let compare = |column, operator, value: i64| -> Result<Arc<dyn PhysicalExpr>> {
            Ok(Arc::new(BinaryExpr::new(col(column, schema)?, operator, lit(value))))
        };
        match self {
            Visibility::All => Ok(lit(true)),
            Visibility::ControlOffset(end) => compare("_offset", Operator::Lt, *end),
            Visibility::Version(last) => compare("version", Operator::LtEq, *last),
            Visibility::Watermarks(watermarks) => {
                let highest = watermarks.iter().copied().max().unwrap_or(0);
                let below = BelowWatermarks {
                    partition: col("_partition", schema)?,
                    offset: col("_offset", schema)?,
                    watermarks: Arc::clone(watermarks),
                };
                // The comparison is implied by the rest, but row groups can
                // be skipped by it.
                let skips = compare("_offset", Operator::Lt, highest)?;
                Ok(Arc::new(BinaryExpr::new(skips, Operator::And, Arc::new(below))))
            }
        }
    }
}

fn signed(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

fn bounds(file: &DataFile, column: &str) -> Option<(i64, i64)> {
    match (file.min(column), file.max(column)) {
        (Some(Stat::Int(min)), Some(Stat::Int(max))) => Some((*min, *max)),
        _ => None,
    }
}

fn place(bounds: Option<(i64, i64)>, lowest_end: i64, highest_end: i64) -> Place {
    match bounds {
        Some((_, max)) if max < lowest_end => Place::Visible,
        Some((min, _)) if min >= highest_end => Place::Hidden,
        _ => Place::Straddling,
    }
}

/// The lowest and the highest watermark of the partitions `first` to `last`.
fn extremes(watermarks: &[i64], first: i64, last: i64) -> (i64, i64) {
    let known = watermarks.iter().zip(0_i64..).filter(|(_, p)| (first..=last).contains(p)).map(|(w, _)| *w);
    // A partition that the version does not know shows nothing.
    let unknown = first < 0 || usize::try_from(last).is_ok_and(|last| last >= watermarks.len());
    let all = known.chain(unknown.then_some(0));
    all.fold((i64::MAX, 0), |(lowest, highest), w| (lowest.min(w), highest.max(w)))
}

/// Whether a row's offset is lower than its partition's watermark.
#[derive(Debug, Clone)]
struct BelowWatermarks {
    partition: Arc<dyn PhysicalExpr>,
    offset: Arc<dyn PhysicalExpr>,
    watermarks: Arc<[i64]>,
}

impl PartialEq for BelowWatermarks {
    fn eq(&self, other: &Self) -> bool {
        self.partition.eq(&other.partition) && self.offset.eq(&other.offset) && self.watermarks == other.watermarks
    }
}

impl Eq for BelowWatermarks {}

impl Hash for BelowWatermarks {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.partition.hash(state);
        self.offset.hash(state);
        self.watermarks.hash(state);
    }
}

impl fmt::Display for BelowWatermarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "visible({}, {})", self.partition, self.offset)
    }
}

impl PhysicalExpr for BelowWatermarks {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let rows = batch.num_rows();
        let partition: ArrayRef = self.partition.evaluate(batch)?.into_array(rows)?;
        let offset: ArrayRef = self.offset.evaluate(batch)?.into_array(rows)?;
        let (Some(partition), Some(offset)) =
            (partition.as_primitive_opt::<Int32Type>(), offset.as_primitive_opt::<Int64Type>())
        else {
            return internal_err!("_partition and _offset must be 32- and 64-bit integers");
        };
        let (partitions, offsets) = (partition.values(), offset.values());
        let below = BooleanBuffer::collect_bool(rows, |row| {
            let watermark = usize::try_from(partitions[row]).ok().and_then(|p| self.watermarks.get(p));
            watermark.is_some_and(|&watermark| offsets[row] < watermark)
        });
        let nulls = NullBuffer::union(partition.nulls(), offset.nulls());
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(below, nulls))))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.partition, &self.offset]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let [partition, offset] = children.as_slice() else {
            return internal_err!("visible() has two arguments");
        };
        Ok(Arc::new(BelowWatermarks {
            partition: Arc::clone(partition),
            offset: Arc::clone(offset),
            watermarks: Arc::clone(&self.watermarks),
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "visible(")?;
        self.partition.fmt_sql(f)?;
        write!(f, ", ")?;
        self.offset.fmt_sql(f)?;
        write!(f, ")")
    }
}
