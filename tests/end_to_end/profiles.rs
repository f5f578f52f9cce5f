//! `stempoint profile`: documents show who a party is; what is deleted is gone
//! from the disk, and the books stay what they were.

use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};

use crate::harness::{Books, Process, text};

const PRICES: &str = "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
    [[price]]\nmeter = \"tokens.input\"\nper = \"1\"\namount = \"2\"\n\
    [[share]]\nmeter = \"tokens.input\"\nprovider = \"0.5\"\n";
const SELECT: &str = "SELECT id, '2023-11-10T00:00:00Z' AS time, 'acme' AS customer, 'code-1' AS model, \
                      'node-1' AS provider, 10 AS input_tokens, 0 AS output_tokens FROM input";
const NAME: &str = "Josephine Quarles-Abernathy";
const ADDRESS: &str = "Whitmore Terrace 81\nOstrava";
const TAX_ID: &str = "XQ-77410-9";
const EMAIL: &str = "jqa@abernathy.example";
const SECRETS: [&str; 4] = [NAME, "Whitmore Terrace", TAX_ID, EMAIL];

fn books() -> Books {
    let books = Books::new();
    let (prices, calls) = (books.file("prices.toml", PRICES), books.file("calls.csv", "id\na\n"));
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    books.run(&["import", "api_call", &calls.to_string_lossy(), "--source", "calls", "--select", SELECT]);
    books.run(&["trial-balance"]);
    books
}

fn set(party: &str) -> [&str; 11] {
    ["profile", "set", party, "--name", NAME, "--address", ADDRESS, "--tax-id", TAX_ID, "--email", EMAIL]
}

fn document(books: &Books, command: &str, party: &str, format: &str) -> String {
    books.run(&[command, party, "2023-11", "--format", format])
}

fn json(books: &Books, command: &str, party: &str) -> Value {
    serde_json::from_str(&document(books, command, party, "json")).expect("JSON")
}

/// Whether a text is anywhere below a folder, be it compressed in Parquet.
fn holds(folder: &Path, wanted: &str) -> bool {
    std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).any(|path| {
        if path.is_dir() {
            return holds(&path, wanted);
        }
        let bytes = std::fs::read(&path).expect("a file can be read");
        bytes.windows(wanted.len()).any(|part| part == wanted.as_bytes()) || parquet_holds(bytes, wanted)
    })
}

fn parquet_holds(bytes: Vec<u8>, wanted: &str) -> bool {
    let Ok(file) = SerializedFileReader::new(bytes::Bytes::from(bytes)) else { return false };
    file.get_row_iter(None).expect("rows").any(|row| row.expect("a row").to_string().contains(wanted))
}

fn is_anywhere(books: &Books) -> Vec<&'static str> {
    SECRETS.into_iter().filter(|secret| holds(&books.data(), secret)).collect()
}

#[test]
fn documents_show_a_profile_until_it_is_deleted_and_the_books_never_knew_it() {
    let books = books();
    let before = ["text", "json", "csv", "html"].map(|format| document(&books, "invoice", "acme", format));
    let said = books.run(&set("acme"));
    assert_eq!(said, "the profile of acme is set\n");
    assert_eq!(books.run(&set("acme")), "the profile of acme says so already\n");
    books.run(&["profile", "set", "node-1", "--tax-id", TAX_ID]);
    assert_eq!(is_anywhere(&books), SECRETS, "or the search would find nothing after the deletion either");

    let details = json!({"name": NAME, "address": ADDRESS, "tax_id": TAX_ID});
    let invoice = json(&books, "invoice", "acme");
    assert_eq!((&invoice["customer"], &invoice["customer_details"]), (&"acme".into(), &details));
    let earnings = json(&books, "earnings", "node-1");
    assert_eq!(earnings["provider_details"], json!({"tax_id": TAX_ID}));
    let printed = document(&books, "invoice", "acme", "text");
    assert!(printed.contains(&format!("  Name            {NAME}\n  Address         Whitmore Terrace 81\n                  Ostrava\n  Tax id          {TAX_ID}\n")), "{printed}");
    let page = document(&books, "invoice", "acme", "html");
    for part in [NAME, "Whitmore Terrace 81", "Ostrava", TAX_ID, "acme"] {
        assert!(page.contains(part), "{part}:\n{page}");
    }
    assert_eq!(document(&books, "invoice", "acme", "csv"), before[2]);
    let shown: Value =
        serde_json::from_str(&books.run(&["profile", "show", "acme", "--format", "json"])).expect("JSON");
    assert_eq!(shown[0], json!({"party": "acme", "name": NAME, "address": ADDRESS, "tax_id": TAX_ID, "email": EMAIL}));

    assert_eq!(books.run(&["profile", "delete", "acme"]), "the profile of acme is deleted, old files included\n");
    books.run(&["profile", "delete", "node-1"]);
    assert_eq!(is_anywhere(&books), [""; 0]);
    let missing = books.fail(&["profile", "show", "acme"]);
    assert!(missing.contains("there is no profile of \"acme\""), "{missing}");
    assert_eq!(books.run(&["profile", "list", "--format", "csv"]), "party,name,address,tax_id,email\n");
    let after = ["text", "json", "csv", "html"].map(|format| document(&books, "invoice", "acme", format));
    assert_eq!(after, before, "to the last byte, the ledger version included");
    assert!(books.run(&["audit"]).contains("checks passed"));
    books.rebuild();
}

