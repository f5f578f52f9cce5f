//! Invoices that are written off and put back, through the binary. Each command
//! is a process of its own, so that every step also guards what a restart takes
//! up.

use serde_json::{Value, json};

use crate::audit_views;
use crate::focus::keeps_the_rules;
use crate::harness::Books;

const PRICES: &str = "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
                      [[price]]\nmeter = \"tokens.input\"\nper = \"1000\"\namount = \"10\"\n";

/// One customer with two invoices of 30 and 10.
fn invoiced() -> Books {
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    books.import_calls("calls", "a,2023-11-10T00:00:00Z,acme,3000\nb,2023-12-11T00:00:00Z,acme,1000\n");
    books.run(&["period", "close", "2023-11"]);
    books.run(&["period", "close", "2023-12"]);
    books
}

fn write_off(books: &Books, arguments: &[&str]) -> String {
    books.run(&[&["write-off"], arguments, &["--reason", "insolvent"]].concat())
}

fn invoices(books: &Books) -> Value {
    const ROW: [&str; 6] = ["number", "paid", "credited", "written_off", "open", "status"];
    let rows = books.sql("SELECT * FROM invoice_status WHERE kind = 'invoice' ORDER BY number");
    rows.iter().map(|row| Value::from(ROW.map(|of| row[of].clone()).to_vec())).collect()
}

fn balances(books: &Books) -> Vec<String> {
    books.balances("balance <> 0")
}

#[test]
fn what_is_written_off_is_not_paid_until_it_is_put_back() {
    let books = invoiced();
    books.run(&["payment", "add", "acme", "5", "--received", "2024-01-05T00:00:00Z"]);
    let said = books.fail(&["write-off", "INV-000001", "25.01", "--reason", "a slip"]);
    assert!(said.contains("25.01 is more than the 25 that is open of INV-000001"), "{said}");
    let said = write_off(&books, &["INV-000001"]);
    assert!(said.starts_with("25 of INV-000001 was written off"), "{said}");
    let said = books.fail(&["write-off", "INV-000001", "--reason", "again"]);
    assert!(said.contains("nothing of INV-000001 is open"), "{said}");
    let said = books.fail(&["credit", "acme", "6", "--invoice", "INV-000001", "--reason", "an outage"]);
    assert!(said.contains("6 is more than the 5 that can be taken back of it"), "{said}");
    assert_eq!(
        balances(&books),
        ["customer/acme/receivable 10", "platform/bad_debt 25", "platform/revenue -40", "treasury/bank 5",]
    );

    // What comes in pays the other one; what is left waits.
    books.run(&["payment", "add", "acme", "18", "--invoice", "INV-000001", "--received", "2024-01-06T00:00:00Z"]);
    assert_eq!(
        invoices(&books),
        json!([["INV-000001", "5", "0", "25", "0", "written off"], ["INV-000002", "10", "0", "0", "0", "paid"],])
    );
    let said = write_off(&books, &["INV-000001", "12", "--put-back"]);
    let paid =
        "12 of INV-000001 was put back: it is open again; what was held paid 8 of INV-000001, of which 4 is open";
    assert!(said.starts_with(paid), "{said}");
    let said = books.fail(&["write-off", "INV-000001", "14", "--put-back", "--reason", "a slip"]);
    assert!(said.contains("14 is more than the 13 that was written off of INV-000001"), "{said}");
    assert_eq!(invoices(&books)[0], json!(["INV-000001", "13", "0", "13", "4", "finalized"]));
    assert_eq!(
        Value::from(books.sql("SELECT source, invoice, amount FROM allocations ORDER BY _offset, line")),
        json!([
            { "source": "payment-5", "invoice": "INV-000001", "amount": "5" },
            { "source": "write-off-7", "invoice": "INV-000001", "amount": "25" },
            { "source": "payment-10", "invoice": "INV-000002", "amount": "10" },
            { "source": "write-off-11", "invoice": "INV-000001", "amount": "-12" },
            { "source": "payment-10", "invoice": "INV-000001", "amount": "8" },
        ])
    );
    let ledger = books.run(&["general-ledger", "2023-11"]);
    assert!(!ledger.contains("6200"), "what was written off later is not in a closed month: {ledger}");
    keeps_the_rules(&books);
    audit_views::agree(&books);
    books.rebuild();
}
