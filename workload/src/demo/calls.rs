//! The month's calls to models: by day and night, weekday and weekend, with
//! bursts.
//!
//! Invariant: their number hardly depends on the seed, and the new model is
//! not called before its launch.

use fastrand::Rng;

use super::cast::{
    CHAT_LARGE_INDEX, CUSTOMERS, Customer, GATEWAYS, MODELS, NEW_MODEL_INDEX, Node, REGIONS, STATUSES, UTC_OFFSET_HOURS,
};
use super::{Body, Calendar, CallBody, Draft, spread, weighted};

/// About so many calls are made in a month.
const CALLS: u64 = 275_000;
/// Of a thousand calls, so many arrive late.
const LATE_PER_MILLE: u32 = 8;
/// Minutes by which they are late, as powers of two: up to five and a half
/// days.
const LATE_MINUTES: [u32; 16] = [0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 11, 12];

/// Drafts all calls.
pub fn draft(calendar: &Calendar, nodes: &[Node], rng: &mut Rng, drafts: &mut Vec<Draft>) {
    let weights: Vec<Vec<u64>> = CUSTOMERS.iter().map(|customer| weights(calendar, customer, rng)).collect();
    let total = weights.iter().flatten().sum::<u64>().max(1);
    let launch_us = calendar.at(16, 8, 0);
    for (customer, weights) in weights.iter().enumerate() {
        for (hour, weight) in (0..).zip(weights) {
            // The mean in 1/65536; the fraction is decided by chance.
            let mean = ((u128::from(CALLS) * u128::from(*weight)) << 16) / u128::from(total);
            let calls = (mean + u128::from(rng.u16(..))) >> 16;
            for _ in 0..calls {
                let time_us = calendar.hour_start_us(hour) + rng.i64(0..Calendar::HOUR_US);
                drafts.push(call(customer, time_us, time_us >= launch_us, nodes, rng));
            }
        }
    }
}

/// How much a customer calls in each hour of the month.
fn weights(calendar: &Calendar, customer: &Customer, rng: &mut Rng) -> Vec<u64> {
    let ahead_us = UTC_OFFSET_HOURS[customer.region] * Calendar::HOUR_US;
    let mut weights: Vec<u64> = (0..calendar.hours)
        .map(|hour| {
            let local_hour = (calendar.hour_start_us(hour) + ahead_us).div_euclid(Calendar::HOUR_US);
            // 1970-01-01 was a Thursday; days 5 and 6 are Saturday and Sunday.
            let weekend = (local_hour.div_euclid(24) + 3).rem_euclid(7) >= 5;
            let weight = customer.rhythm.weight(local_hour.rem_euclid(24) as usize, weekend);
            u64::from(customer.calls) * u64::from(weight) * rng.u64(75..=125)
        })
        .collect();
    for _ in 0..customer.bursts {
        let (start, length, times) = (rng.usize(..weights.len().max(1)), rng.usize(1..=2), rng.u64(5..=10));
        for weight in weights.iter_mut().skip(start).take(length) {
            *weight *= times;
        }
    }
    weights
}

fn call(customer: usize, time_us: i64, launched: bool, nodes: &[Node], rng: &mut Rng) -> Draft {
    let home = CUSTOMERS[customer].region;
    // Mostly from the customer's own region.
    let region = if rng.u32(..100) < 85 { home } else { rng.usize(..REGIONS.len()) };
    let mut model = weighted(CUSTOMERS[customer].models.iter().copied(), rng).unwrap_or(CHAT_LARGE_INDEX);
    if launched && model == CHAT_LARGE_INDEX && rng.u32(..100) < 25 {
        model = NEW_MODEL_INDEX;
    }
    let what = MODELS[model];
    let status = weighted(STATUSES.into_iter(), rng).unwrap_or("200");
    let input_tokens = if status == "429" { 0 } else { spread(what.input, rng) };
    let writes = status == "200" && !what.output.is_empty();
    let output_tokens = if writes { spread(what.output, rng) } else { 0 };
    let caches = what.caches && status == "200" && rng.u32(..100) < 35;
    Draft {
        time_us,
        source: 2 * region + rng.usize(..GATEWAYS.len() / REGIONS.len()),
        late_us: (rng.u32(..1000) < LATE_PER_MILLE).then(|| late_us(rng)),
        body: Body::Call(CallBody {
            customer,
            model,
            node: serving(model, region, nodes, rng),
            input_tokens,
            output_tokens,
            cached_input_tokens: caches.then(|| input_tokens * rng.u64(1..=7) / 8),
            latency_us: 15_000 + rng.u64(..30_000) + input_tokens * 20 + output_tokens * what.token_us,
            status,
            stream: writes && rng.u32(..100) < 70,
        }),
    }
}

fn late_us(rng: &mut Rng) -> i64 {
    let minutes = spread(&LATE_MINUTES, rng).cast_signed();
    minutes * Calendar::MINUTE_US + rng.i64(0..Calendar::MINUTE_US)
}

/// A node that can serve the model, nearby in nine cases of ten.
fn serving(model: usize, region: usize, nodes: &[Node], rng: &mut Rng) -> usize {
    let anywhere = rng.u32(..10) == 0;
    let can = |node: &Node| node.gpu == MODELS[model].gpu && (anywhere || node.region == region);
    let count = nodes.iter().filter(|node| can(node)).count().max(1);
    let chosen = rng.usize(..count);
    // Every model can be served everywhere; node 0 is never the answer to
    // nothing.
    nodes.iter().enumerate().filter(|(_, node)| can(node)).nth(chosen).map_or(0, |(index, _)| index)
}
