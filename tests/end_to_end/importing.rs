//! `stempoint import`: files as events.

use crate::harness::Books;

const SELECT: &str = "SELECT 'c' || _row AS id, at AS time, who AS customer, 'm' AS model, 'n' AS provider, \
                      tokens AS input_tokens, 0 AS output_tokens FROM input";

#[test]
fn rows_count_once_however_often_they_are_imported() {
    let books = Books::new();
    let csv = books.file("calls.csv", "at,who,tokens\n2024-01-01 00:00:00,a,10\n2024-01-01 00:00:01,b,20\n");
    let csv = csv.to_string_lossy();
    let import = ["import", "api_call", &csv, "--source", "t", "--select", SELECT];
    assert_eq!(books.run(&import).trim(), "received 2, accepted 2, duplicate 0, rejected 0");
    assert_eq!(books.run(&import).trim(), "received 2, accepted 0, duplicate 2, rejected 0");
    assert_eq!(books.sql("SELECT sum(input_tokens) AS n FROM api_calls")[0]["n"], 30);
}

#[test]
fn json_lines_and_bad_rows() {
    let books = Books::new();
    let lines = "{\"at\":\"2024-01-01T00:00:00Z\",\"who\":\"a\",\"tokens\":1}\n\
                 {\"at\":\"2024-01-01T00:00:00Z\",\"who\":\"a\",\"tokens\":-5}\n\
                 {\"at\":\"yesterday\",\"who\":\"a\",\"tokens\":1}\n\
                 {\"at\":\"2024-01-01T00:00:00Z\",\"tokens\":1}\n";
    let file = books.file("calls.jsonl", lines);
    let output = books.run(&["import", "api_call", &file.to_string_lossy(), "--source", "t", "--select", SELECT]);
    assert!(output.starts_with("received 4, accepted 1, duplicate 0, rejected 3"), "{output}");
    let details: Vec<String> = books
        .sql("SELECT detail FROM rejects ORDER BY _offset")
        .iter()
        .map(|row| row["detail"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(details[0].contains("input_tokens is negative (-5)"), "{details:?}");
    assert!(details[1].contains("time is wrong"), "{details:?}");
    assert!(details[2].contains("customer is missing"), "{details:?}");
    let shown = books.run(&["rejects", "show", &place(&books)]);
    assert!(shown.contains("unusable"), "{shown}");
}

fn place(books: &Books) -> String {
    let list = books.run(&["rejects", "list", "--format", "csv", "--limit", "1"]);
    list.lines().nth(1).and_then(|line| line.split(',').next()).unwrap_or_default().trim_matches('"').to_owned()
}

#[test]
fn wrong_columns_are_named_before_anything_is_written() {
    let books = Books::new();
    let csv = books.file("calls.csv", "at,who,tokens\n2024-01-01,a,10\n");
    let csv = csv.to_string_lossy();
    let text = books.file("calls.txt", "x");
    let text = text.to_string_lossy();
    for (arguments, says) in [
        (
            ["import", "api_call", &csv, "--source", "t", "--select", "SELECT tokens AS input_tokns FROM input"],
            "\"input_tokns\"",
        ),
        (
            ["import", "api_call", &csv, "--source", "t", "--select", "SELECT 'x' AS id, at AS time FROM input"],
            "does not give customer",
        ),
        (
            ["import", "api_call", &csv, "--source", "t", "--select", "SELECT nope FROM input"],
            "the columns of `input` are _row, at, who, tokens",
        ),
        (["import", "api_call", &csv, "--source", "t", "--select", "SELEC"], "--select"),
        (["import", "api_cal", &csv, "--source", "t", "--select", SELECT], "api_call, gpu_usage or heartbeat"),
        (["import", "api_call", &text, "--source", "t", "--select", SELECT], ".parquet"),
        (["import", "api_call", "no/such.csv", "--source", "t", "--select", SELECT], "there is no file"),
    ] {
        let error = books.fail(&arguments);
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
    assert!(!books.data().join("lake").exists(), "nothing was written");
}

#[test]
fn commands_without_books_say_what_to_do_first() {
    let books = Books::new();
    for arguments in [vec!["sql", "SELECT 1"], vec!["audit"], vec!["invoice", "a", "2024-01"], vec!["rejects", "list"]]
    {
        let error = books.fail(&arguments);
        assert!(error.contains("there is no ledger"), "{arguments:?}: {error}");
    }
}
