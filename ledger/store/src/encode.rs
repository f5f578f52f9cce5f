//! From Arrow batches to the bytes of a Parquet file.
//!
//! Invariant: a file holds exactly the rows that were given, in their order,
//! in the types that the table's schema names, however the batches held them
//! (texts may come as dictionaries).

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding as ParquetEncoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::data_file::ColumnStats;
use crate::error::StoreError;
use crate::spec::{Encoding, TableSpec, same_type};
use crate::stats::StatsCollector;

/// What a file is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tuning {
    /// Rows that have just arrived: little time per row.
    Hot,
    /// Rows that stay: little space per row.
    Compact,
}

/// Row groups end after so many rows.
const ROW_GROUP_ROWS: usize = 1 << 20;
/// Row groups of large rows end earlier, since they are built in memory (bytes).
const ROW_GROUP_BYTES: usize = 128 << 20;
/// The zstd level of most columns. Packed integers and dictionary numbers gain
/// nothing from more: level 4 took 1.6 times as long for 2 % more space.
const LEVEL_FAST: i32 = 1;
/// The zstd level of texts, bytes and large decimals in files that stay.
const LEVEL_THOROUGH: i32 = 6;

/// A Parquet file in memory.
#[derive(Debug, Clone)]
pub struct EncodedFile {
    /// The file.
    pub bytes: Bytes,
    /// How many rows it has.
    pub rows: u64,
    /// The bounds of its columns.
    pub stats: Box<[ColumnStats]>,
}

/// Encodes rows of one table. It may be shared between threads.
#[derive(Debug, Clone)]
pub struct ParquetEncoder {
    spec: TableSpec,
    properties: WriterProperties,
}

impl ParquetEncoder {
    /// An encoder for a table.
    pub fn new(spec: &TableSpec, tuning: Tuning) -> Self {
        Self { spec: spec.clone(), properties: properties(spec, tuning) }
    }

    /// Encodes the batches as one file. Pure computation.
    ///
    /// # Errors
    /// [`StoreError::Rows`] if a batch does not have the table's columns, or
    /// nulls where there must be none.
    pub fn encode(&self, batches: &[RecordBatch]) -> Result<EncodedFile, StoreError> {
        let mut writer = self.writer(Vec::new(), batches.first().map(RecordBatch::schema_ref))?;
        for batch in batches {
            writer.write(batch)?;
        }
        let (bytes, rows, stats) = writer.finish()?;
        Ok(EncodedFile { bytes: bytes.into(), rows, stats })
    }

    /// A writer of a file of which not all rows are known yet; `like` is how
    /// they will come.
    pub(crate) fn writer<W: Write + Send>(
        &self,
        sink: W,
        like: Option<&SchemaRef>,
    ) -> Result<TableWriter<W>, StoreError> {
        let schema = self.physical_schema(like)?;
        let options = ArrowWriterOptions::new().with_properties(self.properties.clone()).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(sink, Arc::clone(&schema), options)
            .map_err(|error| encoding_failed(self.spec.name, error))?;
        Ok(TableWriter { table: self.spec.name, schema, writer, stats: StatsCollector::new(&self.spec), rows: 0 })
    }

    /// The table's schema, with dictionaries where the batches have them.
    fn physical_schema(&self, like: Option<&SchemaRef>) -> Result<SchemaRef, StoreError> {
        let field = |(index, field): (usize, &Arc<Field>)| {
            let data_type = match like {
                None => field.data_type(),
                Some(like) => {
                    let given = like.fields().get(index).filter(|given| given.name() == field.name());
                    let given = given.ok_or_else(|| self.unfit(field.name(), "is not where the table has it"))?;
                    match given.data_type() {
                        given if is_text_dictionary(given) && field.data_type() == &DataType::Utf8 => given,
                        given if same_type(given, field.data_type()) => field.data_type(),
                        given => {
                            return Err(self.unfit(field.name(), &format!("is {given}, not {}", field.data_type())));
                        }
                    }
                }
            };
            Ok(Field::new(field.name(), data_type.clone(), field.is_nullable()))
        };
        if let Some(more) = like.and_then(|like| like.fields().get(self.spec.schema.fields().len())) {
            return Err(self.unfit(more.name(), "is not a column of the table"));
        }
        let fields: Result<Vec<Field>, StoreError> = self.spec.schema.fields().iter().enumerate().map(field).collect();
        Ok(Arc::new(Schema::new(fields?)))
    }

