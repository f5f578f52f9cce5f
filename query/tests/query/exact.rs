//! Numbers that do not fit are errors, never other numbers.

use stempoint_schemas::tables::API_CALLS;

use crate::support::{Books, csv};

const MAX: i64 = i64::MAX;

/// Four calls of two customers; those of `big` together do not fit 64 bits.
fn books() -> Books {
    let mut books = Books::new();
    let call = |offset: i64, customer: &str, tokens: i64| {
        vec![
            ("_partition", 0.into()),
            ("_offset", offset.into()),
            ("customer", customer.into()),
            ("input_tokens", tokens.into()),
        ]
    };
    books.add(&API_CALLS, &[call(0, "big", MAX), call(1, "small", 5)]);
    books.add(&API_CALLS, &[call(2, "big", MAX), call(3, "small", 7)]);
    books.commit(1, &[(4, 0)], 0);
    books
}

/// An expression, the rows that it is asked of, and either its only value or
/// what the error names.
type Case = (&'static str, &'static str, Result<&'static str, &'static str>);

const CASES: &[Case] = &[
    // Constants, which are calculated while the query is planned.
    ("9223372036854775807 + 1", "", Err("9223372036854775807 + 1")),
    ("-9223372036854775807 - 2", "", Err("-9223372036854775807 - 2")),
    ("9223372036854775807 * 2", "", Err("9223372036854775807 * 2")),
    ("-(-9223372036854775807 - 1)", "", Err("- -9223372036854775808")),
    ("9223372036854775806 + 1", "", Ok("9223372036854775807")),
    ("-(-9223372036854775807)", "", Ok("9223372036854775807")),
    ("arrow_cast(127, 'Int8') + arrow_cast(1, 'Int8')", "", Err("127 + 1")),
    ("arrow_cast(3, 'UInt64') - arrow_cast(4, 'UInt64')", "", Err("3 - 4")),
    ("NULL + 1", "", Ok("")),
    ("1 + NULL::bigint", "", Ok("")),
    ("2 + 3 * 4 - 1", "", Ok("13")),
    ("7 / 2", "", Ok("3")),
    // Columns.
    ("input_tokens + 1", "FROM api_calls WHERE _offset = 0", Err("9223372036854775807 + 1")),
    ("1 + input_tokens", "FROM api_calls WHERE _offset = 0", Err("1 + 9223372036854775807")),
    ("input_tokens * 1000000000000000000", "FROM api_calls WHERE _offset = 3", Ok("7000000000000000000")),
    ("input_tokens * 10000000000000000000", "FROM api_calls WHERE _offset = 3", Ok("70000000000000000000")),
    ("input_tokens * 2000000000000000000", "FROM api_calls WHERE _offset = 3", Err("7 * 2000000000000000000")),
    ("-input_tokens - 2", "FROM api_calls WHERE _offset = 0", Err("-9223372036854775807 - 2")),
    ("_partition + 2147483647", "FROM api_calls WHERE _offset = 0", Ok("2147483647")),
    ("input_tokens + _partition", "FROM api_calls WHERE _offset = 3", Ok("7")),
    ("CASE WHEN input_tokens < 9 THEN input_tokens + 1 ELSE 0 END", "FROM api_calls WHERE _offset = 0", Ok("0")),
    ("CAST(input_tokens AS DECIMAL(38,0)) + 1", "FROM api_calls WHERE _offset = 0", Ok("9223372036854775808")),
    ("_offset", "FROM api_calls WHERE input_tokens + 1 < 7", Err("9223372036854775807 + 1")),
    ("_offset", "FROM api_calls WHERE _offset = (SELECT max(input_tokens) + 1 FROM api_calls)", Err("+ 1")),
    ("a._offset", "FROM api_calls a JOIN api_calls b ON a._offset = b.input_tokens + 1", Err("+ 1")),
    ("count(*)", "FROM api_calls GROUP BY ROLLUP(input_tokens + 1)", Err("9223372036854775807 + 1")),
    ("count(*)", "FROM (SELECT 1 FROM api_calls ORDER BY input_tokens * 2)", Ok("4")),
    ("row_number() OVER (ORDER BY input_tokens * 2)", "FROM api_calls LIMIT 1", Err("* 2")),
    ("max(input_tokens) + min(input_tokens)", "FROM api_calls", Err("9223372036854775807 + 5")),
    // Sums.
    ("sum(input_tokens)", "FROM api_calls", Err("sum(api_calls.input_tokens)")),
    ("sum(input_tokens)", "FROM api_calls WHERE customer = 'small'", Ok("12")),
    ("sum(input_tokens)", "FROM api_calls WHERE customer = 'nobody'", Ok("")),
    ("sum(input_tokens)", "FROM api_calls GROUP BY customer", Err("sum(api_calls.input_tokens)")),
    ("sum(input_tokens)", "FROM api_calls GROUP BY customer HAVING customer = 'small'", Ok("12")),
    ("sum(input_tokens)", "FROM api_calls WHERE _offset IN (0, 1) GROUP BY customer LIMIT 0", Ok("(none)")),
    ("sum(CAST(input_tokens AS DECIMAL(38,0)))", "FROM api_calls", Ok("18446744073709551626")),
    ("sum(input_tokens) FILTER (WHERE _offset IN (0, 3))", "FROM api_calls", Err("sum(api_calls.input_tokens)")),
    ("sum(input_tokens) FILTER (WHERE _offset = 0)", "FROM api_calls", Ok("9223372036854775807")),
    ("sum(DISTINCT input_tokens)", "FROM api_calls", Err("sum(DISTINCT …)")),
    ("sum(DISTINCT input_tokens)", "FROM api_calls WHERE _offset IN (0, 2)", Ok("9223372036854775807")),
    ("concat(sum(DISTINCT input_tokens), count(DISTINCT customer))", "FROM api_calls", Err("DISTINCT")),
    ("concat(sum(DISTINCT _partition), count(DISTINCT customer))", "FROM api_calls", Ok("02")),
    ("sum(input_tokens) OVER (ORDER BY _offset)", "FROM api_calls", Err("sum(api_calls.input_tokens)")),
    ("sum(x)", "FROM (VALUES (9223372036854775807), (5), (-9223372036854775807)) AS v(x)", Ok("5")),
    ("sum(x)", "FROM (VALUES (NULL::bigint), (5)) AS v(x)", Ok("5")),
    ("sum(x)", "FROM (VALUES (-9223372036854775807), (-2)) AS v(x)", Err("sum(v.x)")),
    ("sum(arrow_cast(x, 'UInt64'))", "FROM (VALUES (18446744073709551615), (1)) AS v(x)", Err("sum(")),
    ("sum(arrow_cast(x, 'UInt64'))", "FROM (VALUES (18446744073709551614), (1)) AS v(x)", Ok("18446744073709551615")),
    ("sum(x)", "FROM (VALUES (0.5), (0.25)) AS v(x)", Ok("0.75")),
    ("sum(CAST(x AS DOUBLE))", "FROM (VALUES (0.5), (0.25)) AS v(x)", Ok("0.75")),
    ("sum(x - x)", "FROM (VALUES (TIMESTAMP '2023-11-01T00:00:00')) AS v(x)", Ok("P0D")),
    // Decimals, which are what the errors advise.
    (
        "sum(CAST(x AS DECIMAL(38,0)) * 6)",
        "FROM (VALUES (10000000000000000000000000000000000000)) AS v(x)",
        Ok("60000000000000000000000000000000000000"),
    ),
    (
        "sum(CAST(x AS DECIMAL(38,0)) * 6)",
        "FROM (VALUES (10000000000000000000000000000000000000), (10000000000000000000000000000000000000)) AS v(x)",
        Err("more than 38 digits"),
    ),
    ("CAST(10000000000000000000000000000000000000 AS DECIMAL(38,0)) * 100", "", Err("overflow")),
];

