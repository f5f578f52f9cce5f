//! CSV as RFC 4180 has it, with line feeds.
//!
//! Invariant: a field with a comma, a quote or a line break is quoted, and so
//! is an empty text, which is thereby told from null.

use std::io::{self, Write};

use super::cell::Column;

/// Writes the names of the columns.
pub(crate) fn header(names: &[String], out: &mut dyn Write) -> io::Result<()> {
    let line: Vec<String> = names.iter().map(|name| field(name)).collect();
    writeln!(out, "{}", line.join(","))
}

/// Writes one row.
pub(crate) fn row(columns: &[Column], row: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut line = String::new();
    let mut text = String::new();
    for (index, column) in columns.iter().enumerate() {
        line.push_str(if index == 0 { "" } else { "," });
        if !column.is_null(row) {
            text.clear();
            column.write_text(row, &mut text);
            line.push_str(&field(&text));
        }
    }
    line.push('\n');
    out.write_all(line.as_bytes())
}

/// A text as one field.
pub(crate) fn field(text: &str) -> String {
    if text.is_empty() || text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
