//! Currencies, slowly: a calendar for each customer. A party's account in euros
//! is one of another name; in dollars it is the party's own.

use std::collections::BTreeMap;

use proptest::prelude::*;
use stempoint_core::control::Act;
use stempoint_core::currencies::CurrencyOrder;
use stempoint_core::settlement::Answer;
use stempoint_schemas::time::Month;

use crate::books::Books;
use crate::model::Model;
use crate::scenario::{Step, book, closing_step, encoded, month, row};

const EURO: &str = "EUR ";

/// Whose currency changes, and from which month on to which.
#[derive(Debug, Clone)]
pub struct CurrencySpec {
    customer: Option<u8>,
    is_euro: bool,
    from: i32,
}

/// Whether a customer, or all others, are rated in euros, from each month on.
#[derive(Default)]
pub struct Currencies(BTreeMap<Option<u8>, BTreeMap<Month, bool>>);

impl Currencies {
    fn latest(&self, whose: Option<u8>, month: Month) -> Option<bool> {
        self.0.get(&whose)?.range(..=month).next_back().map(|(_, is_euro)| *is_euro)
    }

    pub fn is_euro(&self, customer: u8, month: Month) -> bool {
        self.latest(Some(customer), month).or_else(|| self.latest(None, month)).unwrap_or(false)
    }
}

/// The account of a party.
pub fn holder(party: &str, is_euro: bool) -> String {
    if is_euro { format!("{EURO}{party}") } else { party.to_owned() }
}

/// Whose account it is, and the currency.
pub fn of_holder(holder: &str) -> (&str, &'static str) {
    holder.strip_prefix(EURO).map_or((holder, "USD"), |party| (party, "EUR"))
}

pub fn currency_step() -> impl Strategy<Value = Step> {
    (prop::option::weighted(0.8, 0..3_u8), prop::bool::weighted(0.7), -1..4)
        .prop_map(|(customer, is_euro, from)| Step::Currency(CurrencySpec { customer, is_euro, from }))
}

/// Steps of which most are usage and currencies, while books come and months
/// close.
pub fn rated_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => prop::collection::vec(row(), 1..4).prop_map(Step::Settle),
        4 => currency_step(),
        3 => (book(), any::<bool>()).prop_map(|(mut spec, euro)| {
            spec.euro = euro;
            Step::Book(spec)
        }),
        2 => crate::corrected::correct_step(),
        1 => crate::disputed::dispute_step(),
        1 => crate::disputed::resolve_step(),
        1 => closing_step(),
        3 => Just(Step::CloseNext),
        1 => any::<bool>().prop_map(|from_checkpoint| Step::Restart { from_checkpoint }),
    ]
}

/// Has both rate a customer in another currency, if that can be.
pub fn change(books: &mut Books, model: &mut Model, spec: &CurrencySpec) {
    let from = month(spec.from);
    let name = spec.customer.map(|customer| format!("customer-{customer}"));
    let holds = |month| match spec.customer {
        Some(customer) => model.currencies.is_euro(customer, month),
        None => model.currencies.latest(None, month).unwrap_or(false),
    };
    let is_so = (0..10).all(|later| holds(Month::from_index(from.index() + later)) == spec.is_euro);
    let is_charged = model.used_since(from).into_iter().any(|(customer, month)| match spec.customer {
        Some(whose) => whose == customer,
        None => model.currencies.latest(Some(customer), month).is_none(),
    });
    let can_be = !is_so && !is_charged;
    let currency = if spec.is_euro { "EUR" } else { "USD" }.to_owned();
    let order = CurrencyOrder { customer: name, currency, from };
    let id = format!("event-{}", books.controls.len());
    let answer = if can_be { Answer::Applied } else { Answer::Refused };
    assert_eq!(books.handle(&encoded(&id, &Act::Currency(order))), answer, "{spec:?}");
    if can_be {
        let months = model.currencies.0.entry(spec.customer).or_default();
        months.retain(|month, _| *month < from);
        months.insert(from, spec.is_euro);
    }
}
