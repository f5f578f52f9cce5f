//! From a row of a usage table back to its event, for everything that checks
//! or rebuilds the books from open files.
//!
//! Invariant: the row that the fold wrote for an event gives that event back,
//! so that its canonical bytes and hashes can be recomputed.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int64Type;
use thiserror::Error;

use crate::event::{ApiCall, Event, EventKind, GpuUsage, Heartbeat, Identity, Payload};
use crate::time::Instant;

/// A table that does not have the columns of its schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("column {0} is missing or has another type than the schema says")]
pub struct ColumnError(pub String);

/// A row that cannot have been written by the fold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("row {row}: {field} holds a value that the fold never writes")]
pub struct RowError {
    /// The row within its batch.
    pub row: usize,
    /// The column.
    pub field: &'static str,
}

/// The typed columns of a batch of one usage table, read as plain texts.
pub struct UsageRows {
    kind: EventKind,
    rows: usize,
    partition: arrow::array::Int32Array,
    offset: Int64Array,
    recorded_at: TimestampMicrosecondArray,
    source: StringArray,
    id: StringArray,
    incarnation: Int64Array,
    sequence: Int64Array,
    time: TimestampMicrosecondArray,
    texts: Vec<StringArray>,
    longs: Vec<Int64Array>,
    decimals: Vec<Decimal128Array>,
    bools: Vec<BooleanArray>,
}

fn column(batch: &RecordBatch, name: &str) -> Result<ArrayRef, ColumnError> {
    batch.column_by_name(name).cloned().ok_or_else(|| ColumnError(name.to_owned()))
}

/// A column by name, as an array of the type that it must have.
pub fn typed<T: Array + Clone + 'static>(batch: &RecordBatch, name: &str) -> Result<T, ColumnError> {
    let array = column(batch, name)?;
    array.as_any().downcast_ref::<T>().cloned().ok_or_else(|| ColumnError(name.to_owned()))
}

fn names(
    kind: EventKind,
) -> (&'static [&'static str], &'static [&'static str], &'static [&'static str], &'static [&'static str]) {
    match kind {
        EventKind::ApiCall => (
            &["customer", "model", "provider", "region", "status"],
            &["input_tokens", "output_tokens", "cached_input_tokens"],
            &["latency_ms"],
            &["stream"],
        ),
        EventKind::GpuUsage => (
            &["customer", "node", "gpu", "region", "task"],
            &[],
            &["gpu_seconds", "busy_seconds", "energy_joules"],
            &[],
        ),
        EventKind::Heartbeat => (
            &["node", "status", "gpu", "region"],
            &["memory_used_bytes"],
            &["utilisation", "temperature_celsius", "power_watts"],
            &[],
        ),
    }
}

