//! The oracle's rules one by one.

use prost::Message;
use stempoint_schemas::time::Hour;

use super::*;

const NOW_US: i64 = 1_790_000_000_000_000;

fn call(identity: Identity, output_tokens: u64) -> proto::Event {
    let (id, incarnation, sequence) = match identity {
        Identity::Named(id) => (Some(id), None, None),
        Identity::Numbered { incarnation, sequence } => (None, Some(incarnation), Some(sequence)),
    };
    let call = proto::ApiCall {
        customer: Some("acme".into()),
        model: Some("chat".into()),
        provider: Some("node-1".into()),
        input_tokens: Some(10),
        output_tokens: Some(output_tokens),
        cached_input_tokens: Some(3),
        ..Default::default()
    };
    proto::Event {
        id,
        incarnation,
        sequence,
        time_us: Some(NOW_US),
        payload: Some(proto::event::Payload::ApiCall(call)),
    }
}

fn named(id: &str, output_tokens: u64) -> proto::Event {
    call(Identity::Named(id.to_owned()), output_tokens)
}

fn numbered(incarnation: u64, sequence: u64, output_tokens: u64) -> proto::Event {
    call(Identity::Numbered { incarnation, sequence }, output_tokens)
}

fn verdicts(events: &[(&str, proto::Event)]) -> Vec<Verdict> {
    let values: Vec<Vec<u8>> = events.iter().map(|(_, event)| event.encode_to_vec()).collect();
    let records = events.iter().zip(&values).map(|((source, _), value)| Record {
        key: Some(source.as_bytes()),
        value,
        recorded_us: NOW_US,
    });
    decide(records).0
}

const ACCEPTED: Verdict = Verdict::Accepted;
const CONFLICT: Verdict = Verdict::Rejected(Rejection::Conflict);
const CHANGED: Verdict = Verdict::Rejected(Rejection::ChangedNumbering);
const TOO_FAR: Verdict = Verdict::Rejected(Rejection::SequenceTooFar);
const CONTENT: Verdict = Verdict::Rejected(Rejection::Content);

#[test]
fn an_identity_is_accepted_once_per_source() {
    let events = [("a", named("1", 5)), ("b", named("1", 6)), ("a", named("1", 5)), ("a", named("1", 7))];
    assert_eq!(verdicts(&events), [ACCEPTED, ACCEPTED, Verdict::Duplicate { of: 0 }, CONFLICT]);
    let events =
        [("a", numbered(1, 9, 5)), ("a", numbered(2, 9, 5)), ("a", numbered(1, 9, 5)), ("a", numbered(2, 9, 6))];
    assert_eq!(verdicts(&events), [ACCEPTED, ACCEPTED, Verdict::Duplicate { of: 0 }, CONFLICT]);
}

#[test]
fn a_refused_event_claims_nothing() {
    let mut broken = named("1", 5);
    broken.time_us = Some(0);
    let events = [
        ("a", broken),
        ("a", numbered(1, 1, 5)),
        ("a", numbered(1, 2 * SEQUENCE_JUMP_MAX, 1)),
        ("a", numbered(1, 2, 1)),
    ];
    assert_eq!(verdicts(&events), [CONTENT, ACCEPTED, TOO_FAR, ACCEPTED]);
    // The number of the refused one is free, once it is near enough.
    let events = [
        ("a", numbered(1, SEQUENCE_JUMP_MAX + 1, 1)),
        ("a", numbered(1, 1, 1)),
        ("a", numbered(1, SEQUENCE_JUMP_MAX + 1, 2)),
    ];
    assert_eq!(verdicts(&events), [TOO_FAR, ACCEPTED, ACCEPTED]);
}

#[test]
fn the_first_accepted_event_decides_whether_a_source_is_numbered() {
    let events = [("a", numbered(1, 1, 5)), ("a", named("1", 5)), ("b", named("1", 5)), ("b", numbered(1, 1, 5))];
    assert_eq!(verdicts(&events), [ACCEPTED, CHANGED, ACCEPTED, CHANGED]);
    let far = numbered(1, 3 * SEQUENCE_JUMP_MAX, 5);
    assert_eq!(verdicts(&[("a", far), ("a", named("1", 5))]), [TOO_FAR, ACCEPTED]);
}

#[test]
fn sequences_may_jump_so_far_and_come_late() {
    let far = SEQUENCE_JUMP_MAX;
    let events = [
        ("a", numbered(1, far, 5)),
        ("a", numbered(1, 2 * far, 5)),
        ("a", numbered(1, 1, 5)),
        ("a", numbered(1, 3 * far + 1, 5)),
        ("a", numbered(2, far + 1, 5)),
    ];
    assert_eq!(verdicts(&events), [ACCEPTED, ACCEPTED, ACCEPTED, TOO_FAR, TOO_FAR]);
}

#[test]
fn keys_and_times_are_checked() {
    let decide_one = |key: Option<&[u8]>, recorded_us| {
        let value = named("1", 5).encode_to_vec();
        Oracle::default().decide(Record { key, value: &value, recorded_us })
    };
    let long = [b'x'; 257];
    for key in [None, Some(&b""[..]), Some(b"\xff"), Some(b"a\nb"), Some(&long)] {
        assert_eq!(decide_one(key, NOW_US), Verdict::Rejected(Rejection::Source));
    }
    assert_eq!(decide_one(Some(&long[..256]), NOW_US), ACCEPTED);
    assert_eq!(decide_one(Some(b"a"), NOW_US - 300_000_000), ACCEPTED);
    assert_eq!(decide_one(Some(b"a"), NOW_US - 300_000_001), CONTENT);
}

#[test]
fn both_sides_of_the_books_have_the_same_quantities() {
    let events = [named("1", 5).encode_to_vec(), named("2", 7).encode_to_vec(), named("2", 7).encode_to_vec()];
    let records = events.iter().map(|value| Record { key: Some(b"a"), value, recorded_us: NOW_US });
    let (_, accepted) = decide(records);
    let books = Books::of(&accepted);
    let cell = |party: &str, meter| Cell {
        party: party.to_owned(),
        meter,
        model: Some("chat".to_owned()),
        gpu: None,
        region: None,
        hour: Hour(497_222),
    };
    assert_eq!(books.customers.len(), 4);
    assert_eq!(books.customers[&cell("acme", Meter::TokensOutput)], 12_000_000_000);
    assert_eq!(books.customers[&cell("acme", Meter::Requests)], 2_000_000_000);
    assert_eq!(books.providers[&cell("node-1", Meter::TokensCachedInput)], 6_000_000_000);
    assert_eq!(books.total(Meter::TokensInput), 20_000_000_000);
    assert_eq!(books.total(Meter::GpuSeconds), 0);
}
