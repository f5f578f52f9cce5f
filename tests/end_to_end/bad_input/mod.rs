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

/// All entrances; a file with another one would never be run.
const ENTRANCES: [&str; 8] = ["http", "wire", "wire_story", "control", "price_file", "import", "sql", "command"];

/// The issue asks for as many.
const CASES_MIN: usize = 300;

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
