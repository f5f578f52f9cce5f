//! Billing periods: which month is open, being closed or closed.
//!
//! Invariant 7: months close in order, each once, and only when nothing of
//! them waits for a price; what is settled or changed later is billed in a
//! month that is open.

use std::collections::BTreeMap;

use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::{Overflow, Quantity};
use stempoint_schemas::time::{Hour, Month};
use stempoint_schemas::watermark::Watermarks;

/// How far a month is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeriodState {
    /// Which usage belongs to it is fixed; prices of it may still change.
    Closing,
    /// Nothing in it changes any more.
    Closed,
}

impl PeriodState {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            PeriodState::Closing => "closing",
            PeriodState::Closed => "closed",
        }
    }
}

/// A month's step from open to closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodChange {
    /// The month.
    pub period: Month,
    /// What it is from now on.
    pub state: PeriodState,
    /// Usage up to here is billed in its own month.
    pub settled: Watermarks,
}

/// The month that is being closed.
#[derive(Debug, Clone)]
struct Closing {
    period: Month,
    settled: Watermarks,
}

/// The state of all months.
#[derive(Debug, Clone, Default)]
pub struct Periods {
    last_closed: Option<Month>,
    /// All closings that were begun, in order; the last may be under way.
    begun: Vec<Closing>,
}

impl Periods {
    /// The month that is being closed.
    pub fn closing(&self) -> Option<Month> {
        self.begun.last().map(|begun| begun.period).filter(|period| Some(*period) > self.last_closed)
    }

    /// The last month that is closed; all before it are closed too.
    pub fn last_closed(&self) -> Option<Month> {
        self.last_closed
    }

    /// In which month usage of an hour is billed that is settled now.
    pub fn of_usage(&self, hour: Hour) -> Month {
        let month = hour.month();
        self.closing().or(self.last_closed).map_or(month, |last| month.max(last.next()))
    }

    /// In which month settled usage was billed: its own, or the first later one
    /// whose usage was fixed when it was there, which `is_there` says of a vector.
    pub fn of_settled(&self, hour: Hour, is_there: impl Fn(&Watermarks) -> bool) -> Month {
        self.begun.iter().fold(hour.month(), |month, closing| {
            let was_late = month <= closing.period && !is_there(&closing.settled);
            if was_late { closing.period.next() } else { month }
        })
    }

    /// Up to where usage was settled when it was fixed, month by month.
    pub fn vectors(&self) -> impl Iterator<Item = &Watermarks> {
        self.begun.iter().map(|closing| &closing.settled)
    }

    /// In which month a change is billed of what was billed in `period`.
    pub fn of_change(&self, period: Month) -> Month {
        self.last_closed.map_or(period, |last| period.max(last.next()))
    }

    /// Whether a month may be closed by an event that was recorded then; the
    /// error says what stands against it.
    pub fn check_closing(&self, period: Month, recorded_us: i64) -> Result<(), String> {
        if self.last_closed.is_some_and(|last| period <= last) {
            return Err(format!("{period} is closed"));
        }
        if let Some(closing) = self.closing() {
            return Err(if closing == period {
                format!("{period} is being closed already")
            } else {
                format!("months close in order, and {closing} is being closed: finish it first")
            });
        }
        if let Some(next) = self.last_closed.map(Month::next).filter(|next| *next != period) {
            return Err(format!("months close in order: the next one is {next}"));
        }
        if recorded_us < period.end().us() {
            return Err(format!("{period} is not over yet: it can be closed from {} on", period.end()));
        }
        Ok(())
    }

    /// Takes note that usage up to `settled` is all that a month is billed.
    pub fn begin_closing(&mut self, period: Month, settled: &Watermarks) -> PeriodChange {
        self.begun.push(Closing { period, settled: settled.clone() });
        PeriodChange { period, state: PeriodState::Closing, settled: settled.clone() }
    }

    /// Whether a month may be closed for good.
    pub fn check_closed(&self, period: Month, unrated: &Unrated) -> Result<(), String> {
        if self.last_closed.is_some_and(|last| period <= last) {
            return Err(format!("{period} is closed already"));
        }
        if self.closing() != Some(period) {
            return Err(format!("{period} is not being closed: fix its usage first"));
        }
        match unrated.up_to(period) {
            Some(waiting) => Err(format!(
                "{period} waits for prices of {waiting}; apply a price book that covers it, or waive it, and close again"
            )),
            None => Ok(()),
        }
    }

    /// Closes the month that is being closed; `None` where it is another one.
    pub fn close(&mut self, period: Month) -> Option<PeriodChange> {
        let closing = self.begun.last().filter(|_| self.closing() == Some(period))?;
        self.last_closed = Some(period);
        Some(PeriodChange { period, state: PeriodState::Closed, settled: closing.settled.clone() })
    }
}

/// What waits for a price on the customers' side, by month and meter.
#[derive(Debug, Clone, Default)]
pub struct Unrated(BTreeMap<(Month, Meter), Quantity>);

impl Unrated {
    /// Adds a quantity; a negative one no longer waits.
    pub fn add(&mut self, period: Month, meter: Meter, quantity: Quantity) -> Result<(), Overflow> {
        let sum = self.0.entry((period, meter)).or_default();
        *sum = sum.plus(quantity)?;
        if *sum == Quantity::ZERO {
            self.0.remove(&(period, meter));
        }
        Ok(())
    }

    /// All of it.
    pub fn iter(&self) -> impl Iterator<Item = (Month, Meter, Quantity)> + '_ {
        self.0.iter().map(|(&(period, meter), &quantity)| (period, meter, quantity))
    }

    /// What waits in a month and those before it, in words.
    fn up_to(&self, period: Month) -> Option<String> {
        let waiting: Vec<String> = self
            .iter()
            .filter(|(of, ..)| *of <= period)
            .map(|(of, meter, quantity)| {
                let month = if of == period { String::new() } else { format!(" in {of}") };
                format!("{quantity} {meter}{month}")
            })
            .collect();
        (!waiting.is_empty()).then(|| waiting.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Month {
        Month::parse(text).unwrap()
    }

    #[test]
    fn a_month_is_closed_when_it_is_over_and_not_before() {
        let periods = Periods::default();
        let end_us = month("2024-03").start().us();
        assert_eq!(periods.check_closing(month("2024-02"), end_us), Ok(()));
        let early = periods.check_closing(month("2024-02"), end_us - 1).unwrap_err();
        assert_eq!(early, "2024-02 is not over yet: it can be closed from 2024-03-01T00:00:00Z on");
    }

    #[test]
    fn what_waits_for_a_price_is_named() {
        let mut periods = Periods::default();
        let mut unrated = Unrated::default();
        let amount = |text| Quantity::parse(text).unwrap();
        unrated.add(month("2024-01"), Meter::Requests, amount("3")).unwrap();
        unrated.add(month("2024-02"), Meter::GpuSeconds, amount("1.5")).unwrap();
        unrated.add(month("2024-03"), Meter::Requests, amount("9")).unwrap();
        periods.begin_closing(month("2024-02"), &Watermarks::zero(1));
        let waits = periods.check_closed(month("2024-02"), &unrated).unwrap_err();
        assert!(waits.starts_with("2024-02 waits for prices of 3 requests in 2024-01, 1.5 gpu.seconds;"), "{waits}");
        unrated.add(month("2024-01"), Meter::Requests, amount("-3")).unwrap();
        unrated.add(month("2024-02"), Meter::GpuSeconds, amount("-1.5")).unwrap();
        assert_eq!(periods.check_closed(month("2024-02"), &unrated), Ok(()));
    }
}
