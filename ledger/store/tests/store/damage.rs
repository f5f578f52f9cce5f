//! Damaged, missing and foreign files: errors that name them, never a panic.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use stempoint_store::{Lake, ParquetEncoder, ReadOptions, StoreError, Table, TableSpec, Tuning};

use crate::rows::{append_next, batch, spec};

struct Damaged {
    folder: tempfile::TempDir,
    lake: Lake,
    table: Table,
}

impl Damaged {
    /// A table with five appends, the first of them in a checkpoint if wanted.
    async fn new(checkpoint_after: Option<usize>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = Lake::open_local(folder.path()).expect("a lake");
        let table = Table::open_or_create(&lake, spec()).await.expect("creates");
        for number in 1..=5 {
            append_next(&table, 1, 10).await;
            if checkpoint_after == Some(number) {
                stempoint_store::maintenance::checkpoint(&table).await.expect("a checkpoint");
            }
        }
        Self { folder, lake, table }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("usage").join(name)
    }

    fn entry(&self, version: u64) -> PathBuf {
        self.path(&format!("_delta_log/{version:020}.json"))
    }

    async fn reopen(&self) -> Result<Table, StoreError> {
        Table::open(&self.lake, spec()).await
    }

    fn read(&self, index: usize) -> Result<usize, StoreError> {
        let snapshot = self.table.snapshot();
        let file = snapshot.files().nth(index).expect("a file");
        let mut rows = 0;
        for batch in self.table.read_file(file, &ReadOptions { dictionaries: true, ..ReadOptions::default() })? {
            rows += batch?.num_rows();
        }
        Ok(rows)
    }

    fn data(&self, index: usize) -> PathBuf {
        self.path(&self.table.snapshot().files().nth(index).expect("a file").path.clone())
    }
}

fn cut(path: &Path, keep: impl Fn(usize) -> usize) {
    let bytes = std::fs::read(path).expect("readable");
    std::fs::write(path, &bytes[..keep(bytes.len())]).expect("writable");
}

