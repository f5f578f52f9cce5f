//! Taking back what was charged of one usage event, and charging it anew.
//!
//! Invariants: what is taken back has the state that holds for the event's
//! quantities now, so that no charge is left behind (2); it is billed where
//! the event is, or in the first month that is open (7), at the hour of its
//! use. It follows from control events and the event's row alone (5).

use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::{Overflow, Quantity};
use stempoint_schemas::time::Month;
use stempoint_schemas::watermark::Watermarks;

use super::charging::net;
use super::event::Supply;
use super::{Done, Outcome, Settlement};
use crate::charge::{Charge, ChargeKey, Side, State, of_meter};
use crate::control::Waive;
use crate::correction::{Corrected, Correction, CorrectionOrder, Metered, UsagePlace, UsageRow};
use crate::names::Name;
use crate::posting::PostingError;
use crate::rating::Rater;

/// Usage that was given up, with what was settled at that moment.
#[derive(Debug, Clone)]
pub(super) struct Waived {
    waive: Waive,
    /// The control event.
    at: u64,
    /// Usage was settled up to here.
    settled: Watermarks,
    /// How many books had been applied.
    books: usize,
    last_closed: Option<Month>,
}

/// Since when quantities are in the books.
#[derive(Debug, Clone, Copy)]
pub(super) enum Since<'a> {
    /// Since the event there was settled.
    Settled(UsagePlace),
    /// Since usage was settled up to one of these vectors: all but the first so
    /// many reach it.
    Cut(&'a [Watermarks], usize),
    /// Since a control event.
    Control(u64),
}

impl Since<'_> {
    /// Whether the quantities were there when usage was settled up to a vector,
    /// by control event `at`.
    pub fn is_there(self, settled: &Watermarks, at: u64) -> bool {
        match self {
            Since::Settled(place) => settled.is_above(place.partition, place.offset),
            Since::Cut(cuts, beyond) => cuts.iter().skip(beyond).any(|cut| cut == settled),
            Since::Control(offset) => offset < at,
        }
    }
}

impl Settlement {
    /// Remembers what a waiver met, for those who correct a part of it.
    pub(super) fn note_waiver(&mut self, at: u64, waive: &Waive) {
        self.waived.push(Waived {
            waive: waive.clone(),
            at,
            settled: self.settled.clone(),
            books: self.books.iter().count(),
            last_closed: self.periods.last_closed(),
        });
    }

    /// Whether an event may be corrected, as far as that is known without it.
    pub(super) fn check_correction(&self, order: &CorrectionOrder) -> Result<(), String> {
        let place = order.place;
        if !self.settled.is_above(place.partition, place.offset) {
            return Err(format!("no usage is settled at {place} yet"));
        }
        self.corrections.check(order)
    }

    /// Whether an event that was read can be corrected so.
    pub(super) fn check_corrected(&mut self, order: &CorrectionOrder, row: Option<&UsageRow>) -> Result<(), String> {
        let row = row.ok_or_else(|| format!("no metered usage event stands at {}", order.place))?;
        row.check(order)?;
        let (was, _) = self.charged_of(order.place, row);
        let Some(replacement) = &order.replacement else {
            let counts = was.counted().next().is_some();
            return if counts { Ok(()) } else { Err(format!("the event at {} counts nothing", order.place)) };
        };
        let put = was.replaced(replacement, &mut self.names);
        if put == was {
            return Err(format!("the event at {} says so already", order.place));
        }
        if put.counted().next().is_none() {
            return Err(format!("nothing would be left of the event at {}: take it back instead", order.place));
        }
        Ok(())
    }

    /// What is charged of an event now.
    fn charged_of(&mut self, place: UsagePlace, row: &UsageRow) -> (Metered, Since<'static>) {
        match self.corrections.of(place) {
            Some(Corrected { at, now: Some(now) }) => (now, Since::Control(at)),
            _ => {
                let is_there = |settled: &Watermarks| settled.is_above(place.partition, place.offset);
                let period = self.periods.of_settled(row.hour(), is_there);
                (Metered::of(row, period, &mut self.names), Since::Settled(place))
            }
        }
    }

