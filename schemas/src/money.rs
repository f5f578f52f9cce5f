//! Money, quantities and prices as exact integers.
//!
//! Invariant 8 of the design: an [`Amount`] is an integer of 10^-12 of an
//! asset's unit. Rounding happens only in [`round_ratio`], half away from
//! zero, with 256-bit intermediates; whoever rounds posts the remainder.

use std::fmt;

use ethnum::I256;
use thiserror::Error;

use crate::decimal::{self, DecimalError};

/// Decimal places of an amount of money.
pub const AMOUNT_SCALE: u32 = 12;
/// Decimal places of a quantity: nanoseconds of a GPU are counted.
pub const QUANTITY_SCALE: u32 = 9;
/// Decimal places of a revenue share.
pub const SHARE_SCALE: u32 = 12;

/// A sum or product left the range of 38 decimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the result does not fit 38 decimal digits")]
pub struct Overflow;

/// The largest absolute value of a 38-digit decimal, as tables hold it.
const DIGITS_38: i128 = decimal::power_of_ten(38) - 1;

fn within(value: i128) -> Result<i128, Overflow> {
    if (-DIGITS_38..=DIGITS_38).contains(&value) { Ok(value) } else { Err(Overflow) }
}

/// A signed amount of one asset, in 10^-12 of its unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

impl Amount {
    /// No money.
    pub const ZERO: Amount = Amount(0);

    /// From 10^-12 of the asset's unit.
    pub fn from_pico(value: i128) -> Result<Amount, Overflow> {
        within(value).map(Amount)
    }

    /// In 10^-12 of the asset's unit.
    pub const fn pico(self) -> i128 {
        self.0
    }

    /// From text such as `2.50`.
    pub fn parse(text: &str) -> Result<Amount, DecimalError> {
        let value = decimal::parse(text, AMOUNT_SCALE)?;
        Amount::from_pico(value).map_err(|_| DecimalError::TooLarge(decimal::shorten(text)))
    }

    /// The sum, or an error where it does not fit.
    pub fn plus(self, other: Amount) -> Result<Amount, Overflow> {
        self.0.checked_add(other.0).ok_or(Overflow).and_then(Amount::from_pico)
    }

    /// The difference, or an error where it does not fit.
    pub fn minus(self, other: Amount) -> Result<Amount, Overflow> {
        self.plus(other.negated())
    }

    /// The same amount with the other sign.
    pub const fn negated(self) -> Amount {
        Amount(-self.0)
    }

    /// Rounded half away from zero to `places` decimal places (2 for cents).
    pub fn rounded(self, places: u32) -> Amount {
        let unit = decimal::power_of_ten(AMOUNT_SCALE - places.min(AMOUNT_SCALE));
        let half = unit / 2;
        let away = if self.0 < 0 { -half } else { half };
        Amount((self.0 + away) / unit * unit)
    }

    /// A part of it, rounded half away from zero to `places` decimal places.
    ///
    /// # Errors
    /// [`Overflow`] where that leaves the range.
    pub fn part_rounded(self, part: Share, places: u32) -> Result<Amount, Overflow> {
        self.ratio_rounded(I256::from(part.0), I256::from(Share::WHOLE.0), places)
    }

    /// `self` × `part` / `whole`, rounded half away from zero to `places`
    /// decimal places; nothing of a whole that is not positive.
    ///
    /// # Errors
    /// [`Overflow`] where that leaves the range.
    pub fn in_proportion(self, part: Amount, whole: Amount, places: u32) -> Result<Amount, Overflow> {
        if whole.0 <= 0 {
            return Ok(Amount::ZERO);
        }
        self.ratio_rounded(I256::from(part.0), I256::from(whole.0), places)
    }

    fn ratio_rounded(self, numerator: I256, denominator: I256, places: u32) -> Result<Amount, Overflow> {
        let unit = decimal::power_of_ten(AMOUNT_SCALE - places.min(AMOUNT_SCALE));
        let product = I256::from(self.0).checked_mul(numerator).ok_or(Overflow)?;
        let units = round_ratio(product, denominator.checked_mul(I256::from(unit)).ok_or(Overflow)?)?;
        units.checked_mul(unit).ok_or(Overflow).and_then(Amount::from_pico)
    }

    /// With at least `places` decimal places.
    pub fn with_places(self, places: u32) -> String {
        decimal::format_places(self.0, AMOUNT_SCALE, places)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::format(self.0, AMOUNT_SCALE))
    }
}

/// A signed count of a meter's units, in 10^-9 of the unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i128);

impl Quantity {
    /// Nothing.
    pub const ZERO: Quantity = Quantity(0);

    /// From 10^-9 of the meter's unit.
    pub fn from_nano(value: i128) -> Result<Quantity, Overflow> {
        within(value).map(Quantity)
    }

    /// In 10^-9 of the meter's unit.
    pub const fn nano(self) -> i128 {
        self.0
    }

    /// From text such as `1000000`.
    pub fn parse(text: &str) -> Result<Quantity, DecimalError> {
        let value = decimal::parse(text, QUANTITY_SCALE)?;
        Quantity::from_nano(value).map_err(|_| DecimalError::TooLarge(decimal::shorten(text)))
    }

