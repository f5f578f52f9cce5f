//! The books compared with an independent, simple model of what was sent.

use std::collections::BTreeMap;

use stempoint_schemas::meter::Meter;
use stempoint_schemas::time::{Instant as Moment, Month};
use stempoint_workload::simple::{Accepted, Books as Expected, Cell, Record, decide};

use super::producer::Sent;
use crate::audit_views;
use crate::harness::{Books, scaled};

/// Prices for some of what the producer sends; the rest is not billed.
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

/// The same for the model: meter, amount in cents, per, the provider's share
/// in per cent.
const PRICED: [(Meter, i128, i128, i128); 3] = [
    (Meter::TokensInput, 37, 1_000_000, 70),
    (Meter::TokensOutput, 113, 1_000_000, 0),
    (Meter::GpuSeconds, 210, 3_600, 33),
];

/// Puts the prices in force.
pub fn apply_prices(books: &Books) {
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
}

/// What of the records must be in the books.
pub fn accepted(sent: &[Sent]) -> Vec<Accepted> {
    let recorded_us = i64::MAX / 2;
    decide(sent.iter().map(|(key, value)| Record { key: Some(key), value, recorded_us })).1
}

/// Settles all that has arrived and compares. Nothing else may be running
/// that writes.
pub fn compare(books: &Books, sent: &[Sent]) {
    let accepted = accepted(sent);
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
    assert_eq!(balances(books), expected_balances(&expected));
    audit_views::agree(books);
    books.rebuild();
    let versions = books.sql("SELECT count(*) AS n FROM commits");
    eprintln!(
        "{} records sent, {} accepted, {} ledger versions, books agree",
        sent.len(),
        accepted.len(),
        versions[0]["n"]
    );
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

/// What is on each account, in 10^-12.
fn balances(books: &Books) -> BTreeMap<String, i128> {
    let rows = books.sql("SELECT account, sum(amount) AS amount FROM journal GROUP BY account HAVING sum(amount) <> 0");
    let account = |row: &serde_json::Value| row["account"].as_str().expect("an account").to_owned();
    rows.iter().map(|row| (account(row), scaled(&row["amount"], 12))).collect()
}

/// What must be: quantities multiplied and rounded once, however often they
/// were settled in between.
fn expected_balances(expected: &Expected) -> BTreeMap<String, i128> {
    let mut balances = BTreeMap::new();
    let mut post = |account: &str, amount: i128| {
        *balances.entry(account.to_owned()).or_insert(0) += amount;
        *balances.entry("platform/rounding".to_owned()).or_insert(0) -= amount;
    };
    for (meter, cents, per, share) in PRICED {
        let (customers, providers) = (by_month(&expected.customers, meter), by_month(&expected.providers, meter));
        let mut months: BTreeMap<Month, i128> = BTreeMap::new();
        for ((month, cell), quantity) in customers {
            *months.entry(month).or_default() += quantity;
            post(&format!("customer/{}/receivable", cell.party), money(quantity, cents, per, 100));
        }
        for ((_, cell), quantity) in providers {
            post(&format!("provider/{}/payable", cell.party), -money(quantity, cents, per, share));
        }
        for quantity in months.into_values() {
            post("platform/revenue", -money(quantity, cents, per, 100 - share));
        }
    }
    balances.retain(|_, amount| *amount != 0);
    balances
}

/// The quantities of a meter by month, without the hour.
fn by_month(cells: &BTreeMap<Cell, i128>, meter: Meter) -> BTreeMap<(Month, Cell), i128> {
    let mut sums = BTreeMap::new();
    for (cell, quantity) in cells.iter().filter(|(cell, _)| cell.meter == meter) {
        let month = cell.hour.month();
        let whole = Cell { hour: month.start().hour(), ..cell.clone() };
        *sums.entry((month, whole)).or_insert(0) += quantity;
    }
    sums
}

/// A part in per cent of what a quantity costs, half away from zero: 10^-9
/// of a unit times a cent is 10^-11.
fn money(quantity: i128, cents: i128, per: i128, per_cent: i128) -> i128 {
    let (numerator, denominator) = (quantity * 10 * cents * per_cent, per * 100);
    (2 * numerator + denominator) / (2 * denominator)
}
