//! Adding up usage rows for settlement: columnar, and only the columns that
//! it needs.
//!
//! Invariant 2: each row is added once to a customer and once to a provider,
//! with the same quantities.

use arrow::array::{
    Array, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use hashbrown::HashMap;
use stempoint_core::names::{Name, Names};
use stempoint_core::usage::{Dimensions, Usage, UsageCell};
use stempoint_schemas::meter::Meter;
use stempoint_schemas::row::ColumnError;
use stempoint_schemas::tables::{API_CALLS, GPU_USAGE, Table};
use stempoint_schemas::time::{HOUR_US, Hour};
use stempoint_schemas::watermark::Watermarks;

/// The columns that settlement reads of a usage table.
pub fn columns(table: &Table) -> &'static [&'static str] {
    if table.name == API_CALLS.name {
        &[
            "_partition",
            "_offset",
            "time",
            "customer",
            "provider",
            "model",
            "region",
            "input_tokens",
            "output_tokens",
            "cached_input_tokens",
        ]
    } else {
        &["_partition", "_offset", "time", "customer", "node", "gpu", "region", "gpu_seconds", "energy_joules"]
    }
}

/// The usage tables that have meters.
pub const METERED: [&Table; 2] = [&API_CALLS, &GPU_USAGE];

const METERS: usize = Meter::ALL.len();
/// One unit of a meter, in 10^-9.
const UNIT: i128 = 1_000_000_000;
/// One joule in millijoules becomes 10^-9 joules.
const MILLI: i128 = 1_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Cell {
    party: Name,
    currency: Name,
    dimensions: Dimensions,
    hour: Hour,
}

type Cells = HashMap<Cell, [i128; METERS], foldhash::fast::RandomState>;

/// Adds up rows between two vectors of watermarks.
pub struct Aggregator {
    start: Watermarks,
    from: Watermarks,
    to: Watermarks,
    names: Names,
    currency: Name,
    customers: Cells,
    providers: Cells,
    rows: u64,
}

impl Aggregator {
    /// Nothing added up yet. Rows outside [from, to) are passed over. Every
    /// customer is rated in `currency`.
    pub fn new(from: Watermarks, to: Watermarks, currency: &str) -> Aggregator {
        let mut names = Names::default();
        let currency = names.intern(currency);
        Aggregator {
            start: from.clone(),
            from,
            to,
            names,
            currency,
            customers: Cells::default(),
            providers: Cells::default(),
            rows: 0,
        }
    }

    /// Goes on up to a later vector.
    pub fn extend_to(&mut self, to: Watermarks) {
        self.from = std::mem::replace(&mut self.to, to);
    }

    /// From where rows are added up.
    pub fn start(&self) -> &Watermarks {
        &self.start
    }

    /// From where rows are to be added next.
    pub fn from(&self) -> &Watermarks {
        &self.from
    }

    /// Up to where rows are added up.
    pub fn to(&self) -> &Watermarks {
        &self.to
    }

