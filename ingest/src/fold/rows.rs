//! Rows of the ingest tables under construction, column by column.
//!
//! Invariant: what is appended here is what `stempoint_schemas::row` reads
//! back, value for value.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Decimal128Builder, Int32Array, Int64Builder, RecordBatch,
    StringBuilder, StringDictionaryBuilder, TimestampMicrosecondArray, TimestampMicrosecondBuilder,
};
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use stempoint_schemas::event::{ApiCall, Event, GpuUsage, Heartbeat, Identity, Payload, Refusal};
use stempoint_schemas::tables::{API_CALLS, DUPLICATES, GPU_USAGE, HEARTBEATS, REJECTS, Table};

type Texts = StringDictionaryBuilder<Int32Type>;

/// Where and when the log recorded a row's record.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The offset in the shard's partition.
    pub offset: u64,
    /// Microseconds since 1970.
    pub recorded_us: i64,
}

/// The columns that every ingest table begins with.
#[derive(Default)]
struct Places {
    offsets: Int64Builder,
    recorded_at: TimestampMicrosecondBuilder,
}

impl Places {
    fn push(&mut self, place: Place) {
        self.offsets.append_value(place.offset.cast_signed());
        self.recorded_at.append_value(place.recorded_us);
    }

    fn finish(&mut self, partition: u32) -> Vec<ArrayRef> {
        let offsets = self.offsets.finish();
        let partitions = Int32Array::from_value(partition.cast_signed(), arrow::array::Array::len(&offsets));
        vec![Arc::new(partitions), Arc::new(offsets), utc(self.recorded_at.finish())]
    }
}

fn utc(times: TimestampMicrosecondArray) -> ArrayRef {
    Arc::new(times.with_timezone("UTC"))
}

/// The columns that every usage table has.
#[derive(Default)]
struct Heads {
    places: Places,
    sources: Texts,
    ids: StringBuilder,
    incarnations: Int64Builder,
    sequences: Int64Builder,
    times: TimestampMicrosecondBuilder,
}

impl Heads {
    fn push(&mut self, place: Place, source: &str, event: &Event<'_>) {
        self.places.push(place);
        self.sources.append_value(source);
        match event.identity {
            Identity::Named(id) => {
                self.ids.append_value(id);
                self.incarnations.append_null();
                self.sequences.append_null();
            }
            Identity::Numbered { incarnation, sequence } => {
                self.ids.append_null();
                self.incarnations.append_value(incarnation.cast_signed());
                self.sequences.append_value(sequence.cast_signed());
            }
        }
        self.times.append_value(event.time.us());
    }

    fn len(&self) -> usize {
        self.times.len()
    }

    fn finish(&mut self, partition: u32) -> Vec<ArrayRef> {
        let mut columns = self.places.finish(partition);
        columns.push(Arc::new(self.sources.finish()));
        columns.push(Arc::new(self.ids.finish()));
        columns.push(Arc::new(self.incarnations.finish()));
        columns.push(Arc::new(self.sequences.finish()));
        columns.push(utc(self.times.finish()));
        columns
    }
}

fn decimals(table: &Table, column: &str) -> Decimal128Builder {
    let schema = table.schema();
    let kind = schema.field_with_name(column).map(|field| field.data_type().clone());
    kind.map_or_else(|_| Decimal128Builder::new(), |kind| Decimal128Builder::new().with_data_type(kind))
}

fn long(value: u64) -> i64 {
    value.cast_signed()
}

struct ApiCalls {
    heads: Heads,
    customers: Texts,
    models: Texts,
    providers: Texts,
    regions: Texts,
    statuses: Texts,
    streams: BooleanBuilder,
    input_tokens: Int64Builder,
    output_tokens: Int64Builder,
    cached_input_tokens: Int64Builder,
    latencies: Decimal128Builder,
}

impl ApiCalls {
    fn new() -> ApiCalls {
        ApiCalls {
            heads: Heads::default(),
            customers: Texts::new(),
            models: Texts::new(),
            providers: Texts::new(),
            regions: Texts::new(),
            statuses: Texts::new(),
            streams: BooleanBuilder::new(),
            input_tokens: Int64Builder::new(),
            output_tokens: Int64Builder::new(),
            cached_input_tokens: Int64Builder::new(),
            latencies: decimals(&API_CALLS, "latency_ms"),
        }
    }

