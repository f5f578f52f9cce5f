//! Price files, through `stempoint prices apply`.

use serde::Deserialize;

use super::cases::{Wrong, expand, files};
use crate::harness::{Books, text};

/// A file and why it is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    base: Option<String>,
    change: Option<[String; 2]>,
    text: Option<String>,
    /// The line that is named.
    line: usize,
    /// What is said of it, word for word.
    problem: Option<String>,
    /// What is said of it among other things, by the reader of TOML.
    says: Option<String>,
}

#[test]
fn each_price_file_is_refused_with_its_line() {
    let books = Books::new();
    let mut wrong = Wrong::default();
    for file in files::<Case>("price_file") {
        for (number, case) in file.cases.iter().enumerate() {
            let text_of = file.input(&case.name, case.base.as_deref(), case.change.as_ref(), case.text.as_deref());
            let path = books.folder().join("prices.toml");
            std::fs::write(&path, expand(&text_of, number)).expect("a file can be written");
            let output = books.output(&["prices", "apply", &path.to_string_lossy()]);
            let said = text(&output.stderr);
            wrong.unless_equal(&file.name, &case.name, "Some(1)", &format!("{:?}", output.status.code()));
            let start = format!("error: {}, line {}: ", path.display(), case.line);
            let problem = said.trim_end().strip_prefix(&start);
            match (&case.problem, &case.says, problem) {
                (Some(expected), None, Some(problem)) => wrong.unless_equal(&file.name, &case.name, expected, problem),
                (None, Some(part), Some(problem)) => wrong.unless_contained(&file.name, &case.name, part, problem),
                _ => wrong.add(&file.name, &case.name, format!("expected line {}, found {said:?}", case.line)),
            }
        }
    }
    wrong.must_be_none();
    assert!(!books.data().exists(), "nothing was written");
}
