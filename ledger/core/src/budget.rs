//! Budgets: what a customer is meant to use in a billing period at most, and
//! at which parts of it somebody is told.
//!
//! Invariant: whether a threshold is reached is decided in integers, so that
//! one that is met to the last digit counts.

use stempoint_schemas::event::is_plain_text;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::{Amount, Quantity};
use stempoint_schemas::time::Month;

use crate::book::check_currency;
use crate::names::Name;

/// The most budgets of one customer.
pub const BUDGETS_MAX: usize = 100;
/// The most thresholds of one budget.
const THRESHOLDS_MAX: usize = 20;
/// The highest threshold (per cent).
const PER_CENT_MAX: u32 = 1_000;
/// The largest limit: 10^12 units of a currency, 10^20 of a meter.
const MONEY_MAX_PICO: i128 = 10_i128.pow(24);
const UNITS_MAX_NANO: i128 = 10_i128.pow(29);

/// How much of what: a limit, or a total that is compared with one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// Money that is charged, before tax, payments and credits.
    Money {
        /// The currency.
        currency: String,
        /// How much.
        amount: Amount,
    },
    /// Charged units of one meter.
    Units {
        /// What is counted.
        meter: Meter,
        /// How many.
        quantity: Quantity,
    },
}

/// A budget that holds for every billing period from a month on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The first billing period.
    pub from: Month,
    /// What is meant to be used at most.
    pub limit: Measure,
    /// The parts of the limit at which somebody is told (per cent, ascending).
    pub thresholds: Vec<u32>,
}

/// A budget as somebody sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetOrder {
    /// Whose usage is watched.
    pub customer: String,
    /// The budget's name among those of the customer.
    pub name: String,
    /// What holds from now on; `None` ends the budget.
    pub budget: Option<Budget>,
}

/// A threshold that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Whose usage reached it.
    pub customer: Name,
    /// The budget's name.
    pub budget: String,
    /// The control event that set the limit.
    pub set_at: u64,
    /// The billing period.
    pub period: Month,
    /// The threshold (per cent of the limit).
    pub threshold: u32,
    /// The limit.
    pub limit: Measure,
    /// The period's total after the control event that reached it.
    pub total: Measure,
}

impl Measure {
    /// In the smallest unit: 10^-12 of a currency's, 10^-9 of a meter's.
    pub const fn smallest_units(&self) -> i128 {
        match self {
            Measure::Money { amount, .. } => amount.pico(),
            Measure::Units { quantity, .. } => quantity.nano(),
        }
    }

    /// The least total, in the smallest unit, that is a part of it in per cent.
    pub(crate) fn part(&self, per_cent: u32) -> i128 {
        // Limits that rules of another time let through do not wrap.
        let hundredfold = self.smallest_units().saturating_mul(i128::from(per_cent));
        hundredfold / 100 + i128::from(hundredfold % 100 > 0)
    }

    /// For people, for example `100 USD` or `5000 tokens.input`.
    pub fn in_words(&self) -> String {
        match self {
            Measure::Money { currency, amount } => format!("{amount} {currency}"),
            Measure::Units { meter, quantity } => format!("{quantity} {meter}"),
        }
    }
}

impl Budget {
    fn check(&self) -> Result<(), String> {
        let (limit, max) = match &self.limit {
            Measure::Money { currency, .. } => {
                check_currency(currency).map_err(|error| error.to_string())?;
                (self.limit.smallest_units(), MONEY_MAX_PICO)
            }
            Measure::Units { .. } => (self.limit.smallest_units(), UNITS_MAX_NANO),
        };
        if limit <= 0 {
            return Err("the limit must be more than 0".to_owned());
        }
        if limit > max {
            return Err("the limit must be at most 10^12 of a currency or 10^20 units of a meter".to_owned());
        }
        if self.thresholds.is_empty() || self.thresholds.len() > THRESHOLDS_MAX {
            return Err(format!("a budget has 1 to {THRESHOLDS_MAX} thresholds"));
        }
        if let Some(wrong) = self.thresholds.iter().find(|part| !(1..=PER_CENT_MAX).contains(*part)) {
            return Err(format!("threshold {wrong} is not 1 to {PER_CENT_MAX} per cent"));
        }
        if !self.thresholds.is_sorted_by(|one, next| one < next) {
            return Err("the thresholds must ascend, each once".to_owned());
        }
        Ok(())
    }
}

impl BudgetOrder {
    /// Checks a budget in itself; the error says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        for (what, text) in [("customer", &self.customer), ("name", &self.name)] {
            if !is_plain_text(text.as_bytes()) {
                return Err(format!("{what} must be 1 to 256 bytes of printable text"));
            }
        }
        self.budget.as_ref().map_or(Ok(()), Budget::check)
    }

    /// For people.
    pub fn in_words(&self) -> String {
        let BudgetOrder { customer, name, budget } = self;
        match budget {
            None => format!("budget {name} of {customer} is ended"),
            Some(Budget { from, limit, thresholds }) => {
                let parts = thresholds.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
                format!(
                    "budget {name} of {customer}: {} in each month from {from} on, told at {parts} %",
                    limit.in_words()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Measure {
        Measure::Money { currency: "USD".to_owned(), amount: Amount::parse(text).unwrap() }
    }

    #[test]
    fn a_part_is_reached_at_its_last_digit_and_not_before() {
        assert_eq!(money("100").part(80), Amount::parse("80").unwrap().pico());
        // A third of the smallest unit is reached by one whole.
        assert_eq!(money("0.000000000001").part(33), 1);
        assert_eq!(money("0.000000000003").part(50), 2);
        assert_eq!(money("0.000000000002").part(150), 3);
    }

    #[test]
    fn limits_of_another_time_do_not_wrap() {
        let huge = Measure::Money { currency: "USD".to_owned(), amount: Amount::from_pico(10_i128.pow(37)).unwrap() };
        assert!(huge.part(1_000) > 10_i128.pow(36));
    }
}
