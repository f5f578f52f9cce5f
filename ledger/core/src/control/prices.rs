//! Prices of a price book: from and to their protobuf form.
//!
//! Invariant: a price that was read and is written again is the same message.

use stempoint_schemas::decimal;
use stempoint_schemas::money::{Amount, Price, Quantity};
use stempoint_schemas::proto;

use super::money::plain;
use super::{dimensions_from, dimensions_to, meter_from};
use crate::book::BookPrice;
use crate::charge_model::{ChargeModel, Charging, PERCENT_SCALE, Tier};

pub(super) fn price_from(wire: &proto::Price) -> Result<BookPrice, String> {
    let meter = meter_from(&wire.meter)?;
    let matches = dimensions_from(&wire.r#match)?;
    let per = quantity(&wire.per, "per")?;
    let price = Price::new(amount(&wire.amount, "amount")?, per);
    let price = price.ok_or("per must be more than 0 and amount not negative")?;
    let customer = (!wire.customer.is_empty()).then(|| plain("customer", &wire.customer)).transpose()?;
    Ok(BookPrice { meter, customer, matches, price, charging: charging_from(wire)? })
}

pub(super) fn price_to(price: &BookPrice) -> proto::Price {
    let Charging { model, minimum } = &price.charging;
    let some = |amount: Amount| if amount == Amount::ZERO { String::new() } else { amount.to_string() };
    let tiers = model.tiers().iter().map(|tier| proto::Tier {
        up_to: tier.up_to.map(|up_to| up_to.to_string()).unwrap_or_default(),
        amount: tier.amount.to_string(),
        flat: some(tier.flat),
    });
    proto::Price {
        meter: price.meter.name().to_owned(),
        r#match: dimensions_to(&price.matches),
        per: price.price.per().to_string(),
        amount: price.price.amount().to_string(),
        charge_model: if *model == ChargeModel::PerUnit { String::new() } else { model.name().to_owned() },
        tiers: tiers.collect(),
        percent: match model {
            ChargeModel::Percentage(percent) => decimal::format(i128::from(*percent), PERCENT_SCALE),
            _ => String::new(),
        },
        minimum: some(*minimum),
        customer: price.customer.clone().unwrap_or_default(),
    }
}

fn charging_from(wire: &proto::Price) -> Result<Charging, String> {
    let tiers = || {
        wire.tiers.iter().enumerate().map(|(index, tier)| tier_from(tier, index + 1)).collect::<Result<Vec<Tier>, _>>()
    };
    let model = match wire.charge_model.as_str() {
        "" => ChargeModel::PerUnit,
        "graduated" => ChargeModel::Graduated(tiers()?),
        "volume" => ChargeModel::Volume(tiers()?),
        "package" => ChargeModel::Package,
        "percentage" => ChargeModel::Percentage(percent(&wire.percent)?),
        other => return Err(format!("charge_model {:?} is not known", decimal::shorten(other))),
    };
    if model.tiers().is_empty() && !wire.tiers.is_empty() {
        return Err(format!("a {} price has no tiers", model.name()));
    }
    if !matches!(model, ChargeModel::Percentage(_)) && !wire.percent.is_empty() {
        return Err(format!("a {} price has no percent", model.name()));
    }
    Ok(Charging { model, minimum: amount_or_zero(&wire.minimum, "minimum")? })
}

fn tier_from(wire: &proto::Tier, number: usize) -> Result<Tier, String> {
    let read = || {
        let up_to = if wire.up_to.is_empty() { None } else { Some(quantity(&wire.up_to, "up_to")?) };
        Ok::<Tier, String>(Tier {
            up_to,
            amount: amount(&wire.amount, "amount")?,
            flat: amount_or_zero(&wire.flat, "flat")?,
        })
    };
    read().map_err(|problem| format!("tier {number}: {problem}"))
}

/// A percentage, in 10^-2 per cent; whether it is within range is checked with
/// its price.
pub(crate) fn percent(text: &str) -> Result<u32, String> {
    let value = decimal::parse(text, PERCENT_SCALE).map_err(|error| format!("percent: {error}"))?;
    u32::try_from(value).map_err(|_| "percent is not between 0 and 1000".to_owned())
}

fn quantity(text: &str, what: &str) -> Result<Quantity, String> {
    Quantity::parse(text).map_err(|error| format!("{what}: {error}"))
}

fn amount(text: &str, what: &str) -> Result<Amount, String> {
    Amount::parse(text).map_err(|error| format!("{what}: {error}"))
}

fn amount_or_zero(text: &str, what: &str) -> Result<Amount, String> {
    if text.is_empty() { Ok(Amount::ZERO) } else { amount(text, what) }
}
