//! The stream is what the issue says, on every run.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use stempoint_schemas::event::{Identity, Payload};
use stempoint_schemas::wire;

use super::population::{CUSTOMERS, MODELS, MODELS_OF_CUSTOMER_MAX, NODES, NODES_PER_MODEL};
use super::*;

const START_US: i64 = 1_790_000_000_000_000;

fn options(sources: Sources) -> BenchOptions {
    let start = Instant::from_us(START_US).expect("the start is a time");
    BenchOptions { sources, ..BenchOptions::from_start(start) }
}

/// Key and value.
type Record = (Vec<u8>, Vec<u8>);

fn events(seed: u64, sources: Sources, n: u64) -> (Vec<Record>, BenchCounts) {
    let mut stream = BenchStream::new(seed, options(sources));
    let mut events = Vec::new();
    stream.fill(n, &mut |key, value| events.push((key.to_vec(), value.to_vec())));
    (events, *stream.counts())
}

/// FNV-1a, so that the bytes can be pinned without another dependency.
fn checksum(events: &[Record]) -> u64 {
    events
        .iter()
        .flat_map(|(key, value)| key.iter().chain(value))
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_bytes_of_a_seed_never_change() {
    let (events, _) = events(1, Sources::All, 10_000);
    assert_eq!(checksum(&events), 16_006_992_357_987_417_768, "benchmarks of different versions would not compare");
}

#[test]
fn the_mix_is_the_one_that_was_asked_for() {
    let n = 400_000;
    let (events, counts) = events(7, Sources::All, n);
    assert_eq!(counts.events, n);
    assert_eq!(counts.accepted + counts.duplicates + counts.malformed, n);
    assert_eq!(counts.value_bytes, events.iter().map(|(_, value)| value.len() as u64).sum::<u64>());
    let per_mille = |count: u64| count as f64 * 1000.0 / n as f64;
    assert!((19.0..21.0).contains(&per_mille(counts.duplicates)), "{counts:?}");
    assert!((0.8..1.2).contains(&per_mille(counts.malformed)), "{counts:?}");
    assert!((9.5..10.5).contains(&per_mille(counts.accepted_late)), "{counts:?}");
    assert!((860.0..890.0).contains(&per_mille(counts.accepted_api_calls)), "{counts:?}");
    assert!((470.0..500.0).contains(&per_mille(counts.accepted_numbered)), "{counts:?}");

    let mut next: HashMap<&[u8], u64> = HashMap::new();
    let mut seen: HashSet<(&[u8], &[u8])> = HashSet::new();
    let mut ids: HashSet<&str> = HashSet::new();
    let mut models: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut nodes: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut uses: HashMap<&str, u64> = HashMap::new();
    let mut found = BenchCounts::default();
    let mut encoded = Vec::new();
    for (place, (key, value)) in events.iter().enumerate() {
        let Ok(decoded) = wire::decode(value) else {
            found.malformed += 1;
            continue;
        };
        assert!((100..=200).contains(&value.len()), "{} bytes", value.len());
        encoded.clear();
        wire::encode(&decoded.event, &mut encoded);
        assert_eq!(&encoded, value, "the bytes are canonical");
        if !seen.insert((key, value)) {
            found.duplicates += 1;
            continue;
        }
        found.accepted += 1;
        match decoded.event.identity {
            Identity::Numbered { incarnation, sequence } => {
                let expected = next.entry(key).or_insert(1);
                assert_eq!((incarnation, sequence), (1, *expected));
                *expected += 1;
                found.accepted_numbered += 1;
            }
            Identity::Named(id) => {
                assert_eq!(id.len(), 26);
                assert!(ids.insert(id), "two events have the id {id}");
            }
        }
        let age_us = START_US + place as i64 * 50 - decoded.event.time.us();
        assert!((0..3_600_000_000).contains(&age_us));
        found.accepted_late += u64::from(age_us > 250_000);
        let customer = match decoded.event.payload {
            Payload::ApiCall(call) => {
                found.accepted_api_calls += 1;
                models.entry(call.customer).or_default().insert(call.model);
                nodes.entry(call.model).or_default().insert(call.provider);
                call.customer
            }
            Payload::GpuUsage(usage) => {
                assert!(usage.busy_ns <= Some(usage.gpu_ns));
                usage.customer
            }
            Payload::Heartbeat(_) => unreachable!("the mix has no heartbeats"),
        };
        *uses.entry(customer).or_default() += 1;
    }
    assert_eq!(found, BenchCounts { events: 0, value_bytes: 0, ..counts }, "the stream counts what it yields");

    assert_eq!(nodes.len(), MODELS);
    assert!(nodes.values().all(|nodes| nodes.len() == NODES_PER_MODEL));
    assert_eq!(nodes.values().flatten().collect::<HashSet<_>>().len(), NODES);
    assert!(models.values().all(|models| models.len() <= MODELS_OF_CUSTOMER_MAX));
    assert!(uses.len() > CUSTOMERS * 9 / 10, "{} customers", uses.len());
    let mut uses: Vec<u64> = uses.into_values().collect();
    uses.sort_unstable_by(|a, b| b.cmp(a));
    // 1 / (1 + 1/2 + … + 1/10000) = 10.2 %, and a tenth of that at rank 10.
    assert!((97.0..107.0).contains(&per_mille(uses[0])), "{}", uses[0]);
    assert!((9.2..11.2).contains(&per_mille(uses[9])), "{}", uses[9]);
    let by_key: HashSet<&Vec<u8>> = events.iter().map(|(key, _)| key).collect();
    assert_eq!(by_key.len(), SOURCES);
    assert!(by_key.contains(&b"gateway/eu-1/017".to_vec()));
}

#[test]
fn some_duplicates_repeat_an_event_from_long_ago() {
    let (events, counts) = events(9, Sources::All, 200_000);
    let mut first: HashMap<&Record, usize> = HashMap::new();
    let mut backs = Vec::new();
    for (place, event) in events.iter().enumerate() {
        match first.get(event) {
            Some(original) => backs.push(place - original),
            None => drop(first.insert(event, place)),
        }
    }
    // Two malformed events can be the same as well, if hardly ever.
    assert!(backs.len().abs_diff(counts.duplicates as usize) < 5);
    let old = backs.iter().filter(|&&back| back > 20_000).count();
    assert!((backs.len() / 20..backs.len() / 8).contains(&old), "{old} of {} are old", backs.len());
}

#[test]
fn the_clock_runs_as_fast_as_it_is_told() {
    let options = BenchOptions { events_per_day: 1000 * SECONDS_PER_DAY, ..options(Sources::All) };
    let mut stream = BenchStream::new(1, options);
    stream.fill(5000, &mut |_, _| {});
    assert_eq!(stream.clock().us(), START_US + 5_000_000);
    let mut never = BenchStream::new(1, BenchOptions { events_per_day: 0, ..options });
    never.fill(1, &mut |_, _| {});
    assert_eq!(never.clock().us(), START_US + 86_400_000_000);
}

#[test]
fn events_are_spread_over_the_hours_and_customers_that_are_asked_for() {
    for (events, hours) in [(7_000, 720), (100, 1), (3, 10), (1, 24)] {
        let options = BenchOptions { customers: 9, ..options(Sources::All) }.spread_over(events, hours);
        let mut stream = BenchStream::new(3, options);
        let mut customers = HashSet::new();
        stream.fill(events, &mut |_, value| {
            if let Ok(decoded) = wire::decode(value) {
                assert!(decoded.event.time.us() < START_US + hours as i64 * 3_600_000_000);
                customers.insert(match decoded.event.payload {
                    Payload::ApiCall(call) => call.customer.to_owned(),
                    Payload::GpuUsage(usage) => usage.customer.to_owned(),
                    Payload::Heartbeat(_) => unreachable!("the mix has no heartbeats"),
                });
            }
        });
        assert!(customers.len() <= 9);
        assert!(events < 1000 || customers.len() == 9, "{} customers", customers.len());
    }
}

#[test]
fn half_of_the_sources_are_numbered() {
    let numbered = |sources| BenchStream::new(1, options(sources)).sources().filter(|(_, numbered)| *numbered).count();
    assert_eq!(numbered(Sources::All), 100);
    assert_eq!(numbered(Sources::Numbered), 100);
    assert_eq!(numbered(Sources::Unnumbered), 0);
    assert_eq!(BenchStream::new(1, options(Sources::All)).sources().count(), 200);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// How the stream is cut does not matter, nor which sources are left out.
    #[test]
    fn the_parts_are_the_whole(seed in any::<u64>(), cuts in proptest::collection::vec(0u64..700, 1..6)) {
        let n = cuts.iter().sum();
        let (whole, counts) = events(seed, Sources::All, n);
        let mut stream = BenchStream::new(seed, options(Sources::All));
        let mut parts = Vec::new();
        for cut in cuts {
            stream.fill(cut, &mut |key, value| parts.push((key.to_vec(), value.to_vec())));
        }
        prop_assert_eq!(&parts, &whole);
        prop_assert_eq!(*stream.counts(), counts);

        let keys: HashSet<Vec<u8>> =
            stream.sources().filter(|(_, numbered)| *numbered).map(|(key, _)| key.to_vec()).collect();
        let (numbered, unnumbered): (Vec<_>, Vec<_>) = whole.into_iter().partition(|(key, _)| keys.contains(key));
        let (only_numbered, first) = events(seed, Sources::Numbered, numbered.len() as u64);
        let (only_unnumbered, second) = events(seed, Sources::Unnumbered, unnumbered.len() as u64);
        prop_assert_eq!(only_numbered, numbered);
        prop_assert_eq!(only_unnumbered, unnumbered);
        prop_assert_eq!(first.accepted + second.accepted, counts.accepted);
        prop_assert_eq!(first.accepted_numbered, first.accepted);
        prop_assert_eq!(second.accepted_numbered, 0);
    }
}
