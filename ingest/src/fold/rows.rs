//! Rows of the ingest tables under construction, column by column.
//!
//! Invariant: what is appended here is what `stempoint_schemas::row` reads
//! back, value for value.

use std::sync::Arc;

use arrow::array::{ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Int32Array, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use stempoint_schemas::event::{ApiCall, Event, GpuUsage, Heartbeat, Identity, Payload, Refusal};
use stempoint_schemas::tables::{API_CALLS, DUPLICATES, GPU_USAGE, HEARTBEATS, REJECTS, Table};

use super::numbers::Numbers;
use super::texts::Texts;

type Longs = Numbers<Int64Type>;
type Decimals = Numbers<Decimal128Type>;
type Times = Numbers<TimestampMicrosecondType>;
type Columns = Result<Vec<ArrayRef>, ArrowError>;

/// Where and when the log recorded a row's record.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The offset in the shard's partition.
    pub offset: u64,
    /// Microseconds since 1970.
    pub recorded_us: i64,
}

/// The columns that every ingest table begins with.
struct Places {
    offsets: Longs,
    recorded_at: Times,
}

impl Places {
    fn new() -> Places {
        Places { offsets: Longs::default(), recorded_at: times() }
    }

    fn push(&mut self, place: Place) {
        self.offsets.append(place.offset.cast_signed());
        self.recorded_at.append(place.recorded_us);
    }

    fn len(&self) -> usize {
        self.offsets.len()
    }

    fn finish(&mut self, partition: u32) -> Columns {
        let partitions = Int32Array::from_value(partition.cast_signed(), self.len());
        Ok(vec![Arc::new(partitions), self.offsets.finish()?, self.recorded_at.finish()?])
    }
}

fn times() -> Times {
    Times::of(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))
}

/// The columns that every usage table has.
struct Heads {
    places: Places,
    sources: Texts,
    ids: StringBuilder,
    incarnations: Longs,
    sequences: Longs,
    times: Times,
}

impl Heads {
    fn new() -> Heads {
        Heads {
            places: Places::new(),
            sources: Texts::default(),
            ids: StringBuilder::new(),
            incarnations: Longs::default(),
            sequences: Longs::default(),
            times: times(),
        }
    }

    fn push(&mut self, place: Place, source: &str, event: &Event<'_>) {
        self.places.push(place);
        self.sources.append(source);
        let (id, number) = match event.identity {
            Identity::Named(id) => (Some(id), None),
            Identity::Numbered { incarnation, sequence } => (None, Some((incarnation, sequence))),
        };
        self.ids.append_option(id);
        self.incarnations.append_option(number.map(|(incarnation, _)| long(incarnation)));
        self.sequences.append_option(number.map(|(_, sequence)| long(sequence)));
        self.times.append(event.time.us());
    }

    fn finish(&mut self, partition: u32) -> Columns {
        let ids = StringBuilder::with_capacity(self.ids.len(), self.ids.values_slice().len());
        let mut ids = std::mem::replace(&mut self.ids, ids);
        let mut columns = self.places.finish(partition)?;
        columns.extend([
            self.sources.finish()?,
            Arc::new(ids.finish()),
            self.incarnations.finish()?,
            self.sequences.finish()?,
            self.times.finish()?,
        ]);
        Ok(columns)
    }
}

fn decimals(table: &Table, column: &str) -> Decimals {
    let schema = table.schema();
    let kind = schema.field_with_name(column).map(|field| field.data_type().clone());
    kind.map_or_else(|_| Decimals::default(), Decimals::of)
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
    input_tokens: Longs,
    output_tokens: Longs,
    cached_input_tokens: Longs,
    latencies: Decimals,
}

impl ApiCalls {
    fn new() -> ApiCalls {
        ApiCalls {
            heads: Heads::new(),
            customers: Texts::default(),
            models: Texts::default(),
            providers: Texts::default(),
            regions: Texts::default(),
            statuses: Texts::default(),
            streams: BooleanBuilder::new(),
            input_tokens: Longs::default(),
            output_tokens: Longs::default(),
            cached_input_tokens: Longs::default(),
            latencies: decimals(&API_CALLS, "latency_ms"),
        }
    }

