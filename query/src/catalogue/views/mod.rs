//! The views over the tables.
//!
//! Invariants: a view is a query on the same ledger version, so it shows
//! nothing that its tables do not; `settled_*` show usage below W, because
//! money is always shown at W. A view is the statement in `docs/sql` word for
//! word, so that readers of the open tables see the same; it is planned only
//! for queries that name it, and costs the others nothing.

mod columns;
mod focus;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::common::metadata::FieldMetadata;
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, ident};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as Sql;
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

/// A view that is a query.
struct View {
    relation: Relation,
    /// Its file in `docs/sql`.
    sql: &'static str,
    /// The columns that it shows, with their comments.
    columns: &'static [(&'static str, &'static str)],
}

const fn view(
    name: &'static str,
    comment: &'static str,
    sql: &'static str,
    columns: &'static [(&'static str, &'static str)],
) -> View {
    View { relation: Relation { name, comment, is_view: true }, sql, columns }
}

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../../../docs/sql/", $name))
    };
}

/// The views that are queries, each after those that it reads.
const VIEWS: [View; 19] = [
    view(
        "shards",
        "One row per partition of the usage topic: up to where it is visible and settled, and its counts.",
        file!("01_shards.sql"),
        columns::SHARDS,
    ),
    view(
        "usage",
        "One row per usage event and meter that it counts in, from api_calls and gpu_usage.",
        file!("03_usage.sql"),
        columns::USAGE,
    ),
    view(
        "settled_usage",
        "The rows of usage that are settled: per meter their sum is what charges hold on either side.",
        file!("04_settled_usage.sql"),
        columns::USAGE,
    ),
    view(
        "balances",
        "One row per account and asset: the sum of its postings. Per asset all rows add up to zero.",
        file!("05_balances.sql"),
        columns::BALANCES,
    ),
    view(
        "audit_conservation",
        "Per meter and dimensions what became of all usage; difference must be 0 in every row.",
        file!("06_audit_conservation.sql"),
        columns::CONSERVATION,
    ),
    view(
        "audit_sides",
        "Per price row what customers used and providers served; difference must be 0 in every row.",
        file!("07_audit_sides.sql"),
        columns::SIDES,
    ),
    view(
        "audit_records",
        "Per partition what became of all records; difference must be 0 in every row.",
        file!("08_audit_records.sql"),
        columns::RECORDS,
    ),
    view(
        "audit_entries",
        "Per entry and asset the sum of its postings: difference, which must be 0 in every row.",
        file!("09_audit_entries.sql"),
        columns::ENTRIES,
    ),
    view(
        "audit_unrated",
        "Usage that waits for a price: how much of what, and since when.",
        file!("10_audit_unrated.sql"),
        columns::UNRATED,
    ),
    view(
        "audit_late",
        "Usage that is billed in a later month than its own, because that one was closed.",
        file!("11_audit_late.sql"),
        columns::LATE,
    ),
    view(
        "invoice_status",
        "One row per invoice and credit note, with what of it is paid, credited and open.",
        file!("12_invoice_status.sql"),
        columns::INVOICE_STATUS,
    ),
    view(
        "customer_months",
        "One row per customer, currency and billing period with charges: its document and legal entity.",
        file!("13_customer_months.sql"),
        focus::CUSTOMER_MONTHS,
    ),
    view(
        "usage_costs",
        "What each hour's usage costs, exactly: the hours add up to what the journal has.",
        file!("14_usage_costs.sql"),
        focus::USAGE_COSTS,
    ),
    view(
        "focus_cost_and_usage",
        "FOCUS 1.4, Cost and Usage: per hour what usage costs, and per document tax, rounding and credit.",
        file!("15_focus_cost_and_usage.sql"),
        focus::COST_AND_USAGE,
    ),
    view(
        "focus_invoice_detail",
        "FOCUS 1.4, Invoice Detail: the lines of every invoice and credit note that was issued.",
        file!("16_focus_invoice_detail.sql"),
        focus::INVOICE_DETAIL,
    ),
    view(
        "focus_billing_period",
        "FOCUS 1.4, Billing Period: the months of each legal entity, open or closed.",
        file!("17_focus_billing_period.sql"),
        focus::BILLING_PERIOD,
    ),
    view(
        "grant_status",
        "One row per grant, with what of it is used, left or gone.",
        file!("18_grant_status.sql"),
        columns::GRANT_STATUS,
    ),
    view(
        "dispute_status",
        "One row per dispute of a line, with what became of it.",
        file!("19_dispute_status.sql"),
        columns::DISPUTE_STATUS,
    ),
    view(
        "owner_earnings",
        "One row per model owner or asset pool, month, price row and dimensions: what it earned.",
        file!("20_owner_earnings.sql"),
        columns::OWNER_EARNINGS,
    ),
];

