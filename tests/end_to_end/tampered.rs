//! Somebody changes the tables behind the program's back, data files and Delta
//! log together, so that every reader takes them for good. The audit finds it
//! and says what.

use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{ArrowPrimitiveType, Decimal128Type, Int64Type};
use stempoint_schemas::commit::Commit;
use stempoint_schemas::tables::{API_CALLS, CHARGES, COMMITS, CONTROL, DUPLICATES, JOURNAL, REJECTS, Table};
use stempoint_store::ledger::Ledger;
use stempoint_store::{ParquetEncoder, ReadOptions, Tuning};

use crate::audit_views;
use crate::harness::{Books, text};

const PRICES: &str = r#"
currency = "USD"
effective_from = "2020-01-01T00:00:00Z"
[[price]]
meter = "tokens.input"
per = "1000"
amount = "0.5"
[[price]]
meter = "requests"
per = "1"
amount = "0.001"
[[share]]
meter = "tokens.input"
provider = "0.6"
"#;

/// Three calls, one of which is repeated, and one that cannot be.
const CALLS: &str = "id,tokens\na,10\nb,20\nb,20\nc,-1\nd,30\n";

/// A table, what is done to its oldest file, and the checks that fail.
type Case = (&'static Table, fn(RecordBatch) -> RecordBatch, &'static [&'static str]);

const CASES: [Case; 15] = [
    (
        &API_CALLS,
        |rows| first(rows, "input_tokens", plus_one::<Int64Type>),
        &["rows unchanged", "conservation of quan"],
    ),
    (&API_CALLS, |rows| rows.slice(1, rows.num_rows() - 1), &["conservation of records", "rows unchanged"]),
    (&API_CALLS, |rows| twice(&rows), &["exactly once", "conservation of records"]),
    (&DUPLICATES, |rows| first(rows, "original_offset", plus_one::<Int64Type>), &["exactly once", "rows unchanged"]),
    (&REJECTS, |rows| first(rows, "raw", |_| bytes(b"other")), &["rows unchanged"]),
    (&CONTROL, |rows| first(rows, "message", |_| words("other")), &["settlement unchanged"]),
    (
        &CHARGES,
        |rows| first(rows, "quantity", plus_one::<Decimal128Type>),
        &["conservation of quantities", "settlement unchanged"],
    ),
    // The last charge is of a provider, whose side is not compared with the usage tables.
    (
        &CHARGES,
        |rows| last(rows, "quantity", plus_one::<Decimal128Type>),
        &["conservation of quantities", "settlement unchanged"],
    ),
    (&CHARGES, |rows| first(rows, "party", |_| words("somebody")), &["settlement unchanged"]),
    (&JOURNAL, |rows| first(rows, "amount", plus_one::<Decimal128Type>), &["entries balance", "settlement unchanged"]),
    // From one entry to another, so that all postings still sum to zero.
    (
        &JOURNAL,
        |rows| last(first(rows, "amount", plus_one::<Decimal128Type>), "amount", minus_one),
        &["entries balance", "settlement unchanged"],
    ),
    (&JOURNAL, |rows| first(rows, "asset", |_| words("EUR")), &["entries balance", "settlement unchanged"]),
    (&REJECTS, |rows| first(rows, "reason", |_| words("conflict")), &["rows unchanged"]),
    (&COMMITS, |rows| commit(&rows, |commit| commit.shards[0].counts.accepted += 1), &["hash chain of commits"]),
    (&COMMITS, |rows| commit(&rows, |commit| commit.version += 1), &["hash chain of commits"]),
];

#[test]
fn the_audit_finds_every_change_of_a_table() {
    let books = Books::new();
    let (prices, calls) = (books.file("prices.toml", PRICES), books.file("calls.csv", CALLS));
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    let select = "SELECT id, '2026-01-01T10:00:00Z' AS time, 'acme' AS customer, 'code-1' AS model, \
                  'node-1' AS provider, tokens AS input_tokens, 0 AS output_tokens FROM input";
    let import = ["import", "api_call", &calls.to_string_lossy(), "--source", "calls", "--select", select];
    assert!(books.run(&import).starts_with("received 5, accepted 3, duplicate 1, rejected 1"));
    books.run(&["invoice", "acme", "2026-01"]);
    assert!(books.run(&["audit"]).contains("all 10 checks passed"));
    for (number, (table, change, checks)) in CASES.into_iter().enumerate() {
        let data = books.folder().join(format!("changed-{number}"));
        copy(&books.data(), &data);
        replace_oldest_file(&data.join("lake"), table, change);
        let output = books.command_on(&data, &["audit"]).output().expect("the program can be started");
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(3), "case {number}, {}:\n{said}", table.name);
        for check in checks {
            assert!(said.contains(&format!("FAILED {check}")), "case {number}, {}:\n{said}", table.name);
        }
        audit_views::find_the_same(&books, &data, &said);
    }
}

#[test]
fn a_row_in_a_month_that_was_closed_before_is_found() {
    let books = Books::new();
    let (prices, calls) = (books.file("prices.toml", PRICES), books.file("calls.csv", CALLS));
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    books.run(&["period", "close", "2026-01"]);
    let select = "SELECT id, '2026-01-01T10:00:00Z' AS time, 'acme' AS customer, 'code-1' AS model, \
                  'node-1' AS provider, tokens AS input_tokens, 0 AS output_tokens FROM input";
    books.run(&["import", "api_call", &calls.to_string_lossy(), "--source", "calls", "--select", select]);
    books.run(&["invoice", "acme", "2026-02"]);
    let january = |_: &ArrayRef| -> ArrayRef { std::sync::Arc::new(StringArray::from(vec!["2026-01"])) };
    for table in [&CHARGES, &JOURNAL] {
        let data = books.folder().join(table.name);
        copy(&books.data(), &data);
        replace_oldest_file(&data.join("lake"), table, |rows| first(rows, "period", january));
        let output = books.command_on(&data, &["audit"]).output().expect("the program can be started");
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(3), "{}:\n{said}", table.name);
        assert!(said.contains("FAILED closed months"), "{}:\n{said}", table.name);
        assert!(said.contains(&format!("{}: control event", table.name)), "{said}");
    }
}

