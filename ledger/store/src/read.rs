//! Reading the rows of one data file.
//!
//! Invariant: a file yields all its rows or an error. A damaged file is
//! noticed by its size, its footer, its number of rows or its pages, and even
//! what makes the Parquet library panic becomes an error.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error as ObjectError, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;

use crate::data_file::DataFile;
use crate::error::StoreError;
use crate::spec::{Encoding, TableSpec};
use crate::table::Table;

/// Batches of large rows have fewer rows, so that memory stays bounded (bytes).
const BATCH_BYTES_MAX: usize = 32 << 20;

/// How a file is to be read.
#[derive(Debug, Clone, Copy)]
pub struct ReadOptions<'a> {
    /// The columns to read, in the order wanted; `None` for all.
    pub columns: Option<&'a [&'a str]>,
    /// Whether texts of few different values come as `Dictionary(Int32, Utf8)`.
    pub dictionaries: bool,
    /// How many rows a batch has at most.
    pub batch_rows: usize,
}

impl Default for ReadOptions<'_> {
    fn default() -> Self {
        Self { columns: None, dictionaries: false, batch_rows: 1 << 16 }
    }
}

/// The rows of one file, batch by batch.
pub struct FileReader {
    table: &'static str,
    path: String,
    schema: SchemaRef,
    /// For each wanted column, where the Parquet reader has it.
    order: Vec<usize>,
    batches: Option<ParquetRecordBatchReader>,
}

impl Table {
    /// Opens a data file. This blocks: call it from a thread that may, for
    /// lakes on other machines not from the runtime's only thread.
    ///
    /// # Errors
    /// [`StoreError::MissingFile`], which is no damage if the snapshot is older
    /// than the table's `file_retention`: refresh it and read again; [`StoreError::CorruptFile`], or
    /// [`StoreError::Rows`] for a column that the table does not have.
    pub fn read_file(&self, file: &DataFile, options: &ReadOptions<'_>) -> Result<FileReader, StoreError> {
        let spec = &self.inner.spec;
        let open = || match self.open_local(file)? {
            Some(local) => open(spec, file, local, options),
            None => open(spec, file, self.fetch(file)?, options),
        };
        guarded(spec.name, &file.path, open)
    }

    fn open_local(&self, file: &DataFile) -> Result<Option<File>, StoreError> {
        let table = self.inner.spec.name;
        let Some(folder) = self.inner.lake.table_folder(table) else { return Ok(None) };
        let opened = File::open(folder.join(&file.path)).and_then(|opened| Ok((opened.metadata()?.len(), opened)));
        match opened {
            Ok((size, opened)) => check_size(table, file, size).map(|()| Some(opened)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(table, file)),
            Err(error) => Err(StoreError::storage(table, "read", &file.path, error)),
        }
    }

    fn fetch(&self, file: &DataFile) -> Result<Bytes, StoreError> {
        let table = self.inner.spec.name;
        let (store, path) = (self.inner.store(), Path::from(file.path.as_str()));
        let (sender, receiver) = mpsc::sync_channel(1);
        let get = async move {
            let bytes = match store.get(&path).await {
                Ok(result) => result.bytes().await,
                Err(error) => Err(error),
            };
            // Only a reader that has gone away does not take the answer.
            let _ = sender.send(bytes);
        };
        let lost = || StoreError::storage(table, "read", &file.path, "there is no runtime to read with");
        drop(self.inner.lake.runtime().ok_or_else(lost)?.spawn(get));
        match receiver.recv().map_err(|_| lost())? {
            Ok(bytes) => check_size(table, file, bytes.len() as u64).map(|()| bytes),
            Err(ObjectError::NotFound { .. }) => Err(missing(table, file)),
            Err(error) => Err(StoreError::storage(table, "read", &file.path, error)),
        }
    }
}

fn missing(table: &str, file: &DataFile) -> StoreError {
    StoreError::MissingFile { table: table.to_owned(), path: file.path.clone() }
}

fn corrupt(table: &str, path: &str, detail: String) -> StoreError {
    StoreError::CorruptFile { table: table.to_owned(), path: path.to_owned(), detail }
}

fn check_size(table: &str, file: &DataFile, size: u64) -> Result<(), StoreError> {
    if size == file.size {
        return Ok(());
    }
    Err(corrupt(table, &file.path, format!("it has {size} of {} bytes", file.size)))
}

