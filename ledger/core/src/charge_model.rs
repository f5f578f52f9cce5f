//! Charge models: what customers pay at a price row where it is not so much
//! per unit.
//!
//! Invariants: what a customer pays depends on the whole quantity of a month
//! alone (invariant 8), so that it does not matter in which order or in how
//! many parts usage arrived. The linear amount of the price row is posted as
//! for any other price, and providers' shares are of that; what a charge model
//! makes dearer or cheaper is the platform's side, rounded once.

use ethnum::I256;
use stempoint_schemas::meter::UNIT_NANO;
use stempoint_schemas::money::{Amount, Overflow, Price, Quantity, round_ratio};
use thiserror::Error;

/// The most that a fixed amount may be, in units of the currency: what is
/// posted must fit the books.
const FIXED_MAX: i128 = 1_000_000_000_000;
/// The most units that one package, or the amount of a tier, may be for.
const PER_MAX: i128 = 1_000_000_000_000_000;
/// The most tiers of one price.
const TIERS_MAX: usize = 100;
/// The decimal places of a percentage.
pub const PERCENT_SCALE: u32 = 2;
/// The highest percentage, in 10^-2 per cent: a thousand per cent.
const PERCENT_MAX: i128 = 100_000;
/// A hundred per cent.
const PERCENT_WHOLE: i128 = 10_000;
const UNIT_PICO: i128 = 1_000_000_000_000;

/// How a customer's quantity of a month is charged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ChargeModel {
    /// So much per unit.
    #[default]
    PerUnit,
    /// What lies within each tier costs that tier's price.
    Graduated(Vec<Tier>),
    /// Everything costs the price of the tier that the quantity lies in.
    Volume(Vec<Tier>),
    /// Each `per` units that were begun cost the amount.
    Package,
    /// A part of the linear amount, in 10^-2 per cent.
    Percentage(u32),
}

/// A range of quantities with a price of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Up to this quantity, inclusive; `None` in the last tier.
    pub up_to: Option<Quantity>,
    /// What `per` units of the price row cost in it.
    pub amount: Amount,
    /// What is due once as soon as a quantity lies in it.
    pub flat: Amount,
}

/// A charge model with what a month with any use costs at least.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Charging {
    /// How the quantity is charged.
    pub model: ChargeModel,
    /// What is charged at least, per customer and month, if anything was used.
    pub minimum: Amount,
}