#[test]
fn a_ledger_version_that_was_changed_without_its_hash_is_not_read() {
    let books = Books::new();
    let prices = books.file("prices.toml", PRICES);
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    replace_oldest_file(&books.data().join("lake"), &COMMITS, |rows| {
        first(rows, "control_offset", plus_one::<Int64Type>)
    });
    let error = books.fail(&["audit"]);
    assert!(error.contains("does not have the hash that is stored with it"), "{error}");
}

/// A proof is made of what was recorded, or not at all, of the rows beside the
/// changed one too.
#[test]
fn no_proof_is_given_of_rows_that_were_changed() {
    let books = Books::new();
    let (prices, calls) = (books.file("prices.toml", PRICES), books.file("calls.csv", CALLS));
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    let select = "SELECT id, '2026-01-01T10:00:00Z' AS time, 'acme' AS customer, 'code-1' AS model, \
                  'node-1' AS provider, tokens AS input_tokens, 0 AS output_tokens FROM input";
    books.run(&["import", "api_call", &calls.to_string_lossy(), "--source", "calls", "--select", select]);
    let rows = ["a", "d"].map(|id| vec!["prove", id]);
    let price = vec!["prove", "--row", "prices:0:2"];
    for command in rows.iter().chain([&price]) {
        books.run(command);
    }
    let lake = books.data().join("lake");
    replace_oldest_file(&lake, &API_CALLS, |rows| first(rows, "input_tokens", plus_one::<Int64Type>));
    replace_oldest_file(&lake, &CONTROL, |rows| first(rows, "message", |_| words("other")));
    for command in rows.iter().chain([&price]) {
        let error = books.fail(command);
        assert!(error.contains("are not those of ledger version"), "{command:?}: {error}");
    }
}

/// Replaces the oldest file of a table by one with other rows, in the Delta
/// log too.
fn replace_oldest_file(lake: &Path, table: &'static Table, change: impl Fn(RecordBatch) -> RecordBatch) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let ledger = Ledger::open(lake).await.expect("the ledger opens");
        let stored = ledger.table(table);
        let old = stored.snapshot().files().next().cloned().expect("a file");
        let batches: Result<Vec<_>, _> = stored.read_file(&old, &ReadOptions::default()).expect("opens").collect();
        let batches = batches.expect("the file can be read");
        let rows = change(concat_batches(&batches[0].schema(), &batches).expect("one batch"));
        let encoded = ParquetEncoder::new(stored.spec(), Tuning::Hot).encode(&[rows]).expect("the rows can be encoded");
        let new = stored.put_file(encoded).await.expect("the file can be written");
        let log = lake.join(table.name).join("_delta_log");
        for entry in std::fs::read_dir(log).expect("the log can be read") {
            let path = entry.expect("the log can be read").path();
            let entry = std::fs::read_to_string(&path).expect("an entry can be read");
            if entry.contains(&old.path) {
                let count = |rows: u64| format!("\\\"numRecords\\\":{rows}");
                let changed = entry
                    .replace(&old.path, &new.path)
                    .replace(&format!("\"size\":{}", old.size), &format!("\"size\":{}", new.size))
                    .replace(&count(old.rows), &count(new.rows));
                std::fs::write(&path, changed).expect("an entry can be written");
            }
        }
    });
}

