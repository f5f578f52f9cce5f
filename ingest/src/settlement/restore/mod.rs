//! Settlement's state from its own tables, and charges read back from them.
//!
//! Invariant: only rows below the given control offset count; what a process
//! that was killed wrote above it is derived again.

mod adjustments;
mod alerts;
mod corrections;
mod event;
mod payables;
mod receivables;
mod served;
mod what_if;

use std::ops::Range;

use arrow::array::{
    Array, BinaryArray, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use hashbrown::HashMap;
use stempoint_core::charge::{Charge, ChargeKey, PriceId, Side, State};
use stempoint_core::currencies;
use stempoint_core::names::Name;
use stempoint_core::period::Periods;
use stempoint_core::settlement::{Answer, ChargeFilter, ControlRecord, Settlement};
use stempoint_core::usage::Dimensions;
use stempoint_schemas::commit::Commit;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::Quantity;
use stempoint_schemas::proto::SettlementState;
use stempoint_schemas::row::{ColumnError, typed};
use stempoint_schemas::tables::{CHARGES, CONTROL};
use stempoint_schemas::time::{Instant, Month};
use stempoint_store::ReadOptions;
use stempoint_store::ledger::{Ledger, bounds};

use super::error::SettleError;

pub use alerts::{AlertPlace, StoredAlert, stored_alerts};
pub use event::find as usage_event;
pub(super) use served::served;
pub use what_if::{WhatIfError, what_if};

/// The state machine as the head says, from the tables as they are known now.
/// A checkpoint stands for all charges below its control offset.
pub fn settlement(
    ledger: &Ledger,
    head: &Commit,
    checkpoint: Option<(u64, SettlementState)>,
) -> Result<Settlement, SettleError> {
    let control = control_rows(ledger, head.control_offset)?;
    let begin = || {
        let mut settlement = Settlement::new(currencies::DEFAULT);
        for row in &control {
            settlement.restore_control(row.record(), row.answer)?;
        }
        Ok::<Settlement, SettleError>(settlement)
    };
    let mut settlement = begin()?;
    let mut from = 0;
    if let Some((offset, state)) = checkpoint {
        match settlement.restore_checkpoint(&state) {
            Ok(()) => from = offset,
            Err(error) => {
                tracing::warn!(%error, "settlement's checkpoint makes no sense; reading all charges instead");
                settlement = begin()?;
            }
        }
    }
    each_charge(ledger, &mut settlement, from..head.control_offset, |settlement, charge| {
        settlement.restore_charge(&charge).map_err(SettleError::from)
    })?;
    adjustments::adjustments(ledger, &mut settlement, from..head.control_offset)?;
    receivables::receivables(ledger, &mut settlement, head.control_offset)?;
    payables::payables(ledger, &mut settlement, head.control_offset)?;
    alerts::alerts(ledger, &mut settlement, head.control_offset)?;
    corrections::corrections(ledger, &mut settlement, head.control_offset)?;
    Ok(settlement)
}

/// A row of `control` as it is stored.
pub struct StoredControl {
    /// Its offset.
    pub offset: u64,
    /// When the log recorded it, microseconds.
    pub recorded_us: i64,
    /// The record's key.
    pub key: Option<Vec<u8>>,
    /// The record's value.
    pub raw: Vec<u8>,
    /// What became of it.
    pub answer: Answer,
    /// In words.
    pub message: String,
}

impl StoredControl {
    /// The record that it was.
    pub fn record(&self) -> ControlRecord<'_> {
        ControlRecord { offset: self.offset, recorded_us: self.recorded_us, key: self.key.as_deref(), value: &self.raw }
    }
}

