//! Only questions: what would change something is refused, and what is wrong
//! with a question is said so that it can be mended.

use stempoint_query::QueryError;
use stempoint_schemas::tables::REJECTS;

use crate::support::Books;

fn books() -> Books {
    let mut books = Books::new();
    books.add(&REJECTS, &[vec![("_offset", 0.into()), ("reason", "test".into())]]);
    books.commit(1, &[(1, 0)], 0);
    books
}

#[tokio::test]
async fn statements_that_change_something_are_refused() {
    let books = books();
    let session = books.session(None).await.unwrap();
    let target = books.path().join("out.csv");
    let target = target.display();
    for (sql, named) in [
        (format!("COPY (SELECT 1) TO '{target}'"), "COPY"),
        (format!("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{target}'"), "CREATE EXTERNAL TABLE"),
        ("CREATE TABLE t AS SELECT 1".to_owned(), "CREATE TABLE"),
        ("CREATE VIEW v AS SELECT 1".to_owned(), "CREATE VIEW"),
        ("CREATE SCHEMA s".to_owned(), "CREATE SCHEMA"),
        ("CREATE FUNCTION f() RETURNS INT RETURN 1".to_owned(), "CREATE FUNCTION"),
        ("DROP TABLE rejects".to_owned(), "DROP TABLE"),
        ("INSERT INTO rejects SELECT * FROM rejects".to_owned(), "INSERT INTO"),
        ("DELETE FROM rejects".to_owned(), "DELETE FROM"),
        ("UPDATE rejects SET reason = 'x'".to_owned(), "UPDATE"),
        ("TRUNCATE TABLE rejects".to_owned(), "TRUNCATE TABLE"),
        ("SET datafusion.execution.target_partitions = 1".to_owned(), "SET"),
        ("RESET datafusion.execution.target_partitions".to_owned(), "RESET"),
        ("PREPARE p AS SELECT 1".to_owned(), "PREPARE"),
        ("EXECUTE p".to_owned(), "EXECUTE"),
        ("BEGIN".to_owned(), "BEGIN"),
        (format!("EXPLAIN COPY (SELECT 1) TO '{target}'"), "COPY"),
        (format!("EXPLAIN ANALYZE COPY (SELECT 1) TO '{target}'"), "COPY"),
        ("EXPLAIN ANALYZE INSERT INTO rejects SELECT * FROM rejects".to_owned(), "INSERT INTO"),
    ] {
        match session.sql(&sql).await.map(drop) {
            Err(QueryError::ReadOnly { statement }) => assert!(statement.starts_with(named), "{sql}: {statement}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
    // What hides in a query, and files or folders as tables.
    for sql in [
        "WITH gone AS (DELETE FROM rejects) SELECT 1".to_owned(),
        "SELECT * INTO t FROM rejects".to_owned(),
        "SELECT 1; DROP TABLE rejects".to_owned(),
        "SELECT * FROM '/etc/passwd'".to_owned(),
        format!("SELECT * FROM '{}/rejects/part-1.parquet'", books.path().display()),
        "SELECT * FROM read_csv('/etc/passwd')".to_owned(),
    ] {
        assert!(session.sql(&sql).await.is_err(), "{sql}");
    }
    assert!(!books.path().join("out.csv").exists());
    assert_eq!(books.csv(None, "SELECT count(*) AS n FROM rejects").await.unwrap(), "n\n1\n");
}

#[tokio::test]
async fn questions_about_the_catalogue_are_allowed() {
    let books = books();
    let tables = books.csv(None, "SHOW TABLES").await.unwrap();
    assert!(tables.contains("stempoint,public,rejects,BASE TABLE\n"), "{tables}");
    assert!(tables.contains("stempoint,public,settled_usage,VIEW\n"), "{tables}");
    assert!(books.csv(None, "DESCRIBE rejects").await.unwrap().contains("_partition,Int32,NO"));
    assert!(books.csv(None, "EXPLAIN SELECT * FROM rejects").await.unwrap().contains("DataSourceExec"));
    assert!(books.csv(None, "SHOW COLUMNS FROM usage").await.unwrap().contains("quantity"));
}

#[tokio::test]
async fn mistakes_are_explained() {
    let books = books();
    let session = books.session(None).await.unwrap();
    for (sql, parts) in [
        ("", &["understand the SQL", "SELECT * FROM"][..]),
        (" ; ", &["understand the SQL"]),
        ("SELEC 1", &["understand the SQL", "SELEC"]),
        ("SELECT * FROM ledgr", &["find the table ledgr", "api_calls", "journal", "settled_usage"]),
        ("SELECT * FROM (SELECT * FROM other.t) AS x", &["find the table other.t"]),
        ("SELECT custmer FROM api_calls", &["plan the query", "custmer", "customer"]),
        ("SELECT sum(reason) FROM rejects", &["plan the query", "sum"]),
        ("SELECT no_such_function(1)", &["plan the query", "no_such_function"]),
        ("SELECT 1 / (_offset - _offset) FROM rejects", &["run the query", "zero"]),
        ("SELECT 1; SELECT 2", &["single SQL statement"]),
    ] {
        let error = match session.rows(sql).await {
            Ok(rows) => panic!("{sql}: {rows:?}"),
            Err(error) => error.to_string(),
        };
        for part in parts {
            assert!(error.contains(part), "{sql}: {error}");
        }
        assert!(error.starts_with("failed to "), "{error}");
    }
}

#[tokio::test]
async fn texts_that_could_break_the_planner_are_refused_or_answered() {
    let books = books();
    let session = books.session(None).await.unwrap();
    for sql in [
        format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("SELECT 1{}", " + 1".repeat(40_000)),
        format!("SELECT {}true", "NOT ".repeat(40_000)),
        format!("SELECT 1 WHERE true{}", " OR true".repeat(20_000)),
        format!("SELECT * FROM rejects WHERE {}", vec!["_offset = 1"; 10_000].join(" OR ")),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(5_000)),
        format!("SELECT {}1{}", "abs(".repeat(2_000), ")".repeat(2_000)),
        format!("SELECT '{}'", "x".repeat(1 << 20)),
        "SELECT \u{0}".to_owned(),
    ] {
        // Either is fine; what matters is that the process lives on.
        let _ = session.rows(&sql).await;
    }
    assert!(session.rows("SELECT 1").await.is_ok());
}

#[tokio::test]
async fn numbers_with_a_point_are_exact() {
    let books = books();
    assert_eq!(books.csv(None, "SELECT 0.1 + 0.2 AS x, 0.35 * 3 AS y").await.unwrap(), "x,y\n0.3,1.05\n");
}

/// The largest that is let through runs on the usual stack of a thread.
#[tokio::test]
async fn the_most_complex_query_that_is_allowed_runs() {
    let books = books();
    let session = books.session(None).await.unwrap();
    let chain = |link: &str| format!("_offset{}", link.repeat(98));
    for sql in [
        format!("SELECT {} FROM rejects", chain(" + _offset")),
        format!(
            "SELECT * FROM rejects WHERE {}",
            (0..50).map(|n| format!("_offset = {n}")).collect::<Vec<_>>().join(" OR ")
        ),
        format!(
            "SELECT * FROM rejects WHERE {}",
            (0..33).map(|n| format!("_offset + {n} > 5")).collect::<Vec<_>>().join(" OR ")
        ),
        format!("SELECT {} FROM rejects", chain("::int")),
        vec![format!("SELECT {} FROM rejects", chain(" + 1")); 25].join(" UNION "),
        (1..24).fold("SELECT 1 FROM rejects r0".to_owned(), |sql, n| {
            format!("{sql} JOIN rejects r{n} ON r{n}._offset = r0._offset")
        }) + &format!(" WHERE r0.{}", chain(" - 1"))
            + " = 3",
    ] {
        if let Err(error) = session.rows(&sql).await {
            panic!("{}: {error}", &sql[..80]);
        }
    }
}
