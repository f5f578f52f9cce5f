//! Rows as table, CSV and JSON, to the byte.

use stempoint_query::output::Format;
use stempoint_schemas::tables::{HEARTBEATS, JOURNAL, REJECTS};

use crate::golden;
use crate::support::{Books, Cell, printed};

fn books() -> Books {
    let mut books = Books::new();
    let reject = |offset: i64, detail: &str, key: Cell, raw: &[u8]| {
        vec![
            ("_offset", offset.into()),
            ("_recorded_at", "2023-11-16T18:17:03.979960Z".into()),
            ("source", if offset == 1 { Cell::Null } else { "gateway/eu-1/0".into() }),
            ("reason", "payload_missing".into()),
            ("detail", detail.into()),
            ("key", key),
            ("raw", Cell::Bytes(raw.to_vec())),
        ]
    };
    books.add(
        &REJECTS,
        &[
            reject(0, "no \"payload\", really", Cell::Bytes(b"gateway".to_vec()), &[0, 255]),
            reject(1, "two\nlines\u{1b}[31m and a bell\u{7}", Cell::Null, b"{}"),
            reject(2, "", Cell::Bytes(Vec::new()), &[]),
            reject(3, &"long ".repeat(200), Cell::Null, &[7]),
        ],
    );
    let posting = |account: &str, amount: &str, quantity: Cell| {
        vec![
            ("account", account.into()),
            ("asset", "USD".into()),
            ("amount", amount.into()),
            ("quantity", quantity),
            ("meter", "gpu.seconds".into()),
            ("price", "0-1".into()),
        ]
    };
    books.add(
        &JOURNAL,
        &[
            posting("customer/acme/receivable", "1234567.25", "3600".into()),
            posting("platform/rounding", "-0.000000000001", Cell::Null),
            posting("provider/nöde-7/payable", "-99999999999999999999999999.999999999999", "0.000000001".into()),
        ],
    );
    books.add(
        &HEARTBEATS,
        &[vec![
            ("_offset", 4.into()),
            ("time", "2023-11-16T18:00:00Z".into()),
            ("node", "n".into()),
            ("utilisation", "0.5".into()),
            ("memory_used_bytes", 80_000_000_000_i64.into()),
        ]],
    );
    books.commit(1, &[(5, 5)], 1);
    books
}

const QUERIES: [(&str, &str); 5] = [
    ("rejects", "SELECT _offset, _recorded_at, source, reason, detail, key, raw FROM rejects ORDER BY _offset"),
    ("journal", "SELECT account, amount, quantity, model, amount > 0 AS is_debit FROM journal ORDER BY account"),
    (
        "types",
        "SELECT 1.5::double AS double, '1e300'::double AS large, 'NaN'::double AS nan, 7::tinyint unsigned AS small, \
         date '2023-11-01' AS day, timestamp '2023-11-01 00:00:00.000000001' AS nanos, null AS nothing, \
         interval '1 day' AS period, [1, null, 3] AS list, 0.10 AS exact, true AS yes",
    ),
    ("shards", "SELECT version, shards FROM commits"),
    ("empty", "SELECT node, node, count(*) AS n FROM heartbeats WHERE node = 'none' GROUP BY node"),
];

#[tokio::test]
async fn rows_are_written_as_the_files_say() {
    let books = books();
    let session = books.session(None).await.unwrap();
    for (name, sql) in QUERIES {
        let sql = if name == "empty" { sql.replace("node, node,", "node,") } else { sql.to_owned() };
        for format in [Format::Table, Format::Csv, Format::Json] {
            let text = printed(&session, &sql, format).await.unwrap();
            golden::check(&format!("rows-{name}.{format}"), &text);
            if format == Format::Json {
                let parsed: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                assert!(parsed.is_array());
            }
        }
    }
}

#[tokio::test]
async fn columns_of_the_same_name_stay_apart() {
    let books = books();
    let session = books.session(None).await.unwrap();
    let sql = "SELECT a.node, b.node FROM heartbeats a JOIN heartbeats b ON a._offset = b._offset";
    assert_eq!(printed(&session, sql, Format::Json).await.unwrap(), "[\n {\"node\":\"n\",\"node_2\":\"n\"}\n]\n");
}

#[tokio::test]
async fn large_results_are_written_in_blocks() {
    let books = books();
    let session = books.session(None).await.unwrap();
    let sql = "SELECT value, value * 1000 AS thousand FROM generate_series(1, 25000) ORDER BY value";
    let text = printed(&session, sql, Format::Table).await.unwrap();
    assert_eq!(text.lines().count(), 25_003);
    assert!(text.ends_with("(25000 rows)\n"));
    let json = printed(&session, sql, Format::Json).await.unwrap();
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&json).unwrap().len(), 25_000);
}

#[test]
fn formats_are_named() {
    for format in [Format::Table, Format::Csv, Format::Json] {
        assert_eq!(format.to_string().parse::<Format>(), Ok(format));
    }
    let error = "xml".parse::<Format>().unwrap_err().to_string();
    assert_eq!(error, "failed to understand the format \"xml\"; there are table, csv and json");
}
