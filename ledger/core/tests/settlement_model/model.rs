//! The slow model: it keeps every usage row, rates it anew after each event,
//! and multiplies and rounds once at the end.

use std::collections::BTreeMap;

use stempoint_core::charge::Side;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::time::{Hour, Month};

use crate::scenario::{BookSpec, Place, Row};

/// What the model holds of a row's quantity of one meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rated {
    /// The index of the book and the position in it.
    At(usize, usize),
    Unrated,
    NotBilled,
    Waived,
}

/// The slow model.
#[derive(Default)]
pub struct Model {
    pub rows: Vec<(Row, usize, Rated)>,
    pub books: Vec<BookSpec>,
}

impl Model {
    fn rate(books: &[BookSpec], row: &Row, meter: usize) -> Rated {
        let mut holds: Option<usize> = None;
        for (index, book) in books.iter().enumerate() {
            let later = holds.is_none_or(|best| books[best].hour <= book.hour);
            if !book.euro && book.hour <= row.hour && later {
                holds = Some(index);
            }
        }
        let Some(index) = holds else { return Rated::Unrated };
        let prices = || books[index].prices.iter().enumerate().filter(|(_, price)| price.0 == meter);
        if prices().next().is_none() {
            return Rated::NotBilled;
        }
        let exact = prices().find(|(_, price)| price.1 == Some(row.model));
        let any = prices().find(|(_, price)| price.1.is_none());
        exact.or(any).map_or(Rated::Unrated, |(position, _)| Rated::At(index, position))
    }

    pub fn rate_all(&mut self) {
        for (row, meter, rated) in &mut self.rows {
            if *rated != Rated::Waived {
                *rated = Model::rate(&self.books, row, *meter);
            }
        }
    }

    pub fn settle(&mut self, rows: &[Row]) {
        for row in rows {
            for (meter, quantity) in row.quantities().into_iter().enumerate() {
                if quantity != 0 {
                    self.rows.push((row.clone(), meter, Model::rate(&self.books, row, meter)));
                }
            }
        }
    }

    pub fn waive(&mut self, meter: usize, month: Month, named: Option<u8>) {
        for (row, of, rated) in &mut self.rows {
            let meant = *of == meter && row.hour().month() == month && named.is_none_or(|named| named == row.model);
            if meant && *rated == Rated::Unrated {
                *rated = Rated::Waived;
            }
        }
    }

    /// Quantities by place, hour and what holds for them.
    pub fn charges(&self) -> BTreeMap<(Place, i32, Rated), i128> {
        let mut sums = BTreeMap::new();
        for (row, meter, rated) in &self.rows {
            for side in [Side::Customer, Side::Provider] {
                let key = (row.place(side, Meter::ALL[*meter]), row.hour().0, *rated);
                *sums.entry(key).or_insert(0) += row.quantities()[*meter];
            }
        }
        sums
    }

    /// What must be on the accounts, in 10^-12.
    pub fn balances(&self) -> BTreeMap<String, i128> {
        let mut keys: BTreeMap<(Place, Month, usize, usize), i128> = BTreeMap::new();
        let mut totals: BTreeMap<(Month, usize, usize), i128> = BTreeMap::new();
        for ((place, hour, rated), quantity) in self.charges() {
            let Rated::At(book, position) = rated else { continue };
            let month = Hour(hour).month();
            if place.0 == Side::Customer {
                *totals.entry((month, book, position)).or_default() += quantity;
            }
            *keys.entry((place, month, book, position)).or_default() += quantity;
        }
        let mut balances = BTreeMap::new();
        let mut add = |account: String, amount: i128| {
            *balances.entry(account).or_insert(0) += amount;
            *balances.entry("platform/rounding".to_owned()).or_insert(0) -= amount;
        };
        for ((place, _, book, position), quantity) in keys {
            let (side, party) = (place.0, place.1);
            match side {
                Side::Customer => add(format!("{party}/receivable"), self.price(book, position, 100, quantity)),
                Side::Provider => {
                    let part = self.share(book, position);
                    add(format!("{party}/payable"), -self.price(book, position, part, quantity));
                }
            }
        }
        for ((_, book, position), quantity) in totals {
            let part = 100 - self.share(book, position);
            add("platform/revenue".to_owned(), -self.price(book, position, part, quantity));
        }
        balances.retain(|_, amount| *amount != 0);
        balances
    }

    fn share(&self, book: usize, position: usize) -> i128 {
        let meter = self.books[book].prices[position].0;
        self.books[book].shares.iter().find(|share| share.0 == meter).map_or(0, |share| i128::from(share.1))
    }

    /// A part in per cent of what a quantity costs, half away from zero.
    fn price(&self, book: usize, position: usize, per_cent: i128, quantity: i128) -> i128 {
        let (_, _, amount, per) = self.books[book].prices[position];
        let numerator = quantity * i128::from(amount) * 1_000_000 * per_cent;
        let denominator = i128::from(per) * 1_000_000_000 * 100;
        (2 * numerator + numerator.signum() * denominator) / (2 * denominator)
    }
}
