//! From wire bytes to a borrowed [`Event`], validated field by field.

use super::number;
use super::reader::{Reader, Value};
use crate::event::{
    ApiCall, COUNT_MAX, Event, GpuUsage, Heartbeat, Identity, NUMBER_MAX, Payload, Reason, Refusal, SPAN_NS_MAX,
    TEXT_BYTES_MAX, is_plain_text,
};
use crate::time::Instant;

/// An event, and whether its bytes are the canonical ones.
#[derive(Debug, Clone, Copy)]
pub struct Decoded<'a> {
    /// The event.
    pub event: Event<'a>,
    /// Whether `encode(event)` gives the same bytes.
    pub canonical: bool,
}

/// Decodes and validates one event. What the record's key and time decide is
/// checked elsewhere ([`crate::event::check_source`],
/// [`crate::event::check_time`]).
pub fn decode(bytes: &[u8]) -> Result<Decoded<'_>, Refusal> {
    let mut reader = Reader::new("the event", bytes);
    let (mut id, mut incarnation, mut sequence, mut time) = (None, None, None, None);
    let mut payload: Option<(u32, &[u8])> = None;
    while let Some((field, value)) = reader.next()? {
        match field {
            number::ID => id = Some(text("id", value)?),
            number::INCARNATION => incarnation = Some(count("incarnation", value, NUMBER_MAX)?),
            number::SEQUENCE => sequence = Some(count("sequence", value, NUMBER_MAX)?),
            number::TIME => time = Some(instant(value)?),
            5..=15 => {
                if payload.is_some() {
                    return Err(Refusal::new(Reason::Malformed, "the event has two payloads"));
                }
                payload = Some((field, bytes_of("payload", value)?));
            }
            _ => return Err(unknown_field("the event", field)),
        }
    }
    let (kind, body) = payload.ok_or_else(|| missing("a payload"))?;
    if kind == number::UNUSABLE {
        return Err(unusable(body));
    }
    let identity = identity(id, incarnation, sequence)?;
    let time = time.ok_or_else(|| missing("time_us"))?;
    let mut body = Reader::new(message(kind)?, body);
    let payload = match kind {
        number::API_CALL => Payload::ApiCall(api_call(&mut body)?),
        number::GPU_USAGE => Payload::GpuUsage(gpu_usage(&mut body)?),
        _ => Payload::Heartbeat(heartbeat(&mut body)?),
    };
    Ok(Decoded { event: Event { identity, time, payload }, canonical: reader.canonical && body.canonical })
}

/// The name of a payload's message.
#[inline]
fn message(kind: u32) -> Result<&'static str, Refusal> {
    match kind {
        number::API_CALL => Ok("api_call"),
        number::GPU_USAGE => Ok("gpu_usage"),
        number::HEARTBEAT => Ok("heartbeat"),
        _ => Err(Refusal::new(Reason::UnknownType, format!("payload {kind} is not a type that these rules know"))),
    }
}

fn identity<'a>(id: Option<&'a str>, incarnation: Option<u64>, sequence: Option<u64>) -> Result<Identity<'a>, Refusal> {
    match (id, incarnation, sequence) {
        (Some(id), None, None) => Ok(Identity::Named(id)),
        (None, Some(incarnation), Some(sequence)) if sequence > 0 => Ok(Identity::Numbered { incarnation, sequence }),
        (None, Some(_), Some(_)) => Err(Refusal::new(Reason::BadIdentity, "sequences count from 1")),
        (None, None, None) => Err(Refusal::new(Reason::BadIdentity, "there is neither an id nor a sequence")),
        (Some(_), _, _) => Err(Refusal::new(Reason::BadIdentity, "an event has an id or a sequence, not both")),
        _ => Err(Refusal::new(Reason::BadIdentity, "a numbered event has both an incarnation and a sequence")),
    }
}

fn api_call<'a>(reader: &mut Reader<'a>) -> Result<ApiCall<'a>, Refusal> {
    let (mut customer, mut model, mut provider) = (None, None, None);
    let (mut input_tokens, mut output_tokens, mut cached_input_tokens, mut latency_us) = (None, None, None, None);
    let (mut status, mut region, mut stream) = (None, None, None);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => customer = Some(text("customer", value)?),
            2 => model = Some(text("model", value)?),
            3 => provider = Some(text("provider", value)?),
            4 => input_tokens = Some(count("input_tokens", value, COUNT_MAX)?),
            5 => output_tokens = Some(count("output_tokens", value, COUNT_MAX)?),
            6 => cached_input_tokens = Some(count("cached_input_tokens", value, COUNT_MAX)?),
            7 => latency_us = Some(count("latency_us", value, COUNT_MAX)?),
            8 => status = Some(text("status", value)?),
            9 => region = Some(text("region", value)?),
            10 => stream = Some(count("stream", value, 1)? == 1),
            _ => return Err(unknown_field("api_call", field)),
        }
    }
    Ok(ApiCall {
        customer: customer.ok_or_else(|| missing("customer"))?,
        model: model.ok_or_else(|| missing("model"))?,
        provider: provider.ok_or_else(|| missing("provider"))?,
        input_tokens: input_tokens.ok_or_else(|| missing("input_tokens"))?,
        output_tokens: output_tokens.ok_or_else(|| missing("output_tokens"))?,
        cached_input_tokens,
        latency_us,
        status,
        region,
        stream,
    })
}