#[tokio::test]
async fn numbers_that_do_not_fit_are_errors() {
    let books = books();
    let session = books.session(None).await.expect("a session");
    let mut wrong = Vec::new();
    for (expression, from, expected) in CASES {
        let sql = format!("SELECT {expression} AS x {from}");
        let actual = csv(&session, &sql).await.map_err(|error| error.to_string());
        let is_right = match (&actual, expected) {
            (Ok(text), Ok("(none)")) => text == "x\n",
            (Ok(text), Ok(value)) => *text == format!("x\n{value}\n"),
            (Err(text), Err(part)) => text.contains(part) && text.contains("overflow"),
            _ => false,
        };
        if !is_right {
            wrong.push(format!("{sql}\n  expected {expected:?}\n  actual   {actual:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

#[tokio::test]
async fn the_error_says_what_to_do() {
    let books = books();
    for sql in ["SELECT sum(input_tokens) FROM api_calls", "SELECT input_tokens * 1000000000000 FROM api_calls"] {
        let error = books.csv(None, sql).await.expect_err(sql).to_string();
        assert!(error.starts_with("failed to run the query: integer overflow in "), "{error}");
        assert!(error.ends_with(": cast to DECIMAL(38,0) first, for example CAST(x AS DECIMAL(38,0))"), "{error}");
    }
}

/// Checking must not show in the names of columns.
#[tokio::test]
async fn columns_keep_their_names() {
    let books = books();
    let sql = "SELECT _offset + 1, -_offset, sum(_offset * 2), sum(_offset) OVER () FROM api_calls \
               WHERE _offset = 3 GROUP BY ROLLUP(_offset + 1, _offset) ORDER BY 1 LIMIT 1";
    let expected = "api_calls._offset + Int64(1),(- api_calls._offset),sum(api_calls._offset * Int64(2)),\
                    sum(api_calls._offset) ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING";
    let answer = books.csv(None, sql).await.expect("an answer");
    assert_eq!(answer.lines().next(), Some(expected));
}

/// Windows that move take values out again.
#[tokio::test]
async fn moving_sums_are_checked_where_they_are() {
    let books = books();
    let over = |what: &str| {
        format!(
            "SELECT sum({what}) OVER (ORDER BY _offset ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS x FROM api_calls WHERE _offset > 0 ORDER BY _offset"
        )
    };
    let error = books.csv(None, &over("input_tokens")).await.expect_err("it does not fit").to_string();
    assert!(error.contains("integer overflow in sum(api_calls.input_tokens)"), "{error}");
    assert_eq!(books.csv(None, &over("_offset")).await.expect("it fits"), "x\n1\n3\n5\n");
    assert_eq!(books.csv(None, &over("DISTINCT _partition + 4")).await.expect("it fits"), "x\n4\n4\n4\n");
    assert!(books.csv(None, &over("DISTINCT input_tokens")).await.is_err());
}
