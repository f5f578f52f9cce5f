//! The hand-written codec against prost's, which is written by others from
//! the same proto file.

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::event::{ApiCall, Event, GpuUsage, Heartbeat, Identity, Payload, Reason};
use crate::proto;
use crate::time::Instant;

fn text() -> impl Strategy<Value = String> {
    "[ -~äß漢]{1,40}"
}

fn some_text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(text())
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..200, 0u64..=1_000_000_000_000_000]
}

fn some_count() -> impl Strategy<Value = Option<u64>> {
    proptest::option::of(count())
}

fn api_call() -> impl Strategy<Value = proto::ApiCall> {
    (
        text(),
        text(),
        text(),
        count(),
        count(),
        some_count(),
        some_count(),
        some_text(),
        some_text(),
        any::<Option<bool>>(),
    )
        .prop_map(|(c, m, p, i, o, ci, l, s, r, st)| proto::ApiCall {
            customer: Some(c),
            model: Some(m),
            provider: Some(p),
            input_tokens: Some(i),
            output_tokens: Some(o),
            cached_input_tokens: ci,
            latency_us: l,
            status: s,
            region: r,
            stream: st,
        })
}

fn gpu_usage() -> impl Strategy<Value = proto::GpuUsage> {
    (text(), text(), text(), count(), some_text(), some_text(), some_count(), some_count()).prop_map(
        |(c, n, g, ns, t, r, b, e)| proto::GpuUsage {
            customer: Some(c),
            node: Some(n),
            gpu: Some(g),
            gpu_ns: Some(ns),
            task: t,
            region: r,
            busy_ns: b,
            energy_mj: e,
        },
    )
}

fn heartbeat() -> impl Strategy<Value = proto::NodeHeartbeat> {
    (
        (text(), text(), some_text(), proptest::option::of(0u64..=1_000_000)),
        (some_count(), proptest::option::of(-273_150i64..=1_000_000), some_count(), some_text()),
    )
        .prop_map(|((n, s, g, u), (m, t, p, r))| proto::NodeHeartbeat {
            node: Some(n),
            status: Some(s),
            gpu: g,
            utilisation_ppm: u,
            memory_used_bytes: m,
            temperature_mc: t,
            power_mw: p,
            region: r,
        })
}

fn event() -> impl Strategy<Value = proto::Event> {
    use proto::event::Payload;
    let payload = prop_oneof![
        api_call().prop_map(Payload::ApiCall),
        gpu_usage().prop_map(Payload::GpuUsage),
        heartbeat().prop_map(Payload::Heartbeat),
    ];
    let identity = prop_oneof![
        text().prop_map(|id| (Some(id), None, None)),
        (0u64..1 << 53, 1u64..1 << 53).prop_map(|(i, s)| (None, Some(i), Some(s))),
    ];
    (identity, 0i64..4_000_000_000_000_000, payload).prop_map(|((id, incarnation, sequence), time, payload)| {
        proto::Event { id, incarnation, sequence, time_us: Some(time), payload: Some(payload) }
    })
}

/// What prost decoded, as a borrowed event.
fn borrowed(event: &proto::Event) -> Event<'_> {
    let identity = match (&event.id, event.incarnation, event.sequence) {
        (Some(id), _, _) => Identity::Named(id),
        (None, incarnation, sequence) => {
            Identity::Numbered { incarnation: incarnation.unwrap_or_default(), sequence: sequence.unwrap_or_default() }
        }
    };
    use proto::event::Payload as P;
    let payload = match event.payload.as_ref().unwrap() {
        P::ApiCall(c) => Payload::ApiCall(ApiCall {
            customer: c.customer(),
            model: c.model(),
            provider: c.provider(),
            input_tokens: c.input_tokens(),
            output_tokens: c.output_tokens(),
            cached_input_tokens: c.cached_input_tokens,
            latency_us: c.latency_us,
            status: c.status.as_deref(),
            region: c.region.as_deref(),
            stream: c.stream,
        }),
        P::GpuUsage(u) => Payload::GpuUsage(GpuUsage {
            customer: u.customer(),
            node: u.node(),
            gpu: u.gpu(),
            gpu_ns: u.gpu_ns(),
            task: u.task.as_deref(),
            region: u.region.as_deref(),
            busy_ns: u.busy_ns,
            energy_mj: u.energy_mj,
        }),
        P::Heartbeat(h) => Payload::Heartbeat(Heartbeat {
            node: h.node(),
            status: h.status(),
            gpu: h.gpu.as_deref(),
            utilisation_ppm: h.utilisation_ppm,
            memory_used_bytes: h.memory_used_bytes,
            temperature_mc: h.temperature_mc,
            power_mw: h.power_mw,
            region: h.region.as_deref(),
        }),
        P::Unusable(_) => unreachable!("the strategy makes none"),
    };
    Event { identity, time: Instant::from_us(event.time_us.unwrap()).unwrap(), payload }
}

proptest! {
    #[test]
    fn agrees_with_prost(event in event()) {
        let bytes = event.encode_to_vec();
        let decoded = decode(&bytes).unwrap();
        prop_assert_eq!(decoded.event, borrowed(&event));
        prop_assert!(decoded.canonical);
        let mut again = Vec::new();
        encode(&decoded.event, &mut again);
        prop_assert_eq!(again, bytes);
    }

    #[test]
    fn other_orders_are_read_but_not_canonical(event in event()) {
        let bytes = event.encode_to_vec();
        // The time field is nine bytes; moved to the front it stands before the identity.
        let at = bytes.len() - {
            let mut rest = event.clone();
            rest.id = None;
            rest.incarnation = None;
            rest.sequence = None;
            rest.encoded_len()
        };
        let mut moved = bytes[at..at + 9].to_vec();
        moved.extend_from_slice(&bytes[..at]);
        moved.extend_from_slice(&bytes[at + 9..]);
        let decoded = decode(&moved).unwrap();
        prop_assert_eq!(decoded.event, borrowed(&event));
        prop_assert!(!decoded.canonical);
        let mut again = Vec::new();
        encode(&decoded.event, &mut again);
        prop_assert_eq!(again, bytes);
    }

    #[test]
    fn cut_or_changed_bytes_never_panic(event in event(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let bytes = event.encode_to_vec();
        let at = cut.index(bytes.len());
        prop_assert!(decode(&bytes[..at]).is_err());
        let mut changed = bytes;
        changed[at] ^= byte;
        if let Ok(decoded) = decode(&changed) {
            let mut again = Vec::new();
            encode(&decoded.event, &mut again);
            // What is accepted has one meaning: its canonical bytes.
            prop_assert_eq!(decode(&again).unwrap().event, decoded.event);
            prop_assert_eq!(decoded.canonical, again == changed);
        }
    }

    #[test]
    fn rubbish_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
    }
}

#[test]
fn unusable_input_is_refused_with_its_reason() {
    let mut bytes = Vec::new();
    encode_unusable("gpu_seconds is not a number", b"{}", &mut bytes);
    let refusal = decode(&bytes).unwrap_err();
    assert_eq!(refusal.reason, Reason::Unusable);
    assert_eq!(refusal.detail, "gpu_seconds is not a number");
    assert!(matches!(proto::Event::decode(&bytes[..]).unwrap().payload, Some(proto::event::Payload::Unusable(_))));
}
