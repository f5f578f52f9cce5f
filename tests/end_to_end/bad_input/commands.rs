//! Arguments of commands that are wrong.

use serde::Deserialize;

use super::books_with_calls;
use super::cases::{Wrong, expand, files};
use crate::harness::text;

/// Arguments and what is said of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    arguments: Vec<String>,
    /// 1 where something is wrong with what was asked for, 2 where the command
    /// line is not understood.
    exit: i32,
    says: String,
}

#[test]
fn each_command_says_what_is_wrong_with_its_arguments() {
    let books = books_with_calls(1);
    let mut wrong = Wrong::default();
    for file in files::<Case>("command") {
        for (number, case) in file.cases.iter().enumerate() {
            let arguments: Vec<String> = case.arguments.iter().map(|given| text(&expand(given, number))).collect();
            let mut command = books.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
            let output = command.current_dir(books.folder()).output().expect("the program can be started");
            let said = text(&output.stderr);
            let exit = format!("{:?}", output.status.code());
            wrong.unless_equal(&file.name, &case.name, &format!("Some({})", case.exit), &exit);
            wrong.unless_contained(&file.name, &case.name, &case.says, &said);
        }
    }
    wrong.must_be_none();
    assert_eq!(books.sql("SELECT count(*) AS n FROM api_calls")[0]["n"], 1);
    assert_eq!(books.sql("SELECT count(*) AS n FROM control WHERE type <> 'settle'")[0]["n"], 0);
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
}