fn gpu_usage<'a>(reader: &mut Reader<'a>) -> Result<GpuUsage<'a>, Refusal> {
    let (mut customer, mut node, mut gpu, mut gpu_ns) = (None, None, None, None);
    let (mut task, mut region, mut busy_ns, mut energy_mj) = (None, None, None, None);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => customer = Some(text("customer", value)?),
            2 => node = Some(text("node", value)?),
            3 => gpu = Some(text("gpu", value)?),
            4 => gpu_ns = Some(count("gpu_ns", value, SPAN_NS_MAX - 1)?),
            5 => task = Some(text("task", value)?),
            6 => region = Some(text("region", value)?),
            7 => busy_ns = Some(count("busy_ns", value, SPAN_NS_MAX - 1)?),
            8 => energy_mj = Some(count("energy_mj", value, COUNT_MAX)?),
            _ => return Err(unknown_field("gpu_usage", field)),
        }
    }
    Ok(GpuUsage {
        customer: customer.ok_or_else(|| missing("customer"))?,
        node: node.ok_or_else(|| missing("node"))?,
        gpu: gpu.ok_or_else(|| missing("gpu"))?,
        gpu_ns: gpu_ns.ok_or_else(|| missing("gpu_ns"))?,
        task,
        region,
        busy_ns,
        energy_mj,
    })
}

fn heartbeat<'a>(reader: &mut Reader<'a>) -> Result<Heartbeat<'a>, Refusal> {
    let (mut node, mut status, mut gpu, mut utilisation_ppm) = (None, None, None, None);
    let (mut memory_used_bytes, mut temperature_mc, mut power_mw, mut region) = (None, None, None, None);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => node = Some(text("node", value)?),
            2 => status = Some(text("status", value)?),
            3 => gpu = Some(text("gpu", value)?),
            4 => utilisation_ppm = Some(count("utilisation_ppm", value, 1_000_000)?),
            5 => memory_used_bytes = Some(count("memory_used_bytes", value, COUNT_MAX)?),
            6 => temperature_mc = Some(temperature(value)?),
            7 => power_mw = Some(count("power_mw", value, COUNT_MAX)?),
            8 => region = Some(text("region", value)?),
            _ => return Err(unknown_field("heartbeat", field)),
        }
    }
    Ok(Heartbeat {
        node: node.ok_or_else(|| missing("node"))?,
        status: status.ok_or_else(|| missing("status"))?,
        gpu,
        utilisation_ppm,
        memory_used_bytes,
        temperature_mc,
        power_mw,
        region,
    })
}

#[cold]
fn unusable(body: &[u8]) -> Refusal {
    let mut reader = Reader::new("unusable", body);
    while let Ok(Some((field, value))) = reader.next() {
        if let (1, Value::Bytes(reason)) = (field, value) {
            let reason = String::from_utf8_lossy(reason);
            return Refusal::new(Reason::Unusable, reason.chars().take(500).collect::<String>());
        }
    }
    Refusal::new(Reason::Unusable, "the importer gave no reason")
}

#[inline]
fn text<'a>(field: &'static str, value: Value<'a>) -> Result<&'a str, Refusal> {
    let bytes = bytes_of(field, value)?;
    match std::str::from_utf8(bytes) {
        Ok(text) if is_plain_text(bytes) => Ok(text),
        _ => Err(bad_text(field, bytes)),
    }
}

#[cold]
fn bad_text(field: &str, bytes: &[u8]) -> Refusal {
    let what = if bytes.is_empty() {
        "is empty".to_owned()
    } else if bytes.len() > TEXT_BYTES_MAX {
        format!("has {} bytes, {TEXT_BYTES_MAX} are allowed", bytes.len())
    } else {
        "is not printable UTF-8".to_owned()
    };
    Refusal::new(Reason::BadText, format!("{field} {what}"))
}

#[inline]
fn bytes_of<'a>(field: &'static str, value: Value<'a>) -> Result<&'a [u8], Refusal> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        _ => Err(wrong_type(field)),
    }
}

#[inline]
fn count(field: &'static str, value: Value<'_>, most: u64) -> Result<u64, Refusal> {
    match value {
        Value::Varint(count) if count <= most => Ok(count),
        Value::Varint(count) if count > i64::MAX as u64 => {
            Err(Refusal::new(Reason::OutOfRange, format!("{field} is negative ({})", count as i64)))
        }
        Value::Varint(count) => Err(Refusal::new(Reason::OutOfRange, format!("{field} is {count}, at most {most}"))),
        _ => Err(wrong_type(field)),
    }
}

fn temperature(value: Value<'_>) -> Result<i64, Refusal> {
    let Value::Varint(zigzag) = value else { return Err(wrong_type("temperature_mc")) };
    let milli = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
    if (-273_150..=1_000_000).contains(&milli) {
        Ok(milli)
    } else {
        Err(Refusal::new(Reason::OutOfRange, format!("temperature_mc is {milli}, from -273150 to 1000000")))
    }
}

#[inline]
fn instant(value: Value<'_>) -> Result<Instant, Refusal> {
    let Value::Fixed64(us) = value else { return Err(wrong_type("time_us")) };
    Instant::from_us(us as i64).ok_or_else(|| Refusal::new(Reason::BadTime, "time_us is outside the years 1 to 9999"))
}

#[cold]
fn missing(field: &str) -> Refusal {
    Refusal::new(Reason::MissingField, format!("{field} is missing"))
}

#[cold]
fn wrong_type(field: &str) -> Refusal {
    Refusal::new(Reason::Malformed, format!("{field} has the wrong wire type"))
}

#[cold]
fn unknown_field(message: &str, field: u32) -> Refusal {
    Refusal::new(Reason::UnknownField, format!("{message} has no field {field}"))
}
