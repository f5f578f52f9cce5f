//! Sums that cannot wrap.
//!
//! Invariant 8: a sum is only believed where the number of rows times the
//! largest of them proves that no partial sum left 38 digits. This does not
//! rest on what the session calls `sum`.

use arrow::array::{Array, AsArray, RecordBatch, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};

use super::error::DocumentError;

/// The largest number of 38 digits.
const DIGITS_38: i128 = 10_i128.pow(38) - 1;

/// The SELECT items that [`checked`] reads: the sum of a decimal column, how
/// many values there are, and the smallest and the largest.
pub(crate) fn items(column: &str) -> String {
    format!(
        "sum({column}) AS {column}_sum, count({column}) AS {column}_count, \
         min({column}) AS {column}_min, max({column}) AS {column}_max"
    )
}

/// Reads a sum in the column's own scale.
pub(crate) fn checked(
    batch: &RecordBatch,
    column: &str,
    row: usize,
    table: &'static str,
) -> Result<i128, DocumentError> {
    let decimal = |part: &str| {
        let name = format!("{column}_{part}");
        let array = batch.column_by_name(&name).and_then(|a| a.as_primitive_opt::<Decimal128Type>().cloned());
        array.map(|a| a.is_valid(row).then(|| a.value(row))).ok_or_else(|| missing(table, &name))
    };
    let name = format!("{column}_count");
    let count = batch
        .column_by_name(&name)
        .and_then(|a| a.as_primitive_opt::<Int64Type>())
        .ok_or_else(|| missing(table, &name))?;
    let (Some(sum), Some(min), Some(max)) = (decimal("sum")?, decimal("min")?, decimal("max")?) else {
        // There is no value at all.
        return Ok(0);
    };
    let largest = min.unsigned_abs().max(max.unsigned_abs());
    let rows = u128::from(count.value(row).unsigned_abs());
    match largest.checked_mul(rows) {
        Some(bound) if bound <= DIGITS_38.unsigned_abs() => Ok(sum),
        _ => Err(DocumentError::Overflow { what: format!("{column} in {table}") }),
    }
}

/// A text column, whatever type holds it.
pub(crate) fn texts(batch: &RecordBatch, name: &str, table: &'static str) -> Result<StringViewArray, DocumentError> {
    let array = batch.column_by_name(name).ok_or_else(|| missing(table, name))?;
    let array = cast(array, &DataType::Utf8View).map_err(|_| missing(table, name))?;
    Ok(array.as_string_view().clone())
}

/// The text of a row; `None` where it is null.
pub(crate) fn text(array: &StringViewArray, row: usize) -> Option<String> {
    array.is_valid(row).then(|| array.value(row).to_owned())
}

pub(crate) fn missing(table: &'static str, column: &str) -> DocumentError {
    DocumentError::Damaged { table, detail: format!("{column} is missing or has another type") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Decimal128Array, Int64Array};
    use std::sync::Arc;

    fn batch(sum: i128, count: i64, min: i128, max: i128) -> RecordBatch {
        let decimal = |value| -> ArrayRef {
            Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(38, 12).expect("a decimal"))
        };
        RecordBatch::try_from_iter([
            ("amount_sum", decimal(sum)),
            ("amount_count", Arc::new(Int64Array::from(vec![count])) as ArrayRef),
            ("amount_min", decimal(min)),
            ("amount_max", decimal(max)),
        ])
        .expect("a batch")
    }

    #[test]
    fn a_sum_that_may_have_wrapped_is_refused() {
        assert_eq!(checked(&batch(6, 3, -2, 5), "amount", 0, "journal").expect("small"), 6);
        assert_eq!(
            checked(&batch(DIGITS_38, 1, DIGITS_38, DIGITS_38), "amount", 0, "journal").expect("one"),
            DIGITS_38
        );
        for (count, min, max) in [(2, 0, DIGITS_38), (2, -DIGITS_38, 0), (i64::MAX, 0, 1 << 70)] {
            let refused = checked(&batch(0, count, min, max), "amount", 0, "journal");
            assert!(matches!(refused, Err(DocumentError::Overflow { .. })), "{count} {min} {max}");
        }
    }
}
