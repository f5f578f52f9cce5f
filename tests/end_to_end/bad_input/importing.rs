//! Files that cannot be imported, and files with wrong rows, through
//! `stempoint import`.

use serde::Deserialize;

use super::cases::{Wrong, expand, files};
use crate::harness::{Books, text};

/// A file, a SELECT, and what comes of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// The file's name; it lies in the folder where the command runs.
    file: String,
    /// Its content; there is no such file where this is missing.
    content: Option<String>,
    #[serde(default = "api_call")]
    kind: String,
    /// One of the file's bases, or a SELECT of its own.
    base: Option<String>,
    change: Option<[String; 2]>,
    select: Option<String>,
    /// Why nothing is imported: what is said, among other things.
    says: Option<String>,
    /// What is said of each row that is refused, in order, word for word.
    #[serde(default)]
    rejected: Vec<String>,
    /// How many rows are accepted.
    #[serde(default)]
    accepted: usize,
}

fn api_call() -> String {
    "api_call".to_owned()
}

/// Types are guessed from the first 100,000 rows; what comes behind them can
/// be wrong when part of the file is in the books already.
#[test]
fn a_file_that_is_damaged_far_behind_can_be_mended_and_imported_again() {
    let books = Books::new();
    let good = "2024-01-01 00:00:00,acme,1\n".repeat(100_001);
    let select = "SELECT 'c' || _row AS id, at AS time, who AS customer, 'm' AS model, 'n' AS provider, \
                  tokens AS input_tokens, 0 AS output_tokens FROM input";
    let file = books.file("calls.csv", &format!("at,who,tokens\n{good}2024-01-01 00:00:00,acme,many\n"));
    let import = ["import", "api_call", &file.to_string_lossy(), "--source", "t", "--select", select];
    let said = books.fail(&import);
    assert!(said.contains("only the first 95000 rows were imported; import again once it is mended"), "{said}");
    assert!(said.contains("many"), "{said}");
    books.file("calls.csv", &format!("at,who,tokens\n{good}2024-01-01 00:00:00,acme,7\n"));
    assert_eq!(books.run(&import).trim(), "received 100002, accepted 5002, duplicate 95000, rejected 0");
    assert_eq!(books.sql("SELECT sum(input_tokens) AS n FROM api_calls")[0]["n"], 100_008);
}

#[test]
fn wrong_files_are_refused_before_anything_is_written_and_wrong_rows_one_by_one() {
    let untouched = Books::new();
    let served = Books::new();
    let server = served.serve(|_| (), &["--commit-interval-ms", "20"]);
    let mut wrong = Wrong::default();
    let mut accepted = 0;
    for file in files::<Case>("import") {
        for (number, case) in file.cases.iter().enumerate() {
            let books = if case.says.is_some() { &untouched } else { &served };
            let select = file.input(&case.name, case.base.as_deref(), case.change.as_ref(), case.select.as_deref());
            let select = text(&expand(&select, number));
            if let Some(content) = &case.content {
                std::fs::write(books.folder().join(&case.file), expand(content, number))
                    .expect("a file can be written");
            }
            let source = format!("{}-{number}", file.name);
            let mut command =
                books.command(&["import", &case.kind, &case.file, "--source", &source, "--select", &select]);
            let output = command.current_dir(books.folder()).output().expect("the program can be started");
            let (out, said) = (text(&output.stdout), text(&output.stderr));
            if case.content.is_some() {
                std::fs::remove_file(books.folder().join(&case.file)).expect("the file is still there");
            }
            if let Some(says) = &case.says {
                wrong.unless_equal(&file.name, &case.name, "Some(1)", &format!("{:?}", output.status.code()));
                wrong.unless_contained(&file.name, &case.name, says, &said);
                continue;
            }
            accepted += case.accepted;
            let (received, rejected) = (case.accepted + case.rejected.len(), case.rejected.len());
            let counts = format!("received {received}, accepted {}, duplicate 0, rejected {rejected}", case.accepted);
            wrong.unless_equal(&file.name, &case.name, &counts, out.lines().next().unwrap_or(&said));
            if case.rejected.is_empty() {
                continue;
            }
            let query = format!("SELECT detail FROM rejects WHERE source = 'import/{source}' ORDER BY _offset");
            let details: Vec<String> =
                served.sql(&query).iter().map(|row| row["detail"].as_str().unwrap_or_default().to_owned()).collect();
            wrong.unless_equal(&file.name, &case.name, &case.rejected.join("\n"), &details.join("\n"));
        }
    }
    wrong.must_be_none();
    assert!(!untouched.data().exists(), "nothing was written");
    let rows =
        "(SELECT count(*) FROM api_calls) + (SELECT count(*) FROM gpu_usage) + (SELECT count(*) FROM heartbeats)";
    assert_eq!(served.sql(&format!("SELECT {rows} AS n"))[0]["n"], accepted);
    server.stop();
    assert!(served.run(&["audit"]).contains("all 10 checks passed"));
}