/// The rows of `control` below an offset, in order.
pub fn control_rows(ledger: &Ledger, below: u64) -> Result<Vec<StoredControl>, SettleError> {
    let table = ledger.table(&CONTROL);
    let mut rows = Vec::new();
    for file in table.snapshot().files() {
        let columns = ["_offset", "_recorded_at", "outcome", "message", "key", "raw"];
        let options = ReadOptions { columns: Some(&columns), ..ReadOptions::default() };
        for batch in table.read_file(file, &options)? {
            let batch = batch?;
            let offsets = typed::<Int64Array>(&batch, "_offset")?;
            let times = typed::<TimestampMicrosecondArray>(&batch, "_recorded_at")?;
            let outcomes = typed::<StringArray>(&batch, "outcome")?;
            let messages = typed::<StringArray>(&batch, "message")?;
            let keys = typed::<BinaryArray>(&batch, "key")?;
            let raws = typed::<BinaryArray>(&batch, "raw")?;
            for row in 0..batch.num_rows() {
                let offset = offsets.value(row).cast_unsigned();
                if offset < below {
                    rows.push(StoredControl {
                        offset,
                        recorded_us: times.value(row),
                        key: keys.is_valid(row).then(|| keys.value(row).to_vec()),
                        raw: raws.value(row).to_vec(),
                        answer: answer(outcomes.value(row))?,
                        message: messages.value(row).to_owned(),
                    });
                }
            }
        }
    }
    rows.sort_by_key(|row| row.offset);
    Ok(rows)
}

fn answer(name: &str) -> Result<Answer, SettleError> {
    [Answer::Applied, Answer::Refused, Answer::Duplicate, Answer::Conflict, Answer::Malformed]
        .into_iter()
        .find(|answer| answer.name() == name)
        .ok_or_else(|| unexpected(CONTROL.name, "outcome", name))
}

