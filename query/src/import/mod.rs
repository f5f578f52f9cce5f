//! Files as events: a file is the table `input`, a SELECT over it gives the
//! fields of one event per row.
//!
//! Invariants: columns are checked before the first row is handed out; rows
//! come in file order; a row that is no event is handed out as one that the
//! fold refuses with the reason, so that it is on record.

mod heading;
mod values;

use std::path::Path;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::prelude::{CsvReadOptions, JsonReadOptions, ParquetReadOptions, SessionConfig};
use futures::TryStreamExt;
use stempoint_schemas::event::EventKind;
use stempoint_schemas::fields;
use stempoint_schemas::wire;
use thiserror::Error;

use values::Columns;

use crate::catalogue::parse;
use crate::deep::DeepThreads;
use crate::error::QueryError;
use crate::exact;

/// The most bytes of a wrong row that are kept for the record of what was
/// refused.
const RAW_BYTES_MAX: usize = 1 << 20;

/// Rows of the file by which the columns' types are guessed.
const INFER_ROWS: usize = 100_000;

/// Why a file cannot be imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file is of a kind that is not read.
    #[error("{0} is not a file that can be imported: its name must end in .csv, .json, .jsonl, .ndjson or .parquet")]
    Format(String),
    /// There is no such file.
    #[error("there is no file {0}")]
    NoFile(String),
    /// The file cannot be read as what it is.
    #[error("failed to read {file}: {reason}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// Two columns of the file cannot be told apart.
    #[error("failed to tell the columns of {file} apart: {reason}")]
    Heading {
        /// The file.
        file: String,
        /// Which columns, and what to do.
        reason: String,
    },
    /// There is nothing in the file.
    #[error("there are no columns in {0}: it is empty")]
    Empty(String),
    /// The SELECT is wrong.
    #[error("failed to plan --select: {reason}\nthe columns of `input` are {columns}")]
    Select {
        /// Why.
        reason: String,
        /// What can be selected.
        columns: String,
    },
    /// The text is not one query.
    #[error("failed to understand --select: {0}")]
    Statement(QueryError),
    /// The text does something else than ask.
    #[error("failed to understand --select: it must be one SELECT over `input`, not {0}")]
    NotAQuery(String),
    /// A column of the SELECT is not a field of the event.
    #[error("the SELECT gives the column {column:?}, which {kind} does not have; its fields are {known}")]
    UnknownColumn {
        /// The column.
        column: String,
        /// The event type.
        kind: &'static str,
        /// Its fields.
        known: String,
    },
    /// The SELECT lacks a field that every event has.
    #[error("the SELECT does not give {column}, which every {kind} has; name it, for example `... AS {column}`")]
    MissingColumn {
        /// The field.
        column: &'static str,
        /// The event type.
        kind: &'static str,
    },
    /// A column has a type that is not understood.
    #[error(
        "the column {column} has the type {found}, which cannot be a field: cast it to a text, a number or a timestamp"
    )]
    Type {
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// Reading failed in the middle.
    #[error("failed to read the rows: {0}")]
    Rows(String),
}

/// What is at the bottom of an error, said once.
fn root(error: &DataFusionError) -> String {
    match error.find_root() {
        DataFusionError::ArrowError(error, _) => error.to_string(),
        DataFusionError::ParquetError(error) => error.to_string(),
        DataFusionError::SchemaError(error, _) => error.to_string(),
        DataFusionError::SQL(error, _) => error.to_string(),
        other => other.message().into_owned(),
    }
}

/// A checked SELECT over a file, with its first rows.
pub struct Import {
    kind: EventKind,
    first: Option<RecordBatch>,
    rest: SendableRecordBatchStream,
}

impl Import {
    /// Opens a file, checks the SELECT and its columns, and reads the first
    /// rows.
    ///
    /// # Errors
    /// [`ImportError`], before anything was read as an event.
    pub async fn open(file: &Path, kind: EventKind, select: &str) -> Result<Import, ImportError> {
        let failed = |error: QueryError| ImportError::Rows(error.to_string());
        let threads = DeepThreads::new(1).map_err(failed)?;
        let (file, select) = (file.to_owned(), select.to_owned());
        let rows = threads.run(async move { rows(&file, kind, &select).await }).await.map_err(failed)??;
        let mut rest = threads.stream(rows).map_err(failed)?;
        let first = rest.try_next().await.map_err(|error| ImportError::Rows(root(&error)))?;
        Ok(Import { kind, first, rest })
    }

