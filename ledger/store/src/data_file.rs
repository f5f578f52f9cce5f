//! One Parquet file of a table, with the statistics that the Delta log keeps.
//!
//! Invariant: a file's smallest and largest values bound all its rows; a bound
//! that is not known exactly is left out or widened, never guessed.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Schema};
use chrono::{DateTime, SecondsFormat};
use deltalake::kernel::{Add, Remove};
use serde_json::{Map, Value};

/// Texts longer than this get no upper bound, and a shortened lower one (bytes).
const TEXT_BYTES_MAX: usize = 64;

/// A smallest or largest value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stat {
    /// An integer.
    Int(i64),
    /// A text.
    Text(String),
    /// Microseconds since 1970 in UTC.
    Time(i64),
}

/// What is known about one column of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnStats {
    /// The column's name.
    pub column: String,
    /// No value is smaller, if known.
    pub min: Option<Stat>,
    /// No value is larger, if known.
    pub max: Option<Stat>,
    /// How many rows are null.
    pub nulls: u64,
}

/// One Parquet file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Where it is, relative to the table's folder.
    pub path: String,
    /// Its size (bytes).
    pub size: u64,
    /// How many rows it has.
    pub rows: u64,
    /// When it was written (milliseconds since 1970).
    pub modified_ms: i64,
    /// What is known about its columns.
    pub stats: Box<[ColumnStats]>,
}

impl DataFile {
    /// The smallest value of a column, if known.
    pub fn min(&self, column: &str) -> Option<&Stat> {
        self.column(column)?.min.as_ref()
    }

    /// The largest value of a column, if known.
    pub fn max(&self, column: &str) -> Option<&Stat> {
        self.column(column)?.max.as_ref()
    }

    fn column(&self, column: &str) -> Option<&ColumnStats> {
        self.stats.iter().find(|stats| stats.column == column)
    }

    /// The action that adds the file.
    pub(crate) fn to_add(&self, data_change: bool) -> Add {
        Add {
            path: self.path.clone(),
            size: i64::try_from(self.size).unwrap_or(i64::MAX),
            modification_time: self.modified_ms,
            data_change,
            stats: Some(self.stats_json()),
            ..Add::default()
        }
    }

    /// The action that removes the file because its rows are in another one.
    pub(crate) fn to_remove(&self, now_ms: i64, data_change: bool) -> Remove {
        Remove {
            path: self.path.clone(),
            data_change,
            deletion_timestamp: Some(now_ms),
            extended_file_metadata: Some(true),
            partition_values: Some(HashMap::new()),
            size: i64::try_from(self.size).ok(),
            ..Remove::default()
        }
    }

    fn stats_json(&self) -> String {
        let side = |bound: fn(&ColumnStats) -> Option<&Stat>| -> Map<String, Value> {
            self.stats.iter().filter_map(|s| Some((s.column.clone(), bound(s)?.to_json()))).collect()
        };
        let nulls: Map<String, Value> = self.stats.iter().map(|s| (s.column.clone(), s.nulls.into())).collect();
        serde_json::json!({
            "numRecords": self.rows,
            "minValues": side(|s| s.min.as_ref()),
            "maxValues": side(|s| s.max.as_ref()),
            "nullCount": nulls,
        })
        .to_string()
    }

