//! What a month would have cost with another price book.
//!
//! Invariants: rating and posting are those of the state machine itself, so
//! that the answer is what the books would say; nothing that a what-if does is
//! kept. Sums are in closed form per rounding key, so that charges may come in
//! any order and in parts, corrections included.

use std::collections::BTreeMap;

use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::{Amount, Quantity};
use stempoint_schemas::time::Month;

use super::charging::holding;
use super::event::ChargeFilter;
use super::{PostingContext, Settlement};
use crate::book::PriceBook;
use crate::charge::{Charge, Side, State};
use crate::names::{Name, Names};
use crate::period::Unrated;
use crate::posting::{Account, Entry, Posted, PostingError};
use crate::rating::Rater;
use crate::usage::{Served, ServedFilter};

/// Whose sum it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// What a customer pays, before tax.
    Customer(String),
    /// What a provider earns.
    Provider(String),
    /// What a model owner or an asset pool earns.
    Owner(String),
    /// What the platform keeps: its share and what roundings leave.
    Platform,
}

/// An amount by the books and by the other price book.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// What was posted.
    pub now: Amount,
    /// What would have been posted.
    pub then: Amount,
}

/// The sums of one party, currency and meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose they are.
    pub party: Party,
    /// The currency.
    pub currency: String,
    /// What is counted.
    pub meter: Meter,
    /// Exact, not rounded to cents.
    pub sums: Sums,
}

/// A month, once as it is and once with another book in force.
#[derive(Debug)]
pub struct WhatIf {
    /// The charges that the book can move.
    moved: ChargeFilter,
    /// What must be read again of the customers to whom it gives prices of their
    /// own.
    served: Option<ServedFilter>,
    period: Month,
    now: Posted,
    then: Posted,
    /// By account (those of the platform are one), currency and meter.
    sums: BTreeMap<(Option<Account>, Name, Meter), Sums>,
    unrated: Unrated,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In the order of parties, currencies and meters; those of nothing are left
    /// out.
    pub lines: Vec<Line>,
    /// Customers' usage that even then would wait for a price.
    pub unrated: Vec<(Meter, Quantity)>,
}

/// Which of the two sums of a line.
#[derive(Clone, Copy)]
enum When {
    Now,
    Then,
}

impl WhatIf {
    /// Puts a book in force after all others, in a state that has taken up the
    /// control events and is of no other use from now on.
    pub fn new(settlement: &mut Settlement, book: PriceBook, period: Month) -> WhatIf {
        let (moved, served) = (settlement.charges_of(&book), settlement.served_by(&book));
        settlement.put_in_force(u64::MAX, book);
        WhatIf {
            moved,
            served,
            period,
            now: Posted::default(),
            then: Posted::default(),
            sums: BTreeMap::new(),
            unrated: Unrated::default(),
        }
    }

    /// What must be read and given to [`WhatIf::set_apart`], if anything.
    pub fn served(&self) -> Option<&ServedFilter> {
        self.served.as_ref()
    }

    /// Sets apart on the providers' side what customers were served to whom the
    /// book gives prices of their own.
    ///
    /// # Errors
    /// [`PostingError`] as in [`WhatIf::add`].
    pub fn set_apart(&mut self, settlement: &mut Settlement, served: &Served) -> Result<(), PostingError> {
        let Some(filter) = &self.served else { return Ok(()) };
        let mut moved = settlement.set_apart(filter, served, |_, period| period)?;
        moved.retain(|charge| charge.key.period == self.period);
        let context = self.context(settlement);
        let entries = self.then.post(&moved, context)?;
        self.count(settlement, &entries, When::Then)
    }

    fn context<'a>(&self, settlement: &'a Settlement) -> PostingContext<'a> {
        PostingContext { books: &settlement.books, names: &settlement.names, recorded_us: self.period.start().us() }
    }

    /// Adds charges as the tables have them, with the names of the state that
    /// this began with. Those that are billed in other months do not count.
    ///
    /// # Errors
    /// [`PostingError`] where a sum leaves its range; this must not be used
    /// afterwards.
    pub fn add(&mut self, settlement: &Settlement, charges: &[Charge]) -> Result<(), PostingError> {
        let mut rater = Rater::new(&settlement.books, &settlement.names);
        let (mut as_is, mut rated) = (Vec::with_capacity(charges.len()), Vec::with_capacity(charges.len()));
        for charge in charges.iter().filter(|charge| charge.key.period == self.period) {
            let is_moved = self.moved.is_met_by(charge, &settlement.names);
            let state = if is_moved { holding(&mut rater, charge) } else { charge.state };
            if (charge.key.side, state) == (Side::Customer, State::Unrated) {
                self.unrated.add(self.period, charge.key.meter, charge.quantity)?;
            }
            as_is.push(*charge);
            rated.push(Charge { state, ..*charge });
        }
        let context = self.context(settlement);
        let (now, then) = (self.now.post(&as_is, context)?, self.then.post(&rated, context)?);
        self.count(settlement, &now, When::Now)?;
        self.count(settlement, &then, When::Then)
    }

    fn count(&mut self, settlement: &Settlement, entries: &[Entry], when: When) -> Result<(), PostingError> {
        for entry in entries {
            let Some(price) = entry.price else { continue };
            let book = settlement.books.get(price.book as usize).ok_or(PostingError::NoSuchPrice(price))?;
            let row = book.book.prices.get(price.position as usize).ok_or(PostingError::NoSuchPrice(price))?;
            for posting in &entry.postings {
                let (account, amount) = match posting.account {
                    Account::CustomerReceivable(_) => (Some(posting.account), posting.amount),
                    // What is owed or earned is a credit, which is negative.
                    Account::ProviderPayable(_) | Account::OwnerPayable(_) => {
                        (Some(posting.account), posting.amount.negated())
                    }
                    _ => (None, posting.amount.negated()),
                };
                let sums = self.sums.entry((account, entry.asset, row.meter)).or_default();
                let sum = match when {
                    When::Now => &mut sums.now,
                    When::Then => &mut sums.then,
                };
                *sum = sum.plus(amount)?;
            }
        }
        Ok(())
    }

    /// The sums of all charges.
    pub fn finish(self, settlement: &Settlement) -> Difference {
        let names = &settlement.names;
        let text = |name: Name| names.text(name).unwrap_or_default().to_owned();
        let line = |((account, currency, meter), sums)| Line {
            party: party(account, names),
            currency: text(currency),
            meter,
            sums,
        };
        let is_something = |sums: &Sums| *sums != Sums::default();
        let sums = self.sums.into_iter().filter(|(_, sums)| is_something(sums));
        let mut lines: Vec<Line> = sums.map(line).collect();
        lines.sort_by(|one, other| {
            (&one.party, &one.currency, one.meter).cmp(&(&other.party, &other.currency, other.meter))
        });
        let unrated = self.unrated.iter().map(|(_, meter, quantity)| (meter, quantity)).collect();
        Difference { lines, unrated }
    }
}

fn party(account: Option<Account>, names: &Names) -> Party {
    let text = |name| names.text(name).unwrap_or_default().to_owned();
    match account {
        Some(Account::CustomerReceivable(customer)) => Party::Customer(text(customer)),
        Some(Account::ProviderPayable(provider)) => Party::Provider(text(provider)),
        Some(Account::OwnerPayable(holder)) => Party::Owner(text(holder)),
        _ => Party::Platform,
    }
}
