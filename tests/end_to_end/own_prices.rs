//! Prices for one customer, through the binary. Each command is a process of its
//! own, so that every step also guards what a restart takes up.

use serde_json::{Value, json};

use crate::audit_views;
use crate::harness::Books;

const CUSTOMERS: [&str; 3] = ["acme", "initech", "umbrella"];
const SELECT: &str = "SELECT id, at AS time, customer, 'code-1' AS model, node AS provider, tokens AS input_tokens, \
                      0 AS output_tokens FROM input";

/// Puts a book in force that holds from the first of November: a dollar for a
/// thousand tokens, and what else it says.
fn apply(books: &Books, more: &str) -> String {
    let prices = format!(
        "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
         [[price]]\nmeter = \"tokens.input\"\nper = \"1000\"\namount = \"1\"\n{more}\
         [[share]]\nmeter = \"tokens.input\"\nprovider = \"0.5\"\n"
    );
    let prices = books.file("prices.toml", &prices);
    books.run(&["prices", "apply", &prices.to_string_lossy()])
}

fn import(books: &Books, calls: &str) {
    let calls = books.file("calls.csv", &format!("id,at,customer,node,tokens\n{calls}"));
    books.run(&["import", "api_call", &calls.to_string_lossy(), "--source", "app", "--select", SELECT]);
}

/// What customers' invoices of a month say; making them settles what arrived.
fn totals(books: &Books, month: &str, customers: &[&str]) -> Vec<String> {
    let total = |customer: &&str| {
        let invoice: Value =
            serde_json::from_str(&books.run(&["invoice", customer, month, "--format", "json"])).expect("JSON");
        format!("{customer} {}", invoice["total"].as_str().expect("a total"))
    };
    customers.iter().map(total).collect()
}

/// What nodes earned so far, by node.
fn earned(books: &Books) -> Vec<String> {
    let earned = books.sql("SELECT account, balance FROM balances WHERE account LIKE 'provider/%' ORDER BY account");
    earned.iter().map(|row| format!("{} {}", row["account"], row["balance"]).replace('"', "")).collect()
}

const OWN: &str = "[[price]]\nmeter = \"tokens.input\"\nmatch = { customer = \"acme\" }\nper = \"1000\"\n\
                   amount = \"0.8\"\n";
const OTHERS: &str = "[[price]]\nmeter = \"tokens.input\"\nmatch = { customer = \"umbrella\", model = \"code-1\" }\n\
                      per = \"1000\"\namount = \"0.6\"\n";

#[test]
fn a_customers_own_price_is_before_all_others_and_moves_no_one_elses() {
    let books = Books::new();
    apply(&books, "");
    import(
        &books,
        "a,2023-11-10T00:00:00Z,acme,node-1,1000\nb,2023-11-10T00:10:00Z,umbrella,node-1,2000\n\
         c,2023-11-10T00:20:00Z,initech,node-2,4000\nd,2023-11-10T00:30:00Z,acme,node-2,3000\n",
    );
    assert_eq!(totals(&books, "2023-11", &CUSTOMERS), ["acme 4.00", "initech 4.00", "umbrella 2.00"]);
    assert_eq!(earned(&books), ["provider/node-1/payable -1.5", "provider/node-2/payable -3.5"]);

    // A book for the past: only what acme was served moves, on both nodes.
    let said = apply(&books, OWN);
    assert!(said.contains("in force; 6 charges were rated again"), "{said}");
    assert_eq!(totals(&books, "2023-11", &CUSTOMERS), ["acme 3.20", "initech 4.00", "umbrella 2.00"]);
    assert_eq!(earned(&books), ["provider/node-1/payable -1.4", "provider/node-2/payable -3.2"]);

    // What is settled from now on is kept apart at once.
    import(&books, "e,2023-11-10T00:40:00Z,acme,node-1,500\nf,2023-11-10T00:50:00Z,umbrella,node-1,500\n");
    assert_eq!(totals(&books, "2023-11", &CUSTOMERS), ["acme 3.60", "initech 4.00", "umbrella 2.50"]);
    assert_eq!(earned(&books), ["provider/node-1/payable -1.85", "provider/node-2/payable -3.2"]);

    // The price of one goes and another's comes, after the month was closed.
    books.run(&["period", "close", "2023-11"]);
    apply(&books, OTHERS);
    assert_eq!(totals(&books, "2023-11", &CUSTOMERS), ["acme 3.60", "initech 4.00", "umbrella 2.50"]);
    assert_eq!(totals(&books, "2023-12", &CUSTOMERS), ["acme 0.90", "initech 0.00", "umbrella -1.00"]);
    assert_eq!(earned(&books), ["provider/node-1/payable -1.5", "provider/node-2/payable -3.5"]);

    let own = books.sql(
        "SELECT price_customers.customer, meter, model, amount FROM price_customers \
         JOIN prices ON prices.price = price_customers.price ORDER BY prices._offset",
    );
    assert_eq!(
        Value::from(own),
        json!([
            { "customer": "acme", "meter": "tokens.input", "model": null, "amount": "0.8" },
            { "customer": "umbrella", "meter": "tokens.input", "model": "code-1", "amount": "0.6" },
        ])
    );
    let listed = books.run(&["prices", "list"]);
    assert!(listed.lines().any(|line| line.contains("umbrella") && line.contains("0.6")), "{listed}");
    audit_views::agree(&books);
    books.rebuild();
}

#[test]
fn what_only_one_customer_pays_for_is_not_billed_to_others() {
    let books = Books::new();
    let requests = "[[price]]\nmeter = \"requests\"\nmatch = { customer = \"acme\" }\nper = \"1\"\namount = \"2\"\n";
    apply(&books, requests);
    import(&books, "a,2023-11-10T00:00:00Z,acme,node-1,1000\nb,2023-11-10T00:10:00Z,umbrella,node-1,1000\n");
    assert_eq!(totals(&books, "2023-11", &["acme", "umbrella"]), ["acme 3.00", "umbrella 1.00"]);
    let requests = books.sql(
        "SELECT state, side, sum(quantity) AS n FROM charges WHERE meter = 'requests' GROUP BY state, side ORDER BY 1, 2",
    );
    assert_eq!(
        Value::from(requests),
        json!([
            { "state": "charged", "side": "customer", "n": "1" },
            { "state": "charged", "side": "provider", "n": "1" },
            { "state": "not_billed", "side": "customer", "n": "1" },
            { "state": "not_billed", "side": "provider", "n": "1" },
        ])
    );
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
}