/// The rows with another value in a column of the first.
fn first(rows: RecordBatch, column: &str, change: impl Fn(&ArrayRef) -> ArrayRef) -> RecordBatch {
    let schema = rows.schema();
    let (first, rest) = (rows.slice(0, 1), rows.slice(1, rows.num_rows() - 1));
    concat_batches(&schema, [&changed(&first, column, change), &rest]).expect("the same columns")
}

/// The rows with another value in a column of the last.
fn last(rows: RecordBatch, column: &str, change: impl Fn(&ArrayRef) -> ArrayRef) -> RecordBatch {
    let schema = rows.schema();
    let (rest, last) = (rows.slice(0, rows.num_rows() - 1), rows.slice(rows.num_rows() - 1, 1));
    concat_batches(&schema, [&rest, &changed(&last, column, change)]).expect("the same columns")
}

fn changed(rows: &RecordBatch, column: &str, change: impl Fn(&ArrayRef) -> ArrayRef) -> RecordBatch {
    let mut columns = rows.columns().to_vec();
    let index = rows.schema().index_of(column).expect("a column");
    columns[index] = change(&columns[index]);
    RecordBatch::try_new(rows.schema(), columns).expect("the same columns")
}

fn plus_one<T: ArrowPrimitiveType>(column: &ArrayRef) -> ArrayRef
where
    T::Native: std::ops::Add<Output = T::Native> + From<bool>,
{
    let changed = column.as_primitive::<T>().unary::<_, T>(|value| value + T::Native::from(true));
    std::sync::Arc::new(changed.with_data_type(column.data_type().clone()))
}

fn minus_one(column: &ArrayRef) -> ArrayRef {
    let changed = column.as_primitive::<Decimal128Type>().unary::<_, Decimal128Type>(|value| value - 1);
    std::sync::Arc::new(changed.with_data_type(column.data_type().clone()))
}

fn bytes(value: &[u8]) -> ArrayRef {
    std::sync::Arc::new(BinaryArray::from_vec(vec![value]))
}

fn words(value: &str) -> ArrayRef {
    std::sync::Arc::new(StringArray::from(vec![value]))
}

fn twice(rows: &RecordBatch) -> RecordBatch {
    concat_batches(&rows.schema(), [&rows.slice(0, 1), rows]).expect("the same columns")
}

/// A changed ledger version with the hash that it then has.
fn commit(rows: &RecordBatch, change: impl Fn(&mut Commit)) -> RecordBatch {
    let mut commits = Commit::from_batch(rows).expect("ledger versions");
    let (commit, _) = commits.first_mut().expect("a ledger version");
    change(commit);
    commit.to_batch().expect("a row")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder can be read") {
        let entry = entry.expect("the folder can be read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("a file can be copied");
        }
    }
}

/// A ledger version whose chain is right, but that says something else of the
/// same rows than the version before it.
#[test]
fn a_ledger_version_that_says_something_else_of_the_same_rows_is_found() {
    let books = Books::new();
    let (prices, calls) = (books.file("prices.toml", PRICES), books.file("calls.csv", CALLS));
    books.run(&["prices", "apply", &prices.to_string_lossy()]);
    let select = "SELECT id, '2026-01-01T10:00:00Z' AS time, 'acme' AS customer, 'code-1' AS model, \
                  'node-1' AS provider, tokens AS input_tokens, 0 AS output_tokens FROM input";
    books.run(&["import", "api_call", &calls.to_string_lossy(), "--source", "calls", "--select", select]);
    books.run(&["invoice", "acme", "2026-01"]);
    let changes: [fn(&mut Commit); 4] = [
        |commit| commit.settlement.push([1; 32]),
        |commit| folded(commit).tree.push([1; 32]),
        |commit| folded(commit).last_record = None,
        |commit| commit.control_record = None,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let data = books.folder().join(format!("other-{number}"));
        copy(&books.data(), &data);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let ledger = Ledger::open(&data.join("lake")).await.expect("the ledger opens");
            let advanced = ledger.advance(|commit| {
                change(commit);
                true
            });
            advanced.await.expect("a commit");
        });
        let output = books.command_on(&data, &["audit"]).output().expect("the program can be started");
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(3), "case {number}:\n{said}");
    }
}

fn folded(commit: &mut Commit) -> &mut stempoint_schemas::commit::Shard {
    commit.shards.iter_mut().find(|shard| shard.watermark > 0).expect("a shard with records")
}