    /// Hands each row's bytes for the log to `each`, in file order. Returns
    /// how many rows there were.
    ///
    /// # Errors
    /// [`ImportError`]; what came before has been handed out.
    pub async fn rows<E: From<ImportError>>(mut self, mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<u64, E> {
        let mut value = Vec::new();
        let mut rows = 0;
        let mut next = self.first.take();
        while let Some(batch) = next {
            let columns = Columns::new(&batch)?;
            for row in 0..batch.num_rows() {
                value.clear();
                encode(self.kind, &columns, row, &mut value);
                each(&value)?;
                rows += 1;
            }
            next = self.rest.try_next().await.map_err(|error| ImportError::Rows(root(&error)))?;
        }
        Ok(rows)
    }
}

/// The rows of a checked SELECT.
async fn rows(file: &Path, kind: EventKind, select: &str) -> Result<SendableRecordBatchStream, ImportError> {
    let context = context().map_err(|error| ImportError::Rows(root(&error)))?;
    register(&context, file).await?;
    let frame = plan(&context, select).await?;
    let schema = frame.schema().as_arrow().clone().into();
    check(&schema, kind)?;
    values::check_types(&schema)?;
    frame.execute_stream().await.map_err(|error| ImportError::Rows(root(&error)))
}

fn encode(kind: EventKind, columns: &Columns, row: usize, value: &mut Vec<u8>) {
    match fields::to_event(kind, |name| columns.get(name, row)) {
        Ok(event) => wire::encode(&event, value),
        Err(error) => {
            let row = columns.json(row);
            let raw = &row.as_bytes()[..row.len().min(RAW_BYTES_MAX)];
            wire::encode_unusable(&error.to_string(), raw, value);
        }
    }
}

/// One partition and no re-partitioning, so that rows keep the file's order.
fn context() -> Result<SessionContext, DataFusionError> {
    let config = SessionConfig::new().with_target_partitions(1).with_repartition_file_scans(false);
    let mut state = SessionStateBuilder::new().with_config(config).with_default_features().build();
    exact::install(&mut state)?;
    Ok(SessionContext::new_with_state(state))
}

async fn register(context: &SessionContext, file: &Path) -> Result<(), ImportError> {
    let name = file.display().to_string();
    if !file.is_file() {
        return Err(ImportError::NoFile(name));
    }
    let extension = file.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let ending = format!(".{}", file.extension().and_then(|e| e.to_str()).unwrap_or_default());
    let registered = match extension.as_str() {
        "csv" => {
            heading::check_csv(file)?;
            let options = CsvReadOptions::new().schema_infer_max_records(INFER_ROWS).file_extension(&ending);
            context.register_csv("file", &name, options).await
        }
        "json" | "jsonl" | "ndjson" => {
            let mut options = JsonReadOptions::default().file_extension(&ending);
            options.schema_infer_max_records = INFER_ROWS;
            context.register_json("file", &name, options).await
        }
        "parquet" => {
            let options = ParquetReadOptions { file_extension: &ending, ..ParquetReadOptions::default() };
            context.register_parquet("file", &name, options).await
        }
        _ => return Err(ImportError::Format(name)),
    };
    let read = |error: DataFusionError| ImportError::Read { file: name.clone(), reason: root(&error) };
    registered.map_err(read)?;
    heading::check(file, &context.table_provider("file").await.map_err(read)?.schema())?;
    let view = format!("CREATE VIEW input AS SELECT row_number() OVER () AS {}, * FROM file", heading::ROW);
    context.sql(&view).await.map_err(read)?.collect().await.map_err(read)?;
    if input_columns(context).await.len() < 2 {
        return Err(ImportError::Empty(name));
    }
    Ok(())
}

async fn plan(context: &SessionContext, select: &str) -> Result<DataFrame, ImportError> {
    let state = context.state();
    let statement = parse(&state, select).map_err(|error| match error {
        QueryError::ReadOnly { statement } => ImportError::NotAQuery(statement),
        other => ImportError::Statement(other),
    })?;
    let planned = match state.statement_to_plan(statement).await {
        Ok(planned) => planned,
        Err(error) => {
            return Err(ImportError::Select { reason: root(&error), columns: input_columns(context).await.join(", ") });
        }
    };
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(&planned).map_err(|_| ImportError::NotAQuery("something that writes".to_owned()))?;
    Ok(DataFrame::new(state, planned))
}

/// `_row`, and the file's own columns.
async fn input_columns(context: &SessionContext) -> Vec<String> {
    match context.table("input").await {
        Ok(table) => table.schema().fields().iter().map(|field| field.name().clone()).collect(),
        Err(_) => Vec::new(),
    }
}

fn check(schema: &SchemaRef, kind: EventKind) -> Result<(), ImportError> {
    let known = fields::fields(kind);
    for field in schema.fields() {
        if !known.iter().any(|spec| spec.name == field.name()) {
            return Err(ImportError::UnknownColumn {
                column: field.name().clone(),
                kind: kind.name(),
                known: known.iter().map(|spec| spec.name).collect::<Vec<_>>().join(", "),
            });
        }
    }
    let given = |name: &str| schema.field_with_name(name).is_ok();
    let numbered = given("incarnation") && given("sequence");
    let needed = |name: &str| name != "id" || !numbered;
    for spec in known.iter().filter(|spec| spec.required && needed(spec.name)) {
        if !given(spec.name) {
            return Err(ImportError::MissingColumn { column: spec.name, kind: kind.name() });
        }
    }
    Ok(())
}
