//! Invariant 6: a pinned version shows exactly its rows, for ever.

use std::sync::Arc;

use proptest::prelude::*;
use stempoint_query::{LedgerFiles, Pin};
use stempoint_schemas::tables::{API_CALLS, COMMITS, JOURNAL, REJECTS};
use stempoint_schemas::watermark::Watermarks;

use crate::support::{Books, Row, batch, csv, stats};

fn reject(partition: i64, offset: i64) -> Row {
    vec![("_partition", partition.into()), ("_offset", offset.into()), ("reason", "test".into())]
}

fn rejects(partition: i64, offsets: std::ops::Range<i64>) -> Vec<Row> {
    offsets.map(|offset| reject(partition, offset)).collect()
}

const COUNTS: &str = "SELECT _partition, count(*), max(_offset) FROM rejects GROUP BY _partition ORDER BY _partition";

#[tokio::test]
async fn old_versions_give_the_same_answer_after_newer_commits_and_after_compaction() {
    let mut books = Books::new();
    books.add(&REJECTS, &rejects(0, 0..10));
    books.add(&REJECTS, &rejects(1, 0..5));
    books.commit(1, &[(10, 0), (5, 0)], 0);
    // One file that straddles the next version: it was written before a crash.
    books.add(&REJECTS, &rejects(0, 10..30));
    books.commit(2, &[(17, 0), (5, 0)], 0);
    books.commit(3, &[(30, 0), (5, 0)], 0);
    let header = "_partition,count(*),max(rejects._offset)\n";
    let expected = [(1, "0,10,9\n1,5,4\n"), (2, "0,17,16\n1,5,4\n"), (3, "0,30,29\n1,5,4\n")];
    for (version, rows) in expected {
        assert_eq!(books.csv(Some(version), COUNTS).await.unwrap(), format!("{header}{rows}"), "version {version}");
    }
    assert_eq!(books.csv(None, COUNTS).await.unwrap(), books.csv(Some(3), COUNTS).await.unwrap());
    // Compaction puts both partitions into one file.
    let mut all = rejects(0, 0..30);
    all.extend(rejects(1, 0..5));
    let merged = books.write(&REJECTS, &batch(&REJECTS, &all), &stats(&REJECTS, &all));
    books.replace(&REJECTS, vec![Arc::new(merged)]);
    for (version, rows) in expected {
        assert_eq!(books.csv(Some(version), COUNTS).await.unwrap(), format!("{header}{rows}"), "version {version}");
        let total: i64 = rows.lines().map(|line| line.split(',').nth(1).unwrap().parse::<i64>().unwrap()).sum();
        let count = books.csv(Some(version), "SELECT count(*) AS n FROM rejects").await.unwrap();
        assert_eq!(count, format!("n\n{total}\n"));
    }
}

#[tokio::test]
async fn settlement_is_shown_below_the_control_offset_and_commits_up_to_the_version() {
    let mut books = Books::new();
    let posting =
        |offset: i64| vec![("_offset", offset.into()), ("account", "platform/revenue".into()), ("price", "0-1".into())];
    books.add(&JOURNAL, &[posting(3), posting(4), posting(5)]);
    for (version, control_offset) in [(1, 0), (2, 4), (3, 6)] {
        books.commit(version, &[(0, 0)], control_offset);
    }
    for (version, postings) in [(1, 0), (2, 1), (3, 3)] {
        let sql = "SELECT (SELECT count(*) FROM journal) AS j, (SELECT count(*) FROM commits) AS c";
        assert_eq!(books.csv(Some(version), sql).await.unwrap(), format!("j,c\n{postings},{version}\n"));
    }
}

#[tokio::test]
async fn a_version_that_does_not_exist_is_named_with_the_latest() {
    let mut books = Books::new();
    assert!(books.csv(None, "SELECT 1").await.unwrap_err().to_string().contains("nothing has been committed"));
    assert!(books.csv(Some(1), "SELECT 1").await.unwrap_err().to_string().contains("nothing has been committed"));
    books.commit(1, &[], 0);
    books.commit(2, &[], 0);
    let error = books.csv(Some(7), "SELECT 1").await.unwrap_err().to_string();
    assert_eq!(error, "failed to find ledger version 7: the latest one is 2");
}

#[tokio::test]
async fn a_missing_or_damaged_file_is_named() {
    let mut books = Books::new();
    let file = books.add(&REJECTS, &rejects(0, 0..3));
    books.commit(1, &[(3, 0)], 0);
    let path = books.path().join("rejects").join(&file.path);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    for sql in ["SELECT * FROM rejects", "SELECT count(*) FROM rejects"] {
        let error = books.csv(None, sql).await.unwrap_err().to_string();
        assert!(error.starts_with("failed to read a data file"), "{error}");
    }
    std::fs::remove_file(&path).unwrap();
    for sql in ["SELECT * FROM rejects", "SELECT count(*) FROM rejects"] {
        let error = books.csv(None, sql).await.unwrap_err().to_string();
        assert!(error.starts_with("failed to read a data file") && error.contains(&file.path), "{error}");
    }
}

