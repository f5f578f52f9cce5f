//! Adding up usage rows for settlement: columnar, and only the columns that
//! it needs.
//!
//! Invariant 2: each row is added once to a customer and once to a provider,
//! with the same quantities. What a provider serves to a customer with prices
//! or a currency of its own is a sum of its own.

use std::collections::BTreeSet;

use arrow::array::{
    Array, Decimal128Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use hashbrown::{HashMap, HashSet};
use stempoint_core::names::{Name, Names};
use stempoint_core::usage::{Dimensions, Usage, UsageCell};
use stempoint_schemas::meter::{MILLI_NANO, Meter, UNIT_NANO};
use stempoint_schemas::row::{ColumnError, typed};
use stempoint_schemas::tables::{API_CALLS, GPU_USAGE, Table};
use stempoint_schemas::time::Hour;
use stempoint_schemas::watermark::Watermarks;

/// Where a row stands: read only of files that hold rows outside the range.
const PLACE: [&str; 2] = ["_partition", "_offset"];
const OF_API_CALLS: [&str; 8] =
    ["time", "customer", "provider", "model", "region", "input_tokens", "output_tokens", "cached_input_tokens"];
const OF_GPU_USAGE: [&str; 7] = ["time", "customer", "node", "gpu", "region", "gpu_seconds", "energy_joules"];

/// The columns that settlement reads of a usage table, with or without the
/// rows' places.
pub fn columns(table: &Table, places: bool) -> Vec<&'static str> {
    let metered: &[&str] = if table.name == API_CALLS.name { &OF_API_CALLS } else { &OF_GPU_USAGE };
    let places: &[&str] = if places { &PLACE } else { &[] };
    [places, metered].concat()
}

/// Usage rows that are read together.
pub const BATCH_ROWS: usize = 1 << 18;

/// The usage tables that have meters.
pub const METERED: [&Table; 2] = [&API_CALLS, &GPU_USAGE];

const METERS: usize = Meter::ALL.len();

/// What a row counts.
pub(super) struct Counted {
    pub customer: Name,
    pub provider: Name,
    pub dimensions: Dimensions,
    pub hour: Hour,
    pub quantities: [i128; METERS],
}

/// Where the rows of a batch stand, if it says so.
pub(super) struct Places {
    partitions: Int32Array,
    offsets: Int64Array,
}

impl Places {
    pub(super) fn of(batch: &RecordBatch) -> Result<Option<Places>, ColumnError> {
        if batch.column_by_name(PLACE[0]).is_none() {
            return Ok(None);
        }
        Ok(Some(Places { partitions: typed(batch, PLACE[0])?, offsets: typed(batch, PLACE[1])? }))
    }

    pub(super) fn get(&self, row: usize) -> (u32, u64) {
        (self.partitions.value(row).cast_unsigned(), self.offsets.value(row).cast_unsigned())
    }
}

/// Hands on what the wanted rows of a batch of a usage table count, which has
/// its [`columns`], texts as dictionaries.
pub(super) fn each_counted(
    (table, batch): (&Table, &RecordBatch),
    names: &mut Names,
    is_wanted: impl Fn(usize) -> bool,
    mut count: impl FnMut(usize, Counted),
) -> Result<(), ColumnError> {
    let times = typed::<TimestampMicrosecondArray>(batch, "time")?;
    let customers = Interned::new(batch, "customer", names)?;
    let regions = Interned::new(batch, "region", names)?;
    let hour = |row| Hour::of_us(times.value(row));
    let rows = (0..batch.num_rows()).filter(|row| is_wanted(*row));
    if table.name == GPU_USAGE.name {
        let (nodes, gpus) = (Interned::new(batch, "node", names)?, Interned::new(batch, "gpu", names)?);
        let seconds = typed::<Decimal128Array>(batch, "gpu_seconds")?;
        let energies = typed::<Decimal128Array>(batch, "energy_joules")?;
        for row in rows {
            let dimensions = Dimensions { model: Name::NONE, gpu: gpus.name(row), region: regions.name(row) };
            let energy = if energies.is_null(row) { 0 } else { energies.value(row) * MILLI_NANO };
            let quantities = [0, 0, 0, 0, seconds.value(row), energy];
            let (customer, provider) = (customers.name(row), nodes.name(row));
            count(row, Counted { customer, provider, dimensions, hour: hour(row), quantities });
        }
    } else {
        let (providers, models) = (Interned::new(batch, "provider", names)?, Interned::new(batch, "model", names)?);
        let inputs = typed::<Int64Array>(batch, "input_tokens")?;
        let outputs = typed::<Int64Array>(batch, "output_tokens")?;
        let cached = typed::<Int64Array>(batch, "cached_input_tokens")?;
        for row in rows {
            let dimensions = Dimensions { model: models.name(row), gpu: Name::NONE, region: regions.name(row) };
            let cached = if cached.is_null(row) { 0 } else { cached.value(row) };
            let tokens = |count: i64| i128::from(count) * UNIT_NANO;
            let quantities = [tokens(inputs.value(row)), tokens(outputs.value(row)), tokens(cached), UNIT_NANO, 0, 0];
            let (customer, provider) = (customers.name(row), providers.name(row));
            count(row, Counted { customer, provider, dimensions, hour: hour(row), quantities });
        }
    }
    Ok(())
}

