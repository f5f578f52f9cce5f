//! The signed list of files: whatever byte of the lake is flipped, its file is
//! named.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::{Books, PATIENCE, text};

const SELECT: &str = "SELECT id, '2026-01-01T10:00:00Z' AS time, 'acme' AS customer, 'code-1' AS model, \
                      'node-1' AS provider, tokens AS input_tokens, 0 AS output_tokens FROM input";

fn import(books: &Books, source: &str) {
    let file = books.file("calls.csv", "id,tokens\na,10\nb,20\nb,20\nc,-1\n");
    books.run(&["import", "api_call", &file.to_string_lossy(), "--source", source, "--select", SELECT]);
}

/// Small books that have all kinds of files: data, Delta logs, checkpoints.
fn books() -> Books {
    let books = Books::new();
    for number in 0..3 {
        import(&books, &format!("source-{number}"));
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let ledger = stempoint_store::ledger::Ledger::open(&books.data().join("lake")).await.expect("a ledger");
        for table in [&stempoint_schemas::tables::API_CALLS, &stempoint_schemas::tables::COMMITS] {
            stempoint_store::maintenance::checkpoint(ledger.table(table)).await.expect("a checkpoint");
        }
    });
    books
}

fn check(books: &Books, arguments: &[&str]) -> (Option<i32>, String) {
    let output = books.output(arguments);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code(), said)
}

