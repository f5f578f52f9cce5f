//! From a month's close to the last cent: invoices, payments, credits and the
//! accounts that they move, through the binary.

use serde_json::{Value, json};

use crate::harness::Books;

const PRICES: &str = "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
                      [[price]]\nmeter = \"tokens.input\"\nper = \"1000\"\namount = \"1.001\"\n";

fn closed_month() -> Books {
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    let rows = "a,2023-11-10T00:00:00Z,acme,3000\nb,2023-11-11T00:00:00Z,blue,7001\n";
    books.import_calls("calls", rows);
    books.run(&["terms", "set", "--entity", "SPEU", "--due-days", "14", "--tax", "VAT=0.19"]);
    books.run(&["terms", "set", "--customer", "blue", "--entity", "SPUS"]);
    let said = books.run(&["period", "close", "2023-11"]);
    assert!(said.starts_with("2023-11 is closed with 2 documents, SPEU-000001, SPUS-000001;"), "{said}");
    books
}

fn balance(books: &Books, arguments: &[&str]) -> Value {
    let rows = books.run(&[&["balance"], arguments, &["--format", "json"]].concat());
    let rows: Value = serde_json::from_str(&rows).expect("JSON");
    rows.as_array().expect("rows").iter().map(|row| json!([row["account"], row["balance"]])).collect()
}

#[test]
fn a_month_is_invoiced_paid_and_credited_and_every_cent_is_accounted_for() {
    let books = closed_month();
    let invoice: Value =
        serde_json::from_str(&books.run(&["invoice", "acme", "2023-11", "--format", "json"])).expect("JSON");
    // 3.003 is 3.00 and, of the exact amount, 0.57057 of tax.
    for (field, value) in [("number", "SPEU-000001"), ("subtotal", "3.003"), ("tax", "0.57"), ("total", "3.57")] {
        assert_eq!(invoice[field], value, "{field}");
    }
    assert_eq!(balance(&books, &["customer/acme"]), json!([["customer/acme/receivable", "3.57"]]));
    assert_eq!(balance(&books, &["platform/tax"]), json!([["platform/tax", "-0.57"]]));

    let pay = ["payment", "add", "acme", "2.00", "--received", "2023-12-05T00:00:00Z", "--id", "bank-1"];
    let said = books.run(&pay);
    assert!(said.starts_with("2 USD paid 2 of SPEU-000001, of which 1.57 is open"), "{said}");
    assert!(books.run(&pay).starts_with("the same as control event"), "a repeat changes nothing");
    // Received in the month that is closed, it counts from the first open moment.
    books.run(&["payment", "add", "acme", "5", "--received", "2023-11-29T00:00:00Z", "--id", "bank-2"]);
    let at = |time| balance(&books, &["customer/acme", "--at", time]);
    assert_eq!(at("2023-11-30T23:59:59.999999Z"), json!([["customer/acme/receivable", "3.57"]]));
    assert_eq!(
        at("2023-12-31T00:00:00Z"),
        json!([["customer/acme/credit", "-3.43"], ["customer/acme/receivable", "0"]])
    );
    let refused = books.fail(&["credit", "acme", "4", "--invoice", "SPEU-000001", "--reason", "a slip"]);
    assert!(refused.contains("4 is more than the 3.57 that can be taken back of it"), "{refused}");
    books.run(&["credit", "acme", "--invoice", "SPEU-000001", "--reason", "billed twice"]);
    assert_eq!(balance(&books, &["platform/tax"]), json!([["platform/tax", "0"]]));
    let known = balance(&books, &["platform/tax", "--known-at", "2000-01-01T00:00:00Z"]);
    assert_eq!(known, json!([]), "nothing was known before the log began");
    let unknown = books.fail(&["balance", "customer/nobody"]);
    assert!(unknown.contains("there is no account \"customer/nobody\""), "{unknown}");

    let numbers = books.sql("SELECT number, status FROM invoice_status ORDER BY number");
    assert_eq!(
        Value::from(numbers),
        json!([
            {"number": "SPEU-000001", "status": "paid"},
            {"number": "SPEU-000002", "status": "issued"},
            {"number": "SPUS-000001", "status": "finalized"},
        ])
    );
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
    books.rebuild();
}

