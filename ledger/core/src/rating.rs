//! Rating: which price row holds for a quantity.
//!
//! Invariant: the answer depends on the books, the currency, the customer, the
//! meter, the dimensions and the hour alone, and on the customer only where it
//! has prices of its own.

use hashbrown::{HashMap, HashSet};
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::time::Hour;

use crate::book::Books;
use crate::charge::{Charge, PriceId, Side, State};
use crate::names::{Name, Names};
use crate::usage::Dimensions;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Finds price rows and remembers what it found.
pub struct Rater<'a> {
    books: &'a Books,
    names: &'a Names,
    /// The customers that have prices of their own in some book.
    apart: HashSet<Name, foldhash::fast::RandomState>,
    in_force: Map<(Name, Hour), Option<usize>>,
    found: Map<(usize, Name, Meter, Dimensions), State>,
}

impl<'a> Rater<'a> {
    /// A rater over the books as they are now.
    pub fn new(books: &'a Books, names: &'a Names) -> Rater<'a> {
        let apart = books.apart().iter().filter_map(|customer| names.find(customer)).collect();
        Rater { books, names, apart, in_force: Map::default(), found: Map::default() }
    }

    /// What holds for usage that was not waived, of a customer or, with
    /// [`Name::NONE`], of those without prices of their own.
    pub fn state(&mut self, currency: Name, customer: Name, meter: Meter, dimensions: Dimensions, hour: Hour) -> State {
        let (books, names) = (self.books, self.names);
        let book = *self
            .in_force
            .entry((currency, hour))
            .or_insert_with(|| books.in_force(names.text(currency).unwrap_or_default(), hour));
        // With no book at all the usage waits for the first one.
        let Some(book) = book else { return State::Unrated };
        let customer = if self.apart.contains(&customer) { customer } else { Name::NONE };
        let key = (book, customer, meter, dimensions);
        *self.found.entry(key).or_insert_with(|| find(books, names, book, customer, meter, dimensions))
    }

    /// The same for what a charge counts.
    pub fn state_of(&mut self, charge: &Charge) -> State {
        let key = &charge.key;
        let customer = match key.side {
            Side::Customer => key.party,
            Side::Provider => self.customer_of(charge.state),
        };
        self.state(key.currency, customer, key.meter, key.dimensions, key.hour)
    }

    /// The customer whose own price a state is.
    fn customer_of(&self, state: State) -> Name {
        let row = state.price().and_then(|price| self.books.price(price));
        let customer = row.and_then(|row| row.customer.as_deref());
        customer.and_then(|customer| self.names.find(customer)).unwrap_or_default()
    }
}

fn find(books: &Books, names: &Names, index: usize, customer: Name, meter: Meter, dimensions: Dimensions) -> State {
    let Some(applied) = books.get(index) else { return State::Unrated };
    let value_of = |dimension| {
        names.text(match dimension {
            Dimension::Model => dimensions.model,
            Dimension::Gpu => dimensions.gpu,
            Dimension::Region => dimensions.region,
        })
    };
    match applied.book.find(meter, names.text(customer), value_of) {
        Some(position) => State::Charged(PriceId { book: index as u32, position: position as u32 }),
        None if applied.book.mentions(meter) => State::Unrated,
        None => State::NotBilled,
    }
}