impl UsageRows {
    /// The columns of a batch that has the table's reading schema.
    pub fn new(kind: EventKind, batch: &RecordBatch) -> Result<UsageRows, ColumnError> {
        let (texts, longs, decimals, bools) = names(kind);
        Ok(UsageRows {
            kind,
            rows: batch.num_rows(),
            partition: typed(batch, "_partition")?,
            offset: typed(batch, "_offset")?,
            recorded_at: typed(batch, "_recorded_at")?,
            source: typed(batch, "source")?,
            id: typed(batch, "id")?,
            incarnation: typed(batch, "incarnation")?,
            sequence: typed(batch, "sequence")?,
            time: typed(batch, "time")?,
            texts: texts.iter().map(|n| typed(batch, n)).collect::<Result<_, _>>()?,
            longs: longs.iter().map(|n| typed(batch, n)).collect::<Result<_, _>>()?,
            decimals: decimals.iter().map(|n| typed(batch, n)).collect::<Result<_, _>>()?,
            bools: bools.iter().map(|n| typed(batch, n)).collect::<Result<_, _>>()?,
        })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The partition of a row.
    pub fn partition(&self, row: usize) -> u32 {
        self.partition.value(row).unsigned_abs()
    }

    /// The offset of a row.
    pub fn offset(&self, row: usize) -> u64 {
        self.offset.value(row).unsigned_abs()
    }

    /// The record time of a row, microseconds.
    pub fn recorded_us(&self, row: usize) -> i64 {
        self.recorded_at.value(row)
    }

    /// The source of a row.
    pub fn source(&self, row: usize) -> &str {
        self.source.value(row)
    }

    /// The event of a row.
    pub fn event(&self, row: usize) -> Result<Event<'_>, RowError> {
        let identity = match (self.id.is_null(row), self.incarnation.is_null(row), self.sequence.is_null(row)) {
            (false, true, true) => Identity::Named(self.id.value(row)),
            (true, false, false) => Identity::Numbered {
                incarnation: natural(self.incarnation.value(row), row, "incarnation")?,
                sequence: natural(self.sequence.value(row), row, "sequence")?,
            },
            _ => return Err(RowError { row, field: "id" }),
        };
        let time = Instant::from_us(self.time.value(row)).ok_or(RowError { row, field: "time" })?;
        let text = |index: usize| self.texts[index].value(row);
        let some_text = |index: usize| self.texts[index].is_valid(row).then(|| self.texts[index].value(row));
        let payload = match self.kind {
            EventKind::ApiCall => Payload::ApiCall(ApiCall {
                customer: text(0),
                model: text(1),
                provider: text(2),
                region: some_text(3),
                status: some_text(4),
                input_tokens: natural(self.longs[0].value(row), row, "input_tokens")?,
                output_tokens: natural(self.longs[1].value(row), row, "output_tokens")?,
                cached_input_tokens: self.some_long(2, row, "cached_input_tokens")?,
                latency_us: self.some_decimal(0, row, "latency_ms")?,
                stream: self.bools[0].is_valid(row).then(|| self.bools[0].value(row)),
            }),
            EventKind::GpuUsage => Payload::GpuUsage(GpuUsage {
                customer: text(0),
                node: text(1),
                gpu: text(2),
                region: some_text(3),
                task: some_text(4),
                gpu_ns: self.some_decimal(0, row, "gpu_seconds")?.ok_or(RowError { row, field: "gpu_seconds" })?,
                busy_ns: self.some_decimal(1, row, "busy_seconds")?,
                energy_mj: self.some_decimal(2, row, "energy_joules")?,
            }),
            EventKind::Heartbeat => Payload::Heartbeat(Heartbeat {
                node: text(0),
                status: text(1),
                gpu: some_text(2),
                region: some_text(3),
                memory_used_bytes: self.some_long(0, row, "memory_used_bytes")?,
                utilisation_ppm: self.some_decimal(0, row, "utilisation")?,
                temperature_mc: self.decimals[1].is_valid(row).then(|| self.decimals[1].value(row) as i64),
                power_mw: self.some_decimal(2, row, "power_watts")?,
            }),
        };
        Ok(Event { identity, time, payload })
    }

    fn some_long(&self, index: usize, row: usize, field: &'static str) -> Result<Option<u64>, RowError> {
        let array = &self.longs[index];
        if array.is_null(row) { Ok(None) } else { natural(array.value(row), row, field).map(Some) }
    }

    fn some_decimal(&self, index: usize, row: usize, field: &'static str) -> Result<Option<u64>, RowError> {
        let array = &self.decimals[index];
        if array.is_null(row) {
            return Ok(None);
        }
        u64::try_from(array.value(row)).map(Some).map_err(|_| RowError { row, field })
    }
}

fn natural(value: i64, row: usize, field: &'static str) -> Result<u64, RowError> {
    u64::try_from(value).map_err(|_| RowError { row, field })
}

/// A 64-bit integer column by name.
pub fn longs(batch: &RecordBatch, name: &str) -> Result<Int64Array, ColumnError> {
    column(batch, name)?.as_primitive_opt::<Int64Type>().cloned().ok_or_else(|| ColumnError(name.to_owned()))
}
