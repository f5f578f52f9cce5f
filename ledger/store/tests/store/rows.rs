//! The table that the tests use, and its rows: row `n` of a partition always
//! has the same values, so that a row that changed is noticed.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, StringDictionaryBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit};
use stempoint_store::{DataFile, Fence, ParquetEncoder, ReadOptions, Table, TableSpec, Tuning};

fn field(name: &str, data_type: DataType, nullable: bool, encoding: &str) -> Field {
    let metadata = [("comment", format!("Column {name} (units).")), ("encoding", encoding.to_owned())];
    Field::new(name, data_type, nullable).with_metadata(metadata.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        field("p", DataType::Int32, false, "dictionary"),
        field("n", DataType::Int64, false, "delta"),
        field("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false, "delta"),
        field("name", DataType::Utf8, false, "dictionary"),
        field("id", DataType::Utf8, true, "plain"),
        field("amount", DataType::Decimal128(38, 12), false, "plain"),
    ]))
}

pub fn spec() -> TableSpec {
    TableSpec::new("usage", schema(), "One row per test.", &["p", "n", "time"])
}

/// The rows `range` of a partition.
pub fn batch(partition: i32, range: std::ops::Range<i64>) -> RecordBatch {
    let numbers: Vec<i64> = range.collect();
    let mut names = StringDictionaryBuilder::<Int32Type>::new();
    for n in &numbers {
        names.append_value(format!("name-{}", n % 17));
    }
    let ids = numbers
        .iter()
        .map(|n| (n % 3 != 0).then(|| format!("id-{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64))));
    let amounts = numbers.iter().map(|n| i128::from(*n) * 123_456_789_000_000_001);
    let times = numbers.iter().map(|n| 1_700_000_000_000_000 + n * 1_001);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![partition; numbers.len()])),
        Arc::new(Int64Array::from(numbers.clone())),
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
        Arc::new(names.finish()),
        Arc::new(StringArray::from_iter(ids)),
        Arc::new(Decimal128Array::from_iter_values(amounts).with_precision_and_scale(38, 12).expect("a decimal")),
    ];
    let fields = schema()
        .fields()
        .iter()
        .zip(&columns)
        .map(|(f, c)| f.as_ref().clone().with_data_type(c.data_type().clone()))
        .collect::<Vec<_>>();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a batch")
}

/// Writes the rows `range` of a partition as a file.
pub async fn put(table: &Table, partition: i32, range: std::ops::Range<i64>) -> DataFile {
    let file = ParquetEncoder::new(table.spec(), Tuning::Hot).encode(&[batch(partition, range)]).expect("encodes");
    table.put_file(file).await.expect("puts")
}

pub fn app(partition: i32) -> String {
    format!("ingest/{partition}")
}

pub fn fence(partition: i32, from: Option<i64>, to: i64) -> Fence {
    Fence { app: app(partition), from, to }
}

/// Appends the next `count` rows of a partition.
pub async fn append_next(table: &Table, partition: i32, count: i64) -> stempoint_store::Appended {
    let from = table.snapshot().fence(&app(partition));
    let start = from.unwrap_or(0);
    let file = put(table, partition, start..start + count).await;
    table.append(vec![file], &[fence(partition, from, start + count)]).await.expect("appends")
}

/// All rows of a table as text, sorted.
pub fn all_rows(table: &Table) -> Vec<String> {
    let mut rows = Vec::new();
    for file in table.snapshot().files() {
        for batch in table.read_file(file, &ReadOptions::default()).expect("opens") {
            rows.extend(as_text(&batch.expect("reads")));
        }
    }
    rows.sort();
    rows
}

/// The rows of a batch as text.
pub fn as_text(batch: &RecordBatch) -> Vec<String> {
    let columns: Vec<StringArray> = batch
        .columns()
        .iter()
        .map(|column| arrow::compute::cast(column, &DataType::Utf8).expect("a text").as_string::<i32>().clone())
        .collect();
    let text = |row: usize| {
        columns.iter().map(|c| c.iter().nth(row).flatten().unwrap_or("-").to_owned()).collect::<Vec<_>>().join("|")
    };
    if batch.num_rows() > 2_000 {
        // Long batches are turned column by column.
        let mut lines = vec![String::new(); batch.num_rows()];
        for column in &columns {
            for (line, value) in lines.iter_mut().zip(column.iter()) {
                line.push_str(value.unwrap_or("-"));
                line.push('|');
            }
        }
        return lines
            .into_iter()
            .map(|mut line| {
                line.pop();
                line
            })
            .collect();
    }
    (0..batch.num_rows()).map(text).collect()
}

/// What [`all_rows`] must yield for these rows.
pub fn expected_rows(partitions: &[(i32, i64)]) -> Vec<String> {
    let mut rows: Vec<String> = partitions.iter().flat_map(|(p, end)| as_text(&batch(*p, 0..*end))).collect();
    rows.sort();
    rows
}

/// The numbers of each partition's rows, sorted.
pub fn numbers(table: &Table) -> HashMap<i32, Vec<i64>> {
    let mut numbers: HashMap<i32, Vec<i64>> = HashMap::new();
    let options = ReadOptions { columns: Some(&["n", "p"]), ..ReadOptions::default() };
    for file in table.snapshot().files() {
        for batch in table.read_file(file, &options).expect("opens") {
            let batch = batch.expect("reads");
            let (n, p) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int32Type>());
            for (n, p) in n.values().iter().zip(p.values()) {
                numbers.entry(*p).or_default().push(*n);
            }
        }
    }
    numbers.values_mut().for_each(|list| list.sort_unstable());
    numbers
}
