//! Documents as files: written, sent with the company's details, verified.

use std::process::Command;

use crate::harness::Books;

const USAGE: &str = "\
id,customer,model,tokens
1,acme,code-1,1500
2,acme,chat-9,700
3,globex,code-1,40
";
const SELECT: &str = "SELECT id, '2024-02-10T12:00:00Z' AS time, customer, model, 'node-1' AS provider, \
                      tokens AS input_tokens, 0 AS output_tokens FROM input";
const PRICES: &str = r#"
currency = "USD"
effective_from = "2020-01-01T00:00:00Z"
[[price]]
meter = "tokens.input"
per = "1000"
amount = "0.5"
[[price]]
meter = "tokens.output"
per = "1000"
amount = "1"
[[price]]
meter = "requests"
per = "1"
amount = "0"
[[share]]
meter = "tokens.input"
provider = "0.6"
"#;
const CONFIG: &str = r#"
[issuer]
name = "Example Compute Ltd"
address = ["1 Example Street", "London"]
payment = ["IBAN GB00 EXMP 0000 0000 0000 00"]
[invoice]
due_days = 14
"#;

fn books() -> Books {
    let books = Books::new();
    let usage = books.file("usage.csv", USAGE);
    books.run(&["import", "api_call", &usage.to_string_lossy(), "--source", "test", "--select", SELECT]);
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    books
}

/// Writes a document and gives the file's name.
fn write(books: &Books, document: &[&str], name: &str) -> String {
    let file = books.folder().join(name).to_string_lossy().into_owned();
    let said = books.run(&[document, &["--out", &file]].concat());
    assert_eq!(said, "", "nothing but the file is written");
    file
}

#[test]
fn a_document_is_sent_with_the_companys_details_and_verified_in_every_form() {
    let books = books();
    std::fs::write(books.data().join("stempoint.toml"), CONFIG).expect("the configuration can be written");
    let mut files = Vec::new();
    for (command, party) in [("invoice", "acme"), ("earnings", "node-1")] {
        for format in ["pdf", "json", "csv"] {
            files.push(write(&books, &[command, party, "2024-02", "--format", format], &format!("{party}.{format}")));
        }
    }
    let text = books.run(&["invoice", "acme", "2024-02"]);
    assert!(text.contains("Example Compute Ltd") && text.contains("Payable within 14 days"), "{text}");
    let pdf = std::fs::read(&files[0]).expect("it was written");
    assert!(pdf.starts_with(b"%PDF-1.7"));
    let piped = books.output(&["invoice", "acme", "2024-02", "--format", "pdf"]);
    assert!(piped.stdout.starts_with(b"%PDF-1.7"), "what is no terminal gets the file");

    // Later usage of the month makes another version, not another document.
    let more = books.file("more.csv", "id,customer,model,tokens\n9,acme,code-1,10000\n");
    books.run(&["import", "api_call", &more.to_string_lossy(), "--source", "more", "--select", SELECT]);
    books.run(&["invoice", "acme", "2024-02"]);
    for file in &files {
        let said = books.run(&["invoice", "verify", file]);
        assert!(said.starts_with("holds: "), "{file}: {said}");
    }
    let said = books.run(&["invoice", "verify", &files[0]]);
    assert!(said.contains("its pages are to the byte"), "{said}");
    // Pages that were changed still have the statement attached.
    let end = b"\n% changed\n";
    let changed = books.folder().join("changed.pdf");
    std::fs::write(&changed, [pdf.as_slice(), end].concat()).expect("it can be written");
    let said = books.run(&["invoice", "verify", &changed.to_string_lossy()]);
    assert!(said.contains("only the attached statement was verified"), "{said}");
    // While a server runs, too.
    let server = books.serve(|_| (), &[]);
    let last = write(&books, &["invoice", "acme", "2024-02", "--format", "pdf"], "last.pdf");
    for file in [&files[0], &last] {
        assert!(books.run(&["invoice", "verify", file]).starts_with("holds: invoice of \"acme\""), "{file}");
    }
    drop(server);
}