    /// The sum, or an error where it does not fit.
    pub fn plus(self, other: Quantity) -> Result<Quantity, Overflow> {
        self.0.checked_add(other.0).ok_or(Overflow).and_then(Quantity::from_nano)
    }

    /// The same quantity with the other sign.
    pub const fn negated(self) -> Quantity {
        Quantity(-self.0)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::format(self.0, QUANTITY_SCALE))
    }
}

/// A part of a whole, 0 to 1, in 10^-12.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(i128);

impl Share {
    /// Nothing of it.
    pub const NONE: Share = Share(0);
    /// All of it.
    pub const WHOLE: Share = Share(decimal::power_of_ten(SHARE_SCALE));

    /// From text such as `0.80`; `None` where it is outside 0 to 1.
    pub fn parse(text: &str) -> Result<Option<Share>, DecimalError> {
        let value = decimal::parse(text, SHARE_SCALE)?;
        Ok((0..=Share::WHOLE.0).contains(&value).then_some(Share(value)))
    }

    /// From 10^-12; `None` where it is outside 0 to 1.
    pub fn from_pico(value: i128) -> Option<Share> {
        (0..=Share::WHOLE.0).contains(&value).then_some(Share(value))
    }

    /// In 10^-12.
    pub const fn pico(self) -> i128 {
        self.0
    }

    /// What is left of the whole.
    pub const fn rest(self) -> Share {
        Share(Share::WHOLE.0 - self.0)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::format(self.0, SHARE_SCALE))
    }
}

/// A linear price: `amount` buys `per` units. `per` is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Price {
    amount: Amount,
    per: Quantity,
}

impl Price {
    /// `None` where `per` is not positive or the amount is negative.
    pub fn new(amount: Amount, per: Quantity) -> Option<Price> {
        (per.0 > 0 && amount.0 >= 0).then_some(Price { amount, per })
    }

    /// What `per` units cost.
    pub const fn amount(self) -> Amount {
        self.amount
    }

    /// How many units the amount buys.
    pub const fn per(self) -> Quantity {
        self.per
    }

    /// `quantity` × price × `share`, rounded half away from zero to 10^-12 of
    /// the currency's unit. With [`Share::WHOLE`] this is the customer's side.
    pub fn of(self, quantity: Quantity, share: Share) -> Result<Amount, Overflow> {
        self.rate(share).of(quantity)
    }

    /// What one unit costs times `share`, for many quantities.
    pub fn rate(self, share: Share) -> Rate {
        let (amount, per) = in_lowest_terms(self.amount.0, self.per.0);
        let (part, whole) = in_lowest_terms(share.0, Share::WHOLE.0);
        let (amount, whole) = in_lowest_terms(amount, whole);
        let (part, per) = in_lowest_terms(part, per);
        Rate { numerator: I256::from(amount) * I256::from(part), denominator: I256::from(per) * I256::from(whole) }
    }
}

/// A price times a share as one fraction in lowest terms.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    numerator: I256,
    denominator: I256,
}

impl Rate {
    /// `quantity` × this, rounded half away from zero to 10^-12.
    pub fn of(self, quantity: Quantity) -> Result<Amount, Overflow> {
        let product = I256::from(quantity.0).checked_mul(self.numerator).ok_or(Overflow)?;
        round_ratio(product, self.denominator).and_then(Amount::from_pico)
    }
}

/// A fraction of numbers that are not negative, the lower one positive,
/// without common factors.
fn in_lowest_terms(upper: i128, lower: i128) -> (i128, i128) {
    let (mut divisor, mut rest) = (lower, upper);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (upper / divisor, lower / divisor)
}

