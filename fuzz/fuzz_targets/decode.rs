//! Bytes of the usage topic: decoding, the rules, and the canonical form.
//!
//! No input may panic. What is accepted has one meaning: its canonical bytes
//! decode to the same event. And prost, which is written by others from the
//! same proto file, must agree: it reads every accepted record as the same
//! event, and whatever prost itself writes is accepted exactly if its values
//! keep the rules.

#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use stempoint_schemas::event::{COUNT_MAX, NUMBER_MAX, SPAN_NS_MAX, TEXT_BYTES_MAX, check_source, check_time};
use stempoint_schemas::hash::content_hash;
use stempoint_schemas::proto::event::Payload;
use stempoint_schemas::time::Instant;
use stempoint_schemas::{proto, wire};

const SOURCE: &[u8] = b"fuzz";
const RECORDED_US: i64 = 1_709_208_000_000_000;

fuzz_target!(|bytes: &[u8]| {
    // The beginning serves as a key as well, which any bytes can be.
    let _ = check_source(Some(&bytes[..bytes.len().min(300)]));
    let theirs = proto::Event::decode(bytes);
    match wire::decode(bytes) {
        Ok(ours) => {
            let _ = check_time(ours.event.time, RECORDED_US);
            let mut canonical = Vec::new();
            wire::encode(&ours.event, &mut canonical);
            assert_eq!(ours.canonical, canonical == bytes, "whether the bytes are canonical");
            let again = wire::decode(&canonical).expect("canonical bytes are accepted");
            assert_eq!(again.event, ours.event);
            assert!(again.canonical);
            assert_eq!(content_hash(SOURCE, &canonical), {
                let mut once_more = Vec::new();
                wire::encode(&again.event, &mut once_more);
                content_hash(SOURCE, &once_more)
            });
            let theirs = theirs.expect("prost reads what is accepted");
            assert_eq!(theirs.encode_to_vec(), canonical, "prost reads the same event");
            assert!(keeps_the_rules(&theirs), "{theirs:?}");
        }
        Err(refusal) => {
            assert!(!refusal.detail.is_empty() || refusal.reason.code() == "unusable");
            assert!(refusal.detail.len() < 10_000, "a refusal is short: {}", refusal.detail.len());
            if let Ok(theirs) = theirs {
                // Twice the same field, unknown fields and long numbers are gone
                // from what prost writes; then only the rules are left.
                let written = theirs.encode_to_vec();
                assert_eq!(wire::decode(&written).is_ok(), keeps_the_rules(&theirs), "{theirs:?}");
            }
        }
    }
});

/// The rules once more, from the words of `proto/event.proto`.
fn keeps_the_rules(event: &proto::Event) -> bool {
    let identity = match (&event.id, event.incarnation, event.sequence) {
        (Some(id), None, None) => text(id),
        (None, Some(incarnation), Some(sequence)) => {
            incarnation <= NUMBER_MAX && (1..=NUMBER_MAX).contains(&sequence)
        }
        _ => false,
    };
    let time = event.time_us.is_some_and(|us| Instant::from_us(us).is_some());
    identity && time && event.payload.as_ref().is_some_and(payload)
}

fn payload(payload: &Payload) -> bool {
    match payload {
        Payload::ApiCall(call) => {
            [&call.customer, &call.model, &call.provider].into_iter().all(needed)
                && [&call.status, &call.region].into_iter().all(optional)
                && [call.input_tokens, call.output_tokens].into_iter().all(|n| n.is_some_and(|n| n <= COUNT_MAX))
                && [call.cached_input_tokens, call.latency_us].into_iter().all(|n| n.is_none_or(|n| n <= COUNT_MAX))
        }
        Payload::GpuUsage(usage) => {
            [&usage.customer, &usage.node, &usage.gpu].into_iter().all(needed)
                && [&usage.task, &usage.region].into_iter().all(optional)
                && usage.gpu_ns.is_some_and(|ns| ns < SPAN_NS_MAX)
                && usage.busy_ns.is_none_or(|ns| ns < SPAN_NS_MAX)
                && usage.energy_mj.is_none_or(|mj| mj <= COUNT_MAX)
        }
        Payload::Heartbeat(beat) => {
            [&beat.node, &beat.status].into_iter().all(needed)
                && [&beat.gpu, &beat.region].into_iter().all(optional)
                && beat.utilisation_ppm.is_none_or(|ppm| ppm <= 1_000_000)
                && [beat.memory_used_bytes, beat.power_mw].into_iter().all(|n| n.is_none_or(|n| n <= COUNT_MAX))
                && beat.temperature_mc.is_none_or(|mc| (-273_150..=1_000_000).contains(&mc))
        }
        Payload::Unusable(_) => false,
    }
}

fn text(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_BYTES_MAX && text.chars().all(|c| c >= ' ' && c != '\u{7f}')
}

fn needed(value: &Option<String>) -> bool {
    value.as_deref().is_some_and(text)
}

fn optional(value: &Option<String>) -> bool {
    value.as_deref().is_none_or(text)
}