    fn push(&mut self, call: &ApiCall<'_>) {
        self.customers.append(call.customer);
        self.models.append(call.model);
        self.providers.append(call.provider);
        self.regions.append_option(call.region);
        self.statuses.append_option(call.status);
        self.streams.append_option(call.stream);
        self.input_tokens.append(long(call.input_tokens));
        self.output_tokens.append(long(call.output_tokens));
        self.cached_input_tokens.append_option(call.cached_input_tokens.map(long));
        self.latencies.append_option(call.latency_us.map(i128::from));
    }

    fn finish(&mut self, partition: u32) -> Columns {
        let mut columns = self.heads.finish(partition)?;
        columns.extend([
            self.customers.finish()?,
            self.models.finish()?,
            self.providers.finish()?,
            self.regions.finish()?,
            self.statuses.finish()?,
            Arc::new(self.streams.finish()),
            self.input_tokens.finish()?,
            self.output_tokens.finish()?,
            self.cached_input_tokens.finish()?,
            self.latencies.finish()?,
        ]);
        Ok(columns)
    }
}

struct GpuUsages {
    heads: Heads,
    customers: Texts,
    nodes: Texts,
    gpus: Texts,
    regions: Texts,
    tasks: Texts,
    gpu_seconds: Decimals,
    busy_seconds: Decimals,
    energies: Decimals,
}

impl GpuUsages {
    fn new() -> GpuUsages {
        GpuUsages {
            heads: Heads::new(),
            customers: Texts::default(),
            nodes: Texts::default(),
            gpus: Texts::default(),
            regions: Texts::default(),
            tasks: Texts::default(),
            gpu_seconds: decimals(&GPU_USAGE, "gpu_seconds"),
            busy_seconds: decimals(&GPU_USAGE, "busy_seconds"),
            energies: decimals(&GPU_USAGE, "energy_joules"),
        }
    }

    fn push(&mut self, usage: &GpuUsage<'_>) {
        self.customers.append(usage.customer);
        self.nodes.append(usage.node);
        self.gpus.append(usage.gpu);
        self.regions.append_option(usage.region);
        self.tasks.append_option(usage.task);
        self.gpu_seconds.append(i128::from(usage.gpu_ns));
        self.busy_seconds.append_option(usage.busy_ns.map(i128::from));
        self.energies.append_option(usage.energy_mj.map(i128::from));
    }

    fn finish(&mut self, partition: u32) -> Columns {
        let mut columns = self.heads.finish(partition)?;
        columns.extend([
            self.customers.finish()?,
            self.nodes.finish()?,
            self.gpus.finish()?,
            self.regions.finish()?,
            self.tasks.finish()?,
            self.gpu_seconds.finish()?,
            self.busy_seconds.finish()?,
            self.energies.finish()?,
        ]);
        Ok(columns)
    }
}

struct Heartbeats {
    heads: Heads,
    nodes: Texts,
    statuses: Texts,
    gpus: Texts,
    regions: Texts,
    utilisations: Decimals,
    memories: Longs,
    temperatures: Decimals,
    powers: Decimals,
}

impl Heartbeats {
    fn new() -> Heartbeats {
        Heartbeats {
            heads: Heads::new(),
            nodes: Texts::default(),
            statuses: Texts::default(),
            gpus: Texts::default(),
            regions: Texts::default(),
            utilisations: decimals(&HEARTBEATS, "utilisation"),
            memories: Longs::default(),
            temperatures: decimals(&HEARTBEATS, "temperature_celsius"),
            powers: decimals(&HEARTBEATS, "power_watts"),
        }
    }

