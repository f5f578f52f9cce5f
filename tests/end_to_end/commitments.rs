//! Commitments through the binary: what customers pay at least, as minimums of
//! each invoice and over longer terms.

use serde_json::{Value, json};

use crate::audit_views;
use crate::focus::keeps_the_rules;
use crate::harness::Books;

const PRICES: &str = "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
                      [[price]]\nmeter = \"tokens.input\"\nper = \"1000\"\namount = \"1.001\"\n\
                      [[share]]\nmeter = \"tokens.input\"\nprovider = \"0.5\"\n";

/// Two customers with usage and commitments, and one who uses nothing.
fn committed() -> Books {
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    let rows = "a,2023-11-10T00:00:00Z,acme,3000\nb,2023-11-11T00:00:00Z,blue,7001\n\
                c,2023-12-11T00:00:00Z,acme,7000\nd,2024-01-11T00:00:00Z,blue,1000\n";
    books.import_calls("calls", rows);
    books.run(&["terms", "set", "--entity", "SPEU", "--tax", "VAT=0.19"]);
    let set = |customer: &str, amount: &str, months: &str| {
        books.run(&["commitment", "set", customer, "--amount", amount, "--months", months, "--from", "2023-11"])
    };
    let said = set("acme", "5", "1");
    assert!(said.starts_with("acme pays at least 5 USD for each month from 2023-11 on"), "{said}");
    set("idle", "2", "1");
    let said = set("blue", "30", "3");
    assert!(said.starts_with("blue pays at least 30 USD for each 3 months from 2023-11 on"), "{said}");
    books
}

fn invoice(books: &Books, customer: &str, month: &str) -> Value {
    serde_json::from_str(&books.run(&["invoice", customer, month, "--format", "json"])).expect("JSON")
}

/// Subtotal, tax and total, and the line of the commitment.
fn figures(books: &Books, customer: &str, month: &str) -> Value {
    let invoice = invoice(books, customer, month);
    let lines = invoice["lines"].as_array().expect("lines");
    for line in lines {
        let answer = books.sql(line["sql"].as_str().expect("SQL"));
        assert_eq!(answer[0]["amount"], line["amount"], "{line}");
    }
    let commitment = lines.iter().find(|line| line["meter"].is_null());
    json!([
        [invoice["number"], invoice["subtotal"], invoice["tax"], invoice["total"]],
        commitment.map(|line| json!([line["commitment"], line["amount"]])),
    ])
}

#[test]
fn what_a_term_lacks_is_charged_once_with_its_last_month() {
    let books = committed();
    books.run(&["period", "close", "2023-11"]);
    let minimum =
        |committed: &str, billed: &str| json!({ "first_period": "2023-11", "committed": committed, "billed": billed });
    assert_eq!(
        figures(&books, "acme", "2023-11"),
        json!([["SPEU-000001", "5", "0.95", "5.95"], [minimum("5", "3.003"), "1.997"]])
    );
    assert_eq!(figures(&books, "blue", "2023-11"), json!([["SPEU-000002", "7.008001", "1.33", "8.34"], null]));
    assert_eq!(
        figures(&books, "idle", "2023-11"),
        json!([["SPEU-000003", "2", "0.38", "2.38"], [minimum("2", "0"), "2"]])
    );
    // Providers earn of what was used, the platform keeps what was not.
    let balances =
        books.sql("SELECT account, balance FROM balances WHERE account NOT LIKE 'customer/%' ORDER BY account");
    let revenue: Vec<String> = balances.iter().map(|row| format!("{} {}", row["account"], row["balance"])).collect();
    assert_eq!(
        revenue,
        [
            "\"platform/revenue\" \"-13.0065005\"",
            "\"platform/rounding\" \"-0.001999\"",
            "\"platform/tax\" \"-2.66\"",
            "\"provider/node-1/payable\" \"-9.0095005\"",
        ]
    );

    // Enough was used in December, and nothing at all by two.
    books.run(&["commitment", "end", "idle", "--from", "2023-12"]);
    books.run(&["period", "close", "2023-12"]);
    assert_eq!(figures(&books, "acme", "2023-12"), json!([["SPEU-000004", "7.007", "1.33", "8.34"], null]));
    let unknown = books.fail(&["invoice", "idle", "2023-12"]);
    assert!(unknown.contains("idle"), "{unknown}");

    books.run(&["period", "close", "2024-01"]);
    let term = json!({ "first_period": "2023-11", "committed": "30", "billed": "8.009001" });
    assert_eq!(
        figures(&books, "blue", "2024-01"),
        json!([["SPEU-000006", "22.991999", "4.37", "27.36"], [term, "21.990999"]])
    );
    assert_eq!(
        Value::from(books.sql("SELECT customer, period, amount, document FROM true_ups ORDER BY document")),
        json!([
            { "customer": "acme", "period": "2023-11", "amount": "1.997", "document": "SPEU-000001" },
            { "customer": "idle", "period": "2023-11", "amount": "2", "document": "SPEU-000003" },
            { "customer": "acme", "period": "2024-01", "amount": "5", "document": "SPEU-000005" },
            { "customer": "blue", "period": "2024-01", "amount": "21.990999", "document": "SPEU-000006" },
        ])
    );
    keeps_the_rules(&books);
    audit_views::agree(&books);
    books.rebuild();
}

