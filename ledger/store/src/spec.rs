//! What a table is: its columns, their comments, how they are stored, and how
//! all that reads in the Delta log.
//!
//! Invariant: the schema in the log is one that every Delta reader of version
//! 1 understands, and a table is only opened with the schema it was created
//! with.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use deltalake::kernel::StructType;
use deltalake::kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};

use crate::error::StoreError;

/// The metadata key under which a field carries its comment.
pub const COMMENT_KEY: &str = "comment";
/// The metadata key under which a field says how it is stored.
pub const ENCODING_KEY: &str = "encoding";

/// For how long a file stays after it was merged into another, unless a
/// table says otherwise: a query must not run longer on one snapshot.
pub const FILE_RETENTION: Duration = Duration::from_secs(3600);

/// What a table is.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// Its name, also its folder in the lake.
    pub name: &'static str,
    /// Its columns as readers see them. A field's metadata may have a
    /// `comment`, which goes into the Delta log, and an `encoding`:
    /// `dictionary` (the default), `delta` or `plain`.
    pub schema: SchemaRef,
    /// What a row is.
    pub comment: &'static str,
    /// The columns for which each file's smallest and largest value is kept:
    /// integers, texts and times only.
    pub stats_columns: &'static [&'static str],
    /// For how long a file stays on disk after it was merged into another,
    /// and at least after it was written. It is fixed when the table is
    /// created; it must exceed the slowest write and the longest query.
    pub file_retention: Duration,
}

/// How a column is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Few different values.
    Dictionary,
    /// Integers close to their neighbours.
    Delta,
    /// Many different values.
    Plain,
}

impl TableSpec {
    /// A table whose merged files are kept for [`FILE_RETENTION`].
    pub fn new(
        name: &'static str,
        schema: SchemaRef,
        comment: &'static str,
        stats_columns: &'static [&'static str],
    ) -> Self {
        Self { name, schema, comment, stats_columns, file_retention: FILE_RETENTION }
    }

    /// How the column is stored.
    pub(crate) fn encoding(field: &Field) -> Encoding {
        match field.metadata().get(ENCODING_KEY).map(String::as_str) {
            Some("delta") => Encoding::Delta,
            Some("plain") => Encoding::Plain,
            _ => Encoding::Dictionary,
        }
    }

    /// Checks that the table can be stored so that every reader reads it.
    ///
    /// # Errors
    /// [`StoreError::UnsupportedSchema`] names the first column that cannot.
    pub(crate) fn validate(&self) -> Result<(), StoreError> {
        let unsupported = |column: &str, detail: String| StoreError::UnsupportedSchema {
            table: self.name.to_owned(),
            column: column.to_owned(),
            detail,
        };
        for field in self.schema.fields() {
            if !is_storable(field.data_type()) {
                return Err(unsupported(
                    field.name(),
                    format!("has the type {}, which not every Delta reader knows", field.data_type()),
                ));
            }
        }
        for name in self.stats_columns {
            let Ok(field) = self.schema.field_with_name(name) else {
                return Err(unsupported(name, "is to have statistics but is not in the schema".to_owned()));
            };
            if !has_statistics(field.data_type()) {
                return Err(unsupported(
                    name,
                    format!("has the type {}, which cannot have statistics", field.data_type()),
                ));
            }
        }
        Ok(())
    }

    /// The `schemaString` of the Delta log.
    pub(crate) fn delta_schema(&self) -> Result<String, StoreError> {
        let fields: Vec<Field> = self.schema.fields().iter().map(|field| with_comment_only(field)).collect();
        let failed = |detail: String| StoreError::UnsupportedSchema {
            table: self.name.to_owned(),
            column: "(all)".to_owned(),
            detail,
        };
        let schema: StructType =
            (&Schema::new(fields)).try_into_kernel().map_err(|error| failed(format!("cannot be stored: {error}")))?;
        serde_json::to_string(&schema).map_err(|error| failed(format!("cannot be written: {error}")))
    }

    /// Compares the schema in a Delta log with this one.
    ///
    /// # Errors
    /// [`StoreError::SchemaMismatch`] names the first column that differs.
    pub(crate) fn check_delta_schema(&self, schema_string: &str) -> Result<(), StoreError> {
        let mismatch = |column: &str, detail: String| StoreError::SchemaMismatch {
            table: self.name.to_owned(),
            column: column.to_owned(),
            detail,
        };
        let parsed: StructType = serde_json::from_str(schema_string)
            .map_err(|error| mismatch("(all)", format!("cannot be read from the log: {error}")))?;
        let found: Schema = (&parsed)
            .try_into_arrow()
            .map_err(|error| mismatch("(all)", format!("cannot be read from the log: {error}")))?;
        for (index, want) in self.schema.fields().iter().enumerate() {
            let Some(have) = found.fields().get(index) else {
                return Err(mismatch(want.name(), "is missing in the table".to_owned()));
            };
            if have.name() != want.name() {
                return Err(mismatch(want.name(), format!("is called {} in the table", have.name())));
            }
            if !same_type(have.data_type(), want.data_type()) {
                return Err(mismatch(
                    want.name(),
                    format!("is {} in the table, not {}", have.data_type(), want.data_type()),
                ));
            }
            if have.is_nullable() != want.is_nullable() {
                let (have, want_word) = if have.is_nullable() { ("can", "cannot") } else { ("cannot", "can") };
                return Err(mismatch(want.name(), format!("{have} be null in the table, but here it {want_word}")));
            }
        }
        match found.fields().get(self.schema.fields().len()) {
            Some(more) => Err(mismatch(more.name(), "is in the table but unknown to this program".to_owned())),
            None => Ok(()),
        }
    }

    /// The table properties of the Delta log.
    pub(crate) fn delta_configuration(&self) -> HashMap<String, String> {
        let seconds = format!("interval {} seconds", self.file_retention.as_secs());
        let mut properties = HashMap::from([
            // Nobody may delete or update rows: what is posted stays posted.
            ("delta.appendOnly".to_owned(), "true".to_owned()),
            ("delta.deletedFileRetentionDuration".to_owned(), seconds.clone()),
            ("delta.logRetentionDuration".to_owned(), seconds),
        ]);
        if self.stats_columns.is_empty() {
            properties.insert("delta.dataSkippingNumIndexedCols".to_owned(), "0".to_owned());
        } else {
            properties.insert("delta.dataSkippingStatsColumns".to_owned(), self.stats_columns.join(","));
        }
        properties
    }
}

