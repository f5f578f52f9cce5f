//! An array of objects, one a line.
//!
//! Invariant: what is written so far and the closing bracket are JSON.

use std::io::{self, Write};

use super::cell::{Column, quote};

/// Writes one row.
pub(crate) fn row(
    names: &[String],
    columns: &[Column],
    row: usize,
    is_first: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut line = String::from(if is_first { "\n {" } else { ",\n {" });
    for (index, (name, column)) in names.iter().zip(columns).enumerate() {
        line.push_str(if index == 0 { "" } else { "," });
        quote(name, &mut line);
        line.push(':');
        column.write_json(row, &mut line);
    }
    line.push('}');
    out.write_all(line.as_bytes())
}
