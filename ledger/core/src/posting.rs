//! From charges to double-entry postings.
//!
//! Invariants: what is posted for a rounding key is round(quantity so far ×
//! price) less what was posted before, so that it does not matter where
//! settlements were cut (invariant 8); every entry sums to zero, with the
//! remainder of its roundings on `platform/rounding`, and is checked before
//! it leaves here (invariant 3).

use std::collections::BTreeMap;

use hashbrown::HashMap;
use stempoint_schemas::money::{Amount, Overflow, Quantity, Rate, Share};
use stempoint_schemas::time::Month;
use thiserror::Error;

use crate::adjusting::{Adjusted, Adjustment};
use crate::book::Books;
use crate::charge::{Charge, PriceId, Side};
use crate::names::{Name, Names};
use crate::owners::Owned;
use crate::usage::Dimensions;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Exact sums by party and currency.
pub type Sums = Map<(Name, Name), Amount>;
/// The same by month.
pub type SumsByMonth = BTreeMap<Month, Sums>;

/// The months after one up to another.
#[derive(Debug, Clone, Copy)]
pub struct Months {
    /// The last one before them; `None` for all.
    pub after: Option<Month>,
    /// The last one.
    pub until: Month,
}

impl Months {
    fn contain(self, period: Month) -> bool {
        period <= self.until && self.after.is_none_or(|after| period > after)
    }
}

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
    #[error("the entry for {0} does not sum to zero")]
    Unbalanced(String),
}

/// Whose account a posting is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// What a customer owes.
    CustomerReceivable(Name),
    /// What a customer paid or was credited before it owed it.
    CustomerCredit(Name),
    /// What a customer paid for in advance and has not used.
    CustomerPrepaid(Name),
    /// What a customer does not agree to owe.
    CustomerDisputed(Name),
    /// What is owed to a provider.
    ProviderPayable(Name),
    /// What is owed to a model owner or an asset pool.
    OwnerPayable(Name),
    /// What the platform earns.
    PlatformRevenue,
    /// What roundings leave over.
    PlatformRounding,
    /// Tax that was invoiced and is owed to the state.
    PlatformTax,
    /// What was given back of revenue.
    PlatformRefunds,
    /// What was paid with grants that were given.
    PlatformPromotions,
    /// What customers paid for in advance and never used.
    PlatformBreakage,
    /// What was given up of invoices.
    PlatformBadDebt,
    /// What exchanges got short of their rate; negative for what beyond it.
    PlatformExchange,
    /// Money at the bank.
    TreasuryBank,
    /// What was given in one asset for what was got in another.
    TreasuryExchange,
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

/// Postings of one asset that sum to zero: those of a price row and billing
/// period, or of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The price row; `None` where no usage is behind it.
    pub price: Option<PriceId>,
    /// The billing period; `None` where it belongs to no month's usage.
    pub period: Option<Month>,
    /// The invoice, credit note or payment that it belongs to.
    pub document: Option<String>,
    /// The currency or token.
    pub asset: Name,
    /// From when it counts, microseconds.
    pub effective_us: i64,
    /// Postings that sum to zero.
    pub postings: Vec<Posting>,
}

/// What postings of usage are made with.
#[derive(Debug, Clone, Copy)]
pub struct PostingContext<'a> {
    /// All books that were applied.
    pub books: &'a Books,
    /// The texts behind names.
    pub names: &'a Names,
    /// The record time of the control event, microseconds.
    pub recorded_us: i64,
}

impl Posting {
    /// An amount with no quantity behind it.
    pub(crate) fn of_money(account: Account, amount: Amount) -> Posting {
        Posting { account, amount, dimensions: Dimensions::default(), quantity: None }
    }
}

/// What quantities are added up by before they are rounded: a line of an
/// invoice or a statement. The price row implies meter and currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoundingKey {
    /// Whose line it is: a customer's or a provider's.
    pub side: Side,
    /// The customer or the provider.
    pub party: Name,
    /// What the quantities were used of.
    pub dimensions: Dimensions,
    /// The price row.
    pub price: PriceId,
    /// The billing period.
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
    adjusted: Adjusted,
    owned: Owned,
    totals: Map<(PriceId, Month), Quantity>,
}

/// How a price row splits what customers pay.
#[derive(Debug, Clone, Copy)]
struct Split<'a> {
    currency: &'a str,
    whole: Rate,
    /// `None` where the provider gets nothing, and so has no postings.
    provider: Option<Rate>,
    /// Before what owners get of it.
    platform: Rate,
    has_owners: bool,
}

