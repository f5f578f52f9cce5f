//! Usage as settlement takes it: added up by party, dimensions and hour.
//!
//! Invariant 2: customers and providers are two sums over the same rows, so
//! that per currency, meter, dimensions and hour both are equal.

use stempoint_schemas::meter::Meter;
use stempoint_schemas::time::Hour;

use crate::names::{Name, Names};

/// The dimensions of usage. A dimension that a meter does not have is
/// [`Name::NONE`], and so is one that was not reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dimensions {
    /// The model.
    pub model: Name,
    /// The class of GPU.
    pub gpu: Name,
    /// Where it ran.
    pub region: Name,
}

/// What one party used or served with the same dimensions in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageCell {
    /// The customer or the provider.
    pub party: Name,
    /// The currency in which the customer is rated: on the provider's side
    /// that of the customers whom it served.
    pub currency: Name,
    /// The dimensions.
    pub dimensions: Dimensions,
    /// The hour of the event time.
    pub hour: Hour,
    /// Per meter (in the order of [`Meter::ALL`]) in 10^-9 of its unit.
    pub quantities: [i128; Meter::ALL.len()],
}

/// Usage between two vectors of watermarks.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// The texts behind the names in the cells.
    pub names: Names,
    /// By customer.
    pub customers: Vec<UsageCell>,
    /// By provider.
    pub providers: Vec<UsageCell>,
    /// How many rows were added up.
    pub rows: u64,
}
