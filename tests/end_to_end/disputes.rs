//! Lines that a customer or a provider does not agree to, through the binary.
//! Each command is a process of its own, so that every step also guards what a
//! restart takes up.

use serde_json::{Value, json};

use crate::audit_views;
use crate::focus::keeps_the_rules;
use crate::harness::Books;

const PRICES: &str = "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
                      [[price]]\nmeter = \"tokens.input\"\nper = \"1000\"\namount = \"10\"\n\
                      [[share]]\nmeter = \"tokens.input\"\nprovider = \"0.5\"\n";
const SELECT: &str = "SELECT id, at AS time, 'acme' AS customer, model, 'node-1' AS provider, \
                      tokens AS input_tokens, 0 AS output_tokens FROM input";

/// An invoice with lines of 10 and 30 before tax, and a statement of half of
/// them.
fn invoiced() -> Books {
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    books.run(&["terms", "set", "--entity", "SPEU", "--tax", "VAT=0.2"]);
    let rows = "id,at,model,tokens\na,2023-11-10T00:00:00Z,chat-9,1000\nb,2023-11-11T00:00:00Z,code-1,3000\n";
    let file = books.file("calls.csv", rows);
    books.run(&["import", "api_call", &file.to_string_lossy(), "--source", "calls", "--select", SELECT]);
    books.run(&["period", "close", "2023-11"]);
    books
}

fn open(books: &Books, arguments: &[&str]) -> String {
    books.run(&[&["dispute", "open"], arguments, &["--reason", "it was down"]].concat())
}

fn cannot_open(books: &Books, arguments: &[&str]) -> String {
    books.fail(&[&["dispute", "open"], arguments, &["--reason", "it was down"]].concat())
}

/// The name of a dispute that was just opened.
fn name(said: &str) -> String {
    said.split(' ').next().expect("a name").to_owned()
}

fn rows(books: &Books, query: &str, columns: &[&str]) -> Value {
    let rows = books.sql(query);
    rows.iter().map(|row| columns.iter().map(|of| row[of].clone()).collect::<Value>()).collect()
}

fn invoice(books: &Books) -> Value {
    let columns = ["paid", "credited", "disputed", "open", "status"];
    rows(books, "SELECT * FROM invoice_status WHERE number = 'SPEU-000001'", &columns)[0].clone()
}

fn balances(books: &Books) -> Vec<String> {
    books.balances("balance <> 0")
}

#[test]
fn what_a_customer_disputes_is_set_aside_until_it_is_resolved() {
    let books = invoiced();
    for (arguments, problem) in [
        (&["SPEU-000001", "--line", "3"][..], "SPEU-000001 has lines of usage 1 to 2, and no line 3"),
        (&["SPEU-000001", "--line", "2", "--amount", "36.01"], "36.01 is more than the 36 that can be disputed"),
        (&["SPEU-000001", "--line", "2", "--amount", "0"], "the amount must be more than 0"),
        (&["SPEU-000002", "--line", "1"], "SPEU-000002"),
    ] {
        let said = cannot_open(&books, arguments);
        assert!(said.contains(problem), "{arguments:?}: {said}");
    }
    let said = open(&books, &["SPEU-000001", "--line", "2", "--amount", "12"]);
    let dispute = name(&said);
    let expected =
        format!("{dispute} is open: acme does not agree to 12 USD of SPEU-000001; 12 of what is open is set aside");
    assert!(said.starts_with(&expected), "{said}");
    assert_eq!(invoice(&books), json!(["0", "0", "12", "36", "finalized"]));

    // A payment does not reach what is disputed, nor does another credit.
    books.run(&["payment", "add", "acme", "48", "--received", "2024-01-05T00:00:00Z"]);
    assert_eq!(invoice(&books), json!(["36", "0", "12", "0", "disputed"]));
    let said = books.fail(&["credit", "acme", "36.01", "--invoice", "SPEU-000001", "--reason", "a slip"]);
    assert!(said.contains("36.01 is more than the 36 that can be taken back of it"), "{said}");
    let said = books.fail(&["write-off", "SPEU-000001", "--reason", "a slip"]);
    assert!(said.contains("nothing of SPEU-000001 is open"), "{said}");
    assert_eq!(
        balances(&books),
        [
            "customer/acme/credit -12",
            "customer/acme/disputed 12",
            "platform/revenue -20",
            "platform/tax -8",
            "provider/node-1/payable -20",
            "treasury/bank 48",
        ]
    );

    let said = books.fail(&["dispute", "accept", &dispute, "12.01", "--reason", "a slip"]);
    assert!(said.contains(&format!("12.01 is more than the 12 of {dispute}")), "{said}");
    let said = books.run(&["dispute", "accept", &dispute, "6", "--reason", "half of the day"]);
    let expected = format!("6 of the 12 of {dispute} was accepted; SPEU-000002 paid 12 of SPEU-000001");
    assert!(said.starts_with(&expected), "{said}");
    let said = books.fail(&["dispute", "reject", &dispute, "--reason", "again"]);
    assert!(said.contains(&format!("{dispute} was resolved already: 6 of it was accepted")), "{said}");
    assert_eq!(invoice(&books), json!(["48", "0", "0", "0", "paid"]));
    let note = books.run(&["credit-note", "SPEU-000002"]);
    assert!(note.contains("half of the day") && note.contains("SPEU-000001"), "{note}");

    // What was accepted of a line cannot be disputed again, the rest can.
    let said = cannot_open(&books, &["SPEU-000001", "--line", "2", "--amount", "30.01"]);
    assert!(said.contains("30.01 is more than the 30 that can be disputed of that line"), "{said}");
    let again = name(&open(&books, &["SPEU-000001", "--line", "2"]));
    let said = cannot_open(&books, &["SPEU-000001", "--line", "2"]);
    assert!(said.contains("nothing is left to dispute of the line of price"), "{said}");
    let said = books.run(&["dispute", "reject", &again, "--reason", "the logs show the calls"]);
    assert!(said.starts_with(&format!("{again} was rejected: nothing of SPEU-000001 changes")), "{said}");

    let columns = ["name", "document", "period", "model", "amount", "state", "accepted", "answer", "credit_note"];
    assert_eq!(
        rows(&books, "SELECT * FROM dispute_status ORDER BY _offset", &columns),
        json!([
            [
                dispute,
                "SPEU-000001",
                "2023-11",
                "code-1",
                "12",
                "partly accepted",
                "6",
                "half of the day",
                "SPEU-000002"
            ],
            [again, "SPEU-000001", "2023-11", "code-1", "30", "rejected", "0", "the logs show the calls", null],
        ])
    );
    assert!(books.run(&["dispute", "list", "--open"]).contains("0 rows"), "none waits");
    assert_eq!(
        balances(&books),
        [
            "customer/acme/credit -6",
            "platform/refunds 5",
            "platform/revenue -20",
            "platform/tax -7",
            "provider/node-1/payable -20",
            "treasury/bank 48",
        ]
    );
    keeps_the_rules(&books);
    audit_views::agree(&books);
    books.rebuild();
}

