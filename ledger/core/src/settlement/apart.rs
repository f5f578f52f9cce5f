//! Customers with prices of their own on the providers' side.
//!
//! Charges on that side do not say whose usage they were. Those at a price for
//! one customer are that customer's; in all others it is mixed with what others
//! were served. So where a book for the past gives a customer a price, its usage
//! is read again, and its part is set apart.
//!
//! Invariant 2: in every price row both sides stay equal.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use stempoint_schemas::money::Quantity;
use stempoint_schemas::time::Month;
use stempoint_schemas::watermark::Watermarks;

use super::Settlement;
use super::correcting::Since;
use crate::book::{Books, PriceBook};
use crate::charge::{Charge, Side};
use crate::correction::Metered;
use crate::names::Name;
use crate::posting::PostingError;
use crate::rating::Rater;
use crate::usage::{Served, ServedFilter};

impl Settlement {
    /// What must be read again of the customers to whom a book that is yet to
    /// be put in force gives prices of their own; `None` where it gives none.
    pub(super) fn served_by(&self, book: &PriceBook) -> Option<ServedFilter> {
        let currency = self.names.find(&book.currency)?;
        let is_rated_by_it =
            |customer: &&str| self.currencies.is_ever(self.names.find(customer).unwrap_or_default(), currency);
        let customers: BTreeSet<String> = book.customers().filter(is_rated_by_it).map(str::to_owned).collect();
        (!customers.is_empty()).then(|| ServedFilter {
            customers,
            from: book.effective_from,
            until: self.books.next_change(&book.currency, book.effective_from),
            to: self.settled.clone(),
            cuts: self.cuts(),
            without: self.corrections.places().collect(),
        })
    }

    /// The vectors that decide in which month usage is billed and whether it
    /// was waived. Usage that is settled stays so: each covers those before it.
    fn cuts(&self) -> Vec<Watermarks> {
        let mut cuts: Vec<Watermarks> = self.periods.vectors().chain(self.waived_vectors()).cloned().collect();
        cuts.sort_by(|one, other| match (other.covers(one), one.covers(other)) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, _) => Ordering::Greater,
        });
        cuts.dedup();
        cuts
    }

    /// Moves the parts of customers to whom the last book gives prices of their
    /// own from where the others' usage is charged to where theirs is. `billed`
    /// says in which month what was billed in one is moved.
    pub(super) fn set_apart(
        &mut self,
        filter: &ServedFilter,
        served: &Served,
        billed: impl Fn(&Settlement, Month) -> Month,
    ) -> Result<Vec<Charge>, PostingError> {
        let before = self.books.first(self.books.iter().count().saturating_sub(1));
        let translate = self.names.learn(&served.names);
        let mut parts = Parts::new(self, &before);
        for cell in &served.cells {
            let since = Since::Cut(&filter.cuts, cell.cut);
            let metered = Metered {
                customer: translate[cell.customer.index()],
                provider: translate[cell.provider.index()],
                dimensions: cell.dimensions.renamed(&translate),
                time_us: cell.hour.start().us(),
                // The place of the control event is of no concern to usage.
                period: self.periods.of_settled(cell.hour, |vector| since.is_there(vector, 0)),
                quantities: cell.quantities,
            };
            parts.set_apart(&metered, since, billed(self, metered.period))?;
        }
        for (at, metered) in self.corrections.charged() {
            let customer = self.names.text(metered.customer).unwrap_or_default();
            if filter.customers.contains(customer) && filter.is_within(metered.hour()) {
                parts.set_apart(&metered, Since::Control(at), billed(self, metered.period))?;
            }
        }
        Ok(parts.moved)
    }
}

/// Customers' parts of what providers are charged with.
struct Parts<'a> {
    settlement: &'a Settlement,
    /// The books without the last one.
    before: &'a Books,
    old: Rater<'a>,
    new: Rater<'a>,
    moved: Vec<Charge>,
}

impl<'a> Parts<'a> {
    fn new(settlement: &'a Settlement, before: &'a Books) -> Parts<'a> {
        let rater = |books| Rater::new(books, &settlement.names);
        Parts { settlement, before, old: rater(before), new: rater(&settlement.books), moved: Vec::new() }
    }

    /// Sets one part apart.
    fn set_apart(&mut self, metered: &Metered, since: Since<'_>, billed: Month) -> Result<(), PostingError> {
        for (meter, nano) in metered.counted() {
            let key = self.settlement.key(metered, meter, (Side::Provider, metered.provider), billed);
            let state = |rater: &mut Rater<'_>, customer: Name| {
                rater.state(key.currency, customer, meter, key.dimensions, key.hour)
            };
            let was = state(&mut self.old, metered.customer).price().and_then(|price| self.before.price(price));
            let is_apart = was.is_some_and(|row| row.customer.is_some());
            if is_apart || self.settlement.is_waived(metered, meter, since) {
                continue;
            }
            let (others, own) = (state(&mut self.new, Name::NONE), state(&mut self.new, metered.customer));
            if others != own {
                let quantity = Quantity::from_nano(nano)?;
                self.moved.push(Charge { key, state: others, quantity: quantity.negated() });
                self.moved.push(Charge { key, state: own, quantity });
            }
        }
        Ok(())
    }
}