#[test]
fn nothing_of_it_is_in_what_the_program_says() {
    let books = books();
    let refused = ["profile", "set", "acme", "--email", "nobody knows"];
    let commands: [&[&str]; 5] =
        [&set("acme"), &refused, &["invoice", "acme", "2023-11"], &["profile", "list"], &["profile", "delete", "acme"]];
    for arguments in commands {
        let output = books.command(arguments).env("RUST_LOG", "trace").output().expect("a command");
        let said = text(&output.stderr);
        for secret in SECRETS.into_iter().chain(["nobody knows"]) {
            assert!(!said.contains(secret), "{arguments:?} says {secret}:\n{said}");
        }
    }
}

#[test]
fn many_at_once_lose_nothing_and_leave_nothing() {
    let books = books();
    let file =
        books.file("people.csv", &format!("party,name\nkept-1,{NAME}\nkept-2,{NAME}\ngone-0,{NAME}\ngone-1,{NAME}\n"));
    assert_eq!(books.run(&["profile", "set", "--file", &file.to_string_lossy()]), "4 of 4 profiles changed\n");
    let server = books.serve(|_| (), &[]);
    let mut running = Vec::new();
    for number in 0..8 {
        let party = format!("new-{number}");
        running.push(Process::start(&mut books.command(&["profile", "set", &party, "--name", &party])));
        // The same party, an item each.
        let item = ["--name", "--address", "--tax-id", "--email"][number % 4];
        running.push(Process::start(&mut books.command(&["profile", "set", "shared", item, "x@y"])));
        running.push(Process::start(&mut books.command(&["profile", "delete", &format!("gone-{}", number % 2)])));
        running.push(Process::start(&mut books.command(&["profile", "list"])));
    }
    for mut process in running {
        let (status, said) = process.end();
        assert!(status.success(), "{said}");
    }
    let rows: Vec<Value> = serde_json::from_str(&books.run(&["profile", "list", "--format", "json"])).expect("JSON");
    let parties: Vec<&str> = rows.iter().map(|row| row["party"].as_str().expect("a party")).collect();
    let expected = "kept-1 kept-2 new-0 new-1 new-2 new-3 new-4 new-5 new-6 new-7 shared";
    assert_eq!(parties.join(" "), expected);
    let shared = rows.last().expect("a row");
    assert_eq!(shared, &json!({"party": "shared", "name": "x@y", "address": "x@y", "tax_id": "x@y", "email": "x@y"}));
    for party in ["kept-1", "kept-2"] {
        books.run(&["profile", "delete", party]);
    }
    assert_eq!(is_anywhere(&books), [""; 0]);
    assert_eq!(data_files(&books), 1);
    server.stop();
}

/// What lies in the table's folder beside its log.
fn data_files(books: &Books) -> usize {
    let found = std::fs::read_dir(books.data().join("lake/profiles")).expect("a folder");
    found.filter(|entry| !entry.as_ref().expect("an entry").path().is_dir()).count()
}

/// Killed at any step, a deletion is finished by another one, or by the next
/// maintenance if it had got so far that the profile is not shown any more.
#[test]
fn a_deletion_that_was_killed_can_be_done_again() {
    let books = books();
    let points = [
        "store.put_file.before@profiles",
        "store.local.written:1",
        "store.local.named:1",
        "store.put_file.after@profiles",
        "store.commit.before@profiles",
        "store.local.named:2",
        "store.commit.after@profiles",
        "store.erase.before@profiles",
        "store.erase.after@profiles",
    ];
    for point in points {
        for drops in [false, true] {
            books.run(&set("acme"));
            books.run(&["profile", "set", "globex", "--name", point]);
            let mut command = books.command(&["profile", "delete", "acme"]);
            command.env("STEMPOINT_CRASH_AT", point);
            if drops {
                command.env("STEMPOINT_CRASH_DROP_UNSYNCED", "1");
            }
            let killed = command.output().expect("a command");
            assert!(!killed.status.success(), "{point} was not met");
            let is_shown = books.output(&["profile", "show", "acme"]).status.success();
            if is_shown || drops {
                books.run(&["profile", "delete", "acme"]);
            } else {
                books.run(&["maintain"]);
            }
            assert_eq!(is_anywhere(&books), [""; 0], "{point}");
            assert_eq!(data_files(&books), 1, "{point}");
            assert!(books.run(&["profile", "show", "globex", "--format", "csv"]).contains(point));
        }
    }
}
