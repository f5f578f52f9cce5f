//! Questions in SQL that must not be answered, through `stempoint sql`.

use serde::Deserialize;

use super::books_with_calls;
use super::cases::{Wrong, expand, files};
use crate::harness::text;

/// A question and what is said of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    query: String,
    /// A ledger version.
    version: Option<String>,
    says: String,
}

#[test]
fn each_question_is_refused_and_nothing_changes() {
    let books = books_with_calls(2);
    let before = books.run(&["sql", "SELECT * FROM api_calls ORDER BY id", "--format", "csv"]);
    let mut wrong = Wrong::default();
    for file in files::<Case>("sql") {
        for (number, case) in file.cases.iter().enumerate() {
            let query = text(&expand(&case.query, number));
            let mut command = books.command(&["sql"]);
            if let Some(version) = &case.version {
                command.args(["--version", version]);
            }
            let output =
                command.args(["--", &query]).current_dir(books.folder()).output().expect("the program can be started");
            let said = text(&output.stderr);
            wrong.unless_equal(&file.name, &case.name, "Some(1)", &format!("{:?}", output.status.code()));
            wrong.unless_contained(&file.name, &case.name, &case.says, &said);
        }
    }
    wrong.must_be_none();
    let files = std::fs::read_dir(books.folder()).expect("the folder can be read").count();
    assert_eq!(files, 2, "no file was written beside the data folder and the input");
    assert_eq!(books.run(&["sql", "SELECT * FROM api_calls ORDER BY id", "--format", "csv"]), before);
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
}
