//! The events of `stempoint bench`: values of 100 to 200 bytes; 10,000
//! customers, or another number, by a Zipf law, each using 1 to 4 of 50 models,
//! each model served by 10 of 500 nodes; 200 gateways, half of them numbered; 2 % duplicates,
//! 0.1 % malformed, 1 % up to an hour late.
//!
//! Invariants: an event is a function of the seed and its place in the stream
//! (and, where its source is numbered, of how many came from there before), so
//! that leaving sources out changes no event of the others, and a duplicate is
//! made again from its place instead of being kept. Memory is bounded however
//! long the stream is.

mod content;
mod history;
mod population;
mod zipf;

use fastrand::Rng;
use prost::Message;
use stempoint_schemas::proto;
use stempoint_schemas::time::Instant;

use crate::fault::{Fault, spoil};
use content::{Renderer, Scene};
use history::{History, Past};
use population::{Population, SOURCES};

/// Seconds of a day.
pub const SECONDS_PER_DAY: u64 = 86_400;

/// Which sources a stream yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sources {
    /// All of them.
    All,
    /// Only those whose events are numbered.
    Numbered,
    /// Only those whose events have ids.
    Unnumbered,
}

/// What a stream is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BenchOptions {
    /// The event clock at the first event. Late events lie up to an hour
    /// before it.
    pub start: Instant,
    /// How fast the event clock runs, over all sources; 0 counts as 1.
    pub events_per_day: u64,
    /// How many customers there are; 0 counts as 1.
    pub customers: u32,
    /// Which sources to yield.
    pub sources: Sources,
}

impl BenchOptions {
    /// 20,000 events per second of 10,000 customers from all sources.
    pub const fn from_start(start: Instant) -> BenchOptions {
        BenchOptions {
            start,
            events_per_day: 20_000 * SECONDS_PER_DAY,
            customers: population::CUSTOMERS as u32,
            sources: Sources::All,
        }
    }

    /// With so many events in so many hours, and none after them.
    #[must_use]
    pub fn spread_over(self, events: u64, hours: u64) -> BenchOptions {
        BenchOptions { events_per_day: events.saturating_mul(24).div_ceil(hours.max(1)), ..self }
    }
}

/// What a stream has yielded so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BenchCounts {
    /// Everything: accepted, duplicates and malformed ones.
    pub events: u64,
    /// New valid events: what the fold must accept.
    pub accepted: u64,
    /// Accepted events of numbered sources.
    pub accepted_numbered: u64,
    /// Accepted calls to models; the other accepted events are GPU usage.
    pub accepted_api_calls: u64,
    /// Accepted events that were late.
    pub accepted_late: u64,
    /// Byte-identical repeats of an accepted event of the same source.
    pub duplicates: u64,
    /// Events that the decoder must refuse.
    pub malformed: u64,
    /// Bytes of all values, keys apart.
    pub value_bytes: u64,
}

/// The faults of malformed events: those that the value alone shows.
const FAULTS: [Fault; 8] = [
    Fault::Truncated,
    Fault::WrongWireType,
    Fault::UnknownField,
    Fault::UnknownType,
    Fault::MissingField,
    Fault::BadText,
    Fault::OutOfRange,
    Fault::BadIdentity,
];

/// A stream without end.
pub struct BenchStream {
    seed: u64,
    options: BenchOptions,
    population: Population,
    histories: Vec<History>,
    renderer: Renderer,
    next: u64,
    counts: BenchCounts,
}

impl BenchStream {
    /// The stream of a seed, at its beginning.
    pub fn new(seed: u64, options: BenchOptions) -> BenchStream {
        let (events_per_day, customers) = (options.events_per_day.max(1), options.customers.max(1));
        let options = BenchOptions { events_per_day, customers, ..options };
        BenchStream {
            seed: mixed(seed),
            options,
            population: Population::new(seed, customers),
            histories: vec![History::default(); SOURCES],
            renderer: Renderer::default(),
            next: 0,
            counts: BenchCounts::default(),
        }
    }

    /// Yields the next `n` events as (source, value), in the order in which
    /// they go onto the log.
    pub fn fill(&mut self, n: u64, each: &mut dyn FnMut(&[u8], &[u8])) {
        let mut left = n;
        while left > 0 {
            let place = self.next;
            self.next += 1;
            // The clock runs for sources that are left out as well.
            let (head, rng) = self.begin(place);
            if self.includes(head.source()) {
                left -= 1;
                self.yield_event(place, head, rng, each);
            }
        }
    }

    /// What was yielded so far.
    pub const fn counts(&self) -> &BenchCounts {
        &self.counts
    }

