//! From charges to double-entry postings.
//!
//! Invariants: what is posted for a rounding key is round(quantity so far ×
//! price) less what was posted before, so that it does not matter where
//! settlements were cut (invariant 8); every entry sums to zero, with the
//! remainder of its roundings on `platform/rounding`, and is checked before
//! it leaves here (invariant 3).

use hashbrown::HashMap;
use stempoint_schemas::money::{Amount, Overflow, Quantity, Rate, Share};
use stempoint_schemas::time::Month;
use thiserror::Error;

use crate::book::Books;
use crate::charge::{Charge, PriceId, Side, State};
use crate::names::Name;
use crate::usage::Dimensions;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Why charges could not be posted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PostingError {
    /// A sum left the range of money.
    #[error("an amount does not fit 38 decimal digits: check the price and the quantities")]
    Overflow(#[from] Overflow),
    /// A charge names a price that no book has.
    #[error("a charge names price {position} of book {book}, which was never applied", position = .0.position + 1, book = .0.book)]
    NoSuchPrice(PriceId),
    /// The postings of an entry do not sum to zero.
    #[error("the entry for price {position} of book {book} in {period} does not sum to zero", position = .price.position + 1, book = .price.book)]
    Unbalanced {
        /// The price row.
        price: PriceId,
        /// The billing period.
        period: Month,
    },
}

/// Whose account a posting is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// What a customer owes.
    CustomerReceivable(Name),
    /// What is owed to a provider.
    ProviderPayable(Name),
    /// What the platform earns.
    PlatformRevenue,
    /// What roundings leave over.
    PlatformRounding,
}

/// One signed amount on one account: positive is debit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// The account.
    pub account: Account,
    /// The amount.
    pub amount: Amount,
    /// The dimensions of the quantity behind it.
    pub dimensions: Dimensions,
    /// The quantity behind it; `None` on the platform's accounts.
    pub quantity: Option<Quantity>,
}

/// The postings of one price row and billing period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The price row.
    pub price: PriceId,
    /// The billing period.
    pub period: Month,
    /// Postings that sum to zero.
    pub postings: Vec<Posting>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct RoundingKey {
    side: Side,
    party: Name,
    dimensions: Dimensions,
    price: PriceId,
    period: Month,
}

/// The quantities behind everything that was ever posted.
#[derive(Debug, Clone, Default)]
pub struct Posted {
    parties: Map<RoundingKey, Quantity>,
    totals: Map<(PriceId, Month), Quantity>,
}

/// How a price row splits what customers pay.
#[derive(Debug, Clone, Copy)]
struct Split {
    whole: Rate,
    /// `None` where the provider gets nothing, and so has no postings.
    provider: Option<Rate>,
    platform: Rate,
}

impl Posted {
    /// Takes up a charge that was posted before a restart.
    pub fn restore(&mut self, charge: &Charge) -> Result<(), Overflow> {
        if let State::Charged(price) = charge.state {
            self.add(price, charge)?;
        }
        Ok(())
    }

    fn add(&mut self, price: PriceId, charge: &Charge) -> Result<(), Overflow> {
        let sum = self.parties.entry(rounding_key(price, charge)).or_default();
        *sum = sum.plus(charge.quantity)?;
        if charge.key.side == Side::Customer {
            let total = self.totals.entry((price, charge.key.period)).or_default();
            *total = total.plus(charge.quantity)?;
        }
        Ok(())
    }

