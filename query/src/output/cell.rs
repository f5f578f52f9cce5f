//! The values of one column as text and as JSON.
//!
//! Invariant: the text of a value is exact and depends on the value alone,
//! not on how Arrow happens to hold it.

use std::fmt::Write as _;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Decimal128Array, Decimal256Array, Float64Array,
    Int64Array, ListArray, StringViewArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Field, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow::util::display::array_value_to_string;
use chrono::DateTime;
use datafusion::common::DataFusionError;

use crate::error::QueryError;

/// One column of a batch.
pub(crate) struct Column {
    array: ArrayRef,
    values: Values,
}

enum Values {
    Null,
    Text(StringViewArray),
    Integer(Int64Array),
    Unsigned(UInt64Array),
    Bool(BooleanArray),
    Float(Float64Array),
    Decimal(Decimal128Array),
    Wide(Decimal256Array),
    /// Units since 1970, and how many there are in a second.
    Time(Int64Array, i64),
    Bytes(BinaryViewArray),
    Struct(Vec<(String, Column)>),
    List(ListArray, Box<Column>),
    /// Anything else, as Arrow writes it.
    Other,
}

impl Column {
    /// The column's values, whatever type holds them.
    pub(crate) fn new(array: &ArrayRef) -> Result<Column, QueryError> {
        let to = |data_type: DataType| {
            cast(array, &data_type).map_err(|error| QueryError::from(DataFusionError::from(error)))
        };
        let values = match array.data_type() {
            DataType::Null => Values::Null,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Values::Text(to(DataType::Utf8View)?.as_string_view().clone())
            }
            DataType::Dictionary(_, value) => return Column::new(&to(value.as_ref().clone())?),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
                Values::Integer(to(DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
                Values::Unsigned(to(DataType::UInt64)?.as_primitive::<UInt64Type>().clone())
            }
            DataType::Boolean => Values::Bool(array.as_boolean().clone()),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                Values::Float(to(DataType::Float64)?.as_primitive::<Float64Type>().clone())
            }
            DataType::Decimal128(..) => Values::Decimal(array.as_primitive::<Decimal128Type>().clone()),
            DataType::Decimal256(..) => Values::Wide(array.as_primitive::<Decimal256Type>().clone()),
            DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
                Values::Decimal(to(DataType::Decimal128(*precision, *scale))?.as_primitive::<Decimal128Type>().clone())
            }
            DataType::Timestamp(unit, _) => {
                let (units, per_second) = since_1970(array, *unit);
                Values::Time(units, per_second)
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Values::Bytes(to(DataType::BinaryView)?.as_binary_view().clone())
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns().iter().map(Column::new);
                let named = fields.iter().zip(columns).map(|(field, column)| Ok((field.name().clone(), column?)));
                Values::Struct(named.collect::<Result<_, QueryError>>()?)
            }
            DataType::List(_) => list(array.as_list::<i32>().clone())?,
            DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
                list(to(DataType::List(std::sync::Arc::new(Field::clone(element))))?.as_list::<i32>().clone())?
            }
            _ => Values::Other,
        };
        Ok(Column { array: ArrayRef::clone(array), values })
    }

    /// Whether there is no value.
    pub(crate) fn is_null(&self, row: usize) -> bool {
        matches!(self.values, Values::Null) || self.array.is_null(row)
    }

    /// Appends a value as text; nothing where it is null.
    pub(crate) fn write_text(&self, row: usize, text: &mut String) {
        if self.is_null(row) {
            return;
        }
        // Writing to a string cannot fail.
        let _ = match &self.values {
            Values::Null => Ok(()),
            Values::Text(values) => text.write_str(values.value(row)),
            Values::Integer(values) => write!(text, "{}", values.value(row)),
            Values::Unsigned(values) => write!(text, "{}", values.value(row)),
            Values::Bool(values) => write!(text, "{}", values.value(row)),
            Values::Float(values) => text.write_str(&float(values.value(row))),
            Values::Decimal(values) => text.write_str(trimmed(&values.value_as_string(row))),
            Values::Wide(values) => text.write_str(trimmed(&values.value_as_string(row))),
            Values::Time(values, per_second) => text.write_str(&time(values.value(row), *per_second)),
            Values::Bytes(values) => values.value(row).iter().try_for_each(|byte| write!(text, "{byte:02x}")),
            Values::Struct(_) | Values::List(..) => {
                self.write_json(row, text);
                Ok(())
            }
            Values::Other => {
                text.write_str(&array_value_to_string(&self.array, row).unwrap_or_else(|error| error.to_string()))
            }
        };
    }

    /// Appends a value as JSON. Numbers stay numbers, except decimals, which
    /// programs would otherwise read as floating-point numbers.
    pub(crate) fn write_json(&self, row: usize, json: &mut String) {
        if self.is_null(row) {
            json.push_str("null");
            return;
        }
        match &self.values {
            Values::Integer(_) | Values::Unsigned(_) | Values::Bool(_) => self.write_text(row, json),
            Values::Float(values) if values.value(row).is_finite() => self.write_text(row, json),
            Values::Text(values) => quote(values.value(row), json),
            Values::Struct(columns) => {
                json.push('{');
                for (index, (name, column)) in columns.iter().enumerate() {
                    json.push_str(if index == 0 { "" } else { "," });
                    quote(name, json);
                    json.push(':');
                    column.write_json(row, json);
                }
                json.push('}');
            }
            Values::List(lists, elements) => {
                let offsets = lists.value_offsets();
                json.push('[');
                for (index, element) in (offsets[row]..offsets[row + 1]).enumerate() {
                    json.push_str(if index == 0 { "" } else { "," });
                    elements.write_json(usize::try_from(element).unwrap_or_default(), json);
                }
                json.push(']');
            }
            _ => {
                let mut text = String::new();
                self.write_text(row, &mut text);
                quote(&text, json);
            }
        }
    }
}