/// A text column as names.
pub(super) struct Interned {
    column: DictionaryArray<Int32Type>,
    names: Vec<Name>,
}

impl Interned {
    pub(super) fn new(batch: &RecordBatch, name: &str, names: &mut Names) -> Result<Interned, ColumnError> {
        let column = typed::<DictionaryArray<Int32Type>>(batch, name)?;
        let values =
            column.values().as_any().downcast_ref::<StringArray>().ok_or_else(|| ColumnError(name.to_owned()))?;
        let names = values.iter().map(|text| names.intern_some(text)).collect();
        Ok(Interned { column, names })
    }

    pub(super) fn name(&self, row: usize) -> Name {
        match self.column.key(row) {
            Some(key) => self.names[key],
            None => Name::NONE,
        }
    }
}

/// What rows have in common apart from their parties, with the customer where
/// providers serve it apart. There are few of these at a time, so a row's sums
/// are found by two small numbers.
type Kind = (Dimensions, Hour, Name);

/// Sums by party and kind of the `N` meters from `FIRST` on: those that a table
/// counts, because the fewer bytes a sum has, the sooner it is found. The key is
/// both numbers in one.
#[derive(Default)]
struct Cells<const FIRST: usize, const N: usize>(HashMap<u64, [i128; N], foldhash::fast::RandomState>);

impl<const FIRST: usize, const N: usize> Cells<FIRST, N> {
    #[inline]
    fn add(&mut self, party: Name, kind: u32, quantities: &[i128; METERS]) {
        let sums = self.0.entry(u64::from(party.number()) << 32 | u64::from(kind)).or_insert([0; N]);
        for (sum, quantity) in sums.iter_mut().zip(&quantities[FIRST..]) {
            *sum += quantity;
        }
    }

    fn finish(self, kinds: &[Kind]) -> impl Iterator<Item = UsageCell> {
        self.0.into_iter().map(move |(key, sums)| {
            let party = Name::from_number((key >> 32) as u32);
            let (dimensions, hour, customer) = kinds[(key & 0xffff_ffff) as usize];
            let mut quantities = [0; METERS];
            quantities[FIRST..FIRST + N].copy_from_slice(&sums);
            UsageCell { party, customer, dimensions, hour, quantities }
        })
    }
}

/// The sums of a table. Different tables have different kinds, since each
/// names another dimension, so none of them has a sum twice.
#[derive(Default)]
struct Sides<const FIRST: usize, const N: usize> {
    customers: Cells<FIRST, N>,
    providers: Cells<FIRST, N>,
}

impl<const FIRST: usize, const N: usize> Sides<FIRST, N> {
    #[inline]
    fn add(&mut self, counted: &Counted, kind: u32, served: u32) {
        self.customers.add(counted.customer, kind, &counted.quantities);
        self.providers.add(counted.provider, served, &counted.quantities);
    }

    fn len(&self) -> usize {
        self.customers.0.len() + self.providers.0.len()
    }

    fn finish(self, kinds: &[Kind], usage: &mut Usage) {
        usage.customers.extend(self.customers.finish(kinds));
        usage.providers.extend(self.providers.finish(kinds));
    }
}

/// Tokens and requests come before what GPUs do in [`Meter::ALL`].
type ApiCallSums = Sides<0, 4>;
type GpuUsageSums = Sides<4, 2>;

/// The numbers of kinds.
#[derive(Default)]
struct Kinds {
    kinds: Vec<Kind>,
    numbers: HashMap<Kind, u32, foldhash::fast::RandomState>,
}

impl Kinds {
    fn number(&mut self, kind: Kind) -> u32 {
        *self.numbers.entry(kind).or_insert_with(|| {
            self.kinds.push(kind);
            self.kinds.len() as u32 - 1
        })
    }
}