#[tokio::test]
async fn a_missing_log_entry_is_named() {
    for missing in [0, 2, 4] {
        let damaged = Damaged::new(None).await;
        std::fs::remove_file(damaged.entry(missing)).expect("removes");
        let error = damaged.reopen().await.expect_err("a hole");
        assert!(
            matches!(&error, StoreError::MissingLogEntry { version, later, .. } if *version == missing && *later == missing + 1),
            "{error}"
        );
        assert!(error.to_string().contains("usage") && error.to_string().contains(".json"), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_log_entry_is_named() {
    type Damage = fn(&Path);
    let ways: [(&str, Damage); 5] = [
        ("empty", |path| cut(path, |_| 0)),
        ("cut in a line", |path| cut(path, |len| len / 2)),
        ("cut after a line", |path| {
            let text = std::fs::read_to_string(path).expect("readable");
            let lines: Vec<&str> = text.lines().collect();
            std::fs::write(path, lines[..lines.len() - 1].join("\n")).expect("writable");
        }),
        ("no JSON", |path| std::fs::write(path, "not a log\n").expect("writable")),
        ("statistics cut", |path| {
            let text = std::fs::read_to_string(path).expect("readable");
            std::fs::write(path, text.replace("numRecords", "numRecord")).expect("writable");
        }),
    ];
    for (way, damage) in ways {
        let damaged = Damaged::new(None).await;
        damage(&damaged.entry(3));
        let error = damaged.reopen().await.expect_err("damaged");
        assert!(
            matches!(&error, StoreError::CorruptLog { path, .. } if path.ends_with("00003.json")),
            "{way}: {error}"
        );
        let behind = Damaged::new(None).await;
        append_next(&Table::open(&behind.lake, spec()).await.expect("opens"), 2, 1).await;
        damage(&behind.entry(6));
        let error = behind.table.refresh().await.expect_err("damaged");
        assert!(matches!(error, StoreError::CorruptLog { .. }), "{way}: {error}");
        assert_eq!(behind.table.snapshot().version(), 5, "the last good version stays");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_checkpoints_are_named_and_missing_ones_are_replaced_by_the_log() {
    let name = "_delta_log/00000000000000000003.checkpoint.parquet";
    let damaged = Damaged::new(Some(3)).await;
    assert_eq!(damaged.reopen().await.expect("opens").snapshot().version(), 5);
    cut(&damaged.path(name), |len| len - 1);
    let error = damaged.reopen().await.expect_err("damaged");
    assert!(matches!(&error, StoreError::CorruptLog { path, .. } if path == name), "{error}");
    std::fs::remove_file(damaged.path(name)).expect("removes");
    assert_eq!(damaged.reopen().await.expect("opens").snapshot().rows(), 50);
    std::fs::write(damaged.path("_delta_log/_last_checkpoint"), "{").expect("writes");
    assert_eq!(damaged.reopen().await.expect("opens").snapshot().rows(), 50);

    let cleaned = Damaged::new(Some(3)).await;
    stempoint_store::maintenance::clean_log(&cleaned.table, std::time::Duration::ZERO).await.expect("cleans");
    assert_eq!(cleaned.reopen().await.expect("opens").snapshot().rows(), 50);
    std::fs::remove_file(cleaned.path("_delta_log/_last_checkpoint")).expect("removes");
    assert_eq!(cleaned.reopen().await.expect("the listing finds it").snapshot().rows(), 50);
    std::fs::remove_file(cleaned.path(name)).expect("removes");
    let error = cleaned.reopen().await.expect_err("too much is gone");
    assert!(matches!(&error, StoreError::MissingLogEntry { version: 0, .. }), "{error}");
}

#[tokio::test]
async fn missing_and_damaged_data_files_are_named() {
    let damaged = Damaged::new(None).await;
    assert_eq!(damaged.read(0).expect("healthy"), 10);
    let name = |index: usize| damaged.data(index).file_name().expect("a name").to_string_lossy().into_owned();
    std::fs::remove_file(damaged.data(0)).expect("removes");
    let error = damaged.read(0).expect_err("missing");
    assert!(matches!(&error, StoreError::MissingFile { path, .. } if *path == name(0)), "{error}");
    cut(&damaged.data(1), |len| len - 1);
    let error = damaged.read(1).expect_err("cut");
    assert!(matches!(&error, StoreError::CorruptFile { path, .. } if *path == name(1)), "{error}");
    // Another file of the same size but with other rows.
    let size = std::fs::metadata(damaged.data(2)).expect("there").len();
    std::fs::write(damaged.data(2), vec![0; usize::try_from(size).expect("small")]).expect("writes");
    assert!(matches!(damaged.read(2).expect_err("zeros"), StoreError::CorruptFile { .. }));
}

/// Each byte of a file is changed in turn: reading it must end, in an error or
/// not, but without a panic that leaves the reader.
#[tokio::test]
async fn no_flipped_byte_makes_reading_panic() {
    let damaged = Damaged::new(None).await;
    let path = damaged.data(0);
    let healthy = std::fs::read(&path).expect("readable");
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let (mut errors, mut unnoticed) = (0, 0);
    for position in 0..healthy.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = healthy.clone();
            bytes[position] ^= flip;
            std::fs::write(&path, bytes).expect("writable");
            match damaged.read(0) {
                Ok(_) => unnoticed += 1,
                Err(StoreError::CorruptFile { .. }) => errors += 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
    std::panic::set_hook(quiet);
    println!("{errors} flips were noticed while reading, {unnoticed} were not");
    assert!(errors > 0);
}

#[tokio::test]
async fn tables_that_another_program_changed_too_much_are_refused() {
    for (line, want) in [
        (
            r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}}"#,
            "reader version 3",
        ),
        (
            r#"{"add":{"path":"x.parquet","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true,"stats":"{\"numRecords\":1}","deletionVector":{"storageType":"u","pathOrInlineDv":"ab^-aqEH.-t@S}K{vb[*k^","offset":4,"sizeInBytes":40,"cardinality":6}}}"#,
            "deletion vector",
        ),
    ] {
        let damaged = Damaged::new(None).await;
        std::fs::write(damaged.entry(6), line).expect("writes");
        let error = damaged.reopen().await.expect_err("refused");
        assert!(matches!(&error, StoreError::UnsupportedTable { detail, .. } if detail.contains(want)), "{error}");
    }
}

#[tokio::test]
async fn rows_that_do_not_fit_are_refused_by_column() {
    let encoder = ParquetEncoder::new(&spec(), Tuning::Hot);
    let good = batch(1, 0..3);
    let refused = |batch: arrow::array::RecordBatch, column: &str| {
        let error = encoder.encode(&[batch]).expect_err("refused");
        assert!(matches!(&error, StoreError::Rows { column: c, .. } if c == column), "{error}");
    };
    refused(good.project(&[0, 1, 2, 3, 4]).expect("a batch"), "amount");
    refused(good.project(&[1, 0, 2, 3, 4, 5]).expect("a batch"), "p");
    let nulls = arrow::array::new_null_array(&DataType::Int64, 3);
    let mut columns = good.columns().to_vec();
    columns[1] = nulls;
    let fields: Vec<Field> = good.schema().fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    refused(arrow::array::RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a batch"), "n");
    let damaged = Damaged::new(None).await;
    let snapshot = damaged.table.snapshot();
    let file = snapshot.files().next().expect("a file");
    let options = ReadOptions { columns: Some(&["n", "nonsense"]), ..ReadOptions::default() };
    let error = damaged.table.read_file(file, &options).err().expect("refused");
    assert!(matches!(&error, StoreError::Rows { column, .. } if column == "nonsense"), "{error}");
}

#[tokio::test]
async fn a_file_of_another_table_is_noticed() {
    let damaged = Damaged::new(None).await;
    let other = Arc::new(Schema::new(vec![Field::new("other", DataType::Utf8, false)]));
    let other = TableSpec::new("other", other, "Another.", &[]);
    let encoded = ParquetEncoder::new(&other, Tuning::Hot)
        .encode(&[arrow::array::RecordBatch::try_from_iter([(
            "other",
            Arc::new(arrow::array::StringArray::from(vec!["x"; 10])) as _,
        )])
        .expect("a batch")])
        .expect("encodes");
    std::fs::write(damaged.data(0), &encoded.bytes).expect("writes");
    assert!(matches!(damaged.read(0).expect_err("noticed"), StoreError::CorruptFile { .. }));
}
