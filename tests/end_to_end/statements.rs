//! Statements of what providers earned, numbered when months are closed. Each
//! command is a process of its own, so that every step also guards what a
//! restart takes up.

use serde_json::{Value, json};

use crate::audit_views;
use crate::harness::Books;

const PRICES: &str = "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
                      [[price]]\nmeter = \"tokens.input\"\nper = \"1000\"\namount = \"1.001\"\n\
                      [[share]]\nmeter = \"tokens.input\"\nprovider = \"0.5\"\n";
const SELECT: &str = "SELECT id, at AS time, 'acme' AS customer, 'code-1' AS model, node AS provider, \
                      tokens AS input_tokens, 0 AS output_tokens FROM input";

fn import(books: &Books, name: &str, rows: &str) {
    let file = books.file(&format!("{name}.csv"), &format!("id,at,node,tokens\n{rows}"));
    books.run(&["import", "api_call", &file.to_string_lossy(), "--source", name, "--select", SELECT]);
}

/// Half of what 1,000 tokens cost is 0.5005: what rounding leaves shows.
fn earned() -> Books {
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    books.run(&["terms", "set", "--entity", "SPEU"]);
    import(
        &books,
        "calls",
        "a,2023-11-10T00:00:00Z,node-1,7000\nb,2023-11-10T00:00:00Z,node-2,8\n\
         c,2023-12-10T00:00:00Z,node-1,7000\nd,2023-12-10T00:00:00Z,node-2,8\ne,2024-01-10T00:00:00Z,node-2,8\n",
    );
    books
}

fn rows(books: &Books) -> Value {
    const ROW: [&str; 6] = ["number", "provider", "period", "earned", "carried", "total"];
    let rows = books.sql("SELECT * FROM statements ORDER BY _offset, line");
    rows.iter().map(|row| Value::from(ROW.map(|of| row[of].clone()).to_vec())).collect()
}

#[test]
fn providers_get_numbered_statements_and_what_rounding_leaves_is_carried() {
    let books = earned();
    let said = books.run(&["period", "close", "2023-11"]);
    let closed = "2023-11 is closed with 1 document, SPEU-000001 and 2 statements of earnings; what arrives late";
    assert!(said.starts_with(closed), "{said}");
    // Late usage of a closed month is in the statement of the open one.
    import(&books, "late", "f,2023-11-30T23:00:00Z,node-1,1000\n");
    books.run(&["period", "close", "2023-12"]);
    books.run(&["period", "close", "2024-01"]);
    assert_eq!(
        rows(&books),
        json!([
            ["SPEU-S-000001", "node-1", "2023-11", "3.5035", "0", "3.5"],
            ["SPEU-S-000002", "node-2", "2023-11", "0.004004", "0", "0"],
            ["SPEU-S-000003", "node-1", "2023-12", "4.004", "0.0035", "4.01"],
            ["SPEU-S-000004", "node-2", "2023-12", "0.004004", "0.004004", "0.01"],
            ["SPEU-S-000005", "node-2", "2024-01", "0.004004", "-0.001992", "0"],
        ])
    );
    // Nothing is lost: what is owed is what was earned.
    let owed = books.sql("SELECT balance FROM balances WHERE account = 'provider/node-1/payable'");
    assert_eq!(owed[0]["balance"], "-7.5075");

    let print = |arguments: &[&str]| -> Value {
        serde_json::from_str(&books.run(&[&["earnings"], arguments, &["--format", "json"]].concat())).expect("JSON")
    };
    let statement = print(&["SPEU-S-000003"]);
    assert_eq!(statement, print(&["node-1", "2023-12"]), "by its number and by its month");
    for (field, value) in [("subtotal", "4.004"), ("carried", "0.0035"), ("total", "4.01"), ("provider", "node-1")] {
        assert_eq!(statement[field], value, "{field}");
    }
    let mut files = Vec::new();
    for format in ["pdf", "json", "csv", "html", "text"] {
        let file = books.folder().join(format!("statement.{format}"));
        books.run(&["earnings", "SPEU-S-000003", "--format", format, "--out", &file.to_string_lossy()]);
        files.push(file.to_string_lossy().into_owned());
    }
    let text = std::fs::read_to_string(&files[4]).expect("it was written");
    assert!(text.starts_with("STATEMENT OF EARNINGS SPEU-S-000003"), "{text}");
    assert!(text.contains("Carried over USD"), "{text}");
    for file in &files[..3] {
        let said = books.run(&["invoice", "verify", file]);
        assert!(said.starts_with("holds: "), "{file}: {said}");
    }
    all_of_a_month(&books);
    let listed = books.run(&["statements", "--provider", "node-1", "--period", "2023-12"]);
    assert!(listed.contains("SPEU-S-000003") && !listed.contains("SPEU-S-000004"), "{listed}");
    let unknown = books.fail(&["earnings", "SPEU-S-000009"]);
    assert!(unknown.contains("SPEU-S-000009"), "{unknown}");
    audit_views::agree(&books);
    books.rebuild();
}

/// A month's statements as files are those that are printed one by one.
fn all_of_a_month(books: &Books) {
    let into = books.folder().join("statements-2023-12");
    let write = |period: &str| {
        let into = into.to_string_lossy().into_owned();
        ["statements", "write", "--period", period, "--format", "json", "--into", &into].map(str::to_owned)
    };
    for _ in 0..2 {
        let said = books.run(&write("2023-12").each_ref().map(String::as_str));
        assert!(said.starts_with("2 statements of 2023-12 in "), "{said}");
        let mut files: Vec<String> = std::fs::read_dir(&into)
            .expect("the folder is there")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        files.sort();
        assert_eq!(files, ["SPEU-S-000003.json", "SPEU-S-000004.json"]);
    }
    for number in ["SPEU-S-000003", "SPEU-S-000004"] {
        let file = into.join(format!("{number}.json"));
        let written = std::fs::read_to_string(&file).expect("it was written");
        assert_eq!(written, books.run(&["earnings", number, "--format", "json"]), "{number}");
        let said = books.run(&["invoice", "verify", &file.to_string_lossy()]);
        assert!(said.starts_with("holds: "), "{number}: {said}");
    }
    let open = books.fail(&write("2024-02").each_ref().map(String::as_str));
    assert!(open.contains("2024-02 is not closed, so its documents have no numbers yet"), "{open}");
}
