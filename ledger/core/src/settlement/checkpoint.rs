//! The part of the state that grows with usage, as a message that can be kept.
//!
//! Invariant: a state that takes up a checkpoint is the same as one that takes
//! up all charges that were posted before it.

use std::collections::HashMap;

use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::{Amount, Overflow, Quantity};
use stempoint_schemas::proto::{AdjustedAmount, AdjustedQuantity, PostedQuantity, SettlementState, UnratedQuantity};
use stempoint_schemas::time::{Hour, Month};
use thiserror::Error;

use super::Settlement;
use crate::adjusting::{AdjustedKey, AdjustedPeriod};
use crate::charge::{PriceId, Side};
use crate::names::Name;
use crate::posting::RoundingKey;
use crate::usage::Dimensions;

/// Why a checkpoint cannot be taken up. The state may have taken up a part.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// It names a text that it does not have.
    #[error("it has no name with the number {0}")]
    NoSuchName(u32),
    /// It names a price book that was never applied.
    #[error("no price book was applied at control offset {0}")]
    NoSuchBook(u64),
    /// It names a meter that is not known.
    #[error("there is no meter {0:?}")]
    NoSuchMeter(String),
    /// A sum left the range of quantities.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

impl Settlement {
    /// How many rounding keys a checkpoint would have.
    pub fn posted_keys(&self) -> usize {
        self.posted.len()
    }

    /// The state that was built up from charges.
    pub fn checkpoint(&self) -> SettlementState {
        let mut names = LocalNames { settlement: self, numbers: HashMap::new(), texts: Vec::new() };
        let posted = self.posted.iter().map(|(key, quantity)| names.posted(key, quantity)).collect();
        let unrated = self.unrated.iter().map(|(period, meter, quantity)| UnratedQuantity {
            period: period.index(),
            meter: meter.name().to_owned(),
            quantity_high: (quantity.nano() >> 64) as i64,
            quantity_low: quantity.nano() as u64,
        });
        let unrated = unrated.collect();
        let adjusted = self.posted.adjusted();
        let quantities = adjusted.quantities().map(|(key, quantity)| names.adjusted(key, quantity)).collect();
        let amounts = adjusted.amounts().map(|(of, amount)| names.amount(of, amount)).collect();
        SettlementState {
            last_hour: self.last_hour.map(|hour| hour.0),
            names: names.texts,
            posted,
            unrated,
            adjusted: quantities,
            adjustments: amounts,
        }
    }

    /// Takes up a checkpoint. All control events up to it must have been taken
    /// up, and no charge.
    ///
    /// # Errors
    /// [`CheckpointError`], after which this state must not be used.
    pub fn restore_checkpoint(&mut self, state: &SettlementState) -> Result<(), CheckpointError> {
        let names: Vec<Name> = state.names.iter().map(|text| self.names.intern(text)).collect();
        let name = |number: u32| match number.checked_sub(1) {
            None => Ok(Name::NONE),
            Some(index) => names.get(index as usize).copied().ok_or(CheckpointError::NoSuchName(number)),
        };
        let books: HashMap<u64, u32> = self.books.iter().map(|applied| applied.offset).zip(0..).collect();
        for posted in &state.posted {
            let book = books.get(&posted.book_offset).copied();
            let key = RoundingKey {
                side: if posted.provider_side { Side::Provider } else { Side::Customer },
                party: name(posted.party)?,
                dimensions: Dimensions {
                    model: name(posted.model)?,
                    gpu: name(posted.gpu)?,
                    region: name(posted.region)?,
                },
                price: PriceId {
                    book: book.ok_or(CheckpointError::NoSuchBook(posted.book_offset))?,
                    position: posted.position,
                },
                period: Month::from_index(posted.period),
            };
            let quantity = quantity(posted.quantity_high, posted.quantity_low)?;
            self.posted.add(key, quantity, &self.books, &self.names)?;
        }
        for adjusted in &state.adjusted {
            let book = books.get(&adjusted.book_offset).copied();
            let book = book.ok_or(CheckpointError::NoSuchBook(adjusted.book_offset))?;
            let key = AdjustedKey {
                customer: name(adjusted.customer)?,
                price: PriceId { book, position: adjusted.position },
                month: Month::from_index(adjusted.month),
            };
            self.posted.adjusted_mut().add(key, quantity(adjusted.quantity_high, adjusted.quantity_low)?)?;
        }
        for amount in &state.adjustments {
            let holder = (name(amount.customer)?, name(amount.asset)?);
            let sum = Amount::from_pico(joined(amount.amount_high, amount.amount_low))?;
            self.restore_adjustment(holder, Month::from_index(amount.period), sum)?;
        }
        for unrated in &state.unrated {
            let meter = Meter::from_name(&unrated.meter);
            let meter = meter.ok_or_else(|| CheckpointError::NoSuchMeter(unrated.meter.clone()))?;
            let quantity = quantity(unrated.quantity_high, unrated.quantity_low)?;
            self.unrated.add(Month::from_index(unrated.period), meter, quantity)?;
        }
        self.last_hour = self.last_hour.max(state.last_hour.map(Hour));
        Ok(())
    }
}

fn quantity(high: i64, low: u64) -> Result<Quantity, Overflow> {
    Quantity::from_nano(joined(high, low))
}

fn joined(high: i64, low: u64) -> i128 {
    i128::from(high) << 64 | i128::from(low)
}

/// Numbers the texts that a checkpoint needs.
struct LocalNames<'a> {
    settlement: &'a Settlement,
    numbers: HashMap<Name, u32>,
    texts: Vec<String>,
}

impl LocalNames<'_> {
    fn posted(&mut self, key: &RoundingKey, quantity: Quantity) -> PostedQuantity {
        let applied = self.settlement.books.get(key.price.book as usize);
        PostedQuantity {
            provider_side: key.side == Side::Provider,
            party: self.number(key.party),
            model: self.number(key.dimensions.model),
            gpu: self.number(key.dimensions.gpu),
            region: self.number(key.dimensions.region),
            book_offset: applied.map_or(0, |applied| applied.offset),
            position: key.price.position,
            period: key.period.index(),
            quantity_high: (quantity.nano() >> 64) as i64,
            quantity_low: quantity.nano() as u64,
        }
    }

    fn adjusted(&mut self, key: &AdjustedKey, quantity: Quantity) -> AdjustedQuantity {
        let applied = self.settlement.books.get(key.price.book as usize);
        AdjustedQuantity {
            customer: self.number(key.customer),
            book_offset: applied.map_or(0, |applied| applied.offset),
            position: key.price.position,
            month: key.month.index(),
            quantity_high: (quantity.nano() >> 64) as i64,
            quantity_low: quantity.nano() as u64,
        }
    }

    fn amount(&mut self, (period, (customer, asset)): &AdjustedPeriod, amount: Amount) -> AdjustedAmount {
        AdjustedAmount {
            period: period.index(),
            customer: self.number(*customer),
            asset: self.number(*asset),
            amount_high: (amount.pico() >> 64) as i64,
            amount_low: amount.pico() as u64,
        }
    }

    fn number(&mut self, name: Name) -> u32 {
        let Some(text) = self.settlement.names.text(name) else { return 0 };
        *self.numbers.entry(name).or_insert_with(|| {
            self.texts.push(text.to_owned());
            self.texts.len() as u32
        })
    }
}
