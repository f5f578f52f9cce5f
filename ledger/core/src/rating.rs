//! Rating: which price row holds for a quantity.
//!
//! Invariant: the answer depends on the books, the currency, the meter, the
//! dimensions and the hour alone.

use hashbrown::HashMap;
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::time::Hour;

use crate::book::Books;
use crate::charge::{PriceId, State};
use crate::names::{Name, Names};
use crate::usage::Dimensions;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Finds price rows and remembers what it found.
pub struct Rater<'a> {
    books: &'a Books,
    names: &'a Names,
    in_force: Map<(Name, Hour), Option<usize>>,
    found: Map<(usize, Meter, Dimensions), State>,
}

impl<'a> Rater<'a> {
    /// A rater over the books as they are now.
    pub fn new(books: &'a Books, names: &'a Names) -> Rater<'a> {
        Rater { books, names, in_force: Map::default(), found: Map::default() }
    }

    /// What holds for usage that was not waived.
    pub fn state(&mut self, currency: Name, meter: Meter, dimensions: Dimensions, hour: Hour) -> State {
        let (books, names) = (self.books, self.names);
        let book = *self
            .in_force
            .entry((currency, hour))
            .or_insert_with(|| books.in_force(names.text(currency).unwrap_or_default(), hour));
        // With no book at all the usage waits for the first one.
        let Some(book) = book else { return State::Unrated };
        *self.found.entry((book, meter, dimensions)).or_insert_with(|| find(books, names, book, meter, dimensions))
    }
}

fn find(books: &Books, names: &Names, index: usize, meter: Meter, dimensions: Dimensions) -> State {
    let Some(applied) = books.get(index) else { return State::Unrated };
    if !applied.book.mentions(meter) {
        return State::NotBilled;
    }
    let value_of = |dimension| {
        names.text(match dimension {
            Dimension::Model => dimensions.model,
            Dimension::Gpu => dimensions.gpu,
            Dimension::Region => dimensions.region,
        })
    };
    match applied.book.find(meter, value_of) {
        Some(position) => State::Charged(PriceId { book: index as u32, position: position as u32 }),
        None => State::Unrated,
    }
}
