//! The views over the tables.
//!
//! Invariant: a view is a query on the same ledger version, so it shows
//! nothing that its tables do not; `settled_*` show usage below W, because
//! money is always shown at W.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use datafusion::common::metadata::FieldMetadata;
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, ident};
use datafusion::prelude::SessionContext;
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::tables::COMMENT;

use super::session::Relation;
use crate::error::QueryError;

/// Calls that are settled.
pub(crate) const SETTLED_API_CALLS: Relation = Relation {
    name: "settled_api_calls",
    comment: "The rows of api_calls that are settled: what charges and the journal are made from.",
    is_view: true,
};

/// GPU time that is settled.
pub(crate) const SETTLED_GPU_USAGE: Relation = Relation {
    name: "settled_gpu_usage",
    comment: "The rows of gpu_usage that are settled: what charges and the journal are made from.",
    is_view: true,
};

const USAGE: Relation = Relation {
    name: "usage",
    comment: "One row per usage event and meter that it counts in, from api_calls and gpu_usage.",
    is_view: true,
};

const SETTLED_USAGE: Relation = Relation {
    name: "settled_usage",
    comment: "The rows of usage that are settled: per meter their sum is what charges hold on either side.",
    is_view: true,
};

const BALANCES: Relation = Relation {
    name: "balances",
    comment: "One row per account and asset: the sum of its postings. Per asset all rows add up to zero.",
    is_view: true,
};

const INVOICE_STATUS: Relation = Relation {
    name: "invoice_status",
    comment: "One row per invoice and credit note, with what of it is paid, credited and open.",
    is_view: true,
};

/// All views.
pub(crate) const ALL: [Relation; 6] =
    [SETTLED_API_CALLS, SETTLED_GPU_USAGE, USAGE, SETTLED_USAGE, BALANCES, INVOICE_STATUS];

const USAGE_COLUMNS: &[(&str, &str)] = &[
    ("_partition", "Partition of the usage topic that the event came from."),
    ("_offset", "Offset of the event in its partition."),
    ("_recorded_at", "When the log recorded the event (UTC)."),
    ("source", "Who produced the event."),
    ("id", "The event's id within its source; for a numbered source incarnation-sequence."),
    ("time", "When it happened, as the source says (UTC)."),
    ("customer", "Who pays: the customer's pseudonym."),
    ("provider", "Who served it and earns from it: the node for GPU time."),
    ("meter", "What is counted, for example tokens.input."),
    ("model", "Dimension: the model; null where the meter has no such dimension."),
    ("gpu", "Dimension: the class of GPU; null where the meter has no such dimension."),
    ("region", "Dimension: where it ran; null where it was not reported."),
    ("quantity", "Quantity in the meter's unit: tokens, requests, seconds or joules."),
];

const BALANCE_COLUMNS: &[(&str, &str)] = &[
    ("account", "The account, for example customer/acme/receivable."),
    ("asset", "The currency or token."),
    ("balance", "Sum of the postings in the asset's unit: positive is debit, negative is credit."),
    ("postings", "How many postings there are."),
];

const INVOICE_STATUS_COLUMNS: &[(&str, &str)] = &[
    ("_offset", "Offset of the control event that issued it."),
    ("line", "Number of the row among those of its control event, from 1."),
    ("number", "Its number, for example INV-000012."),
    ("kind", "invoice, or credit_note with a negative total."),
    ("customer", "Whose it is."),
    ("period", "The month that it is for (UTC); null for a credit that somebody gave."),
    ("currency", "The currency in which the customer is rated."),
    ("net", "Before tax, in the currency's unit."),
    ("tax", "Tax, in the currency's unit."),
    ("total", "What is to be paid; negative for a credit note."),
    ("paid", "What payments settled of it."),
    ("credited", "What credit notes settled of it."),
    ("open", "What is still to be paid; 0 for a credit note."),
    ("status", "finalized, paid, or void where all of it was taken back; issued for a credit note."),
    ("issued_at", "When it was issued (UTC)."),
    ("due_at", "When it is to be paid (UTC); null for a credit note."),
];