/// The line is in every form, and a stored document holds.
#[test]
fn every_form_of_an_invoice_says_what_was_lacking() {
    let books = committed();
    books.run(&["period", "close", "2024-01"]);
    for (customer, said) in [
        ("blue", "30 USD for 2023-11 to 2024-01, less 8.009001 for usage"),
        ("acme", "5 USD for the month, less 0 for usage"),
    ] {
        for format in ["text", "html", "csv", "json", "pdf"] {
            let file = books.folder().join(format!("{customer}.{format}"));
            let file = file.to_string_lossy();
            books.run(&["invoice", customer, "2024-01", "--format", format, "--out", &file]);
            if ["text", "html"].contains(&format) {
                let text = std::fs::read_to_string(&*file).expect("it was written");
                assert!(text.contains(said), "{text}");
            } else {
                let verified = books.run(&["invoice", "verify", &file]);
                assert!(verified.contains("holds"), "{verified}");
            }
        }
    }
    let into = books.folder().join("january");
    books.run(&["invoices", "write", "--period", "2024-01", "--into", &into.to_string_lossy(), "--format", "json"]);
    let written = std::fs::read_to_string(into.join("SPEU-000007.json")).expect("it was written");
    assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), invoice(&books, "blue", "2024-01"));
}

#[test]
fn a_term_that_is_under_way_and_a_closed_month_are_not_changed() {
    let books = committed();
    let set = |customer: &str, from: &str| {
        vec!["commitment", "set", customer, "--amount", "40", "--from", from].into_iter().map(str::to_owned).collect()
    };
    let fails = |arguments: Vec<String>| books.fail(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let said = fails(set("blue", "2023-12"));
    assert!(said.contains("a commitment can change from 2023-11 or 2024-02 on"), "{said}");
    books.run(&["period", "close", "2023-11"]);
    let said = fails(set("acme", "2023-11"));
    assert!(said.contains("2023-11 is closed: a commitment can change from 2023-12 on"), "{said}");
    books.run(&["commitment", "set", "blue", "--amount", "40", "--from", "2024-02"]);
    books.run(&["commitment", "end", "blue", "--from", "2024-05"]);
    let listed = books.run(&["commitment", "list", "--format", "csv"]);
    assert_eq!(
        listed.lines().collect::<Vec<_>>(),
        [
            "customer,currency,from_period,amount,months",
            "acme,USD,2023-11,5,1",
            "blue,USD,2023-11,30,3",
            "blue,USD,2024-02,40,1",
            "blue,USD,2024-05,,",
            "idle,USD,2023-11,2,1",
        ]
    );
}
