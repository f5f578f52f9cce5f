//! Settlement's rows as record batches, in the order in which its Merkle tree
//! takes them: the control event, prices, charge models, customers of prices,
//! periods, terms, currencies, commitments, budgets, corrections, charges, true-ups,
//! documents, statements, payments, grants, disputes, allocations, postings,
//! alerts.
//!
//! Invariant 5: the batches are a function of the outcome alone.

mod budgets;
mod charge_models;
mod commitments;
mod corrections;
mod disputes;
mod owner_shares;
mod payables;
mod price_customers;
mod receivables;

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryArray, Decimal128Array, DictionaryArray, Int32Array, Int64Array, RecordBatch,
    StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;
use hashbrown::HashMap;
use stempoint_core::book::{AppliedBook, named};
use stempoint_core::charge::{Charge, PriceId};
use stempoint_core::names::Name;
use stempoint_core::period::PeriodChange;
use stempoint_core::posting::{Account, Entry, Posting};
use stempoint_core::settlement::{ControlRow, Outcome, Settlement};
use stempoint_core::usage::Dimensions;
use stempoint_schemas::meter::Dimension;
use stempoint_schemas::tables::{CHARGES, CONTROL, JOURNAL, PERIODS, PRICES, Table};

/// The rows of one or more outcomes by table, in order.
pub fn batches(settlement: &Settlement, outcome: &Outcome) -> Result<Vec<(&'static Table, RecordBatch)>, ArrowError> {
    let mut batches = vec![(&CONTROL, control(&outcome.control)?)];
    if let Some(book) = outcome.book {
        batches.push((&PRICES, prices(settlement, book)?));
        batches.extend(charge_models::batch(applied(settlement, book)?)?);
        batches.extend(price_customers::batch(applied(settlement, book)?)?);
        batches.extend(owner_shares::batch(applied(settlement, book)?)?);
    }
    if let Some(change) = &outcome.period {
        batches.push((&PERIODS, period(&outcome.control, change)?));
    }
    batches.extend(receivables::terms(settlement, outcome)?);
    batches.extend(receivables::currency(outcome)?);
    batches.extend(commitments::commitment(settlement, outcome)?);
    batches.extend(budgets::budget(settlement, outcome)?);
    batches.extend(corrections::batch(settlement, outcome)?);
    if !outcome.charges.is_empty() {
        batches.push((&CHARGES, charges(settlement, outcome.control.offset, &outcome.charges)?));
    }
    batches.extend(commitments::true_ups(settlement, outcome)?);
    batches.extend(receivables::documents(settlement, outcome)?);
    batches.extend(payables::batch(settlement, outcome)?);
    batches.extend(receivables::batches(settlement, outcome)?);
    if !outcome.entries.is_empty() {
        batches.push((&JOURNAL, journal(settlement, outcome.control.offset, &outcome.entries)?));
    }
    batches.extend(budgets::alerts(settlement, outcome)?);
    Ok(batches)
}

fn control(row: &ControlRow) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![row.offset.cast_signed()])),
        times(std::iter::once(row.recorded_us)),
        texts(std::iter::once(row.source.as_deref())),
        Arc::new(StringArray::from(vec![row.id.as_deref()])),
        texts(std::iter::once(Some(row.kind))),
        texts(std::iter::once(Some(row.answer.name()))),
        Arc::new(StringArray::from(vec![row.message.as_str()])),
        Arc::new(BinaryArray::from_opt_vec(vec![row.key.as_deref()])),
        Arc::new(BinaryArray::from_vec(vec![row.raw.as_slice()])),
    ];
    RecordBatch::try_new(CONTROL.building_schema(), columns)
}

fn applied(settlement: &Settlement, index: usize) -> Result<&AppliedBook, ArrowError> {
    let missing = || ArrowError::InvalidArgumentError(format!("price book {index} was never applied"));
    settlement.books().get(index).ok_or_else(missing)
}

