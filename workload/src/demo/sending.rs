//! From what happened to what reaches the log: identities, delays, retries
//! and faults.
//!
//! Invariants: a numbered source numbers its events in the order in which they
//! come about, without a gap, and starts again only with a new incarnation.
//! Every draft is accepted exactly once, whatever else is sent.

use fastrand::Rng;
use prost::Message;
use stempoint_schemas::event::{ApiCall, Event, GpuUsage, Heartbeat, Identity, Payload, Reason};
use stempoint_schemas::proto;
use stempoint_schemas::time::{Instant, Month};
use stempoint_schemas::wire;

use super::cast::{CUSTOMERS, GATEWAYS, GPUS, MODELS, NEW_MODEL, Node, REGIONS};
use super::{BeatBody, Body, Calendar, CallBody, DemoCounts, DemoMonth, Draft, UsageBody};
use crate::fault::{Fault, spoil};
use crate::ulid::ulid;

/// Of a thousand events, so many are sent again because no answer came.
const RETRIES_PER_MILLE: u32 = 12;
/// One in so many calls is sent broken first.
const BROKEN_ONE_IN: u32 = 2_500;
/// One in so many calls is sent again with other content.
const CONFLICT_ONE_IN: u64 = 30_000;
/// One in so many calls is sent with the other kind of identity first.
const CHANGED_ONE_IN: u64 = 20_000;
/// A numbered gateway sends an absurd number first about once in so many calls.
const TOO_FAR_ONE_IN: u64 = 40_000;

/// One record, in the month's memory.
pub struct Sent {
    pub arrived_us: i64,
    pub key: usize,
    pub start: usize,
    pub length: usize,
}

/// A time in which a source cannot reach the log; it keeps its events and
/// sends them afterwards, some twice.
struct Outage {
    source: usize,
    from_us: i64,
    to_us: i64,
    repeats_one_in: u32,
}

/// A source as its producer sees it.
struct Producer {
    numbered: bool,
    incarnation: u64,
    sequence: u64,
    /// When its last event in order arrived.
    arrived_us: i64,
    /// When it loses its counters and starts a new incarnation.
    restart_us: Option<i64>,
}

struct Sender<'a> {
    month: DemoMonth,
    nodes: &'a [Node],
    producers: Vec<Producer>,
    outages: Vec<Outage>,
    rng: &'a mut Rng,
    calls: u64,
    broken: usize,
    too_far_due: bool,
}

/// Sends the drafts, which are in the order of their times.
pub fn send(month: Month, calendar: &Calendar, nodes: &[Node], drafts: &[Draft], rng: &mut Rng) -> DemoMonth {
    let mut keys: Vec<Vec<u8>> = GATEWAYS.iter().map(|gateway| gateway.key.into()).collect();
    keys.extend(nodes.iter().map(|node| format!("node/{}", node.name).into_bytes()));
    let mut producers: Vec<Producer> = GATEWAYS.iter().map(|gateway| Producer::new(gateway.numbered)).collect();
    producers.extend(nodes.iter().map(|_| Producer::new(true)));
    producers[RESTARTED_GATEWAY].restart_us = Some(calendar.at(11, 3, 12));
    let outages = vec![
        Outage {
            source: CUT_GATEWAY,
            from_us: calendar.at(9, 14, 10),
            to_us: calendar.at(9, 14, 50),
            repeats_one_in: 3,
        },
        Outage { source: LOST_NODE, from_us: calendar.at(20, 6, 0), to_us: calendar.at(21, 7, 30), repeats_one_in: 8 },
    ];
    let month = DemoMonth { month, keys, values: Vec::new(), sent: Vec::new(), counts: DemoCounts::default() };
    let mut sender = Sender { month, nodes, producers, outages, rng, calls: 0, broken: 0, too_far_due: false };
    for draft in drafts {
        sender.send(draft);
    }
    sender.send_what_has_no_draft(calendar);
    let mut month = sender.month;
    // What arrives at once keeps the order in which it was sent.
    month.sent.sort_by_key(|sent| sent.arrived_us);
    month.counts.events = month.sent.len() as u64;
    month
}

const CUT_GATEWAY: usize = 3;
const RESTARTED_GATEWAY: usize = 4;
const LOST_NODE: usize = GATEWAYS.len() + 7;

impl Producer {
    fn new(numbered: bool) -> Producer {
        Producer { numbered, incarnation: 1, sequence: 0, arrived_us: i64::MIN, restart_us: None }
    }

    /// Numbers the event of a time.
    fn number(&mut self, time_us: i64) -> Identity<'static> {
        if self.restart_us.is_some_and(|restart_us| time_us >= restart_us) {
            self.restart_us = None;
            self.incarnation += 1;
            self.sequence = 0;
        }
        self.sequence += 1;
        Identity::Numbered { incarnation: self.incarnation, sequence: self.sequence }
    }
}

