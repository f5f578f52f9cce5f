//! Adding up in 128 bits.
//!
//! Invariant: 2⁶³ values of 64 bits fit 128 bits, so whether a sum of
//! integers fits its type depends on the sum alone, and not on the order in
//! which threads add up its parts.

use std::fmt;
use std::marker::PhantomData;
use std::mem::size_of_val;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion::physical_expr::NullState;

use super::integer_overflow;

/// What a sum becomes.
pub(super) struct Target {
    /// The sum as it was written, for errors.
    pub(super) name: String,
    pub(super) data_type: DataType,
}

impl Target {
    /// A sum in its own type.
    fn native<N: TryFrom<i128>>(&self, sum: i128) -> Result<N> {
        let digits = match self.data_type {
            DataType::Decimal32(digits, _) | DataType::Decimal64(digits, _) | DataType::Decimal128(digits, _) => {
                Some(u32::from(digits))
            }
            _ => None,
        };
        let fits = digits.is_none_or(|digits| sum.unsigned_abs() < 10_u128.pow(digits));
        fits.then(|| N::try_from(sum).ok()).flatten().ok_or_else(|| self.overflow())
    }

    fn overflow(&self) -> DataFusionError {
        let name = &self.name;
        match self.data_type {
            DataType::Decimal32(digits, _) | DataType::Decimal64(digits, _) | DataType::Decimal128(digits, _) => {
                DataFusionError::Execution(format!(
                    "decimal overflow in {name}: the sum has more than {digits} digits; add up fewer rows, or cast to a type with fewer decimal places first"
                ))
            }
            DataType::Duration(_) => DataFusionError::Execution(format!(
                "overflow in {name}: the sum of times is too long; add up fewer rows"
            )),
            _ => integer_overflow(name),
        }
    }
}

/// The sum of a column, or of a window that moves over it.
pub(super) struct Total<T> {
    sum: i128,
    count: u64,
    target: Target,
    of: PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType> Total<T>
where
    T::Native: Into<i128>,
{
    pub(super) fn new(target: Target) -> Total<T> {
        Total { sum: 0, count: 0, target, of: PhantomData }
    }

    fn add<V: ArrowPrimitiveType>(&mut self, values: &PrimitiveArray<V>) -> Result<()>
    where
        V::Native: Into<i128>,
    {
        let sum = sum_of(values).and_then(|sum| self.sum.checked_add(sum));
        self.sum = sum.ok_or_else(|| self.target.overflow())?;
        self.count += (values.len() - values.null_count()) as u64;
        Ok(())
    }

    fn so_far(&self) -> Option<i128> {
        (self.count > 0).then_some(self.sum)
    }
}

/// The sum of an array; `None` where not even 128 bits hold it.
fn sum_of<V: ArrowPrimitiveType>(values: &PrimitiveArray<V>) -> Option<i128>
where
    V::Native: Into<i128>,
{
    let (mut sum, mut wrapped) = (0_i128, false);
    let mut add = |value: V::Native| {
        let (next, has_wrapped) = sum.overflowing_add(value.into());
        sum = next;
        wrapped |= has_wrapped;
    };
    match values.nulls().filter(|nulls| nulls.null_count() > 0) {
        Some(nulls) => nulls.valid_indices().for_each(|index| add(values.values()[index])),
        // The usual columns, for which adding with a carry would take longer
        // than reading the file.
        None => match values.as_any().downcast_ref::<PrimitiveArray<Int64Type>>() {
            Some(longs) => sum = sum_of_longs(longs.values()),
            None => values.values().iter().for_each(|value| add(*value)),
        },
    }
    (!wrapped).then_some(sum)
}

/// The sum of integers, in two halves that cannot overflow for as many as an
/// array has.
fn sum_of_longs(values: &[i64]) -> i128 {
    let (mut high, mut low) = (0_i64, 0_u64);
    for value in values {
        high += value >> 32;
        low += u64::from(*value as u32);
    }
    (i128::from(high) << 32) + i128::from(low)
}

impl<T> fmt::Debug for Total<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Total({})", self.target.name)
    }
}

impl<T: ArrowPrimitiveType> Accumulator for Total<T>
where
    T::Native: Into<i128> + TryFrom<i128>,
{
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values[0].as_primitive::<T>())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<T>();
        let sum = sum_of(values).and_then(|sum| self.sum.checked_sub(sum));
        self.sum = sum.ok_or_else(|| self.target.overflow())?;
        self.count -= (values.len() - values.null_count()) as u64;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.add(states[0].as_primitive::<Decimal128Type>())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Decimal128(self.so_far(), 38, 0)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.so_far().map(|sum| self.target.native(sum)).transpose()?;
        ScalarValue::new_primitive::<T>(sum, &self.target.data_type)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.target.name.capacity()
    }
}

