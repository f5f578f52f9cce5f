//! What may be run: one query.
//!
//! Invariant: a statement that could change anything, files and settings
//! included, is refused before it is planned.

use datafusion::common::TableReference;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as Sql;

use super::nesting::{check_relations, check_text};
use crate::error::QueryError;

/// The longest text that is planned (bytes).
const SQL_BYTES_MAX: usize = 256 << 10;

/// Reads one query.
pub(crate) fn parse(state: &SessionState, text: &str) -> Result<Statement, QueryError> {
    if text.len() > SQL_BYTES_MAX {
        return Err(QueryError::TooLong { bytes: text.len(), bytes_max: SQL_BYTES_MAX });
    }
    if text.trim().trim_matches(';').trim().is_empty() {
        return Err(QueryError::Syntax("there is none; for example: SELECT * FROM commits".to_owned()));
    }
    check_text(text)?;
    let dialect = state.config_options().sql_parser.dialect;
    let statement = state.sql_to_statement(text, &dialect)?;
    if let Some(statement) = changes(&statement) {
        return Err(QueryError::ReadOnly { statement });
    }
    if let Some(sql) = inner(&statement) {
        check_relations(sql)?;
    }
    Ok(statement)
}

/// The statement that is explained, or the statement itself.
fn inner(statement: &Statement) -> Option<&Sql> {
    match statement {
        Statement::Statement(sql) => Some(sql),
        Statement::Explain(explain) => inner(&explain.statement),
        _ => None,
    }
}

/// What kind of statement it is, unless it only reads.
fn changes(statement: &Statement) -> Option<String> {
    match statement {
        Statement::Statement(sql) => changes_sql(sql),
        Statement::Explain(explain) => changes(&explain.statement),
        Statement::CreateExternalTable(_) => Some("CREATE EXTERNAL TABLE".to_owned()),
        Statement::CopyTo(_) => Some("COPY".to_owned()),
        Statement::Reset(_) => Some("RESET".to_owned()),
    }
}

fn changes_sql(sql: &Sql) -> Option<String> {
    match sql {
        // What hides in a query, such as an INSERT, is found in its plan.
        Sql::Query(_) | Sql::ExplainTable { .. } => None,
        Sql::Explain { statement, .. } => changes_sql(statement),
        Sql::ShowTables { .. } | Sql::ShowColumns { .. } | Sql::ShowFunctions { .. } => None,
        other => Some(kind(&other.to_string())),
    }
}

/// The words that a statement begins with: at most two, all in capitals.
fn kind(text: &str) -> String {
    let words = text.split_whitespace().take(2);
    let capitals = words.take_while(|word| word.bytes().all(|byte| byte.is_ascii_uppercase()));
    let kind = capitals.collect::<Vec<_>>().join(" ");
    if kind.is_empty() { "this statement".to_owned() } else { kind }
}

/// The tables that a statement names, all of them `known`.
pub(crate) fn check_tables(
    state: &SessionState,
    statement: &Statement,
    known: &[&str],
) -> Result<Vec<TableReference>, QueryError> {
    let unknown = |reference: &TableReference| {
        let elsewhere = reference.schema().is_some_and(|schema| schema == "information_schema");
        let is_function = state.table_functions().contains_key(reference.table());
        !elsewhere && !is_function && !known.contains(&reference.table())
    };
    let named = state.resolve_table_references(statement)?;
    match named.iter().find(|name| unknown(name)) {
        Some(name) => Err(QueryError::UnknownTable { name: name.to_string(), known: known.join(", ") }),
        None => Ok(named),
    }
}
