//! Events that the fold must refuse, made from good ones.
//!
//! Invariant: what [`spoil`] makes of a valid event is refused with the
//! fault's reason and no other.

use fastrand::Rng;
use prost::Message;
use stempoint_schemas::event::{COUNT_MAX, Reason};
use stempoint_schemas::proto::{self, event::Payload};
use stempoint_schemas::wire;

/// A century in microseconds, leap days left out.
const CENTURY_US: i64 = 100 * 365 * 24 * 3600 * 1_000_000;

/// What a broken producer does to one event. Faults that only the history of
/// a source shows (a conflict, a changed numbering) are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The value ends in the middle.
    Truncated,
    /// The event time has another wire type.
    WrongWireType,
    /// There is a field of a later schema.
    UnknownField,
    /// The payload is of a later schema.
    UnknownType,
    /// A quantity or a text that must be there is not.
    MissingField,
    /// A text is empty, too long or not printable.
    BadText,
    /// A quantity is negative or too large.
    OutOfRange,
    /// The event has two identities or none.
    BadIdentity,
    /// The event time is a century off, in the future or in the past.
    BadTime,
    /// An importer could not read its input.
    Unusable,
}

impl Fault {
    /// All faults.
    pub const ALL: [Fault; 10] = [
        Fault::Truncated,
        Fault::WrongWireType,
        Fault::UnknownField,
        Fault::UnknownType,
        Fault::MissingField,
        Fault::BadText,
        Fault::OutOfRange,
        Fault::BadIdentity,
        Fault::BadTime,
        Fault::Unusable,
    ];

    /// The reason with which the fold refuses the event.
    pub const fn reason(self) -> Reason {
        match self {
            Fault::Truncated | Fault::WrongWireType => Reason::Malformed,
            Fault::UnknownField => Reason::UnknownField,
            Fault::UnknownType => Reason::UnknownType,
            Fault::MissingField => Reason::MissingField,
            Fault::BadText => Reason::BadText,
            Fault::OutOfRange => Reason::OutOfRange,
            Fault::BadIdentity => Reason::BadIdentity,
            Fault::BadTime => Reason::BadTime,
            Fault::Unusable => Reason::Unusable,
        }
    }
}

