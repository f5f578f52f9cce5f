//! Rows of tables as texts.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;

/// A row by column; `None` where there is no value. Bytes are hexadecimal.
pub type Row = BTreeMap<String, Option<String>>;

/// The rows of a batch.
pub fn texts(batch: &RecordBatch) -> Vec<Row> {
    let columns: Vec<(String, ArrayRef)> =
        batch.schema().fields().iter().zip(batch.columns()).map(|(f, c)| (f.name().clone(), plain(c))).collect();
    let text = |column: &ArrayRef, row: usize| {
        column.is_valid(row).then(|| array_value_to_string(column, row).expect("each type of the tables can be shown"))
    };
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|(name, column)| (name.clone(), text(column, row))).collect())
        .collect()
}

/// A dictionary's values may be null behind a valid key, so it is resolved.
fn plain(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Dictionary(_, values) => cast(column, values).expect("a dictionary can be resolved"),
        _ => column.clone(),
    }
}

/// The same rows without dictionaries, as they are read back from files.
pub fn plain_batch(batch: &RecordBatch) -> RecordBatch {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| (field.name(), plain(column)));
    RecordBatch::try_from_iter(columns).expect("the columns have one length")
}
