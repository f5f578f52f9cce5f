//! The views say what their comments promise.

use std::fmt::Write as _;

use stempoint_query::Session;
use stempoint_query::catalogue::{published, published_script};
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::tables::{self, API_CALLS, CHARGES, GPU_USAGE, JOURNAL, PRICES, WrittenBy};

use crate::support::{Books, Row};

fn books() -> Books {
    let mut books = Books::new();
    let call = |offset: i64, rest: &[(&'static str, crate::support::Cell)]| -> Row {
        let mut row: Row = vec![
            ("_offset", offset.into()),
            ("source", "gateway/eu-1/0".into()),
            ("time", "2023-11-16T18:17:03.979960Z".into()),
            ("customer", "acme".into()),
            ("model", "code-1".into()),
            ("provider", "node-7".into()),
        ];
        row.extend_from_slice(rest);
        row
    };
    books.add(
        &API_CALLS,
        &[
            call(0, &[("id", "a-1".into()), ("input_tokens", 10.into()), ("region", "eu".into())]),
            call(
                1,
                &[
                    ("incarnation", 3.into()),
                    ("sequence", 9.into()),
                    ("output_tokens", 4.into()),
                    ("cached_input_tokens", 0.into()),
                ],
            ),
        ],
    );
    books.add(
        &GPU_USAGE,
        &[vec![
            ("_offset", 2.into()),
            ("source", "node/node-9".into()),
            ("id", "g-1".into()),
            ("time", "2023-11-16T18:00:00Z".into()),
            ("customer", "globex".into()),
            ("node", "node-9".into()),
            ("gpu", "T4".into()),
            ("gpu_seconds", "12.000000001".into()),
            ("energy_joules", "3.5".into()),
        ]],
    );
    let posting = |account: &str, amount: &str| -> Row {
        vec![("account", account.into()), ("asset", "USD".into()), ("amount", amount.into()), ("price", "0-1".into())]
    };
    books.add(
        &JOURNAL,
        &[
            posting("customer/acme/receivable", "2.5"),
            posting("customer/acme/receivable", "0.5"),
            posting("platform/revenue", "-3"),
        ],
    );
    books.commit(1, &[(3, 1)], 1);
    books
}

#[tokio::test]
async fn usage_has_a_row_per_event_and_meter() {
    let sql = "SELECT _offset, id, customer, provider, meter, model, gpu, region, quantity FROM usage ORDER BY _offset, meter";
    let expected = "\
_offset,id,customer,provider,meter,model,gpu,region,quantity
0,a-1,acme,node-7,requests,code-1,,eu,1
0,a-1,acme,node-7,tokens.input,code-1,,eu,10
1,3-9,acme,node-7,requests,code-1,,,1
1,3-9,acme,node-7,tokens.output,code-1,,,4
2,g-1,globex,node-9,energy.joules,,T4,,3.5
2,g-1,globex,node-9,gpu.seconds,,T4,,12.000000001
";
    assert_eq!(books().csv(None, sql).await.unwrap(), expected);
    let settled = books().csv(None, "SELECT DISTINCT _offset FROM settled_usage").await.unwrap();
    assert_eq!(settled, "_offset\n0\n");
}

#[tokio::test]
async fn balances_add_up_the_journal() {
    let sql = "SELECT * FROM balances ORDER BY account";
    let expected = "account,asset,balance,postings\ncustomer/acme/receivable,USD,3,2\nplatform/revenue,USD,-3,1\n";
    assert_eq!(books().csv(None, sql).await.unwrap(), expected);
}

#[tokio::test]
async fn every_relation_and_column_explains_itself() {
    let books = books();
    let session = books.session(None).await.unwrap();
    for relation in Session::relations() {
        assert!(relation.comment.len() > 20, "{}", relation.name);
        let rows = session.sql(&format!("SELECT * FROM {}", relation.name)).await.unwrap();
        for field in rows.schema().fields() {
            let comment = field.metadata().get("comment");
            assert!(comment.is_some_and(|comment| comment.len() > 10), "{}.{}", relation.name, field.name());
        }
    }
}

#[tokio::test]
async fn views_are_there_when_they_are_asked_for_and_listed() {
    let books = books();
    let session = books.session(None).await.unwrap();
    let listed = "SELECT count(*) AS n FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(crate::support::csv(&session, listed).await.unwrap(), format!("n\n{}\n", Session::relations().len()));
    // Twice in one session, and both at once.
    let query = "SELECT count(*) AS n FROM audit_entries";
    let (one, other) = tokio::join!(session.rows(query), session.rows(query));
    assert_eq!(one.unwrap(), other.unwrap());
}

#[tokio::test]
async fn columns_with_and_without_comments_can_be_united_and_grouped() {
    let sql = "SELECT meter, sum(quantity) AS quantity FROM (SELECT 'requests' AS meter, 1 AS quantity UNION ALL \
               SELECT meter, quantity FROM usage UNION ALL SELECT meter, quantity FROM charges) AS all_of_them \
               WHERE meter = 'requests' GROUP BY meter";
    assert_eq!(books().csv(None, sql).await.unwrap(), "meter,quantity\nrequests,3\n");
}

/// The file says of each meter what `Meter` says.
#[test]
fn usage_counts_what_the_meters_say() {
    for prefix in ["", "settled_"] {
        let selects: Vec<String> = Meter::ALL.map(|meter| select(meter, prefix)).into();
        let view = published(&format!("{prefix}usage")).unwrap();
        let (_, query) = view.split_once(" AS\n").unwrap();
        assert_eq!(query, format!("{};\n", selects.join("\nUNION ALL\n")));
    }
}

fn select(meter: Meter, prefix: &str) -> String {
    let (table, quantity) = meter.counted_in();
    let provider = if table == "api_calls" { "provider" } else { "node AS provider" };
    let dimensions = Dimension::ALL.map(|dimension| {
        let absent = format!("CAST(NULL AS VARCHAR) AS {}", dimension.name());
        if meter.dimensions().contains(&dimension) { dimension.name().to_owned() } else { absent }
    });
    format!(
        "SELECT _partition, _offset, _recorded_at, source,\n    \
         coalesce(id, CAST(incarnation AS VARCHAR) || '-' || CAST(sequence AS VARCHAR)) AS id,\n    \
         time, customer, {provider}, '{meter}' AS meter, {},\n    \
         CAST({quantity} AS DECIMAL(38, 9)) AS quantity\nFROM {prefix}{table} WHERE {quantity} <> 0",
        dimensions.join(", ")
    )
}

/// Readers outside see the visible rows of every table.
#[test]
fn the_published_script_has_every_table() {
    let mut expected = String::new();
    for table in tables::ALL {
        let name = table.name;
        // Writing to a string cannot fail.
        let _ = match table.written_by {
            WrittenBy::Commit => continue,
            WrittenBy::Ingest => write!(
                expected,
                "CREATE VIEW {name} AS\nSELECT raw_{name}.* FROM raw_{name}\n\
                 JOIN shards ON raw_{name}._partition = shards._partition\nWHERE _offset < watermark;\n\n"
            ),
            WrittenBy::Settlement => write!(
                expected,
                "CREATE VIEW {name} AS\nSELECT * FROM raw_{name}\n\
                 WHERE _offset < (SELECT max(control_offset) FROM commits);\n\n"
            ),
        };
    }
    let script = published_script();
    assert!(script.contains(&expected), "{script}\nlacks\n{expected}");
    for relation in Session::relations() {
        assert!(script.contains(&format!("CREATE VIEW {} AS", relation.name)), "{}", relation.name);
    }
}

/// Usage of two partitions, a part of it not settled, priced, waived, not
/// billed, waiting and late; an entry and a record that do not add up.
fn audited() -> Books {
    let mut books = Books::new();
    let call = |partition: i64, offset: i64, tokens: i64| -> Row {
        vec![
            ("_partition", partition.into()),
            ("_offset", offset.into()),
            ("source", "s".into()),
            ("id", format!("{partition}-{offset}").into()),
            ("time", "2023-11-16T18:17:03Z".into()),
            ("customer", "acme".into()),
            ("model", "code-1".into()),
            ("provider", "node-7".into()),
            ("input_tokens", tokens.into()),
        ]
    };
    // Offset 9 is settled nowhere, offset 20 is not visible.
    books.add(&API_CALLS, &[call(0, 0, 10), call(0, 9, 5), call(1, 3, 7), call(1, 20, 1000)]);
    let charge = |offset: i64, side: &str, meter: &str, state: &str, quantity: &str| -> Row {
        vec![
            ("_offset", offset.into()),
            ("side", side.into()),
            ("party", if side == "customer" { "acme" } else { "node-7" }.into()),
            ("meter", meter.into()),
            ("model", "code-1".into()),
            ("hour", "2023-11-16T18:00:00Z".into()),
            ("period", "2023-11".into()),
            ("state", state.into()),
            ("price", (state == "charged").then_some("0-1").into()),
            ("currency", "USD".into()),
            ("quantity", quantity.into()),
        ]
    };
    let later = |mut row: Row| -> Row {
        row.retain(|(column, _)| *column != "period");
        row.push(("period", "2024-01".into()));
        row
    };
    books.add(
        &CHARGES,
        &[
            charge(1, "customer", "tokens.input", "charged", "10"),
            later(charge(1, "customer", "tokens.input", "charged", "3")),
            charge(1, "customer", "tokens.input", "unrated", "5"),
            charge(1, "customer", "tokens.input", "unrated", "-1"),
            charge(1, "customer", "requests", "not_billed", "1"),
            charge(1, "customer", "requests", "waived", "1"),
            charge(1, "provider", "tokens.input", "charged", "10"),
            later(charge(1, "provider", "tokens.input", "charged", "3")),
            charge(1, "provider", "tokens.input", "unrated", "4"),
            charge(1, "provider", "requests", "not_billed", "2"),
            charge(4, "customer", "tokens.input", "charged", "99"),
        ],
    );
    let per = |price: &str| -> Row { vec![("price", price.into()), ("per", "7".into()), ("amount", "2".into())] };
    books.add(&PRICES, &[per("0-1")]);
    let posting = |entry: i64, asset: &str, amount: &str| -> Row {
        vec![("_offset", 1.into()), ("entry", entry.into()), ("asset", asset.into()), ("amount", amount.into())]
    };
    books.add(
        &JOURNAL,
        &[posting(1, "USD", "2.5"), posting(1, "USD", "-2.5"), posting(2, "USD", "1"), posting(2, "EUR", "-1")],
    );
    books.commit(1, &[(10, 9), (4, 4)], 3);
    books
}

#[tokio::test]
async fn audit_views_show_each_difference() {
    let books = audited();
    for (view, order, expected) in [
        (
            "audit_conservation",
            "meter",
            "meter,model,gpu,region,used,not_settled,corrected,charged,unrated,waived,not_billed,difference\n\
             requests,code-1,,,3,1,0,0,0,1,1,0\ntokens.input,code-1,,,22,5,0,13,4,0,0,0\n",
        ),
        (
            "audit_sides",
            "meter, state, period",
            "period,currency,meter,model,gpu,region,state,price,customers,providers,difference\n\
             2023-11,USD,requests,code-1,,,not_billed,,1,2,-1\n\
             2023-11,USD,requests,code-1,,,waived,,1,0,1\n\
             2023-11,USD,tokens.input,code-1,,,charged,0-1,10,10,0\n\
             2024-01,USD,tokens.input,code-1,,,charged,0-1,3,3,0\n\
             2023-11,USD,tokens.input,code-1,,,unrated,,4,4,0\n",
        ),
        (
            "audit_records",
            "_partition",
            "_partition,watermark,received,accepted,duplicate,rejected,accepted_rows,duplicate_rows,rejected_rows,difference\n\
             0,10,0,0,0,0,2,0,0,2\n1,4,0,0,0,0,1,0,0,1\n",
        ),
        (
            "audit_entries",
            "entry, asset",
            "_offset,entry,asset,postings,difference\n1,1,USD,2,0\n1,2,EUR,1,-1\n1,2,USD,1,1\n",
        ),
        (
            "audit_unrated",
            "meter",
            "period,currency,meter,model,gpu,region,first_hour,last_hour,hours,customers,quantity\n\
             2023-11,USD,tokens.input,code-1,,,2023-11-16T18:00:00Z,2023-11-16T18:00:00Z,1,1,4\n",
        ),
        (
            "audit_late",
            "meter",
            "hour,period,customer,currency,meter,model,gpu,region,state,price,quantity,amount\n\
             2023-11-16T18:00:00Z,2024-01,acme,USD,tokens.input,code-1,,,charged,0-1,3,0.857143\n",
        ),
    ] {
        let said = books.csv(None, &format!("SELECT * FROM {view} ORDER BY {order}")).await.unwrap();
        assert_eq!(said, expected, "{view}");
    }
}
