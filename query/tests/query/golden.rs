//! Comparing a whole output with a file under `tests/golden`.
//!
//! `STEMPOINT_BLESS=1` writes the files instead: look at what changed before
//! it is kept.

use std::path::PathBuf;

/// Fails where `actual` differs from the file, and says where first.
pub fn check(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("STEMPOINT_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, actual).expect("the golden file can be written");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected == actual {
        return;
    }
    let line = expected.lines().zip(actual.lines()).position(|(e, a)| e != a);
    let line = line.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
    panic!(
        "{name} differs from line {} on:\nexpected: {:?}\nactual:   {:?}\nIf the new output is right, run the tests once with STEMPOINT_BLESS=1.",
        line + 1,
        expected.lines().nth(line).unwrap_or("(end)"),
        actual.lines().nth(line).unwrap_or("(end)"),
    );
}
