//! A data folder that is damaged, of a newer version, full or read-only: the
//! program says what is wrong and ends with exit code 1, and once the cause is
//! gone nothing is lost.

mod disk;
mod lake;
mod log;

use crate::harness::{Books, text};

const SELECT: &str = "SELECT 'c' || _row AS id, '2024-01-01' AS time, 'acme' AS customer, 'm' AS model, \
                      'n' AS provider, tokens AS input_tokens, 0 AS output_tokens FROM input";

/// Imports rows of 1, 2, 3, … tokens from a file of its own.
fn import(books: &Books, source: &str, rows: u64) -> String {
    let tokens: String = (1..=rows).map(|tokens| format!("{tokens}\n")).collect();
    let file = books.file(&format!("{source}.csv"), &format!("tokens\n{tokens}"));
    books.run(&["import", "api_call", &file.to_string_lossy(), "--source", source, "--select", SELECT])
}

/// Runs a command that must end with exit code 1 and without a panic, and say
/// all of `says`.
fn refused(books: &Books, arguments: &[&str], says: &[&str]) {
    let output = books.output(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    for part in says {
        assert!(said.contains(part), "{arguments:?} does not say {part:?}:\n{said}");
    }
}

/// All rows of `sources` with 1, 2, 3, … tokens are in the books, once, and
/// the books are clean.
fn complete(books: &Books, sources: &[(&str, u64)]) {
    for (source, rows) in sources {
        let query = format!(
            "SELECT count(*) AS n, count(DISTINCT id) AS ids, sum(input_tokens) AS tokens FROM api_calls \
             WHERE source = 'import/{source}'"
        );
        let row = &books.sql(&query)[0];
        assert_eq!((row["n"].as_u64(), row["ids"].as_u64()), (Some(*rows), Some(*rows)), "{source}: {row}");
        assert_eq!(row["tokens"].as_u64(), Some(rows * (rows + 1) / 2), "{source}: {row}");
    }
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
}
