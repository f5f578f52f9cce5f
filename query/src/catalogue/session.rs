//! SQL on one ledger version.
//!
//! Invariant 6: a session's tables are fixed when it is made; nothing that is
//! run in it can add, change or write anything.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use stempoint_schemas::tables::{ALL, API_CALLS, GPU_USAGE};
use tokio::sync::Mutex;

use super::engine::fresh_context;
use super::files::LedgerFiles;
use super::pin::Pin;
use super::statement::{check_tables, parse};
use super::table::{LedgerTable, Location};
use super::views;
use super::visibility::Visibility;
use crate::deep::DeepThreads;
use crate::error::QueryError;

/// A table or view of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation {
    /// Its name.
    pub name: &'static str,
    /// What a row is.
    pub comment: &'static str,
    /// Whether it is made from other tables.
    pub is_view: bool,
}

/// One ledger version, ready for questions.
pub struct Session {
    context: SessionContext,
    threads: DeepThreads,
    pin: Pin,
    /// Held while views are registered, so that it is done once.
    views: Arc<Mutex<()>>,
}

impl Session {
    pub(crate) fn new(
        state: &SessionState,
        threads: DeepThreads,
        location: &Location,
        pin: Pin,
        files: &LedgerFiles,
    ) -> Result<Session, QueryError> {
        let context = fresh_context(state);
        for table in ALL {
            let provider = LedgerTable::new(table, location, &files.of(table), Visibility::of(table, &pin));
            context.register_table(table.name, Arc::new(provider))?;
        }
        for (name, table) in [(views::SETTLED_API_CALLS, &API_CALLS), (views::SETTLED_GPU_USAGE, &GPU_USAGE)] {
            let provider = LedgerTable::new(table, location, &files.of(table), Visibility::settled(&pin));
            context.register_table(name.name, Arc::new(provider))?;
        }
        Ok(Session { context, threads, pin, views: Arc::default() })
    }

    /// The ledger version that the session sees.
    pub fn pin(&self) -> &Pin {
        &self.pin
    }

    /// The tables and views that can be asked about.
    pub fn relations() -> Vec<Relation> {
        let tables = ALL.into_iter().map(|table| Relation { name: table.name, comment: table.comment, is_view: false });
        tables.chain(views::all()).collect()
    }

    /// Runs one query and gives its rows as they come.
    ///
    /// # Errors
    /// [`QueryError`]; also in the stream, as a `DataFusionError` that converts
    /// into one.
    pub async fn sql(&self, text: &str) -> Result<SendableRecordBatchStream, QueryError> {
        let (context, views, text) = (self.context.clone(), Arc::clone(&self.views), text.to_owned());
        let rows = self.threads.run(async move {
            let plan = plan(&context, &views, &text).await?;
            Ok::<_, QueryError>(DataFrame::new(context.state(), plan).execute_stream().await?)
        });
        self.threads.stream(rows.await??)
    }

    /// Runs one query of which few rows are expected.
    ///
    /// # Errors
    /// As [`Session::sql`].
    pub async fn rows(&self, text: &str) -> Result<Vec<RecordBatch>, QueryError> {
        Ok(self.sql(text).await?.try_collect().await?)
    }
}

async fn plan(context: &SessionContext, views: &Mutex<()>, text: &str) -> Result<LogicalPlan, QueryError> {
    let state = context.state();
    let statement = parse(&state, text)?;
    let known: Vec<&str> = Session::relations().iter().map(|relation| relation.name).collect();
    let named = check_tables(&state, &statement, &known)?;
    {
        let _one_at_a_time = views.lock().await;
        views::register(context, &named).await?;
    }
    let plan = state.statement_to_plan(statement).await?;
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(&plan).map_err(|_| QueryError::ReadOnly { statement: "this statement".to_owned() })?;
    Ok(plan)
}
