//! Corrections: one usage event that is taken back, or charged as it should
//! have been.
//!
//! Invariants: an event's quantities are taken back as they were put, once
//! each, and keep the time of their use (4); what a correction puts in their
//! place is what the next one takes back, so that nothing is reversed twice.

use std::fmt;

use hashbrown::HashMap;
use stempoint_schemas::meter::{Dimension, MILLI_NANO, Meter, UNIT_NANO};
use stempoint_schemas::money::Quantity;
use stempoint_schemas::time::{Hour, Month};

use crate::names::{Name, Names};
use crate::usage::Dimensions;

/// The most that a corrected quantity may be, in the meter's unit: as much as
/// any event can say.
const QUANTITY_MAX: i128 = i64::MAX as i128;

/// Quantities by meter, in the order of [`Meter::ALL`], in 10^-9 of its unit.
pub type Quantities = [i128; Meter::ALL.len()];

/// Where a usage event stands on its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsagePlace {
    /// The partition.
    pub partition: u32,
    /// The offset in it.
    pub offset: u64,
}

impl fmt::Display for UsagePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.offset)
    }
}

/// What a source calls an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventId {
    /// An id.
    Text(String),
    /// A numbered source's incarnation and sequence.
    Number {
        /// Which life of the source.
        incarnation: u64,
        /// The position in it.
        sequence: u64,
    },
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventId::Text(id) => f.write_str(id),
            EventId::Number { incarnation, sequence } => write!(f, "{incarnation}/{sequence}"),
        }
    }
}

/// An order to take an event back, or to charge it otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectionOrder {
    /// Where the event stands.
    pub place: UsagePlace,
    /// Who sent it.
    pub source: String,
    /// What the source calls it.
    pub id: EventId,
    /// Why, in words.
    pub reason: String,
    /// What it should have said; `None` takes it back.
    pub replacement: Option<Replacement>,
}

/// What an event should have said. What is not named stays as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replacement {
    /// Who pays.
    pub customer: Option<String>,
    /// Who earns.
    pub provider: Option<String>,
    /// The dimensions that change.
    pub dimensions: Vec<(Dimension, String)>,
    /// The quantities that change.
    pub quantities: Vec<(Meter, Quantity)>,
}

impl Replacement {
    /// Checks what can be seen without the event.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn check(&self) -> Result<(), String> {
        for (meter, quantity) in &self.quantities {
            let step = match meter {
                Meter::Requests => return Err("an event is one request, which no correction changes".to_owned()),
                Meter::GpuSeconds => 1,
                Meter::EnergyJoules => MILLI_NANO,
                Meter::TokensInput | Meter::TokensOutput | Meter::TokensCachedInput => UNIT_NANO,
            };
            let nano = quantity.nano();
            if !(0..=QUANTITY_MAX * UNIT_NANO).contains(&nano) || nano % step != 0 {
                return Err(format!("{quantity} is no quantity of {meter} that an event can have"));
            }
        }
        Ok(())
    }
}

/// A usage event as its table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// Who sent it.
    pub source: String,
    /// What the source calls it.
    pub id: EventId,
    /// When it happened, microseconds.
    pub time_us: i64,
    /// Who pays.
    pub customer: String,
    /// Who earns.
    pub provider: String,
    /// The model that was called; `None` for GPU time.
    pub model: Option<String>,
    /// The class of GPU; `None` for a call.
    pub gpu: Option<String>,
    /// Where it ran.
    pub region: Option<String>,
    /// What it counts in each meter.
    pub quantities: Quantities,
}

impl UsageRow {
    /// The hour in which it happened.
    pub fn hour(&self) -> Hour {
        Hour::of_us(self.time_us)
    }

    /// Whether it counts in a meter, be it with nothing.
    fn has(&self, meter: Meter) -> bool {
        let dimension = if self.model.is_some() { Dimension::Model } else { Dimension::Gpu };
        meter.dimensions().contains(&dimension)
    }