/// What a reader outside runs before the views, over tables whose names begin
/// with `raw_`.
const COMMITS_SQL: &str = file!("00_commits.sql");
const TABLES_SQL: &str = file!("02_tables.sql");

/// All views.
pub(crate) fn all() -> impl Iterator<Item = Relation> {
    [SETTLED_API_CALLS, SETTLED_GPU_USAGE].into_iter().chain(VIEWS.iter().map(|view| view.relation))
}

/// The statement of one view, as readers outside run it.
pub fn published(name: &str) -> Option<&'static str> {
    VIEWS.iter().find(|view| view.relation.name == name).map(|view| view.sql)
}

/// All that readers outside run, in order.
pub fn published_script() -> String {
    let views: Vec<&str> = VIEWS.iter().map(|view| view.sql).collect();
    // The visible rows follow from the shards, and the other views from them.
    let (shards, others) = views.split_first().map_or(("", &views[..]), |(first, rest)| (first, rest));
    let all: Vec<&str> = [COMMITS_SQL, shards, TABLES_SQL].into_iter().chain(others.iter().copied()).collect();
    all.join("\n")
}

/// Registers the views that a statement names, and those that they read.
pub(crate) async fn register(context: &SessionContext, named: &[TableReference]) -> Result<(), QueryError> {
    let everything = named.iter().any(|name| name.schema() == Some("information_schema"));
    let state = context.state();
    let mut wanted: Vec<String> = named.iter().map(|name| name.table().to_owned()).collect();
    let mut missing = Vec::new();
    for view in VIEWS.iter().rev() {
        let name = view.relation.name;
        if !(everything || wanted.iter().any(|wanted| wanted == name)) || context.table_exist(name)? {
            continue;
        }
        let query = query_of(&state, view)?;
        wanted.extend(state.resolve_table_references(&query)?.iter().map(|name| name.table().to_owned()));
        missing.push((view, query));
    }
    for (view, query) in missing.into_iter().rev() {
        add(context, view, query).await?;
    }
    Ok(())
}

/// The query in a view's statement.
fn query_of(state: &datafusion::execution::SessionState, view: &View) -> Result<Statement, QueryError> {
    let dialect = state.config_options().sql_parser.dialect;
    match state.sql_to_statement(view.sql, &dialect)? {
        Statement::Statement(statement) => match *statement {
            Sql::CreateView(create) => Ok(Statement::Statement(Box::new(Sql::Query(create.query)))),
            _ => Err(QueryError::Plan(format!("{} is no view", view.relation.name))),
        },
        _ => Err(QueryError::Plan(format!("{} is no view", view.relation.name))),
    }
}

async fn add(context: &SessionContext, view: &View, query: Statement) -> Result<(), QueryError> {
    let plan = context.state().statement_to_plan(query).await?;
    let commented: Vec<Expr> = view
        .columns
        .iter()
        .map(|(name, comment)| {
            let metadata = HashMap::from([(COMMENT.to_owned(), (*comment).to_owned())]);
            ident(*name).alias_with_metadata(*name, Some(FieldMetadata::from(metadata)))
        })
        .collect();
    let plan = LogicalPlanBuilder::from(plan).project(commented)?.build()?;
    context.register_table(view.relation.name, Arc::new(ViewTable::new(plan, Some(view.sql.to_owned()))))?;
    Ok(())
}
