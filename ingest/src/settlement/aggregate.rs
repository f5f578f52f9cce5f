//! Adding up usage rows for settlement: columnar, and only the columns that
//! it needs.
//!
//! Invariant 2: each row is added once to a customer and once to a provider,
//! with the same quantities.

use arrow::array::{
    Array, Decimal128Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::Int32Type;
use hashbrown::HashMap;
use stempoint_core::names::{Name, Names};
use stempoint_core::usage::{Dimensions, Usage, UsageCell};
use stempoint_schemas::meter::Meter;
use stempoint_schemas::row::{ColumnError, typed};
use stempoint_schemas::tables::{API_CALLS, GPU_USAGE, Table};
use stempoint_schemas::time::{HOUR_US, Hour};
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

/// The usage tables that have meters.
pub const METERED: [&Table; 2] = [&API_CALLS, &GPU_USAGE];

const METERS: usize = Meter::ALL.len();
/// One unit of a meter, in 10^-9.
pub(super) const UNIT: i128 = 1_000_000_000;
/// One joule in millijoules becomes 10^-9 joules.
pub(super) const MILLI: i128 = 1_000_000;

/// What rows have in common apart from their parties. There are few of these
/// at a time, so a row's sums are found by two small numbers.
type Kind = (Dimensions, Hour);

/// Sums by party and kind. The key is both numbers in one.
type Cells = HashMap<u64, [i128; METERS], foldhash::fast::RandomState>;

/// Adds up rows between two vectors of watermarks.
pub struct Aggregator {
    start: Watermarks,
    from: Watermarks,
    to: Watermarks,
    names: Names,
    currency: Name,
    kinds: Vec<Kind>,
    kind_numbers: HashMap<Kind, u32, foldhash::fast::RandomState>,
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
            kinds: Vec::new(),
            kind_numbers: HashMap::default(),
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
    /// as dictionaries. Without the rows' places all of them are added.
    pub fn add(&mut self, table: &Table, batch: &RecordBatch) -> Result<(), ColumnError> {
        let wanted = self.wanted_rows(batch)?;
        let times = typed::<TimestampMicrosecondArray>(batch, "time")?;
        let customers = self.interned(batch, "customer")?;
        let regions = self.interned(batch, "region")?;
        let is_wanted = |row: &usize| wanted.as_ref().is_none_or(|wanted| wanted.value(*row));
        if table.name == GPU_USAGE.name {
            let (nodes, gpus) = (self.interned(batch, "node")?, self.interned(batch, "gpu")?);
            let seconds = typed::<Decimal128Array>(batch, "gpu_seconds")?;
            let energies = typed::<Decimal128Array>(batch, "energy_joules")?;
            for row in (0..batch.num_rows()).filter(is_wanted) {
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
            for row in (0..batch.num_rows()).filter(is_wanted) {
                let dimensions = Dimensions { model: models.name(row), gpu: Name::NONE, region: regions.name(row) };
                let cached = if cached.is_null(row) { 0 } else { cached.value(row) };
                let tokens = |count: i64| i128::from(count) * UNIT;
                let quantities = [tokens(inputs.value(row)), tokens(outputs.value(row)), tokens(cached), UNIT, 0, 0];
                self.count(customers.name(row), providers.name(row), dimensions, times.value(row), quantities);
            }
        }
        Ok(())
    }

    /// Which rows lie in [from, to); `None` where all do.
    fn wanted_rows(&self, batch: &RecordBatch) -> Result<Option<BooleanBuffer>, ColumnError> {
        if batch.column_by_name(PLACE[0]).is_none() {
            return Ok(None);
        }
        let (partitions, offsets): (Int32Array, Int64Array) = (typed(batch, PLACE[0])?, typed(batch, PLACE[1])?);
        let is_wanted = |row: usize| {
            let (partition, offset) = (partitions.value(row).cast_unsigned(), offsets.value(row).cast_unsigned());
            !self.from.is_above(partition, offset) && self.to.is_above(partition, offset)
        };
        Ok(Some(BooleanBuffer::collect_bool(batch.num_rows(), is_wanted)))
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
        let kind = self.kind((dimensions, hour));
        for (cells, party) in [(&mut self.customers, customer), (&mut self.providers, provider)] {
            let sums = cells.entry(cell(party, kind)).or_insert([0; METERS]);
            for (sum, quantity) in sums.iter_mut().zip(quantities) {
                *sum += quantity;
            }
        }
        self.rows += 1;
    }

    fn kind(&mut self, kind: Kind) -> u32 {
        *self.kind_numbers.entry(kind).or_insert_with(|| {
            self.kinds.push(kind);
            self.kinds.len() as u32 - 1
        })
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
        let cells = |cells: Cells| {
            let cell = |(key, quantities)| {
                let (party, kind) = party_and_kind(key);
                let (dimensions, hour) = self.kinds[kind];
                UsageCell { party, currency: self.currency, dimensions, hour, quantities }
            };
            cells.into_iter().map(cell).collect()
        };
        Usage { customers: cells(self.customers), providers: cells(self.providers), names: self.names, rows: self.rows }
    }
}

fn cell(party: Name, kind: u32) -> u64 {
    u64::from(party.number()) << 32 | u64::from(kind)
}

fn party_and_kind(cell: u64) -> (Name, usize) {
    (Name::from_number((cell >> 32) as u32), (cell & 0xffff_ffff) as usize)
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
        let mut sums = Aggregator::new(Watermarks::default(), Watermarks::default(), "USD");
        sums.add(&API_CALLS, &batch).expect("the rows are added");
        let usage = sums.finish();
        let expected = [3 * i128::from(i64::MAX) * UNIT, 12 * UNIT * UNIT, 0, 3 * UNIT, 0, 0];
        for side in [usage.customers, usage.providers] {
            assert_eq!(side.iter().map(|cell| cell.quantities).collect::<Vec<_>>(), [expected]);
        }
    }
}
