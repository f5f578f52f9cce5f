//! The server is killed, again and again, while a producer that retries keeps
//! sending; afterwards the books are compared with an independent model.
//!
//! Guards invariants 1 to 5: nothing lost, nothing doubled, the audit clean,
//! the rebuild identical. `STEMPOINT_CRASHES=200` kills at so many random
//! moments, `STEMPOINT_SEED` repeats a run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use stempoint_power_cut::{Mode, PowerCut};
use stempoint_schemas::meter::Meter;
use stempoint_schemas::time::Instant as Moment;
use stempoint_workload::bench::{BenchOptions, BenchStream};
use stempoint_workload::simple::{Accepted, Books as Expected, Cell, Record, decide};

use crate::harness::{Books, Server, scaled};

/// Every named step of the ingest commit and of settlement.
const POINTS: [&str; 21] = [
    "ingest.before_tables:2",
    "store.put_file.before@api_calls:2",
    "store.put_file.after@api_calls:2",
    "store.commit.before@api_calls:2",
    "store.commit.after@api_calls:2",
    "store.commit.after@gpu_usage:2",
    "store.commit.after@rejects:2",
    "store.commit.after@duplicates:2",
    "ingest.after_tables:2",
    "ledger.commit.before:2",
    "store.put_file.after@commits:2",
    "store.commit.before@commits:2",
    "store.commit.after@commits:2",
    "ledger.commit.after:3",
    "ingest.after_commit:2",
    "settlement.before_tables:2",
    "store.commit.after@control:2",
    "store.commit.after@charges:2",
    "store.commit.after@journal:2",
    "settlement.after_tables:2",
    "settlement.after_commit:2",
];

/// A named step must be reached within this time.
const REACHED_WITHIN: Duration = Duration::from_secs(30);

const PRICES: &str = r#"
currency = "USD"
effective_from = "2025-12-01T00:00:00Z"
[[price]]
meter = "tokens.input"
per = "1000000"
amount = "0.37"
[[price]]
meter = "tokens.output"
per = "1000000"
amount = "1.13"
[[price]]
meter = "gpu.seconds"
per = "3600"
amount = "2.10"
[[share]]
meter = "tokens.input"
provider = "0.70"
[[share]]
meter = "gpu.seconds"
provider = "0.33"
"#;