impl Sender<'_> {
    fn send(&mut self, draft: &Draft) {
        let id = ulid(draft.time_us, [self.rng.u64(..), self.rng.u64(..)]);
        let id = String::from_utf8_lossy(&id);
        let producer = &mut self.producers[draft.source];
        let identity = if producer.numbered { producer.number(draft.time_us) } else { Identity::Named(&id) };
        let (arrived_us, repeated) = self.arrival(draft);
        let task = task(&draft.body);
        let event = Event { identity, time: instant(draft.time_us), payload: payload(&draft.body, self.nodes, &task) };
        if matches!(draft.body, Body::Call(_)) {
            self.calls += 1;
            self.send_broken_attempts(draft.source, arrived_us, &event);
        }
        self.send_good(draft.source, arrived_us, &event, repeated);
        self.month.counts.late += u64::from(arrived_us - draft.time_us > Calendar::MINUTE_US);
    }

    /// When an event arrives, and whether it is sent again because its source
    /// was cut off.
    fn arrival(&mut self, draft: &Draft) -> (i64, bool) {
        let delay_us = self.rng.i64(40_000..900_000);
        let outage = self.outages.iter().find(|outage| outage.covers(draft));
        if let (Some(late_us), None) = (draft.late_us, outage) {
            return (draft.time_us + late_us, false);
        }
        let ready_us = outage.map_or(draft.time_us, |outage| outage.to_us) + delay_us;
        let repeated = outage.is_some_and(|outage| self.rng.u32(..outage.repeats_one_in) == 0);
        let producer = &mut self.producers[draft.source];
        // One connection keeps the order, a few events per millisecond.
        producer.arrived_us = ready_us.max(producer.arrived_us.saturating_add(300));
        (producer.arrived_us, repeated)
    }

    fn send_good(&mut self, source: usize, arrived_us: i64, event: &Event<'_>, repeated: bool) {
        let start = self.month.values.len();
        wire::encode(event, &mut self.month.values);
        let length = self.month.values.len() - start;
        self.month.sent.push(Sent { arrived_us, key: source, start, length });
        self.month.counts.count_accepted(event.payload.kind());
        if let Payload::ApiCall(call) = &event.payload {
            self.month.counts.new_model_calls += u64::from(call.model == NEW_MODEL);
        }
        let mut again_us = arrived_us;
        let mut again = repeated || self.rng.u32(..1000) < RETRIES_PER_MILLE;
        while again {
            again_us += super::spread(&[0, 1, 2, 3, 4, 5], self.rng).cast_signed() * 1_000_000;
            self.month.sent.push(Sent { arrived_us: again_us, key: source, start, length });
            self.month.counts.duplicates += 1;
            // Some are sent a third time.
            again = self.rng.u32(..6) == 0;
        }
        if matches!(event.payload, Payload::ApiCall(_)) && self.calls.is_multiple_of(CONFLICT_ONE_IN) {
            self.send_conflict(source, arrived_us + 7_000_000, event);
        }
    }

    /// A producer that fails and then does it right: the broken event claims
    /// no identity, so the good one is accepted.
    fn send_broken_attempts(&mut self, source: usize, arrived_us: i64, event: &Event<'_>) {
        const FAULTS: [Fault; 9] = [
            Fault::Truncated,
            Fault::WrongWireType,
            Fault::UnknownField,
            Fault::UnknownType,
            Fault::MissingField,
            Fault::BadText,
            Fault::OutOfRange,
            Fault::BadIdentity,
            Fault::BadTime,
        ];
        if self.rng.u32(..BROKEN_ONE_IN) == 0 {
            let fault = FAULTS[self.broken % FAULTS.len()];
            self.broken += 1;
            let bytes = spoil(fault, &message(event), self.rng);
            self.reject(fault.reason(), source, arrived_us, &bytes);
        }
        if self.calls.is_multiple_of(CHANGED_ONE_IN) {
            let identity = match event.identity {
                Identity::Named(_) => Identity::Numbered { incarnation: 1, sequence: self.calls },
                Identity::Numbered { .. } => Identity::Named("deployed-without-its-state"),
            };
            self.reject_event(Reason::ChangedNumbering, source, arrived_us, &Event { identity, ..*event });
        }
        self.too_far_due |= self.calls.is_multiple_of(TOO_FAR_ONE_IN);
        if self.too_far_due
            && let Identity::Numbered { incarnation, sequence } = event.identity
        {
            self.too_far_due = false;
            let identity = Identity::Numbered { incarnation, sequence: sequence + (1 << 50) };
            self.reject_event(Reason::SequenceTooFar, source, arrived_us, &Event { identity, ..*event });
        }
    }

    /// The identity of an accepted event once more, with other content.
    fn send_conflict(&mut self, source: usize, arrived_us: i64, event: &Event<'_>) {
        let mut other = *event;
        if let Payload::ApiCall(call) = &mut other.payload {
            call.output_tokens += 1;
        }
        self.reject_event(Reason::Conflict, source, arrived_us, &other);
    }

    /// An importer's bad rows, and producers whose keys are no sources.
    fn send_what_has_no_draft(&mut self, calendar: &Calendar) {
        let import = self.month.keys.len();
        self.month.keys.extend([
            b"import/old-meter".to_vec(),
            b"gateway/eu-1/\n".to_vec(),
            b"gateway/\xff\xfe".to_vec(),
        ]);
        for row in 0..5u8 {
            let arrived_us = calendar.at(5, 9, 0) + i64::from(row);
            let unusable = spoil(Fault::Unusable, &proto::Event::default(), self.rng);
            self.reject(Reason::Unusable, import, arrived_us, &unusable);
        }
        let broken = self.month.sent.iter().step_by(40_001).map(|sent| {
            let value = &self.month.values[sent.start..sent.start + sent.length];
            (sent.arrived_us, value.to_vec())
        });
        let values: Vec<_> = broken.take(4).collect();
        for (index, (arrived_us, value)) in values.iter().enumerate() {
            self.reject(Reason::BadSource, import + 1 + index % 2, *arrived_us, value);
        }
    }

    fn reject_event(&mut self, reason: Reason, source: usize, arrived_us: i64, event: &Event<'_>) {
        let mut bytes = Vec::new();
        wire::encode(event, &mut bytes);
        self.reject(reason, source, arrived_us, &bytes);
    }

    fn reject(&mut self, reason: Reason, key: usize, arrived_us: i64, value: &[u8]) {
        let start = self.month.values.len();
        self.month.values.extend_from_slice(value);
        self.month.sent.push(Sent { arrived_us, key, start, length: value.len() });
        self.month.counts.count_rejected(reason);
    }
}