const INVOICE_STATUS_SQL: &str = "\
SELECT i._offset, i.line, i.number, i.kind, i.customer, i.period, i.currency, i.net, i.tax, i.total, \
coalesce(a.paid, 0) AS paid, coalesce(a.credited, 0) AS credited, \
CASE WHEN i.kind = 'invoice' THEN i.total - coalesce(a.paid, 0) - coalesce(a.credited, 0) ELSE 0 END AS open, \
CASE WHEN i.kind <> 'invoice' THEN 'issued' WHEN a.credited = i.total THEN 'void' \
WHEN coalesce(a.paid, 0) + coalesce(a.credited, 0) = i.total THEN 'paid' ELSE 'finalized' END AS status, \
i.issued_at, i.due_at \
FROM invoices i LEFT JOIN (\
SELECT invoice, sum(amount) FILTER (WHERE starts_with(source, 'payment-')) AS paid, \
sum(amount) FILTER (WHERE NOT starts_with(source, 'payment-')) AS credited FROM allocations GROUP BY invoice\
) a ON a.invoice = i.number";

/// Registers the views that are queries.
pub(crate) async fn register(context: &SessionContext) -> Result<(), QueryError> {
    add(context, USAGE, &usage_sql("api_calls", "gpu_usage"), USAGE_COLUMNS).await?;
    let settled = usage_sql(SETTLED_API_CALLS.name, SETTLED_GPU_USAGE.name);
    add(context, SETTLED_USAGE, &settled, USAGE_COLUMNS).await?;
    let balances =
        "SELECT account, asset, sum(amount) AS balance, count(*) AS postings FROM journal GROUP BY account, asset";
    add(context, BALANCES, balances, BALANCE_COLUMNS).await?;
    add(context, INVOICE_STATUS, INVOICE_STATUS_SQL, INVOICE_STATUS_COLUMNS).await
}

async fn add(context: &SessionContext, view: Relation, sql: &str, columns: &[(&str, &str)]) -> Result<(), QueryError> {
    let plan = context.state().create_logical_plan(sql).await?;
    let commented: Vec<Expr> = columns
        .iter()
        .map(|(name, comment)| {
            let metadata = HashMap::from([(COMMENT.to_owned(), (*comment).to_owned())]);
            ident(*name).alias_with_metadata(*name, Some(FieldMetadata::from(metadata)))
        })
        .collect();
    let plan = LogicalPlanBuilder::from(plan).project(commented)?.build()?;
    context.register_table(view.name, Arc::new(ViewTable::new(plan, Some(sql.to_owned()))))?;
    Ok(())
}

/// One SELECT per meter, by what the meter says that it counts.
fn usage_sql(api_calls: &str, gpu_usage: &str) -> String {
    let mut sql = String::new();
    for (index, meter) in Meter::ALL.into_iter().enumerate() {
        let (counted_in, quantity) = meter.counted_in();
        let (table, provider) = if counted_in == "api_calls" { (api_calls, "provider") } else { (gpu_usage, "node") };
        let dimension = |dimension: Dimension| {
            let name = dimension.name();
            if meter.dimensions().contains(&dimension) {
                name.to_owned()
            } else {
                format!("CAST(NULL AS VARCHAR) AS {name}")
            }
        };
        let [model, gpu, region] = Dimension::ALL.map(dimension);
        let union = if index == 0 { "" } else { " UNION ALL " };
        // Writing to a string cannot fail.
        let _ = write!(
            sql,
            "{union}SELECT _partition, _offset, _recorded_at, source, \
             coalesce(id, concat(incarnation, '-', sequence)) AS id, time, customer, {provider} AS provider, \
             '{meter}' AS meter, {model}, {gpu}, {region}, CAST({quantity} AS DECIMAL(38, 9)) AS quantity \
             FROM {table} WHERE {quantity} <> 0"
        );
    }
    sql
}
