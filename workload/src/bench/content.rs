//! The bytes of one benchmark event.
//!
//! Invariant: they are canonical (what `wire::encode` writes for the same
//! event), as those of a producer with a protobuf library are. Nothing is
//! allocated per event once the buffers have grown.

use fastrand::Rng;

use super::population::{Customer, NODES_PER_MODEL, Node, Population};
use crate::ulid;

/// A call's or a task's report reaches the gateway within this time.
const JITTER_US: u64 = 250_000;
/// The latest that a late event comes.
const LATE_US: u64 = 3_600_000_000;

/// What the stream decides about an event, as opposed to its randomness.
pub struct Scene {
    /// The event clock, microseconds since 1970.
    pub clock_us: i64,
    /// Whether the event is up to an hour old.
    pub late: bool,
    /// The number of a numbered source's event.
    pub sequence: Option<u64>,
}

/// Writes events into buffers that it uses again.
#[derive(Default)]
pub struct Renderer {
    body: Vec<u8>,
    value: Vec<u8>,
}

impl Renderer {
    /// The bytes that were written last.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Writes an event; tells whether it is a call to a model rather than GPU
    /// usage.
    pub fn render(&mut self, population: &Population, scene: &Scene, rng: &mut Rng) -> bool {
        let dice = rng.u64(..);
        let customer = &population.customers[population.ranks.pick(rng.u64(..))];
        let model = customer.model(byte(dice, 0));
        let slot = (usize::from(byte(dice, 1)) * NODES_PER_MODEL) >> 8;
        let node = &population.nodes[model * NODES_PER_MODEL + slot];
        // A tenth of the events is GPU usage.
        let is_call = (dice >> 48) * 10 >= 1 << 16;
        self.body.clear();
        if is_call {
            call(&mut self.body, customer, node, dice, rng);
        } else {
            usage(&mut self.body, customer, node, dice, rng);
        }
        self.head(scene, rng, if is_call { 5 } else { 6 });
        self.value.extend_from_slice(&self.body);
        is_call
    }

    /// Everything before the body: identity, time, and the body's length.
    fn head(&mut self, scene: &Scene, rng: &mut Rng, payload: u8) {
        let age_us = if scene.late { rng.u64(JITTER_US..LATE_US) } else { part(rng.u64(..), JITTER_US) };
        let time_us = scene.clock_us.saturating_sub_unsigned(age_us);
        self.value.clear();
        match scene.sequence {
            Some(sequence) => {
                self.value.extend_from_slice(&[2 << 3, 1]);
                number(&mut self.value, 3, sequence);
            }
            None => {
                self.value.extend_from_slice(&[1 << 3 | 2, ulid::LENGTH as u8]);
                self.value.extend_from_slice(&ulid::ulid(time_us, [rng.u64(..), rng.u64(..)]));
            }
        }
        self.value.push(4 << 3 | 1);
        self.value.extend_from_slice(&time_us.to_le_bytes());
        self.value.push(payload << 3 | 2);
        varint(&mut self.value, self.body.len() as u64);
    }
}

fn call(body: &mut Vec<u8>, customer: &Customer, node: &Node, dice: u64, rng: &mut Rng) {
    const INPUT: [u8; 16] = [4, 5, 6, 7, 7, 8, 8, 9, 9, 9, 10, 10, 11, 11, 12, 14];
    const OUTPUT: [u8; 16] = [2, 3, 4, 5, 6, 6, 7, 7, 7, 8, 8, 8, 9, 9, 10, 11];
    let (sizes, times) = (rng.u64(..), rng.u64(..));
    let input = spread(&INPUT, sizes);
    // Three calls of a hundred fail.
    let status = match byte(dice, 2) {
        0..=3 => "429",
        4..=6 => "503",
        7 => "499",
        _ => "200",
    };
    let output = if status == "200" { spread(&OUTPUT, sizes >> 32) } else { 0 };
    body.extend_from_slice(&customer.field);
    body.extend_from_slice(&node.model_and_provider);
    number(body, 4, input);
    number(body, 5, output);
    if byte(dice, 3) < 64 {
        number(body, 6, input * (times >> 61) / 8);
    }
    // 20 ms and about 8 ms for each token written.
    number(body, 7, 20_000 + output * 6_000 + part(times, (output + 10) * 4_000));
    body.extend_from_slice(&[8 << 3 | 2, 3]);
    body.extend_from_slice(status.as_bytes());
    body.extend_from_slice(&node.call_region);
    body.extend_from_slice(&[10 << 3, byte(dice, 4) & 1]);
}

fn usage(body: &mut Vec<u8>, customer: &Customer, node: &Node, dice: u64, rng: &mut Rng) {
    // From a second to two hours, to the millisecond.
    const SPAN_MS: [u8; 16] = [10, 11, 12, 13, 14, 14, 15, 15, 16, 16, 17, 18, 19, 20, 21, 22];
    let sizes = rng.u64(..);
    let span_ms = spread(&SPAN_MS, sizes);
    let busy_ms = span_ms * (128 + u64::from(byte(dice, 2)) / 2) / 256;
    body.extend_from_slice(&customer.field);
    body.extend_from_slice(&node.node_and_gpu);
    number(body, 4, span_ms * 1_000_000);
    body.extend_from_slice(&[5 << 3 | 2, 21]);
    body.extend_from_slice(b"task-");
    body.extend_from_slice(&hexadecimal(rng.u64(..)));
    body.extend_from_slice(&node.usage_region);
    number(body, 7, busy_ms * 1_000_000);
    // 70 to 325 W while busy.
    number(body, 8, busy_ms * (70 + u64::from(byte(dice, 3))));
}

/// A count whose logarithm is spread as `octaves` says, from 20 random bits.
fn spread(octaves: &[u8; 16], random: u64) -> u64 {
    let octave = octaves[(random & 15) as usize];
    (1 << octave) + ((random >> 4 & 0xffff) << octave >> 16)
}

/// A number below `whole`, which must be below 2^32, from 32 random bits.
fn part(random: u64, whole: u64) -> u64 {
    ((random & 0xffff_ffff) * whole) >> 32
}

fn byte(random: u64, index: u32) -> u8 {
    (random >> (8 * index)) as u8
}

fn hexadecimal(number: u64) -> [u8; 16] {
    std::array::from_fn(|place| b"0123456789abcdef"[(number >> (60 - 4 * place) & 15) as usize])
}

fn number(out: &mut Vec<u8>, field: u8, value: u64) {
    out.push(field << 3);
    varint(out, value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
