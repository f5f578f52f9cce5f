//! Measurements, left out by default. Run them with
//! `cargo test --release -p stempoint-store --test store speed -- --ignored --nocapture`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{
    ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringBuilder, StringDictionaryBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, TimeUnit};
use stempoint_store::maintenance::{CompactionPlan, checkpoint, clean_log, compact};
use stempoint_store::{Fence, Lake, ParquetEncoder, ReadOptions, Table, TableSpec, Tuning};

use crate::compaction::ALL;

const ROWS: usize = 1 << 20;
const BATCH: usize = 1 << 14;

fn field(name: &str, data_type: DataType, nullable: bool, encoding: &str) -> Field {
    Field::new(name, data_type, nullable).with_metadata(HashMap::from([("encoding".to_owned(), encoding.to_owned())]))
}

fn wide_spec() -> TableSpec {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Schema::new(vec![
        field("partition", DataType::Int32, false, "dictionary"),
        field("offset", DataType::Int64, false, "delta"),
        field("recorded_at", time.clone(), false, "delta"),
        field("source", DataType::Utf8, false, "dictionary"),
        field("id", DataType::Utf8, true, "plain"),
        field("incarnation", DataType::Int64, true, "dictionary"),
        field("sequence", DataType::Int64, true, "delta"),
        field("time", time, false, "delta"),
        field("customer", DataType::Utf8, false, "dictionary"),
        field("model", DataType::Utf8, false, "dictionary"),
        field("provider", DataType::Utf8, false, "dictionary"),
        field("region", DataType::Utf8, true, "dictionary"),
        field("status", DataType::Utf8, true, "dictionary"),
        field("input_tokens", DataType::Int64, false, "plain"),
        field("output_tokens", DataType::Int64, false, "plain"),
        field("cached_input_tokens", DataType::Int64, true, "plain"),
        field("latency_ms", DataType::Decimal128(18, 3), true, "plain"),
    ]);
    TableSpec::new(
        "wide",
        Arc::new(schema),
        "Rows as wide as a call to a model.",
        &["partition", "offset", "recorded_at", "time"],
    )
}

fn texts(random: &mut fastrand::Rng, rows: usize, prefix: &str, count: usize) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    for _ in 0..rows {
        // A skewed choice, as among customers.
        let number = (random.f64().powi(4) * count as f64) as usize;
        builder.append_value(format!("{prefix}-{number}"));
    }
    Arc::new(builder.finish())
}

fn wide_batch(random: &mut fastrand::Rng, start: i64, rows: usize) -> RecordBatch {
    let end = start + rows as i64;
    let times = |random: &mut fastrand::Rng| -> ArrayRef {
        let times = (start..end).map(|n| 1_700_000_000_000_000 + n * 50 + random.i64(0..2_000_000));
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
    };
    let mut ids = StringBuilder::new();
    for n in 0..rows {
        ids.append_option((n % 2 == 0).then(|| format!("{:016x}", random.u64(..))));
    }
    let tokens = |random: &mut fastrand::Rng, most: f64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values((0..rows).map(|_| (random.f64().powi(3) * most) as i64)))
    };
    let numbered = |n: i64| (n % 2 == 1).then_some(n / 2);
    let latency = Decimal128Array::from_iter_values((0..rows).map(|_| i128::from(random.u32(50_000..5_000_000))));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![3; rows])),
        Arc::new(Int64Array::from_iter_values(start..end)),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values((start..end).map(|n| 1_700_000_000_000_000 + n * 50))
                .with_timezone("UTC"),
        ),
        texts(random, rows, "gateway/eu-1", 50),
        Arc::new(ids.finish()),
        Arc::new(Int64Array::from_iter((start..end).map(|n| numbered(n).map(|_| 1_699_999_999)))),
        Arc::new(Int64Array::from_iter((start..end).map(numbered))),
        times(random),
        texts(random, rows, "customer", 10_000),
        texts(random, rows, "model", 50),
        texts(random, rows, "node", 500),
        texts(random, rows, "region", 5),
        texts(random, rows, "status", 3),
        tokens(random, 8000.0),
        tokens(random, 2000.0),
        tokens(random, 1000.0),
        Arc::new(latency.with_precision_and_scale(18, 3).expect("a decimal")),
    ];
    let fields: Vec<Field> = wide_spec()
        .schema
        .fields()
        .iter()
        .zip(&columns)
        .map(|(f, c)| f.as_ref().clone().with_data_type(c.data_type().clone()))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a batch")
}

fn wide_batches(rows: usize) -> Vec<RecordBatch> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..rows).step_by(BATCH).map(|start| wide_batch(&mut random, start as i64, BATCH.min(rows - start))).collect()
}

