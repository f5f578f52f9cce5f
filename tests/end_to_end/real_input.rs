//! Real traces: the figures of the books against figures computed here.
//!
//! The traces lie in a folder `shared/data` beside the checkout; where it is
//! missing the test says so and is left out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{Books, scaled};

const PRICES: &str = r#"
currency = "USD"
effective_from = "2023-01-01T00:00:00Z"
[[price]]
meter = "tokens.input"
match = { model = "code-1" }
per = "1000000"
amount = "2.50"
[[price]]
meter = "tokens.output"
match = { model = "code-1" }
per = "1000000"
amount = "10.00"
[[price]]
meter = "gpu.seconds"
match = { gpu = "LS" }
per = "3600"
amount = "1.10"
[[price]]
meter = "gpu.seconds"
per = "3600"
amount = "0.35"
[[share]]
meter = "tokens.output"
provider = "0.70"
[[share]]
meter = "gpu.seconds"
provider = "0.80"
"#;

fn trace(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if path.is_file() {
        return Some(path);
    }
    eprintln!("left out: real_input with {name} (put the trace into ../shared/data beside the checkout to run it)");
    None
}

/// round(quantity × amount / per × share), half away from zero, in 10^-12.
fn money(quantity_nano: i128, amount_pico: i128, per: i128, share_percent: i128) -> i128 {
    let numerator = quantity_nano * amount_pico * share_percent;
    let denominator = per * 1_000_000_000 * 100;
    (2 * numerator + denominator) / (2 * denominator)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_day_of_a_production_llm_service() {
    let Some(path) = trace("azure-llm-code-2023.csv") else { return };
    let text = std::fs::read_to_string(&path).expect("the trace can be read");
    let (mut calls, mut input, mut output) = (0i128, 0i128, 0i128);
    for line in text.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.trim().split(',').collect();
        calls += 1;
        input += fields[1].parse::<i128>().expect("a number");
        output += fields[2].parse::<i128>().expect("a number");
    }
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    let select = "SELECT 'call-' || _row AS id, \"TIMESTAMP\" AS time, 'azure' AS customer, 'code-1' AS model, \
                  'pool-1' AS provider, \"ContextTokens\" AS input_tokens, \"GeneratedTokens\" AS output_tokens FROM input";
    let path = path.to_string_lossy();
    let import = ["import", "api_call", &path, "--source", "azure-2023", "--select", select];
    assert_eq!(books.run(&import).trim(), format!("received {calls}, accepted {calls}, duplicate 0, rejected 0"));
    // The price comes after the usage, which waits for it.
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    assert_eq!(books.run(&import).trim(), format!("received {calls}, accepted 0, duplicate {calls}, rejected 0"));
    let invoice = json(&books.run(&["invoice", "azure", "2023-11", "--format", "json"]));
    let unit = 1_000_000_000i128;
    let expected = [
        ("tokens.input", input, money(input * unit, 2_500_000_000_000, 1_000_000, 100)),
        ("tokens.output", output, money(output * unit, 10_000_000_000_000, 1_000_000, 100)),
    ];
    let lines = invoice["lines"].as_array().expect("lines");
    assert_eq!(lines.len(), expected.len(), "{invoice}");
    for (line, (meter, quantity, amount)) in lines.iter().zip(expected) {
        assert_eq!(line["meter"], meter);
        assert_eq!(scaled(&line["quantity"], 0), quantity);
        assert_eq!(scaled(&line["amount"], 12), amount);
    }
    let subtotal = expected[0].2 + expected[1].2;
    assert_eq!(scaled(&invoice["subtotal"], 12), subtotal);
    assert_eq!(scaled(&invoice["total"], 2), (subtotal + 5_000_000_000) / 10_000_000_000);
    let earned = json(&books.run(&["earnings", "pool-1", "2023-11", "--format", "json"]));
    assert_eq!(scaled(&earned["subtotal"], 12), money(output * unit, 10_000_000_000_000, 1_000_000, 70));
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
}

#[test]
fn the_tasks_of_a_production_gpu_cluster() {
    let Some(path) = trace("openb-pods-2023.csv") else { return };
    let text = std::fs::read_to_string(&path).expect("the trace can be read");
    // name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
    let mut tasks = 0;
    let mut milli_seconds: BTreeMap<(String, i32), i128> = BTreeMap::new();
    for line in text.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.trim().split(',').collect();
        let number = |index: usize| fields[index].parse::<i128>().ok();
        let (Some(deleted), Some(scheduled)) = (number(9), number(10)) else { continue };
        let (gpus, milli) = (number(3).unwrap_or(0), number(4).unwrap_or(0));
        if gpus == 0 || deleted < scheduled {
            continue;
        }
        tasks += 1;
        let month = chrono_month(1_672_531_200 + i64::try_from(scheduled).expect("seconds"));
        *milli_seconds.entry((fields[6].to_owned(), month)).or_default() += (deleted - scheduled) * gpus * milli;
    }
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    let select = "SELECT name AS id, to_timestamp_seconds(1672531200 + scheduled_time) AS time, 'lab' AS customer, \
                  qos AS node, qos AS gpu, \
                  CAST((deletion_time - scheduled_time) * num_gpu * gpu_milli AS DECIMAL(18, 0)) / 1000 AS gpu_seconds \
                  FROM input WHERE scheduled_time IS NOT NULL AND num_gpu > 0 AND deletion_time >= scheduled_time";
    let output =
        books.run(&["import", "gpu_usage", &path.to_string_lossy(), "--source", "openb-2023", "--select", select]);
    assert_eq!(output.trim(), format!("received {tasks}, accepted {tasks}, duplicate 0, rejected 0"));
    let total: i128 = milli_seconds.values().sum();
    let sum = books.sql("SELECT sum(gpu_seconds) AS seconds FROM gpu_usage");
    assert_eq!(scaled(&sum[0]["seconds"], 3), total);
    let mut by_month: BTreeMap<i32, i128> = BTreeMap::new();
    for ((class, month), milli) in &milli_seconds {
        let price = if class == "LS" { 1_100_000_000_000 } else { 350_000_000_000 };
        *by_month.entry(*month).or_default() += money(milli * 1_000_000, price, 3_600, 100);
        let period = show(*month);
        let earned = json(&books.run(&["earnings", class, &period, "--format", "json"]));
        assert_eq!(scaled(&earned["subtotal"], 12), money(milli * 1_000_000, price, 3_600, 80), "{class} {period}");
    }
    for (month, expected) in by_month {
        let invoice = json(&books.run(&["invoice", "lab", &show(month), "--format", "json"]));
        assert_eq!(scaled(&invoice["subtotal"], 12), expected, "{}", show(month));
    }
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
}

/// Months since the year 0 of seconds since 1970, by counting days.
fn chrono_month(seconds: i64) -> i32 {
    let mut days = seconds.div_euclid(86_400);
    let mut year = 1970;
    loop {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let in_year = if leap { 366 } else { 365 };
        if days >= in_year {
            days -= in_year;
            year += 1;
            continue;
        }
        let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut month = 0;
        while days >= lengths[month] {
            days -= lengths[month];
            month += 1;
        }
        return year * 12 + i32::try_from(month).expect("a month");
    }
}

fn show(month: i32) -> String {
    format!("{:04}-{:02}", month / 12, month % 12 + 1)
}
