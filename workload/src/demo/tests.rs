//! The month is what it says, for every seed.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;
use stempoint_schemas::event::{Identity, Payload, check_source};
use stempoint_schemas::time::HOUR_US;
use stempoint_schemas::wire;

use super::*;

fn october() -> Month {
    Month::parse("2026-10").expect("it is a month")
}

#[test]
fn the_month_has_what_a_month_has() {
    let month = DemoMonth::new(october(), 1);
    let counts = month.counts();
    assert!((395_000..410_000).contains(&counts.events), "{counts:?}");
    assert_eq!(counts.events, month.events().len() as u64);
    assert_eq!(counts.events, counts.accepted_total() + counts.duplicates + counts.rejected_total());
    assert_eq!(counts.accepted(EventKind::Heartbeat), 25 * 31 * 96);
    assert!((265_000..285_000).contains(&counts.accepted(EventKind::ApiCall)), "{counts:?}");
    assert!((40_000..60_000).contains(&counts.accepted(EventKind::GpuUsage)), "{counts:?}");
    assert!((4_000..8_000).contains(&counts.duplicates), "{counts:?}");
    assert!((1_500..4_000).contains(&counts.late), "{counts:?}");
    assert!((2_000..12_000).contains(&counts.new_model_calls), "{counts:?}");
    // What a producer cannot cause with the log's own client.
    let impossible = [Reason::NoSource, Reason::WrongPartition];
    for reason in Reason::ALL {
        assert_eq!(counts.rejected(reason) > 0, !impossible.contains(&reason), "{reason:?}: {counts:?}");
    }

    let mut arrived = month.month().start();
    let (mut customers, mut models, mut gpus, mut nodes) =
        (HashSet::new(), HashSet::new(), HashSet::new(), HashSet::new());
    let mut launch_us = i64::MAX;
    for event in month.events() {
        assert!(event.arrived >= arrived, "events come in the order of arrival");
        arrived = event.arrived;
        let Ok(decoded) = wire::decode(event.value) else { continue };
        let time = decoded.event.time;
        assert!(time < event.arrived || time >= month.month().end(), "nothing but broken clocks is ahead");
        match decoded.event.payload {
            Payload::ApiCall(call) => {
                customers.insert(call.customer);
                models.insert(call.model);
                nodes.insert(call.provider);
                if call.model == NEW_MODEL {
                    launch_us = launch_us.min(time.us());
                }
            }
            Payload::GpuUsage(usage) => {
                customers.insert(usage.customer);
                gpus.insert(usage.gpu);
                nodes.insert(usage.node);
            }
            Payload::Heartbeat(beat) => drop(nodes.insert(beat.node)),
        }
    }
    assert_eq!((customers.len(), models.len(), gpus.len(), nodes.len()), (12, 6, 3, 25));
    assert_eq!(launch_us / HOUR_US, Instant::parse("2026-10-16T08:00:00Z").expect("it is a time").us() / HOUR_US);
    assert!(arrived > month.month().end(), "something arrives after the month's end");
}

#[test]
fn days_and_weekends_have_their_rhythm() {
    let month = DemoMonth::new(october(), 1);
    let mut by_day: BTreeMap<i64, u64> = BTreeMap::new();
    let mut by_hour = [0u64; 24];
    for event in month.events() {
        if let Ok(decoded) = wire::decode(event.value)
            && let Payload::ApiCall(call) = decoded.event.payload
            && call.customer == "acme-robotics"
        {
            let hour = decoded.event.time.us().div_euclid(HOUR_US);
            *by_day.entry((hour - october().start().us() / HOUR_US).div_euclid(24)).or_default() += 1;
            by_hour[hour.rem_euclid(24) as usize] += 1;
        }
    }
    // 2026-10-01 is a Thursday, so days 2 and 3 are a weekend.
    assert!(by_day[&2] * 3 < by_day[&4], "{by_day:?}");
    assert!(by_hour[2] * 5 < by_hour[9], "{by_hour:?}");
}

#[test]
fn numbered_sources_count_without_gaps_and_one_starts_again() {
    let month = DemoMonth::new(october(), 1);
    let mut seen: HashMap<(&[u8], u64), HashSet<u64>> = HashMap::new();
    for event in month.events() {
        if let Ok(decoded) = wire::decode(event.value)
            && let Identity::Numbered { incarnation, sequence } = decoded.event.identity
            && sequence < 1 << 50
            && check_source(Some(event.key)).is_ok()
            && !event.key.ends_with(b"/001")
        {
            seen.entry((event.key, incarnation)).or_default().insert(sequence);
        }
    }
    for (of, sequences) in &seen {
        assert!(sequences.contains(&1), "{of:?}");
        assert_eq!(sequences.iter().max(), Some(&(sequences.len() as u64)), "{of:?} has a gap");
    }
    let again: Vec<_> = seen.keys().filter(|(_, incarnation)| *incarnation == 2).collect();
    assert_eq!(again, [&(&b"gateway/ap-1/000"[..], 2)]);
}

#[test]
fn a_node_comes_back_after_a_day_with_all_that_it_kept() {
    let month = DemoMonth::new(october(), 1);
    let kept = month.events().filter(|event| {
        let time_us = wire::decode(event.value).map(|decoded| decoded.event.time.us()).unwrap_or(i64::MAX);
        event.key.starts_with(b"node/") && event.arrived.us().saturating_sub(time_us) > 6 * HOUR_US
    });
    let arrived: Vec<(&[u8], Instant)> = kept.map(|event| (event.key, event.arrived)).collect();
    assert!(arrived.len() > 80, "{}", arrived.len());
    let (first, last) = (arrived[0], arrived[arrived.len() - 1]);
    assert!(arrived.iter().all(|(key, _)| *key == first.0), "it is one node");
    assert!(last.1.us() - first.1.us() < 10 * 60_000_000, "it sends all at once");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2))]

    #[test]
    fn the_same_seed_is_the_same_month(seed in any::<u64>(), index in 2020i32 * 12..2040 * 12) {
        let month = Month::from_index(index);
        let one = DemoMonth::new(month, seed);
        let other = DemoMonth::new(month, seed);
        prop_assert!(one.events().eq(other.events()));
        prop_assert_eq!(one.counts(), other.counts());
        prop_assert!((375_000..415_000).contains(&one.counts().events), "{:?}", one.counts());
        prop_assert!(!one.events().eq(DemoMonth::new(month, seed ^ 1).events()));
    }
}
