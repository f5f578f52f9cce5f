//! The slow model of budgets: after each event every total is added up anew
//! and compared with every threshold.

use std::collections::{BTreeMap, BTreeSet};

use stempoint_core::budget::{Budget, BudgetOrder, Measure};
use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::{Amount, Quantity};
use stempoint_schemas::time::Month;

use crate::scenario::month;

/// A budget of the scenario: its limit is in money where no meter is named.
#[derive(Debug, Clone)]
pub struct BudgetSpec {
    pub from: i32,
    pub meter: Option<usize>,
    /// In 10^-12 of the currency or 10^-9 of the meter's unit.
    pub limit: i128,
    pub thresholds: Vec<u32>,
}

impl BudgetSpec {
    pub fn budget(&self) -> Budget {
        let limit = match self.meter {
            Some(meter) => {
                Measure::Units { meter: Meter::ALL[meter], quantity: Quantity::from_nano(self.limit).unwrap() }
            }
            None => Measure::Money { currency: "USD".to_owned(), amount: Amount::from_pico(self.limit).unwrap() },
        };
        Budget { from: month(self.from), limit, thresholds: self.thresholds.clone() }
    }
}

pub fn order(customer: u8, name: u8, spec: Option<&BudgetSpec>) -> BudgetOrder {
    let budget = spec.map(BudgetSpec::budget);
    BudgetOrder { customer: format!("customer-{customer}"), name: format!("budget-{name}"), budget }
}

/// An alert: control event, customer, budget, the event that set the limit,
/// month, threshold, limit and total.
pub type AlertRow = (u64, String, String, u64, Month, u32, i128, i128);

/// What each customer's months came to: in money, and in units of each meter.
pub type Totals = BTreeMap<(Month, String, Option<usize>), i128>;

struct Watch {
    spec: BudgetSpec,
    set_at: u64,
    crossed: BTreeSet<(Month, u32)>,
}

#[derive(Default)]
pub struct Watched {
    budgets: BTreeMap<(String, String), Watch>,
    pub alerts: Vec<AlertRow>,
}

impl Watched {
    /// Sets or ends a budget; false where there is none to end.
    pub fn set(&mut self, customer: u8, name: u8, spec: Option<&BudgetSpec>, offset: u64) -> bool {
        let key = (format!("customer-{customer}"), format!("budget-{name}"));
        let Some(spec) = spec else { return self.budgets.remove(&key).is_some() };
        let is_same = |watch: &Watch| (watch.spec.meter, watch.spec.limit) == (spec.meter, spec.limit);
        match self.budgets.get_mut(&key) {
            Some(watch) if is_same(watch) => watch.spec = spec.clone(),
            _ => _ = self.budgets.insert(key, Watch { spec: spec.clone(), set_at: offset, crossed: BTreeSet::new() }),
        }
        true
    }

    /// Compares all totals with all thresholds after a control event.
    pub fn look(&mut self, totals: &Totals, last_closed: Option<Month>, offset: u64) {
        for ((customer, name), watch) in &mut self.budgets {
            for ((period, whose, meter), total) in totals {
                let is_meant = whose == customer && *meter == watch.spec.meter && *period >= month(watch.spec.from);
                if !is_meant || last_closed.is_some_and(|last| *period <= last) {
                    continue;
                }
                for &threshold in &watch.spec.thresholds {
                    let is_reached = total * 100 >= watch.spec.limit * i128::from(threshold);
                    if is_reached && watch.crossed.insert((*period, threshold)) {
                        let (customer, name) = (customer.clone(), name.clone());
                        self.alerts.push((
                            offset,
                            customer,
                            name,
                            watch.set_at,
                            *period,
                            threshold,
                            watch.spec.limit,
                            *total,
                        ));
                    }
                }
            }
        }
    }
}
