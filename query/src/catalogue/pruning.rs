//! Leaving out files that a query's conditions rule out.
//!
//! Invariant: a file is left out only where its statistics prove that no row
//! of it can meet the conditions; whatever is not understood keeps the file.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use stempoint_store::{DataFile, Stat};

/// Keeps the files that may have rows that meet all `filters`.
pub(crate) fn prune(
    state: &dyn Session,
    schema: &SchemaRef,
    filters: &[Expr],
    files: Vec<Arc<DataFile>>,
) -> Vec<Arc<DataFile>> {
    let Ok(named) = DFSchema::try_from(Arc::clone(schema)) else { return files };
    filters.iter().fold(files, |files, filter| {
        let predicate = state.create_physical_expr(filter.clone(), &named).and_then(|physical| {
            PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).try_build(physical)
        });
        // A condition that statistics say nothing about keeps everything.
        let Ok(predicate) = predicate else { return files };
        let Ok(keep) = predicate.prune(&Statistics { schema, files: &files }) else { return files };
        files.into_iter().zip(keep).filter_map(|(file, keep)| keep.then_some(file)).collect()
    })
}

struct Statistics<'a> {
    schema: &'a Schema,
    files: &'a [Arc<DataFile>],
}

impl Statistics<'_> {
    fn bounds(&self, column: &Column, bound: impl Fn(&DataFile) -> Option<&Stat>) -> Option<ArrayRef> {
        let data_type = self.schema.field_with_name(column.name()).ok()?.data_type();
        let mut known = false;
        let values: Option<Vec<ScalarValue>> = self
            .files
            .iter()
            .map(|file| {
                let stat = bound(file);
                known |= stat.is_some();
                scalar(data_type, stat)
            })
            .collect();
        known.then_some(())?;
        ScalarValue::iter_to_array(values?).ok()
    }
}

/// A statistic as a value of its column's type; null where there is none.
fn scalar(data_type: &DataType, stat: Option<&Stat>) -> Option<ScalarValue> {
    let int = |stat: Option<&Stat>| match stat {
        Some(Stat::Int(value) | Stat::Time(value)) => Some(*value),
        _ => None,
    };
    match data_type {
        DataType::Int32 => match int(stat).map(i32::try_from) {
            Some(Err(_)) => None,
            value => Some(ScalarValue::Int32(value.and_then(Result::ok))),
        },
        DataType::Int64 => Some(ScalarValue::Int64(int(stat))),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            Some(ScalarValue::TimestampMicrosecond(int(stat), zone.clone()))
        }
        _ => None,
    }
}

impl PruningStatistics for Statistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |file| file.min(column.name()))
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |file| file.max(column.name()))
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, _: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(UInt64Array::from_iter_values(self.files.iter().map(|file| file.rows))))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