    /// The event clock: the moment at which the next event comes about. It
    /// stops at the end of time (year 9999).
    pub fn clock(&self) -> Instant {
        Instant::from_us(self.clock_us(self.next)).unwrap_or(self.options.start)
    }

    /// All sources that can be yielded, each with whether it is numbered.
    pub fn sources(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let keys = self.population.sources.iter().enumerate();
        keys.filter(|(index, _)| self.includes(*index)).map(|(index, key)| (key.as_bytes(), is_numbered(index)))
    }

    fn includes(&self, source: usize) -> bool {
        match self.options.sources {
            Sources::All => true,
            Sources::Numbered => is_numbered(source),
            Sources::Unnumbered => !is_numbered(source),
        }
    }

    fn yield_event(&mut self, place: u64, head: Head, mut rng: Rng, each: &mut dyn FnMut(&[u8], &[u8])) {
        let source = head.source();
        let key = self.population.sources[source].as_bytes();
        self.counts.events += 1;
        match head.fate() {
            Fate::Repeat if self.histories[source].made() > 0 => {
                let past = self.histories[source].pick(&mut rng);
                let (head, mut rng) = self.begin(past.place);
                let scene = self.scene(past, head);
                self.renderer.render(&self.population, &scene, &mut rng);
                self.counts.duplicates += 1;
            }
            Fate::Spoil => {
                // It claims no number: the next good event gets it.
                let scene = self.scene(self.histories[source].next(place), head);
                self.renderer.render(&self.population, &scene, &mut rng);
                let good = proto::Event::decode(self.renderer.value()).unwrap_or_default();
                let bytes = spoil(FAULTS[rng.usize(..FAULTS.len())], &good, &mut rng);
                self.counts.malformed += 1;
                self.counts.value_bytes += bytes.len() as u64;
                each(key, &bytes);
                return;
            }
            _ => {
                let past = self.histories[source].next(place);
                let scene = self.scene(past, head);
                let is_call = self.renderer.render(&self.population, &scene, &mut rng);
                self.histories[source].keep(past, &mut rng);
                self.counts.accepted += 1;
                self.counts.accepted_numbered += u64::from(is_numbered(source));
                self.counts.accepted_api_calls += u64::from(is_call);
                self.counts.accepted_late += u64::from(scene.late);
            }
        }
        let value = self.renderer.value();
        self.counts.value_bytes += value.len() as u64;
        each(key, value);
    }

    /// What decides about the event at a place, and the randomness of its
    /// content.
    fn begin(&self, place: u64) -> (Head, Rng) {
        let mut rng = Rng::with_seed(mixed(self.seed.wrapping_add(place)));
        (Head(rng.u64(..)), rng)
    }

    fn scene(&self, past: Past, head: Head) -> Scene {
        Scene {
            clock_us: self.clock_us(past.place),
            late: matches!(head.fate(), Fate::Delay),
            sequence: is_numbered(head.source()).then_some(past.sequence),
        }
    }

    fn clock_us(&self, place: u64) -> i64 {
        let day_us = u128::from(SECONDS_PER_DAY) * 1_000_000;
        let elapsed = u128::from(place) * day_us / u128::from(self.options.events_per_day);
        self.options.start.us().saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }
}

/// The first random word of an event.
#[derive(Clone, Copy)]
struct Head(u64);

/// What becomes of an event.
enum Fate {
    /// It repeats an earlier one.
    Repeat,
    /// It is malformed.
    Spoil,
    /// It is late.
    Delay,
    /// Nothing: it is new, valid and in time.
    Pass,
}

impl Head {
    fn source(self) -> usize {
        (((self.0 >> 32) * SOURCES as u64) >> 32) as usize
    }

    fn fate(self) -> Fate {
        // Parts of 2^32: 2 %, 0.1 % and 1 %.
        const REPEAT_END: u64 = (1 << 32) * 20 / 1000;
        const SPOIL_END: u64 = (1 << 32) * 21 / 1000;
        const DELAY_END: u64 = (1 << 32) * 31 / 1000;
        match self.0 & 0xffff_ffff {
            0..REPEAT_END => Fate::Repeat,
            REPEAT_END..SPOIL_END => Fate::Spoil,
            SPOIL_END..DELAY_END => Fate::Delay,
            _ => Fate::Pass,
        }
    }
}

/// Every other source is numbered.
fn is_numbered(source: usize) -> bool {
    source.is_multiple_of(2)
}

/// Spreads a number over all bits, one to one: different places of a stream
/// never get the same random numbers.
fn mixed(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests;
