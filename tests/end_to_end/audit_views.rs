//! The audit views say what `stempoint audit` says: figure by figure on good
//! books, law by law on tampered ones (invariants 2 and 3, checked twice).

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use stempoint_schemas::decimal;
use stempoint_schemas::meter::Meter;

use crate::harness::{Books, scaled, text};

/// How many rows of each view have a difference.
const DIFFERENCES: &str = "SELECT
    (SELECT count(*) FROM audit_records WHERE difference <> 0) AS records,
    (SELECT count(*) FROM audit_conservation WHERE difference <> 0) AS quantities,
    (SELECT count(*) FROM audit_sides WHERE difference <> 0) AS sides,
    (SELECT count(*) FROM audit_entries WHERE difference <> 0) AS entries";

/// The audit passes, the views have no difference, and both give the same
/// figures.
pub fn agree(books: &Books) {
    let audit = books.run(&["audit"]);
    assert!(audit.contains("all 10 checks passed"), "{audit}");
    let differences = books.sql(DIFFERENCES);
    assert_eq!(differences[0], serde_json::json!({"records": 0, "quantities": 0, "sides": 0, "entries": 0}));
    let says = |check: &str, figures: &str| {
        let line = audit.lines().find(|line| line.contains(check)).unwrap_or_else(|| panic!("{check}:\n{audit}"));
        assert!(line.ends_with(&format!(" {figures}")), "audit: {line}\nviews: {figures}");
    };
    says("conservation of records", &records(books));
    says("conservation of quantities", &quantities(books));
    says("entries balance", &entries(books));
    says("unrated usage", &unrated(books));
}

/// Each law that the audit finds broken has a difference in its view, and no
/// other has.
pub fn find_the_same(books: &Books, data: &Path, audit: &str) {
    let output = books.command_on(data, &["sql", DIFFERENCES, "--format", "json"]).output().expect("a command");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let found = |views: &[&str]| views.iter().any(|view| rows[0][*view] != 0);
    let laws: [(&str, &[&str]); 3] = [
        ("conservation of records", &["records"]),
        ("conservation of quantities", &["quantities", "sides"]),
        ("entries balance", &["entries"]),
    ];
    for (check, views) in laws {
        let fails = audit.contains(&format!("FAILED {check}"));
        assert_eq!(found(views), fails, "{check}: {}\n{audit}", rows[0]);
    }
}

fn records(books: &Books) -> String {
    let rows = books.sql(
        "SELECT sum(received) AS received, sum(accepted_rows) AS accepted, sum(duplicate_rows) AS duplicate, \
         sum(rejected_rows) AS rejected FROM audit_records",
    );
    let [received, accepted, duplicate, rejected] =
        ["received", "accepted", "duplicate", "rejected"].map(|column| scaled(&rows[0][column], 0));
    format!("received {received} = accepted {accepted} + duplicate {duplicate} + rejected {rejected}")
}

fn quantities(books: &Books) -> String {
    let price_rows =
        books.sql("SELECT count(*) AS n FROM (SELECT DISTINCT meter, coalesce(price, state) FROM audit_sides) AS rows");
    let rows = books.sql(
        "SELECT meter, sum(charged) AS charged, sum(not_billed) AS not_billed, sum(unrated) AS unrated, \
         sum(waived) AS waived FROM audit_conservation GROUP BY meter",
    );
    let mut states = BTreeMap::new();
    for row in rows {
        let meter = Meter::from_name(row["meter"].as_str().expect("a meter")).expect("a known meter");
        for state in ["charged", "not_billed", "unrated", "waived"] {
            let quantity = scaled(&row[state], 9);
            if quantity != 0 {
                states.insert((meter, state), format!("{meter} {} {state}", decimal::format(quantity, 9)));
            }
        }
    }
    let states: Vec<String> = states.into_values().collect();
    let corrections = books.sql("SELECT count(*) AS n FROM corrections")[0]["n"].to_string();
    let corrected = if corrections == "0" { String::new() } else { format!("{corrections} rows of corrections; ") };
    format!("{} price rows, both sides equal; {corrected}{}", price_rows[0]["n"], states.join(", "))
}

fn entries(books: &Books) -> String {
    let rows = books.sql("SELECT coalesce(sum(postings), 0) AS postings, count(*) AS entries FROM audit_entries");
    format!("{} postings in {} entries, each sums to zero", scaled(&rows[0]["postings"], 0), rows[0]["entries"])
}

fn unrated(books: &Books) -> String {
    let mut sums: BTreeMap<(String, Meter), i128> = BTreeMap::new();
    for row in books.sql("SELECT period, meter, quantity FROM audit_unrated") {
        let meter = Meter::from_name(row["meter"].as_str().expect("a meter")).expect("a known meter");
        let period = row["period"].as_str().expect("a month").to_owned();
        *sums.entry((period, meter)).or_default() += scaled(&row["quantity"], 9);
    }
    let waiting: Vec<String> = sums
        .into_iter()
        .map(|((period, meter), quantity)| format!("{period} {meter} {}", decimal::format(quantity, 9)))
        .collect();
    if waiting.is_empty() {
        return "none".to_owned();
    }
    format!("{}; apply a price book that covers it, or waive it", waiting.join(", "))
}

