//! Writing and reading one entry of the Delta log.
//!
//! Invariant: each entry is unique, so that equal bytes in the log are proof
//! that it was this writer who put them there; and it says how many lines it
//! has, so that a cut one is noticed.

use std::collections::HashMap;

use bytes::Bytes;
use deltalake::kernel::{Action, CommitInfo, Transaction};
use deltalake::logstore::get_actions;
use serde_json::{Value, json};

use crate::data_file::DataFile;
use crate::error::StoreError;
use crate::lake::{now_ms, unique_name};
use crate::log::entry_path;
use crate::spec::TableSpec;

/// What an entry does, for the people who read the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Adds rows.
    Append,
    /// Merges files without changing a row.
    Compact,
    /// Puts other rows in the place of all.
    Overwrite,
}

/// An entry that is ready to be written at any version.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its lines.
    pub(crate) bytes: Bytes,
    /// The files that it adds.
    pub(crate) added: Vec<String>,
}

/// The key under which an entry says how many lines it has.
const LINES_KEY: &str = "lines";

impl Entry {
    /// An entry that adds and removes files and moves fences.
    pub(crate) fn new(
        table: &str,
        operation: Operation,
        fences: impl IntoIterator<Item = (String, i64)>,
        added: &[DataFile],
        removed: &[&DataFile],
    ) -> Result<Self, StoreError> {
        let now = now_ms();
        let mut actions: Vec<Action> = Vec::with_capacity(added.len() + removed.len() + 2);
        for (app, version) in fences {
            actions.push(Transaction::new_with_last_update(app, version, Some(now)).into());
        }
        let changes_rows = operation != Operation::Compact;
        actions.extend(removed.iter().map(|file| Action::Remove(file.to_remove(now, changes_rows))));
        actions.extend(added.iter().map(|file| Action::Add(file.to_add(changes_rows))));
        actions.insert(0, commit_info(operation, now, actions.len() + 1).into());
        Ok(Self {
            bytes: lines(table, actions.iter().map(serde_json::to_value))?,
            added: added.iter().map(|file| file.path.clone()).collect(),
        })
    }

    /// The first entry of a table.
    pub(crate) fn create(spec: &TableSpec) -> Result<Self, StoreError> {
        let now = now_ms();
        let metadata = json!({"metaData": {
            "id": unique_name(),
            "name": spec.name,
            "description": spec.comment,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": spec.delta_schema()?,
            "partitionColumns": [],
            "configuration": spec.delta_configuration(),
            "createdTime": now,
        }});
        let info = json!({"commitInfo": {
            "timestamp": now,
            "operation": "CREATE TABLE",
            "operationParameters": {},
            "engineInfo": ENGINE,
            "txnId": unique_name(),
            LINES_KEY: 3,
        }});
        let protocol = json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}});
        let bytes = lines(spec.name, [info, protocol, metadata].into_iter().map(Ok))?;
        Ok(Self { bytes, added: Vec::new() })
    }
}

const ENGINE: &str = concat!("stempoint/", env!("CARGO_PKG_VERSION"));

fn commit_info(operation: Operation, now: i64, line_count: usize) -> CommitInfo {
    let (name, parameters) = match operation {
        Operation::Append => ("WRITE", HashMap::from([("mode".to_owned(), Value::from("Append"))])),
        Operation::Compact => ("OPTIMIZE", HashMap::new()),
        Operation::Overwrite => ("WRITE", HashMap::from([("mode".to_owned(), Value::from("Overwrite"))])),
    };
    CommitInfo {
        timestamp: Some(now),
        operation: Some(name.to_owned()),
        operation_parameters: Some(parameters),
        is_blind_append: Some(operation == Operation::Append),
        engine_info: Some(ENGINE.to_owned()),
        info: HashMap::from([
            ("txnId".to_owned(), Value::from(unique_name())),
            (LINES_KEY.to_owned(), Value::from(line_count)),
        ]),
        ..CommitInfo::default()
    }
}

fn lines(table: &str, actions: impl Iterator<Item = serde_json::Result<Value>>) -> Result<Bytes, StoreError> {
    let mut text = String::new();
    for action in actions {
        let action = action.map_err(|error| StoreError::delta(table, "write the log of", error))?;
        text.push_str(&action.to_string());
        text.push('\n');
    }
    Ok(text.into())
}

/// The actions of an entry that was read.
pub(crate) fn parse(table: &str, version: u64, bytes: &Bytes) -> Result<Vec<Action>, StoreError> {
    let corrupt =
        |detail: String| StoreError::CorruptLog { table: table.to_owned(), path: entry_path(version), detail };
    let actions = get_actions(version, bytes).map_err(|error| corrupt(error.to_string()))?;
    if actions.is_empty() {
        return Err(corrupt("it is empty".to_owned()));
    }
    let announced = actions.iter().find_map(|action| match action {
        Action::CommitInfo(info) => info.info.get(LINES_KEY).and_then(Value::as_u64),
        _ => None,
    });
    match announced {
        Some(count) if count != actions.len() as u64 => {
            Err(corrupt(format!("it has {} of {count} lines", actions.len())))
        }
        _ => Ok(actions),
    }
}
