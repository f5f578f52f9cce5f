//! The main job as the README shows it.

use crate::harness::Books;

#[test]
fn the_demo_runs_twice_and_the_books_are_clean() {
    let books = Books::new();
    let first = books.run(&["demo", "--month", "2026-01"]);
    assert!(first.contains("duplicates caught"), "{first}");
    assert!(first.contains("debits equal credits"), "{first}");
    assert!(first.contains("Try next:"), "{first}");
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
    let accepted = |books: &Books| books.sql("SELECT count(*) AS n FROM api_calls")[0]["n"].clone();
    let journal = "SELECT count(*) AS n, sum(amount) AS zero FROM journal";
    let (calls, before) = (accepted(&books), books.sql(journal));
    let invoice = books.run(&["invoice", "acme-robotics", "2026-01", "--format", "json"]);

    let second = books.run(&["demo", "--month", "2026-01"]);
    assert!(second.contains("0 accepted"), "{second}");
    assert_eq!(accepted(&books), calls, "a second run counts nothing twice");
    assert_eq!(books.sql(journal), before);
    let again: serde_json::Value =
        serde_json::from_str(&books.run(&["invoice", "acme-robotics", "2026-01", "--format", "json"])).expect("JSON");
    let invoice: serde_json::Value = serde_json::from_str(&invoice).expect("JSON");
    assert_eq!(again["lines"].as_array().map(Vec::len), invoice["lines"].as_array().map(Vec::len));
    assert_eq!(again["total"], invoice["total"]);

    books.rebuild();
    books.run(&["maintain"]);
    assert!(books.run(&["audit"]).contains("all 10 checks passed"), "maintenance changes nothing");
}

#[test]
fn every_line_of_an_invoice_is_reproduced_by_its_sql() {
    let books = Books::new();
    books.run(&["demo", "--month", "2026-01"]);
    let invoice: serde_json::Value =
        serde_json::from_str(&books.run(&["invoice", "acme-robotics", "2026-01", "--format", "json"])).expect("JSON");
    let version = invoice["ledger_version"].to_string();
    let lines = invoice["lines"].as_array().expect("lines");
    assert!(lines.len() > 10);
    // More events arrive and the tables are merged: the version still answers.
    books.run(&["demo", "--month", "2026-01", "--seed", "8"]);
    books.run(&["maintain"]);
    for line in lines.iter().step_by(7) {
        let sql = line["sql"].as_str().expect("SQL");
        let answer = books.run(&["sql", sql, "--format", "json", "--version", &version]);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(rows.len(), 1, "{sql}");
        let same = |field: &str| {
            assert_eq!(
                crate::harness::scaled(&rows[0][field], 12),
                crate::harness::scaled(&line[field], 12),
                "{field} of {sql}"
            );
        };
        same("quantity");
        same("amount");
    }
}
