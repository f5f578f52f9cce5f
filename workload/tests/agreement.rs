//! The oracle, the fold's decoder and the generators' own counts agree on
//! every event that is generated, and on events that are damaged at random.
//!
//! Two codes that were written apart from each other would have to err alike
//! for a wrong rule to pass here.

use std::collections::HashMap;

use proptest::prelude::*;
use stempoint_core::book as price;
use stempoint_core::price_file;
use stempoint_schemas::event::{self, Event, EventKind, Payload, Reason};
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::time::{Instant, Month};
use stempoint_schemas::wire;
use stempoint_workload::bench::{BenchOptions, BenchStream};
use stempoint_workload::demo::{DemoMonth, NEW_MODEL};
use stempoint_workload::simple::{Accepted, Books, Oracle, Record, Rejection, Verdict};

const START_US: i64 = 1_790_000_000_000_000;
/// A day after the demo's last event.
const NOW_US: i64 = 1_796_000_000_000_000;

/// What the fold's own code says about a record, deduplication apart.
fn decoded<'a>(record: &Record<'a>) -> Result<Event<'a>, Reason> {
    let check = || {
        event::check_source(record.key)?;
        let decoded = wire::decode(record.value)?;
        event::check_time(decoded.event.time, record.recorded_us)?;
        Ok(decoded.event)
    };
    check().map_err(|refusal: event::Refusal| refusal.reason)
}

/// The same event, as both see it.
fn assert_same(event: &Event<'_>, accepted: &Accepted) {
    let (kind, customer, provider, model, gpu, region, first) = match event.payload {
        Payload::ApiCall(c) => (
            EventKind::ApiCall,
            Some(c.customer),
            c.provider,
            Some(c.model),
            None,
            c.region,
            [c.input_tokens, c.output_tokens],
        ),
        Payload::GpuUsage(u) => (
            EventKind::GpuUsage,
            Some(u.customer),
            u.node,
            None,
            Some(u.gpu),
            u.region,
            [u.gpu_ns, u.energy_mj.unwrap_or(0)],
        ),
        Payload::Heartbeat(b) => (EventKind::Heartbeat, None, b.node, None, b.gpu, b.region, [0, 0]),
    };
    let units = match kind {
        EventKind::ApiCall => [accepted.quantities[0], accepted.quantities[1]].map(|q| q / 1_000_000_000),
        EventKind::GpuUsage => [accepted.quantities[4], accepted.quantities[5] / 1_000_000],
        EventKind::Heartbeat => [0, 0],
    };
    assert_eq!(accepted.kind, kind);
    assert_eq!(accepted.time_us, event.time.us());
    assert_eq!(accepted.customer.as_deref(), customer);
    assert_eq!(accepted.provider, provider);
    assert_eq!(accepted.model.as_deref(), model);
    assert_eq!(accepted.gpu.as_deref(), gpu);
    assert_eq!(accepted.region.as_deref(), region);
    assert_eq!(units, first.map(i128::from));
}

/// Decides about a record and compares with the fold's code.
fn decide(oracle: &mut Oracle, record: Record<'_>) -> Verdict {
    let verdict = oracle.decide(record);
    match (decoded(&record), verdict) {
        (Ok(event), Verdict::Accepted) => {
            assert_same(&event, oracle.accepted().last().expect("it was accepted"));
        }
        (Err(reason), Verdict::Rejected(rejection)) => {
            assert_eq!(Rejection::from_reason(reason), Some(rejection), "{reason:?}");
        }
        (Ok(_), Verdict::Duplicate { .. }) => {}
        (Ok(_), Verdict::Rejected(rejection)) => {
            assert!(!matches!(rejection, Rejection::Source | Rejection::Content), "{rejection:?} {:?}", record.value);
        }
        (Err(reason), _) => panic!("the decoder says {reason:?}, the oracle {verdict:?}: {:?}", record.value),
    }
    verdict
}

