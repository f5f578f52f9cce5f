//! What the books must add up to.
//!
//! Invariant 2 of the design: customers and providers are two sums over the
//! same events.

use std::collections::BTreeMap;

use stempoint_schemas::meter::Meter;
use stempoint_schemas::time::Hour;

use super::Accepted;

/// What quantities are added up by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The customer or the provider.
    pub party: String,
    /// What is counted.
    pub meter: Meter,
    /// The model; only of calls.
    pub model: Option<String>,
    /// The GPU class; only of GPU usage.
    pub gpu: Option<String>,
    /// Where it ran, if that was reported.
    pub region: Option<String>,
    /// The hour of the event time.
    pub hour: Hour,
}

/// Quantities in 10^-9 of the meter's unit, in order. Cells that come to zero
/// are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    /// Who used what.
    pub customers: BTreeMap<Cell, i128>,
    /// Who served what.
    pub providers: BTreeMap<Cell, i128>,
}

impl Books {
    /// Adds up accepted events. Heartbeats count nothing.
    pub fn of<'a>(accepted: impl IntoIterator<Item = &'a Accepted>) -> Books {
        let mut books = Books::default();
        for event in accepted {
            let Some(customer) = &event.customer else { continue };
            for (meter, quantity) in Meter::ALL.into_iter().zip(event.quantities) {
                if quantity != 0 {
                    *books.customers.entry(cell(event, customer, meter)).or_default() += quantity;
                    *books.providers.entry(cell(event, &event.provider, meter)).or_default() += quantity;
                }
            }
        }
        books
    }

    /// How much of a meter there is in all; both sides have the same.
    pub fn total(&self, meter: Meter) -> i128 {
        self.customers.iter().filter(|(cell, _)| cell.meter == meter).map(|(_, quantity)| quantity).sum()
    }
}

fn cell(event: &Accepted, party: &str, meter: Meter) -> Cell {
    Cell {
        party: party.to_owned(),
        meter,
        model: event.model.clone(),
        gpu: event.gpu.clone(),
        region: event.region.clone(),
        hour: Hour::of_us(event.time_us),
    }
}
