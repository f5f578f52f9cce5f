//! Small books on disk: Parquet files that are written row by row, with a
//! hand-made list of files.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Int32Array, Int64Array, ListArray, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use arrow::record_batch::RecordBatch;
use object_store::local::LocalFileSystem;
use parquet::arrow::ArrowWriter;
use stempoint_query::output::{self, Format};
use stempoint_query::{Engine, EngineOptions, LedgerFiles, QueryError, Session};
use stempoint_schemas::tables::{COMMITS, Kind, Table, shard_fields};
use stempoint_schemas::time::Instant;
use stempoint_store::{ColumnStats, DataFile, Stat};
use tempfile::TempDir;
use url::Url;

/// The values of a row by column. Columns that are not named are null, or
/// zero or empty where they cannot be.
pub type Row = Vec<(&'static str, Cell)>;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    Bool(bool),
    /// visible, settled
    Shards(Vec<(u64, u64)>),
    Null,
}

impl From<i64> for Cell {
    fn from(value: i64) -> Cell {
        Cell::Int(value)
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Cell {
        Cell::Bool(value)
    }
}

/// Texts, times and decimals are all written as text.
impl From<&str> for Cell {
    fn from(value: &str) -> Cell {
        Cell::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Cell {
        Cell::Text(value)
    }
}

impl From<Option<&str>> for Cell {
    fn from(value: Option<&str>) -> Cell {
        value.map_or(Cell::Null, Cell::from)
    }
}

/// Books in a folder of their own.
pub struct Books {
    folder: TempDir,
    files: HashMap<&'static str, Vec<Arc<DataFile>>>,
    written: usize,
}

impl Books {
    pub fn new() -> Books {
        Books { folder: tempfile::tempdir().expect("a folder"), files: HashMap::new(), written: 0 }
    }

    /// Adds one file with these rows.
    pub fn add(&mut self, table: &'static Table, rows: &[Row]) -> Arc<DataFile> {
        let file = Arc::new(self.write(table, &batch(table, rows), &stats(table, rows)));
        self.files.entry(table.name).or_default().push(Arc::clone(&file));
        file
    }

    /// Says what a table consists of now.
    pub fn replace(&mut self, table: &'static Table, files: Vec<Arc<DataFile>>) {
        self.files.insert(table.name, files);
    }

    /// Adds a ledger version with (watermark, settled) per partition.
    pub fn commit(&mut self, version: i64, shards: &[(u64, u64)], control_offset: i64) {
        self.add(
            &COMMITS,
            &[vec![
                ("version", version.into()),
                ("shards", Cell::Shards(shards.to_vec())),
                ("control_offset", control_offset.into()),
            ]],
        );
    }

