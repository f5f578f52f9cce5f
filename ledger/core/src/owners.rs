//! What model owners and asset pools earn: their shares of the linear amounts
//! of what providers served.
//!
//! Invariants: what is posted for a share, a price row, its dimensions and a
//! billing period is round(quantity so far × part) less what was posted before
//! (invariant 8); it is taken out of the platform's part, so that what
//! customers pay and providers earn does not depend on it. The quantities
//! follow from the providers' rounding keys and need no state of their own
//! after a restart.

use hashbrown::HashMap;
use stempoint_schemas::money::{Amount, Overflow, Quantity};
use stempoint_schemas::time::Month;

use crate::book::Books;
use crate::charge::PriceId;
use crate::names::Names;
use crate::posting::{Account, Posting, RoundingKey, difference};
use crate::share::BookShare;
use crate::usage::Dimensions;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// What the quantities of a share are added up by: whoever served them. The
/// price row's book is the share's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct OwnerKey {
    /// The position of the share in the book, from 0.
    share: usize,
    dimensions: Dimensions,
    price: PriceId,
    period: Month,
}

/// The quantities behind everything that was posted for owners.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owned {
    quantities: Map<OwnerKey, Quantity>,
}

impl Owned {
    /// Takes up what a provider served, which was posted before a restart.
    pub(crate) fn restore(
        &mut self,
        key: &RoundingKey,
        quantity: Quantity,
        books: &Books,
        names: &Names,
    ) -> Result<(), Overflow> {
        for (share, _) in shares_of(key, books, names) {
            let sum = self.quantities.entry(OwnerKey::of(share, key)).or_default();
            *sum = sum.plus(quantity)?;
        }
        Ok(())
    }

    /// What owners earn of what providers served at one price row in one
    /// billing period, in the order in which it was served.
    pub(crate) fn follow(
        &mut self,
        served: &[(RoundingKey, Quantity)],
        books: &Books,
        names: &Names,
    ) -> Result<Vec<Posting>, Overflow> {
        let mut changes: Vec<(OwnerKey, &BookShare, Quantity)> = Vec::new();
        let mut places: Map<OwnerKey, usize> = Map::default();
        for (served, quantity) in served {
            for (share, of) in shares_of(served, books, names) {
                let key = OwnerKey::of(share, served);
                let place = *places.entry(key).or_insert_with(|| {
                    changes.push((key, of, Quantity::ZERO));
                    changes.len() - 1
                });
                let (.., sum) = &mut changes[place];
                *sum = sum.plus(*quantity)?;
            }
        }
        changes.retain(|(.., added)| *added != Quantity::ZERO);
        changes.into_iter().map(|(key, share, added)| self.posting(key, share, added, books, names)).collect()
    }

    fn posting(
        &mut self,
        key: OwnerKey,
        share: &BookShare,
        added: Quantity,
        books: &Books,
        names: &Names,
    ) -> Result<Posting, Overflow> {
        let sum = self.quantities.entry(key).or_default();
        let before = *sum;
        *sum = before.plus(added)?;
        let rate = books.price(key.price).map(|row| row.price.rate(share.part));
        let earned = rate.map_or(Ok(Amount::ZERO), |rate| difference(rate, *sum, before))?;
        let holder = share.earner.holder().and_then(|holder| names.find(&holder)).unwrap_or_default();
        Ok(Posting {
            account: Account::OwnerPayable(holder),
            amount: earned.negated(),
            dimensions: key.dimensions,
            quantity: Some(added),
        })
    }
}

impl OwnerKey {
    fn of(share: usize, served: &RoundingKey) -> OwnerKey {
        OwnerKey { share, dimensions: served.dimensions, price: served.price, period: served.period }
    }
}

/// The owners' shares of what a provider served, with their positions.
fn shares_of<'a>(
    served: &'a RoundingKey,
    books: &'a Books,
    names: &'a Names,
) -> impl Iterator<Item = (usize, &'a BookShare)> {
    let applied = books.get(served.price.book as usize);
    let row = books.price(served.price);
    let of_meter = applied.zip(row).map(|(applied, row)| applied.book.owner_shares(row.meter));
    of_meter.into_iter().flatten().filter(|(_, share)| share.is_of(served.dimensions, served.party, names))
}