#[test]
fn on_the_benchmark() {
    for seed in [1, 2] {
        let start = Instant::from_us(START_US).expect("the start is a time");
        let mut stream = BenchStream::new(seed, BenchOptions::from_start(start));
        let mut oracle = Oracle::default();
        let (mut accepted, mut duplicates, mut malformed) = (0, 0, 0);
        stream.fill(150_000, &mut |key, value| match decide(
            &mut oracle,
            Record { key: Some(key), value, recorded_us: NOW_US },
        ) {
            Verdict::Accepted => accepted += 1,
            Verdict::Duplicate { .. } => duplicates += 1,
            Verdict::Rejected(rejection) => {
                assert_eq!(rejection, Rejection::Content);
                malformed += 1;
            }
        });
        let counts = stream.counts();
        assert_eq!((accepted, duplicates, malformed), (counts.accepted, counts.duplicates, counts.malformed));
        let books = Books::of(oracle.accepted());
        assert_eq!(books.customers.values().sum::<i128>(), books.providers.values().sum::<i128>());
    }
}

#[test]
fn on_the_demo() {
    for (month, seed) in [("2026-10", 1), ("2026-02", 77)] {
        let demo = DemoMonth::new(Month::parse(month).expect("it is a month"), seed);
        let mut oracle = Oracle::default();
        let mut duplicates = 0;
        let mut rejected: HashMap<Rejection, u64> = HashMap::new();
        let mut reasons: HashMap<Reason, u64> = HashMap::new();
        for event in demo.events() {
            let record = Record { key: Some(event.key), value: event.value, recorded_us: NOW_US };
            if let Err(reason) = decoded(&record) {
                *reasons.entry(reason).or_default() += 1;
            }
            match decide(&mut oracle, record) {
                Verdict::Accepted => {}
                Verdict::Duplicate { .. } => duplicates += 1,
                Verdict::Rejected(rejection) => *rejected.entry(rejection).or_default() += 1,
            }
        }
        let counts = demo.counts();
        for kind in EventKind::ALL {
            let accepted = oracle.accepted().iter().filter(|event| event.kind == kind).count() as u64;
            assert_eq!(accepted, counts.accepted(kind), "{kind:?}");
        }
        assert_eq!(duplicates, counts.duplicates);
        for reason in Reason::ALL {
            let Some(rejection) = Rejection::from_reason(reason) else { continue };
            let same = Reason::ALL.into_iter().filter(|r| Rejection::from_reason(*r) == Some(rejection));
            let expected: u64 = same.map(|reason| counts.rejected(reason)).sum();
            assert_eq!(rejected.get(&rejection).copied().unwrap_or(0), expected, "{rejection:?}");
            // What needs no history, the decoder refuses with the very reason.
            if matches!(rejection, Rejection::Source | Rejection::Content) {
                assert_eq!(reasons.get(&reason).copied().unwrap_or(0), counts.rejected(reason), "{reason:?}");
            }
        }
    }
}

/// How much of each meter and model has no price, though its meter has one.
fn unrated(books: &price::Books, usage: &Books) -> HashMap<(Meter, Option<String>), i128> {
    let mut unrated = HashMap::new();
    for (cell, quantity) in &usage.customers {
        let index = books.in_force("USD", cell.hour).expect("a book holds all month");
        let book = &books.get(index).expect("it was applied").book;
        let value_of = |dimension| match dimension {
            Dimension::Model => cell.model.as_deref(),
            Dimension::Gpu => cell.gpu.as_deref(),
            Dimension::Region => cell.region.as_deref(),
        };
        if book.mentions(cell.meter) && book.find(cell.meter, None, value_of).is_none() {
            *unrated.entry((cell.meter, cell.model.clone())).or_default() += quantity;
        }
    }
    unrated
}

