//! Price books: which price holds for which usage.
//!
//! Invariants: in an hour the book with the greatest effective time not after
//! it holds, among equals the last applied. Within a book the matching price
//! with the most dimensions wins, one for the customer before one for all, and
//! two that could tie are refused when the book is applied, so that the order of
//! prices never matters.

use std::collections::BTreeSet;

use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::{AMOUNT_SCALE, Price, QUANTITY_SCALE, Quantity, Share};
use stempoint_schemas::time::{HOUR_US, Hour, Instant};
use thiserror::Error;

use crate::charge::PriceId;
use crate::charge_model::{Charging, ChargingError};
use crate::share::{self, BookShare, Earner, ShareError};

/// One price of a book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookPrice {
    /// What is priced.
    pub meter: Meter,
    /// The one customer that it is for; `None` for all.
    pub customer: Option<String>,
    /// The dimensions that usage must have, sorted by dimension.
    pub matches: Vec<(Dimension, String)>,
    /// The linear price, of which shares are taken.
    pub price: Price,
    /// What customers pay where that is not the linear price.
    pub charging: Charging,
}

/// All prices and shares of one currency from an hour on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceBook {
    /// The currency's code.
    pub currency: String,
    /// The first hour in which it can hold.
    pub effective_from: Hour,
    /// Its prices in the order of the file.
    pub prices: Vec<BookPrice>,
    /// Who earns what part besides the platform, in the order of the file.
    pub shares: Vec<BookShare>,
}

/// Why a book cannot be applied. `price` and `share` count from 1 in the
/// order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BookError {
    /// The currency's code is not one.
    #[error("currency {0:?} is not a code of 3 to 8 capital letters, such as USD")]
    Currency(String),
    /// The book does not begin on the hour.
    #[error("effective_from {0} is not a whole hour; prices change on the hour")]
    NotAnHour(Instant),
    /// A price is for a dimension that its meter does not have.
    #[error("price {price}: {meter} has no dimension {dimension:?}; it has {known}")]
    Dimension {
        /// Which price.
        price: usize,
        /// Its meter.
        meter: Meter,
        /// The dimension that is not one.
        dimension: String,
        /// Those that are.
        known: String,
    },
    /// Two prices match the same usage with the same number of dimensions.
    #[error(
        "prices {first} and {second} of {meter} could both match {example}, neither being more specific; add a price that names both dimensions or drop one"
    )]
    Tie {
        /// The first price.
        first: usize,
        /// The second.
        second: usize,
        /// Their meter.
        meter: Meter,
        /// Usage that both match.
        example: String,
    },
    /// A price so high that what it costs may not fit the books.
    #[error("price {price}: one {unit} costs more than {UNIT_PRICE_MAX}; lower the amount or raise per")]
    TooHigh {
        /// Which price.
        price: usize,
        /// The meter's unit.
        unit: &'static str,
    },
    /// A charge model cannot be used.
    #[error("price {price}: {problem}")]
    Charging {
        /// Which price.
        price: usize,
        /// What is wrong with it.
        problem: ChargingError,
    },
    /// A share cannot be used.
    #[error("share {share}: {problem}")]
    Share {
        /// Which share.
        share: usize,
        /// What is wrong with it.
        problem: ShareError,
    },
    /// There is nothing in the book.
    #[error("the book has no prices")]
    Empty,
}

/// What one unit of a meter costs at most, in units of the currency. Amounts
/// have 26 digits before the point, so that even 10^20 units can be posted;
/// an amount that does not fit would stop settlement.
const UNIT_PRICE_MAX: i128 = 1_000_000;

impl PriceBook {
    /// Checks what cannot be seen in one price alone.
    pub fn check(&self) -> Result<(), BookError> {
        check_currency(&self.currency)?;
        if self.prices.is_empty() {
            return Err(BookError::Empty);
        }
        for (index, price) in self.prices.iter().enumerate() {
            for (dimension, _) in &price.matches {
                if !price.meter.dimensions().contains(dimension) {
                    return Err(no_such_dimension(index + 1, price.meter, dimension.name()));
                }
            }
            price.charging.check(price.price).map_err(|problem| BookError::Charging { price: index + 1, problem })?;
            if is_too_high(price.price) || price.charging.prices(price.price).into_iter().any(is_too_high) {
                return Err(BookError::TooHigh { price: index + 1, unit: price.meter.unit() });
            }
            for (other_index, other) in self.prices.iter().enumerate().take(index) {
                if let Some(example) = tie(other, price) {
                    return Err(BookError::Tie {
                        first: other_index + 1,
                        second: index + 1,
                        meter: price.meter,
                        example,
                    });
                }
            }
        }
        share::check(&self.shares).map_err(|(index, problem)| BookError::Share { share: index + 1, problem })
    }