fn per_row(duration: Duration, rows: usize) -> f64 {
    duration.as_secs_f64() * 1e6 / rows as f64
}

/// CPU time of this thread, which other work on the machine does not change much.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("nanoseconds"))
}

#[test]
#[ignore = "a measurement"]
fn encoding() {
    let spec = wide_spec();
    for rows in [20_000, 100_000, ROWS] {
        let batches = wide_batches(rows);
        for tuning in [Tuning::Hot, Tuning::Compact] {
            let encoder = ParquetEncoder::new(&spec, tuning);
            let start = cpu();
            let repeats = (ROWS / rows).max(1);
            let mut size = 0;
            for _ in 0..repeats {
                size = encoder.encode(&batches).expect("encodes").bytes.len();
            }
            let time = (cpu() - start) / repeats as u32;
            println!(
                "{rows} rows, {tuning:?}: {:.3} µs of CPU and {:.1} bytes a row",
                per_row(time, rows),
                size as f64 / rows as f64
            );
        }
    }
    // Where the time and the space go, column by column.
    let batches = wide_batches(ROWS);
    for (index, column) in spec.schema.fields().iter().enumerate() {
        let one = TableSpec {
            schema: Arc::new(spec.schema.project(&[index]).expect("a column")),
            stats_columns: &[],
            ..spec.clone()
        };
        let narrow: Vec<RecordBatch> = batches.iter().map(|b| b.project(&[index]).expect("a column")).collect();
        let encoder = ParquetEncoder::new(&one, Tuning::Hot);
        let start = cpu();
        let size = encoder.encode(&narrow).expect("encodes").bytes.len();
        println!(
            "  {}: {:.3} µs and {:.2} bytes a row",
            column.name(),
            per_row(cpu() - start, ROWS),
            size as f64 / ROWS as f64
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn appending_and_compacting() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open_local(folder.path()).expect("a lake");
    let spec = wide_spec();
    let table = Table::open_or_create(&lake, spec.clone()).await.expect("creates");
    let encoder = ParquetEncoder::new(&spec, Tuning::Hot);
    let batches = wide_batches(ROWS);
    let (mut puts, mut appends) = (Vec::new(), Vec::new());
    for (number, batch) in (0_i64..).zip(&batches) {
        let encoded = encoder.encode(std::slice::from_ref(batch)).expect("encodes");
        let start = Instant::now();
        let file = table.put_file(encoded).await.expect("puts");
        puts.push(start.elapsed());
        let start = Instant::now();
        let fence = Fence { app: "a".to_owned(), from: (number > 0).then_some(number), to: number + 1 };
        table.append(vec![file], &[fence]).await.expect("appends");
        appends.push(start.elapsed());
    }
    puts.sort_unstable();
    appends.sort_unstable();
    println!(
        "synced put of {} rows: {:?}, synced append: {:?} (medians of {})",
        BATCH,
        puts[puts.len() / 2],
        appends[appends.len() / 2],
        puts.len()
    );
    let start = Instant::now();
    checkpoint(&table).await.expect("a checkpoint");
    println!("checkpoint of {} files: {:?}", table.snapshot().file_count(), start.elapsed());
    let read = |dictionaries: bool, columns: Option<&'static [&'static str]>| {
        let start = Instant::now();
        let mut rows = 0;
        for file in table.snapshot().files() {
            let options = ReadOptions { dictionaries, columns, ..ReadOptions::default() };
            rows +=
                table.read_file(file, &options).expect("opens").map(|b| b.expect("reads").num_rows()).sum::<usize>();
        }
        println!(
            "reading, dictionaries {dictionaries}, columns {columns:?}: {:.3} µs a row",
            per_row(start.elapsed(), rows)
        );
    };
    read(false, None);
    read(true, None);
    read(true, Some(&["time", "customer", "model", "provider", "region", "input_tokens", "output_tokens"]));
    let start = Instant::now();
    let plan = CompactionPlan::new(ALL, &["partition"], &["offset"]);
    let done = compact(&table, &plan).await.expect("compacts");
    let time = start.elapsed();
    println!(
        "{done:?} in {time:?}: {:.3} µs and {:.1} bytes a row",
        per_row(time, done.rows as usize),
        done.bytes_after as f64 / done.rows as f64
    );
    let start = Instant::now();
    checkpoint(&table).await.expect("a checkpoint");
    println!("checkpoint: {:?}", start.elapsed());
    let start = Instant::now();
    clean_log(&table, Duration::ZERO).await.expect("cleans");
    println!("cleaning the log: {:?}", start.elapsed());
    read(true, None);
}
