//! The canonical bytes of a row of any table, for hashing and comparing rows
//! that settlement wrote.
//!
//! Invariant: two rows have the same bytes exactly if they hold the same
//! values, however their columns are stored (plain or as dictionaries).

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal128Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, TimeUnit};
use arrow::record_batch::RecordBatch;

use crate::hash::{Hash, Messages};
use crate::row::ColumnError;

/// Reads rows of a batch as canonical bytes.
pub struct CanonicalRows {
    columns: Vec<Column>,
    rows: usize,
}

/// A column whose type was looked at once.
struct Column {
    nulls: Option<NullBuffer>,
    values: Values,
}

enum Values {
    Int32(Int32Array),
    Int64(Int64Array),
    Time(TimestampMicrosecondArray),
    Decimal(Decimal128Array),
    Boolean(BooleanArray),
    Text(StringArray),
    /// Texts that are stored once each, and which of them a row has.
    Dictionary(Int32Array, StringArray),
    Bytes(BinaryArray),
}

impl CanonicalRows {
    /// Takes the batch's columns in their order.
    pub fn new(batch: &RecordBatch) -> Result<CanonicalRows, ColumnError> {
        let schema = batch.schema();
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns
            .map(|(column, field)| Column::new(column).ok_or_else(|| ColumnError(field.name().clone())))
            .collect::<Result<_, _>>()?;
        Ok(CanonicalRows { columns, rows: batch.num_rows() })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Appends a row's bytes.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) {
        for column in &self.columns {
            if column.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                out.push(0);
                continue;
            }
            out.push(1);
            match &column.values {
                Values::Int32(values) => out.extend_from_slice(&values.value(row).to_le_bytes()),
                Values::Int64(values) => out.extend_from_slice(&values.value(row).to_le_bytes()),
                Values::Time(values) => out.extend_from_slice(&values.value(row).to_le_bytes()),
                Values::Decimal(values) => out.extend_from_slice(&values.value(row).to_le_bytes()),
                Values::Boolean(values) => out.push(u8::from(values.value(row))),
                Values::Text(values) => sized(values.value(row).as_bytes(), out),
                Values::Dictionary(keys, values) => sized(values.value(keys.value(row) as usize).as_bytes(), out),
                Values::Bytes(values) => sized(values.value(row), out),
            }
        }
    }
}

impl Column {
    /// `None` where no table has a column of that type.
    fn new(column: &ArrayRef) -> Option<Column> {
        let values = match column.data_type() {
            DataType::Int32 => Values::Int32(column.as_primitive().clone()),
            DataType::Int64 => Values::Int64(column.as_primitive().clone()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Values::Time(column.as_primitive().clone()),
            DataType::Decimal128(_, _) => Values::Decimal(column.as_primitive().clone()),
            DataType::Boolean => Values::Boolean(column.as_boolean().clone()),
            DataType::Dictionary(key, value) if (&**key, &**value) == (&DataType::Int32, &DataType::Utf8) => {
                let dictionary = column.as_dictionary::<Int32Type>();
                Values::Dictionary(dictionary.keys().clone(), dictionary.values().as_string().clone())
            }
            DataType::Utf8 => Values::Text(column.as_string().clone()),
            DataType::Utf8View | DataType::LargeUtf8 | DataType::Dictionary(_, _) => {
                Values::Text(cast(column, &DataType::Utf8).ok()?.as_string().clone())
            }
            DataType::Binary => Values::Bytes(column.as_binary().clone()),
            DataType::BinaryView | DataType::LargeBinary => {
                Values::Bytes(cast(column, &DataType::Binary).ok()?.as_binary().clone())
            }
            _ => return None,
        };
        Some(Column { nulls: column.logical_nulls(), values })
    }
}

/// The leaves of a settlement table's rows, in order.
pub fn settlement_leaves(table: &str, batch: &RecordBatch) -> Result<Vec<Hash>, ColumnError> {
    let rows = CanonicalRows::new(batch)?;
    let (mut leaves, mut bytes) = (Messages::default(), Vec::new());
    for row in 0..rows.len() {
        bytes.clear();
        rows.write(row, &mut bytes);
        leaves.push_settlement_leaf(table, &bytes);
    }
    Ok(leaves.take())
}

fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}