    fn push(&mut self, call: &ApiCall<'_>) {
        self.customers.append_value(call.customer);
        self.models.append_value(call.model);
        self.providers.append_value(call.provider);
        self.regions.append_option(call.region);
        self.statuses.append_option(call.status);
        self.streams.append_option(call.stream);
        self.input_tokens.append_value(long(call.input_tokens));
        self.output_tokens.append_value(long(call.output_tokens));
        self.cached_input_tokens.append_option(call.cached_input_tokens.map(long));
        self.latencies.append_option(call.latency_us.map(i128::from));
    }

    fn finish(&mut self, partition: u32) -> Vec<ArrayRef> {
        let mut columns = self.heads.finish(partition);
        columns.push(Arc::new(self.customers.finish()));
        columns.push(Arc::new(self.models.finish()));
        columns.push(Arc::new(self.providers.finish()));
        columns.push(Arc::new(self.regions.finish()));
        columns.push(Arc::new(self.statuses.finish()));
        columns.push(Arc::new(self.streams.finish()));
        columns.push(Arc::new(self.input_tokens.finish()));
        columns.push(Arc::new(self.output_tokens.finish()));
        columns.push(Arc::new(self.cached_input_tokens.finish()));
        columns.push(Arc::new(self.latencies.finish()));
        columns
    }
}

struct GpuUsages {
    heads: Heads,
    customers: Texts,
    nodes: Texts,
    gpus: Texts,
    regions: Texts,
    tasks: Texts,
    gpu_seconds: Decimal128Builder,
    busy_seconds: Decimal128Builder,
    energies: Decimal128Builder,
}

impl GpuUsages {
    fn new() -> GpuUsages {
        GpuUsages {
            heads: Heads::default(),
            customers: Texts::new(),
            nodes: Texts::new(),
            gpus: Texts::new(),
            regions: Texts::new(),
            tasks: Texts::new(),
            gpu_seconds: decimals(&GPU_USAGE, "gpu_seconds"),
            busy_seconds: decimals(&GPU_USAGE, "busy_seconds"),
            energies: decimals(&GPU_USAGE, "energy_joules"),
        }
    }

    fn push(&mut self, usage: &GpuUsage<'_>) {
        self.customers.append_value(usage.customer);
        self.nodes.append_value(usage.node);
        self.gpus.append_value(usage.gpu);
        self.regions.append_option(usage.region);
        self.tasks.append_option(usage.task);
        self.gpu_seconds.append_value(i128::from(usage.gpu_ns));
        self.busy_seconds.append_option(usage.busy_ns.map(i128::from));
        self.energies.append_option(usage.energy_mj.map(i128::from));
    }

    fn finish(&mut self, partition: u32) -> Vec<ArrayRef> {
        let mut columns = self.heads.finish(partition);
        columns.push(Arc::new(self.customers.finish()));
        columns.push(Arc::new(self.nodes.finish()));
        columns.push(Arc::new(self.gpus.finish()));
        columns.push(Arc::new(self.regions.finish()));
        columns.push(Arc::new(self.tasks.finish()));
        columns.push(Arc::new(self.gpu_seconds.finish()));
        columns.push(Arc::new(self.busy_seconds.finish()));
        columns.push(Arc::new(self.energies.finish()));
        columns
    }
}

struct Heartbeats {
    heads: Heads,
    nodes: Texts,
    statuses: Texts,
    gpus: Texts,
    regions: Texts,
    utilisations: Decimal128Builder,
    memories: Int64Builder,
    temperatures: Decimal128Builder,
    powers: Decimal128Builder,
}

impl Heartbeats {
    fn new() -> Heartbeats {
        Heartbeats {
            heads: Heads::default(),
            nodes: Texts::new(),
            statuses: Texts::new(),
            gpus: Texts::new(),
            regions: Texts::new(),
            utilisations: decimals(&HEARTBEATS, "utilisation"),
            memories: Int64Builder::new(),
            temperatures: decimals(&HEARTBEATS, "temperature_celsius"),
            powers: decimals(&HEARTBEATS, "power_watts"),
        }
    }

    fn push(&mut self, beat: &Heartbeat<'_>) {
        self.nodes.append_value(beat.node);
        self.statuses.append_value(beat.status);
        self.gpus.append_option(beat.gpu);
        self.regions.append_option(beat.region);
        self.utilisations.append_option(beat.utilisation_ppm.map(i128::from));
        self.memories.append_option(beat.memory_used_bytes.map(long));
        self.temperatures.append_option(beat.temperature_mc.map(i128::from));
        self.powers.append_option(beat.power_mw.map(i128::from));
    }