impl Outage {
    fn covers(&self, draft: &Draft) -> bool {
        self.source == draft.source && (self.from_us..self.to_us).contains(&draft.time_us)
    }
}

/// What the generated type reads from the event's bytes.
fn message(event: &Event<'_>) -> proto::Event {
    let mut bytes = Vec::new();
    wire::encode(event, &mut bytes);
    proto::Event::decode(&bytes[..]).unwrap_or_default()
}

/// Times of drafts lie in a month, so they are always instants.
fn instant(time_us: i64) -> Instant {
    Instant::from_us(time_us).unwrap_or_else(|| Month::from_index(1970 * 12).start())
}

fn task(body: &Body) -> String {
    match body {
        Body::Usage(usage) => format!("task-{:05}", usage.task),
        Body::Call(_) | Body::Beat(_) => String::new(),
    }
}

fn payload<'a>(body: &Body, nodes: &'a [Node], task: &'a str) -> Payload<'a> {
    match body {
        Body::Call(call) => Payload::ApiCall(api_call(call, nodes)),
        Body::Usage(usage) => Payload::GpuUsage(gpu_usage(usage, nodes, task)),
        Body::Beat(beat) => Payload::Heartbeat(heartbeat(beat, nodes)),
    }
}

fn api_call<'a>(call: &CallBody, nodes: &'a [Node]) -> ApiCall<'a> {
    let node = &nodes[call.node];
    ApiCall {
        customer: CUSTOMERS[call.customer].id,
        model: MODELS[call.model].name,
        provider: &node.name,
        input_tokens: call.input_tokens,
        output_tokens: call.output_tokens,
        cached_input_tokens: call.cached_input_tokens,
        latency_us: Some(call.latency_us),
        status: Some(call.status),
        region: Some(REGIONS[node.region]),
        stream: Some(call.stream),
    }
}

fn gpu_usage<'a>(usage: &UsageBody, nodes: &'a [Node], task: &'a str) -> GpuUsage<'a> {
    let node = &nodes[usage.node];
    GpuUsage {
        customer: CUSTOMERS[usage.customer].id,
        node: &node.name,
        gpu: GPUS[node.gpu].name,
        gpu_ns: usage.gpu_ns,
        task: Some(task),
        region: Some(REGIONS[node.region]),
        busy_ns: Some(usage.busy_ns),
        energy_mj: usage.energy_mj,
    }
}

fn heartbeat<'a>(beat: &BeatBody, nodes: &'a [Node]) -> Heartbeat<'a> {
    let node = &nodes[beat.node];
    Heartbeat {
        node: &node.name,
        status: beat.status,
        gpu: Some(GPUS[node.gpu].name),
        utilisation_ppm: Some(beat.utilisation_ppm),
        memory_used_bytes: Some(beat.memory_used_bytes),
        temperature_mc: Some(beat.temperature_mc),
        power_mw: Some(beat.power_mw),
        region: Some(REGIONS[node.region]),
    }
}
