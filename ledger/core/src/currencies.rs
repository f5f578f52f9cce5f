//! In which currency customers are rated.
//!
//! Invariant: all that a customer used in an hour is charged in one currency. A
//! currency holds from the beginning of a month in which nothing was charged
//! yet, so that no charge ever changes its currency.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use stempoint_schemas::time::{Hour, Month};

use crate::charge::Charge;
use crate::names::{Name, Names};

/// The currency of all for whom nothing else was ordered.
pub const DEFAULT: &str = "USD";

/// In which currency a customer is to be rated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrencyOrder {
    /// The customer; `None` for all that have none of their own.
    pub customer: Option<String>,
    /// The currency.
    pub currency: String,
    /// The first month of use.
    pub from: Month,
}

/// The currencies that hold.
#[derive(Debug, Clone)]
pub(crate) struct Currencies {
    /// Before anything was ordered.
    first: Name,
    general: BTreeMap<Month, Name>,
    own: HashMap<Name, BTreeMap<Month, Name>, foldhash::fast::RandomState>,
}

impl CurrencyOrder {
    /// For people.
    pub fn in_words(&self) -> String {
        let CurrencyOrder { customer, currency, from } = self;
        let whose = customer.as_deref().unwrap_or("everyone without a currency of its own");
        format!("{whose} is rated in {currency} from {from} on")
    }

    fn whose(&self, names: &Names) -> Name {
        self.customer.as_deref().and_then(|customer| names.find(customer)).unwrap_or_default()
    }
}

impl Currencies {
    /// One currency for all.
    pub fn new(first: Name) -> Currencies {
        Currencies { first, general: BTreeMap::new(), own: HashMap::default() }
    }

    /// In which currency a customer is rated in an hour; with [`Name::NONE`]
    /// those that have none of their own.
    pub fn of(&self, customer: Name, hour: Hour) -> Name {
        if self.general.is_empty() && self.own.is_empty() {
            return self.first;
        }
        self.in_month(customer, hour.month())
    }

    /// The same in a month.
    pub fn in_month(&self, customer: Name, month: Month) -> Name {
        let own = self.own.get(&customer).and_then(|own| latest(own, month));
        own.or_else(|| latest(&self.general, month)).unwrap_or(self.first)
    }

    /// Whether a customer is ever rated in a currency.
    pub fn is_ever(&self, customer: Name, currency: Name) -> bool {
        let own = self.own.get(&customer).into_iter().flat_map(BTreeMap::values);
        own.chain(self.general.values()).chain([&self.first]).any(|known| *known == currency)
    }

    /// Whether an order changes anything; the error says why not.
    pub fn check(&self, order: &CurrencyOrder, names: &Names) -> Result<(), String> {
        let whose = order.whose(names);
        let own = self.own.get(&whose).into_iter().flat_map(|own| own.range(order.from..));
        let changes = own.chain(self.general.range(order.from..)).map(|(month, _)| *month);
        let currency = names.find(&order.currency);
        let is_so = |month| Some(self.in_month(whose, month)) == currency;
        if changes.chain([order.from]).all(is_so) { Err(format!("{} already", order.in_words())) } else { Ok(()) }
    }

    /// Whether nothing was charged that an order would change; the error says
    /// in which month something was. `charges` are those of the customer in
    /// hours from the order's month on.
    pub fn check_charges(&self, order: &CurrencyOrder, charges: &[Charge]) -> Result<(), String> {
        let has_own = |charge: &Charge| {
            let own = self.own.get(&charge.key.party);
            own.is_some_and(|own| latest(own, charge.key.hour.month()).is_some())
        };
        let is_meant = |charge: &&Charge| order.customer.is_some() || !has_own(charge);
        match charges.iter().filter(is_meant).map(|charge| charge.key.hour.month()).max() {
            Some(last) => Err(format!(
                "what was used in {last} is settled already: choose a currency from {} on, or a later month",
                last.next()
            )),
            None => Ok(()),
        }
    }

    /// Has a currency hold from a month on, in place of what was ordered for
    /// later months; [`Name::NONE`] stands for all that have none of their own.
    pub fn set(&mut self, customer: Name, from: Month, currency: Name) {
        let months = if customer.is_none() { &mut self.general } else { self.own.entry(customer).or_default() };
        months.split_off(&from);
        months.insert(from, currency);
    }
}

/// What holds in a month.
fn latest(months: &BTreeMap<Month, Name>, month: Month) -> Option<Name> {
    months.range(..=month).next_back().map(|(_, currency)| *currency)
}
