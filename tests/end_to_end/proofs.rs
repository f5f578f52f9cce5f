//! Heads, proofs and how they are checked by somebody who has nothing else.

use std::path::PathBuf;

use crate::harness::{Books, text};

const PRICES: &str = r#"
currency = "USD"
effective_from = "2020-01-01T00:00:00Z"
[[price]]
meter = "tokens.input"
per = "1000"
amount = "0.5"
[[share]]
meter = "tokens.input"
provider = "0.6"
"#;

const SELECT: &str = "SELECT id, '2026-01-01T10:00:00Z' AS time, 'acme' AS customer, 'code-1' AS model, \
                      'node-1' AS provider, tokens AS input_tokens, 0 AS output_tokens FROM input";

fn import(books: &Books, source: &str, rows: &str) {
    let file = books.file("calls.csv", &format!("id,tokens\n{rows}"));
    books.run(&["import", "api_call", &file.to_string_lossy(), "--source", source, "--select", SELECT]);
}

/// Two sources that share an id, a repeat, a refusal, and an invoice.
fn books() -> Books {
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    import(&books, "one", "a,10\nb,20\nb,20\nc,-1\nd,30\n");
    import(&books, "two", "a,11\ne,40\n");
    books.run(&["invoice", "acme", "2026-01"]);
    books
}

/// Runs `verify-proof` where there are no books at all.
fn verify(books: &Books, arguments: &[&str]) -> (Option<i32>, String) {
    let nowhere = books.folder().join("nowhere");
    let arguments = [&["verify-proof"], arguments].concat();
    let output = books.command_on(&nowhere, &arguments).output().expect("the program can be started");
    assert!(!nowhere.exists(), "it makes no data folder");
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code(), said)
}

fn prove(books: &Books, name: &str, arguments: &[&str]) -> PathBuf {
    let file = books.folder().join(name);
    books.run(&[&["prove"], arguments, &["--out", &file.to_string_lossy()]].concat());
    file
}

fn place(books: &Books, table: &str) -> String {
    let row = &books.sql(&format!("SELECT _partition || ':' || _offset AS place FROM {table} LIMIT 1"))[0];
    row["place"].as_str().expect("a place").to_owned()
}

fn settled_row(books: &Books, table: &str, columns: &[&str]) -> String {
    let row = &books.sql(&format!("SELECT {} FROM {table} LIMIT 1", columns.join(", ")))[0];
    columns.iter().fold(table.to_owned(), |text, column| format!("{text}:{}", row[column]))
}

#[test]
fn every_kind_of_row_can_be_proved_and_checked_elsewhere() {
    let books = books();
    let head = books.run(&["head"]).trim().to_owned();
    let (refused, repeated) = (place(&books, "rejects"), place(&books, "duplicates"));
    let control = settled_row(&books, "control", &["_offset"]);
    let price = settled_row(&books, "prices", &["_offset", "line"]);
    let charge = settled_row(&books, "charges", &["_offset", "line"]);
    let posting = settled_row(&books, "journal", &["_offset", "entry", "line"]);
    let cases: [(&[&str], &str); 9] = [
        (&["b"], "\"input_tokens\": 20"),
        (&["a", "--source", "import/two"], "\"input_tokens\": 11"),
        (&["--at", &refused], "\"rejected\""),
        (&["--at", &repeated], "\"original_offset\""),
        (&["--row", &control], "\"type\": "),
        (&["--row", &price], "\"amount\": \"0.5\""),
        (&["--row", &charge], "\"quantity\": "),
        (&["--row", &posting], "\"account\": "),
        (&["e", "--version", head.split(':').next().expect("a version")], "\"input_tokens\": 40"),
    ];
    for (number, (arguments, holds)) in cases.into_iter().enumerate() {
        let file = prove(&books, &format!("{number}.json"), arguments);
        let shown = std::fs::read_to_string(&file).expect("a proof");
        assert!(shown.contains(holds), "{holds} is not in\n{shown}");
        let (code, said) = verify(&books, &[&file.to_string_lossy(), "--head", &head]);
        assert_eq!(code, Some(0), "{arguments:?}:\n{said}");
        assert!(said.contains("ok     the row is in the books"), "{said}");
    }
}