/// What is wrong with a charge model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChargingError {
    /// There are no tiers, or too many.
    #[error("a {0} price needs 1 to {TIERS_MAX} tiers")]
    Count(&'static str),
    /// A tier does not follow the one before it.
    #[error("tier {0} must end above the one before it, and only the last one has no up_to")]
    Order(usize),
    /// An amount is negative or too high.
    #[error("{0} must be from 0 to {FIXED_MAX}")]
    Fixed(&'static str),
    /// It is for too many units.
    #[error("per must be at most {PER_MAX} where the price is not per unit")]
    Per,
    /// The percentage is out of range.
    #[error("percent must be from 0 to {}", PERCENT_MAX / 100)]
    Percent,
}

impl ChargeModel {
    /// The name in files and tables.
    pub const fn name(&self) -> &'static str {
        match self {
            ChargeModel::PerUnit => "per_unit",
            ChargeModel::Graduated(_) => "graduated",
            ChargeModel::Volume(_) => "volume",
            ChargeModel::Package => "package",
            ChargeModel::Percentage(_) => "percentage",
        }
    }

    /// The names of all models.
    pub const NAMES: [&'static str; 5] = ["per_unit", "graduated", "volume", "package", "percentage"];

    /// Its tiers, if it has any.
    pub fn tiers(&self) -> &[Tier] {
        match self {
            ChargeModel::Graduated(tiers) | ChargeModel::Volume(tiers) => tiers,
            _ => &[],
        }
    }
}

impl Charging {
    /// Whether a customer pays the linear amount, whatever it uses.
    pub fn is_linear(&self) -> bool {
        self.model == ChargeModel::PerUnit && self.minimum == Amount::ZERO
    }

    /// Checks what does not follow from the types; the prices of tiers are
    /// checked like those of price rows.
    ///
    /// # Errors
    /// [`ChargingError`] says what is wrong.
    pub fn check(&self, price: Price) -> Result<(), ChargingError> {
        if self.is_linear() {
            return Ok(());
        }
        if price.per().nano() > PER_MAX * UNIT_NANO {
            return Err(ChargingError::Per);
        }
        fixed(self.minimum, "minimum")?;
        match &self.model {
            ChargeModel::PerUnit => Ok(()),
            ChargeModel::Graduated(tiers) | ChargeModel::Volume(tiers) => check_tiers(tiers, self.model.name()),
            ChargeModel::Package => fixed(price.amount(), "the amount of a package"),
            ChargeModel::Percentage(percent) if i128::from(*percent) > PERCENT_MAX => Err(ChargingError::Percent),
            ChargeModel::Percentage(_) => Ok(()),
        }
    }

    /// The prices per unit that can apply besides the row's own.
    pub fn prices(&self, price: Price) -> Vec<Price> {
        let per = |amount: Amount| Price::new(amount, price.per());
        match &self.model {
            ChargeModel::Percentage(percent) => {
                let amount = price.amount().pico().saturating_mul(i128::from(*percent)) / PERCENT_WHOLE;
                Amount::from_pico(amount).ok().and_then(per).into_iter().collect()
            }
            model => model.tiers().iter().filter_map(|tier| per(tier.amount)).collect(),
        }
    }

    /// What a month's quantity costs more, or less, than the linear amount,
    /// rounded half away from zero to 10^-12 of the currency's unit.
    ///
    /// # Errors
    /// [`Overflow`] where that leaves the range of money.
    pub fn adjustment(&self, price: Price, quantity: Quantity) -> Result<Amount, Overflow> {
        if self.is_linear() || quantity <= Quantity::ZERO {
            return Ok(Amount::ZERO);
        }
        // All figures are money times `per`, and times a hundred per cent for
        // a percentage, so that they are whole numbers.
        let (amount, per) = (price.amount().pico(), price.per().nano());
        let scale = if matches!(self.model, ChargeModel::Percentage(_)) { PERCENT_WHOLE } else { 1 };
        let linear = times(quantity.nano(), amount)?;
        let charged = match &self.model {
            ChargeModel::PerUnit => linear,
            ChargeModel::Graduated(tiers) => graduated(tiers, quantity.nano(), per)?,
            ChargeModel::Volume(tiers) => volume(tiers, quantity.nano(), per)?,
            ChargeModel::Package => {
                let begun = quantity.nano() / per + i128::from(quantity.nano() % per != 0);
                times(begun, amount)?.checked_mul(I256::from(per)).ok_or(Overflow)?
            }
            ChargeModel::Percentage(percent) => linear.checked_mul(I256::from(*percent)).ok_or(Overflow)?,
        };
        let denominator = times(per, scale)?;
        let least = I256::from(self.minimum.pico()).checked_mul(denominator).ok_or(Overflow)?;
        let linear = linear.checked_mul(I256::from(scale)).ok_or(Overflow)?;
        let more = charged.max(least).checked_sub(linear).ok_or(Overflow)?;
        round_ratio(more, denominator).and_then(Amount::from_pico)
    }
}

fn fixed(amount: Amount, what: &'static str) -> Result<(), ChargingError> {
    let is_within = (0..=FIXED_MAX * UNIT_PICO).contains(&amount.pico());
    if is_within { Ok(()) } else { Err(ChargingError::Fixed(what)) }
}

fn check_tiers(tiers: &[Tier], name: &'static str) -> Result<(), ChargingError> {
    if !(1..=TIERS_MAX).contains(&tiers.len()) {
        return Err(ChargingError::Count(name));
    }
    let mut below = Quantity::ZERO;
    for (number, tier) in (1..).zip(tiers) {
        let is_last = number == tiers.len();
        match tier.up_to {
            Some(up_to) if up_to > below && !is_last => below = up_to,
            None if is_last => {}
            _ => return Err(ChargingError::Order(number)),
        }
        fixed(tier.flat, "flat")?;
        if tier.amount < Amount::ZERO {
            return Err(ChargingError::Fixed("the amount of a tier"));
        }
    }
    Ok(())
}

/// Each part of the quantity at the price of the tier that it lies in.
fn graduated(tiers: &[Tier], quantity: i128, per: i128) -> Result<I256, Overflow> {
    let (mut sum, mut below) = (I256::ZERO, 0);
    for tier in tiers {
        let end = tier.up_to.map_or(quantity, |up_to| up_to.nano().min(quantity));
        sum = plus(sum, times(end - below, tier.amount.pico())?)?;
        sum = plus(sum, times(tier.flat.pico(), per)?)?;
        below = end;
        if below >= quantity {
            break;
        }
    }
    Ok(sum)
}

/// The whole quantity at the price of the tier that it lies in.
fn volume(tiers: &[Tier], quantity: i128, per: i128) -> Result<I256, Overflow> {
    let of = tiers.iter().find(|tier| tier.up_to.is_none_or(|up_to| quantity <= up_to.nano()));
    let Some(tier) = of else { return Err(Overflow) };
    plus(times(quantity, tier.amount.pico())?, times(tier.flat.pico(), per)?)
}

fn times(one: i128, other: i128) -> Result<I256, Overflow> {
    I256::from(one).checked_mul(I256::from(other)).ok_or(Overflow)
}

fn plus(one: I256, other: I256) -> Result<I256, Overflow> {
    one.checked_add(other).ok_or(Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        Quantity::parse(text).unwrap()
    }

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn price(text: &str, per: &str) -> Price {
        Price::new(amount(text), quantity(per)).unwrap()
    }

    fn tier(up_to: Option<&str>, text: &str, flat: &str) -> Tier {
        Tier { up_to: up_to.map(quantity), amount: amount(text), flat: amount(flat) }
    }

    /// What a quantity costs in all: the linear amount and the adjustment.
    fn cost(charging: &Charging, price: Price, of: &str) -> String {
        let linear = price.of(quantity(of), stempoint_schemas::money::Share::WHOLE).unwrap();
        linear.plus(charging.adjustment(price, quantity(of)).unwrap()).unwrap().to_string()
    }

    #[test]
    fn each_model_charges_what_its_name_says() {
        let list = price("2", "10");
        let tiers = vec![tier(Some("100"), "2", "0"), tier(Some("200"), "1.5", "5"), tier(None, "1", "0")];
        let model = |model| Charging { model, minimum: Amount::ZERO };
        let graduated = model(ChargeModel::Graduated(tiers.clone()));
        let volume = model(ChargeModel::Volume(tiers));
        let package = model(ChargeModel::Package);
        let percentage = model(ChargeModel::Percentage(8_725));
        let minimum = Charging { model: ChargeModel::PerUnit, minimum: amount("30") };
        for (charging, of, costs) in [
            (&graduated, "0", "0"),
            (&graduated, "100", "20"),
            (&graduated, "100.000000001", "25.00000000015"),
            (&graduated, "200", "40"),
            (&graduated, "300", "50"),
            (&volume, "100", "20"),
            (&volume, "101", "20.15"),
            (&volume, "200", "35"),
            (&volume, "201", "20.1"),
            (&package, "10", "2"),
            (&package, "10.000000001", "4"),
            (&package, "0.5", "2"),
            (&percentage, "100", "17.45"),
            (&minimum, "0", "0"),
            (&minimum, "1", "30"),
            (&minimum, "149", "30"),
            (&minimum, "151", "30.2"),
        ] {
            assert_eq!(cost(charging, list, of), costs, "{} of {of}", charging.model.name());
        }
    }

    #[test]
    fn rounding_happens_once() {
        let third = Charging { model: ChargeModel::Percentage(5_000), minimum: Amount::ZERO };
        // A third of 10^-12 is posted as 0, half of it less is 0 too.
        assert_eq!(third.adjustment(price("0.000000000001", "3"), quantity("1")).unwrap().pico(), 0);
        // A whole one is posted as 1, and half a one less is rounded away from zero.
        assert_eq!(third.adjustment(price("0.000000000001", "1"), quantity("1")).unwrap().pico(), -1);
    }

    #[test]
    fn what_cannot_be_charged_is_refused() {
        let list = price("2", "10");
        let check = |model, minimum: &str| Charging { model, minimum: amount(minimum) }.check(list);
        let tiers = |tiers: Vec<Tier>| check(ChargeModel::Graduated(tiers), "0");
        assert_eq!(tiers(vec![]), Err(ChargingError::Count("graduated")));
        assert_eq!(tiers(vec![tier(None, "1", "0"); 101]), Err(ChargingError::Count("graduated")));
        assert_eq!(tiers(vec![tier(Some("5"), "1", "0")]), Err(ChargingError::Order(1)));
        assert_eq!(tiers(vec![tier(None, "1", "0"), tier(None, "1", "0")]), Err(ChargingError::Order(1)));
        let falling = vec![tier(Some("5"), "1", "0"), tier(Some("5"), "1", "0"), tier(None, "1", "0")];
        assert_eq!(tiers(falling), Err(ChargingError::Order(2)));
        assert_eq!(tiers(vec![tier(None, "1", "-1")]), Err(ChargingError::Fixed("flat")));
        assert_eq!(tiers(vec![tier(None, "-1", "1")]), Err(ChargingError::Fixed("the amount of a tier")));
        assert_eq!(check(ChargeModel::Percentage(100_001), "0"), Err(ChargingError::Percent));
        assert_eq!(check(ChargeModel::PerUnit, "1000000000000.01"), Err(ChargingError::Fixed("minimum")));
        let much = price("1", "1000000000000001");
        assert_eq!(
            Charging { model: ChargeModel::Package, ..Charging::default() }.check(much),
            Err(ChargingError::Per)
        );
        assert_eq!(Charging::default().check(much), Ok(()));
        assert_eq!(tiers(vec![tier(Some("5"), "1", "3"), tier(None, "0", "0")]), Ok(()));
    }
}