    fn push(&mut self, beat: &Heartbeat<'_>) {
        self.nodes.append(beat.node);
        self.statuses.append(beat.status);
        self.gpus.append_option(beat.gpu);
        self.regions.append_option(beat.region);
        self.utilisations.append_option(beat.utilisation_ppm.map(i128::from));
        self.memories.append_option(beat.memory_used_bytes.map(long));
        self.temperatures.append_option(beat.temperature_mc.map(i128::from));
        self.powers.append_option(beat.power_mw.map(i128::from));
    }

    fn finish(&mut self, partition: u32) -> Columns {
        let mut columns = self.heads.finish(partition)?;
        columns.extend([
            self.nodes.finish()?,
            self.statuses.finish()?,
            self.gpus.finish()?,
            self.regions.finish()?,
            self.utilisations.finish()?,
            self.memories.finish()?,
            self.temperatures.finish()?,
            self.powers.finish()?,
        ]);
        Ok(columns)
    }
}

struct Rejects {
    places: Places,
    sources: Texts,
    reasons: Texts,
    details: StringBuilder,
    keys: BinaryBuilder,
    raws: BinaryBuilder,
}

impl Rejects {
    fn new() -> Rejects {
        Rejects {
            places: Places::new(),
            sources: Texts::default(),
            reasons: Texts::default(),
            details: StringBuilder::new(),
            keys: BinaryBuilder::new(),
            raws: BinaryBuilder::new(),
        }
    }

    fn finish(&mut self, partition: u32) -> Columns {
        let mut columns = self.places.finish(partition)?;
        columns.extend([
            self.sources.finish()?,
            self.reasons.finish()?,
            Arc::new(self.details.finish()),
            Arc::new(self.keys.finish()),
            Arc::new(self.raws.finish()),
        ]);
        Ok(columns)
    }
}

struct Duplicates {
    places: Places,
    sources: Texts,
    originals: Longs,
}

impl Duplicates {
    fn new() -> Duplicates {
        Duplicates { places: Places::new(), sources: Texts::default(), originals: Longs::default() }
    }

    fn finish(&mut self, partition: u32) -> Columns {
        let mut columns = self.places.finish(partition)?;
        columns.extend([self.sources.finish()?, self.originals.finish()?]);
        Ok(columns)
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
            rejects: Rejects::new(),
            duplicates: Duplicates::new(),
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
        self.duplicates.sources.append(source);
        self.duplicates.originals.append(long(original));
    }

    /// Appends a refused record.
    pub fn reject(&mut self, place: Place, source: Option<&str>, refusal: &Refusal, key: Option<&[u8]>, raw: &[u8]) {
        self.rejects.places.push(place);
        self.rejects.sources.append_option(source);
        self.rejects.reasons.append(refusal.reason.code());
        self.rejects.details.append_value(&refusal.detail);
        self.rejects.keys.append_option(key);
        self.rejects.raws.append_value(raw);
    }

    /// Takes the rows as one batch per table that has any.
    pub fn take(&mut self) -> Result<Vec<(&'static Table, RecordBatch)>, ArrowError> {
        let partition = self.partition;
        let mut batches = Vec::new();
        let mut take = |table: &'static Table, rows: usize, columns: &mut dyn FnMut() -> Columns| {
            if rows > 0 {
                batches.push((table, RecordBatch::try_new(table.building_schema(), columns()?)?));
            }
            Ok::<(), ArrowError>(())
        };
        take(&API_CALLS, self.api_calls.heads.places.len(), &mut || self.api_calls.finish(partition))?;
        take(&GPU_USAGE, self.gpu_usage.heads.places.len(), &mut || self.gpu_usage.finish(partition))?;
        take(&HEARTBEATS, self.heartbeats.heads.places.len(), &mut || self.heartbeats.finish(partition))?;
        take(&REJECTS, self.rejects.places.len(), &mut || self.rejects.finish(partition))?;
        take(&DUPLICATES, self.duplicates.places.len(), &mut || self.duplicates.finish(partition))?;
        Ok(batches)
    }
}