#[test]
fn what_a_provider_asks_for_is_on_its_next_statement() {
    let books = invoiced();
    let said = cannot_open(&books, &["SPEU-S-000001", "--line", "1"]);
    assert!(said.contains("name the amount that is asked for beyond the line"), "{said}");
    let said = open(&books, &["SPEU-S-000001", "--line", "1", "--amount", "3"]);
    let dispute = name(&said);
    assert!(said.starts_with(&format!("{dispute} is open: node-1 asks for 3 USD beyond SPEU-S-000001")), "{said}");
    let said = cannot_open(&books, &["SPEU-S-000001", "--line", "1", "--amount", "1"]);
    assert!(said.contains(&format!("{dispute} is about that line already; resolve it first")), "{said}");
    let said = books.run(&["dispute", "accept", &dispute, "2.5", "--reason", "an hour was missing"]);
    let expected =
        format!("2.5 of the 3 of {dispute} was accepted; it is owed to node-1, and its next statement carries it");
    assert!(said.starts_with(&expected), "{said}");
    assert_eq!(balances(&books)[1..3], ["platform/refunds 2.5", "platform/revenue -20"]);

    // Nothing was earned in the month that is closed next.
    let said = books.run(&["period", "close", "2023-12"]);
    assert!(said.starts_with("2023-12 is closed without invoices and 1 statement of earnings"), "{said}");
    let columns = ["number", "period", "earned", "carried", "total"];
    assert_eq!(
        rows(&books, "SELECT * FROM statements ORDER BY _offset, line", &columns),
        json!([["SPEU-S-000001", "2023-11", "20", "0", "20"], ["SPEU-S-000002", "2023-12", "0", "2.5", "2.5"]])
    );
    let text = books.run(&["earnings", "SPEU-S-000002"]);
    assert!(text.contains("Carried over USD") && text.contains("2.50"), "{text}");
    assert_eq!(text, books.run(&["earnings", "node-1", "2023-12"]));
    let file = books.folder().join("statement.pdf");
    books.run(&["earnings", "SPEU-S-000002", "--format", "pdf", "--out", &file.to_string_lossy()]);
    let said = books.run(&["invoice", "verify", &file.to_string_lossy()]);
    assert!(said.starts_with("holds: "), "{said}");
    books.run(&["period", "close", "2024-01"]);
    assert_eq!(books.sql("SELECT number FROM statements").len(), 2, "it is carried once");
    audit_views::agree(&books);
    books.rebuild();
}