    /// Whether the book has any price of a meter for all. One that it has not is
    /// not billed, except to customers with prices of their own.
    pub fn mentions(&self, meter: Meter) -> bool {
        self.prices.iter().any(|price| price.meter == meter && price.customer.is_none())
    }

    /// The customers that have prices of their own, some more than once.
    pub fn customers(&self) -> impl Iterator<Item = &str> {
        self.prices.iter().filter_map(|price| price.customer.as_deref())
    }

    /// The position of the price that holds for a customer's usage with the
    /// dimensions that `value_of` gives; `None` where no price matches.
    pub fn find<'a>(
        &self,
        meter: Meter,
        customer: Option<&str>,
        value_of: impl Fn(Dimension) -> Option<&'a str>,
    ) -> Option<usize> {
        self.prices
            .iter()
            .enumerate()
            .filter(|(_, price)| price.meter == meter)
            .filter(|(_, price)| price.customer.is_none() || price.customer.as_deref() == customer)
            .filter(|(_, price)| price.matches.iter().all(|(dimension, value)| value_of(*dimension) == Some(value)))
            .max_by_key(|(_, price)| (price.customer.is_some(), price.matches.len()))
            .map(|(index, _)| index)
    }

    /// The provider's part of what a meter costs.
    pub fn share(&self, meter: Meter) -> Share {
        let of_providers = |share: &&BookShare| share.meter == meter && share.earner == Earner::Provider;
        self.shares.iter().find(of_providers).map_or(Share::NONE, |share| share.part)
    }

    /// The parts of a meter that model owners and asset pools earn, with their
    /// positions among all shares, from 0.
    pub fn owner_shares(&self, meter: Meter) -> impl Iterator<Item = (usize, &BookShare)> {
        let is_owners =
            move |(_, share): &(usize, &BookShare)| share.meter == meter && share.earner != Earner::Provider;
        self.shares.iter().enumerate().filter(is_owners)
    }
}

/// Checks a currency's or token's code.
pub fn check_currency(code: &str) -> Result<(), BookError> {
    if (3..=8).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_uppercase()) {
        Ok(())
    } else {
        Err(BookError::Currency(stempoint_schemas::decimal::shorten(code)))
    }
}

/// The hour that begins at `time`.
pub fn whole_hour(time: Instant) -> Result<Hour, BookError> {
    if time.us() % HOUR_US == 0 { Ok(time.hour()) } else { Err(BookError::NotAnHour(time)) }
}

fn is_too_high(price: Price) -> bool {
    let most = UNIT_PRICE_MAX * stempoint_schemas::decimal::power_of_ten(AMOUNT_SCALE);
    let one = Quantity::from_nano(stempoint_schemas::decimal::power_of_ten(QUANTITY_SCALE));
    one.and_then(|one| price.of(one, Share::WHOLE)).map_or(true, |amount| amount.pico() > most)
}

/// The error for a dimension that a meter does not have.
pub fn no_such_dimension(price: usize, meter: Meter, dimension: &str) -> BookError {
    BookError::Dimension { price, meter, dimension: dimension.to_owned(), known: known_dimensions(meter) }
}

/// The names of a meter's dimensions.
pub(crate) fn known_dimensions(meter: Meter) -> String {
    meter.dimensions().iter().map(|dimension| dimension.name()).collect::<Vec<_>>().join(", ")
}

/// Whether no usage has both values, because they name different ones of a
/// dimension.
pub(crate) fn contradict(one: &[(Dimension, String)], other: &[(Dimension, String)]) -> bool {
    one.iter().any(|(dimension, value)| other.iter().any(|(same, another)| dimension == same && value != another))
}