    /// How many rows were added up.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds the rows of a batch of a usage table with its [`columns`], texts
    /// as dictionaries.
    pub fn add(&mut self, table: &Table, batch: &RecordBatch) -> Result<(), ColumnError> {
        let places = Places::new(batch)?;
        let times = typed::<TimestampMicrosecondArray>(batch, "time")?;
        let customers = self.interned(batch, "customer")?;
        let regions = self.interned(batch, "region")?;
        if table.name == GPU_USAGE.name {
            let (nodes, gpus) = (self.interned(batch, "node")?, self.interned(batch, "gpu")?);
            let seconds = typed::<Decimal128Array>(batch, "gpu_seconds")?;
            let energies = typed::<Decimal128Array>(batch, "energy_joules")?;
            for row in 0..batch.num_rows() {
                if !places.between(row, &self.from, &self.to) {
                    continue;
                }
                let dimensions = Dimensions { model: Name::NONE, gpu: gpus.name(row), region: regions.name(row) };
                let energy = if energies.is_null(row) { 0 } else { energies.value(row) * MILLI };
                let quantities = [0, 0, 0, 0, seconds.value(row), energy];
                self.count(customers.name(row), nodes.name(row), dimensions, times.value(row), quantities);
            }
        } else {
            let (providers, models) = (self.interned(batch, "provider")?, self.interned(batch, "model")?);
            let inputs = typed::<Int64Array>(batch, "input_tokens")?;
            let outputs = typed::<Int64Array>(batch, "output_tokens")?;
            let cached = typed::<Int64Array>(batch, "cached_input_tokens")?;
            for row in 0..batch.num_rows() {
                if !places.between(row, &self.from, &self.to) {
                    continue;
                }
                let dimensions = Dimensions { model: models.name(row), gpu: Name::NONE, region: regions.name(row) };
                let cached = if cached.is_null(row) { 0 } else { cached.value(row) };
                let quantities = [
                    i128::from(inputs.value(row)) * UNIT,
                    i128::from(outputs.value(row)) * UNIT,
                    i128::from(cached) * UNIT,
                    UNIT,
                    0,
                    0,
                ];
                self.count(customers.name(row), providers.name(row), dimensions, times.value(row), quantities);
            }
        }
        Ok(())
    }

    fn count(
        &mut self,
        customer: Name,
        provider: Name,
        dimensions: Dimensions,
        time_us: i64,
        quantities: [i128; METERS],
    ) {
        let hour = Hour(time_us.div_euclid(HOUR_US) as i32);
        for (cells, party) in [(&mut self.customers, customer), (&mut self.providers, provider)] {
            let cell = Cell { party, currency: self.currency, dimensions, hour };
            let sums = cells.entry(cell).or_insert([0; METERS]);
            for (sum, quantity) in sums.iter_mut().zip(quantities) {
                *sum += quantity;
            }
        }
        self.rows += 1;
    }

    fn interned(&mut self, batch: &RecordBatch, name: &str) -> Result<Interned, ColumnError> {
        let column = typed::<DictionaryArray<Int32Type>>(batch, name)?;
        let values =
            column.values().as_any().downcast_ref::<StringArray>().ok_or_else(|| ColumnError(name.to_owned()))?;
        let names = values.iter().map(|text| self.names.intern_some(text)).collect();
        Ok(Interned { column, names })
    }

    /// The sums.
    pub fn finish(self) -> Usage {
        Usage { names: self.names, customers: cells(self.customers), providers: cells(self.providers), rows: self.rows }
    }
}

fn cells(cells: Cells) -> Vec<UsageCell> {
    cells
        .into_iter()
        .map(|(cell, quantities)| UsageCell {
            party: cell.party,
            currency: cell.currency,
            dimensions: cell.dimensions,
            hour: cell.hour,
            quantities,
        })
        .collect()
}

/// A text column as names.
struct Interned {
    column: DictionaryArray<Int32Type>,
    names: Vec<Name>,
}

impl Interned {
    fn name(&self, row: usize) -> Name {
        match self.column.key(row) {
            Some(key) => self.names[key],
            None => Name::NONE,
        }
    }
}

struct Places {
    partitions: arrow::array::Int32Array,
    offsets: Int64Array,
}

impl Places {
    fn new(batch: &RecordBatch) -> Result<Places, ColumnError> {
        Ok(Places { partitions: typed(batch, "_partition")?, offsets: typed(batch, "_offset")? })
    }

    fn between(&self, row: usize, from: &Watermarks, to: &Watermarks) -> bool {
        let (partition, offset) = (self.partitions.value(row).cast_unsigned(), self.offsets.value(row).cast_unsigned());
        !from.is_above(partition, offset) && to.is_above(partition, offset)
    }
}

fn typed<T: Array + Clone + 'static>(batch: &RecordBatch, name: &str) -> Result<T, ColumnError> {
    let column = batch.column_by_name(name).ok_or_else(|| ColumnError(name.to_owned()))?;
    column.as_any().downcast_ref::<T>().cloned().ok_or_else(|| ColumnError(name.to_owned()))
}