fn verify(books: &Books) -> (Option<i32>, String) {
    check(books, &["manifest", "verify"])
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn key(said: &str) -> String {
    let line = said.lines().find_map(|line| line.strip_prefix("key"));
    line.expect("a key").trim().chars().take(64).collect()
}

#[test]
fn one_flipped_byte_in_any_file_is_found_and_the_file_is_named() {
    let books = books();
    let written = books.run(&["manifest", "write"]);
    let lake = books.data().join("lake");
    let all = files(&lake);
    assert!(written.contains(&format!("signed {} files", all.len())), "{written}");
    for kind in [".zstd.parquet", ".checkpoint.parquet", ".json", "_last_checkpoint"] {
        assert!(all.iter().any(|path| path.to_string_lossy().ends_with(kind)), "there is a {kind}");
    }
    assert_eq!(verify(&books).0, Some(0));
    for (number, path) in all.iter().enumerate() {
        let healthy = fs::read(path).expect("a file");
        let written = fs::metadata(path).expect("a file").modified().expect("a time");
        let mut flipped = healthy.clone();
        let at = (number * 7919) % flipped.len();
        flipped[at] ^= 1 << (number % 8);
        fs::write(path, flipped).expect("a file");
        // As a failing disk would: the time says nothing.
        fs::File::options().write(true).open(path).and_then(|file| file.set_modified(written)).expect("a time");
        let (code, said) = verify(&books);
        let name = path.strip_prefix(&lake).expect("a file of the lake").to_string_lossy();
        assert_eq!(code, Some(3), "byte {at} of {name}:\n{said}");
        assert!(said.contains(&format!("FAILED {name} was changed")), "byte {at} of {name}:\n{said}");
        fs::write(path, healthy).expect("a file");
    }
    assert_eq!(verify(&books).0, Some(0));
}

#[test]
fn the_audit_checks_the_files_too() {
    let books = books();
    let (code, said) = check(&books, &["audit"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("no list yet"), "{said}");
    books.run(&["manifest", "write"]);
    let (code, said) = check(&books, &["audit"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("as signed at ledger version"), "{said}");
    // A byte that no reader of the tables looks at.
    let log = books.data().join("lake/api_calls/_delta_log/00000000000000000000.json");
    let healthy = fs::read(&log).expect("a file");
    fs::write(&log, [&healthy[..], b" "].concat()).expect("a file");
    let (code, said) = check(&books, &["audit"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("FAILED files unchanged"), "{said}");
    assert!(said.contains("api_calls/_delta_log/00000000000000000000.json was changed"), "{said}");
}

#[test]
fn what_is_missing_or_was_added_is_named_and_what_is_newer_is_no_error() {
    let books = books();
    // Files are told from newer ones by their time, with a second to spare.
    let added = books.data().join("lake/api_calls/part-added.parquet");
    fs::write(&added, "added").expect("a file");
    std::thread::sleep(Duration::from_millis(1_100));
    books.run(&["manifest", "write"]);
    assert_eq!(verify(&books).0, Some(0), "what no table needs is listed too");

    import(&books, "later");
    let (code, said) = verify(&books);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("newer than the manifest: "), "{said}");

    // Nobody needs it, so anybody may have removed it.
    fs::remove_file(&added).expect("removed");
    let (code, said) = verify(&books);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 files were removed since"), "{said}");

    books.run(&["manifest", "write"]);
    for (folder, ending) in
        [("api_calls", ".parquet"), ("api_calls/_delta_log", ".checkpoint.parquet"), ("journal/_delta_log", ".json")]
    {
        let folder = books.data().join("lake").join(folder);
        let path = files(&folder).into_iter().find(|path| path.to_string_lossy().ends_with(ending)).expect("a file");
        let healthy = fs::read(&path).expect("a file");
        fs::remove_file(&path).expect("removed");
        let (code, said) = verify(&books);
        let name = path.file_name().expect("a name").to_string_lossy();
        assert_eq!(code, Some(3), "{name}:\n{said}");
        assert!(said.contains(&format!("{name} is missing")), "{said}");
        fs::write(&path, healthy).expect("a file");
    }
    assert_eq!(verify(&books).0, Some(0));
}

#[test]
fn what_was_signed_is_never_signed_again_with_another_content() {
    let books = books();
    books.run(&["manifest", "write"]);
    let again = books.run(&["manifest", "write"]);
    assert!(again.contains(", 0 of them hashed now"), "{again}");
    let data = files(&books.data().join("lake/api_calls"));
    let path = data.iter().find(|path| path.to_string_lossy().ends_with(".zstd.parquet")).expect("a data file");
    let healthy = fs::read(path).expect("a file");
    let mut flipped = healthy.clone();
    flipped[10] ^= 1;
    fs::write(path, flipped).expect("a file");
    for _ in 0..2 {
        let (code, said) = check(&books, &["manifest", "write"]);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("was changed"), "{said}");
        assert_eq!(verify(&books).0, Some(3));
    }
    fs::remove_file(path).expect("removed");
    assert_eq!(check(&books, &["manifest", "write"]).0, Some(3));
    let (code, said) = verify(&books);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("is missing"), "{said}");
    fs::write(path, healthy).expect("a file");
    books.run(&["manifest", "write"]);
    assert_eq!(verify(&books).0, Some(0));
}

#[test]
fn the_signature_is_checked_against_the_published_key() {
    let books = books();
    let key = key(&books.run(&["manifest", "write"]));
    assert_eq!(check(&books, &["manifest", "verify", "--key", &key]).0, Some(0));
    let folder = books.data().join("manifest");
    assert_eq!(fs::metadata(folder.join("key")).expect("a key").permissions().mode() & 0o777, 0o600);
    let private = fs::read_to_string(folder.join("key")).expect("a key");
    assert!(!books.run(&["manifest", "verify"]).contains(private.trim()));

    // Somebody signs everything anew with a key of their own.
    for name in ["key", "files.json"] {
        fs::remove_file(folder.join(name)).expect("removed");
    }
    books.run(&["manifest", "write"]);
    assert_eq!(verify(&books).0, Some(0), "against the key that lies there it is right");
    let (code, said) = check(&books, &["manifest", "verify", "--key", &key]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains(&format!("not by {key}")), "{said}");
    assert!(books.fail(&["manifest", "verify", "--key", "short"]).contains("is no public key"));

    let list = folder.join("files.json");
    let listed = fs::read_to_string(&list).expect("a list");
    fs::write(&list, listed.replacen("\"size\": ", "\"size\": 1", 1)).expect("a list");
    let error = books.fail(&["manifest", "verify"]);
    assert!(error.contains("signature is not one of the key"), "{error}");
    assert!(check(&books, &["audit"]).1.contains("signature is not one of the key"));
    fs::remove_file(&list).expect("removed");
    assert!(books.fail(&["manifest", "verify"]).contains("there is no manifest in"));
}

/// A server merges, writes checkpoints and signs, all the time.
#[test]
fn a_server_renews_the_list_after_each_round_of_maintenance() {
    let books = books();
    let server = books.serve(|_| (), &["--maintenance-interval-s=0"]);
    let list = books.data().join("manifest/files.json");
    let begun = std::time::Instant::now();
    while !list.exists() {
        assert!(begun.elapsed() < PATIENCE, "no list is written");
        std::thread::sleep(Duration::from_millis(20));
    }
    for number in 0..12 {
        import(&books, &format!("more-{number}"));
        let (code, said) = verify(&books);
        assert_eq!(code, Some(0), "{said}");
    }
    let said = server.stop();
    assert!(!said.contains("not what it was"), "{said}");
    books.run(&["maintain"]);
    let (code, said) = verify(&books);
    assert_eq!(code, Some(0), "{said}");
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
}
