//! What customers pay more or less than the linear amount, because of charge
//! models.
//!
//! Invariants: it is posted for a customer, a price row and a month of usage:
//! the adjustment of the quantity so far less what was posted before, so that
//! it does not matter where settlements were cut (invariant 8). The month is
//! that of the usage, so that what arrives late goes on where its month
//! stopped; it is billed in the month in which the charge is (invariant 7).

use std::collections::BTreeMap;

use hashbrown::HashMap;
use stempoint_schemas::money::{Amount, Overflow, Quantity};
use stempoint_schemas::time::Month;

use crate::book::Books;
use crate::charge::{Charge, PriceId, Side};
use crate::names::Name;
use crate::posting::PostingError;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// What a charge model looks at: a customer's use of a month at a price row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AdjustedKey {
    pub customer: Name,
    pub price: PriceId,
    /// The month of the usage.
    pub month: Month,
}

/// What is posted for a customer on top of the linear amount.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Adjustment {
    pub customer: Name,
    /// What the customer pays more.
    pub amount: Amount,
}

/// A customer's adjustments of a billing period in a currency.
pub(crate) type AdjustedPeriod = (Month, (Name, Name));

/// The quantities behind all adjustments, and what they come to.
#[derive(Debug, Clone, Default)]
pub struct Adjusted {
    quantities: Map<AdjustedKey, Quantity>,
    /// By billing period, customer and currency.
    amounts: Map<AdjustedPeriod, Amount>,
}

impl Adjusted {
    /// Takes up a charge that was posted before a restart.
    pub(crate) fn restore(&mut self, charge: &Charge, books: &Books) -> Result<(), Overflow> {
        if books.are_linear() {
            return Ok(());
        }
        match adjusted(charge, books) {
            Some(key) => self.add(key, charge.quantity),
            None => Ok(()),
        }
    }

    /// Takes up a quantity that was posted before a restart.
    pub(crate) fn add(&mut self, key: AdjustedKey, quantity: Quantity) -> Result<(), Overflow> {
        let sum = self.quantities.entry(key).or_default();
        *sum = sum.plus(quantity)?;
        Ok(())
    }

    /// Takes up an amount that was posted before a restart.
    pub(crate) fn add_amount(&mut self, of: AdjustedPeriod, amount: Amount) -> Result<(), Overflow> {
        let sum = self.amounts.entry(of).or_default();
        *sum = sum.plus(amount)?;
        Ok(())
    }

    /// All quantities, in no order.
    pub(crate) fn quantities(&self) -> impl Iterator<Item = (&AdjustedKey, Quantity)> {
        self.quantities.iter().map(|(key, quantity)| (key, *quantity))
    }

    /// All amounts, in no order.
    pub(crate) fn amounts(&self) -> impl Iterator<Item = (&AdjustedPeriod, Amount)> {
        self.amounts.iter().map(|(of, amount)| (of, *amount))
    }

    /// What follows from the charges of one control event, by price row and
    /// billing period, in each of them in the order of the charges.
    pub(crate) fn follow(
        &mut self,
        charges: &[Charge],
        books: &Books,
        asset: impl Fn(&str) -> Name,
    ) -> Result<BTreeMap<(PriceId, Month), Vec<Adjustment>>, PostingError> {
        let mut posted: BTreeMap<(PriceId, Month), Vec<Adjustment>> = BTreeMap::new();
        if books.are_linear() {
            return Ok(posted);
        }
        // A month's earlier billing period comes first; within a period the
        // order of the charges stays, which is that of the customers' names.
        for ((price, period), changes) in added_up(charges, books)? {
            for (key, added) in changes {
                let Some(row) = books.price(key.price) else { continue };
                let before = self.quantities.get(&key).copied().unwrap_or_default();
                self.add(key, added)?;
                let now = before.plus(added)?;
                let of = |quantity| row.charging.adjustment(row.price, quantity);
                let amount = of(now)?.minus(of(before)?)?;
                if amount != Amount::ZERO {
                    let currency = books.currency(price).unwrap_or_default();
                    self.add_amount((period, (key.customer, asset(currency))), amount)?;
                    let adjustment = Adjustment { customer: key.customer, amount };
                    posted.entry((price, period)).or_default().push(adjustment);
                }
            }
        }
        Ok(posted)
    }
}

/// Changes of quantities by price row and billing period.
type Changes = BTreeMap<(PriceId, Month), Vec<(AdjustedKey, Quantity)>>;

fn added_up(charges: &[Charge], books: &Books) -> Result<Changes, Overflow> {
    let mut changes = Changes::new();
    let mut places: Map<(AdjustedKey, Month), usize> = Map::default();
    for charge in charges {
        let Some(key) = adjusted(charge, books) else { continue };
        let period = charge.key.period;
        let list = changes.entry((key.price, period)).or_default();
        let place = *places.entry((key, period)).or_insert_with(|| {
            list.push((key, Quantity::ZERO));
            list.len() - 1
        });
        let (_, sum) = &mut list[place];
        *sum = sum.plus(charge.quantity)?;
    }
    Ok(changes)
}

/// Where a charge counts, if its price is not linear.
fn adjusted(charge: &Charge, books: &Books) -> Option<AdjustedKey> {
    let price = charge.state.price().filter(|_| charge.key.side == Side::Customer)?;
    let is_linear = books.price(price).is_none_or(|row| row.charging.is_linear());
    (!is_linear).then_some(AdjustedKey { customer: charge.key.party, price, month: charge.key.hour.month() })
}
