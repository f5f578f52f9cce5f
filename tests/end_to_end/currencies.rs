//! Customers that are rated in different currencies, through the binary. Each
//! command is a process of its own, so that every step also guards what a
//! restart takes up.

use serde_json::{Value, json};

use crate::audit_views;
use crate::focus::keeps_the_rules;
use crate::harness::Books;

fn apply(books: &Books, currency: &str, amount: &str) {
    let prices = format!(
        "currency = \"{currency}\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
         [[price]]\nmeter = \"tokens.input\"\nper = \"1000\"\namount = \"{amount}\"\n\
         [[share]]\nmeter = \"tokens.input\"\nprovider = \"0.5\"\n"
    );
    let file = books.file(&format!("{currency}.toml"), &prices);
    books.run(&["prices", "apply", &file.to_string_lossy()]);
}

fn document(books: &Books, arguments: &[&str]) -> Value {
    serde_json::from_str(&books.run(&[arguments, &["--format", "json"]].concat())).expect("JSON")
}

fn balances(books: &Books) -> Vec<String> {
    let rows = books.sql("SELECT account, asset, balance FROM balances WHERE balance <> 0 ORDER BY asset, account");
    rows.iter().map(|row| format!("{} {} {}", row["account"], row["balance"], row["asset"]).replace('"', "")).collect()
}

#[test]
fn customers_are_rated_in_their_own_currencies() {
    let books = Books::new();
    apply(&books, "USD", "10");
    apply(&books, "EUR", "9");
    let said = books.run(&["currency", "set", "EUR", "--customer", "acme", "--from", "2023-11"]);
    assert!(said.starts_with("acme is rated in EUR from 2023-11 on"), "{said}");
    books.import_calls("calls", "a,2023-11-10T00:00:00Z,acme,2000\nb,2023-11-10T00:00:00Z,umbrella,1000\n");
    let invoice = document(&books, &["invoice", "acme", "2023-11"]);
    assert_eq!((&invoice["currency"], &invoice["total"]), (&json!("EUR"), &json!("18.00")));

    // The node earned in both.
    let said = books.fail(&["earnings", "node-1", "2023-11"]);
    assert!(said.contains("there are EUR, USD; name one of them with --currency"), "{said}");
    for (currency, total) in [("EUR", "9.00"), ("USD", "5.00")] {
        let earned = document(&books, &["earnings", "node-1", "2023-11", "--currency", currency]);
        assert_eq!((&earned["currency"], &earned["total"]), (&json!(currency), &json!(total)));
    }

    // What is settled keeps its currency.
    let said = books.fail(&["currency", "set", "USD", "--customer", "acme", "--from", "2023-11"]);
    assert!(said.contains("what was used in 2023-11 is settled already: choose a currency from 2023-12 on"), "{said}");
    let said = books.fail(&["currency", "set", "EUR", "--from", "2023-11"]);
    assert!(said.contains("what was used in 2023-11 is settled already"), "{said}");
    let budget = ["budget", "set", "acme", "--name", "total", "--amount", "5", "--from", "2023-11"];
    let said = books.fail(&[&budget[..], &["--currency", "USD"]].concat());
    assert!(said.contains("acme is rated in EUR: a budget in USD would never be reached"), "{said}");
    books.run(&["currency", "set", "USD", "--customer", "acme", "--from", "2023-12"]);
    books.run(&["period", "close", "2023-11"]);

    // What comes late has the currency of its own month.
    books.import_calls("late", "c,2023-11-11T00:00:00Z,acme,1000\nd,2023-12-11T00:00:00Z,acme,4000\n");
    let said = books.fail(&["invoice", "acme", "2023-12"]);
    assert!(said.contains("there are EUR, USD; name one of them with --currency"), "{said}");
    books.run(&["period", "close", "2023-12"]);
    let rows = books.sql("SELECT number, customer, currency, period, total FROM invoices ORDER BY _offset, line");
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| json!([row["number"], row["customer"], row["currency"], row["period"], row["total"]]))
        .collect();
    assert_eq!(
        Value::from(rows),
        json!([
            ["INV-000001", "acme", "EUR", "2023-11", "18"],
            ["INV-000002", "umbrella", "USD", "2023-11", "10"],
            ["INV-000003", "acme", "EUR", "2023-12", "9"],
            ["INV-000004", "acme", "USD", "2023-12", "40"],
        ])
    );
    // What nobody chose is the invoice's currency, or the customer's.
    let pay = ["payment", "add", "acme", "20", "--invoice", "INV-000001", "--received", "2024-01-05T00:00:00Z"];
    let said = books.run(&pay);
    assert!(said.starts_with("20 EUR paid 18 of INV-000001"), "{said}");
    let said = books.run(&["grant", "add", "acme", "5", "--from", "2023-11", "--reason", "a package"]);
    assert!(said.starts_with("acme was given 5 EUR for"), "{said}");
    let said = books.run(&["grant", "add", "acme", "5", "--from", "2024-02", "--reason", "a package"]);
    assert!(said.starts_with("acme was given 5 USD for"), "{said}");
    assert_eq!(
        balances(&books),
        [
            "customer/acme/receivable 7 EUR",
            "platform/revenue -13.5 EUR",
            "provider/node-1/payable -13.5 EUR",
            "treasury/bank 20 EUR",
            "customer/acme/receivable 40 USD",
            "customer/umbrella/receivable 10 USD",
            "platform/revenue -25 USD",
            "provider/node-1/payable -25 USD",
        ]
    );
    let listed = books.run(&["currency", "list", "--format", "csv"]);
    assert!(listed.contains(",acme,EUR,2023-11") && listed.contains(",acme,USD,2023-12"), "{listed}");
    keeps_the_rules(&books);
    audit_views::agree(&books);
    books.rebuild();
}
