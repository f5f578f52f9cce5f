//! Adding up what a log says.
//!
//! Invariant: the files and fences of a snapshot are exactly those that the
//! Delta protocol derives from the same entries.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::Schema;
use bytes::Bytes;
use deltalake::kernel::{Action, Add, Metadata, Protocol};

use crate::data_file::DataFile;
use crate::error::StoreError;
use crate::log::{entry, entry_path};
use crate::snapshot::Snapshot;
use crate::spec::TableSpec;

/// The highest versions of the Delta protocol that this program reads and writes.
const READER_VERSION_MAX: i32 = 1;
const WRITER_VERSION_MAX: i32 = 2;

/// A snapshot that is being advanced.
pub(crate) struct Replay<'a> {
    spec: &'a TableSpec,
    /// What the log has added up to so far.
    pub(crate) snapshot: Snapshot,
    /// Removed files with the time of their removal (milliseconds since 1970), if they are wanted.
    pub(crate) tombstones: Option<HashMap<String, i64>>,
}

impl<'a> Replay<'a> {
    /// Goes on from a snapshot.
    pub(crate) fn new(spec: &'a TableSpec, snapshot: Snapshot) -> Self {
        Self { spec, snapshot, tombstones: None }
    }

    /// Applies the next entry.
    pub(crate) fn apply(&mut self, version: u64, bytes: &Bytes) -> Result<(), StoreError> {
        let actions = entry::parse(self.spec.name, version, bytes)?;
        let blind = actions
            .iter()
            .any(|action| matches!(action, Action::CommitInfo(info) if info.is_blind_append == Some(true)));
        let mut gone: HashSet<&str> = HashSet::new();
        for action in &actions {
            match action {
                Action::Remove(remove) => drop(gone.insert(remove.path.as_str())),
                // Who does not append blindly may add a file again with other statistics.
                Action::Add(add) if !blind => drop(gone.insert(add.path.as_str())),
                _ => {}
            }
        }
        if !gone.is_empty() {
            self.snapshot.files.remove(&gone);
        }
        let path = entry_path(version);
        for action in &actions {
            self.apply_action(&path, action)?;
        }
        self.snapshot.version = version;
        self.snapshot.entry = Some(blake3::hash(bytes));
        Ok(())
    }

    fn apply_action(&mut self, path: &str, action: &Action) -> Result<(), StoreError> {
        match action {
            Action::Add(add) => self.add(path, add),
            Action::Remove(remove) => {
                if let Some(tombstones) = &mut self.tombstones {
                    tombstones.insert(remove.path.clone(), remove.deletion_timestamp.unwrap_or(0));
                }
                Ok(())
            }
            Action::Txn(txn) => {
                self.fence(&txn.app_id, txn.version);
                Ok(())
            }
            Action::Metadata(metadata) => self.metadata(metadata),
            Action::Protocol(protocol) => self.protocol(protocol),
            Action::Cdc(_) | Action::CommitInfo(_) | Action::DomainMetadata(_) => Ok(()),
        }
    }

    fn add(&mut self, path: &str, add: &Add) -> Result<(), StoreError> {
        if add.deletion_vector.is_some() {
            return Err(self.unsupported("a file has a deletion vector"));
        }
        let file = DataFile::from_log(
            &self.spec.schema,
            add.path.clone(),
            add.size,
            add.modification_time,
            add.stats.as_deref(),
        )
        .map_err(|detail| StoreError::CorruptLog {
            table: self.spec.name.to_owned(),
            path: path.to_owned(),
            detail,
        })?;
        self.push(file);
        Ok(())
    }

    /// The columns of the table.
    pub(crate) fn table_schema(&self) -> &'a Schema {
        &self.spec.schema
    }

    /// Adds a file.
    pub(crate) fn push(&mut self, file: DataFile) {
        if let Some(tombstones) = &mut self.tombstones {
            tombstones.remove(&file.path);
        }
        self.snapshot.files.push(Arc::new(file));
    }

    /// Moves a fence.
    pub(crate) fn fence(&mut self, app: &str, version: i64) {
        Arc::make_mut(&mut self.snapshot.fences).insert(app.to_owned(), version);
    }

    fn metadata(&self, metadata: &Metadata) -> Result<(), StoreError> {
        // The fields of the library's type are private, its serialised form is the protocol's.
        let value = serde_json::to_value(metadata)
            .map_err(|error| StoreError::delta(self.spec.name, "read the metadata of", error))?;
        self.schema(value["schemaString"].as_str().unwrap_or_default())?;
        match metadata.partition_columns().first() {
            Some(column) => Err(self.unsupported(&format!("it is partitioned by {column}"))),
            None => Ok(()),
        }
    }

    /// Compares the schema with the one that is wanted.
    pub(crate) fn schema(&self, schema_string: &str) -> Result<(), StoreError> {
        self.spec.check_delta_schema(schema_string)
    }

    fn protocol(&self, protocol: &Protocol) -> Result<(), StoreError> {
        let value = serde_json::to_value(protocol)
            .map_err(|error| StoreError::delta(self.spec.name, "read the protocol of", error))?;
        let version = |key: &str| value[key].as_i64().and_then(|v| i32::try_from(v).ok()).unwrap_or(i32::MAX);
        self.protocol_versions(version("minReaderVersion"), version("minWriterVersion"))
    }

    /// Compares the protocol with the one that this program knows.
    pub(crate) fn protocol_versions(&self, reader: i32, writer: i32) -> Result<(), StoreError> {
        if reader > READER_VERSION_MAX || writer > WRITER_VERSION_MAX {
            return Err(self.unsupported(&format!("it asks for reader version {reader} and writer version {writer}")));
        }
        Ok(())
    }

    pub(crate) fn unsupported(&self, detail: &str) -> StoreError {
        StoreError::UnsupportedTable { table: self.spec.name.to_owned(), detail: detail.to_owned() }
    }
}
