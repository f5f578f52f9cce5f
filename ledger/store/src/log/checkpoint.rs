//! Reading the checkpoints of the Delta log.
//!
//! Invariant: a checkpoint that cannot be read completely is an error; it is
//! never taken for a smaller table.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{Int32Type, Int64Type};
use bytes::Bytes;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use serde::Deserialize;

use crate::data_file::DataFile;
use crate::error::StoreError;
use crate::log::{LOG_FOLDER, Replay};
use crate::snapshot::Snapshot;
use crate::spec::TableSpec;

/// Which checkpoint is the newest, as `_last_checkpoint` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct CheckpointRef {
    /// The version of the table that it holds.
    pub(crate) version: u64,
    /// In how many files it is, if in more than one.
    pub(crate) parts: Option<u32>,
}

impl CheckpointRef {
    /// Its files, relative to the table's folder.
    pub(crate) fn paths(self) -> Vec<String> {
        let version = self.version;
        match self.parts {
            None => vec![format!("{LOG_FOLDER}/{version:020}.checkpoint.parquet")],
            Some(parts) => (1..=parts)
                .map(|part| format!("{LOG_FOLDER}/{version:020}.checkpoint.{part:010}.{parts:010}.parquet"))
                .collect(),
        }
    }

    /// Reads the name of a file in the log's folder.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let mut words = name.strip_suffix(".parquet")?.split('.');
        let version = words.next()?.parse().ok()?;
        if words.next() != Some("checkpoint") {
            return None;
        }
        match (words.next(), words.next(), words.next()) {
            (None, None, None) => Some(Self { version, parts: None }),
            (Some(_), Some(parts), None) => Some(Self { version, parts: Some(parts.parse().ok()?) }),
            _ => None,
        }
    }
}

/// What the first pass over the columns of a batch yields.
struct Columns<'a> {
    table: &'a str,
    path: &'a str,
    batch: &'a RecordBatch,
}

/// Adds up the files of a checkpoint.
pub(crate) fn replay<'a>(
    spec: &'a TableSpec,
    checkpoint: CheckpointRef,
    files: Vec<(String, Bytes)>,
    with_tombstones: bool,
) -> Result<Replay<'a>, StoreError> {
    let version = checkpoint.version;
    let snapshot = Snapshot { version, entry: None, files: Default::default(), fences: Default::default() };
    let mut replay = Replay::new(spec, snapshot);
    replay.tombstones = with_tombstones.then(HashMap::new);
    let mut has_metadata = false;
    let mut first_path = String::new();
    for (path, bytes) in files {
        read_part(&mut replay, &path, bytes, spec.name, &mut has_metadata)?;
        first_path = path;
    }
    if !has_metadata {
        return Err(corrupt(spec.name, &first_path, "it has no metadata"));
    }
    Ok(replay)
}

fn read_part(
    replay: &mut Replay<'_>,
    path: &str,
    bytes: Bytes,
    table: &str,
    has_metadata: &mut bool,
) -> Result<(), StoreError> {
    let failed = |error: parquet::errors::ParquetError| corrupt(table, path, &error.to_string());
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).map_err(failed)?;
    let wanted: &[&str] = if replay.tombstones.is_some() {
        &["txn", "add", "remove", "metaData", "protocol"]
    } else {
        &["txn", "add", "metaData", "protocol"]
    };
    let roots = builder.schema().fields().iter().enumerate();
    let roots: Vec<usize> = roots.filter(|(_, f)| wanted.contains(&f.name().as_str())).map(|(i, _)| i).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    for batch in builder.with_projection(mask).build().map_err(failed)? {
        let batch = batch.map_err(|error| corrupt(table, path, &error.to_string()))?;
        let columns = Columns { table, path, batch: &batch };
        *has_metadata |= columns.metadata(replay)?;
        columns.fences(replay)?;
        columns.adds(replay)?;
        columns.removes(replay)?;
    }
    Ok(())
}

