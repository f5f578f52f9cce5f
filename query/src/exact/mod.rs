//! Arithmetic that is right or an error.
//!
//! Invariant: in every query, those of an import included, `+`, `-`, `*` and
//! a sum of integers or decimals give the true value, or an error that says
//! what to do; a number that does not fit never comes round at the other end.

mod operators;
mod sum;
mod totals;

use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::AggregateUDF;
use datafusion::optimizer::analyzer::function_rewrite::ApplyFunctionRewrites;

/// Makes all that is planned with `state` calculate exactly. What is built in
/// would wrap.
pub(crate) fn install(state: &mut SessionState) -> Result<()> {
    // Last, because operands have their final types only after coercion.
    state.add_analyzer_rule(Arc::new(ApplyFunctionRewrites::new(vec![Arc::new(operators::Check)])));
    state.register_udaf(Arc::new(AggregateUDF::new_from_impl(sum::CheckedSum::default())))?;
    Ok(())
}

/// The error of an integer that does not fit.
fn integer_overflow(place: &str) -> DataFusionError {
    DataFusionError::Execution(format!(
        "integer overflow in {place}: cast to DECIMAL(38,0) first, for example CAST(x AS DECIMAL(38,0))"
    ))
}
