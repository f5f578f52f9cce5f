//! A column of numbers under construction: counts, decimals and times.
//!
//! Invariant: the column gives back number for number what was appended.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, NullBufferBuilder, PrimitiveArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// A column of numbers. It has its memory at once for as many rows as it had
/// before: growing step by step copied every number twice.
pub(super) struct Numbers<T: ArrowPrimitiveType> {
    kind: DataType,
    numbers: Vec<T::Native>,
    nulls: NullBufferBuilder,
}

impl<T: ArrowPrimitiveType> Default for Numbers<T> {
    fn default() -> Numbers<T> {
        Numbers::of(T::DATA_TYPE)
    }
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    /// A column of a type that says more than the numbers do: the scale of
    /// decimals, the zone of times.
    pub(super) fn of(kind: DataType) -> Numbers<T> {
        Numbers { kind, numbers: Vec::new(), nulls: NullBufferBuilder::new(0) }
    }

    #[inline]
    pub(super) fn append(&mut self, number: T::Native) {
        self.numbers.push(number);
        self.nulls.append_non_null();
    }

    #[inline]
    pub(super) fn append_option(&mut self, number: Option<T::Native>) {
        match number {
            Some(number) => self.append(number),
            None => {
                self.numbers.push(T::Native::default());
                self.nulls.append_null();
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The column; what is appended from now on belongs to the next one.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(self.finish_typed()?))
    }

    /// The same, where its type is asked for.
    pub(super) fn finish_typed(&mut self) -> Result<PrimitiveArray<T>, ArrowError> {
        let rows = self.numbers.len();
        let numbers = std::mem::replace(&mut self.numbers, Vec::with_capacity(rows));
        let column = PrimitiveArray::<T>::try_new(numbers.into(), self.nulls.finish())?;
        Ok(column.with_data_type(self.kind.clone()))
    }
}