fn prices(settlement: &Settlement, index: usize) -> Result<RecordBatch, ArrowError> {
    let applied = applied(settlement, index)?;
    let (book, offset) = (&applied.book, applied.offset);
    let rows = book.prices.len();
    let names: Vec<String> = (0..).take(rows).map(|position| applied.price_name(position)).collect();
    let matched = |dimension: Dimension| texts(book.prices.iter().map(move |price| named(&price.matches, dimension)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(offset.cast_signed(), rows)),
        lines(rows),
        texts(names.iter().map(|name| Some(name.as_str()))),
        texts((0..rows).map(|_| Some(book.currency.as_str()))),
        times((0..rows).map(|_| book.effective_from.start().us())),
        texts(book.prices.iter().map(|price| Some(price.meter.name()))),
        matched(Dimension::Model),
        matched(Dimension::Gpu),
        matched(Dimension::Region),
        decimals(&PRICES, "per", book.prices.iter().map(|price| Some(price.price.per().nano())))?,
        decimals(&PRICES, "amount", book.prices.iter().map(|price| Some(price.price.amount().pico())))?,
        decimals(&PRICES, "provider_share", book.prices.iter().map(|price| Some(book.share(price.meter).pico())))?,
    ];
    RecordBatch::try_new(PRICES.building_schema(), columns)
}

fn period(control: &ControlRow, change: &PeriodChange) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![control.offset.cast_signed()])),
        texts(std::iter::once(Some(change.period.to_string().as_str()))),
        texts(std::iter::once(Some(change.state.name()))),
        times(std::iter::once(control.recorded_us)),
        Arc::new(StringArray::from(vec![change.settled.to_string()])),
    ];
    RecordBatch::try_new(PERIODS.building_schema(), columns)
}

fn charges(settlement: &Settlement, offset: u64, charges: &[Charge]) -> Result<RecordBatch, ArrowError> {
    let name = |pick: fn(&Charge) -> Name| names(settlement, charges.iter().map(pick));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(offset.cast_signed(), charges.len())),
        lines(charges.len()),
        coded(charges.iter().map(|charge| Some(charge.key.side)), |side| side.name()),
        name(|charge| charge.key.party),
        coded(charges.iter().map(|charge| Some(charge.key.meter)), |meter| meter.name()),
        name(|charge| charge.key.dimensions.model),
        name(|charge| charge.key.dimensions.gpu),
        name(|charge| charge.key.dimensions.region),
        times(charges.iter().map(|charge| charge.key.hour.start().us())),
        coded(charges.iter().map(|charge| Some(charge.key.period)), |period| period.to_string()),
        coded(charges.iter().map(|charge| Some(charge.state.name())), |state| state),
        coded(charges.iter().map(|charge| charge.state.price()), |price| settlement.price_name(price)),
        name(|charge| charge.key.currency),
        decimals(&CHARGES, "quantity", charges.iter().map(|charge| Some(charge.quantity.nano())))?,
    ];
    RecordBatch::try_new(CHARGES.building_schema(), columns)
}

fn journal(settlement: &Settlement, offset: u64, entries: &[Entry]) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<(usize, usize, &Entry, &Posting)> = entries
        .iter()
        .enumerate()
        .flat_map(|(number, entry)| {
            entry.postings.iter().enumerate().map(move |(line, posting)| (number + 1, line + 1, entry, posting))
        })
        .collect();
    let meter = |price: PriceId| settlement.books().price(price).map_or("", |row| row.meter.name());
    let prices = || rows.iter().map(|(_, _, entry, _)| entry.price);
    let dimension =
        |pick: fn(&Dimensions) -> Name| names(settlement, rows.iter().map(move |(_, _, _, p)| pick(&p.dimensions)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(offset.cast_signed(), rows.len())),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|(number, _, _, _)| *number as i32))),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|(_, line, _, _)| *line as i32))),
        coded(rows.iter().map(|(_, _, _, posting)| Some(posting.account)), |of| account(settlement, of)),
        names(settlement, rows.iter().map(|(_, _, entry, _)| entry.asset)),
        decimals(&JOURNAL, "amount", rows.iter().map(|(_, _, _, posting)| Some(posting.amount.pico())))?,
        times(rows.iter().map(|(_, _, entry, _)| entry.effective_us)),
        coded(prices(), meter),
        dimension(|d| d.model),
        dimension(|d| d.gpu),
        dimension(|d| d.region),
        coded(rows.iter().map(|(_, _, entry, _)| entry.period), |period| period.to_string()),
        coded(prices(), |price| settlement.price_name(price)),
        decimals(&JOURNAL, "quantity", rows.iter().map(|(_, _, _, p)| p.quantity.map(|quantity| quantity.nano())))?,
        texts(rows.iter().map(|(_, _, entry, _)| entry.document.as_deref())),
    ];
    RecordBatch::try_new(JOURNAL.building_schema(), columns)
}

