//! Currencies that are changed for others, through the binary.

use serde_json::{Value, json};

use crate::audit_views;
use crate::harness::Books;

fn exchange(books: &Books, arguments: &[&str]) -> String {
    books.run(&[&["exchange", "add"], arguments, &["--received", "2023-11-20T10:00:00Z"]].concat())
}

#[test]
fn an_exchange_has_an_entry_for_each_currency_and_says_what_was_gained() {
    let books = Books::new();
    let loss = ["1000.00", "USD", "921.35", "EUR", "--rate", "0.925", "--id", "MT940-17"];
    let said = exchange(&books, &loss);
    assert!(said.starts_with("1000 USD was changed for 921.35 EUR, a loss of 3.65 EUR"), "{said}");
    assert!(exchange(&books, &loss).starts_with("the same as control event"), "a repeat changes nothing");
    let said = exchange(&books, &["500", "EUR", "543.10", "USD"]);
    assert!(said.starts_with("500 EUR was changed for 543.1 USD ("), "{said}");
    let said = exchange(&books, &["10", "USD", "33.123456789", "SPT", "--rate", "3.3"]);
    assert!(said.starts_with("10 USD was changed for 33.123456789 SPT, a gain of 0.123456789 SPT"), "{said}");
    let said = books.fail(&["exchange", "add", "5", "USD", "5", "USD"]);
    assert!(said.contains("USD for USD is no exchange"), "{said}");

    let rows = books.sql("SELECT asset, account, balance FROM balances ORDER BY asset, account");
    let row = |row: &Value| format!("{} {} {}", row["asset"], row["account"], row["balance"]).replace('"', "");
    assert_eq!(
        rows.iter().map(row).collect::<Vec<_>>(),
        [
            "EUR platform/exchange 3.65",
            "EUR treasury/bank 421.35",
            "EUR treasury/exchange -425",
            "SPT platform/exchange -0.123456789",
            "SPT treasury/bank 33.123456789",
            "SPT treasury/exchange -33",
            "USD treasury/bank -466.9",
            "USD treasury/exchange 466.9",
        ]
    );
    let mixed = "SELECT _offset, entry FROM journal GROUP BY _offset, entry HAVING count(DISTINCT asset) > 1";
    assert_eq!(Value::from(books.sql(mixed)), json!([]), "no entry mixes currencies");
    let listed = books.run(&["exchange", "list"]);
    let first = listed.lines().find(|line| line.contains("exchange-0")).expect("it is listed");
    let cells: Vec<&str> = first.split_whitespace().filter(|cell| *cell != "│" && *cell != "|").collect();
    assert!(cells.join(" ").ends_with("1000 USD 921.35 EUR -3.65"), "{listed}");
    let ledger = books.run(&["general-ledger", "2023-11"]);
    for code in ["1100", "4200"] {
        assert!(ledger.contains(code), "{code}: {ledger}");
    }
    audit_views::agree(&books);
    books.rebuild();
}