/// A credit is a document as an invoice is: printed by its number, stored, and
/// verified at the version that it names, though more of it is used later.
#[test]
fn a_credit_note_is_printed_by_its_number_and_verified_in_every_form() {
    let books = closed_month();
    let said = books.run(&["credit", "acme", "5", "--reason", "an outage"]);
    assert!(said.starts_with("SPEU-000002 paid 3.57 of SPEU-000001"), "{said}");
    books.run(&["credit", "acme", "1.19", "--invoice", "SPEU-000001", "--reason", "billed twice"]);
    books.run(&["profile", "set", "acme", "--name", "Acme Ltd"]);
    let print = |number: &str| -> Value {
        serde_json::from_str(&books.run(&["credit-note", number, "--format", "json"])).expect("JSON")
    };
    let (outage, twice) = (print("SPEU-000002"), print("SPEU-000003"));
    let amounts = |note: &Value| {
        let parts = ["lines", "uses"].into_iter().flat_map(|of| note[of].as_array().expect("parts"));
        parts.map(|part| json!([part["item"], part["invoice"], part["amount"]])).collect::<Value>()
    };
    assert_eq!(amounts(&outage), json!([["net", null, "-5"], [null, "SPEU-000001", "3.57"], [null, null, "1.43"]]));
    assert_eq!(amounts(&twice), json!([["net", null, "-1"], ["tax", null, "-0.19"], [null, null, "1.19"]]));
    for (field, value) in [("corrects", "SPEU-000001"), ("corrects_period", "2023-11"), ("reason", "billed twice")] {
        assert_eq!(twice[field], value, "{field}");
    }
    assert_eq!((&twice["tax_rate"], &twice["customer_details"]["name"]), (&"0.19".into(), &"Acme Ltd".into()));
    for part in ["lines", "uses"].into_iter().flat_map(|of| twice[of].as_array().expect("parts")) {
        let answer = books.sql(part["sql"].as_str().expect("SQL"));
        assert_eq!(answer[0]["amount"], part["amount"], "{part}");
    }

    let mut files = Vec::new();
    for format in ["pdf", "json", "csv", "html", "text"] {
        let file = books.folder().join(format!("note.{format}"));
        books.run(&["credit-note", "SPEU-000003", "--format", format, "--out", &file.to_string_lossy()]);
        files.push(file.to_string_lossy().into_owned());
    }
    let text = std::fs::read_to_string(&files[4]).expect("it was written");
    assert!(text.starts_with("CREDIT NOTE SPEU-000003") && text.contains("VAT 19 %"), "{text}");
    // What is kept pays December's invoice, and the stored documents still hold.
    let rows = "c,2023-12-10T00:00:00Z,acme,9000\n";
    books.import_calls("december", rows);
    books.run(&["period", "close", "2023-12"]);
    let server = books.serve(|_| (), &[]);
    for file in &files[..3] {
        let said = books.run(&["invoice", "verify", file]);
        assert!(said.starts_with("holds: credit note SPEU-000003, ledger version "), "{file}: {said}");
    }
    assert_eq!(amounts(&print("SPEU-000003"))[2], json!([null, "SPEU-000004", "1.19"]));
    server.stop();
    let json = std::fs::read_to_string(&files[1]).expect("it was written");
    let changed = books.file("changed.json", &json.replace("\"total\": \"-1.19\"", "\"total\": \"-9.19\""));
    let output = books.output(&["credit-note", "verify", &changed.to_string_lossy()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!((output.status.code(), said.contains("total is -9.19, the books say -1.19")), (Some(3), true), "{said}");

    // Invoices have numbers, too.
    let by_number = books.output(&["invoice", "SPEU-000001", "--format", "json"]).stdout;
    assert!(by_number == books.output(&["invoice", "acme", "2023-11", "--format", "json"]).stdout);
    let unknown = books.fail(&["invoice", "acme"]);
    assert!(unknown.contains("there is no invoice or credit note \"acme\""), "{unknown}");
}

#[test]
fn a_banks_file_is_matched_by_its_references_and_counts_once() {
    let books = closed_month();
    let file = books.file(
        "bank.csv",
        "id,received_at,amount,currency,reference,customer\n\
         1,2023-12-05T00:00:00Z,3.57,USD,invoice speu-000001 thanks,\n\
         2,2023-12-06T00:00:00Z,1,USD,no idea,\n\
         3,2023-12-06T00:00:00Z,1,USD,,blue\n",
    );
    let import = ["payment", "import", &*file.to_string_lossy()];
    let left = books.fail(&import);
    assert!(left.contains("1 payments were left out"), "{left}");
    let again = books.output(&import);
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(said.contains("line 3: \"no idea\" names no invoice that is known"), "{said}");
    assert!(said.contains("0 taken, 2 known already, 1 left out"), "{said}");
    let open = books.sql("SELECT number, open FROM invoice_status ORDER BY number");
    assert_eq!(
        Value::from(open),
        json!([{"number": "SPEU-000001", "open": "0"}, {"number": "SPUS-000001", "open": "6.01"}])
    );
    let wrong = books.file("wrong.csv", "id,amount\n1,2\n");
    let error = books.fail(&["payment", "import", &wrong.to_string_lossy()]);
    assert!(error.contains("has no column received_at"), "{error}");
}

#[test]
fn a_months_invoices_are_written_as_files_that_say_what_each_invoice_says() {
    let books = closed_month();
    let into = books.folder().join("november");
    let folder = into.to_string_lossy().into_owned();
    let write = |period: &str, format: &str| {
        books.output(&["invoices", "write", "--period", period, "--format", format, "--into", &folder])
    };
    books.run(&["profile", "set", "acme", "--name", "Acme Ltd"]);
    for (format, extension) in [("json", "json"), ("html", "html"), ("csv", "csv"), ("text", "txt"), ("pdf", "pdf")] {
        let said = write("2023-11", format);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert_eq!(said, format!("2 documents of 2023-11 in {folder}\n"));
        for (customer, number) in [("acme", "SPEU-000001"), ("blue", "SPUS-000001")] {
            let file = std::fs::read(into.join(format!("{number}.{extension}"))).expect("the file is there");
            let one = books.output(&["invoice", customer, "2023-11", "--format", format]);
            assert!(file == one.stdout, "{number}.{extension} is not the invoice of {customer}");
        }
    }
    assert_eq!(std::fs::read_dir(&into).expect("a folder").count(), 10, "there is nothing else");
    let open = write("2023-12", "json");
    let error = String::from_utf8_lossy(&open.stderr).into_owned();
    assert!(error.contains("2023-12 is not closed, so its documents have no numbers yet"), "{error}");
    assert!(String::from_utf8_lossy(&write("2023-10", "json").stdout).starts_with("0 documents"), "closed with it");
}

/// Rows are sent together; what is said of each is in the order of the file.
#[test]
fn a_long_bank_file_is_answered_row_by_row() {
    let books = closed_month();
    let mut rows = "id,received_at,amount,currency,reference,customer\n".to_owned();
    let mut expected = String::new();
    for id in 1..=250 {
        let (amount, customer) = match id % 50 {
            10 => ("0.001", "acme"),
            20 => ("1", ""),
            _ => ("0.01", "acme"),
        };
        match (amount, customer) {
            ("0.001", _) => expected += &format!("line {}: refused by settlement: 0.001 USD has more than 2\n", id + 1),
            (_, "") => expected += &format!("line {}: \"row {id}\" names no invoice that is known\n", id + 1),
            _ => {}
        }
        rows += &format!("{id},2023-12-05T00:00:00Z,{amount},USD,row {id},{customer}\n");
    }
    // One comes twice, and then with another amount.
    let paid = "9001,2023-12-05T00:00:00Z,0.01,USD,twice,acme\n";
    rows += paid;
    rows += paid;
    rows += "9001,2023-12-05T00:00:00Z,0.02,USD,twice,acme\n";
    let file = books.file("bank.csv", &rows);
    let output = books.output(&["payment", "import", &file.to_string_lossy()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    for (line, start) in lines.iter().zip(expected.lines()) {
        assert!(line.starts_with(start), "{line}\nis not\n{start}");
    }
    assert!(lines[10].starts_with("line 254: conflict by settlement"), "{said}");
    assert_eq!(lines[11], "241 taken, 1 known already, 11 left out");
}