#[test]
fn the_second_book_takes_up_what_the_first_leaves_unrated() {
    let demo = DemoMonth::new(Month::parse("2026-10").expect("it is a month"), 1);
    let mut oracle = Oracle::default();
    for event in demo.events() {
        oracle.decide(Record { key: Some(event.key), value: event.value, recorded_us: NOW_US });
    }
    let usage = Books::of(oracle.accepted());
    let mut books = price::Books::default();
    books.apply(1, price_file::read(&demo.first_book()).expect("it can be applied"));
    let left = unrated(&books, &usage);
    let mut meters: Vec<_> = left.keys().map(|(meter, model)| (*meter, model.as_deref())).collect();
    meters.sort();
    assert_eq!(meters, [(Meter::TokensInput, Some(NEW_MODEL)), (Meter::TokensOutput, Some(NEW_MODEL))]);
    assert!(left.values().all(|quantity| *quantity > 1_000_000 * 1_000_000_000), "{left:?}");
    books.apply(2, price_file::read(&demo.second_book()).expect("it can be applied"));
    assert_eq!(unrated(&books, &usage), HashMap::new());
}

/// Some good events to damage.
fn samples() -> Vec<Vec<u8>> {
    let start = Instant::from_us(START_US).expect("the start is a time");
    let mut stream = BenchStream::new(5, BenchOptions::from_start(start));
    let mut samples = Vec::new();
    stream.fill(40, &mut |_, value| samples.push(value.to_vec()));
    let demo = DemoMonth::new(Month::parse("2026-10").expect("it is a month"), 5);
    samples.extend(demo.events().step_by(9_973).map(|event| event.value.to_vec()));
    samples
}

#[derive(Debug, Clone)]
enum Damage {
    Set(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Insert(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Append(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        1 => at().prop_map(Damage::Remove),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        1 => at().prop_map(Damage::Cut),
        1 => proptest::collection::vec(any::<u8>(), 1..12).prop_map(Damage::Append),
    ]
}

fn damaged(mut value: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        if value.is_empty() {
            return value;
        }
        match damage {
            Damage::Set(at, byte) => {
                let at = at.index(value.len());
                value[at] = *byte;
            }
            Damage::Remove(at) => drop(value.remove(at.index(value.len()))),
            Damage::Insert(at, byte) => value.insert(at.index(value.len()), *byte),
            Damage::Cut(at) => value.truncate(at.index(value.len())),
            Damage::Append(bytes) => value.extend_from_slice(bytes),
        }
    }
    value
}

#[test]
fn on_damaged_events() {
    let samples = samples();
    let strategy = (any::<prop::sample::Index>(), proptest::collection::vec(damage(), 1..4));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(60_000));
    let outcome = runner.run(&strategy, |(which, damages)| {
        let value = damaged(which.get(&samples).clone(), &damages);
        decide(&mut Oracle::default(), Record { key: Some(b"a"), value: &value, recorded_us: NOW_US });
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// Not a check: prints how fast the generators are.
#[test]
#[ignore = "measures; run it alone with --ignored --nocapture"]
fn speed() {
    use stempoint_workload::bench::Sources;
    let start = Instant::from_us(START_US).expect("the start is a time");
    for sources in [Sources::All, Sources::Numbered, Sources::Unnumbered] {
        let began = std::time::Instant::now();
        let mut stream = BenchStream::new(1, BenchOptions { sources, ..BenchOptions::from_start(start) });
        let set_up = began.elapsed();
        let n = 10_000_000;
        let mut bytes = 0;
        let began = std::time::Instant::now();
        stream.fill(n, &mut |key, value| bytes += key.len() + value.len());
        let seconds = began.elapsed().as_secs_f64();
        let speed = n as f64 / seconds / 1e6;
        let mean = stream.counts().value_bytes / n;
        println!("{sources:?}: {speed:.2} M events/s, {mean} bytes each, set up in {set_up:?}, {bytes} bytes");
    }
    let began = std::time::Instant::now();
    let demo = DemoMonth::new(Month::parse("2026-10").expect("it is a month"), 1);
    println!("demo: {:?}, {:?}", began.elapsed(), demo.counts());
}