#[test]
fn a_proof_is_checked_against_the_head_that_was_published() {
    let books = books();
    let early = books.run(&["head"]);
    let json = books.run(&["head", "--format", "json"]);
    import(&books, "three", "z,50\n");
    let late = books.run(&["head"]);
    assert_ne!(early, late);
    let version = early.split(':').next().expect("a version");
    assert_eq!(books.run(&["head", "--version", version]), early, "a head stays what it was");

    let proof = prove(&books, "late.json", &["a", "--source", "import/one"]);
    let proof = proof.to_string_lossy();
    let (early_file, both) = (books.file("early.txt", &early), books.file("both.txt", &format!("{early}\n{late}")));
    let (early_file, both) = (early_file.to_string_lossy(), both.to_string_lossy());
    let other = format!("{}:{}", late.split(':').next().expect("a version"), "0".repeat(64));
    let hash = late.trim().split(':').nth(1).expect("a hash");
    let cases = [
        (&[&*proof][..], 4, "NOT COMPARED"),
        (&[&proof, "--head", &late], 0, "ok "),
        (&[&proof, "--head", hash], 0, "ok "),
        (&[&proof, "--head", &both], 0, "ok "),
        (&[&proof, "--head", &early], 3, "ask for a proof at the version that was published"),
        (&[&proof, "--head", &early_file], 3, "which is not the published head"),
        (&[&proof, "--head", &other], 3, "these are other books"),
        (&[&proof, "--head", "no-such-file"], 1, "is no head"),
        (&[&proof, "--head", &proof], 1, "line 1 of"),
        (&["no-such-file", "--head", &late], 1, "failed to read no-such-file"),
        (&[&early_file, "--head", &late], 3, "is not a proof"),
    ];
    for (arguments, expected, says) in cases {
        let (code, said) = verify(&books, arguments);
        assert_eq!(code, Some(expected), "{arguments:?}:\n{said}");
        assert!(said.contains(says), "{says:?} is not in\n{said}");
    }
    // The same event at the version that was published before.
    let proof = prove(&books, "early.json", &["a", "--source", "import/one", "--version", version]);
    let published = books.file("early.json.head", &json);
    for head in [early.trim(), &published.to_string_lossy()] {
        assert_eq!(verify(&books, &[&proof.to_string_lossy(), "--head", head]).0, Some(0));
    }
}

#[test]
fn a_changed_proof_names_the_part_that_fails() {
    let books = books();
    let head = books.run(&["head"]);
    let file = prove(&books, "proof.json", &["b"]);
    let proof = std::fs::read_to_string(&file).expect("a proof");
    for (from, to, says) in [
        ("\"input_tokens\": 20", "\"input_tokens\": 21", "content.input_tokens is not what row.bytes says"),
        ("import/one", "import/two", "leaf.hash is not the hash of the row"),
        ("\"control_offset\": ", "\"control_offset\": 1", "commit does not have the hash"),
        ("{", "", "is not a proof"),
    ] {
        std::fs::write(&file, proof.replacen(from, to, 1)).expect("a file");
        let (code, said) = verify(&books, &[&file.to_string_lossy(), "--head", &head]);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains(says), "{says:?} is not in\n{said}");
    }
}

#[test]
fn what_cannot_be_proved_is_said_with_what_to_do() {
    let books = Books::new();
    for command in [&["head"][..], &["prove", "a"], &["manifest", "write"]] {
        assert!(books.fail(command).contains("there is no ledger"), "{command:?}");
    }
    let books = self::books();
    let first = books.run(&["sql", "SELECT min(version) AS v FROM commits", "--format", "csv"]);
    let first = first.lines().last().expect("a version");
    for (arguments, says) in [
        (&["a"][..], "2 sources have an event \"a\": choose one with --source: import/one, import/two"),
        (&["nobody"], "no accepted event has the id \"nobody\""),
        (&["b", "--source", "import/two"], "and the source \"import/two\""),
        (&["c"], "rejects list"),
        (&["b", "--version", "9999"], "there is no ledger version 9999"),
        (&["b", "--version", first], "it is shown from version"),
        (&["--at", "0:99999"], "there is no such row"),
        (&["--at", "99999:0"], "there is no such row"),
        (&["--at", "here"], "PARTITION:OFFSET"),
        (&["--row", "charges:1"], "it must be charges:_offset:line"),
        (&["--row", "charges:0:99"], "there is no such row"),
        (&["--row", "charges:-5:1"], "there is no such row"),
        (
            &["--row", "api_calls:1"],
            "control, prices, charge_models, price_customers, owner_shares, periods, terms, currencies, commitments, budgets, corrections, charges, true_ups, invoices, statements, payments, grants, disputes, allocations, journal, alerts",
        ),
        (&["--row", "journal:1:x:1"], "it must be journal:_offset:entry:line"),
    ] {
        let error = books.fail(&[&["prove"], arguments].concat());
        assert!(error.contains(says), "{arguments:?}: {says:?} is not in\n{error}");
    }
    assert_eq!(books.output(&["prove"]).status.code(), Some(2));
    assert!(books.fail(&["head", "--version", "9999"]).contains("there is no ledger version 9999"));
}

#[test]
fn proofs_can_be_made_while_a_server_works_on_the_books() {
    let books = books();
    let server = books.serve(|_| (), &[]);
    import(&books, "three", "z,50\n");
    let proof = prove(&books, "proof.json", &["z"]);
    let head = books.run(&["head"]);
    let (code, said) = verify(&books, &[&proof.to_string_lossy(), "--head", &head]);
    assert_eq!(code, Some(0), "{said}");
    books.run(&["manifest", "write"]);
    books.run(&["manifest", "verify"]);
    server.stop();
}