/// Adds up rows between two vectors of watermarks.
pub struct Aggregator {
    start: Watermarks,
    from: Watermarks,
    to: Watermarks,
    names: Names,
    /// The customers that providers serve apart, and their names.
    apart: BTreeSet<String>,
    apart_names: HashSet<Name, foldhash::fast::RandomState>,
    kinds: Kinds,
    api_calls: ApiCallSums,
    gpu_usage: GpuUsageSums,
    rows: u64,
}

impl Aggregator {
    /// Nothing added up yet from a vector on. What is served to those of `apart`
    /// is kept apart.
    pub fn new(from: Watermarks, apart: BTreeSet<String>) -> Aggregator {
        let mut names = Names::default();
        let apart_names = apart.iter().map(|customer| names.intern(customer)).collect();
        Aggregator {
            start: from.clone(),
            from: from.clone(),
            to: from,
            names,
            apart,
            apart_names,
            kinds: Kinds::default(),
            api_calls: Sides::default(),
            gpu_usage: Sides::default(),
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

    /// The customers whose usage is kept apart.
    pub fn apart(&self) -> &BTreeSet<String> {
        &self.apart
    }

    /// How many rows were added up.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many sums they gave.
    pub fn sums(&self) -> usize {
        self.api_calls.len() + self.gpu_usage.len()
    }

    /// Adds the rows of a batch of a usage table with its [`columns`], texts
    /// as dictionaries. Without the rows' places all of them are added.
    pub fn add(&mut self, table: &Table, batch: &RecordBatch) -> Result<(), ColumnError> {
        let places = Places::of(batch)?;
        let Aggregator { from, to, names, apart_names, kinds, api_calls, gpu_usage, rows, .. } = self;
        let is_wanted = |row| {
            places.as_ref().is_none_or(|places| {
                let (partition, offset) = places.get(row);
                !from.is_above(partition, offset) && to.is_above(partition, offset)
            })
        };
        let is_gpu_usage = table.name == GPU_USAGE.name;
        each_counted((table, batch), names, is_wanted, |_, counted| {
            let Counted { customer, dimensions, hour, .. } = counted;
            let kind = kinds.number((dimensions, hour, Name::NONE));
            let is_apart = !apart_names.is_empty() && apart_names.contains(&customer);
            let served = if is_apart { kinds.number((dimensions, hour, customer)) } else { kind };
            if is_gpu_usage {
                gpu_usage.add(&counted, kind, served);
            } else {
                api_calls.add(&counted, kind, served);
            }
            *rows += 1;
        })
    }

    /// The sums.
    pub fn finish(self) -> Usage {
        let kinds = self.kinds.kinds;
        let mut usage = Usage { customers: Vec::new(), providers: Vec::new(), names: self.names, rows: self.rows };
        self.api_calls.finish(&kinds, &mut usage);
        self.gpu_usage.finish(&kinds, &mut usage);
        usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::ArrayRef;
    use std::sync::Arc;

    /// Invariant 8: nine billion tokens of one customer in one hour are more
    /// 10^-9 of a token than 64 bits hold.
    #[test]
    fn sums_do_not_wrap() {
        let text = |value: &str| -> ArrayRef {
            Arc::new(std::iter::repeat_n(value, 3).collect::<DictionaryArray<Int32Type>>())
        };
        let tokens = |count: i64| -> ArrayRef { Arc::new(Int64Array::from_value(count, 3)) };
        let columns: [ArrayRef; 8] = [
            Arc::new(TimestampMicrosecondArray::from_value(0, 3).with_timezone("UTC")),
            text("acme"),
            text("node"),
            text("model"),
            text("region"),
            tokens(i64::MAX),
            tokens(4_000_000_000),
            tokens(0),
        ];
        let batch = RecordBatch::try_from_iter(OF_API_CALLS.into_iter().zip(columns)).expect("a batch");
        let mut sums = Aggregator::new(Watermarks::default(), BTreeSet::new());
        sums.add(&API_CALLS, &batch).expect("the rows are added");
        let usage = sums.finish();
        let expected = [3 * i128::from(i64::MAX) * UNIT_NANO, 12 * UNIT_NANO * UNIT_NANO, 0, 3 * UNIT_NANO, 0, 0];
        for side in [usage.customers, usage.providers] {
            assert_eq!(side.iter().map(|cell| cell.quantities).collect::<Vec<_>>(), [expected]);
        }
    }
}
