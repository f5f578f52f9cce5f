//! From an [`Event`] to its canonical bytes: fields in ascending order,
//! shortest numbers, every present field written.

use super::number;
use crate::event::{ApiCall, Event, GpuUsage, Heartbeat, Identity, Payload};

/// Appends the canonical bytes of `event` to `out`.
pub fn encode(event: &Event<'_>, out: &mut Vec<u8>) {
    match event.identity {
        Identity::Named(id) => put_bytes(out, number::ID, id.as_bytes()),
        Identity::Numbered { incarnation, sequence } => {
            put_varint(out, number::INCARNATION, incarnation);
            put_varint(out, number::SEQUENCE, sequence);
        }
    }
    tag(out, number::TIME, 1);
    out.extend_from_slice(&event.time.us().to_le_bytes());
    match &event.payload {
        Payload::ApiCall(call) => nested(out, number::API_CALL, |out| api_call(call, out)),
        Payload::GpuUsage(usage) => nested(out, number::GPU_USAGE, |out| gpu_usage(usage, out)),
        Payload::Heartbeat(beat) => nested(out, number::HEARTBEAT, |out| heartbeat(beat, out)),
    }
}

/// Appends a record that tells the fold why the importer could not make an
/// event of `raw`.
pub fn encode_unusable(reason: &str, raw: &[u8], out: &mut Vec<u8>) {
    nested(out, number::UNUSABLE, |out| {
        put_bytes(out, 1, reason.as_bytes());
        put_bytes(out, 2, raw);
    });
}

fn api_call(call: &ApiCall<'_>, out: &mut Vec<u8>) {
    put_bytes(out, 1, call.customer.as_bytes());
    put_bytes(out, 2, call.model.as_bytes());
    put_bytes(out, 3, call.provider.as_bytes());
    put_varint(out, 4, call.input_tokens);
    put_varint(out, 5, call.output_tokens);
    put_some_varint(out, 6, call.cached_input_tokens);
    put_some_varint(out, 7, call.latency_us);
    put_some_text(out, 8, call.status);
    put_some_text(out, 9, call.region);
    put_some_varint(out, 10, call.stream.map(u64::from));
}

fn gpu_usage(usage: &GpuUsage<'_>, out: &mut Vec<u8>) {
    put_bytes(out, 1, usage.customer.as_bytes());
    put_bytes(out, 2, usage.node.as_bytes());
    put_bytes(out, 3, usage.gpu.as_bytes());
    put_varint(out, 4, usage.gpu_ns);
    put_some_text(out, 5, usage.task);
    put_some_text(out, 6, usage.region);
    put_some_varint(out, 7, usage.busy_ns);
    put_some_varint(out, 8, usage.energy_mj);
}

fn heartbeat(beat: &Heartbeat<'_>, out: &mut Vec<u8>) {
    put_bytes(out, 1, beat.node.as_bytes());
    put_bytes(out, 2, beat.status.as_bytes());
    put_some_text(out, 3, beat.gpu);
    put_some_varint(out, 4, beat.utilisation_ppm);
    put_some_varint(out, 5, beat.memory_used_bytes);
    put_some_varint(out, 6, beat.temperature_mc.map(|t| ((t << 1) ^ (t >> 63)) as u64));
    put_some_varint(out, 7, beat.power_mw);
    put_some_text(out, 8, beat.region);
}

/// Writes a message field: the body goes behind a one-byte length, which is
/// widened in the rare case that the body needs it.
fn nested(out: &mut Vec<u8>, field: u32, body: impl FnOnce(&mut Vec<u8>)) {
    tag(out, field, 2);
    let at = out.len();
    out.push(0);
    body(out);
    let length = out.len() - at - 1;
    if length < 0x80 {
        out[at] = length as u8;
        return;
    }
    let mut prefix = Vec::with_capacity(5);
    varint(&mut prefix, length as u64);
    out.splice(at..=at, prefix);
}

fn put_some_text(out: &mut Vec<u8>, field: u32, text: Option<&str>) {
    if let Some(text) = text {
        put_bytes(out, field, text.as_bytes());
    }
}

fn put_some_varint(out: &mut Vec<u8>, field: u32, value: Option<u64>) {
    if let Some(value) = value {
        put_varint(out, field, value);
    }
}

fn put_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    tag(out, field, 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, 0);
    varint(out, value);
}

/// All field numbers are below 16, so that a tag is one byte.
fn tag(out: &mut Vec<u8>, field: u32, wire_type: u8) {
    debug_assert!(field < 16);
    out.push((field as u8) << 3 | wire_type);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
