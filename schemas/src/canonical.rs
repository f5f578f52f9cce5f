//! The canonical bytes of a row of any table, for hashing and comparing rows
//! that settlement wrote.
//!
//! Invariant: two rows have the same bytes exactly if they hold the same
//! values, however their columns are stored (plain or as dictionaries).

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;

use crate::row::ColumnError;

/// Reads rows of a batch as canonical bytes.
pub struct CanonicalRows {
    columns: Vec<ArrayRef>,
    rows: usize,
}

impl CanonicalRows {
    /// Takes the batch's columns in their order.
    pub fn new(batch: &RecordBatch) -> Result<CanonicalRows, ColumnError> {
        let schema = batch.schema();
        let columns = batch
            .columns()
            .iter()
            .zip(schema.fields())
            .map(|(column, field)| match column.data_type() {
                DataType::Dictionary(_, _) | DataType::Utf8View | DataType::LargeUtf8 => {
                    cast(column, &DataType::Utf8).map_err(|_| ColumnError(field.name().clone()))
                }
                DataType::BinaryView | DataType::LargeBinary => {
                    cast(column, &DataType::Binary).map_err(|_| ColumnError(field.name().clone()))
                }
                DataType::Int32
                | DataType::Int64
                | DataType::Utf8
                | DataType::Binary
                | DataType::Boolean
                | DataType::Decimal128(_, _)
                | DataType::Timestamp(TimeUnit::Microsecond, _) => Ok(column.clone()),
                _ => Err(ColumnError(field.name().clone())),
            })
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
            if column.is_null(row) {
                out.push(0);
                continue;
            }
            out.push(1);
            match column.data_type() {
                DataType::Int32 => out.extend(column.as_primitive::<Int32Type>().value(row).to_le_bytes()),
                DataType::Int64 => out.extend(column.as_primitive::<Int64Type>().value(row).to_le_bytes()),
                DataType::Timestamp(_, _) => {
                    out.extend(column.as_primitive::<TimestampMicrosecondType>().value(row).to_le_bytes());
                }
                DataType::Decimal128(_, _) => {
                    out.extend(column.as_primitive::<Decimal128Type>().value(row).to_le_bytes())
                }
                DataType::Boolean => out.push(u8::from(column.as_boolean().value(row))),
                DataType::Utf8 => sized(column.as_string::<i32>().value(row).as_bytes(), out),
                _ => sized(column.as_binary::<i32>().value(row), out),
            }
        }
    }
}

fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}