    /// Writes a file without adding it to the table.
    pub fn write(&mut self, table: &'static Table, batch: &RecordBatch, stats: &[ColumnStats]) -> DataFile {
        self.written += 1;
        let path = format!("part-{}.parquet", self.written);
        let folder = self.folder.path().join(table.name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let target = folder.join(&path);
        let mut writer =
            ArrowWriter::try_new(File::create(&target).expect("a file"), batch.schema(), None).expect("a writer");
        writer.write(batch).expect("written");
        writer.close().expect("closed");
        let size = std::fs::metadata(&target).expect("there").len();
        DataFile { path, size, rows: batch.num_rows() as u64, modified_ms: 1, stats: stats.into() }
    }

    pub fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub fn engine(&self) -> Engine {
        let url = Url::from_directory_path(self.folder.path()).expect("an absolute path");
        let options = EngineOptions { threads: 2, ..EngineOptions::default() };
        Engine::new(Arc::new(LocalFileSystem::new()), &url, options).expect("an engine")
    }

    pub async fn session(&self, version: Option<i64>) -> Result<Session, QueryError> {
        let engine = self.engine();
        let pin = engine.pin(self.files.get(COMMITS.name).map_or(&[], Vec::as_slice), version).await?;
        engine.session(pin, &self.ledger_files())
    }

    pub fn ledger_files(&self) -> LedgerFiles {
        let tables = stempoint_schemas::tables::ALL.into_iter();
        tables.fold(LedgerFiles::new(), |files, table| match self.files.get(table.name) {
            Some(of) => files.with(table, of.iter().cloned()),
            None => files,
        })
    }

    /// What a query prints as CSV.
    pub async fn csv(&self, version: Option<i64>, sql: &str) -> Result<String, QueryError> {
        csv(&self.session(version).await?, sql).await
    }
}

/// What a query prints as CSV.
pub async fn csv(session: &Session, sql: &str) -> Result<String, QueryError> {
    printed(session, sql, Format::Csv).await
}

pub async fn printed(session: &Session, sql: &str, format: Format) -> Result<String, QueryError> {
    let mut out = Vec::new();
    match output::write(session.sql(sql).await?, format, &mut out).await {
        Ok(_) => Ok(String::from_utf8(out).expect("text")),
        Err(output::OutputError::Query(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

/// The smallest and largest partition, offset and version of some rows.
pub fn stats(table: &Table, rows: &[Row]) -> Vec<ColumnStats> {
    let known = ["_partition", "_offset", "version"];
    let columns = table.columns.iter().filter(|column| known.contains(&column.name));
    columns
        .map(|column| {
            let values = rows.iter().map(|row| match value(row, column.name) {
                Some(Cell::Int(value)) => *value,
                _ => 0,
            });
            ColumnStats {
                column: column.name.to_owned(),
                min: values.clone().min().map(Stat::Int),
                max: values.max().map(Stat::Int),
                nulls: 0,
            }
        })
        .collect()
}

fn value<'a>(row: &'a Row, column: &str) -> Option<&'a Cell> {
    row.iter().find(|(name, _)| *name == column).map(|(_, cell)| cell)
}

/// Rows as Arrow has them.
pub fn batch(table: &Table, rows: &[Row]) -> RecordBatch {
    for row in rows {
        for (name, _) in row {
            assert!(table.index(name).is_some(), "{} has no column {name}", table.name);
        }
    }
    let columns = table.columns.iter().map(|column| {
        let cells: Vec<Option<&Cell>> =
            rows.iter().map(|row| value(row, column.name).filter(|c| **c != Cell::Null)).collect();
        array(column.kind, column.nullable, &cells)
    });
    RecordBatch::try_new(table.schema(), columns.collect()).expect("rows of the table")
}

fn array(kind: Kind, nullable: bool, cells: &[Option<&Cell>]) -> ArrayRef {
    let int = |cell: &Cell| match cell {
        Cell::Int(value) => *value,
        other => panic!("{other:?} is no integer"),
    };
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        other => panic!("{other:?} is no text"),
    };
    let ints = || cells.iter().map(move |cell| cell.map(int).or((!nullable).then_some(0)));
    let texts = || cells.iter().map(move |cell| cell.map(text).or((!nullable).then(String::new)));
    match kind {
        Kind::Int => Arc::new(ints().map(|v| v.map(|v| i32::try_from(v).expect("32 bits"))).collect::<Int32Array>()),
        Kind::Long => Arc::new(ints().collect::<Int64Array>()),
        Kind::Text => Arc::new(texts().collect::<StringArray>()),
        Kind::Bool => Arc::new(
            cells
                .iter()
                .map(|cell| match cell {
                    Some(Cell::Bool(value)) => Some(*value),
                    _ => (!nullable).then_some(false),
                })
                .collect::<BooleanArray>(),
        ),
        Kind::Bytes => Arc::new(
            cells
                .iter()
                .map(|cell| match cell {
                    Some(Cell::Bytes(bytes)) => Some(bytes.clone()),
                    _ => (!nullable).then(Vec::new),
                })
                .collect::<BinaryArray>(),
        ),
        Kind::Time => {
            let us = |text: String| Instant::parse(&text).expect("a time").us();
            let values = cells.iter().map(|cell| cell.map(text).map(us).or((!nullable).then_some(0)));
            Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        Kind::Decimal(precision, scale) => {
            let number = |text: String| {
                stempoint_schemas::decimal::parse(&text, u32::try_from(scale).expect("no sign")).expect("a decimal")
            };
            let values = cells.iter().map(|cell| cell.map(text).map(number).or((!nullable).then_some(0)));
            Arc::new(values.collect::<Decimal128Array>().with_precision_and_scale(precision, scale).expect("in range"))
        }
        Kind::Shards => shards(cells),
    }
}

fn shards(cells: &[Option<&Cell>]) -> ArrayRef {
    let lists: Vec<&[(u64, u64)]> = cells
        .iter()
        .map(|cell| match cell {
            Some(Cell::Shards(shards)) => shards.as_slice(),
            _ => &[],
        })
        .collect();
    let all: Vec<(i32, i64, i64)> = lists
        .iter()
        .flat_map(|list| {
            list.iter()
                .zip(0..)
                .map(|((at, below), p)| (p, i64::try_from(*at).unwrap(), i64::try_from(*below).unwrap()))
        })
        .collect();
    let long = |of: fn(&(i32, i64, i64)) -> i64| -> ArrayRef { Arc::new(all.iter().map(of).collect::<Int64Array>()) };
    let zeros = || long(|_| 0);
    let bytes = || -> ArrayRef { Arc::new(all.iter().map(|_| Some(vec![0_u8; 2])).collect::<BinaryArray>()) };
    let columns: Vec<ArrayRef> = shard_fields()
        .iter()
        .map(|field| match (field.name().as_str(), field.data_type()) {
            ("partition", _) => Arc::new(all.iter().map(|s| s.0).collect::<Int32Array>()) as ArrayRef,
            ("watermark", _) => long(|s| s.1),
            ("settled", _) => long(|s| s.2),
            (_, DataType::Int64) => zeros(),
            _ => bytes(),
        })
        .collect();
    let elements = StructArray::new(shard_fields(), columns, None);
    let field = Arc::new(Field::new("element", DataType::Struct(shard_fields()), false));
    let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.len()));
    Arc::new(ListArray::new(field, offsets, Arc::new(elements), None))
}
