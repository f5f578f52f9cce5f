//! Grants through the binary: in which order they pay, and what becomes of what
//! is left. Each command is a process of its own, so that every step also
//! guards what a restart takes up.

use serde_json::{Value, json};

use crate::audit_views;
use crate::focus::keeps_the_rules;
use crate::harness::Books;

const PRICES: &str = "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
                      [[price]]\nmeter = \"tokens.input\"\nper = \"1000\"\namount = \"1.001\"\n";

/// One customer with usage in three months, who pays 3.57, 1.19 and 1.19.
fn used() -> Books {
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    let rows = "a,2023-11-10T00:00:00Z,acme,3000\nb,2023-12-11T00:00:00Z,acme,1000\n\
                c,2024-01-11T00:00:00Z,acme,1000\n";
    books.import_calls("calls", rows);
    books.run(&["terms", "set", "--entity", "SPEU", "--tax", "VAT=0.19"]);
    books
}

fn grant(books: &Books, arguments: &[&str]) -> String {
    books.run(&[&["grant", "add", "acme"], arguments, &["--from", "2023-11", "--reason", "a test"]].concat())
}

fn balances(books: &Books) -> Vec<String> {
    books.balances(
        "account LIKE 'customer/%' OR account IN ('platform/promotions', 'platform/breakage', 'treasury/bank')",
    )
}

fn grants(books: &Books) -> Value {
    const ROW: [&str; 5] = ["kind", "amount", "used", "unused", "state"];
    let rows = books.sql("SELECT kind, amount, used, unused, state FROM grant_status ORDER BY _offset");
    let of = |row: &Value| Value::from(ROW.map(|of| row[of].clone()).to_vec());
    rows.iter().map(of).collect()
}

#[test]
fn grants_pay_by_priority_then_by_their_end_and_what_is_left_is_posted() {
    let books = used();
    let paid = ["10", "--paid", "--received", "2023-11-05T00:00:00Z", "--until", "2023-12", "--id", "sale-1"];
    let said = grant(&books, &paid);
    assert!(said.starts_with("acme paid for 10 USD for the invoices of 2023-11 to 2023-12"), "{said}");
    assert!(grant(&books, &paid).starts_with("the same as control event"), "a repeat changes nothing");
    let said = grant(&books, &["2", "--priority", "0"]);
    assert!(said.starts_with("acme was given 2 USD for the invoices of 2023-11 on"), "{said}");
    grant(&books, &["1", "--priority", "0", "--until", "2023-11"]);
    grant(&books, &["0.40", "--priority", "500", "--until", "2023-11"]);
    assert_eq!(balances(&books)[0], "customer/acme/prepaid -10");

    books.run(&["period", "close", "2023-11"]);
    assert_eq!(
        Value::from(books.sql("SELECT source, amount FROM allocations ORDER BY _offset, line")),
        json!([
            { "source": "grant-5", "amount": "1" },
            { "source": "grant-4", "amount": "2" },
            { "source": "grant-2", "amount": "0.57" },
        ]),
        "of what comes first what ends first is used first"
    );
    assert_eq!(
        grants(&books),
        json!([
            ["prepaid", "10", "0.57", "9.43", "open"],
            ["promotional", "2", "2", "0", "used"],
            ["promotional", "1", "1", "0", "used"],
            ["promotional", "0.4", "0", "0.4", "expired"],
        ])
    );
    assert_eq!(
        balances(&books),
        ["customer/acme/prepaid -9.43", "customer/acme/receivable 2.002", "platform/promotions 3", "treasury/bank 10",]
    );
    says_what_it_was_paid_with(&books);
    let said =
        books.fail(&["grant", "add", "acme", "5", "--from", "2023-11", "--until", "2023-11", "--reason", "late"]);
    assert!(said.contains("2023-11 is closed: a grant pays for invoices that are yet to be issued"), "{said}");

    // December uses a part of what was paid for, and nothing later can.
    books.run(&["period", "close", "2023-12"]);
    books.run(&["period", "close", "2024-01"]);
    assert_eq!(grants(&books)[0], json!(["prepaid", "10", "1.76", "8.24", "expired"]));
    assert_eq!(
        balances(&books),
        [
            "customer/acme/prepaid 0",
            "customer/acme/receivable 1.19",
            "platform/breakage -8.24",
            "platform/promotions 3",
            "treasury/bank 10",
        ]
    );
    assert_eq!(
        Value::from(books.sql("SELECT number, paid, open, status FROM invoice_status ORDER BY number")),
        json!([
            { "number": "SPEU-000001", "paid": "3.57", "open": "0", "status": "paid" },
            { "number": "SPEU-000002", "paid": "1.19", "open": "0", "status": "paid" },
            { "number": "SPEU-000003", "paid": "0", "open": "1.19", "status": "finalized" },
        ])
    );
    let ledger = books.run(&["general-ledger", "2023-12"]);
    assert!(ledger.lines().any(|line| line.contains("4100") && line.contains("8.24")), "{ledger}");
    let listed = books.run(&["grant", "list", "--customer", "acme"]);
    assert!(listed.lines().any(|line| line.contains("grant-2") && line.contains("expired")), "{listed}");
    keeps_the_rules(&books);
    audit_views::agree(&books);
    books.rebuild();
}

/// An invoice says what paid it when it was issued.
fn says_what_it_was_paid_with(books: &Books) {
    let printed = books.run(&["invoice", "SPEU-000001", "--format", "json"]);
    let invoice: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!((&invoice["total"], &invoice["to_be_paid"]), (&json!("3.57"), &json!("0.00")));
    let paid = invoice["paid"].as_array().expect("what it was paid with");
    let found: Vec<Value> = paid.iter().map(|part| json!([part["source"], part["amount"]])).collect();
    assert_eq!(Value::from(found), json!([["grant-5", "1.00"], ["grant-4", "2.00"], ["grant-2", "0.57"]]));
    for part in paid {
        let row = &books.sql(part["sql"].as_str().expect("a query"))[0];
        let amount = |text: &Value| text.as_str().and_then(|text| text.parse::<f64>().ok());
        assert_eq!(amount(&row["amount"]), amount(&part["amount"]), "{part}");
    }
    for format in ["text", "html"] {
        let text = books.run(&["invoice", "SPEU-000001", "--format", format]);
        assert!(text.contains("Paid with grant-2") && text.contains("To be paid"), "{text}");
    }
    let file = books.folder().join("paid.pdf");
    books.run(&["invoice", "SPEU-000001", "--format", "pdf", "--out", &file.to_string_lossy()]);
    let said = books.run(&["invoice", "verify", &file.to_string_lossy()]);
    assert!(said.starts_with("holds: "), "{said}");
    let other = printed.replace("\"amount\": \"0.57\"", "\"amount\": \"0.58\"");
    let file = books.file("other.json", &other);
    let said = books.output(&["invoice", "verify", &file.to_string_lossy()]);
    assert_eq!(said.status.code(), Some(3), "what paid it is compared too");
}