fn list(lists: ListArray) -> Result<Values, QueryError> {
    let elements = Column::new(lists.values())?;
    Ok(Values::List(lists, Box::new(elements)))
}

fn since_1970(array: &ArrayRef, unit: TimeUnit) -> (Int64Array, i64) {
    match unit {
        TimeUnit::Second => (array.as_primitive::<TimestampSecondType>().reinterpret_cast(), 1),
        TimeUnit::Millisecond => (array.as_primitive::<TimestampMillisecondType>().reinterpret_cast(), 1_000),
        TimeUnit::Microsecond => (array.as_primitive::<TimestampMicrosecondType>().reinterpret_cast(), 1_000_000),
        TimeUnit::Nanosecond => {
            let array: &TimestampNanosecondArray = array.as_primitive::<TimestampNanosecondType>();
            (array.reinterpret_cast(), 1_000_000_000)
        }
    }
}

/// RFC 3339 in UTC, with as many decimal places of the second as are needed:
/// none, six or nine.
fn time(units: i64, per_second: i64) -> String {
    let (seconds, rest) = (units.div_euclid(per_second), units.rem_euclid(per_second));
    let nanos = rest * (1_000_000_000 / per_second);
    let Some(moment) = u32::try_from(nanos).ok().and_then(|nanos| DateTime::from_timestamp(seconds, nanos)) else {
        return units.to_string();
    };
    let form = match nanos {
        0 => "%Y-%m-%dT%H:%M:%SZ",
        nanos if nanos % 1_000 == 0 => "%Y-%m-%dT%H:%M:%S%.6fZ",
        _ => "%Y-%m-%dT%H:%M:%S%.9fZ",
    };
    moment.format(form).to_string()
}

/// The shortest text that gives the same number.
fn float(value: f64) -> String {
    match serde_json::Number::from_f64(value) {
        Some(number) => number.to_string(),
        None => value.to_string(),
    }
}

/// A decimal without trailing zeros.
fn trimmed(decimal: &str) -> &str {
    if decimal.contains('.') { decimal.trim_end_matches('0').trim_end_matches('.') } else { decimal }
}

/// Appends a JSON string.
pub(crate) fn quote(text: &str, json: &mut String) {
    json.push_str(&serde_json::Value::from(text).to_string());
}