impl Posted {
    /// What charge models add to the linear amounts.
    pub(crate) fn adjusted(&self) -> &Adjusted {
        &self.adjusted
    }

    /// The same, to take up what was posted before a restart.
    pub(crate) fn adjusted_mut(&mut self) -> &mut Adjusted {
        &mut self.adjusted
    }

    /// Takes up a charge that was posted before a restart.
    pub fn restore(&mut self, charge: &Charge, books: &Books, names: &Names) -> Result<(), Overflow> {
        self.adjusted.restore(charge, books)?;
        rounding_key(charge).map_or(Ok(()), |key| self.add(key, charge.quantity, books, names))
    }

    /// Takes up a quantity that was posted before a restart.
    pub(crate) fn add(
        &mut self,
        key: RoundingKey,
        quantity: Quantity,
        books: &Books,
        names: &Names,
    ) -> Result<(), Overflow> {
        let sum = self.parties.entry(key).or_default();
        *sum = sum.plus(quantity)?;
        match key.side {
            Side::Customer => {
                let total = self.totals.entry((key.price, key.period)).or_default();
                *total = total.plus(quantity)?;
                Ok(())
            }
            Side::Provider => self.owned.restore(&key, quantity, books, names),
        }
    }

    /// All quantities, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RoundingKey, Quantity)> {
        self.parties.iter().map(|(key, quantity)| (key, *quantity))
    }

    /// What each customer was billed in the months after one up to another,
    /// exactly, by month and by customer and currency.
    ///
    /// # Errors
    /// [`PostingError`] as in [`Posted::post`].
    pub fn billed(&self, months: Months, books: &Books, names: &Names) -> Result<SumsByMonth, PostingError> {
        let mut billed = self.sums(Side::Customer, months, books, names)?;
        for ((period, holder), amount) in self.adjusted.amounts().filter(|((period, _), _)| months.contain(*period)) {
            let sum = billed.entry(*period).or_default().entry(*holder).or_default();
            *sum = sum.plus(amount)?;
        }
        Ok(billed)
    }

    /// The same of what each provider earned.
    ///
    /// # Errors
    /// [`PostingError`] as in [`Posted::post`].
    pub fn earned(&self, months: Months, books: &Books, names: &Names) -> Result<SumsByMonth, PostingError> {
        self.sums(Side::Provider, months, books, names)
    }

    /// The exact sums of one side's linear amounts.
    fn sums(&self, side: Side, months: Months, books: &Books, names: &Names) -> Result<SumsByMonth, PostingError> {
        let mut rates: Map<PriceId, (Option<Rate>, Name)> = Map::default();
        let mut sums = SumsByMonth::new();
        for (key, quantity) in self.iter().filter(|(key, _)| key.side == side && months.contain(key.period)) {
            let (rate, asset) = match rates.get(&key.price) {
                Some(known) => *known,
                None => {
                    let split = split(books, key.price)?;
                    let known = (split.rate_of(side), split.asset(names));
                    rates.insert(key.price, known);
                    known
                }
            };
            let Some(rate) = rate else { continue };
            let sum = sums.entry(key.period).or_default().entry((key.party, asset)).or_default();
            *sum = sum.plus(rate.of(quantity)?)?;
        }
        Ok(sums)
    }

    /// What a line comes to by price and quantity, exactly: nothing where there
    /// is no such line.
    ///
    /// # Errors
    /// [`PostingError`] as in [`Posted::post`].
    pub(crate) fn line(&self, line: &RoundingKey, books: &Books) -> Result<Amount, PostingError> {
        let Some(&quantity) = self.parties.get(line) else { return Ok(Amount::ZERO) };
        let rate = split(books, line.price)?.rate_of(line.side);
        Ok(rate.map_or(Ok(Amount::ZERO), |rate| rate.of(quantity))?)
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
    pub fn post(&mut self, charges: &[Charge], context: PostingContext<'_>) -> Result<Vec<Entry>, PostingError> {
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
        let mut adjustments =
            self.adjusted.follow(charges, context.books, |code| context.names.find(code).unwrap_or_default())?;
        // Within a price row and period the order of the charges stays.
        changes.sort_by_key(|change| (change.key.price, change.key.period));
        let same_entry =
            |one: &Change, other: &Change| (one.key.price, one.key.period) == (other.key.price, other.key.period);
        let mut entries = Vec::new();
        for group in changes.chunk_by(same_entry) {
            let of = group.first().and_then(|first| adjustments.remove(&(first.key.price, first.key.period)));
            entries.extend(self.entry(group, &of.unwrap_or_default(), context)?);
        }
        Ok(entries)
    }

    fn entry(
        &mut self,
        group: &[Change],
        adjustments: &[Adjustment],
        context: PostingContext<'_>,
    ) -> Result<Option<Entry>, PostingError> {
        let [first, ..] = group else { return Ok(None) };
        let (price, period) = (first.key.price, first.key.period);
        let split = split(context.books, price)?;
        let mut postings = Vec::with_capacity(group.len() + 2);
        let (mut sum, mut total) = (Amount::ZERO, Quantity::ZERO);
        let mut served = Vec::new();
        for run in group.chunk_by(|one, other| one.key == other.key) {
            let [Change { key, before, .. }, ..] = run else { continue };
            let now = run.last().map_or(*before, |last| last.now);
            let quantity = now.plus(before.negated())?;
            if quantity == Quantity::ZERO {
                continue;
            }
            if key.side == Side::Provider && split.has_owners {
                served.push((*key, quantity));
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
        let mut revenue = self.revenue(price, period, total, split.platform)?.negated();
        for posting in self.owned.follow(&served, context.books, context.names)? {
            // What owners earn is taken out of the platform's part.
            sum = sum.plus(posting.amount)?;
            revenue = revenue.minus(posting.amount)?;
            postings.push(posting);
        }
        for adjustment in adjustments {
            // A charge model is between the customer and the platform.
            postings.push(Posting::of_money(Account::CustomerReceivable(adjustment.customer), adjustment.amount));
            sum = sum.plus(adjustment.amount)?;
            revenue = revenue.minus(adjustment.amount)?;
        }
        sum = sum.plus(revenue)?;
        for (account, amount) in [(Account::PlatformRevenue, revenue), (Account::PlatformRounding, sum.negated())] {
            if amount != Amount::ZERO {
                postings.push(Posting::of_money(account, amount));
            }
        }
        if postings.is_empty() {
            return Ok(None);
        }
        let entry = Entry {
            price: Some(price),
            period: Some(period),
            document: None,
            asset: split.asset(context.names),
            effective_us: within(period, context.recorded_us),
            postings,
        };
        entry.checked().map(Some)
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
    /// The entry, unless nothing moves in it.
    pub(crate) fn if_any(self) -> Option<Entry> {
        (!self.postings.is_empty()).then_some(self)
    }

    /// The entry, if its postings sum to zero.
    pub(crate) fn checked(self) -> Result<Entry, PostingError> {
        if self.sum()? == Amount::ZERO {
            return Ok(self);
        }
        let period = self.period.map(|period| format!(" in {period}")).unwrap_or_default();
        Err(PostingError::Unbalanced(match (&self.document, self.price) {
            (Some(document), _) => format!("{document}{period}"),
            (None, Some(price)) => format!("price {} of book {}{period}", price.position + 1, price.book),
            (None, None) => format!("a document{period}"),
        }))
    }

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

impl Split<'_> {
    /// What a unit comes to on a side; `None` where it has no postings.
    fn rate_of(&self, side: Side) -> Option<Rate> {
        match side {
            Side::Customer => Some(self.whole),
            Side::Provider => self.provider,
        }
    }

    /// The currency's name, which the charges brought.
    fn asset(&self, names: &Names) -> Name {
        names.find(self.currency).unwrap_or_default()
    }
}

/// A record time, moved into the month that it belongs to: usage counts in its
/// billing period whenever it is settled.
fn within(period: Month, recorded_us: i64) -> i64 {
    recorded_us.clamp(period.start().us(), period.end().us() - 1)
}

fn split(books: &Books, price: PriceId) -> Result<Split<'_>, PostingError> {
    let book = &books.get(price.book as usize).ok_or(PostingError::NoSuchPrice(price))?.book;
    let row = book.prices.get(price.position as usize).ok_or(PostingError::NoSuchPrice(price))?;
    let share = book.share(row.meter);
    Ok(Split {
        currency: &book.currency,
        whole: row.price.rate(Share::WHOLE),
        provider: (share != Share::NONE).then(|| row.price.rate(share)),
        platform: row.price.rate(share.rest()),
        has_owners: book.owner_shares(row.meter).next().is_some(),
    })
}

/// round(now × rate) − round(before × rate).
pub(crate) fn difference(rate: Rate, now: Quantity, before: Quantity) -> Result<Amount, Overflow> {
    rate.of(now)?.minus(rate.of(before)?)
}