#[test]
fn a_changed_document_does_not_hold_and_the_lines_are_named() {
    let books = books();
    for (format, amount) in [("json", "\"amount\": \"0.75\""), ("csv", ",0.75,")] {
        let file = write(&books, &["invoice", "acme", "2024-02", "--format", format], &format!("acme.{format}"));
        let text = std::fs::read_to_string(&file).expect("it was written");
        assert!(text.contains(amount), "{text}");
        let changed = books.file("changed", &text.replace(amount, &amount.replace("0.75", "0.57")));
        let output = books.output(&["invoice", "verify", &changed.to_string_lossy()]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("amount is 0.57, the books say 0.75"), "{said}");
        assert_eq!(said.matches("tokens.input").count(), 1, "only that line differs: {said}");
        let other = books.file("other", &text.replace("code-1", "code-2"));
        let output = books.output(&["invoice", "verify", &other.to_string_lossy()]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("the books have no such line") && said.contains("a line is missing"), "{said}");
    }
    let json = std::fs::read_to_string(books.folder().join("acme.json")).expect("it was written");
    let changed = books.file("changed", &json.replace("\"total\": \"1.10\"", "\"total\": \"0.10\""));
    let output = books.output(&["invoice", "verify", &changed.to_string_lossy()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("  total is 0.10, the books say 1.10"), "{said}");
}

#[test]
fn what_cannot_be_done_is_said() {
    let books = books();
    let verify = |name: &str, text: &str| books.fail(&["invoice", "verify", &books.file(name, text).to_string_lossy()]);
    assert!(verify("a", "%PDF-1.7 of another program").contains("no statement attached"));
    assert!(verify("b", "{\"lines\": []}").contains("does not say its customer or provider"));
    assert!(verify("c", "{").contains("not a document in JSON"));
    assert!(verify("d", "a,b\n1\n").contains("line 2 of the CSV"));
    assert!(books.fail(&["invoice", "verify", "/nowhere.pdf"]).contains("failed to read /nowhere.pdf"));
    let json = books.run(&["invoice", "acme", "2024-02", "--format", "json"]);
    let version =
        json.split("\"ledger_version\": ").nth(1).and_then(|rest| rest.split('\n').next()).expect("it says one");
    let future = json.replace(&format!("\"ledger_version\": {version}"), "\"ledger_version\": 999999");
    assert!(verify("e", &future).contains("999999"));

    let wrong = books.file("wrong.toml", "[issuer]\nname = \"A\"\nadress = []\n");
    let error = books.fail(&["--config", &wrong.to_string_lossy(), "invoice", "acme", "2024-02"]);
    assert!(error.contains("wrong.toml: line 3: unknown field `adress`"), "{error}");
    let error = books.fail(&["--config", "/nowhere.toml", "invoice", "acme", "2024-02"]);
    assert!(error.contains("failed to read the configuration /nowhere.toml"), "{error}");
    let error = books.fail(&["invoice", "acme", "2024-02", "--out", "/nowhere/a.pdf", "--format", "pdf"]);
    assert!(error.contains("failed to write /nowhere/a.pdf"), "{error}");
    assert!(!books.output(&["invoice"]).status.success());
    a_terminal_gets_no_pdf(&books);
}

/// `script` (util-linux) gives the program a terminal.
fn a_terminal_gets_no_pdf(books: &Books) {
    let program = env!("CARGO_BIN_EXE_stempoint");
    let command = format!("'{program}' --data '{}' invoice acme 2024-02 --format pdf", books.data().display());
    match Command::new("script").args(["-qec", &command, "/dev/null"]).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains("name a file with --out FILE") && !said.contains("%PDF"), "{said}");
        }
        Err(_) => eprintln!("left out: invoicing::a_terminal_gets_no_pdf needs script (Debian: bsdutils)"),
    }
}