/// The value that a list of dimensions names for one of them.
pub fn named(values: &[(Dimension, String)], dimension: Dimension) -> Option<&str> {
    values.iter().find(|(known, _)| *known == dimension).map(|(_, value)| value.as_str())
}

/// Usage that both prices match with the same number of dimensions, if there
/// can be any.
fn tie(one: &BookPrice, other: &BookPrice) -> Option<String> {
    let is_for_others = one.customer != other.customer;
    if one.meter != other.meter || is_for_others || one.matches.len() != other.matches.len() {
        return None;
    }
    if contradict(&one.matches, &other.matches) {
        return None;
    }
    let mut both: Vec<_> = one.matches.iter().chain(&other.matches).collect();
    both.sort();
    both.dedup();
    let customer = one.customer.iter().map(|customer| ("customer", customer));
    let named = customer.chain(both.iter().map(|(dimension, value)| (dimension.name(), value)));
    let example = named.map(|(name, value)| format!("{name} = {value:?}")).collect::<Vec<_>>().join(", ");
    Some(if example.is_empty() { "all usage".to_owned() } else { example })
}

/// A book that was applied, with the offset of its control event.
#[derive(Debug, Clone)]
pub struct AppliedBook {
    /// The control event's offset.
    pub offset: u64,
    /// The book.
    pub book: PriceBook,
}

impl AppliedBook {
    /// The name in tables of the price row at a position, from 0.
    pub fn price_name(&self, position: u32) -> String {
        format!("{}-{}", self.offset, u64::from(position) + 1)
    }
}

/// All books that were ever applied.
#[derive(Debug, Clone, Default)]
pub struct Books {
    applied: Vec<AppliedBook>,
    /// Whether any price of any book is not linear.
    has_charge_models: bool,
    /// The customers that ever had a price of their own.
    apart: BTreeSet<String>,
}

impl Books {
    /// Adds a book; offsets ascend.
    pub fn apply(&mut self, offset: u64, book: PriceBook) {
        self.has_charge_models |= book.prices.iter().any(|price| !price.charging.is_linear());
        self.apart.extend(book.customers().map(str::to_owned));
        self.applied.push(AppliedBook { offset, book });
    }

    /// Whether customers pay the linear amount of every price.
    pub fn are_linear(&self) -> bool {
        !self.has_charge_models
    }

    /// The customers that ever had a price of their own.
    pub fn apart(&self) -> &BTreeSet<String> {
        &self.apart
    }

    /// A price row.
    pub fn price(&self, price: PriceId) -> Option<&BookPrice> {
        self.get(price.book as usize)?.book.prices.get(price.position as usize)
    }

    /// The currency of a price row.
    pub fn currency(&self, price: PriceId) -> Option<&str> {
        self.get(price.book as usize).map(|applied| applied.book.currency.as_str())
    }

    /// The index of the book that holds in an hour.
    pub fn in_force(&self, currency: &str, hour: Hour) -> Option<usize> {
        self.applied
            .iter()
            .enumerate()
            .filter(|(_, applied)| applied.book.currency == currency && applied.book.effective_from <= hour)
            .max_by_key(|(_, applied)| (applied.book.effective_from, applied.offset))
            .map(|(index, _)| index)
    }

    /// The first hour after `from` in which a later book takes over.
    pub fn next_change(&self, currency: &str, from: Hour) -> Option<Hour> {
        self.applied
            .iter()
            .filter(|applied| applied.book.currency == currency)
            .map(|applied| applied.book.effective_from)
            .filter(|&start| start > from)
            .min()
    }

    /// The first books that were applied, as if no other had been.
    pub fn first(&self, count: usize) -> Books {
        let mut first = Books::default();
        for AppliedBook { offset, book } in self.applied.iter().take(count) {
            first.apply(*offset, book.clone());
        }
        first
    }

    /// A book by its index.
    pub fn get(&self, index: usize) -> Option<&AppliedBook> {
        self.applied.get(index)
    }

