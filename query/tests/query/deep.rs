//! Long chains and many tables: whatever is let through is planned and run,
//! and what is more is refused; a stack that overflows would end this
//! process.

use std::fmt::Write as _;

use stempoint_query::QueryError;
use stempoint_schemas::tables::REJECTS;

use crate::support::Books;

/// A little under the limits that the catalogue's errors state, because the
/// rest of each query counts, too.
const OPERATORS: usize = 990;
const TABLES: usize = 98;

fn books() -> Books {
    let mut books = Books::new();
    books.add(&REJECTS, &[vec![("_offset", 0.into()), ("reason", "test".into())]]);
    books.commit(1, &[(1, 0)], 0);
    books
}

/// A query of so many links, each of which is so many operators.
fn chain(before: &str, link: &str, operators: usize, after: &str, count: usize) -> String {
    format!("{before}{}{after}", link.repeat(count / operators))
}

fn join(count: usize) -> String {
    (1..count).fold("SELECT count(*) FROM prices p0".to_owned(), |mut sql, table| {
        // Writing to a string cannot fail.
        let _ = write!(sql, " JOIN prices p{table} ON p{table}.currency = p0.currency");
        sql
    })
}

#[tokio::test]
async fn what_is_let_through_runs_and_more_is_refused() {
    let books = books();
    let session = books.session(None).await.unwrap();
    for (before, link, operators, after) in [
        ("SELECT 1 FROM rejects WHERE reason = 'x'", " OR true", 1, ""),
        ("SELECT 1 FROM rejects WHERE _offset = 0", " OR _offset = 1", 2, ""),
        ("SELECT 1 FROM rejects WHERE true", " AND reason NOT LIKE 'a'", 2, ""),
        ("SELECT 1 FROM rejects WHERE false", " OR _offset BETWEEN 0 AND 2", 3, ""),
        ("SELECT 1 FROM rejects WHERE reason", " || 'a'", 1, " <> ''"),
        ("SELECT _offset", " + 1", 1, " FROM rejects"),
        ("SELECT reason", "::varchar", 1, " FROM rejects"),
        ("SELECT reason", " IS NULL", 1, " FROM rejects"),
        ("SELECT _recorded_at", " AT TIME ZONE 'UTC'", 1, " FROM rejects"),
        ("SELECT now()", " + INTERVAL '1 day'", 1, ""),
    ] {
        let rows = session.rows(&chain(before, link, operators, after, OPERATORS)).await;
        assert!(rows.is_ok(), "{link}: {:?}", rows.err());
        let more = session.rows(&chain(before, link, operators, after, OPERATORS + 50)).await;
        assert!(matches!(more, Err(QueryError::TooComplex(_))), "{link}: {more:?}");
    }
    let mut sets: Vec<(String, String)> = vec![(join(TABLES), join(TABLES + 5))];
    for link in [" UNION SELECT 1", " UNION ALL SELECT 0", " EXCEPT SELECT 1", " UNION ALL SELECT _offset FROM usage"] {
        sets.push((chain("SELECT 0", link, 1, "", TABLES), chain("SELECT 0", link, 1, "", TABLES + 5)));
    }
    for (within, beyond) in sets {
        let rows = session.rows(&within).await;
        assert!(rows.is_ok(), "{within}: {:?}", rows.err());
        let more = session.rows(&beyond).await;
        assert!(matches!(more, Err(QueryError::TooComplex(_))), "{beyond}: {more:?}");
    }
}

#[tokio::test]
async fn queries_in_each_other_run_or_are_refused() {
    let books = books();
    let session = books.session(None).await.unwrap();
    for (open, inner, close) in [
        ("(", "SELECT 1", ")"),
        ("SELECT * FROM (", "SELECT 1 AS x", ")"),
        ("SELECT abs(", "1", ")"),
        ("SELECT (1 + ", "1", ")"),
        ("SELECT CASE WHEN true THEN ", "1", " END"),
    ] {
        for depth in [10, 1_000] {
            let inside = open.strip_prefix("SELECT ").filter(|_| !open.contains("FROM"));
            let text = match inside {
                Some(part) => format!("SELECT {}{inner}{}", part.repeat(depth), close.repeat(depth)),
                None => format!("{}{inner}{}", open.repeat(depth), close.repeat(depth)),
            };
            let rows = session.rows(&text).await;
            match depth {
                10 => assert!(rows.is_ok(), "{open}: {:?}", rows.err()),
                // A CASE that is too deep is taken for a column's name by the parser.
                _ => {
                    assert!(matches!(rows, Err(QueryError::TooComplex(_) | QueryError::Syntax(_))), "{open}: {rows:?}")
                }
            }
        }
    }
}
