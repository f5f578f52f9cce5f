//! `+`, `-` and `*` of integers, and a minus before one.
//!
//! Invariant: a checked operator has the name, the type and the nulls that
//! the built-in one has, so that no column changes its name by it.

use arrow::array::{Array, ArrayRef, Datum};
use arrow::compute::kernels::numeric::{add, mul, neg, sub};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue, internal_err};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr_common::datum::apply;
use std::sync::Arc;

use super::integer_overflow;

/// Puts checked operators in the place of those that wrap. It sees operands
/// after they were coerced.
#[derive(Debug)]
pub(super) struct Check;

impl FunctionRewrite for Check {
    fn name(&self) -> &str {
        "checked_integers"
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        let is_integer = |operand: &Expr| match operand {
            // Asking each link of a long chain for its type takes time with the third power of its length.
            Expr::ScalarFunction(function) if function.func.inner().is::<Checked>() => Ok(true),
            operand => operand.get_type(schema).map(|of| of.is_integer()),
        };
        let (kind, operands) = match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let kind = match op {
                    Operator::Plus => Kind::Add,
                    Operator::Minus => Kind::Subtract,
                    Operator::Multiply => Kind::Multiply,
                    _ => return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))),
                };
                if !(is_integer(&left)? && is_integer(&right)?) {
                    return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })));
                }
                (kind, vec![*left, *right])
            }
            Expr::Negative(operand) if is_integer(&operand)? => (Kind::Negate, vec![*operand]),
            other => return Ok(Transformed::no(other)),
        };
        let function = Arc::new(ScalarUDF::new_from_impl(Checked::new(kind)));
        Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(function, operands))))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Add,
    Subtract,
    Multiply,
    Negate,
}

/// A checked operator as a function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    kind: Kind,
    signature: Signature,
}

impl Checked {
    fn new(kind: Kind) -> Checked {
        // The operands are of one type already, and that is asked for again.
        Checked { kind, signature: Signature::user_defined(Volatility::Immutable) }
    }

    fn binary(
        &self,
        args: &[ColumnarValue],
        of: fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef, ArrowError>,
    ) -> Calculated {
        match args {
            [left, right] => apply(left, right, of),
            _ => internal_err!("{} has two operands", self.name()),
        }
    }
}

type Calculated = Result<ColumnarValue>;

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Add => "checked_add",
            Kind::Subtract => "checked_subtract",
            Kind::Multiply => "checked_multiply",
            Kind::Negate => "checked_negate",
        }
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let symbol = match self.kind {
            Kind::Add => '+',
            Kind::Subtract => '-',
            Kind::Multiply => '*',
            Kind::Negate => '-',
        };
        match args {
            [left, right] => Ok(format!("{} {symbol} {}", left.schema_name(), right.schema_name())),
            [operand] => Ok(format!("({symbol} {})", operand.schema_name())),
            _ => internal_err!("{} has one or two operands", self.name()),
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [of, ..] => Ok(of.clone()),
            [] => internal_err!("{} has operands", self.name()),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let calculated = match self.kind {
            Kind::Add => self.binary(&args.args, add),
            Kind::Subtract => self.binary(&args.args, sub),
            Kind::Multiply => self.binary(&args.args, mul),
            Kind::Negate => match args.args.as_slice() {
                [ColumnarValue::Array(array)] => negated(array).map(ColumnarValue::Array),
                [ColumnarValue::Scalar(value)] => negated(&value.to_array()?)
                    .and_then(|array| ScalarValue::try_from_array(&array, 0))
                    .map(ColumnarValue::Scalar),
                _ => internal_err!("{} has one operand", self.name()),
            },
        };
        calculated.map_err(explained)
    }
}

fn negated(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(neg(array as &dyn Array)?)
}

/// Says which numbers do not fit, and what to do about it.
fn explained(error: DataFusionError) -> DataFusionError {
    let text = match &error {
        DataFusionError::ArrowError(cause, _) => match cause.as_ref() {
            ArrowError::ArithmeticOverflow(text) => text,
            _ => return error,
        },
        _ => return error,
    };
    integer_overflow(text.strip_prefix("Overflow happened on: ").unwrap_or(text))
}
