//! Usage as settlement takes it: added up by party, dimensions and hour.
//!
//! Invariant 2: customers and providers are two sums over the same rows, so
//! that per currency, meter, dimensions and hour both are equal.

use std::collections::BTreeSet;

use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::time::Hour;
use stempoint_schemas::watermark::Watermarks;

use crate::correction::UsagePlace;
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

impl Dimensions {
    /// The same with other names for the texts, by [`Names::learn`].
    pub(crate) fn renamed(self, names: &[Name]) -> Dimensions {
        let Dimensions { model, gpu, region } = self;
        Dimensions { model: names[model.index()], gpu: names[gpu.index()], region: names[region.index()] }
    }

    /// Whether they have these values.
    pub(crate) fn meet(&self, values: &[(Dimension, String)], names: &Names) -> bool {
        values.iter().all(|(dimension, value)| {
            let name = match dimension {
                Dimension::Model => self.model,
                Dimension::Gpu => self.gpu,
                Dimension::Region => self.region,
            };
            names.text(name) == Some(value.as_str())
        })
    }
}

/// What one party used or served with the same dimensions in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageCell {
    /// The customer or the provider.
    pub party: Name,
    /// On the provider's side the customer, if it is one that is kept apart;
    /// [`Name::NONE`] for all others.
    pub customer: Name,
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

/// Settled usage of some customers in some hours, to be read again: what they
/// were served by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedFilter {
    /// The customers.
    pub customers: BTreeSet<String>,
    /// The first hour.
    pub from: Hour,
    /// The first hour after them.
    pub until: Option<Hour>,
    /// Usage is settled up to here.
    pub to: Watermarks,
    /// Vectors, each covering those before it, by which usage is told apart.
    pub cuts: Vec<Watermarks>,
    /// Events that are left out.
    pub without: BTreeSet<UsagePlace>,
}

impl ServedFilter {
    /// Whether an hour is one of them.
    pub fn is_within(&self, hour: Hour) -> bool {
        hour >= self.from && self.until.is_none_or(|until| hour < until)
    }

    /// Whether an event that happened in an hour is one of them, apart from its
    /// customer; gives the number of the cuts that do not reach it.
    pub fn cut_of(&self, place: UsagePlace, hour: Hour) -> Option<usize> {
        let is_settled = self.to.is_above(place.partition, place.offset);
        let is_meant = self.is_within(hour) && is_settled && !self.without.contains(&place);
        is_meant.then(|| self.cuts.partition_point(|cut| !cut.is_above(place.partition, place.offset)))
    }
}

/// What a provider served to a customer with the same dimensions in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServedCell {
    /// The customer.
    pub customer: Name,
    /// The provider.
    pub provider: Name,
    /// The dimensions.
    pub dimensions: Dimensions,
    /// The hour of the event time.
    pub hour: Hour,
    /// How many of the filter's cuts do not reach it.
    pub cut: usize,
    /// Per meter, as in a [`UsageCell`].
    pub quantities: [i128; Meter::ALL.len()],
}

/// Usage that was read again.
#[derive(Debug, Clone, Default)]
pub struct Served {
    /// The texts behind the names in the cells.
    pub names: Names,
    /// What was served, in no order.
    pub cells: Vec<ServedCell>,
}
