//! Budgets from and to their protobuf form.
//!
//! Invariant: what is written is read back as the same act.

use stempoint_schemas::proto;

use super::money::{amount, currency, plain, quantity};
use super::{meter_from, period_from};
use crate::budget::{Budget, BudgetOrder, Measure};

pub(super) fn budget_from(wire: &proto::Budget) -> Result<BudgetOrder, String> {
    let (customer, name) = (plain("customer", &wire.customer)?, plain("name", &wire.name)?);
    let money = (!wire.amount.is_empty() || !wire.currency.is_empty()).then(|| {
        Ok::<_, String>(Measure::Money { currency: currency(&wire.currency)?, amount: amount(&wire.amount)? })
    });
    let units = (!wire.quantity.is_empty() || !wire.meter.is_empty()).then(|| {
        Ok::<_, String>(Measure::Units { meter: meter_from(&wire.meter)?, quantity: quantity(&wire.quantity)? })
    });
    let limit = match (money, units) {
        (Some(_), Some(_)) => return Err("a budget is in money or in units of a meter, not both".to_owned()),
        (Some(limit), None) | (None, Some(limit)) => limit?,
        (None, None) if wire.from.is_empty() && wire.thresholds.is_empty() => {
            return Ok(BudgetOrder { customer, name, budget: None });
        }
        (None, None) => {
            return Err("a budget needs a limit: an amount of a currency or a quantity of a meter".to_owned());
        }
    };
    let budget = Budget { from: period_from(&wire.from)?, limit, thresholds: wire.thresholds.clone() };
    Ok(BudgetOrder { customer, name, budget: Some(budget) })
}

pub(super) fn budget_to(order: &BudgetOrder) -> proto::Budget {
    let mut wire =
        proto::Budget { customer: order.customer.clone(), name: order.name.clone(), ..proto::Budget::default() };
    if let Some(budget) = &order.budget {
        wire.from = budget.from.to_string();
        wire.thresholds.clone_from(&budget.thresholds);
        match &budget.limit {
            Measure::Money { currency, amount } => {
                (wire.currency, wire.amount) = (currency.clone(), amount.to_string());
            }
            Measure::Units { meter, quantity } => {
                (wire.meter, wire.quantity) = (meter.name().to_owned(), quantity.to_string());
            }
        }
    }
    wire
}
