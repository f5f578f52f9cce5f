//! Aligned columns for people.
//!
//! Invariants: a cell is one line and cannot steer a terminal; decimal points
//! stand below each other. Only one block of rows is held in memory: its
//! widths are the largest so far.

use std::fmt::Write as _;
use std::io::{self, Write};

use arrow::datatypes::DataType;

use super::cell::Column;

/// How many rows are aligned with each other.
const BLOCK_ROWS_MAX: usize = 10_000;
/// How much text a block may hold (bytes).
const BLOCK_BYTES_MAX: usize = 8 << 20;
/// The longest text of a cell (characters).
const CELL_CHARS_MAX: usize = 500;

/// On which side a column's values stand below each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Texts.
    Left,
    /// Numbers: at the decimal point.
    Right,
}

impl Align {
    /// How values of a type are aligned.
    pub fn of(data_type: &DataType) -> Align {
        if data_type.is_numeric() { Align::Right } else { Align::Left }
    }
}

/// The rows that are yet to be written.
pub(crate) struct Block {
    columns: Vec<Heading>,
    cells: Vec<String>,
    bytes: usize,
    is_first: bool,
}

struct Heading {
    name: String,
    align: Align,
    /// Characters before the decimal point, or all of a text.
    whole: usize,
    /// Characters from the decimal point on.
    fraction: usize,
}

impl Heading {
    fn width(&self) -> usize {
        (self.whole + self.fraction).max(length(&self.name))
    }
}

impl Block {
    pub(crate) fn new(columns: Vec<(String, Align)>) -> Block {
        let headings = columns.into_iter().map(|(name, align)| Heading { name, align, whole: 0, fraction: 0 });
        Block { columns: headings.collect(), cells: Vec::new(), bytes: 0, is_first: true }
    }

    /// Adds a row and writes the block if it is full.
    pub(crate) fn push(&mut self, columns: &[Column], row: usize, out: &mut dyn Write) -> io::Result<()> {
        let mut text = String::new();
        for column in columns {
            text.clear();
            column.write_text(row, &mut text);
            self.cell(&text);
        }
        self.write_if_full(out)
    }

    /// Adds a row of texts.
    pub(crate) fn push_texts(&mut self, texts: &[&str], out: &mut dyn Write) -> io::Result<()> {
        for text in texts {
            self.cell(text);
        }
        self.write_if_full(out)
    }

    fn cell(&mut self, text: &str) {
        let cell = printable(text);
        let column = self.cells.len() % self.columns.len().max(1);
        if let Some(heading) = self.columns.get_mut(column) {
            let (whole, fraction) = parts(&cell, heading.align);
            heading.whole = heading.whole.max(length(whole));
            heading.fraction = heading.fraction.max(length(fraction));
            self.bytes += cell.len();
            self.cells.push(cell);
        }
    }

    fn write_if_full(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let is_full = self.cells.len() >= BLOCK_ROWS_MAX * self.columns.len().max(1) || self.bytes >= BLOCK_BYTES_MAX;
        if is_full { self.flush(out) } else { Ok(()) }
    }

    /// Writes what is left, and the headings if there was nothing before.
    pub(crate) fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.is_first {
            self.is_first = false;
            self.headings(out)?;
        }
        for row in self.cells.chunks(self.columns.len().max(1)) {
            let mut line = String::new();
            for (index, (heading, cell)) in self.columns.iter().zip(row).enumerate() {
                line.push_str(if index == 0 { " " } else { " | " });
                heading.pad(cell, &mut line);
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        self.cells.clear();
        self.bytes = 0;
        Ok(())
    }

    fn headings(&self, out: &mut dyn Write) -> io::Result<()> {
        let (mut names, mut rule) = (String::new(), String::new());
        for (index, heading) in self.columns.iter().enumerate() {
            let width = heading.width();
            let gap = width.saturating_sub(length(&heading.name));
            let (before, after) = if heading.align == Align::Right { (gap, 0) } else { (0, gap) };
            // Writing to a string cannot fail.
            let _ =
                write!(names, "{}{:before$}{}{:after$}", if index == 0 { " " } else { " | " }, "", heading.name, "");
            let _ = write!(rule, "{}{:-<dashes$}", if index == 0 { "" } else { "+" }, "", dashes = width + 2);
        }
        writeln!(out, "{}\n{rule}", names.trim_end())
    }
}

impl Heading {
    fn pad(&self, cell: &str, line: &mut String) {
        let (whole, fraction) = parts(cell, self.align);
        let (before, after) = match self.align {
            Align::Left => (0, self.width().saturating_sub(length(cell))),
            Align::Right => {
                let after = self.fraction.saturating_sub(length(fraction));
                (self.width().saturating_sub(length(whole) + length(fraction) + after), after)
            }
        };
        // Writing to a string cannot fail.
        let _ = write!(line, "{:before$}{cell}{:after$}", "", "");
    }
}

fn parts(cell: &str, align: Align) -> (&str, &str) {
    match (align, cell.find('.')) {
        (Align::Right, Some(point)) => cell.split_at(point),
        _ => (cell, ""),
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// One line without control characters, cut where it is too long.
pub(crate) fn printable(text: &str) -> String {
    let is_plain = |c: char| !c.is_control() && !is_invisible(c);
    if text.len() <= CELL_CHARS_MAX && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let mut cell = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == CELL_CHARS_MAX {
            cell.push('…');
            break;
        }
        if is_plain(c) {
            cell.push(c);
        } else {
            cell.extend(c.escape_default());
        }
    }
    cell
}

/// Characters that change the order or the look of others.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
