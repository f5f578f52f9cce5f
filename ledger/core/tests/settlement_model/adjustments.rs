//! What charge models add, slowly: the whole use of each month is priced anew
//! after every event.

use std::collections::BTreeMap;

use stempoint_schemas::time::Month;

use crate::scenario::{BookSpec, ModelSpec, PriceSpec};

/// Customer, book, position in it, and the month of the usage.
pub type UsedKey = (String, usize, usize, Month);

/// What was posted on top of linear amounts.
#[derive(Default)]
pub struct Adjustments {
    /// By billing period and customer, in 10^-12.
    pub posted: BTreeMap<(Month, String), i128>,
    /// The use behind it by billing period, in 10^-9.
    used: BTreeMap<UsedKey, BTreeMap<Month, i128>>,
}

impl Adjustments {
    /// Posts the difference that a new state of all use makes: an earlier
    /// billing period's before a later one's.
    pub fn post(&mut self, used: BTreeMap<UsedKey, BTreeMap<Month, i128>>, books: &[BookSpec]) {
        let nothing = BTreeMap::new();
        for key in self.used.keys().chain(used.keys()).collect::<std::collections::BTreeSet<_>>() {
            let (before, after) = (self.used.get(key).unwrap_or(&nothing), used.get(key).unwrap_or(&nothing));
            let mut sum: i128 = before.values().sum();
            for period in before.keys().chain(after.keys()).collect::<std::collections::BTreeSet<_>>() {
                let of = |by_period: &BTreeMap<Month, i128>| by_period.get(period).copied().unwrap_or(0);
                let now = sum + of(after) - of(before);
                let (customer, book, position, _) = key;
                let more = |quantity| adjustment(&books[*book], *position, quantity);
                *self.posted.entry((*period, customer.clone())).or_default() += more(now) - more(sum);
                sum = now;
            }
        }
        self.used = used;
    }
}

/// What a month's quantity costs beyond the linear amount, in 10^-12.
fn adjustment(book: &BookSpec, position: usize, quantity: i128) -> i128 {
    if quantity == 0 {
        return 0;
    }
    let PriceSpec { amount, per, .. } = book.prices[position];
    let pico = |micro: u32| i128::from(micro) * 1_000_000;
    let (amount, per) = (pico(amount), i128::from(per) * 1_000_000_000);
    let linear = quantity * amount;
    // Everything is in 10^-12 times `per`.
    let tier_ends = |tiers: &[(u32, u32, u32)]| -> Vec<i128> {
        let last = tiers.len() - 1;
        let end = |(index, tier): (usize, &(u32, u32, u32))| {
            if index == last { i128::MAX } else { i128::from(tier.0) * 1_000_000_000 }
        };
        tiers.iter().enumerate().map(end).collect()
    };
    let (charged, minimum) = match &book.models[position] {
        ModelSpec::PerUnit(minimum) => (linear, minimum),
        ModelSpec::Graduated(tiers, minimum) => {
            let mut sum = 0;
            let mut begin = 0;
            for (tier, end) in tiers.iter().zip(tier_ends(tiers)) {
                if quantity > begin {
                    sum += (quantity.min(end) - begin) * pico(tier.1) + pico(tier.2) * per;
                }
                begin = end;
            }
            (sum, minimum)
        }
        ModelSpec::Volume(tiers, minimum) => {
            let ends = tier_ends(tiers);
            let index = ends.iter().filter(|end| **end < quantity).count();
            (quantity * pico(tiers[index].1) + pico(tiers[index].2) * per, minimum)
        }
        ModelSpec::Package(minimum) => ((quantity + per - 1) / per * per * amount, minimum),
        ModelSpec::Percentage(percent, minimum) => {
            let charged = (linear * i128::from(*percent), pico(*minimum) * per * 10_000);
            return rounded(charged.0.max(charged.1) - linear * 10_000, per * 10_000);
        }
    };
    rounded(charged.max(pico(*minimum) * per) - linear, per)
}

/// Half away from zero.
fn rounded(numerator: i128, denominator: i128) -> i128 {
    (2 * numerator + numerator.signum() * denominator) / (2 * denominator)
}
