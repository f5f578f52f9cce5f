//! Which values are valid events, as the proto file and the rules say it.
//!
//! Invariant: nothing here is shared with the fold's decoder. The generated
//! types say what a field holds; what they pass over in silence (fields that
//! they do not know, that stand there twice) is looked for by walking over the
//! fields once more.

use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};
use stempoint_schemas::event::EventKind;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::proto::{self, event::Payload};

use super::{Accepted, Identity};

const COUNT_MAX: u64 = 1_000_000_000_000_000;
const SPAN_NS_END: u64 = 1_000_000_000_000_000_000;
const NUMBER_MAX: u64 = (1 << 53) - 1;
const TEXT_BYTES_MAX: usize = 256;
const YEAR_2000_US: i64 = 946_684_800_000_000;
const YEAR_10000_US: i64 = 253_402_300_800_000_000;
const AHEAD_US_MAX: i64 = 300_000_000;
/// 10^-9 units in one of a count and in one thousandth.
const UNIT: i128 = 1_000_000_000;
const MILLI: i128 = 1_000_000;

/// The source of a record, if its key is one.
pub fn source(key: Option<&[u8]>) -> Option<String> {
    let source = String::from_utf8(key?.to_vec()).ok()?;
    is_name(&source).then_some(source)
}

/// The event of a value, if it has the right fields and its time can be.
pub fn event(value: &[u8], recorded_us: i64) -> Option<proto::Event> {
    let fields = fields(value)?;
    let mut payloads = fields.iter().filter(|field| field.number > 4);
    let (payload, None) = (payloads.next()?, payloads.next()) else { return None };
    let last_known = match payload.number {
        5 => 10,
        6 | 7 => 8,
        _ => return None,
    };
    let WireValue::Bytes(body) = payload.value else { return None };
    let body = self::fields(body)?;
    if body.iter().any(|field| field.number > last_known) {
        return None;
    }
    // The generated type reads every number but 0 as true.
    let stream = body.iter().find(|field| payload.number == 5 && field.number == 10);
    if stream.is_some_and(|field| !matches!(field.value, WireValue::Number(0 | 1))) {
        return None;
    }
    let event = proto::Event::decode(value).ok()?;
    let time_us = event.time_us?;
    let latest_us = recorded_us.saturating_add(AHEAD_US_MAX).min(YEAR_10000_US - 1);
    (YEAR_2000_US..=latest_us).contains(&time_us).then_some(event)
}

/// The identity of an event, if it has exactly one.
pub fn identity(event: &proto::Event) -> Option<Identity> {
    match (&event.id, event.incarnation, event.sequence) {
        (Some(id), None, None) if is_name(id) => Some(Identity::Named(id.clone())),
        (None, Some(incarnation), Some(sequence))
            if incarnation <= NUMBER_MAX && (1..=NUMBER_MAX).contains(&sequence) =>
        {
            Some(Identity::Numbered { incarnation, sequence })
        }
        _ => None,
    }
}

