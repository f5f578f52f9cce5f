//! Charges: exact quantities without money, by party, meter, dimensions, hour
//! and price row.
//!
//! Invariant 4: a charge is never changed. Moving one from a price row to
//! another is a row with the other sign and a new row.

use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::Quantity;
use stempoint_schemas::time::{Hour, Month};

use crate::names::Name;
use crate::usage::Dimensions;

/// Whose quantity it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Who pays.
    Customer,
    /// Who earns.
    Provider,
}

impl Side {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Side::Customer => "customer",
            Side::Provider => "provider",
        }
    }

    /// The side of that name.
    pub fn from_name(name: &str) -> Option<Side> {
        [Side::Customer, Side::Provider].into_iter().find(|s| s.name() == name)
    }
}

/// A price row: a price of an applied book. Its name in tables is
/// `<offset of the book>-<position in it, from 1>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PriceId {
    /// The index of the book among all that were applied.
    pub book: u32,
    /// The position in the book, from 0.
    pub position: u32,
}

/// What holds for a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It is charged at this price.
    Charged(PriceId),
    /// It waits for a price.
    Unrated,
    /// The book in force does not mention the meter.
    NotBilled,
    /// It was given up.
    Waived,
}

impl State {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            State::Charged(_) => "charged",
            State::Unrated => "unrated",
            State::NotBilled => "not_billed",
            State::Waived => "waived",
        }
    }

    /// The price row at which it is charged.
    pub const fn price(self) -> Option<PriceId> {
        match self {
            State::Charged(price) => Some(price),
            _ => None,
        }
    }
}

/// What quantities are added up by, apart from what holds for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChargeKey {
    /// Whose it is.
    pub side: Side,
    /// The customer or the provider.
    pub party: Name,
    /// The currency in which the customer is rated.
    pub currency: Name,
    /// What is counted.
    pub meter: Meter,
    /// The meter's dimensions; the others are [`Name::NONE`].
    pub dimensions: Dimensions,
    /// The hour of the event time.
    pub hour: Hour,
    /// The billing period.
    pub period: Month,
}

/// One row: a quantity to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// What it is added up by.
    pub key: ChargeKey,
    /// What holds for it.
    pub state: State,
    /// How much.
    pub quantity: Quantity,
}

/// Keeps of a row's dimensions those that the meter has.
pub fn of_meter(meter: Meter, dimensions: Dimensions) -> Dimensions {
    use stempoint_schemas::meter::Dimension as D;
    let has = |d| meter.dimensions().contains(&d);
    Dimensions {
        model: if has(D::Model) { dimensions.model } else { Name::NONE },
        gpu: if has(D::Gpu) { dimensions.gpu } else { Name::NONE },
        region: if has(D::Region) { dimensions.region } else { Name::NONE },
    }
}
