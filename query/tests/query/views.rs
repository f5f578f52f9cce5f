//! The views say what their comments promise.

use stempoint_query::Session;
use stempoint_schemas::tables::{API_CALLS, GPU_USAGE, JOURNAL};

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