    /// Reads the file from the log's terms; `Err` says what is wrong.
    pub(crate) fn from_log(
        schema: &Schema,
        path: String,
        size: i64,
        modified_ms: i64,
        stats: Option<&str>,
    ) -> Result<Self, String> {
        let size = u64::try_from(size).map_err(|_| format!("the size {size} of {path} is negative"))?;
        let stats: Value =
            serde_json::from_str(stats.unwrap_or("{}")).map_err(|e| format!("the statistics of {path}: {e}"))?;
        let rows = stats["numRecords"].as_u64().ok_or_else(|| format!("{path} does not say how many rows it has"))?;
        let mut columns = Vec::new();
        for (name, nulls) in stats["nullCount"].as_object().into_iter().flatten() {
            let Ok(field) = schema.field_with_name(name) else { continue };
            let Some(nulls) = nulls.as_u64() else { continue };
            columns.push(ColumnStats {
                column: name.clone(),
                min: Stat::from_json(field.data_type(), &stats["minValues"][name], Bound::Lower),
                max: Stat::from_json(field.data_type(), &stats["maxValues"][name], Bound::Upper),
                nulls,
            });
        }
        Ok(Self { path, size, rows, modified_ms, stats: columns.into() })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Bound {
    Lower,
    Upper,
}

impl Stat {
    fn to_json(&self) -> Value {
        match self {
            Self::Int(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Time(micros) => match DateTime::from_timestamp_micros(*micros) {
                Some(time) => time.to_rfc3339_opts(SecondsFormat::Micros, true).into(),
                None => Value::Null,
            },
        }
    }

    fn from_json(data_type: &DataType, value: &Value, bound: Bound) -> Option<Self> {
        match data_type {
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => value.as_i64().map(Self::Int),
            DataType::Utf8 => value.as_str().map(|text| Self::Text(text.to_owned())),
            DataType::Timestamp(..) => {
                let text = value.as_str()?;
                let micros = DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros();
                // Other writers cut times down to milliseconds, so the largest may lie above.
                let cut = bound == Bound::Upper && !has_micros(text);
                Some(Self::Time(if cut { micros.saturating_add(999) } else { micros }))
            }
            _ => None,
        }
    }

    /// A lower bound for a text.
    pub(crate) fn lower_text(text: &str) -> Self {
        let end = text.floor_char_boundary(TEXT_BYTES_MAX);
        Self::Text(text[..end].to_owned())
    }

    /// An upper bound for a text, unless it is too long.
    pub(crate) fn upper_text(text: &str) -> Option<Self> {
        (text.len() <= TEXT_BYTES_MAX).then(|| Self::Text(text.to_owned()))
    }
}

fn has_micros(text: &str) -> bool {
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    fraction.chars().take_while(char::is_ascii_digit).count() > 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{Field, TimeUnit};

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("s", DataType::Utf8, true),
            Field::new("t", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        ])
    }

    fn stats(column: &str, min: Stat, max: Option<Stat>) -> ColumnStats {
        ColumnStats { column: column.to_owned(), min: Some(min), max, nulls: 1 }
    }

    #[test]
    fn statistics_survive_the_log() {
        let file = DataFile {
            path: "part-1.parquet".to_owned(),
            size: 12,
            rows: 3,
            modified_ms: 7,
            stats: Box::new([
                stats("n", Stat::Int(i64::MIN), Some(Stat::Int(i64::MAX))),
                stats("s", Stat::lower_text(&"ä".repeat(40)), Stat::upper_text(&"ä".repeat(40))),
                stats("t", Stat::Time(-1), Some(Stat::Time(1_700_000_000_123_456))),
            ]),
        };
        assert_eq!(file.min("s"), Some(&Stat::Text("ä".repeat(32))));
        assert_eq!(file.max("s"), None);
        let add = file.to_add(true);
        let read = DataFile::from_log(&schema(), add.path, add.size, add.modification_time, add.stats.as_deref());
        assert_eq!(read.expect("readable"), file);
    }

    #[test]
    fn foreign_times_in_milliseconds_are_widened_upwards() {
        let text = r#"{"numRecords":1,"minValues":{"t":"2023-11-01T00:00:00.001Z"},"maxValues":{"t":"2023-11-01T00:00:00.001Z"},"nullCount":{"t":0}}"#;
        let file = DataFile::from_log(&schema(), "p".to_owned(), 1, 1, Some(text)).expect("readable");
        let (Some(Stat::Time(min)), Some(Stat::Time(max))) = (file.min("t"), file.max("t")) else { panic!("{file:?}") };
        assert_eq!(max - min, 999);
    }

    #[test]
    fn nonsense_is_an_error_that_names_the_file() {
        for stats in [None, Some("{"), Some("{}"), Some(r#"{"numRecords":-1}"#)] {
            let error = DataFile::from_log(&schema(), "part-9".to_owned(), 1, 1, stats).expect_err("refused");
            assert!(error.contains("part-9"), "{error}");
        }
        assert!(DataFile::from_log(&schema(), "part-9".to_owned(), -1, 1, Some(r#"{"numRecords":1}"#)).is_err());
    }
}