const SELECT: &str = "SELECT id, at AS time, customer, model, provider, region, tokens AS input_tokens, \
                      tokens AS output_tokens FROM input";

/// Calls of three months, some of them repeated and some refused.
fn calls(random: &mut fastrand::Rng, from: u64) -> String {
    let mut rows = "id,at,customer,model,provider,region,tokens\n".to_owned();
    for call in from..from + 40 {
        let id = if random.u8(..10) == 0 { random.u64(..=call) } else { call };
        // The content follows from the id, so that a repeat is one.
        let mut content = fastrand::Rng::with_seed(id);
        let (month, day, hour) = (content.u8(10..13), content.u8(1..29), content.u8(..24));
        let customer = content.u8(..4);
        let model = ["code-1", "code-2", "beta-1"][content.usize(..3)];
        let region = ["eu", "us", ""][content.usize(..3)];
        let tokens = content.i32(-3..50);
        rows.push_str(&format!(
            "c-{id},2023-{month}-{day:02}T{hour:02}:30:00Z,customer-{customer},{model},node-{},{region},{tokens}\n",
            content.u8(..3)
        ));
    }
    rows
}

fn prices(random: &mut fastrand::Rng) -> String {
    let month = random.u8(10..13);
    let cents = random.u8(1..100);
    let mut book = format!("currency = \"USD\"\neffective_from = \"2023-{month}-01T00:00:00Z\"\n");
    for model in ["code-1", "code-2"].into_iter().take(random.usize(1..3)) {
        book.push_str(&format!(
            "[[price]]\nmeter = \"tokens.input\"\nmatch = {{ model = \"{model}\" }}\nper = \"7\"\namount = \"0.{cents:02}\"\n"
        ));
    }
    book.push_str("[[share]]\nmeter = \"tokens.input\"\nprovider = \"0.7\"\n");
    if random.bool() {
        book.push_str(
            "[[share]]\nmeter = \"tokens.input\"\nmatch = { model = \"code-1\" }\nmodel_owner = \"acme-labs\"\npart = \"0.05\"\n\
             [[share]]\nmeter = \"tokens.input\"\nproviders = [\"node-1\", \"node-2\"]\nasset_pool = \"berlin-1\"\npart = \"0.2\"\n",
        );
    }
    book
}

fn import(books: &Books, random: &mut fastrand::Rng, from: u64) {
    let file = books.file("calls.csv", &calls(random, from));
    books.run(&["import", "api_call", &file.to_string_lossy(), "--source", "calls", "--select", SELECT]);
}

/// What can happen to books, in a random order.
fn step(books: &Books, random: &mut fastrand::Rng, number: u64) {
    match random.u8(..6) {
        0 | 1 => import(books, random, number * 40),
        2 => {
            let file = books.file("prices.toml", &prices(random));
            books.run(&["prices", "apply", &file.to_string_lossy()]);
        }
        3 => {
            let month = format!("2023-{}", random.u8(10..13));
            books.output(&["waive", "tokens.input", &month, "--match", "model=beta-1", "--reason", "a test"]);
        }
        // Where something waits for a price it is refused, and the month stays `closing`.
        4 => drop(books.output(&["period", "close", &format!("2023-{}", random.u8(10..13))])),
        _ => drop(books.output(&["trial-balance"])),
    }
}

/// Books in which everything has happened that the views tell apart.
pub fn eventful(seed: u64) -> Books {
    let books = Books::new();
    let mut random = fastrand::Rng::with_seed(seed);
    import(&books, &mut random, 0);
    for number in 1..15 {
        step(&books, &mut random, number);
    }
    books
}

#[test]
fn views_and_audit_agree_on_random_histories() {
    let seed =
        std::env::var("STEMPOINT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    for seed in (0..4).map(|number| seed.wrapping_add(number)) {
        eprintln!("STEMPOINT_SEED={seed}");
        let books = eventful(seed);
        agree(&books);
        late(&books);
        // What is not settled yet is no difference.
        books.run(&["trial-balance"]);
        agree(&books);
        let settled = books.sql("SELECT count(*) AS n FROM audit_conservation WHERE not_settled <> 0");
        assert_eq!(settled[0]["n"], 0);
    }
}

/// `audit_late` against the charges themselves.
fn late(books: &Books) {
    const COLUMNS: &str = "hour, period, customer, meter, model, region, state, price";
    let view = format!("SELECT {COLUMNS}, quantity FROM audit_late ORDER BY {COLUMNS}");
    let charges = format!(
        "SELECT {COLUMNS}, sum(quantity) AS quantity FROM (SELECT *, party AS customer FROM charges) AS charges \
         WHERE side = 'customer' AND period > to_char(hour, '%Y-%m') \
         GROUP BY {COLUMNS} HAVING sum(quantity) <> 0 ORDER BY {COLUMNS}"
    );
    assert_eq!(books.sql(&view), books.sql(&charges));
}
