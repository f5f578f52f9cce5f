//! A realistic month of a small platform: 12 customers, 6 models, 3 GPU
//! classes, 25 nodes in 3 regions, and what goes wrong in a month: retries,
//! late events, a node that comes back after a day, a gateway that loses its
//! counters, broken producers.
//!
//! Invariant: the month counts what it yields, by how it was made, so that a
//! fold's figures can be compared with it.

mod books;
mod calls;
mod cast;
mod nodes;
mod sending;

use fastrand::Rng;
use stempoint_schemas::event::{EventKind, Reason};
use stempoint_schemas::time::{Instant, Month};

pub use cast::{CUSTOMERS, Customer, GPUS, Gpu, MODELS, Model, NEW_MODEL, REGIONS};

/// One record of the usage log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoEvent<'a> {
    /// When it reached the log in the story. Real record times are later.
    pub arrived: Instant,
    /// The record's key: its source.
    pub key: &'a [u8],
    /// The event on the wire.
    pub value: &'a [u8],
}

/// What a month holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DemoCounts {
    /// Everything that is yielded.
    pub events: u64,
    /// Byte-identical repeats of an accepted event.
    pub duplicates: u64,
    /// Accepted events that arrived more than a minute late.
    pub late: u64,
    /// Accepted calls to the model that has no price in the first book.
    pub new_model_calls: u64,
    accepted: [u64; EventKind::ALL.len()],
    rejected: [u64; Reason::ALL.len()],
}

impl DemoCounts {
    /// New valid events of a kind.
    pub fn accepted(&self, kind: EventKind) -> u64 {
        self.accepted[kind_index(kind)]
    }

    /// New valid events.
    pub fn accepted_total(&self) -> u64 {
        self.accepted.iter().sum()
    }

    /// Events that must be refused with a reason.
    pub fn rejected(&self, reason: Reason) -> u64 {
        self.rejected[reason_index(reason)]
    }

    /// Events that must be refused.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().sum()
    }

    fn count_accepted(&mut self, kind: EventKind) {
        self.accepted[kind_index(kind)] += 1;
    }

    fn count_rejected(&mut self, reason: Reason) {
        self.rejected[reason_index(reason)] += 1;
    }
}

fn kind_index(kind: EventKind) -> usize {
    EventKind::ALL.iter().take_while(|&&other| other != kind).count()
}

fn reason_index(reason: Reason) -> usize {
    Reason::ALL.iter().take_while(|&&other| other != reason).count()
}

/// A month of about 400,000 events, in memory (about 50 MB).
///
/// Its last events arrive in the first days of the next month; a log that
/// records them before the month is over refuses those ahead of its time, so
/// the demo takes a month that is over.
pub struct DemoMonth {
    month: Month,
    keys: Vec<Vec<u8>>,
    values: Vec<u8>,
    /// In the order of arrival.
    sent: Vec<sending::Sent>,
    counts: DemoCounts,
}

impl DemoMonth {
    /// The month of a seed.
    pub fn new(month: Month, seed: u64) -> DemoMonth {
        let mut rng = Rng::with_seed(seed);
        let calendar = Calendar::new(month);
        let nodes = cast::nodes();
        let mut drafts = Vec::new();
        calls::draft(&calendar, &nodes, &mut rng.fork(), &mut drafts);
        nodes::draft(&calendar, &nodes, &mut rng.fork(), &mut drafts);
        // Sources number their events in the order in which they come about.
        drafts.sort_by_key(|draft| draft.time_us);
        sending::send(month, &calendar, &nodes, &drafts, &mut rng)
    }

    /// The calendar month in which the events happen.
    pub const fn month(&self) -> Month {
        self.month
    }

    /// All events in the order of their arrival.
    pub fn events(&self) -> impl ExactSizeIterator<Item = DemoEvent<'_>> {
        self.sent.iter().map(|sent| DemoEvent {
            // A month lies between the years 1 and 9999, and so does what
            // arrives in it; the other branch is never taken.
            arrived: Instant::from_us(sent.arrived_us).unwrap_or_else(|| self.month.end()),
            key: &self.keys[sent.key],
            value: &self.values[sent.start..sent.start + sent.length],
        })
    }

    /// What the events are.
    pub const fn counts(&self) -> &DemoCounts {
        &self.counts
    }

    /// The price book of the whole month, as a file. It has no price for
    /// [`NEW_MODEL`], and `requests` is not billed.
    pub fn first_book(&self) -> String {
        books::first(self.month)
    }

    /// A price book from the 16th on, as a file: cheaper, and with prices for
    /// [`NEW_MODEL`], whose first call is on that day, so that all that was
    /// unrated is taken up when it is applied.
    pub fn second_book(&self) -> String {
        books::second(self.month)
    }
}

/// The month in hours and microseconds.
struct Calendar {
    start_us: i64,
    hours: u32,
}

impl Calendar {
    const MINUTE_US: i64 = 60_000_000;
    const HOUR_US: i64 = 60 * Self::MINUTE_US;

    fn new(month: Month) -> Calendar {
        let start_us = month.start().us();
        let hours = (month.end().us() - start_us) / Self::HOUR_US;
        Calendar { start_us, hours: u32::try_from(hours).unwrap_or(0) }
    }

    /// A day of the month, from 1, and a time of day.
    fn at(&self, day: i64, hour: i64, minute: i64) -> i64 {
        self.start_us + ((day - 1) * 24 + hour) * Self::HOUR_US + minute * Self::MINUTE_US
    }

    fn hour_start_us(&self, hour: u32) -> i64 {
        self.start_us + i64::from(hour) * Self::HOUR_US
    }
}

/// An event before it has an identity and is sent.
struct Draft {
    time_us: i64,
    source: usize,
    /// How long after the event a late one arrives; others arrive in order.
    late_us: Option<i64>,
    body: Body,
}

/// What happened, with the cast by its indexes.
#[derive(Clone, Copy)]
enum Body {
    Call(CallBody),
    Usage(UsageBody),
    Beat(BeatBody),
}

#[derive(Clone, Copy)]
struct CallBody {
    customer: usize,
    model: usize,
    node: usize,
    input_tokens: u64,
    output_tokens: u64,
    cached_input_tokens: Option<u64>,
    latency_us: u64,
    status: &'static str,
    stream: bool,
}

#[derive(Clone, Copy)]
struct UsageBody {
    customer: usize,
    node: usize,
    task: u32,
    gpu_ns: u64,
    busy_ns: u64,
    energy_mj: Option<u64>,
}

#[derive(Clone, Copy)]
struct BeatBody {
    node: usize,
    status: &'static str,
    utilisation_ppm: u64,
    memory_used_bytes: u64,
    temperature_mc: i64,
    power_mw: u64,
}

/// A count whose logarithm is spread as `octaves` says.
fn spread(octaves: &[u32], rng: &mut Rng) -> u64 {
    let octave = octaves[rng.usize(..octaves.len())];
    rng.u64(1 << octave..2 << octave)
}

/// One of the choices, each as often as its part says; `None` where all parts
/// are 0.
fn weighted<T>(choices: impl Iterator<Item = (T, u32)> + Clone, rng: &mut Rng) -> Option<T> {
    let total: u32 = choices.clone().map(|(_, part)| part).sum();
    let mut left = rng.u32(..total.max(1));
    for (choice, part) in choices {
        if left < part {
            return Some(choice);
        }
        left -= part;
    }
    None
}

#[cfg(test)]
mod tests;
