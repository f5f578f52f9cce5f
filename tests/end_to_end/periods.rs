//! `stempoint period`: months that are closed stay as they are.

use serde_json::Value;

use crate::audit_views;
use crate::harness::Books;

const SELECT: &str = "SELECT id, at AS time, 'acme' AS customer, model, 'node-1' AS provider, \
                      tokens AS input_tokens, 0 AS output_tokens FROM input";

fn prices(amount: &str, model: &str) -> String {
    format!(
        "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
         [[price]]\nmeter = \"tokens.input\"\nmatch = {{ model = \"{model}\" }}\nper = \"1000\"\namount = \"{amount}\"\n\
         [[share]]\nmeter = \"tokens.input\"\nprovider = \"0.5\"\n"
    )
}

fn apply(books: &Books, amount: &str, model: &str) {
    let file = books.file("prices.toml", &prices(amount, model));
    books.run(&["prices", "apply", &file.to_string_lossy()]);
}

fn import(books: &Books, name: &str, rows: &str) {
    let file = books.file(&format!("{name}.csv"), &format!("id,at,model,tokens\n{rows}"));
    books.run(&["import", "api_call", &file.to_string_lossy(), "--source", name, "--select", SELECT]);
}

fn invoice(books: &Books, month: &str) -> Value {
    let mut invoice: Value =
        serde_json::from_str(&books.run(&["invoice", "acme", month, "--format", "json"])).expect("JSON");
    invoice["ledger_version"].take();
    invoice
}

/// Guards invariant 7 through the binary: late usage and a price that is
/// changed backwards go into the open month, and the closed one stays.
#[test]
fn a_closed_month_stays_and_what_comes_late_is_billed_in_the_open_one() {
    let books = Books::new();
    apply(&books, "1", "code-1");
    import(&books, "first", "a,2023-11-10T00:00:00Z,code-1,3000\nb,2023-12-02T00:00:00Z,code-1,7000\n");
    let said = books.run(&["period", "close", "2023-11"]);
    assert!(
        said.starts_with("2023-11 is closed with 1 document, INV-000001 and 1 statement of earnings; what arrives late is billed in an open month"),
        "{said}"
    );
    let (november, december) = (invoice(&books, "2023-11"), invoice(&books, "2023-12"));
    assert_eq!((&november["total"], &december["total"]), (&"3.00".into(), &"7.00".into()));

    import(&books, "late", "c,2023-11-30T23:59:59Z,code-1,500\n");
    assert_eq!(invoice(&books, "2023-11"), november);
    assert_eq!(invoice(&books, "2023-12")["total"], "7.50");
    let late = books.sql("SELECT period, quantity FROM charges WHERE hour = '2023-11-30T23:00:00Z' AND side = 'customer' AND meter = 'tokens.input'");
    assert_eq!((&late[0]["period"], late.len()), (&"2023-12".into(), 1));

    // All of it at twice the price: the difference for both months is due in December.
    apply(&books, "2", "code-1");
    assert_eq!(invoice(&books, "2023-11"), november);
    assert_eq!(invoice(&books, "2023-12")["total"], "18.00");

    // The late call at the old price; all November at the new price instead.
    let late = books.sql("SELECT hour, period, quantity, amount FROM audit_late WHERE meter = 'tokens.input' ORDER BY hour, quantity, amount");
    let of = |row: &Value| {
        ["hour", "period", "quantity", "amount"].map(|c| row[c].as_str().expect("text").to_owned()).join(" ")
    };
    assert_eq!(
        late.iter().map(of).collect::<Vec<_>>(),
        [
            "2023-11-10T00:00:00Z 2023-12 -3000 -3",
            "2023-11-10T00:00:00Z 2023-12 3000 6",
            "2023-11-30T23:00:00Z 2023-12 500 1",
        ]
    );

    let again = books.run(&["period", "close", "2023-11"]);
    assert!(again.starts_with("2023-11 is closed already"), "{again}");
    let list = books.run(&["period", "list", "--format", "csv"]);
    assert!(list.lines().nth(1).is_some_and(|line| line.starts_with("2023-11,")), "{list}");
    audit_views::agree(&books);
    books.run(&["rebuild", "--from", "log", "--into", &books.folder().join("log").to_string_lossy()]);
    books.run(&["rebuild", "--from", "lake", "--into", &books.folder().join("lake").to_string_lossy()]);
}

#[test]
fn a_month_waits_for_its_prices_and_closes_in_order() {
    let books = Books::new();
    apply(&books, "1", "code-1");
    import(&books, "calls", "a,2023-11-10T00:00:00Z,beta-1,3000\nb,2023-12-02T00:00:00Z,code-1,7000\n");
    let early = books.fail(&["period", "close", "9998-11"]);
    assert!(early.contains("9998-11 is not over yet: it can be closed from 9998-12-01T00:00:00Z on"), "{early}");
    let waits = books.fail(&["period", "close", "2023-11"]);
    assert!(waits.contains("2023-11 waits for prices of 3000 tokens.input"), "{waits}");
    let order = books.fail(&["period", "close", "2023-12"]);
    assert!(order.contains("2023-11 is being closed: finish it first"), "{order}");
    books.run(&["waive", "tokens.input", "2023-11", "--match", "model=beta-1", "--reason", "a test"]);
    books.run(&["period", "close", "2023-11"]);
    books.run(&["period", "close", "2023-12"]);
    let order = books.fail(&["period", "close", "2024-02"]);
    assert!(order.contains("months close in order: the next one is 2024-01"), "{order}");
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
}