/// An account's name in tables.
fn account(settlement: &Settlement, account: Account) -> String {
    let text = |name: Name| settlement.names().text(name).unwrap_or_default();
    match account {
        Account::CustomerReceivable(customer) => format!("customer/{}/receivable", text(customer)),
        Account::CustomerCredit(customer) => format!("customer/{}/credit", text(customer)),
        Account::ProviderPayable(provider) => format!("provider/{}/payable", text(provider)),
        Account::OwnerPayable(holder) => format!("{}/payable", text(holder)),
        Account::PlatformRevenue => "platform/revenue".to_owned(),
        Account::PlatformRounding => "platform/rounding".to_owned(),
        Account::PlatformTax => "platform/tax".to_owned(),
        Account::CustomerPrepaid(customer) => format!("customer/{}/prepaid", text(customer)),
        Account::CustomerDisputed(customer) => format!("customer/{}/disputed", text(customer)),
        Account::PlatformPromotions => "platform/promotions".to_owned(),
        Account::PlatformBreakage => "platform/breakage".to_owned(),
        Account::PlatformBadDebt => "platform/bad_debt".to_owned(),
        Account::PlatformExchange => "platform/exchange".to_owned(),
        Account::TreasuryExchange => "treasury/exchange".to_owned(),
        Account::PlatformRefunds => "platform/refunds".to_owned(),
        Account::TreasuryBank => "treasury/bank".to_owned(),
    }
}

fn lines(rows: usize) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(1..=rows as i32))
}

fn times(values: impl Iterator<Item = i64>) -> ArrayRef {
    some_times(values.map(Some))
}

fn some_times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    coded(values, |text| text)
}

fn names(settlement: &Settlement, values: impl Iterator<Item = Name>) -> ArrayRef {
    let known = settlement.names();
    coded(values.map(|name| (!name.is_none()).then_some(name)), |name| known.text(name).unwrap_or_default())
}

/// A column of few different values, of which each one's text is made once.
fn coded<T: Copy + Eq + Hash, S: AsRef<str>>(
    values: impl Iterator<Item = Option<T>>,
    mut text: impl FnMut(T) -> S,
) -> ArrayRef {
    let mut keys: HashMap<T, i32, foldhash::fast::RandomState> = HashMap::default();
    let mut texts = StringBuilder::new();
    let mut key = |value: T| {
        *keys.entry(value).or_insert_with(|| {
            texts.append_value(text(value));
            texts.len() as i32 - 1
        })
    };
    let keys: Int32Array = values.map(|value| value.map(&mut key)).collect();
    Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(texts.finish())))
}

fn decimals(table: &Table, column: &str, values: impl Iterator<Item = Option<i128>>) -> Result<ArrayRef, ArrowError> {
    let schema = table.schema();
    let DataType::Decimal128(precision, scale) = *schema.field_with_name(column)?.data_type() else {
        return Err(ArrowError::SchemaError(format!("{column} is not a decimal column")));
    };
    let array: Decimal128Array = values.collect();
    Ok(Arc::new(array.with_precision_and_scale(precision, scale)?))
}
