//! Rows as one Parquet file.
//!
//! Invariant: a file has types that every reader knows: texts as UTF-8 and
//! times with the zone UTC, whatever the query made of them.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::error::QueryError;
use crate::output::OutputError;

/// Writes all rows and says how many there were.
///
/// # Errors
/// [`OutputError`]; then what was written is no whole file.
pub async fn write_parquet(
    mut rows: SendableRecordBatchStream,
    out: &mut (dyn Write + Send),
) -> Result<u64, OutputError> {
    let schema = plain_schema(&rows.schema());
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties)).map_err(unwritten)?;
    let mut count = 0;
    while let Some(batch) = rows.try_next().await.map_err(QueryError::from)? {
        writer.write(&plain(&batch, &schema)?).map_err(unwritten)?;
        count += batch.num_rows() as u64;
    }
    writer.close().map_err(unwritten)?;
    Ok(count)
}

fn unwritten(error: parquet::errors::ParquetError) -> OutputError {
    OutputError::Write(std::io::Error::other(error))
}

fn plain_schema(schema: &Schema) -> SchemaRef {
    let plain = |field: &Arc<Field>| Field::new(field.name(), plain_type(field.data_type()), field.is_nullable());
    Arc::new(Schema::new(schema.fields().iter().map(plain).collect::<Vec<_>>()))
}

fn plain_type(of: &DataType) -> DataType {
    match of {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::Dictionary(_, value) => plain_type(value),
        DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        other => other.clone(),
    }
}

fn plain(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, OutputError> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| cast(column, field.data_type()));
    let columns: Result<Vec<_>, _> = columns.collect();
    let plain = columns.and_then(|columns| RecordBatch::try_new(Arc::clone(schema), columns));
    plain.map_err(|error| OutputError::Query(datafusion::common::DataFusionError::from(error).into()))
}