    /// All books in the order in which they were applied.
    pub fn iter(&self) -> impl Iterator<Item = &AppliedBook> {
        self.applied.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stempoint_schemas::money::Amount;

    fn price(meter: Meter, matches: &[(Dimension, &str)]) -> BookPrice {
        BookPrice {
            meter,
            customer: None,
            matches: matches.iter().map(|(d, v)| (*d, (*v).to_owned())).collect(),
            price: Price::new(Amount::parse("1").unwrap(), Quantity::parse("1").unwrap()).unwrap(),
            charging: Charging::default(),
        }
    }

    fn book(from: i32, prices: Vec<BookPrice>) -> PriceBook {
        PriceBook { currency: "USD".to_owned(), effective_from: Hour(from), prices, shares: Vec::new() }
    }

    #[test]
    fn the_most_dimensions_win_whatever_the_order() {
        let all = price(Meter::TokensInput, &[]);
        let model = price(Meter::TokensInput, &[(Dimension::Model, "a")]);
        let both = price(Meter::TokensInput, &[(Dimension::Model, "a"), (Dimension::Region, "eu")]);
        for prices in [vec![all.clone(), model.clone(), both.clone()], vec![both.clone(), model, all]] {
            let book = book(0, prices);
            assert_eq!(book.check(), Ok(()));
            let found = book.find(Meter::TokensInput, None, |d| match d {
                Dimension::Model => Some("a"),
                Dimension::Region => Some("eu"),
                Dimension::Gpu => None,
            });
            assert_eq!(found.map(|i| &book.prices[i]), Some(&both));
            assert_eq!(book.find(Meter::TokensOutput, None, |_| None), None);
        }
    }

    #[test]
    fn a_customers_own_price_wins_over_any_for_all() {
        let both = price(Meter::TokensInput, &[(Dimension::Model, "a"), (Dimension::Region, "eu")]);
        let own = BookPrice { customer: Some("acme".to_owned()), ..price(Meter::TokensInput, &[]) };
        let requests = BookPrice { customer: Some("acme".to_owned()), ..price(Meter::Requests, &[]) };
        let book = book(0, vec![both, own.clone(), requests]);
        assert_eq!(book.check(), Ok(()));
        let found = |meter, customer| {
            book.find(meter, customer, |d| match d {
                Dimension::Model => Some("a"),
                Dimension::Region => Some("eu"),
                Dimension::Gpu => None,
            })
        };
        assert_eq!(found(Meter::TokensInput, Some("acme")), Some(1));
        assert_eq!(found(Meter::TokensInput, Some("umbrella")), Some(0));
        assert_eq!(found(Meter::Requests, Some("umbrella")), None);
        assert!(!book.mentions(Meter::Requests), "what one customer pays for is not billed to the others");
        let twice = PriceBook { prices: vec![own.clone(), own], ..book };
        assert!(matches!(twice.check(), Err(BookError::Tie { first: 1, second: 2, .. })));
    }

    #[test]
    fn ties_are_refused() {
        let model = price(Meter::TokensInput, &[(Dimension::Model, "a")]);
        let region = price(Meter::TokensInput, &[(Dimension::Region, "eu")]);
        let other = price(Meter::TokensInput, &[(Dimension::Model, "b")]);
        assert!(matches!(
            book(0, vec![model.clone(), region]).check(),
            Err(BookError::Tie { first: 1, second: 2, .. })
        ));
        assert!(matches!(book(0, vec![model.clone(), model.clone()]).check(), Err(BookError::Tie { .. })));
        assert_eq!(book(0, vec![model, other]).check(), Ok(()));
    }

    #[test]
    fn the_latest_book_holds_and_among_equals_the_last_applied() {
        let mut books = Books::default();
        let prices = vec![price(Meter::Requests, &[])];
        books.apply(1, book(10, prices.clone()));
        books.apply(2, book(20, prices.clone()));
        books.apply(3, book(10, prices));
        assert_eq!(books.in_force("USD", Hour(9)), None);
        assert_eq!(books.in_force("USD", Hour(10)), Some(2));
        assert_eq!(books.in_force("USD", Hour(19)), Some(2));
        assert_eq!(books.in_force("USD", Hour(20)), Some(1));
        assert_eq!(books.in_force("EUR", Hour(20)), None);
        assert_eq!(books.next_change("USD", Hour(10)), Some(Hour(20)));
        assert_eq!(books.next_change("USD", Hour(20)), None);
    }
}