    /// Whether an order means this event and says what it can say.
    pub(crate) fn check(&self, order: &CorrectionOrder) -> Result<(), String> {
        let place = order.place;
        if (&self.source, &self.id) != (&order.source, &order.id) {
            return Err(format!(
                "the event at {place} is {} of {}, not {} of {}",
                self.id, self.source, order.id, order.source
            ));
        }
        let Some(replacement) = &order.replacement else { return Ok(()) };
        for (dimension, _) in &replacement.dimensions {
            let is_there = match dimension {
                Dimension::Model => self.model.is_some(),
                Dimension::Gpu => self.gpu.is_some(),
                Dimension::Region => true,
            };
            if !is_there {
                return Err(format!("the event at {place} has no {}", dimension.name()));
            }
        }
        match replacement.quantities.iter().find(|(meter, _)| !self.has(*meter)) {
            Some((meter, _)) => Err(format!("the event at {place} does not count {meter}")),
            None => Ok(()),
        }
    }
}

/// What is charged of an event: names instead of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metered {
    /// Who pays.
    pub customer: Name,
    /// Who earns.
    pub provider: Name,
    /// The dimensions.
    pub dimensions: Dimensions,
    /// When it happened, microseconds.
    pub time_us: i64,
    /// Where it is billed.
    pub period: Month,
    /// How much.
    pub quantities: Quantities,
}

impl Metered {
    /// An event as it was sent, which is billed in `period`.
    pub(crate) fn of(row: &UsageRow, period: Month, names: &mut Names) -> Metered {
        Metered {
            customer: names.intern(&row.customer),
            provider: names.intern(&row.provider),
            dimensions: Dimensions {
                model: names.intern_some(row.model.as_deref()),
                gpu: names.intern_some(row.gpu.as_deref()),
                region: names.intern_some(row.region.as_deref()),
            },
            time_us: row.time_us,
            period,
            quantities: row.quantities,
        }
    }

    /// The same with what a replacement says.
    pub(crate) fn replaced(mut self, by: &Replacement, names: &mut Names) -> Metered {
        for (party, name) in [(&by.customer, &mut self.customer), (&by.provider, &mut self.provider)] {
            if let Some(party) = party {
                *name = names.intern(party);
            }
        }
        for (dimension, value) in &by.dimensions {
            let name = match dimension {
                Dimension::Model => &mut self.dimensions.model,
                Dimension::Gpu => &mut self.dimensions.gpu,
                Dimension::Region => &mut self.dimensions.region,
            };
            *name = names.intern(value);
        }
        for (of, quantity) in &by.quantities {
            self.quantities[of.index()] = quantity.nano();
        }
        self
    }

    /// The hour in which it happened.
    pub fn hour(&self) -> Hour {
        Hour::of_us(self.time_us)
    }

    /// The quantities that are not zero.
    pub fn counted(&self) -> impl Iterator<Item = (Meter, i128)> + '_ {
        Meter::ALL.into_iter().zip(self.quantities).filter(|(_, nano)| *nano != 0)
    }
}

/// A correction as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// What was asked for.
    pub order: CorrectionOrder,
    /// What is taken back.
    pub taken_back: Metered,
    /// What is put in its place.
    pub put: Option<Metered>,
    /// The month in which both are billed.
    pub period: Month,
}

/// What became of an event that was corrected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Corrected {
    /// The offset of the last control event that corrected it.
    pub at: u64,
    /// What is charged of it since; `None` where it was taken back.
    pub now: Option<Metered>,
}

/// All events that were corrected.
#[derive(Debug, Clone, Default)]
pub(crate) struct Corrections(HashMap<UsagePlace, Corrected, foldhash::fast::RandomState>);

impl Corrections {
    /// What became of an event; `None` where it stands as it was sent.
    pub fn of(&self, place: UsagePlace) -> Option<Corrected> {
        self.0.get(&place).copied()
    }

    /// Takes note of a correction; a later one replaces it.
    pub fn note(&mut self, place: UsagePlace, corrected: Corrected) {
        self.0.insert(place, corrected);
    }

    /// The events, in no order.
    pub fn places(&self) -> impl Iterator<Item = UsagePlace> + '_ {
        self.0.keys().copied()
    }

    /// What is charged instead of them, with the control event since when.
    pub fn charged(&self) -> impl Iterator<Item = (u64, Metered)> + '_ {
        self.0.values().filter_map(|corrected| Some((corrected.at, corrected.now?)))
    }

    /// Whether an event can be corrected, as far as that is known without it.
    pub fn check(&self, order: &CorrectionOrder) -> Result<(), String> {
        match self.of(order.place) {
            Some(Corrected { at, now: None }) => {
                Err(format!("the event at {} was taken back by control event {at} already", order.place))
            }
            _ => Ok(()),
        }
    }
}
