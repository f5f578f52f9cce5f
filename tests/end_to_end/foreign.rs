//! The open tables through another engine, DuckDB: the published SQL gives
//! what `stempoint sql` gives, visible rows only. Where Python lacks the
//! packages the tests say so and are left out.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::audit_views::eventful;
use crate::harness::{Books, text};

/// Everything that both can be asked for.
const RELATIONS: [&str; 47] = [
    "commits",
    "api_calls",
    "gpu_usage",
    "heartbeats",
    "rejects",
    "duplicates",
    "control",
    "charges",
    "journal",
    "prices",
    "charge_models",
    "price_customers",
    "owner_shares",
    "periods",
    "terms",
    "invoices",
    "payments",
    "grants",
    "currencies",
    "disputes",
    "allocations",
    "commitments",
    "true_ups",
    "budgets",
    "alerts",
    "corrections",
    "statements",
    "invoice_status",
    "settled_api_calls",
    "settled_gpu_usage",
    "shards",
    "usage",
    "settled_usage",
    "balances",
    "audit_conservation",
    "audit_sides",
    "audit_records",
    "audit_entries",
    "audit_unrated",
    "customer_months",
    "usage_costs",
    "focus_cost_and_usage",
    "focus_invoice_detail",
    "focus_billing_period",
    "grant_status",
    "dispute_status",
    "owner_earnings",
];

/// A Python with the packages, or none after having said what is left out.
pub fn python(test: &str) -> Option<PathBuf> {
    let python = std::env::var_os("STEMPOINT_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let has_packages = Command::new(&python).args(["-c", "import duckdb, deltalake, pyarrow"]).output();
    if has_packages.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    eprintln!(
        "left out: foreign::{test} (needs Python with packages: run `pip install duckdb deltalake pyarrow`, and set \
         STEMPOINT_PYTHON where that is not python3)"
    );
    None
}

fn audit(python: &Path, lake: &Path, arguments: &[&str]) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sql/audit.py");
    Command::new(python).arg("-B").arg(script).arg(lake).args(arguments).output().expect("Python can be started")
}

pub fn asked(python: &Path, lake: &Path, query: &str) -> Vec<Value> {
    let output = audit(python, lake, &[query]);
    assert!(output.status.success(), "{query}:\n{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Both give as many rows of everything.
fn compare_counts(python: &Path, books: &Books) {
    let counts: Vec<String> =
        RELATIONS.iter().map(|name| format!("SELECT '{name}' AS name, count(*) AS n FROM {name}")).collect();
    let counts = format!("SELECT * FROM ({}) AS counts ORDER BY name", counts.join(" UNION ALL "));
    assert_eq!(asked(python, &books.data().join("lake"), &counts), books.sql(&counts));
}

/// Both give the same rows of the audit views, and as many of everything.
fn compare(python: &Path, books: &Books) {
    let lake = books.data().join("lake");
    compare_counts(python, books);
    let views = [
        ("shards", "_partition"),
        ("invoice_status", "number"),
        ("audit_conservation", "meter, model, gpu, region"),
        ("audit_sides", "period, meter, model, gpu, region, state, price"),
        ("audit_records", "_partition"),
        ("audit_entries", "_offset, entry, asset"),
        ("audit_unrated", "period, meter, model, gpu, region"),
        ("audit_late", "hour, period, customer, meter, model, region, state, price"),
        ("balances", "account, asset"),
        ("customer_months", "customer, currency, period"),
        ("usage_costs", "customer, currency, period, line, hour"),
        (
            "focus_cost_and_usage",
            "\"BillingPeriodStart\", \"BillingAccountId\", \"BillingCurrency\", \"ChargeCategory\", \"InvoiceDetailId\", \
             \"SkuPriceId\", \"x_PriceId\", \"ChargePeriodStart\"",
        ),
        ("focus_invoice_detail", "\"InvoiceId\", \"InvoiceDetailId\""),
        ("grant_status", "name"),
        ("dispute_status", "name"),
        ("owner_earnings", "owner, period, currency, meter, model, gpu, region, price"),
        ("focus_billing_period", "\"BillingPeriodStart\", \"InvoiceIssuerName\""),
    ];
    for (view, order) in views {
        let order: Vec<String> = order.split(", ").map(|column| format!("{column} NULLS LAST")).collect();
        let query = format!("SELECT * FROM {view} ORDER BY {}", order.join(", "));
        let (ours, theirs) = (books.sql(&query), asked(python, &lake, &query));
        assert_eq!(theirs, ours, "{view}");
    }
}

/// The entries of a Delta log, oldest first.
fn entries(log: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(log).expect("a log").map(|entry| entry.expect("an entry").path());
    let mut entries: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect();
    entries.sort();
    entries
}

#[test]
fn duckdb_sees_what_stempoint_sees() {
    let Some(python) = python("duckdb_sees_what_stempoint_sees") else { return };
    let seed = std::env::var("STEMPOINT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("STEMPOINT_SEED={seed}");
    let books = eventful(seed);
    compare(&python, &books);
    let lake = books.data().join("lake");
    let passed = audit(&python, &lake, &[]);
    assert_eq!(passed.status.code(), Some(0), "{}", text(&passed.stdout));

    // The newest commits never happened: the rows that they made visible are there still.
    let log = lake.join("commits/_delta_log");
    let before = asked(&python, &lake, "SELECT count(*) AS n FROM control");
    let entries = entries(&log);
    for entry in entries.iter().rev().take(entries.len() / 2) {
        std::fs::remove_file(entry).expect("an entry can be removed");
        compare_counts(&python, &books);
    }
    compare(&python, &books);
    let (after, raw) = (
        asked(&python, &lake, "SELECT count(*) AS n FROM control"),
        asked(&python, &lake, "SELECT count(*) AS n FROM raw_control"),
    );
    assert_eq!(before, raw);
    assert_ne!(after, raw, "there are rows that are not visible");
}

#[test]
fn duckdb_finds_a_difference() {
    let Some(python) = python("duckdb_finds_a_difference") else { return };
    let books = eventful(7);
    let lake = books.data().join("lake");
    // The table without its oldest file.
    for entry in entries(&lake.join("charges/_delta_log")) {
        let said = std::fs::read_to_string(&entry).expect("an entry can be read");
        if said.lines().any(|line| line.starts_with("{\"add\"")) {
            let without: Vec<&str> = said.lines().filter(|line| !line.starts_with("{\"add\"")).collect();
            std::fs::write(&entry, without.join("\n")).expect("an entry can be written");
            break;
        }
    }
    let failed = audit(&python, &lake, &[]);
    let said = text(&failed.stdout);
    assert_eq!(failed.status.code(), Some(3), "{said}{}", text(&failed.stderr));
    assert!(said.contains("FAILED audit_conservation"), "{said}");
    assert!(said.contains("ok     audit_entries"), "{said}");
}
