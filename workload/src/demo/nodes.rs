//! What nodes report every quarter of an hour: that they live, and the GPU
//! time that a lease used.
//!
//! Invariant: a node has one lease at a time, and never reports more GPU time
//! than has passed.

use fastrand::Rng;

use super::cast::{CUSTOMERS, GATEWAYS, GPUS, Node};
use super::{BeatBody, Body, Calendar, Draft, UsageBody, spread, weighted};

/// Nodes report this often.
const TICK_US: i64 = 15 * Calendar::MINUTE_US;
/// How many ticks a lease lasts, as powers of two.
const LEASE_TICKS: [u32; 7] = [0, 1, 2, 3, 3, 4, 4];
/// A free node is leased in one of so many ticks.
const FREE_TICKS: u32 = 7;

struct Lease {
    customer: usize,
    task: u32,
    ticks_left: u64,
}

/// Drafts all reports. The sources of nodes come after the gateways.
pub fn draft(calendar: &Calendar, nodes: &[Node], rng: &mut Rng, drafts: &mut Vec<Draft>) {
    let mut leases: Vec<Option<Lease>> = nodes.iter().map(|_| None).collect();
    let mut tasks = 0;
    for tick in 0..calendar.hours * 4 {
        for (node, lease) in leases.iter_mut().enumerate() {
            // The nodes do not all report at once, and not to the second.
            let offset_us = node as i64 * 30_000_000 + rng.i64(0..20_000_000);
            let time_us = calendar.start_us + i64::from(tick) * TICK_US + offset_us;
            let source = GATEWAYS.len() + node;
            // What was used in the quarter of an hour before the report.
            let busy_part = match lease.as_mut() {
                Some(held) => {
                    let usage = usage(node, nodes, held, rng);
                    drafts.push(Draft { time_us, source, late_us: None, body: Body::Usage(usage) });
                    held.ticks_left -= 1;
                    usage.busy_ns * 1_000_000 / (TICK_US as u64 * 1000)
                }
                None => rng.u64(..20_000),
            };
            let beat = beat(node, nodes, busy_part, lease.is_some(), rng);
            drafts.push(Draft { time_us: time_us + 1_000, source, late_us: None, body: Body::Beat(beat) });
            if lease.as_ref().is_some_and(|held| held.ticks_left == 0) {
                *lease = None;
            } else if lease.is_none() && rng.u32(..FREE_TICKS) == 0 {
                tasks += 1;
                *lease = Some(Lease { customer: lessee(rng), task: tasks, ticks_left: spread(&LEASE_TICKS, rng) });
            }
        }
    }
}

fn usage(node: usize, nodes: &[Node], lease: &Lease, rng: &mut Rng) -> UsageBody {
    let gpu = GPUS[nodes[node].gpu];
    let tick_ns = TICK_US as u64 * 1000;
    // The last report of a lease covers a part, to the millisecond.
    let gpu_ns = if lease.ticks_left == 1 { rng.u64(30_000..=900_000) * 1_000_000 } else { tick_ns };
    let busy_ns = gpu_ns / 1000 * rng.u64(550..=995);
    let energy_mj = (busy_ns * gpu.busy_watts + (gpu_ns - busy_ns) * gpu.idle_watts) / 1_000_000;
    UsageBody {
        customer: lease.customer,
        node,
        task: lease.task,
        gpu_ns,
        busy_ns,
        energy_mj: gpu.reports_energy.then_some(energy_mj),
    }
}

fn beat(node: usize, nodes: &[Node], busy_part: u64, leased: bool, rng: &mut Rng) -> BeatBody {
    let gpu = GPUS[nodes[node].gpu];
    let utilisation_ppm = busy_part.min(1_000_000);
    let memory = gpu.memory_gib << 30;
    let watts = gpu.idle_watts * 1_000_000 + (gpu.busy_watts - gpu.idle_watts) * utilisation_ppm;
    BeatBody {
        node,
        status: if leased { "busy" } else { "ready" },
        utilisation_ppm,
        memory_used_bytes: if leased { memory / 100 * rng.u64(40..=95) } else { memory / 100 },
        temperature_mc: 31_000 + (utilisation_ppm / 25).cast_signed() + rng.i64(0..3_000),
        power_mw: watts / 1000,
    }
}

/// Who leases: each customer as often as its part says.
fn lessee(rng: &mut Rng) -> usize {
    weighted(CUSTOMERS.iter().map(|customer| customer.leases).enumerate(), rng).unwrap_or(0)
}