impl Columns<'_> {
    /// The struct column of one kind of action; absent if the checkpoint has none.
    fn actions(&self, name: &str) -> Result<Option<&StructArray>, StoreError> {
        match self.batch.column_by_name(name) {
            None => Ok(None),
            Some(column) => column.as_struct_opt().map(Some).ok_or_else(|| self.corrupt(name, "is no structure")),
        }
    }

    fn child<'b>(&self, of: &'b StructArray, name: &str) -> Result<&'b dyn Array, StoreError> {
        of.column_by_name(name).map(AsRef::as_ref).ok_or_else(|| self.corrupt(name, "is missing"))
    }

    fn texts<'b>(&self, of: &'b StructArray, name: &str) -> Result<&'b StringArray, StoreError> {
        self.child(of, name)?.as_string_opt().ok_or_else(|| self.corrupt(name, "is no text"))
    }

    fn longs<'b>(&self, of: &'b StructArray, name: &str) -> Result<&'b arrow::array::Int64Array, StoreError> {
        self.child(of, name)?.as_primitive_opt::<Int64Type>().ok_or_else(|| self.corrupt(name, "is no number"))
    }

    fn corrupt(&self, column: &str, detail: &str) -> StoreError {
        corrupt(self.table, self.path, &format!("column {column} {detail}"))
    }

    fn metadata(&self, replay: &Replay<'_>) -> Result<bool, StoreError> {
        if let Some(protocols) = self.actions("protocol")? {
            let version = |name| {
                let numbers = self.child(protocols, name)?.as_primitive_opt::<Int32Type>();
                numbers.ok_or_else(|| self.corrupt(name, "is no number"))
            };
            let (readers, writers) = (version("minReaderVersion")?, version("minWriterVersion")?);
            for row in valid_rows(protocols) {
                replay.protocol_versions(readers.value(row), writers.value(row))?;
            }
        }
        let Some(metadata) = self.actions("metaData")? else { return Ok(false) };
        let schemas = self.texts(metadata, "schemaString")?;
        let mut found = false;
        for row in valid_rows(metadata) {
            replay.schema(schemas.value(row))?;
            found = true;
        }
        Ok(found)
    }

    fn fences(&self, replay: &mut Replay<'_>) -> Result<(), StoreError> {
        let Some(txns) = self.actions("txn")? else { return Ok(()) };
        let (apps, versions) = (self.texts(txns, "appId")?, self.longs(txns, "version")?);
        for row in valid_rows(txns) {
            replay.fence(apps.value(row), versions.value(row));
        }
        Ok(())
    }

    fn adds(&self, replay: &mut Replay<'_>) -> Result<(), StoreError> {
        let Some(adds) = self.actions("add")? else { return Ok(()) };
        let (paths, sizes) = (self.texts(adds, "path")?, self.longs(adds, "size")?);
        let (times, stats) = (self.longs(adds, "modificationTime")?, self.texts(adds, "stats")?);
        let vectors = adds.column_by_name("deletionVector");
        for row in valid_rows(adds) {
            if vectors.is_some_and(|vectors| vectors.is_valid(row)) {
                return Err(replay.unsupported("a file has a deletion vector"));
            }
            let stats = stats.is_valid(row).then(|| stats.value(row));
            let path = self.decoded(paths.value(row))?;
            let file = DataFile::from_log(replay.table_schema(), path, sizes.value(row), times.value(row), stats)
                .map_err(|detail| corrupt(self.table, self.path, &detail))?;
            replay.push(file);
        }
        Ok(())
    }

    fn removes(&self, replay: &mut Replay<'_>) -> Result<(), StoreError> {
        let (Some(removes), Some(_)) = (self.actions("remove")?, &replay.tombstones) else { return Ok(()) };
        let (paths, times) = (self.texts(removes, "path")?, self.longs(removes, "deletionTimestamp")?);
        for row in valid_rows(removes) {
            let path = self.decoded(paths.value(row))?;
            if let Some(tombstones) = &mut replay.tombstones {
                tombstones.insert(path, if times.is_valid(row) { times.value(row) } else { 0 });
            }
        }
        Ok(())
    }

    /// Paths are percent-encoded in the log.
    fn decoded(&self, path: &str) -> Result<String, StoreError> {
        match Path::from_url_path(path) {
            Ok(path) => Ok(path.into()),
            Err(error) => Err(self.corrupt("path", &error.to_string())),
        }
    }
}

/// The rows that hold an action of this kind.
fn valid_rows(actions: &StructArray) -> impl Iterator<Item = usize> + '_ {
    (0..actions.len()).filter(|row| actions.is_valid(*row))
}

fn corrupt(table: &str, path: &str, detail: &str) -> StoreError {
    StoreError::CorruptLog { table: table.to_owned(), path: path.to_owned(), detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_checkpoints_are_understood() {
        let single = CheckpointRef { version: 12, parts: None };
        let parts = CheckpointRef { version: 12, parts: Some(2) };
        for checkpoint in [single, parts] {
            for path in checkpoint.paths() {
                let name = path.strip_prefix("_delta_log/").expect("in the log");
                assert_eq!(CheckpointRef::from_name(name), Some(checkpoint), "{name}");
            }
        }
        for other in ["00000000000000000012.json", "_last_checkpoint", "00000000000000000012.checkpoint.x-y.parquet"] {
            assert_eq!(CheckpointRef::from_name(other), None, "{other}");
        }
    }
}