/// The bytes of `event`, which must be valid, with a fault.
pub fn spoil(fault: Fault, event: &proto::Event, rng: &mut Rng) -> Vec<u8> {
    let mut spoiled = event.clone();
    match fault {
        Fault::Truncated => {
            // The cut is inside the payload, so that the value ends in the
            // middle of a field and not between two.
            let head = proto::Event { payload: None, ..event.clone() }.encoded_len();
            let mut bytes = event.encode_to_vec();
            let inside = bytes.len().saturating_sub(head + 1).max(1);
            bytes.truncate(head + 1 + rng.usize(..inside));
            return bytes;
        }
        Fault::WrongWireType => {
            let mut bytes = proto::Event { time_us: None, payload: None, ..event.clone() }.encode_to_vec();
            bytes.extend_from_slice(&[4 << 3 | 5, 0, 0, 0, 0]);
            bytes.extend_from_slice(&payload_bytes(event));
            return bytes;
        }
        Fault::UnknownField => {
            let mut bytes = event.encode_to_vec();
            // Field 16, a varint of 1.
            bytes.extend_from_slice(&[0x80, 0x01, 0x01]);
            return bytes;
        }
        Fault::UnknownType => {
            let mut bytes = proto::Event { payload: None, ..event.clone() }.encode_to_vec();
            let mut payload = payload_bytes(event);
            if let Some(tag) = payload.first_mut() {
                *tag = 9 << 3 | 2;
            }
            bytes.append(&mut payload);
            return bytes;
        }
        Fault::MissingField => match &mut spoiled.payload {
            Some(Payload::ApiCall(call)) => call.output_tokens = None,
            Some(Payload::GpuUsage(usage)) => usage.gpu_ns = None,
            Some(Payload::Heartbeat(beat)) => beat.status = None,
            _ => {}
        },
        Fault::BadText => {
            let text = ["".to_owned(), "line\nbreak".to_owned(), "x".repeat(257)][rng.usize(..3)].clone();
            match &mut spoiled.payload {
                Some(Payload::ApiCall(call)) => call.model = Some(text),
                Some(Payload::GpuUsage(usage)) => usage.gpu = Some(text),
                Some(Payload::Heartbeat(beat)) => beat.node = Some(text),
                _ => {}
            }
        }
        Fault::OutOfRange => {
            // -1 as a producer without unsigned numbers writes it, or a count
            // that nobody can have used.
            let count = Some(if rng.bool() { u64::MAX } else { COUNT_MAX * 1000 });
            match &mut spoiled.payload {
                Some(Payload::ApiCall(call)) => call.input_tokens = count,
                Some(Payload::GpuUsage(usage)) => usage.gpu_ns = count,
                Some(Payload::Heartbeat(beat)) => beat.memory_used_bytes = count,
                _ => {}
            }
        }
        Fault::BadIdentity => match (&event.id, rng.bool()) {
            (Some(_), true) => spoiled.sequence = Some(1),
            (Some(_), false) => spoiled.id = None,
            (None, true) => spoiled.id = Some("one-too-many".to_owned()),
            (None, false) => spoiled.sequence = Some(0),
        },
        Fault::BadTime => {
            let off = if rng.bool() { CENTURY_US } else { -CENTURY_US };
            spoiled.time_us = event.time_us.map(|time| time.saturating_add(off));
        }
        Fault::Unusable => {
            let mut bytes = Vec::new();
            wire::encode_unusable("gpu_seconds is not a number", b"{\"gpu_seconds\":\"n/a\"}", &mut bytes);
            return bytes;
        }
    }
    spoiled.encode_to_vec()
}

fn payload_bytes(event: &proto::Event) -> Vec<u8> {
    proto::Event { payload: event.payload.clone(), ..proto::Event::default() }.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stempoint_schemas::event::check_time;

    const RECORDED_US: i64 = 1_790_000_000_000_000;

    fn valid(kind: u8, numbered: bool) -> proto::Event {
        let payload = match kind {
            0 => Payload::ApiCall(proto::ApiCall {
                customer: Some("c".into()),
                model: Some("m".into()),
                provider: Some("p".into()),
                input_tokens: Some(1),
                output_tokens: Some(2),
                ..Default::default()
            }),
            1 => Payload::GpuUsage(proto::GpuUsage {
                customer: Some("c".into()),
                node: Some("n".into()),
                gpu: Some("g".into()),
                gpu_ns: Some(1),
                ..Default::default()
            }),
            _ => Payload::Heartbeat(proto::NodeHeartbeat {
                node: Some("n".into()),
                status: Some("ready".into()),
                ..Default::default()
            }),
        };
        proto::Event {
            id: (!numbered).then(|| "id".to_owned()),
            incarnation: numbered.then_some(1),
            sequence: numbered.then_some(7),
            time_us: Some(RECORDED_US - 1),
            payload: Some(payload),
        }
    }

    #[test]
    fn each_fault_is_refused_with_its_reason() {
        let mut rng = Rng::with_seed(1);
        for round in 0..600u32 {
            let event = valid((round % 3) as u8, round % 2 == 0);
            assert!(wire::decode(&event.encode_to_vec()).is_ok());
            for fault in Fault::ALL {
                let bytes = spoil(fault, &event, &mut rng);
                let refusal = wire::decode(&bytes)
                    .and_then(|decoded| check_time(decoded.event.time, RECORDED_US))
                    .expect_err("a spoiled event is refused");
                assert_eq!(refusal.reason, fault.reason(), "round {round}, {fault:?}: {}", refusal.detail);
            }
        }
    }
}
