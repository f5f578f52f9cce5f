//! The slow model of grants: a list for each customer, looked through anew for
//! every invoice.

use std::collections::BTreeMap;

use stempoint_core::receivables::GrantOrder;
use stempoint_schemas::money::Amount;
use stempoint_schemas::time::Month;

use crate::owed::CENT;
use crate::scenario::month;

/// A grant of the scenario, in cents and months.
#[derive(Debug, Clone)]
pub struct GrantSpec {
    pub customer: u8,
    pub cents: u32,
    pub is_prepaid: bool,
    pub priority: u32,
    pub from: i32,
    pub until: Option<i32>,
}

impl GrantSpec {
    pub fn order(&self) -> GrantOrder {
        GrantOrder {
            customer: format!("customer-{}", self.customer),
            currency: "USD".to_owned(),
            amount: Amount::from_pico(i128::from(self.cents) * CENT).unwrap(),
            received_us: self.is_prepaid.then_some(0),
            priority: self.priority,
            from: month(self.from),
            until: self.until.map(month),
            reason: "a test".to_owned(),
        }
    }
}

#[derive(Debug, Clone)]
struct Granted {
    spec: GrantSpec,
    left: i128,
}

/// All grants; amounts in 10^-12.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    grants: Vec<Granted>,
    promotions: i128,
    breakage: i128,
    bank: i128,
}

impl Grants {
    /// Adds a grant; false where that may not be.
    pub fn add(&mut self, spec: &GrantSpec, last_closed: Option<Month>) -> bool {
        let is_over = spec.until.is_some_and(|until| until < spec.from || Some(month(until)) <= last_closed);
        if spec.cents == 0 || is_over {
            return false;
        }
        let left = i128::from(spec.cents) * CENT;
        if spec.is_prepaid {
            self.bank += left;
        }
        self.grants.push(Granted { spec: spec.clone(), left });
        true
    }

    /// What the grants pay of an invoice of a month.
    pub fn pay(&mut self, customer: &str, period: Month, open: i128) -> i128 {
        let mut paid = 0;
        while paid < open {
            let usable = |grant: &Granted| {
                grant.left > 0
                    && format!("customer-{}", grant.spec.customer) == customer
                    && month(grant.spec.from) <= period
                    && grant.spec.until.is_none_or(|until| period <= month(until))
            };
            let rank = |index: &usize| {
                let spec = &self.grants[*index].spec;
                (spec.priority, spec.until.unwrap_or(i32::MAX), *index)
            };
            let all = (0..self.grants.len()).filter(|index| usable(&self.grants[*index]));
            let Some(first) = all.min_by_key(rank) else { break };
            let amount = self.grants[first].left.min(open - paid);
            self.grants[first].left -= amount;
            if !self.grants[first].spec.is_prepaid {
                self.promotions += amount;
            }
            paid += amount;
        }
        paid
    }

    /// Ends what no later month can use.
    pub fn end(&mut self, closed: Month) {
        for grant in &mut self.grants {
            if grant.spec.until.is_some_and(|until| month(until) <= closed) {
                if grant.spec.is_prepaid {
                    self.breakage -= grant.left;
                }
                grant.left = 0;
            }
        }
    }

    pub fn add_to(&self, balances: &mut BTreeMap<String, i128>) {
        let mut add = |account: String, amount: i128| *balances.entry(account).or_default() += amount;
        for grant in self.grants.iter().filter(|grant| grant.spec.is_prepaid) {
            add(format!("customer-{}/prepaid", grant.spec.customer), -grant.left);
        }
        add("platform/promotions".to_owned(), self.promotions);
        add("platform/breakage".to_owned(), self.breakage);
        add("treasury/bank".to_owned(), self.bank);
    }
}
