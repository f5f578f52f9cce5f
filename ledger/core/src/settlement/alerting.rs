//! Which thresholds of budgets a control event reached.
//!
//! Invariants: an alert follows from the ordered control events and their
//! usage alone (5). A threshold of a limit is crossed once in a billing
//! period, also where the total falls below it and rises again. Only customers
//! with budgets are counted.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::{Amount, Overflow, Quantity};
use stempoint_schemas::time::Month;

use super::{Outcome, Settlement};
use crate::book::Books;
use crate::budget::{Alert, BUDGETS_MAX, Budget, BudgetOrder, Measure};
use crate::charge::{PriceId, Side};
use crate::names::{Name, Names};
use crate::posting::{Account, Months, PostingError};

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// All budgets, and what their customers were charged.
#[derive(Debug, Clone, Default)]
pub(super) struct Budgets {
    customers: Map<Name, Watched>,
    /// Customers whose totals are not added up yet: of budgets that were just
    /// set, and of all after a restart.
    uncounted: BTreeSet<Name>,
}

/// A customer with budgets.
#[derive(Debug, Clone, Default)]
struct Watched {
    budgets: BTreeMap<String, Held>,
    /// What it was charged in months that are not closed.
    totals: BTreeMap<Month, Total>,
}

/// A budget that holds.
#[derive(Debug, Clone)]
struct Held {
    /// The control event that set its limit.
    set_at: u64,
    budget: Budget,
    /// What was crossed already.
    crossed: BTreeSet<(Month, u32)>,
}

/// What a customer was charged in a month.
#[derive(Debug, Clone, Default)]
struct Total {
    money: BTreeMap<Name, Amount>,
    units: BTreeMap<Meter, Quantity>,
}

impl Total {
    fn pay(&mut self, currency: Name, amount: Amount) -> Result<(), Overflow> {
        let sum = self.money.entry(currency).or_default();
        *sum = sum.plus(amount)?;
        Ok(())
    }

    fn use_up(&mut self, meter: Meter, quantity: Quantity) -> Result<(), Overflow> {
        let sum = self.units.entry(meter).or_default();
        *sum = sum.plus(quantity)?;
        Ok(())
    }

    /// How much of what a limit is about.
    fn of(&self, limit: &Measure, names: &Names) -> Measure {
        match limit {
            Measure::Money { currency, .. } => {
                let amount = names.find(currency).and_then(|name| self.money.get(&name)).copied().unwrap_or_default();
                Measure::Money { currency: currency.clone(), amount }
            }
            Measure::Units { meter, .. } => {
                Measure::Units { meter: *meter, quantity: self.units.get(meter).copied().unwrap_or_default() }
            }
        }
    }
}

impl Budgets {
    /// Whether a budget may be set or ended; the error says what stands
    /// against it.
    pub(super) fn check(&self, order: &BudgetOrder, names: &Names) -> Result<(), String> {
        let BudgetOrder { customer, name, budget } = order;
        let watched = names.find(customer).and_then(|customer| self.customers.get(&customer));
        let is_held = watched.is_some_and(|watched| watched.budgets.contains_key(name));
        match budget {
            None if !is_held => Err(format!("{customer} has no budget {name}")),
            Some(_) if !is_held && watched.is_some_and(|watched| watched.budgets.len() >= BUDGETS_MAX) => {
                Err(format!("{customer} has {BUDGETS_MAX} budgets already: end one first"))
            }
            _ => Ok(()),
        }
    }

    /// Sets or ends a budget. One whose limit stays keeps what was crossed.
    pub(super) fn set(&mut self, offset: u64, customer: Name, order: &BudgetOrder) {
        let Some(budget) = &order.budget else {
            if let Some(watched) = self.customers.get_mut(&customer) {
                watched.budgets.remove(&order.name);
                if watched.budgets.is_empty() {
                    self.customers.remove(&customer);
                    self.uncounted.remove(&customer);
                }
            }
            return;
        };
        let uncounted = &mut self.uncounted;
        let watched = self.customers.entry(customer).or_insert_with(|| {
            uncounted.insert(customer);
            Watched::default()
        });
        match watched.budgets.get_mut(&order.name).filter(|held| held.budget.limit == budget.limit) {
            Some(held) => held.budget.clone_from(budget),
            None => {
                let held = Held { set_at: offset, budget: budget.clone(), crossed: BTreeSet::new() };
                watched.budgets.insert(order.name.clone(), held);
            }
        }
    }

    /// Takes note of an alert that was recorded before a restart. One of a
    /// limit that no longer holds says nothing any more.
    fn restore(&mut self, alert: &Alert) {
        let watched = self.customers.get_mut(&alert.customer);
        let held = watched.and_then(|watched| watched.budgets.get_mut(&alert.budget));
        if let Some(held) = held.filter(|held| held.set_at == alert.set_at) {
            held.crossed.insert((alert.period, alert.threshold));
        }
    }

    /// Adds what a control event posted to the totals; gives whose changed.
    fn add(&mut self, outcome: &Outcome, books: &Books) -> Result<BTreeSet<Name>, PostingError> {
        let mut changed = BTreeSet::new();
        for entry in &outcome.entries {
            // What has no price row is no usage: tax, payments, credits.
            let (Some(price), Some(period)) = (entry.price, entry.period) else { continue };
            for posting in &entry.postings {
                let Account::CustomerReceivable(customer) = posting.account else { continue };
                if self.uncounted.contains(&customer) {
                    continue;
                }
                let Some(watched) = self.customers.get_mut(&customer) else { continue };
                let total = watched.totals.entry(period).or_default();
                total.pay(entry.asset, posting.amount)?;
                total.use_up(meter_of(books, price)?, posting.quantity.unwrap_or_default())?;
                changed.insert(customer);
            }
        }
        Ok(changed)
    }

