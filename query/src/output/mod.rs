//! Rows as text: a table for people, CSV and JSON for programs.
//!
//! Invariants: no value is rounded or cut in CSV and JSON; decimals are their
//! shortest exact text, times are RFC 3339 in UTC. Rows are written as they
//! come, with bounded memory.

mod cell;
mod csv;
mod json;
mod table;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;

use crate::error::QueryError;

pub(crate) use cell::Column;
pub(crate) use csv::field as csv_field;
pub use table::Align;
pub(crate) use table::{Block, is_invisible, printable};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Aligned columns. Long texts are cut at 500 characters.
    #[default]
    Table,
    /// RFC 4180 with a header. Null is empty; bytes are hexadecimal.
    Csv,
    /// An array of objects. Decimals are strings; bytes are hexadecimal.
    Json,
}

impl Format {
    const ALL: [Format; 3] = [Format::Table, Format::Csv, Format::Json];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Csv => "csv",
            Format::Json => "json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A format that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to understand the format {given:?}; there are {known}")]
pub struct FormatError {
    /// What was given.
    pub given: String,
    /// What there is.
    pub known: &'static str,
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Format, FormatError> {
        let known = "table, csv and json";
        Format::ALL.into_iter().find(|f| f.name() == text).ok_or_else(|| FormatError { given: text.to_owned(), known })
    }
}

/// Why rows could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The query failed.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The place that is written to failed.
    #[error("failed to write the rows: {0}")]
    Write(#[from] io::Error),
}

/// Writes all rows and says how many there were.
///
/// # Errors
/// [`OutputError`]; what came before is written already.
pub async fn write(
    mut rows: SendableRecordBatchStream,
    format: Format,
    out: &mut (dyn Write + Send),
) -> Result<u64, OutputError> {
    let mut writer = RowWriter::start(rows.schema(), format, out)?;
    while let Some(batch) = rows.try_next().await.map_err(QueryError::from)? {
        writer.batch(&batch)?;
    }
    writer.finish()
}

/// Writes rows that are at hand.
///
/// # Errors
/// [`OutputError`]; what came before is written already.
pub fn write_batches(
    schema: SchemaRef,
    batches: &[RecordBatch],
    format: Format,
    out: &mut (dyn Write + Send),
) -> Result<u64, OutputError> {
    let mut writer = RowWriter::start(schema, format, out)?;
    for batch in batches {
        writer.batch(batch)?;
    }
    writer.finish()
}

struct RowWriter<'a> {
    names: Vec<String>,
    form: Form,
    rows: u64,
    out: &'a mut (dyn Write + Send),
}

enum Form {
    Table(Block),
    Csv,
    Json,
}

impl<'a> RowWriter<'a> {
    fn start(schema: SchemaRef, format: Format, out: &'a mut (dyn Write + Send)) -> Result<Self, OutputError> {
        let names = distinct(schema.fields().iter().map(|field| field.name().clone()));
        let form = match format {
            Format::Table => {
                let align = |field: &arrow::datatypes::FieldRef| Align::of(field.data_type());
                Form::Table(Block::new(
                    names.iter().map(|n| printable(n)).zip(schema.fields().iter().map(align)).collect(),
                ))
            }
            Format::Csv => {
                csv::header(&names, out)?;
                Form::Csv
            }
            Format::Json => {
                out.write_all(b"[")?;
                Form::Json
            }
        };
        Ok(RowWriter { names, form, rows: 0, out })
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        let columns: Vec<Column> = batch.columns().iter().map(Column::new).collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            match &mut self.form {
                Form::Table(block) => block.push(&columns, row, self.out)?,
                Form::Csv => csv::row(&columns, row, self.out)?,
                Form::Json => json::row(&self.names, &columns, row, self.rows == 0, self.out)?,
            }
            self.rows += 1;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<u64, OutputError> {
        match &mut self.form {
            Form::Table(block) => {
                block.flush(self.out)?;
                writeln!(self.out, "({} {})", self.rows, if self.rows == 1 { "row" } else { "rows" })?;
            }
            Form::Csv => {}
            Form::Json => self.out.write_all(if self.rows == 0 { b"]\n" } else { b"\n]\n" })?,
        }
        self.out.flush()?;
        Ok(self.rows)
    }
}

/// Gives columns of the same name different ones, so that no value hides
/// another in a JSON object.
fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for name in names {
        let mut candidate = name.clone();
        let mut number = 2;
        while taken.contains(&candidate) {
            candidate = format!("{name}_{number}");
            number += 1;
        }
        taken.push(candidate);
    }
    taken
}
