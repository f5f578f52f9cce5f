//! Merging small files into large ones.
//!
//! Invariant: the merged file has exactly the rows of the files that it
//! replaces, and it replaces all of them or none. Appends never touch a file
//! that is in the table, so a merge may follow any of them.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::append::Outcome;
use crate::crash::crash_point_in;
use crate::data_file::{ColumnStats, DataFile};
use crate::encode::{ParquetEncoder, TableWriter, Tuning};
use crate::error::StoreError;
use crate::lake::now_ms;
use crate::log::{Entry, Operation};
use crate::maintenance::plan::CompactionPlan;
use crate::read::ReadOptions;
use crate::snapshot::Snapshot;
use crate::sync::StagedFile;
use crate::table::{Table, data_path};

/// What a round of merges did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compacted {
    /// How many merges were committed.
    pub merges: usize,
    /// How many files they replaced.
    pub files: usize,
    /// How many rows were written again.
    pub rows: u64,
    /// The size of the files replaced (bytes).
    pub bytes_before: u64,
    /// The size of the files that replace them (bytes).
    pub bytes_after: u64,
}

/// Merges what the plan finds. Memory is bounded by one row group, whatever
/// the size of the files.
///
/// # Errors
/// [`StoreError::Vanished`] if another process removed one of the files;
/// otherwise as reading and writing. Merges that were committed before stay.
pub async fn compact(table: &Table, plan: &CompactionPlan<'_>) -> Result<Compacted, StoreError> {
    let snapshot = table.refresh().await?;
    let mut done = Compacted::default();
    for group in plan.groups(&snapshot) {
        let merged = merge(table, &group).await?;
        done.merges += 1;
        done.files += group.len();
        done.rows += merged.rows;
        done.bytes_before += group.iter().map(|file| file.size).sum::<u64>();
        done.bytes_after += merged.size;
    }
    Ok(done)
}

async fn merge(table: &Table, group: &[Arc<DataFile>]) -> Result<DataFile, StoreError> {
    let merged = write_merged(table, group).await?;
    crash_point_in("store.compact.written", table.spec().name);
    let removed: Vec<&DataFile> = group.iter().map(AsRef::as_ref).collect();
    let entry = Entry::new(table.spec().name, Operation::Compact, [], std::slice::from_ref(&merged), &removed)?;
    let paths: HashSet<&str> = group.iter().map(|file| file.path.as_str()).collect();
    let all_there = |snapshot: &Snapshot| missing(snapshot, &paths).is_none();
    let mut head = table.inner.head.lock().await;
    match table.inner.commit(&mut head, &entry, &all_there, false).await? {
        Outcome::Landed(_) => Ok(merged),
        Outcome::Refused => {
            let path = missing(&head, &paths).unwrap_or_default().to_owned();
            // If this fails, vacuum removes the file later.
            let _ = table.inner.store().delete(&Path::from(merged.path.as_str())).await;
            Err(StoreError::Vanished { table: table.spec().name.to_owned(), path })
        }
    }
}

/// One of the files that is not in the table any more.
fn missing<'a>(snapshot: &Snapshot, paths: &HashSet<&'a str>) -> Option<&'a str> {
    let there: HashSet<&str> = snapshot.files().map(|file| file.path.as_str()).collect();
    paths.iter().find(|path| !there.contains(*path)).copied()
}

async fn write_merged(table: &Table, group: &[Arc<DataFile>]) -> Result<DataFile, StoreError> {
    let path = data_path();
    let (size, rows, stats) = match table.lake().table_folder(table.spec().name) {
        Some(folder) => {
            let (table, group, target, path) = (table.clone(), group.to_vec(), folder.join(&path), path.clone());
            blocking(table.spec().name, move || write_local(&table, &group, &target, &path)).await?
        }
        None => write_remote(table, group, &path).await?,
    };
    let expected: u64 = group.iter().map(|file| file.rows).sum();
    if rows != expected {
        let detail = format!("merging yielded {rows} of {expected} rows");
        return Err(StoreError::CorruptFile { table: table.spec().name.to_owned(), path, detail });
    }
    Ok(DataFile { path, size, rows, modified_ms: now_ms(), stats })
}

type Written = (u64, u64, Box<[ColumnStats]>);

fn write_local(
    table: &Table,
    group: &[Arc<DataFile>],
    target: &std::path::Path,
    path: &str,
) -> Result<Written, StoreError> {
    let failed = |error: std::io::Error| StoreError::storage(table.spec().name, "write", path, error);
    let staged = StagedFile::create(target).map_err(failed)?;
    let sink: BufWriter<&File> = BufWriter::with_capacity(1 << 20, staged.file());
    let (mut sink, rows, stats) = copy_rows(table, group, sink)?;
    sink.flush().map_err(failed)?;
    drop(sink);
    let size = staged.file().metadata().map_err(failed)?.len();
    staged.create_new().map_err(failed)?;
    Ok((size, rows, stats))
}

async fn write_remote(table: &Table, group: &[Arc<DataFile>], path: &str) -> Result<Written, StoreError> {
    let (reader, files) = (table.clone(), group.to_vec());
    let (bytes, rows, stats) = blocking(table.spec().name, move || copy_rows(&reader, &files, Vec::new())).await?;
    let size = bytes.len() as u64;
    let options = PutOptions::from(PutMode::Create);
    let put = table.inner.store().put_opts(&Path::from(path), PutPayload::from(bytes), options).await;
    put.map_err(|error| StoreError::storage(table.spec().name, "write", path, error))?;
    Ok((size, rows, stats))
}

fn copy_rows<W: Write + Send>(
    table: &Table,
    group: &[Arc<DataFile>],
    sink: W,
) -> Result<(W, u64, Box<[ColumnStats]>), StoreError> {
    let encoder = ParquetEncoder::new(table.spec(), Tuning::Compact);
    let options = ReadOptions { dictionaries: true, ..ReadOptions::default() };
    let mut sink = Some(sink);
    let mut writer: Option<TableWriter<W>> = None;
    for file in group {
        let rows = table.read_file(file, &options)?;
        if let Some(sink) = sink.take() {
            writer = Some(encoder.writer(sink, Some(&rows.schema()))?);
        }
        for batch in rows {
            if let Some(writer) = &mut writer {
                writer.write(&batch?)?;
            }
        }
    }
    let nothing = || StoreError::storage(table.spec().name, "merge", "no file", "there is nothing to merge");
    writer.ok_or_else(nothing)?.finish()
}

async fn blocking<T: Send + 'static>(
    table: &'static str,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::storage(table, "merge", "data files", error)),
    }
}