/// The Parquet library was not written for files that somebody tampered with.
fn guarded<T>(table: &str, path: &str, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(corrupt(table, path, "its content makes no sense to the Parquet reader".to_owned())))
}

fn open<R: ChunkReader + 'static>(
    spec: &TableSpec,
    file: &DataFile,
    source: R,
    options: &ReadOptions<'_>,
) -> Result<FileReader, StoreError> {
    let failed = |error: ParquetError| corrupt(spec.name, &file.path, error.to_string());
    let expected = expected_schema(spec, options.dictionaries);
    let reader_options = ArrowReaderOptions::new().with_schema(Arc::clone(&expected));
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(source, reader_options).map_err(failed)?;
    let rows = builder.metadata().file_metadata().num_rows();
    if u64::try_from(rows) != Ok(file.rows) {
        return Err(corrupt(spec.name, &file.path, format!("it has {rows} of {} rows", file.rows)));
    }
    let wanted = wanted_columns(spec, options)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
    let batch_rows = options.batch_rows.min(rows_within_bounds(builder.metadata())).max(1);
    let batches = builder.with_projection(mask).with_batch_size(batch_rows).build().map_err(failed)?;
    // The Parquet reader keeps the file's order and reads no column twice.
    let mut read = wanted.clone();
    read.sort_unstable();
    read.dedup();
    let order = wanted.iter().filter_map(|column| read.binary_search(column).ok()).collect();
    let schema = expected.project(&wanted).map_err(|error| corrupt(spec.name, &file.path, error.to_string()))?;
    Ok(FileReader {
        table: spec.name,
        path: file.path.clone(),
        schema: Arc::new(schema),
        order,
        batches: Some(batches),
    })
}

/// How many rows of the average size a batch may have.
fn rows_within_bounds(metadata: &ParquetMetaData) -> usize {
    let bytes = |group: &RowGroupMetaData| group.total_byte_size().max(0) / group.num_rows().max(1);
    let row_bytes_max = metadata.row_groups().iter().map(bytes).max().unwrap_or(0);
    BATCH_BYTES_MAX / usize::try_from(row_bytes_max).unwrap_or(usize::MAX).max(1)
}

fn expected_schema(spec: &TableSpec, dictionaries: bool) -> SchemaRef {
    let field = |field: &Arc<Field>| {
        let as_dictionary =
            dictionaries && field.data_type() == &DataType::Utf8 && TableSpec::encoding(field) == Encoding::Dictionary;
        let data_type = if as_dictionary {
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
        } else {
            field.data_type().clone()
        };
        Field::new(field.name(), data_type, field.is_nullable())
    };
    Arc::new(Schema::new(spec.schema.fields().iter().map(field).collect::<Vec<_>>()))
}

fn wanted_columns(spec: &TableSpec, options: &ReadOptions<'_>) -> Result<Vec<usize>, StoreError> {
    let Some(names) = options.columns else { return Ok((0..spec.schema.fields().len()).collect()) };
    let index = |name: &&str| {
        spec.schema.index_of(name).map_err(|_| StoreError::Rows {
            table: spec.name.to_owned(),
            column: (*name).to_owned(),
            detail: "is not a column of the table".to_owned(),
        })
    };
    names.iter().map(index).collect()
}

impl FileReader {
    /// The columns of the batches.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn arrange(&self, batch: &RecordBatch) -> Result<RecordBatch, StoreError> {
        let failed = |error: arrow::error::ArrowError| corrupt(self.table, &self.path, error.to_string());
        let columns = batch.project(&self.order).map_err(failed)?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns.columns().to_vec(), &options)
            .map_err(failed)
    }
}

impl Iterator for FileReader {
    type Item = Result<RecordBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut batches = self.batches.take()?;
        let next = guarded(self.table, &self.path, || match batches.next() {
            None => Ok(None),
            Some(Ok(batch)) => self.arrange(&batch).map(Some),
            Some(Err(error)) => Err(corrupt(self.table, &self.path, error.to_string())),
        });
        // After an error or the end there is nothing more to read.
        if matches!(next, Ok(Some(_))) {
            self.batches = Some(batches);
        }
        next.transpose()
    }
}