/// How a server ends.
enum Death {
    /// It kills itself at a step.
    At(&'static str),
    /// It is killed after some time.
    After(Duration),
}

#[test]
fn killed_at_every_named_step() {
    run(seed(), POINTS.iter().map(|point| Death::At(point)).collect(), None);
}

#[test]
fn killed_at_random_moments() {
    let seed = seed();
    let mut rng = fastrand::Rng::with_seed(seed);
    run(seed, random_deaths(&mut rng), None);
}

#[test]
fn power_cut_at_random_moments() {
    let seed = seed() ^ 1;
    let mut rng = fastrand::Rng::with_seed(seed);
    let deaths = random_deaths(&mut rng);
    run(seed, deaths, Some(rng));
}

#[test]
fn power_cut_at_named_steps() {
    let seed = seed() ^ 2;
    let deaths = POINTS.iter().step_by(3).map(|point| Death::At(point)).collect();
    run(seed, deaths, Some(fastrand::Rng::with_seed(seed)));
}

fn random_deaths(rng: &mut fastrand::Rng) -> Vec<Death> {
    let count = std::env::var("STEMPOINT_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    (0..count).map(|_| Death::After(Duration::from_millis(rng.u64(20..900)))).collect()
}

fn seed() -> u64 {
    let seed = std::env::var("STEMPOINT_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(0..1_000_000));
    eprintln!("STEMPOINT_SEED={seed}");
    seed
}

/// A producer that sends each batch until it is taken.
struct Producer {
    stream: BenchStream,
    rng: fastrand::Rng,
    /// All records of batches that were taken, in order.
    sent: Vec<(Vec<u8>, Vec<u8>)>,
    /// The batch that was not answered yet.
    pending: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Producer {
    fn new(seed: u64) -> Producer {
        let start = Moment::parse("2026-01-31T23:30:00Z").expect("a time");
        let options = BenchOptions { events_per_second: 20, ..BenchOptions::from_start(start) };
        let stream = BenchStream::new(seed, options);
        Producer { stream, rng: fastrand::Rng::with_seed(seed), sent: Vec::new(), pending: Vec::new() }
    }

    /// Sends one batch; false where the server did not take it.
    fn send(&mut self, server: &Server) -> bool {
        if self.pending.is_empty() {
            let count = self.rng.u64(1..600);
            let pending = &mut self.pending;
            self.stream.fill(count, &mut |key, value| pending.push((key.to_vec(), value.to_vec())));
        }
        let mut body = Vec::new();
        for (key, value) in &self.pending {
            body.extend_from_slice(&u32::try_from(key.len()).expect("short").to_le_bytes());
            body.extend_from_slice(&u32::try_from(value.len()).expect("short").to_le_bytes());
            body.extend_from_slice(key);
            body.extend_from_slice(value);
        }
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(20))).build();
        let taken =
            ureq::Agent::new_with_config(config).post(server.url("/internal/append/usage")).send(&body[..]).is_ok();
        if taken {
            self.sent.append(&mut self.pending);
        }
        taken
    }
}

fn run(seed: u64, deaths: Vec<Death>, mut power: Option<fastrand::Rng>) {
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    let mut producer = Producer::new(seed);
    for death in deaths {
        let mut cutter = match &power {
            Some(_) => match PowerCut::new(&books.data()) {
                Ok(cutter) => Some(cutter),
                Err(error) => {
                    eprintln!("left out: crash::power_cut (needs a C compiler: {error})");
                    return;
                }
            },
            None => None,
        };
        let server = live_and_die(&books, &mut producer, &death, cutter.as_ref());
        let said = server.kill();
        assert!(!said.contains("panicked"), "{said}");
        if let (Some(cutter), Some(rng)) = (&mut cutter, &mut power) {
            let seed = rng.u64(..);
            let mode = if rng.bool() { Mode::Random { seed } } else { Mode::DropAll };
            let report = cutter.cut(mode).expect("the power can be cut");
            eprintln!("{mode:?}: {report}");
        }
    }
    let server = books.serve(|_| (), &["--settle-interval-s", "1"]);
    while !producer.pending.is_empty() {
        assert!(producer.send(&server), "the server takes the last batch");
    }
    server.stop();
    compare(&books, &producer.sent);
}

/// Starts a server and feeds it until it dies or its time has come.
fn live_and_die(books: &Books, producer: &mut Producer, death: &Death, cutter: Option<&PowerCut>) -> Server {
    let arguments = ["--commit-interval-ms", "20", "--settle-interval-s", "0", "--maintenance-interval-s", "1"];
    let mut server = books.serve(
        |command| {
            if let Death::At(point) = death {
                command.env("STEMPOINT_CRASH_AT", point);
            }
            if let Some(cutter) = cutter {
                cutter.command(command);
            }
        },
        &arguments,
    );
    let begun = Instant::now();
    loop {
        match death {
            Death::After(time) if begun.elapsed() >= *time => return server,
            Death::At(point) => assert!(begun.elapsed() < REACHED_WITHIN, "{point} was not reached"),
            Death::After(_) => {}
        }
        if server.has_ended() {
            return server;
        }
        if server.address.is_some() {
            producer.send(&server);
        }
    }
}

fn compare(books: &Books, sent: &[(Vec<u8>, Vec<u8>)]) {
    let recorded_us = i64::MAX / 2;
    let records = sent.iter().map(|(key, value)| Record { key: Some(key), value, recorded_us });
    let (_, accepted): (_, Vec<Accepted>) = decide(records);
    let expected = Expected::of(&accepted);
    // An invoice settles what has arrived; whose it is does not matter.
    let first = accepted.iter().find_map(|event| event.customer.clone()).expect("an accepted event");
    books.run(&["invoice", &first, "2026-01"]);
    let count = books.sql(
        "SELECT (SELECT count(*) FROM api_calls) + (SELECT count(*) FROM gpu_usage) + (SELECT count(*) FROM heartbeats) AS n",
    );
    assert_eq!(count[0]["n"], accepted.len(), "nothing lost, nothing doubled");
    for (side, expected) in [("customer", &expected.customers), ("provider", &expected.providers)] {
        assert_eq!(&charges(books, side), expected, "{side} side");
    }
    assert!(books.run(&["audit"]).contains("all 8 checks passed"));
    for from in ["log", "lake"] {
        let into = books.folder().join(from);
        assert!(books.run(&["rebuild", "--from", from, "--into", &into.to_string_lossy()]).starts_with("identical"));
    }
    eprintln!("{} records sent, {} accepted, books agree", sent.len(), accepted.len());
}

fn charges(books: &Books, side: &str) -> BTreeMap<Cell, i128> {
    let rows = books.sql(&format!(
        "SELECT party, meter, model, gpu, region, hour, sum(quantity) AS quantity FROM charges WHERE side = '{side}' \
         GROUP BY party, meter, model, gpu, region, hour HAVING sum(quantity) <> 0"
    ));
    let some = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    rows.iter()
        .map(|row| {
            let cell = Cell {
                party: some(&row["party"]).expect("a party"),
                meter: Meter::from_name(row["meter"].as_str().expect("a meter")).expect("a known meter"),
                model: some(&row["model"]),
                gpu: some(&row["gpu"]),
                region: some(&row["region"]),
                hour: Moment::parse(row["hour"].as_str().expect("an hour")).expect("a time").hour(),
            };
            (cell, scaled(&row["quantity"], 9))
        })
        .collect()
}