    fn unfit(&self, column: &str, detail: &str) -> StoreError {
        unfit(self.spec.name, column, detail)
    }
}

/// Writes one file, row group by row group.
pub(crate) struct TableWriter<W: Write + Send> {
    table: &'static str,
    schema: SchemaRef,
    writer: ArrowWriter<W>,
    stats: StatsCollector,
    rows: u64,
}

impl<W: Write + Send> TableWriter<W> {
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        if batch.num_columns() != self.schema.fields().len() {
            return Err(unfit(
                self.table,
                "(all)",
                &format!("are {}, not {}", batch.num_columns(), self.schema.fields().len()),
            ));
        }
        let columns: Result<Vec<ArrayRef>, StoreError> = self
            .schema
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, column)| self.fitting(field, column))
            .collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns?)
            .map_err(|error| unfit(self.table, "(all)", &format!("do not fit: {error}")))?;
        self.stats.update(&batch);
        self.rows += batch.num_rows() as u64;
        self.writer.write(&batch).map_err(|error| encoding_failed(self.table, error))
    }

    fn fitting(&self, field: &Field, column: &ArrayRef) -> Result<ArrayRef, StoreError> {
        if !field.is_nullable() && column.logical_null_count() > 0 {
            return Err(unfit(self.table, field.name(), "is null in a row, but must not be"));
        }
        if column.data_type() == field.data_type() {
            return Ok(Arc::clone(column));
        }
        // A later batch may hold its texts in the other form than the first.
        let texts = |data_type: &DataType| data_type == &DataType::Utf8 || is_text_dictionary(data_type);
        let castable =
            same_type(column.data_type(), field.data_type()) || (texts(column.data_type()) && texts(field.data_type()));
        if !castable {
            return Err(unfit(
                self.table,
                field.name(),
                &format!("is {}, not {}", column.data_type(), field.data_type()),
            ));
        }
        cast(column, field.data_type())
            .map_err(|error| unfit(self.table, field.name(), &format!("does not fit: {error}")))
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<(W, u64, Box<[ColumnStats]>), StoreError> {
        let table = self.table;
        let sink = self.writer.into_inner().map_err(|error| encoding_failed(table, error))?;
        Ok((sink, self.rows, self.stats.finish()))
    }
}

fn is_text_dictionary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Dictionary(key, value) if **key == DataType::Int32 && **value == DataType::Utf8)
}

fn unfit(table: &str, column: &str, detail: &str) -> StoreError {
    StoreError::Rows { table: table.to_owned(), column: column.to_owned(), detail: detail.to_owned() }
}

fn encoding_failed(table: &str, error: ParquetError) -> StoreError {
    StoreError::storage(table, "encode", "a data file", error)
}

fn properties(spec: &TableSpec, tuning: Tuning) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(zstd(LEVEL_FAST))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_statistics_enabled(EnabledStatistics::None);
    for field in spec.schema.fields() {
        builder = column_properties(builder, field, tuning);
    }
    for name in spec.stats_columns {
        builder = builder.set_column_statistics_enabled(ColumnPath::from(*name), EnabledStatistics::Chunk);
    }
    builder.build()
}

fn column_properties(builder: WriterPropertiesBuilder, field: &Field, tuning: Tuning) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(field.name().as_str());
    let encoding = match (TableSpec::encoding(field), field.data_type()) {
        (Encoding::Dictionary, _) | (_, DataType::List(_) | DataType::Struct(_)) => return builder,
        (_, data_type) if is_stored_as_integer(data_type) => ParquetEncoding::DELTA_BINARY_PACKED,
        (_, DataType::Utf8 | DataType::Binary) => ParquetEncoding::DELTA_LENGTH_BYTE_ARRAY,
        _ => ParquetEncoding::PLAIN,
    };
    let builder = match tuning {
        Tuning::Compact if encoding != ParquetEncoding::DELTA_BINARY_PACKED => {
            builder.set_column_compression(path.clone(), zstd(LEVEL_THOROUGH))
        }
        _ => builder,
    };
    builder.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, encoding)
}

fn zstd(level: i32) -> Compression {
    // The levels are constants within the library's range.
    Compression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default())
}

/// Whether Parquet stores the type as an integer of 32 or 64 bits.
fn is_stored_as_integer(data_type: &DataType) -> bool {
    match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => true,
        DataType::Date32 | DataType::Timestamp(..) => true,
        DataType::Decimal128(precision, _) => *precision <= 18,
        _ => false,
    }
}