/// Whether smallest and largest values are exact in the Delta log: decimals
/// go through floating point in readers, so they are left out.
pub(crate) fn has_statistics(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Utf8
            | DataType::Timestamp(TimeUnit::Microsecond, Some(_))
    )
}

fn is_storable(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::Binary
        | DataType::Date32 => true,
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => zone.as_ref() == "UTC",
        DataType::Decimal128(precision, scale) => *scale >= 0 && i16::from(*scale) <= i16::from(*precision),
        DataType::List(element) => is_storable(element.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_storable(field.data_type())),
        _ => false,
    }
}

fn with_comment_only(field: &Field) -> Field {
    let comment = field.metadata().get(COMMENT_KEY);
    let metadata = comment.map(|text| (COMMENT_KEY.to_owned(), text.clone())).into_iter().collect();
    Field::new(field.name(), without_metadata(field.data_type()), field.is_nullable()).with_metadata(metadata)
}

/// Nested fields without their metadata, and list elements under the name that Delta gives them.
fn without_metadata(data_type: &DataType) -> DataType {
    match data_type {
        DataType::List(element) => DataType::List(Arc::new(Field::new(
            "element",
            without_metadata(element.data_type()),
            element.is_nullable(),
        ))),
        DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| Field::new(field.name(), without_metadata(field.data_type()), field.is_nullable()))
                .collect::<Vec<_>>()
                .into(),
        ),
        other => other.clone(),
    }
}

/// Whether two types are the same apart from metadata and the names of list elements.
pub(crate) fn same_type(a: &DataType, b: &DataType) -> bool {
    without_metadata(a) == without_metadata(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(fields: Vec<Field>) -> TableSpec {
        TableSpec::new("t", Arc::new(Schema::new(fields)), "A table.", &[])
    }

    fn all_types() -> Vec<Field> {
        let shard = Field::new("part", DataType::Int64, false);
        vec![
            Field::new("n", DataType::Int64, false).with_metadata(HashMap::from([
                ("comment".to_owned(), "Number (items).".to_owned()),
                ("encoding".to_owned(), "delta".to_owned()),
            ])),
            Field::new("s", DataType::Utf8, true),
            Field::new("t", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
            Field::new("d", DataType::Decimal128(38, 12), false),
            Field::new(
                "l",
                DataType::List(Arc::new(Field::new("item", DataType::Struct(vec![shard].into()), false))),
                false,
            ),
        ]
    }

    #[test]
    fn the_schema_survives_the_log_with_its_comments_only() {
        let spec = spec(all_types());
        spec.validate().expect("valid");
        let text = spec.delta_schema().expect("a schema");
        assert!(text.contains("Number (items)."), "{text}");
        assert!(!text.contains("encoding"), "{text}");
        spec.check_delta_schema(&text).expect("the same");
    }

    #[test]
    fn a_differing_column_is_named() {
        let stored = spec(all_types()).delta_schema().expect("a schema");
        let check = |change: &dyn Fn(&mut Vec<Field>)| {
            let mut fields = all_types();
            change(&mut fields);
            spec(fields).check_delta_schema(&stored).expect_err("differs").to_string()
        };
        assert!(check(&|f| f[1] = Field::new("s", DataType::Binary, true)).contains("column s is Utf8"));
        assert!(check(&|f| f[1] = Field::new("s2", DataType::Utf8, true)).contains("column s2 is called s"));
        assert!(check(&|f| f[1] = Field::new("s", DataType::Utf8, false)).contains("column s can be null"));
        assert!(check(&|f| f.push(Field::new("x", DataType::Utf8, true))).contains("column x is missing"));
        assert!(check(&|f| drop(f.pop())).contains("column l is in the table"));
    }

    #[test]
    fn types_that_some_readers_do_not_know_are_refused() {
        for data_type in [
            DataType::UInt64,
            DataType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            DataType::FixedSizeBinary(16),
            DataType::LargeUtf8,
        ] {
            let error = spec(vec![Field::new("c", data_type, true)]).validate().expect_err("refused");
            assert!(error.to_string().contains("column c"), "{error}");
        }
        let mut money = spec(all_types());
        money.stats_columns = &["d"];
        assert!(money.validate().expect_err("refused").to_string().contains("column d"));
    }
}