    /// Takes back what is charged of an event and charges what replaces it.
    pub(super) fn correct(
        &mut self,
        order: CorrectionOrder,
        supply: Supply,
        outcome: &mut Outcome,
    ) -> Result<Done, PostingError> {
        let Supply::Row(Some(row)) = supply else { return Ok(("nothing to correct".to_owned(), Vec::new())) };
        let (taken_back, since) = self.charged_of(order.place, &row);
        let period = self.periods.of_change(taken_back.period);
        let replaced = order.replacement.as_ref().map(|by| taken_back.replaced(by, &mut self.names));
        let put = replaced.map(|put| Metered { period, ..put });
        let mut charges = Vec::new();
        self.charge(&taken_back, period, -1, Some(since), &mut charges)?;
        if let Some(put) = &put {
            self.charge(put, period, 1, None, &mut charges)?;
        }
        self.corrections.note(order.place, Corrected { at: outcome.control.offset, now: put });
        let done = if put.is_some() { "is charged as corrected" } else { "was taken back" };
        let message = format!("event {} of {} {done}, in {period}", order.id, order.source);
        outcome.correction = Some(Correction { order, taken_back, put, period });
        Ok((message, net(&charges)?))
    }

    /// Charges of an event's quantities on both sides, with a sign; `since`
    /// says since when they are in the books, `None` for new ones.
    fn charge(
        &self,
        metered: &Metered,
        period: Month,
        sign: i128,
        since: Option<Since<'_>>,
        charges: &mut Vec<Charge>,
    ) -> Result<(), Overflow> {
        let mut rater = Rater::new(&self.books, &self.names);
        for (meter, nano) in metered.counted() {
            let key = self.key(metered, meter, (Side::Customer, metered.customer), period);
            let is_waived = since.is_some_and(|since| self.is_waived(metered, meter, since));
            let rated = rater.state(key.currency, metered.customer, meter, key.dimensions, key.hour);
            let state = if is_waived { State::Waived } else { rated };
            let quantity = Quantity::from_nano(sign * nano)?;
            charges.push(Charge { key, state, quantity });
            let provider = self.key(metered, meter, (Side::Provider, metered.provider), period);
            charges.push(Charge { key: provider, state, quantity });
        }
        Ok(())
    }

    /// Under which key one side is charged of an event's quantity.
    pub(super) fn key(&self, metered: &Metered, meter: Meter, (side, party): (Side, Name), period: Month) -> ChargeKey {
        let dimensions = of_meter(meter, metered.dimensions);
        let (hour, currency) = (metered.hour(), self.currencies.of(metered.customer, metered.hour()));
        ChargeKey { side, party, currency, meter, dimensions, hour, period }
    }

    /// Whether quantities were given up: they were in the books and had no
    /// price when a waiver of them came. What was waived stays so.
    pub(super) fn is_waived(&self, metered: &Metered, meter: Meter, since: Since<'_>) -> bool {
        self.waived.iter().any(|waived| {
            let billed = waived.last_closed.map_or(metered.period, |last| metered.period.max(last.next()));
            let key = self.key(metered, meter, (Side::Customer, metered.customer), billed);
            let rated = || {
                let books = self.books.first(waived.books);
                let mut rater = Rater::new(&books, &self.names);
                rater.state(key.currency, metered.customer, meter, key.dimensions, key.hour)
            };
            since.is_there(&waived.settled, waived.at)
                && waived.waive.meter == meter
                && waived.waive.period == billed
                && key.dimensions.meet(&waived.waive.matches, &self.names)
                && rated() == State::Unrated
        })
    }

    /// Up to where usage was settled when some was given up, in order.
    pub(super) fn waived_vectors(&self) -> impl Iterator<Item = &Watermarks> {
        self.waived.iter().map(|waived| &waived.settled)
    }

    /// Takes up a correction that was made before a restart: what is charged of
    /// the event since, if anything.
    pub fn restore_correction(&mut self, place: UsagePlace, at: u64, now: Option<Metered>) {
        self.corrections.note(place, Corrected { at, now });
    }
}