    fn finish(&mut self, partition: u32) -> Vec<ArrayRef> {
        let mut columns = self.heads.finish(partition);
        columns.push(Arc::new(self.nodes.finish()));
        columns.push(Arc::new(self.statuses.finish()));
        columns.push(Arc::new(self.gpus.finish()));
        columns.push(Arc::new(self.regions.finish()));
        columns.push(Arc::new(self.utilisations.finish()));
        columns.push(Arc::new(self.memories.finish()));
        columns.push(Arc::new(self.temperatures.finish()));
        columns.push(Arc::new(self.powers.finish()));
        columns
    }
}

#[derive(Default)]
struct Rejects {
    places: Places,
    sources: Texts,
    reasons: Texts,
    details: StringBuilder,
    keys: BinaryBuilder,
    raws: BinaryBuilder,
}

impl Rejects {
    fn finish(&mut self, partition: u32) -> Vec<ArrayRef> {
        let mut columns = self.places.finish(partition);
        columns.push(Arc::new(self.sources.finish()));
        columns.push(Arc::new(self.reasons.finish()));
        columns.push(Arc::new(self.details.finish()));
        columns.push(Arc::new(self.keys.finish()));
        columns.push(Arc::new(self.raws.finish()));
        columns
    }
}

#[derive(Default)]
struct Duplicates {
    places: Places,
    sources: Texts,
    originals: Int64Builder,
}

impl Duplicates {
    fn finish(&mut self, partition: u32) -> Vec<ArrayRef> {
        let mut columns = self.places.finish(partition);
        columns.push(Arc::new(self.sources.finish()));
        columns.push(Arc::new(self.originals.finish()));
        columns
    }
}

/// The rows of one shard between two cuts.
pub struct Rows {
    partition: u32,
    api_calls: ApiCalls,
    gpu_usage: GpuUsages,
    heartbeats: Heartbeats,
    rejects: Rejects,
    duplicates: Duplicates,
}

impl Rows {
    /// No rows yet.
    pub fn new(partition: u32) -> Rows {
        Rows {
            partition,
            api_calls: ApiCalls::new(),
            gpu_usage: GpuUsages::new(),
            heartbeats: Heartbeats::new(),
            rejects: Rejects::default(),
            duplicates: Duplicates::default(),
        }
    }

    /// Appends an accepted event.
    pub fn accept(&mut self, place: Place, source: &str, event: &Event<'_>) {
        match &event.payload {
            Payload::ApiCall(call) => {
                self.api_calls.heads.push(place, source, event);
                self.api_calls.push(call);
            }
            Payload::GpuUsage(usage) => {
                self.gpu_usage.heads.push(place, source, event);
                self.gpu_usage.push(usage);
            }
            Payload::Heartbeat(beat) => {
                self.heartbeats.heads.push(place, source, event);
                self.heartbeats.push(beat);
            }
        }
    }

    /// Appends a repeated event.
    pub fn duplicate(&mut self, place: Place, source: &str, original: u64) {
        self.duplicates.places.push(place);
        self.duplicates.sources.append_value(source);
        self.duplicates.originals.append_value(long(original));
    }

    /// Appends a refused record.
    pub fn reject(&mut self, place: Place, source: Option<&str>, refusal: &Refusal, key: Option<&[u8]>, raw: &[u8]) {
        self.rejects.places.push(place);
        self.rejects.sources.append_option(source);
        self.rejects.reasons.append_value(refusal.reason.code());
        self.rejects.details.append_value(&refusal.detail);
        self.rejects.keys.append_option(key);
        self.rejects.raws.append_value(raw);
    }

    /// Takes the rows as one batch per table that has any.
    pub fn take(&mut self) -> Result<Vec<(&'static Table, RecordBatch)>, ArrowError> {
        let partition = self.partition;
        let mut batches = Vec::new();
        let mut take = |table: &'static Table, rows: usize, columns: &mut dyn FnMut() -> Vec<ArrayRef>| {
            if rows > 0 {
                batches.push((table, RecordBatch::try_new(table.building_schema(), columns())?));
            }
            Ok::<(), ArrowError>(())
        };
        take(&API_CALLS, self.api_calls.heads.len(), &mut || self.api_calls.finish(partition))?;
        take(&GPU_USAGE, self.gpu_usage.heads.len(), &mut || self.gpu_usage.finish(partition))?;
        take(&HEARTBEATS, self.heartbeats.heads.len(), &mut || self.heartbeats.finish(partition))?;
        take(&REJECTS, self.rejects.reasons.len(), &mut || self.rejects.finish(partition))?;
        take(&DUPLICATES, self.duplicates.originals.len(), &mut || self.duplicates.finish(partition))?;
        Ok(batches)
    }
}
