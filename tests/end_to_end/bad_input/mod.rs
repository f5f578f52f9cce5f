//! Bad input: every case of `tests/bad_input`, through the entrance that it is
//! meant for. A file there names its entrance, and each entrance has its
//! module here.
//!
//! Between any two cases good input is sent, and in the end all of it must be
//! in the books: what is bad never takes anything else along.

mod cases;
mod commands;
mod control;
mod http;
mod importing;
mod prices;
mod recipe;
mod sql;
mod wire;

use std::collections::BTreeSet;

use cases::Wrong;

use crate::harness::Books;

/// All entrances; a file with another one would never be run.
const ENTRANCES: [&str; 8] = ["http", "wire", "wire_story", "control", "price_file", "import", "sql", "command"];

/// The issue asks for as many.
const CASES_MIN: usize = 300;

/// Books with so many calls, from a file that lies beside them.
pub fn books_with_calls(rows: usize) -> Books {
    let books = Books::new();
    let times: String = (0..rows).map(|second| format!("2024-01-01T00:00:0{second}Z\n")).collect();
    let csv = books.file("calls.csv", &format!("at\n{times}"));
    let select = "SELECT 'c' || _row AS id, at AS time, 'a' AS customer, 'm' AS model, 'n' AS provider, \
                  1 AS input_tokens, 2 AS output_tokens FROM input";
    books.run(&["import", "api_call", &csv.to_string_lossy(), "--source", "t", "--select", select]);
    books
}

#[test]
fn no_file_is_forgotten_and_no_case_is_there_twice() {
    let mut names = BTreeSet::new();
    let mut wrong = Wrong::default();
    for file in cases::outlines() {
        if !ENTRANCES.contains(&file.entrance.as_str()) {
            wrong.add(&file.name, "entrance", format!("{:?} is none of {ENTRANCES:?}", file.entrance));
        }
        for case in file.cases {
            if !names.insert((file.name.clone(), case.clone())) {
                wrong.add(&file.name, &case, "stands there twice".to_owned());
            }
        }
    }
    wrong.must_be_none();
    assert!(names.len() >= CASES_MIN, "there are only {} cases", names.len());
    eprintln!("{} cases of bad input", names.len());
}
