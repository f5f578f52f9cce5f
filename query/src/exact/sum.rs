//! `sum`, as it is registered.
//!
//! Invariant: sums of integers, decimals and durations are added up in 128
//! bits and checked before they are handed out; all else is left to the
//! built-in sum, which cannot wrap on it.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Field, FieldRef, Int64Type, TimeUnit, UInt64Type,
};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF, SetMonotonicity,
    Signature,
};

use super::totals::{GroupTotals, Target, Total};

/// A sum that does not wrap. The built-in one says what can be summed, and
/// what comes of it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CheckedSum {
    built_in: Arc<AggregateUDF>,
}

impl Default for CheckedSum {
    fn default() -> CheckedSum {
        CheckedSum { built_in: sum_udaf() }
    }
}

/// What sums are added up in, and handed from thread to thread.
const STATE: DataType = DataType::Decimal128(38, 0);

/// Calls `$make` with the Arrow type of values that are added up here, or is
/// `$else`.
macro_rules! by_type {
    ($data_type:expr, $make:ident, $else:expr) => {
        match $data_type {
            DataType::Int64 => $make!(Int64Type),
            DataType::UInt64 => $make!(UInt64Type),
            DataType::Decimal32(..) => $make!(Decimal32Type),
            DataType::Decimal64(..) => $make!(Decimal64Type),
            DataType::Decimal128(..) => $make!(Decimal128Type),
            DataType::Duration(TimeUnit::Second) => $make!(DurationSecondType),
            DataType::Duration(TimeUnit::Millisecond) => $make!(DurationMillisecondType),
            DataType::Duration(TimeUnit::Microsecond) => $make!(DurationMicrosecondType),
            DataType::Duration(TimeUnit::Nanosecond) => $make!(DurationNanosecondType),
            _ => $else,
        }
    };
}

/// What the optimiser calls a sum of distinct values where it groups by them.
const OF_DISTINCT: &str = "sum(alias1)";

fn target(args: &AccumulatorArgs) -> Target {
    let name = if args.name == OF_DISTINCT { "sum(DISTINCT …)" } else { args.name };
    Target { name: name.to_owned(), data_type: args.return_field.data_type().clone() }
}

/// A sum of single values; `None` for a type that is left to the built-in sum.
fn total(target: Target) -> Option<Box<dyn Accumulator>> {
    macro_rules! make {
        ($of:ty) => {
            Some(Box::new(Total::<$of>::new(target)))
        };
    }
    by_type!(&target.data_type, make, None)
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        self.built_in.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.built_in.return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let target = target(&args);
        match (args.is_distinct, total(target)) {
            (_, None) => self.built_in.accumulator(args),
            (false, Some(total)) => Ok(total),
            (true, Some(total)) => Ok(Box::new(Distinct { values: self.built_in.accumulator(args)?, total })),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let target = target(&args);
        match (args.is_distinct, total(target)) {
            (_, None) => self.built_in.create_sliding_accumulator(args),
            (false, Some(total)) => Ok(total),
            (true, Some(total)) => {
                Ok(Box::new(Distinct { values: self.built_in.create_sliding_accumulator(args)?, total }))
            }
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        macro_rules! make {
            ($of:ty) => {
                true
            };
        }
        let is_total = by_type!(args.return_field.data_type(), make, false);
        if args.is_distinct || !is_total {
            return self.built_in.state_fields(args);
        }
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "sum"), STATE, true))])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.built_in.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let target = target(&args);
        macro_rules! make {
            ($of:ty) => {
                Ok(Box::new(GroupTotals::<$of>::new(target)))
            };
        }
        by_type!(&target.data_type, make, self.built_in.create_groups_accumulator(args))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.built_in.documentation()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.built_in.inner().set_monotonicity(data_type)
    }
}

/// `sum(DISTINCT …)`: the built-in accumulator keeps the values apart, and
/// only its sum is not used.
#[derive(Debug)]
struct Distinct {
    values: Box<dyn Accumulator>,
    /// A total of nothing yet.
    total: Box<dyn Accumulator>,
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.update_batch(values)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.values.supports_retract_batch()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.values.merge_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.values.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let state = self.values.state()?;
        let [ScalarValue::List(lists)] = state.as_slice() else {
            return internal_err!("distinct values must be one list");
        };
        let distinct = lists.value(0);
        self.total.update_batch(&[Arc::clone(&distinct)])?;
        let sum = self.total.evaluate();
        // A window asks again for every row.
        self.total.retract_batch(&[distinct])?;
        sum
    }

    fn size(&self) -> usize {
        self.values.size() + self.total.size()
    }
}