/// Rows in files, how much of their statistics is known, and a line.
#[derive(Debug, Clone)]
struct Case {
    files: Vec<(Vec<(i64, i64)>, bool)>,
    watermarks: Vec<u64>,
    from: i64,
}

fn case() -> impl Strategy<Value = Case> {
    let row = (0_i64..4, 0_i64..60);
    let file = (prop::collection::vec(row, 1..20), prop::bool::weighted(0.8));
    let files = prop::collection::vec(file, 0..6);
    (files, prop::collection::vec(0_u64..70, 0..5), 0_i64..60).prop_map(|(files, watermarks, from)| Case {
        files,
        watermarks,
        from,
    })
}

impl Case {
    fn model(&self, from: i64) -> Vec<(i64, i64)> {
        let watermarks = Watermarks::from_vec(self.watermarks.clone());
        let rows = self.files.iter().flat_map(|(rows, _)| rows.iter().copied());
        let is_visible = |&(p, o): &(i64, i64)| o >= from && watermarks.is_above(p as u32, o as u64);
        let mut visible: Vec<_> = rows.filter(is_visible).collect();
        visible.sort_unstable();
        visible
    }
}

fn lines(rows: &[(i64, i64)]) -> String {
    rows.iter().fold("_partition,_offset\n".to_owned(), |text, (p, o)| format!("{text}{p},{o}\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever files hold the rows and whatever is known of them, the rows
    /// that come out are those that the definition of visibility names.
    #[test]
    fn visible_rows_are_those_of_the_model(case in case()) {
        let mut books = Books::new();
        let mut files = Vec::new();
        for (rows, has_stats) in &case.files {
            let rows: Vec<Row> = rows.iter().map(|&(p, o)| reject(p, o)).collect();
            let known = if *has_stats { stats(&REJECTS, &rows) } else { Vec::new() };
            files.push(Arc::new(books.write(&REJECTS, &batch(&REJECTS, &rows), &known)));
        }
        books.commit(1, &[], 0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let pin = Pin {
                version: 1,
                visible: Watermarks::from_vec(case.watermarks.clone()),
                settled: Watermarks::default(),
                control_offset: 0,
            };
            let files = LedgerFiles::new().with(&REJECTS, files);
            let session = books.engine().session(pin, &files).unwrap();
            let all = case.model(0);
            let rows = csv(&session, "SELECT _partition, _offset FROM rejects ORDER BY 1, 2").await.unwrap();
            prop_assert_eq!(rows, lines(&all));
            let count = csv(&session, "SELECT count(*) AS n FROM rejects").await.unwrap();
            prop_assert_eq!(count, format!("n\n{}\n", all.len()));
            let sql = format!("SELECT _partition, _offset FROM rejects WHERE _offset >= {} ORDER BY 1, 2", case.from);
            prop_assert_eq!(csv(&session, &sql).await.unwrap(), lines(&case.model(case.from)));
            let last = csv(&session, "SELECT _partition, _offset FROM rejects ORDER BY _offset DESC, _partition DESC LIMIT 3").await.unwrap();
            let mut newest = all.clone();
            newest.sort_by_key(|&(p, o)| std::cmp::Reverse((o, p)));
            newest.truncate(3);
            prop_assert_eq!(last, lines(&newest));
            let some = csv(&session, "SELECT reason FROM rejects LIMIT 4").await.unwrap();
            prop_assert_eq!(some.lines().count() - 1, all.len().min(4));
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn settled_views_end_at_w_and_never_show_what_is_hidden() {
    let mut books = Books::new();
    let call = |offset: i64| {
        vec![
            ("_partition", 0.into()),
            ("_offset", offset.into()),
            ("customer", "acme".into()),
            ("input_tokens", 10.into()),
        ]
    };
    books.add(&API_CALLS, &(0..8).map(call).collect::<Vec<_>>());
    // W may be fixed beyond what is visible when a month closes.
    books.commit(1, &[(6, 4)], 0);
    books.commit(2, &[(6, 8)], 0);
    let sql = "SELECT (SELECT count(*) FROM api_calls) AS visible, (SELECT count(*) FROM settled_api_calls) AS settled";
    assert_eq!(books.csv(Some(1), sql).await.unwrap(), "visible,settled\n6,4\n");
    assert_eq!(books.csv(Some(2), sql).await.unwrap(), "visible,settled\n6,6\n");
}

#[tokio::test]
async fn files_that_conditions_rule_out_are_not_opened() {
    let mut books = Books::new();
    books.add(&REJECTS, &rejects(0, 0..10));
    let ruled_out = books.add(&REJECTS, &rejects(0, 10..20));
    let hidden = books.add(&REJECTS, &rejects(0, 20..30));
    books.commit(1, &[(20, 0)], 0);
    for file in [&ruled_out, &hidden] {
        std::fs::remove_file(books.path().join("rejects").join(&file.path)).unwrap();
    }
    let sql = "SELECT count(*) AS n FROM rejects WHERE _offset < 10 AND _partition = 0";
    assert_eq!(books.csv(None, sql).await.unwrap(), "n\n10\n");
    let files = books.ledger_files();
    assert_eq!(files.of(&COMMITS).len(), 1);
    assert!(books.csv(None, "SELECT count(*) AS n FROM rejects WHERE _offset < 11").await.is_err());
}
