//! What opening a session, a simple query and an invoice cost. Not a test:
//! `cargo test --release -p stempoint-query --test query -- --ignored measure --nocapture`.

use std::time::{Duration, Instant};

use stempoint_query::documents::{Request, invoice, trial_balance};
use stempoint_schemas::tables::{API_CALLS, CHARGES, JOURNAL, PRICES};
use stempoint_schemas::time::Month;
use stempoint_store::ledger::Ledger;

use crate::stored::{append, built, session};
use crate::support::{Cell, Row};

const FILES: i64 = 100;
const CALLS_PER_FILE: i64 = 20_000;
const POSTINGS_PER_FILE: i64 = 20_000;
const CUSTOMERS: i64 = 10_000;

async fn ledger(folder: &std::path::Path) -> Ledger {
    let ledger = Ledger::open_or_create(folder, 1).await.unwrap();
    for file in 0..FILES {
        let first = file * CALLS_PER_FILE;
        let calls: Vec<Row> = (first..first + CALLS_PER_FILE).map(call).collect();
        append(&ledger, &API_CALLS, &[built(&API_CALLS, &calls)]).await;
        let postings: Vec<Row> = (0..POSTINGS_PER_FILE).map(|line| posting(file, line)).collect();
        append(&ledger, &JOURNAL, &[built(&JOURNAL, &postings)]).await;
        let charges: Vec<Row> = (0..POSTINGS_PER_FILE).map(|line| charge(file, line)).collect();
        append(&ledger, &CHARGES, &[built(&CHARGES, &charges)]).await;
    }
    let price = vec![("price", "0-1".into()), ("per", "1000000".into()), ("amount", "2.5".into())];
    append(&ledger, &PRICES, &[built(&PRICES, &[price])]).await;
    ledger
        .advance(|commit| {
            commit.shards[0].watermark = (FILES * CALLS_PER_FILE) as u64 - 5;
            commit.shards[0].settled = (FILES * CALLS_PER_FILE) as u64 / 2 + 7;
            commit.control_offset = FILES as u64;
            true
        })
        .await
        .unwrap();
    ledger
}

fn call(offset: i64) -> Row {
    let customer = (offset * 7_919) % CUSTOMERS;
    vec![
        ("_partition", 0.into()),
        ("_offset", offset.into()),
        ("_recorded_at", "2023-11-16T18:17:03Z".into()),
        ("source", format!("gateway/eu-1/{}", offset % 20).into()),
        ("id", format!("{offset:032x}").into()),
        ("time", "2023-11-16T18:17:03Z".into()),
        ("customer", format!("customer-{customer}").into()),
        ("model", format!("model-{}", customer % 50).into()),
        ("provider", format!("node-{}", offset % 500).into()),
        ("input_tokens", (offset % 4_000).into()),
        ("output_tokens", (offset % 900).into()),
    ]
}

fn posting(file: i64, line: i64) -> Row {
    let customer = line % CUSTOMERS;
    vec![
        ("_offset", file.into()),
        ("line", line.into()),
        ("account", format!("customer/customer-{customer}/receivable").into()),
        ("asset", "USD".into()),
        ("amount", "0.0125".into()),
        ("meter", "tokens.input".into()),
        ("model", format!("model-{}", customer % 50).into()),
        ("period", "2023-11".into()),
        ("price", "0-1".into()),
        ("quantity", "5000".into()),
    ]
}

fn charge(file: i64, line: i64) -> Row {
    let customer = line % CUSTOMERS;
    let text = |text: String| -> Cell { text.into() };
    vec![
        ("_offset", file.into()),
        ("side", "customer".into()),
        ("party", text(format!("customer-{customer}"))),
        ("currency", "USD".into()),
        ("meter", "tokens.input".into()),
        ("model", text(format!("model-{}", customer % 50))),
        ("hour", "2023-11-16T18:00:00Z".into()),
        ("period", "2023-11".into()),
        ("state", "charged".into()),
        ("price", "0-1".into()),
        ("quantity", "5000".into()),
    ]
}

/// CPU time of this process so far (the kernel counts hundredths of a second).
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

struct Watch(Instant, Duration);

impl Watch {
    fn start() -> Watch {
        Watch(Instant::now(), cpu())
    }

    fn report(&self, what: &str) {
        let what: String = what.chars().take(100).collect();
        println!("{:>8.1} ms {:>6} ms CPU  {what}", self.0.elapsed().as_secs_f64() * 1e3, (cpu() - self.1).as_millis());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path()).await;
    println!(
        "{FILES} files of {CALLS_PER_FILE} calls; {POSTINGS_PER_FILE} postings and charges each; {CUSTOMERS} customers"
    );
    let watch = Watch::start();
    let opened = session(&ledger, None).await;
    watch.report("open: read snapshots, engine, pin, session");
    let watch = Watch::start();
    drop(session(&ledger, None).await);
    watch.report("the same again");
    for sql in [
        "SELECT count(*) FROM api_calls",
        "SELECT count(*) FROM api_calls",
        "SELECT sum(input_tokens), sum(output_tokens) FROM api_calls",
        "SELECT customer, sum(input_tokens) FROM api_calls GROUP BY customer ORDER BY 2 DESC LIMIT 10",
        "SELECT model, sum(input_tokens), sum(output_tokens) FROM api_calls GROUP BY model",
        "SELECT * FROM api_calls WHERE customer = 'customer-7'",
        "SELECT * FROM api_calls ORDER BY _offset DESC LIMIT 20",
        "SELECT * FROM api_calls WHERE id = '000000000000000000000000000004d2'",
        "SELECT sum(quantity), sum(amount) FROM journal WHERE account = 'customer/customer-7/receivable' AND period = '2023-11'",
        "SELECT meter, sum(quantity) FROM settled_usage GROUP BY meter",
    ] {
        let watch = Watch::start();
        opened.rows(sql).await.unwrap();
        watch.report(sql);
    }
    let request = Request { party: "customer-7".to_owned(), period: Month::parse("2023-11").unwrap(), currency: None };
    for what in ["invoice over 2,000,000 postings", "the same again"] {
        let watch = Watch::start();
        invoice(&opened, &request).await.unwrap();
        watch.report(what);
    }
    let watch = Watch::start();
    trial_balance(&opened).await.unwrap();
    watch.report("trial balance");
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("{line}"));
    }
}
