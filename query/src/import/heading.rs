//! The names of a file's columns.
//!
//! Invariant: every column of `input` has a name of its own, so that a SELECT
//! cannot mean another column than the person who wrote it. DataFusion
//! merges columns of one name, and fails later in words about schemas.

use std::fs::File;
use std::path::Path;

use arrow::datatypes::SchemaRef;
use datafusion::arrow::csv::reader::Format;

use super::ImportError;

/// The column that is added to every file.
pub(super) const ROW: &str = "_row";

/// Checks the heading of a CSV file before its rows are looked at.
pub(super) fn check_csv(file: &Path) -> Result<(), ImportError> {
    let read = |reason: String| ImportError::Read { file: file.display().to_string(), reason };
    let opened = File::open(file).map_err(|error| read(error.to_string()))?;
    let (heading, _) =
        Format::default().with_header(true).infer_schema(opened, Some(0)).map_err(|error| read(error.to_string()))?;
    check(file, &heading.into())
}

/// Checks the names of a file's columns.
pub(super) fn check(file: &Path, schema: &SchemaRef) -> Result<(), ImportError> {
    let wrong = |reason: String| ImportError::Heading { file: file.display().to_string(), reason };
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    for (index, name) in names.iter().enumerate() {
        if let Some(first) = names[..index].iter().position(|earlier| earlier == name) {
            let (first, second) = (first + 1, index + 1);
            return Err(wrong(if name.is_empty() {
                format!("columns {first} and {second} have no name; give each a name of its own in the first line")
            } else {
                format!("columns {first} and {second} are both named {name:?}; give each a name of its own")
            }));
        }
        if *name == ROW {
            let number = index + 1;
            return Err(wrong(format!(
                "column {number} is named {ROW}, as the number of the row is in `input`; give it another name"
            )));
        }
    }
    Ok(())
}