/// `numerator` / `denominator` rounded half away from zero. The denominator
/// is positive.
pub fn round_ratio(numerator: I256, denominator: I256) -> Result<i128, Overflow> {
    // Usual prices and quantities need only a division of 128 bits.
    let (quotient, remainder) = match (i128::try_from(numerator), i128::try_from(denominator)) {
        (Ok(numerator), Ok(denominator)) => (I256::from(numerator / denominator), I256::from(numerator % denominator)),
        _ => (numerator / denominator, numerator % denominator),
    };
    let remainder = remainder.abs();
    let rounded = if remainder >= denominator - remainder { quotient + numerator.signum() } else { quotient };
    i128::try_from(rounded).map_err(|_| Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(amount: &str, per: &str) -> Price {
        Price::new(Amount::parse(amount).unwrap(), Quantity::parse(per).unwrap()).unwrap()
    }

    #[test]
    fn prices_round_half_away_from_zero() {
        let third = price("1", "3");
        let one = Quantity::parse("1").unwrap();
        assert_eq!(third.of(one, Share::WHOLE).unwrap().to_string(), "0.333333333333");
        let half = price("0.000000000001", "2");
        assert_eq!(half.of(one, Share::WHOLE).unwrap().pico(), 1);
        assert_eq!(half.of(one.negated(), Share::WHOLE).unwrap().pico(), -1);
        let call = price("2.50", "1000000");
        let tokens = Quantity::parse("4808").unwrap();
        assert_eq!(call.of(tokens, Share::WHOLE).unwrap().to_string(), "0.01202");
    }

    #[test]
    fn cents_round_half_away_from_zero() {
        for (text, cents) in [("0.005", "0.01"), ("-0.005", "-0.01"), ("0.0049999", "0.00"), ("12.345", "12.35")] {
            assert_eq!(Amount::parse(text).unwrap().rounded(2).with_places(2), cents);
        }
    }

    #[test]
    fn too_large_is_an_error() {
        let most = Quantity::from_nano(DIGITS_38).unwrap();
        assert_eq!(price("1000000000", "0.000000001").of(most, Share::WHOLE), Err(Overflow));
        assert!(Amount::from_pico(i128::MAX).is_err());
        assert_eq!(Amount(DIGITS_38).plus(Amount(1)), Err(Overflow));
    }

    /// The product needs 290 bits. What is left of it in 256 bits, divided, would
    /// look like an amount.
    #[test]
    fn a_product_that_256_bits_do_not_hold_is_an_error() {
        let most = Quantity::from_nano(DIGITS_38).unwrap();
        let price = Price::new(Amount(DIGITS_38), Quantity(DIGITS_38 - 1)).unwrap();
        assert_eq!(price.of(most, Share(Share::WHOLE.0 - 1)), Err(Overflow));
        assert_eq!(price.of(most.negated(), Share(Share::WHOLE.0 - 1)), Err(Overflow));
    }

    /// Numbers of all lengths, up to 38 digits.
    fn wide() -> impl Strategy<Value = i128> {
        (0..127_u32, any::<u128>()).prop_map(|(bits, value)| ((value >> (127 - bits) >> 1) as i128).min(DIGITS_38))
    }

    proptest! {
        /// The parts of a split differ from the whole by at most one unit of
        /// 10^-12 for each rounding that was made.
        #[test]
        fn a_split_is_close_to_the_whole(
            quantity in -1_000_000_000_000_000_000i128..1_000_000_000_000_000_000,
            amount in 0i128..1_000_000_000_000_000,
            per in 1i128..1_000_000_000_000_000,
            share in 0i128..=1_000_000_000_000,
        ) {
            let price = Price::new(Amount(amount), Quantity(per)).unwrap();
            let (quantity, share) = (Quantity(quantity), Share(share));
            let parts = (price.of(quantity, share), price.of(quantity, share.rest()));
            if let (Ok(whole), (Ok(one), Ok(rest))) = (price.of(quantity, Share::WHOLE), parts) {
                prop_assert!((whole.pico() - one.pico() - rest.pico()).abs() <= 1);
            }
        }

        /// Also where 256 bits do not hold the product: an error, or the right
        /// digits as far as a float knows them.
        #[test]
        fn no_price_is_far_from_the_product(
            quantity in wide(),
            amount in wide(),
            per in wide(),
            share in 0i128..=1_000_000_000_000,
            negative in any::<bool>(),
        ) {
            let quantity = Quantity(if negative { -quantity } else { quantity });
            let price = Price::new(Amount(amount), Quantity(per.max(1))).unwrap();
            if let Ok(found) = price.of(quantity, Share(share)) {
                let parts = amount as f64 / per.max(1) as f64 * (share as f64 / Share::WHOLE.0 as f64);
                let expected = quantity.0 as f64 * parts;
                let distance = (found.pico() as f64 - expected).abs();
                prop_assert!(distance <= 1.0 + expected.abs() * 1e-9, "{found:?} is not {expected}");
            }
        }

        /// As the definition says, in 256 bits and without any shortening.
        #[test]
        fn a_price_is_the_rounded_product(
            quantity in wide(),
            amount in wide(),
            per in wide(),
            share in 0i128..=1_000_000_000_000,
            negative in any::<bool>(),
        ) {
            let quantity = Quantity(if negative { -quantity } else { quantity });
            let price = Price::new(Amount(amount), Quantity(per.max(1))).unwrap();
            let product = I256::from(quantity.0)
                .checked_mul(I256::from(amount))
                .and_then(|product| product.checked_mul(I256::from(share)));
            let Some(product) = product else { return Ok(()) };
            let expected = round_ratio(product, I256::from(per.max(1)) * I256::from(Share::WHOLE.0));
            prop_assert_eq!(price.of(quantity, Share(share)), expected.and_then(Amount::from_pico));
        }

        #[test]
        fn rounding_agrees_with_a_slow_rule(n in any::<i64>(), d in 1i64..1_000_000) {
            let got = round_ratio(I256::from(n), I256::from(d)).unwrap();
            let twice = 2 * i128::from(n).abs() + i128::from(d);
            let expected = twice / (2 * i128::from(d)) * i128::from(n.signum());
            prop_assert_eq!(got, expected);
            // The same fraction where 128 bits do not hold it.
            let wide = round_ratio(I256::from(n) << 130, I256::from(d) << 130).unwrap();
            prop_assert_eq!(wide, expected);
        }
    }
}
