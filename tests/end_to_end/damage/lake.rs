//! Tables with files that are missing, cut, or written by a later version.

use std::path::{Path, PathBuf};

use super::{complete, import, refused};
use crate::harness::Books;

const SUM: &[&str] = &["sql", "SELECT sum(input_tokens) AS n FROM api_calls"];

/// The files below a table's folder whose names end like this, in order.
fn files(books: &Books, table: &str, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(books.data().join("lake").join(table))
        .expect("the table's folder can be read")
        .map(|entry| entry.expect("the table's folder can be read").path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Does something to a file, runs the body, and puts the file back.
fn damaged(path: &Path, damage: impl FnOnce(&[u8]) -> Option<Vec<u8>>, body: impl FnOnce()) {
    let healthy = std::fs::read(path).expect("the file can be read");
    match damage(&healthy) {
        Some(bytes) => std::fs::write(path, bytes).expect("the file can be written"),
        None => std::fs::remove_file(path).expect("the file can be removed"),
    }
    body();
    std::fs::write(path, healthy).expect("the file can be written");
}

fn books_with_two_imports() -> Books {
    let books = Books::new();
    import(&books, "one", 100);
    import(&books, "two", 50);
    books
}

#[test]
fn a_data_file_that_is_missing_or_cut_is_named() {
    let books = books_with_two_imports();
    let file = files(&books, "api_calls", ".parquet").pop().expect("there is a data file");
    let named = name(&file);
    let what = ["failed to read", &named, "restore"];
    let rebuilt = books.folder().join("rebuilt");
    let rebuild = ["rebuild", "--from", "lake", "--into", &rebuilt.to_string_lossy()];
    damaged(
        &file,
        |_| None,
        || {
            refused(&books, SUM, &what);
            refused(&books, &["audit"], &what);
            refused(&books, &["invoice", "acme", "2024-01"], &what);
            refused(&books, &rebuild, &what);
        },
    );
    damaged(
        &file,
        |healthy| Some(healthy[..healthy.len() / 2].to_vec()),
        || {
            refused(&books, SUM, &what);
            refused(&books, &["audit"], &what);
        },
    );
    damaged(
        &file,
        |healthy| Some(vec![0; healthy.len()]),
        || {
            refused(&books, SUM, &what);
            refused(&books, &["audit"], &what);
        },
    );
    import(&books, "three", 10);
    complete(&books, &[("one", 100), ("two", 50), ("three", 10)]);
}

#[test]
fn an_entry_of_the_delta_log_that_is_missing_or_cut_is_named() {
    let books = books_with_two_imports();
    for table in ["api_calls", "commits"] {
        let entries = files(&books, &format!("{table}/_delta_log"), ".json");
        let entry = &entries[1];
        let what = ["failed to read the Delta log of table", table, &name(entry), "restore"];
        let up = ["up", "--listen", "127.0.0.1:0"];
        let again = books.folder().join("one.csv");
        let again = again.to_string_lossy();
        let import = ["import", "api_call", &again, "--source", "one", "--select", super::SELECT];
        for damage in [
            |_: &[u8]| None,
            |healthy: &[u8]| Some(healthy[..healthy.len() / 2].to_vec()),
            |_: &[u8]| Some(b"not a log\n".to_vec()),
        ] {
            damaged(entry, damage, || {
                for command in [SUM, &["audit"], &up, &import] {
                    refused(&books, command, &what);
                }
            });
        }
    }
    import(&books, "three", 10);
    complete(&books, &[("one", 100), ("two", 50), ("three", 10)]);
}

#[test]
fn a_table_of_a_later_delta_version_is_left_alone() {
    let books = books_with_two_imports();
    let entries = files(&books, "api_calls/_delta_log", ".json");
    let next = entries[0].with_file_name(format!("{:020}.json", entries.len()));
    let protocol = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}}"#;
    std::fs::write(&next, protocol).expect("the entry can be written");
    for command in [SUM, &["audit"], &["up", "--listen", "127.0.0.1:0"]] {
        refused(&books, command, &["failed to use table api_calls", "reader version 3"]);
    }
    std::fs::remove_file(&next).expect("the entry can be removed");
    complete(&books, &[("one", 100), ("two", 50)]);
}

/// Books that were decided by later rules can be read, but not written.
#[test]
fn books_of_a_later_version_of_the_rules_are_not_written_to() {
    let books = books_with_two_imports();
    let before = files(&books, "commits/_delta_log", ".json");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let ledger = stempoint_store::ledger::Ledger::open(&books.data().join("lake")).await.expect("a ledger");
        let later = |commit: &mut stempoint_schemas::commit::Commit| {
            commit.rules += 1;
            true
        };
        ledger.advance(later).await.expect("a commit");
    });
    let again = books.folder().join("one.csv");
    let again = again.to_string_lossy();
    let says = ["rules 2", "use a newer version of stempoint"];
    refused(&books, &["import", "api_call", &again, "--source", "one", "--select", super::SELECT], &says);
    refused(&books, &["up", "--listen", "127.0.0.1:0"], &says);
    assert_eq!(books.sql("SELECT count(*) AS n FROM api_calls")[0]["n"], 150);
    // The version is taken back, as an operator would from a backup.
    for entry in files(&books, "commits/_delta_log", ".json") {
        if !before.contains(&entry) {
            std::fs::remove_file(&entry).expect("the entry can be removed");
        }
    }
    import(&books, "three", 10);
    complete(&books, &[("one", 100), ("two", 50), ("three", 10)]);
}
