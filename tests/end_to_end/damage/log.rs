//! Records of the embedded log that cannot be read.

use std::path::{Path, PathBuf};

use super::{SELECT, complete, import, refused};
use crate::harness::Books;

/// The journal in which the newest records lie.
fn journal(books: &Books) -> PathBuf {
    books.data().join("log").join("db").join("0.jnl")
}

/// Where a text stands in a file.
fn find(path: &Path, text: &str) -> usize {
    let bytes = std::fs::read(path).expect("the file can be read");
    let found = bytes.windows(text.len()).position(|window| window == text.as_bytes());
    found.unwrap_or_else(|| panic!("{text} is not in {}", path.display()))
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("a folder can be read") {
        let entry = entry.expect("a folder can be read").path();
        let target = to.join(entry.file_name().unwrap_or_default());
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).expect("a file can be copied");
        }
    }
}

/// Records that are on the log and in no table yet: the program was killed
/// between the two.
fn books_with_unfolded_records() -> (Books, String) {
    let books = Books::new();
    import(&books, "one", 100);
    let file = books.file("two.csv", "tokens\n1\n2\n3\n");
    let file = file.to_string_lossy().into_owned();
    let killed = books
        .command(&["import", "api_call", &file, "--source", "two", "--select", SELECT])
        .env("STEMPOINT_CRASH_AT", "ingest.before_tables:1")
        .output()
        .expect("the program can be started");
    assert!(!killed.status.success(), "it kills itself before the tables are written");
    (books, file)
}

/// A record of the last import, whose batch is the last of the journal, and one
/// of the import before.
#[test]
fn a_changed_record_is_found_and_when_it_is_mended_nothing_is_lost() {
    for source in ["import/two", "import/one"] {
        let (books, file) = books_with_unfolded_records();
        let (log, kept) = (books.data().join("log"), books.folder().join("kept"));
        copy(&log, &kept);
        let journal = journal(&books);
        let mut damaged = std::fs::read(&journal).expect("the journal can be read");
        damaged[find(&journal, source) + 3] ^= 0x20;
        std::fs::write(&journal, damaged).expect("the journal can be written");
        for command in [
            &["up", "--listen", "127.0.0.1:0"][..],
            &["import", "api_call", &file, "--source", "two", "--select", SELECT],
            &["invoice", "acme", "2024-01"],
            &["maintain"],
        ] {
            refused(&books, command, &["failed to open the event log", "restore the folder from a copy"]);
        }
        // What is in the tables can be asked all the same.
        assert_eq!(books.sql("SELECT count(*) AS n FROM api_calls")[0]["n"], 100);
        std::fs::remove_dir_all(&log).expect("the damaged log can be removed");
        std::fs::rename(&kept, &log).expect("the copy can be put in its place");
        // The records of the killed import count, and are not counted again.
        let counts = books.run(&["import", "api_call", &file, "--source", "two", "--select", SELECT]);
        assert_eq!(counts.trim(), "received 3, accepted 0, duplicate 3, rejected 0");
        complete(&books, &[("one", 100), ("two", 3)]);
    }
}

#[test]
fn a_log_that_was_replaced_is_not_read_on_from() {
    let (books, file) = books_with_unfolded_records();
    let log = books.data().join("log");
    let kept = books.folder().join("kept");
    std::fs::rename(&log, &kept).expect("the log can be moved away");
    let import = ["import", "api_call", &file, "--source", "two", "--select", SELECT];
    refused(&books, &import, &["log"]);
    refused(&books, &["up", "--listen", "127.0.0.1:0"], &["log"]);
    std::fs::remove_dir_all(&log).expect("the wrong log can be removed");
    std::fs::rename(&kept, &log).expect("the log can be moved back");
    assert_eq!(books.run(&import).trim(), "received 3, accepted 0, duplicate 3, rejected 0");
    complete(&books, &[("one", 100), ("two", 3)]);
}