/// The sums of groups.
pub(super) struct GroupTotals<T> {
    sums: Vec<i128>,
    nulls: NullState,
    target: Target,
    of: PhantomData<fn() -> T>,
}

impl<T> GroupTotals<T> {
    pub(super) fn new(target: Target) -> GroupTotals<T> {
        GroupTotals { sums: Vec::new(), nulls: NullState::new(), target, of: PhantomData }
    }

    fn add<V: ArrowPrimitiveType + Send>(
        &mut self,
        values: &PrimitiveArray<V>,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        group_count: usize,
    ) -> Result<()>
    where
        V::Native: Into<i128>,
    {
        /// What 64 bits hold cannot be too much for 128, so nothing need be
        /// looked at for each value.
        const BYTES_SAFE: usize = 8;
        self.sums.resize(group_count, 0);
        let (sums, mut wrapped) = (self.sums.as_mut_slice(), false);
        self.nulls.accumulate(groups, values, filter, group_count, |group, value| {
            let value = value.into();
            let sum = &mut sums[group];
            if size_of::<V::Native>() <= BYTES_SAFE {
                *sum = sum.wrapping_add(value);
            } else {
                let (next, has_wrapped) = sum.overflowing_add(value);
                *sum = next;
                wrapped |= has_wrapped;
            }
        });
        if wrapped { Err(self.target.overflow()) } else { Ok(()) }
    }

    fn emit(&mut self, emit_to: EmitTo) -> (Vec<i128>, Option<NullBuffer>) {
        (emit_to.take_needed(&mut self.sums), self.nulls.build(emit_to))
    }
}

/// Sums as they are handed on. The 38 digits are only a name for 128 bits.
fn state_of(sums: impl Into<arrow::buffer::ScalarBuffer<i128>>, nulls: Option<NullBuffer>) -> ArrayRef {
    Arc::new(Decimal128Array::new(sums.into(), nulls).with_data_type(DataType::Decimal128(38, 0)))
}

impl<T: ArrowPrimitiveType + Send> GroupsAccumulator for GroupTotals<T>
where
    T::Native: Into<i128> + TryFrom<i128>,
{
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        group_count: usize,
    ) -> Result<()> {
        self.add(values[0].as_primitive::<T>(), groups, filter, group_count)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], group_count: usize) -> Result<()> {
        self.add(states[0].as_primitive::<Decimal128Type>(), groups, None, group_count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (sums, nulls) = self.emit(emit_to);
        // Groups without a value hold zero, which fits.
        let sums = sums.into_iter().map(|sum| self.target.native(sum)).collect::<Result<Vec<T::Native>>>()?;
        let sums = PrimitiveArray::<T>::new(sums.into(), nulls).with_data_type(self.target.data_type.clone());
        Ok(Arc::new(sums))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sums, nulls) = self.emit(emit_to);
        Ok(vec![state_of(sums, nulls)])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<T>();
        let kept = filter.map(|filter| match filter.nulls() {
            Some(known) => NullBuffer::new(filter.values() & known.inner()),
            None => NullBuffer::new(filter.values().clone()),
        });
        let sums: Vec<i128> = values.values().iter().map(|value| (*value).into()).collect();
        Ok(vec![state_of(sums, NullBuffer::union(values.nulls(), kept.as_ref()))])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.nulls.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;

    #[test]
    fn two_halves_make_the_whole() {
        for values in [
            vec![],
            vec![-1],
            vec![i64::MIN; 5],
            vec![i64::MAX; 5],
            vec![i64::MIN, -1, 1, i64::MAX, 1 << 32, -(1 << 32), (1 << 32) - 1],
        ] {
            let expected: i128 = values.iter().map(|value| i128::from(*value)).sum();
            assert_eq!(sum_of_longs(&values), expected, "{values:?}");
            assert_eq!(sum_of(&Int64Array::from(values)), Some(expected));
        }
        assert_eq!(
            sum_of(&Int64Array::from(vec![None, Some(i64::MAX), Some(i64::MAX)])),
            Some(2 * i128::from(i64::MAX))
        );
        assert_eq!(sum_of(&Decimal128Array::from(vec![i128::MAX, 1])), None);
    }
}
