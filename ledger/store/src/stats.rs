//! Smallest and largest values of the rows that go into one file.
//!
//! Invariant: they bound every row that was shown to the collector.

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::compute::{max, max_string, min, min_string};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};

use crate::data_file::{ColumnStats, Stat};
use crate::spec::TableSpec;

/// Collects the statistics of one file.
#[derive(Debug, Clone)]
pub(crate) struct StatsCollector {
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Column {
    index: usize,
    name: &'static str,
    bounds: Bounds,
    nulls: u64,
}

#[derive(Debug, Clone)]
enum Bounds {
    Int(Option<(i64, i64)>),
    Time(Option<(i64, i64)>),
    Text(Option<(String, String)>),
}

impl StatsCollector {
    pub(crate) fn new(spec: &TableSpec) -> Self {
        let column = |name: &&'static str| {
            let index = spec.schema.index_of(name).ok()?;
            let bounds = match spec.schema.field(index).data_type() {
                DataType::Utf8 => Bounds::Text(None),
                DataType::Timestamp(..) => Bounds::Time(None),
                _ => Bounds::Int(None),
            };
            Some(Column { index, name, bounds, nulls: 0 })
        };
        Self { columns: spec.stats_columns.iter().filter_map(column).collect() }
    }

    /// Takes a batch with the columns of the table into account.
    pub(crate) fn update(&mut self, batch: &RecordBatch) {
        for column in &mut self.columns {
            let values = batch.column(column.index);
            column.nulls += values.logical_null_count() as u64;
            match &mut column.bounds {
                Bounds::Int(bounds) | Bounds::Time(bounds) => widen(bounds, integers(values)),
                Bounds::Text(bounds) => widen(bounds, texts(values)),
            }
        }
    }

    /// The statistics of all rows seen.
    pub(crate) fn finish(self) -> Box<[ColumnStats]> {
        let stats = self.columns.into_iter().map(|column| {
            let (min, max) = match column.bounds {
                Bounds::Int(bounds) => (bounds.map(|b| Stat::Int(b.0)), bounds.map(|b| Stat::Int(b.1))),
                Bounds::Time(bounds) => (bounds.map(|b| Stat::Time(b.0)), bounds.map(|b| Stat::Time(b.1))),
                Bounds::Text(bounds) => match bounds {
                    Some((min, max)) => (Some(Stat::lower_text(&min)), Stat::upper_text(&max)),
                    None => (None, None),
                },
            };
            ColumnStats { column: column.name.to_owned(), min, max, nulls: column.nulls }
        });
        stats.collect()
    }
}

fn widen<T: Ord>(bounds: &mut Option<(T, T)>, more: Option<(T, T)>) {
    *bounds = match (bounds.take(), more) {
        (Some((low, high)), Some((lower, higher))) => Some((low.min(lower), high.max(higher))),
        (bounds, more) => bounds.or(more),
    };
}

fn integers(values: &ArrayRef) -> Option<(i64, i64)> {
    match values.data_type() {
        DataType::Int8 => bounds::<Int8Type>(values.as_primitive()),
        DataType::Int16 => bounds::<Int16Type>(values.as_primitive()),
        DataType::Int32 => bounds::<Int32Type>(values.as_primitive()),
        DataType::Int64 => bounds::<Int64Type>(values.as_primitive()),
        DataType::Timestamp(..) => bounds::<TimestampMicrosecondType>(values.as_primitive_opt()?),
        _ => None,
    }
}

fn bounds<T: ArrowPrimitiveType>(values: &PrimitiveArray<T>) -> Option<(i64, i64)>
where
    T::Native: Into<i64>,
{
    Some((min(values)?.into(), max(values)?.into()))
}

fn texts(values: &ArrayRef) -> Option<(String, String)> {
    let owned = |texts: &StringArray| Some((min_string(texts)?.to_owned(), max_string(texts)?.to_owned()));
    if let Some(texts) = values.as_string_opt::<i32>() {
        return owned(texts);
    }
    // A dictionary may hold values that no row uses.
    let dictionary = values.as_dictionary_opt::<Int32Type>()?;
    let texts = dictionary.values().as_string_opt::<i32>()?;
    let mut used = vec![false; texts.len()];
    for key in dictionary.keys().iter().flatten() {
        if let Some(used) = usize::try_from(key).ok().and_then(|key| used.get_mut(key)) {
            *used = true;
        }
    }
    let used: StringArray = texts.iter().zip(used).map(|(text, used)| text.filter(|_| used)).collect();
    owned(&used)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{DictionaryArray, Int64Array};
    use arrow::datatypes::{Field, Schema};
    use std::sync::Arc;

    #[test]
    fn bounds_cover_all_batches_and_only_used_dictionary_values() {
        let schema =
            Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true), Field::new("s", DataType::Utf8, true)]));
        let spec = TableSpec::new("t", schema, "A table.", &["n", "s"]);
        let mut collector = StatsCollector::new(&spec);
        for (numbers, keys) in
            [(vec![Some(3), None], vec![Some(1), None]), (vec![None, Some(-5)], vec![Some(2), Some(1)])]
        {
            let values: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c", "d"]));
            let texts = DictionaryArray::<Int32Type>::try_new(keys.into(), values).expect("a dictionary");
            let batch = RecordBatch::try_from_iter_with_nullable([
                ("n", Arc::new(Int64Array::from(numbers)) as ArrayRef, true),
                ("s", Arc::new(texts) as ArrayRef, true),
            ]);
            collector.update(&batch.expect("a batch"));
        }
        let stats = collector.finish();
        assert_eq!(stats[0].min, Some(Stat::Int(-5)));
        assert_eq!(stats[0].max, Some(Stat::Int(3)));
        assert_eq!(stats[0].nulls, 2);
        assert_eq!(stats[1].min, Some(Stat::Text("b".to_owned())));
        assert_eq!(stats[1].max, Some(Stat::Text("c".to_owned())));
        assert_eq!(stats[1].nulls, 1);
    }
}