    /// The thresholds that customers have reached and not crossed before, by
    /// customer, budget, month and threshold.
    fn cross(&mut self, of: &BTreeSet<Name>, after: Option<Month>, names: &Names) -> Vec<Alert> {
        let mut in_order: Vec<Name> = of.iter().copied().collect();
        in_order.sort_by_key(|customer| names.text(*customer));
        let mut alerts = Vec::new();
        for customer in in_order {
            let Some(Watched { budgets, totals }) = self.customers.get_mut(&customer) else { continue };
            totals.retain(|month, _| after.is_none_or(|after| *month > after));
            for (name, held) in budgets {
                for (period, threshold, total) in held.cross(totals, names) {
                    let (budget, set_at, limit) = (name.clone(), held.set_at, held.budget.limit.clone());
                    alerts.push(Alert { customer, budget, set_at, period, threshold, limit, total });
                }
            }
        }
        alerts
    }
}

impl Held {
    /// Crosses what is reached for the first time; gives month, threshold and
    /// total of each.
    fn cross(&mut self, totals: &BTreeMap<Month, Total>, names: &Names) -> Vec<(Month, u32, Measure)> {
        let Budget { from, limit, thresholds } = &self.budget;
        let mut reached = Vec::new();
        for (period, total) in totals.range(from..) {
            let total = total.of(limit, names);
            for &threshold in thresholds.iter().filter(|&&part| total.smallest_units() >= limit.part(part)) {
                if self.crossed.insert((*period, threshold)) {
                    reached.push((*period, threshold, total.clone()));
                }
            }
        }
        reached
    }
}

impl Settlement {
    /// Whether a budget may be set or ended; the error says what stands
    /// against it.
    pub(super) fn check_budget(&self, order: &BudgetOrder) -> Result<(), String> {
        if let Some(Budget { limit: Measure::Money { currency, .. }, from, .. }) = &order.budget {
            let customer = &order.customer;
            let rated_in = self.currency_of(customer, *from);
            if currency != rated_in {
                return Err(format!(
                    "{customer} is rated in {rated_in}: a budget in {currency} would never be reached"
                ));
            }
        }
        self.budgets.check(order, &self.names)
    }

    /// Sets or ends a budget that was checked; gives whose it is.
    pub(super) fn set_budget(&mut self, offset: u64, order: &BudgetOrder) -> Name {
        let customer = self.names.intern(&order.customer);
        self.budgets.set(offset, customer, order);
        customer
    }

    /// Takes up an alert that was recorded before a restart. All control
    /// events before it must have been taken up.
    pub fn restore_alert(&mut self, alert: &Alert) {
        self.budgets.restore(alert);
    }

    /// Records the thresholds that a control event reached, once its charges
    /// are posted.
    ///
    /// # Errors
    /// [`PostingError::Overflow`] where a sum leaves the range of money.
    pub(super) fn notice(&mut self, outcome: &mut Outcome) -> Result<(), PostingError> {
        if self.budgets.customers.is_empty() {
            return Ok(());
        }
        let mut changed = self.budgets.add(outcome, &self.books)?;
        changed.extend(outcome.budget.as_ref().map(|(customer, _)| *customer));
        changed.extend(self.count()?);
        outcome.alerts = self.budgets.cross(&changed, self.periods.last_closed(), &self.names);
        Ok(())
    }

    /// Adds up the totals that are not known yet from all that was posted, this
    /// control event included; gives whose they are.
    fn count(&mut self) -> Result<BTreeSet<Name>, PostingError> {
        let of = std::mem::take(&mut self.budgets.uncounted);
        if of.is_empty() {
            return Ok(of);
        }
        let after = self.periods.last_closed();
        let mut totals: BTreeMap<(Name, Month), Total> = BTreeMap::new();
        let months = Months { after, until: Month::from_index(i32::MAX) };
        let billed = self.posted.billed(months, &self.books, &self.names)?;
        for (period, sums) in billed {
            for ((customer, currency), amount) in sums.into_iter().filter(|((customer, _), _)| of.contains(customer)) {
                totals.entry((customer, period)).or_default().pay(currency, amount)?;
            }
        }
        let is_open = |period: Month| after.is_none_or(|after| period > after);
        for (key, quantity) in self.posted.iter() {
            if key.side == Side::Customer && is_open(key.period) && of.contains(&key.party) {
                let meter = meter_of(&self.books, key.price)?;
                totals.entry((key.party, key.period)).or_default().use_up(meter, quantity)?;
            }
        }
        for ((customer, period), total) in totals {
            if let Some(watched) = self.budgets.customers.get_mut(&customer) {
                watched.totals.insert(period, total);
            }
        }
        Ok(of)
    }
}

fn meter_of(books: &Books, price: PriceId) -> Result<Meter, PostingError> {
    let row = books.get(price.book as usize).and_then(|applied| applied.book.prices.get(price.position as usize));
    row.map(|row| row.meter).ok_or(PostingError::NoSuchPrice(price))
}