/// The event as the books have it, if all that it says is valid.
pub fn accepted(record: usize, source: &str, event: &proto::Event) -> Option<Accepted> {
    let identity = identity(event)?;
    let time_us = event.time_us?;
    let source = source.to_owned();
    let at_most = |value: Option<u64>, most: u64| value.is_none_or(|value| value <= most);
    Some(match event.payload.as_ref()? {
        Payload::ApiCall(call) => {
            let counts = [call.input_tokens, call.output_tokens, call.cached_input_tokens, call.latency_us];
            if !counts.into_iter().all(|count| at_most(count, COUNT_MAX)) || !is_optional_name(&call.status) {
                return None;
            }
            let tokens = |count: u64| i128::from(count) * UNIT;
            let cached = tokens(call.cached_input_tokens.unwrap_or(0));
            Accepted {
                record,
                source,
                identity,
                kind: EventKind::ApiCall,
                time_us,
                customer: Some(name(&call.customer)?),
                provider: name(&call.provider)?,
                model: Some(name(&call.model)?),
                gpu: None,
                region: optional_name(&call.region)?,
                quantities: in_order([
                    (Meter::TokensInput, tokens(call.input_tokens?)),
                    (Meter::TokensOutput, tokens(call.output_tokens?)),
                    (Meter::TokensCachedInput, cached),
                    (Meter::Requests, UNIT),
                ]),
            }
        }
        Payload::GpuUsage(usage) => {
            let spans = [usage.gpu_ns, usage.busy_ns];
            if !spans.into_iter().all(|span| at_most(span, SPAN_NS_END - 1))
                || !at_most(usage.energy_mj, COUNT_MAX)
                || !is_optional_name(&usage.task)
            {
                return None;
            }
            Accepted {
                record,
                source,
                identity,
                kind: EventKind::GpuUsage,
                time_us,
                customer: Some(name(&usage.customer)?),
                provider: name(&usage.node)?,
                model: None,
                gpu: Some(name(&usage.gpu)?),
                region: optional_name(&usage.region)?,
                quantities: in_order([
                    (Meter::GpuSeconds, i128::from(usage.gpu_ns?)),
                    (Meter::EnergyJoules, i128::from(usage.energy_mj.unwrap_or(0)) * MILLI),
                ]),
            }
        }
        Payload::Heartbeat(beat) => {
            name(&beat.status)?;
            if !at_most(beat.utilisation_ppm, 1_000_000)
                || !at_most(beat.memory_used_bytes, COUNT_MAX)
                || !at_most(beat.power_mw, COUNT_MAX)
                || !beat.temperature_mc.is_none_or(|milli| (-273_150..=1_000_000).contains(&milli))
            {
                return None;
            }
            Accepted {
                record,
                source,
                identity,
                kind: EventKind::Heartbeat,
                time_us,
                customer: None,
                provider: name(&beat.node)?,
                model: None,
                gpu: optional_name(&beat.gpu)?,
                region: optional_name(&beat.region)?,
                quantities: in_order([]),
            }
        }
        Payload::Unusable(_) => return None,
    })
}

fn in_order<const N: usize>(counted: [(Meter, i128); N]) -> [i128; Meter::ALL.len()] {
    Meter::ALL.map(|meter| counted.iter().filter(|(counted, _)| *counted == meter).map(|(_, quantity)| quantity).sum())
}

fn is_name(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(|c| c.is_ascii_control())
}

/// A name that must be there.
fn name(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| is_name(text))
}

fn is_optional_name(text: &Option<String>) -> bool {
    text.as_ref().is_none_or(|text| is_name(text))
}

/// A name that may be missing; `None` if it is there and is not one.
fn optional_name(text: &Option<String>) -> Option<Option<String>> {
    is_optional_name(text).then(|| text.clone())
}

/// A field of a message before anybody says what it means.
struct Field<'a> {
    number: u32,
    value: WireValue<'a>,
}

enum WireValue<'a> {
    Number(u64),
    Fixed,
    Bytes(&'a [u8]),
}

/// All fields of a message; `None` where it is not one, where a field stands
/// there twice, and for groups, which proto3 does not have.
fn fields(mut rest: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut fields: Vec<Field<'_>> = Vec::new();
    while !rest.is_empty() {
        let (number, wire_type) = decode_key(&mut rest).ok()?;
        let length = match wire_type {
            WireType::Varint => 0,
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::LengthDelimited => usize::try_from(decode_varint(&mut rest).ok()?).ok()?,
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        let value = match wire_type {
            WireType::Varint => WireValue::Number(decode_varint(&mut rest).ok()?),
            _ => {
                let (bytes, after) = rest.split_at_checked(length)?;
                rest = after;
                if wire_type == WireType::LengthDelimited { WireValue::Bytes(bytes) } else { WireValue::Fixed }
            }
        };
        if fields.iter().any(|field| field.number == number) {
            return None;
        }
        fields.push(Field { number, value });
    }
    Some(fields)
}
