//! The order of charges within a control event.
//!
//! Invariant 5: it depends on the charges' texts and numbers alone, never on
//! the order in which usage was added up or names were learned.

use hashbrown::HashMap;
use stempoint_schemas::meter::Meter;

use crate::charge::Charge;
use crate::names::{Name, Names};
use crate::usage::Dimensions;

/// What is charged, apart from for whom and when.
type What = (Name, Meter, Dimensions);

/// Sorts by side, party, currency, meter, dimensions and hour, names by their
/// texts; charges that agree in all of these by period, state and quantity.
pub fn sort(charges: &mut Vec<Charge>, names: &Names) {
    let ranks = names.ranks();
    let whats = rank_whats(charges, &ranks);
    // One number for most of the order, so that comparing is cheap.
    let mut keyed: Vec<(u128, u32)> = (0_u32..)
        .zip(charges.iter())
        .map(|(index, charge)| {
            let key = &charge.key;
            let side = u128::from(key.side as u8) << 96;
            let party = u128::from(ranks[key.party.index()]) << 64;
            let what = u128::from(whats[&what(charge)]) << 32;
            // The earliest hour is the smallest number.
            let hour = u128::from(key.hour.0.cast_unsigned() ^ (1 << 31));
            (side | party | what | hour, index)
        })
        .collect();
    let rest = |index: u32| {
        let charge = &charges[index as usize];
        (charge.key.period, charge.state, charge.quantity)
    };
    keyed.sort_unstable_by(|one, other| one.0.cmp(&other.0).then_with(|| rest(one.1).cmp(&rest(other.1))));
    *charges = keyed.into_iter().map(|(_, index)| charges[index as usize]).collect();
}

fn what(charge: &Charge) -> What {
    (charge.key.currency, charge.key.meter, charge.key.dimensions)
}

/// The position of each thing charged in their order.
fn rank_whats(charges: &[Charge], ranks: &[u32]) -> HashMap<What, u32, foldhash::fast::RandomState> {
    let mut places: HashMap<What, u32, foldhash::fast::RandomState> = HashMap::default();
    charges.iter().for_each(|charge| _ = places.insert(what(charge), 0));
    let rank = |name: Name| ranks[name.index()];
    let mut sorted: Vec<What> = places.keys().copied().collect();
    sorted.sort_unstable_by_key(|(currency, meter, dimensions)| {
        (rank(*currency), *meter, rank(dimensions.model), rank(dimensions.gpu), rank(dimensions.region))
    });
    for (place, what) in (0..).zip(sorted) {
        places.insert(what, place);
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stempoint_schemas::money::Quantity;
    use stempoint_schemas::time::{Hour, Month};

    use super::*;
    use crate::charge::{ChargeKey, PriceId, Side, State};

    const TEXTS: [&str; 6] = ["b", "a", "c", "ab", "B", "é"];

    fn charges() -> impl Strategy<Value = Vec<Charge>> {
        let side = prop_oneof![Just(Side::Customer), Just(Side::Provider)];
        let state = prop_oneof![
            Just(State::Unrated),
            Just(State::Waived),
            (0..2_u32, 0..2_u32).prop_map(|(book, position)| State::Charged(PriceId { book, position })),
        ];
        let name = || prop::option::of(0..TEXTS.len());
        let names = (0..TEXTS.len(), 0..2_usize, name(), name(), name());
        let charge = (side, state, names, 0..6_usize, -2..2_i32, 0..2_i32, -2..2_i128).prop_map(
            |(side, state, (party, currency, model, gpu, region), meter, hour, period, quantity)| {
                let names = named(TEXTS.iter());
                let text = |index: usize| names.find(TEXTS[index]).unwrap_or_default();
                let some = |index: Option<usize>| index.map(text).unwrap_or_default();
                let key = ChargeKey {
                    side,
                    party: text(party),
                    currency: text(currency),
                    meter: Meter::ALL[meter],
                    dimensions: Dimensions { model: some(model), gpu: some(gpu), region: some(region) },
                    hour: Hour(hour),
                    period: Month::from_index(period),
                };
                Charge { key, state, quantity: Quantity::from_nano(quantity).expect("small") }
            },
        );
        prop::collection::vec(charge, 0..40)
    }

    fn named<'a>(texts: impl Iterator<Item = &'a &'a str>) -> Names {
        let mut names = Names::default();
        texts.for_each(|text| _ = names.intern(text));
        names
    }

    /// The order in texts, field by field.
    fn described(charges: &[Charge], names: &Names) -> Vec<impl Ord + std::fmt::Debug + use<>> {
        let text = |name| names.text(name).map(str::to_owned);
        let of = |charge: &Charge| {
            let (key, dimensions) = (charge.key, charge.key.dimensions);
            let what = (text(key.currency), key.meter, [dimensions.model, dimensions.gpu, dimensions.region].map(text));
            (key.side, text(key.party), what, key.hour, key.period, charge.state, charge.quantity)
        };
        charges.iter().map(of).collect()
    }

    proptest! {
        /// The same as sorting by the texts themselves.
        #[test]
        fn charges_are_sorted_by_their_texts(mut charges in charges()) {
            let names = named(TEXTS.iter());
            let mut expected = described(&charges, &names);
            expected.sort();
            sort(&mut charges, &names);
            prop_assert_eq!(described(&charges, &names), expected);
        }
    }
}
