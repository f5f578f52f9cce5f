//! The columns of a SELECT as field values.
//!
//! Invariant: numbers travel as their exact text, and one that has been a
//! floating-point number is marked as such, because it may have lost digits.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType};
use stempoint_schemas::fields::FieldValue;
use stempoint_schemas::time::Instant;

use super::ImportError;

enum Column {
    Texts(StringArray),
    Numbers(StringArray),
    Floats(StringArray),
    Bools(BooleanArray),
    Times(TimestampMicrosecondArray),
    Nulls,
}

/// Refuses a column whose type cannot be a field.
pub fn check_types(schema: &SchemaRef) -> Result<(), ImportError> {
    Columns::new(&RecordBatch::new_empty(schema.clone())).map(drop)
}

/// The columns of one batch, by name.
pub struct Columns(HashMap<String, Column>);

impl Columns {
    /// Reads the columns of a batch.
    pub fn new(batch: &RecordBatch) -> Result<Columns, ImportError> {
        let schema = batch.schema();
        let mut columns = HashMap::new();
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            let kind = array.data_type();
            let wrong = || ImportError::Type { column: field.name().clone(), found: kind.to_string() };
            let text = || Ok(cast(array, &DataType::Utf8).map_err(|_| wrong())?.as_string::<i32>().clone());
            let column = match kind {
                DataType::Null => Column::Nulls,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Column::Texts(text()?),
                DataType::Boolean => Column::Bools(array.as_boolean().clone()),
                DataType::Timestamp(_, zone) => {
                    let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
                    let times = cast(array, &micros).map_err(|_| wrong())?;
                    Column::Times(times.as_primitive::<TimestampMicrosecondType>().clone())
                }
                DataType::Date32 | DataType::Date64 => {
                    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
                    let times = cast(array, &micros).map_err(|_| wrong())?;
                    Column::Times(times.as_primitive::<TimestampMicrosecondType>().clone())
                }
                kind if kind.is_floating() => Column::Floats(text()?),
                kind if kind.is_numeric() => Column::Numbers(text()?),
                _ => return Err(wrong()),
            };
            columns.insert(field.name().clone(), column);
        }
        Ok(Columns(columns))
    }

    /// The value of a field in a row.
    pub fn get(&self, name: &str, row: usize) -> FieldValue<'_> {
        match self.0.get(name) {
            Some(Column::Texts(texts)) if texts.is_valid(row) => FieldValue::Text(texts.value(row)),
            Some(Column::Numbers(numbers)) if numbers.is_valid(row) => FieldValue::Number(numbers.value(row)),
            Some(Column::Floats(numbers)) if numbers.is_valid(row) => FieldValue::Float(numbers.value(row)),
            Some(Column::Bools(bools)) if bools.is_valid(row) => FieldValue::Bool(bools.value(row)),
            Some(Column::Times(times)) if times.is_valid(row) => match Instant::from_us(times.value(row)) {
                Some(time) => FieldValue::Time(time),
                None => FieldValue::Text("a time outside the years 1 to 9999"),
            },
            _ => FieldValue::Absent,
        }
    }

    /// A row as JSON, for the record of what was refused.
    pub fn json(&self, row: usize) -> String {
        let mut object = serde_json::Map::new();
        for name in self.0.keys() {
            let value = match self.get(name, row) {
                FieldValue::Absent => serde_json::Value::Null,
                FieldValue::Text(text) | FieldValue::Number(text) | FieldValue::Float(text) => text.into(),
                FieldValue::Bool(value) => value.into(),
                FieldValue::Time(time) => time.to_string().into(),
            };
            object.insert(name.clone(), value);
        }
        serde_json::Value::Object(object).to_string()
    }
}