    /// Posts charges: one entry for each price row and billing period among
    /// them. `rank` orders names by their texts, so that the same charges
    /// give the same postings in the same order.
    pub fn post(
        &mut self,
        charges: &[Charge],
        books: &Books,
        rank: impl Fn(Name) -> u32,
    ) -> Result<Vec<Entry>, PostingError> {
        let mut before: Map<RoundingKey, Quantity> = Map::default();
        let mut totals_before: Map<(PriceId, Month), Quantity> = Map::default();
        for charge in charges {
            let State::Charged(price) = charge.state else { continue };
            let key = rounding_key(price, charge);
            before.entry(key).or_insert_with(|| self.parties.get(&key).copied().unwrap_or_default());
            let total = (price, charge.key.period);
            totals_before.entry(total).or_insert_with(|| self.totals.get(&total).copied().unwrap_or_default());
            self.add(price, charge)?;
        }
        let mut changed: Vec<(RoundingKey, Quantity)> = before.into_iter().collect();
        changed.sort_unstable_by_key(|(key, _)| {
            let dimensions = key.dimensions;
            let ranks = (rank(key.party), rank(dimensions.model), rank(dimensions.gpu), rank(dimensions.region));
            (key.price, key.period, key.side, ranks)
        });
        changed
            .chunk_by(|(one, _), (other, _)| (one.price, one.period) == (other.price, other.period))
            .filter_map(|group| self.entry(group, &totals_before, books).transpose())
            .collect()
    }

    fn entry(
        &self,
        group: &[(RoundingKey, Quantity)],
        totals_before: &Map<(PriceId, Month), Quantity>,
        books: &Books,
    ) -> Result<Option<Entry>, PostingError> {
        let Some((first, _)) = group.first() else { return Ok(None) };
        let (price, period) = (first.price, first.period);
        let split = split(books, price)?;
        let mut postings = Vec::with_capacity(group.len() + 2);
        let mut sum = Amount::ZERO;
        for (key, before) in group {
            let now = self.parties.get(key).copied().unwrap_or_default();
            let quantity = now.plus(before.negated())?;
            if quantity == Quantity::ZERO {
                continue;
            }
            let (account, amount) = match (key.side, split.provider) {
                (Side::Customer, _) => (Account::CustomerReceivable(key.party), difference(split.whole, now, *before)?),
                (Side::Provider, Some(rate)) => {
                    (Account::ProviderPayable(key.party), difference(rate, now, *before)?.negated())
                }
                (Side::Provider, None) => continue,
            };
            sum = sum.plus(amount)?;
            postings.push(Posting { account, amount, dimensions: key.dimensions, quantity: Some(quantity) });
        }
        let total = (price, period);
        let now = self.totals.get(&total).copied().unwrap_or_default();
        let before = totals_before.get(&total).copied().unwrap_or_default();
        let revenue = difference(split.platform, now, before)?.negated();
        sum = sum.plus(revenue)?;
        for (account, amount) in [(Account::PlatformRevenue, revenue), (Account::PlatformRounding, sum.negated())] {
            if amount != Amount::ZERO {
                postings.push(Posting { account, amount, dimensions: Dimensions::default(), quantity: None });
            }
        }
        if postings.is_empty() {
            return Ok(None);
        }
        let entry = Entry { price, period, postings };
        if entry.sum()? == Amount::ZERO { Ok(Some(entry)) } else { Err(PostingError::Unbalanced { price, period }) }
    }
}

impl Entry {
    /// The sum of its postings: zero.
    pub fn sum(&self) -> Result<Amount, Overflow> {
        self.postings.iter().try_fold(Amount::ZERO, |sum, posting| sum.plus(posting.amount))
    }
}

fn rounding_key(price: PriceId, charge: &Charge) -> RoundingKey {
    RoundingKey {
        side: charge.key.side,
        party: charge.key.party,
        dimensions: charge.key.dimensions,
        price,
        period: charge.key.period,
    }
}

fn split(books: &Books, price: PriceId) -> Result<Split, PostingError> {
    let book = &books.get(price.book as usize).ok_or(PostingError::NoSuchPrice(price))?.book;
    let row = book.prices.get(price.position as usize).ok_or(PostingError::NoSuchPrice(price))?;
    let share = book.share(row.meter);
    Ok(Split {
        whole: row.price.rate(Share::WHOLE),
        provider: (share != Share::NONE).then(|| row.price.rate(share)),
        platform: row.price.rate(share.rest()),
    })
}

/// round(now × rate) − round(before × rate).
fn difference(rate: Rate, now: Quantity, before: Quantity) -> Result<Amount, Overflow> {
    rate.of(now)?.minus(rate.of(before)?)
}
