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
use crate::charge::{Charge, PriceId, Side};
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

/// What quantities are added up by before they are rounded. The price row
/// implies meter and currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RoundingKey {
    pub side: Side,
    pub party: Name,
    pub dimensions: Dimensions,
    pub price: PriceId,
    pub period: Month,
}

/// How the quantity of a rounding key changes.
#[derive(Debug, Clone, Copy)]
struct Change {
    key: RoundingKey,
    before: Quantity,
    now: Quantity,
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
        rounding_key(charge).map_or(Ok(()), |key| self.add(key, charge.quantity))
    }

    /// Takes up a quantity that was posted before a restart.
    pub(crate) fn add(&mut self, key: RoundingKey, quantity: Quantity) -> Result<(), Overflow> {
        let sum = self.parties.entry(key).or_default();
        *sum = sum.plus(quantity)?;
        if key.side == Side::Customer {
            let total = self.totals.entry((key.price, key.period)).or_default();
            *total = total.plus(quantity)?;
        }
        Ok(())
    }

    /// All quantities, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RoundingKey, Quantity)> {
        self.parties.iter().map(|(key, quantity)| (key, *quantity))
    }

    /// How many rounding keys there are.
    pub fn len(&self) -> usize {
        self.parties.len()
    }

    /// Whether nothing was posted.
    pub fn is_empty(&self) -> bool {
        self.parties.is_empty()
    }

    /// Posts the charges of one control event, in their order: one entry for
    /// each price row and billing period among them.
    pub fn post(&mut self, charges: &[Charge], books: &Books) -> Result<Vec<Entry>, PostingError> {
        let mut changes = Vec::new();
        // Hours of the same rounding key follow each other.
        for run in charges.chunk_by(|one, other| rounding_key(one) == rounding_key(other)) {
            let Some(key) = run.first().and_then(rounding_key) else { continue };
            let added = run.iter().try_fold(Quantity::ZERO, |sum, charge| sum.plus(charge.quantity))?;
            let sum = self.parties.entry(key).or_default();
            let before = *sum;
            *sum = before.plus(added)?;
            changes.push(Change { key, before, now: *sum });
        }
        // Within a price row and period the order of the charges stays.
        changes.sort_by_key(|change| (change.key.price, change.key.period));
        let same_entry =
            |one: &Change, other: &Change| (one.key.price, one.key.period) == (other.key.price, other.key.period);
        changes.chunk_by(same_entry).filter_map(|group| self.entry(group, books).transpose()).collect()
    }

    fn entry(&mut self, group: &[Change], books: &Books) -> Result<Option<Entry>, PostingError> {
        let [first, ..] = group else { return Ok(None) };
        let (price, period) = (first.key.price, first.key.period);
        let split = split(books, price)?;
        let mut postings = Vec::with_capacity(group.len() + 2);
        let (mut sum, mut total) = (Amount::ZERO, Quantity::ZERO);
        for run in group.chunk_by(|one, other| one.key == other.key) {
            let [Change { key, before, .. }, ..] = run else { continue };
            let now = run.last().map_or(*before, |last| last.now);
            let quantity = now.plus(before.negated())?;
            if quantity == Quantity::ZERO {
                continue;
            }
            let (account, amount) = match (key.side, split.provider) {
                (Side::Customer, _) => {
                    total = total.plus(quantity)?;
                    (Account::CustomerReceivable(key.party), difference(split.whole, now, *before)?)
                }
                (Side::Provider, Some(rate)) => {
                    (Account::ProviderPayable(key.party), difference(rate, now, *before)?.negated())
                }
                (Side::Provider, None) => continue,
            };
            sum = sum.plus(amount)?;
            postings.push(Posting { account, amount, dimensions: key.dimensions, quantity: Some(quantity) });
        }
        let revenue = self.revenue(price, period, total, split.platform)?.negated();
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

    /// What the platform's share grows by with `added` on the customers' side.
    fn revenue(&mut self, price: PriceId, period: Month, added: Quantity, rate: Rate) -> Result<Amount, Overflow> {
        let total = self.totals.entry((price, period)).or_default();
        let before = *total;
        *total = before.plus(added)?;
        difference(rate, *total, before)
    }
}

impl Entry {
    /// The sum of its postings: zero.
    pub fn sum(&self) -> Result<Amount, Overflow> {
        self.postings.iter().try_fold(Amount::ZERO, |sum, posting| sum.plus(posting.amount))
    }
}

/// The rounding key of a charge that has a price.
fn rounding_key(charge: &Charge) -> Option<RoundingKey> {
    Some(RoundingKey {
        side: charge.key.side,
        party: charge.key.party,
        dimensions: charge.key.dimensions,
        price: charge.state.price()?,
        period: charge.key.period,
    })
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
