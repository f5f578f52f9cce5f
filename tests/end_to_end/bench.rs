//! The benchmarks of the books, on a few events: they run what they measure.

use serde_json::Value;

use crate::harness::Books;

fn figures(arguments: &[&str]) -> Value {
    let books = Books::new();
    let printed = books.run(&[&["bench"], arguments, &["--format", "json"]].concat());
    let figures: Value = serde_json::from_str(&printed).expect("the figures are JSON");
    assert!(!books.data().exists(), "nothing is written into anybody's books");
    figures
}

fn number(figures: &Value, name: &str) -> f64 {
    figures[name].as_f64().unwrap_or_else(|| panic!("there is no {name} in {figures}"))
}

#[test]
fn closing_a_month_writes_an_invoice_for_each_customer() {
    let found = figures(&["close", "--events", "400", "--customers", "5"]);
    assert_eq!((number(&found, "events"), number(&found, "customers")), (400.0, 5.0));
    assert_eq!(number(&found, "invoices"), 5.0);
    assert!(number(&found, "invoice_bytes") > 5.0 * 500.0, "{found}");
    assert!(number(&found, "charges") > 400.0 && number(&found, "postings") > 100.0, "{found}");
    let stages = ["open_seconds", "closing_seconds", "closed_seconds", "invoices_seconds"];
    let sum: f64 = stages.iter().map(|stage| number(&found, stage)).sum();
    assert!((sum - number(&found, "close_seconds")).abs() < 0.01, "{found}");
    for figure in ["close_peak_rss_bytes", "journal_bytes_per_posting", "settlement_bytes_per_posting"] {
        assert!(number(&found, figure) > 1.0, "{figure}: {found}");
    }
    assert!(number(&found, "one_invoice_median_ms") <= number(&found, "one_invoice_slowest_ms"), "{found}");
}

#[test]
fn a_month_without_events_is_closed_too() {
    let found = figures(&["close", "--events", "0", "--customers", "1"]);
    assert_eq!((number(&found, "invoices"), number(&found, "postings")), (0.0, 0.0));
}

#[test]
fn repricing_moves_the_charges_of_few_and_many() {
    let found = figures(&["reprice", "--events", "500"]);
    for (month, events) in [("few_events", 50.0), ("many_events", 500.0), ("many_charges", 500.0)] {
        let of = |figure: &str| number(&found, &format!("{month}_{figure}"));
        assert_eq!(of("events"), events);
        assert!(of("moved_charges") > 0.0 && of("moved_charges") < of("charges"), "{month}: {found}");
        assert!(of("reprice_seconds") > 0.0, "{month}: {found}");
    }
    assert!(number(&found, "many_events_charges") > 3.0 * number(&found, "few_events_charges"), "{found}");
}