/// The charges below an offset that meet a filter.
pub fn charges(
    ledger: &Ledger,
    settlement: &mut Settlement,
    below: u64,
    filter: &ChargeFilter,
) -> Result<Vec<Charge>, SettleError> {
    let mut found = Vec::new();
    each_charge(ledger, settlement, 0..below, |settlement, charge| {
        if filter.is_met_by(&charge, settlement.names()) {
            found.push(charge);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Which months are closed by the control events below an offset.
pub fn periods(ledger: &Ledger, below: u64) -> Result<Periods, SettleError> {
    Ok(without_charges(ledger, below)?.periods().clone())
}

/// The state as control events make it, without what charges add to it.
fn without_charges(ledger: &Ledger, below: u64) -> Result<Settlement, SettleError> {
    let mut settlement = Settlement::new(currencies::DEFAULT);
    for row in control_rows(ledger, below)? {
        settlement.restore_control(row.record(), row.answer)?;
    }
    Ok(settlement)
}

/// Reads all charges below an offset, each with its price row's name, for
/// those who check them.
pub fn stored_charges(
    ledger: &Ledger,
    below: u64,
    mut each: impl FnMut(Option<&str>, &Charge),
) -> Result<(), SettleError> {
    let mut settlement = without_charges(ledger, below)?;
    each_charge(ledger, &mut settlement, 0..below, |settlement, charge| {
        match charge.state {
            State::Charged(price) => each(Some(&settlement.price_name(price)), &charge),
            _ => each(None, &charge),
        }
        Ok(())
    })
}

/// Reads all charges of a range of control offsets.
fn each_charge(
    ledger: &Ledger,
    settlement: &mut Settlement,
    range: Range<u64>,
    mut each: impl FnMut(&mut Settlement, Charge) -> Result<(), SettleError>,
) -> Result<(), SettleError> {
    let table = ledger.table(&CHARGES);
    for file in table.snapshot().files() {
        let (first, last) = bounds(file, "_offset");
        if first >= range.end.cast_signed() || last < range.start.cast_signed() {
            continue;
        }
        let options = ReadOptions { dictionaries: true, ..ReadOptions::default() };
        for batch in table.read_file(file, &options)? {
            let batch = batch?;
            let columns = ChargeColumns::new(&batch, settlement)?;
            for row in 0..batch.num_rows() {
                if range.contains(&columns.offsets.value(row).cast_unsigned()) {
                    each(settlement, columns.charge(row)?)?;
                }
            }
        }
    }
    Ok(())
}

/// The columns of `charges`, each distinct text read once.
struct ChargeColumns {
    offsets: Int64Array,
    sides: Texts<Side>,
    parties: Texts<Name>,
    meters: Texts<Meter>,
    models: Texts<Name>,
    gpus: Texts<Name>,
    regions: Texts<Name>,
    hours: TimestampMicrosecondArray,
    periods: Texts<Month>,
    states: DictionaryArray<Int32Type>,
    prices: Texts<PriceId>,
    currencies: Texts<Name>,
    quantities: Decimal128Array,
}

impl ChargeColumns {
    fn new(batch: &RecordBatch, settlement: &mut Settlement) -> Result<ChargeColumns, SettleError> {
        let name = |batch: &RecordBatch, column, settlement: &mut Settlement| {
            Texts::new(batch, column, |text| Some(settlement.names_mut().intern(text)))
        };
        Ok(ChargeColumns {
            offsets: typed(batch, "_offset")?,
            sides: Texts::new(batch, "side", Side::from_name)?,
            parties: name(batch, "party", settlement)?,
            meters: Texts::new(batch, "meter", Meter::from_name)?,
            models: name(batch, "model", settlement)?,
            gpus: name(batch, "gpu", settlement)?,
            regions: name(batch, "region", settlement)?,
            hours: typed(batch, "hour")?,
            periods: Texts::new(batch, "period", |text| Month::parse(text).ok())?,
            states: typed(batch, "state")?,
            prices: {
                let mut known: HashMap<String, Option<PriceId>> = HashMap::new();
                Texts::new(batch, "price", |text| {
                    *known.entry(text.to_owned()).or_insert_with(|| settlement.price_id(text))
                })?
            },
            currencies: name(batch, "currency", settlement)?,
            quantities: typed(batch, "quantity")?,
        })
    }

    fn charge(&self, row: usize) -> Result<Charge, SettleError> {
        let hour = Instant::from_us(self.hours.value(row)).map(Instant::hour);
        let key = ChargeKey {
            side: self.sides.needed(row)?,
            party: self.parties.needed(row)?,
            currency: self.currencies.needed(row)?,
            meter: self.meters.needed(row)?,
            dimensions: Dimensions {
                model: self.models.get(row).unwrap_or_default(),
                gpu: self.gpus.get(row).unwrap_or_default(),
                region: self.regions.get(row).unwrap_or_default(),
            },
            hour: hour.ok_or_else(|| unexpected(CHARGES.name, "hour", &self.hours.value(row).to_string()))?,
            period: self.periods.needed(row)?,
        };
        let state = match dictionary_text(&self.states, row).unwrap_or_default() {
            "charged" => State::Charged(self.prices.needed(row)?),
            "unrated" => State::Unrated,
            "not_billed" => State::NotBilled,
            "waived" => State::Waived,
            other => return Err(unexpected(CHARGES.name, "state", other)),
        };
        Ok(Charge { key, state, quantity: Quantity::from_nano(self.quantities.value(row))? })
    }
}

/// A dictionary column whose distinct texts were read as values.
struct Texts<T> {
    column: &'static str,
    keys: DictionaryArray<Int32Type>,
    values: Vec<Option<T>>,
}

impl<T: Copy> Texts<T> {
    fn new(
        batch: &RecordBatch,
        column: &'static str,
        mut read: impl FnMut(&str) -> Option<T>,
    ) -> Result<Texts<T>, SettleError> {
        let keys = typed::<DictionaryArray<Int32Type>>(batch, column)?;
        let texts =
            keys.values().as_any().downcast_ref::<StringArray>().ok_or_else(|| ColumnError(column.to_owned()))?;
        let values = texts.iter().map(|text| text.and_then(&mut read)).collect();
        Ok(Texts { column, keys, values })
    }

    fn get(&self, row: usize) -> Option<T> {
        self.keys.key(row).and_then(|key| self.values[key])
    }

    fn needed(&self, row: usize) -> Result<T, SettleError> {
        self.get(row).ok_or_else(|| {
            let value = dictionary_text(&self.keys, row).unwrap_or_default();
            unexpected(CHARGES.name, self.column, value)
        })
    }
}

fn dictionary_text(column: &DictionaryArray<Int32Type>, row: usize) -> Option<&str> {
    let texts = column.values().as_any().downcast_ref::<StringArray>()?;
    column.key(row).map(|key| texts.value(key))
}

fn unexpected(table: &'static str, column: &'static str, value: &str) -> SettleError {
    SettleError::Value { table, column, value: stempoint_schemas::decimal::shorten(value) }
}
