//! FOCUS 1.4: the views keep the specification's rules, row by row, and the
//! exports say the same (invariant 7: what is closed stays as it is).

mod rules;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::audit_views::eventful;
use crate::harness::{Books, scaled, text};
pub use rules::check as keeps_the_rules;
use rules::{check, check_journal, is_text};

const SELECT: &str = "SELECT id, at AS time, customer, model, nullif(region, '') AS region, 'node-1' AS provider, \
                      tokens AS input_tokens, 0 AS output_tokens FROM input";

fn apply(books: &Books, per: &str, amount: &str) {
    let file = books.file(
        "prices.toml",
        &format!(
            "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n\
             [[price]]\nmeter = \"tokens.input\"\nmatch = {{ model = \"code-1\" }}\nper = \"{per}\"\namount = \"{amount}\"\n\
             [[price]]\nmeter = \"tokens.input\"\nper = \"1000\"\namount = \"1.001\"\n\
             [[share]]\nmeter = \"tokens.input\"\nprovider = \"0.5\"\n"
        ),
    );
    books.run(&["prices", "apply", &file.to_string_lossy()]);
}

fn import(books: &Books, name: &str, rows: &str) {
    let file = books.file(&format!("{name}.csv"), &format!("id,at,customer,model,region,tokens\n{rows}"));
    books.run(&["import", "api_call", &file.to_string_lossy(), "--source", name, "--select", SELECT]);
}

/// Two closed months and an open one: prices that do not divide, late usage, a
/// price changed backwards, an invoice that was taken back, a credit, and a
/// customer whose use rounds to nothing.
pub fn lively() -> Books {
    let books = Books::new();
    apply(&books, "7", "1");
    let november = "a,2023-11-10T00:10:00Z,acme,code-1,eu,3000\n\
                    b,2023-11-10T01:10:00Z,acme,code-1,eu,3001\n\
                    c,2023-11-11T01:10:00Z,acme,code-1,us,1\n\
                    d,2023-11-11T01:10:00Z,blue,\"x/\"\"y\\z\",,7001\n\
                    e,2023-11-11T01:10:00Z,tiny,code-2,,1\n";
    import(&books, "first", &format!("{november}f,2023-12-02T01:10:00Z,acme,code-1,eu,70\n"));
    books.run(&["terms", "set", "--entity", "SPEU", "--due-days", "14", "--tax", "VAT=0.19"]);
    books.run(&["terms", "set", "--customer", "blue", "--entity", "SPUS"]);
    books.run(&["period", "close", "2023-11"]);
    // Terms that change do not change what was closed.
    books.run(&["terms", "set", "--customer", "tiny", "--entity", "SPUK"]);
    import(
        &books,
        "late",
        "l,2023-11-30T23:10:00Z,acme,code-1,eu,11\nm,2023-12-30T23:10:00Z,late,code-1,eu,500000000000\n",
    );
    apply(&books, "13", "2");
    books.run(&["payment", "add", "acme", "10", "--received", "2023-12-05T00:00:00Z", "--id", "bank-1"]);
    books.run(&["credit", "acme", "--invoice", "SPEU-000001", "--reason", "billed twice"]);
    books.run(&["credit", "blue", "1.50", "--reason", "an \"outage\", sorry"]);
    books.run(&["period", "close", "2023-12"]);
    import(&books, "again", november);
    books.run(&["trial-balance"]);
    books
}

#[test]
fn every_row_keeps_the_rules_of_the_specification() {
    let books = lively();
    check(&books);
    // Late usage, and the old price taken back for the new one: with the hours of use.
    let corrections = books.sql(
        "SELECT \"ChargePeriodStart\" AS hour, \"ConsumedQuantity\" AS quantity, \"BilledCost\" AS cost, \
         \"InvoiceId\" AS invoice FROM focus_cost_and_usage \
         WHERE \"ChargeClass\" = 'Correction' AND \"ChargeCategory\" = 'Usage' AND \"BillingAccountId\" = 'acme' \
         AND \"RegionId\" = 'eu' AND \"BillingPeriodStart\" = '2023-12-01T00:00:00' ORDER BY hour, quantity",
    );
    let of = |row: &Value| ["hour", "quantity", "cost", "invoice"].map(|c| is_text(row, c)).join(" ");
    assert_eq!(
        corrections.iter().map(of).collect::<Vec<_>>(),
        [
            "2023-11-10T00:00:00Z -3000 -428.571428571429 SPEU-000003",
            "2023-11-10T00:00:00Z 3000 461.538461538462 SPEU-000003",
            "2023-11-10T01:00:00Z -3001 -428.714285714285 SPEU-000003",
            "2023-11-10T01:00:00Z 3001 461.692307692307 SPEU-000003",
            "2023-11-30T23:00:00Z 11 1.692307692308 SPEU-000003",
        ]
    );
    let statuses = books.sql(
        "SELECT DISTINCT \"InvoiceId\" AS id, \"InvoiceIssueStatus\" AS status, \"PaymentTerms\" AS terms, \
         \"ReferenceInvoiceId\" AS of FROM focus_invoice_detail ORDER BY id",
    );
    let of = |row: &Value| ["id", "status", "terms", "of"].map(|c| is_text(row, c)).join(" ");
    assert_eq!(
        statuses.iter().map(of).collect::<Vec<_>>(),
        [
            "SPEU-000001 Voided Net 14 SPEU-000001",
            "SPEU-000002 Issued Credit note SPEU-000001",
            "SPEU-000003 Issued Net 14 SPEU-000003",
            "SPEU-000004 Issued Net 14 SPEU-000004",
            "SPUS-000001 Issued Net 30 SPUS-000001",
            "SPUS-000002 Issued Credit note SPUS-000002",
        ]
    );
    // What rounds to nothing is billed nothing, by the entity of that time.
    let tiny = books.sql(
        "SELECT \"InvoiceIssuerName\" AS issuer, sum(\"BilledCost\") AS cost, count(*) AS n FROM focus_cost_and_usage \
         WHERE \"BillingAccountId\" = 'tiny' AND \"BillingPeriodStart\" = '2023-11-01T00:00:00' AND \"InvoiceId\" IS NULL \
         GROUP BY \"InvoiceIssuerName\"",
    );
    assert_eq!(Value::from(tiny), serde_json::json!([{"issuer": "SPEU", "cost": "0", "n": 2}]));
}

#[test]
fn closed_months_stay_as_they_were_on_random_histories() {
    let seed = std::env::var("STEMPOINT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
    for seed in (0..3).map(|number| seed.wrapping_add(number)) {
        eprintln!("STEMPOINT_SEED={seed}");
        let books = eventful(seed);
        books.output(&["period", "close", "2023-10"]);
        check(&books);
        let closed = "SELECT * EXCEPT(\"InvoiceIssueStatus\", \"InvoiceDetailLastUpdated\") FROM focus_invoice_detail \
                      ORDER BY \"InvoiceDetailId\"";
        let charges = "SELECT c.* FROM focus_cost_and_usage c JOIN focus_billing_period b ON \
                       b.\"BillingPeriodStart\" = c.\"BillingPeriodStart\" AND b.\"InvoiceIssuerName\" = c.\"InvoiceIssuerName\" \
                       WHERE \"BillingPeriodStatus\" = 'Closed' ORDER BY \"BillingAccountId\", c.\"BillingPeriodStart\", \
                       \"SkuPriceId\", \"x_PriceId\", \"ChargePeriodStart\", \"ChargeCategory\"";
        let before = (books.sql(closed), books.sql(charges));
        import(
            &books,
            "later",
            "z1,2023-10-10T00:10:00Z,customer-1,code-1,eu,31\nz2,2023-11-10T00:10:00Z,customer-2,code-1,eu,37\n",
        );
        apply(&books, "17", "3");
        books.run(&["terms", "set", "--entity", "OTHER", "--tax", "VAT=0.07"]);
        books.run(&["trial-balance"]);
        check(&books);
        assert_eq!((books.sql(closed), books.sql(charges)), before);
    }
}

/// Guards invariant 8: the SQL that stands for the exact quotient.
#[test]
fn hours_cost_what_the_quotient_says_to_the_last_digit() {
    let books = Books::new();
    // Halves of the last place, thirds, sevenths, and prices from tiny to large.
    let prices = [
        ("2", "0.000000000001"),
        ("3", "1"),
        ("7", "999999.999999999999"),
        ("0.000000001", "0.001"),
        ("1000000", "2.5"),
    ];
    let mut book = "currency = \"USD\"\neffective_from = \"2023-11-01T00:00:00Z\"\n".to_owned();
    for (number, (per, amount)) in prices.iter().enumerate() {
        book.push_str(&format!(
            "[[price]]\nmeter = \"tokens.input\"\nmatch = {{ model = \"m-{number}\" }}\nper = \"{per}\"\namount = \"{amount}\"\n"
        ));
    }
    let file = books.file("prices.toml", &book);
    books.run(&["prices", "apply", &file.to_string_lossy()]);
    let mut rows = String::new();
    for number in 0..prices.len() {
        for (hour, tokens) in [1_u64, 1, 3, 10, 999_999_937, 4_611_686_018, 2].iter().enumerate() {
            rows.push_str(&format!("{number}-{hour},2023-11-10T{hour:02}:00:00Z,acme,m-{number},,{tokens}\n"));
        }
    }
    import(&books, "calls", &rows);
    books.run(&["trial-balance"]);
    check_journal(&books, &books.sql("SELECT * FROM focus_cost_and_usage"));
    let costs =
        books.sql("SELECT model, hour, per, unit_price, quantity, units, cost FROM usage_costs ORDER BY model, hour");
    let mut so_far: BTreeMap<String, (i128, i128)> = BTreeMap::new();
    for row in &costs {
        let (quantity, cost) = so_far.entry(is_text(row, "model")).or_default();
        *quantity += scaled(&row["quantity"], 9);
        *cost += scaled(&row["cost"], 12);
        let (per, price) = (scaled(&row["per"], 9), scaled(&row["unit_price"], 12));
        assert_eq!(*cost, rounded(*quantity, price, per), "{row}");
        assert_eq!(scaled(&row["units"], 15), rounded(scaled(&row["quantity"], 9), 10_i128.pow(15), per), "{row}");
    }
    assert_eq!(costs.len(), prices.len() * 7);
}

/// `one` × `other` / `by`, half away from zero, of positive numbers.
fn rounded(one: i128, other: i128, by: i128) -> i128 {
    let (whole, rest) = (one / by, one % by);
    whole * other + (rest * other * 2 + by) / (by * 2)
}

fn exported(books: &Books, arguments: &[&str]) -> Vec<BTreeMap<String, String>> {
    let output = books.run(&[&["focus"], arguments].concat());
    let mut reader = csv::Reader::from_reader(output.as_bytes());
    let names = reader.headers().expect("a heading").clone();
    let named =
        |record: csv::StringRecord| names.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect();
    reader.records().map(|record| named(record.expect("a record"))).collect()
}

#[test]
fn exports_have_the_columns_the_formats_and_the_names() {
    let books = lively();
    std::fs::write(books.data().join("stempoint.toml"), "[issuer]\nname = \"Example Compute Ltd\"\n").expect("a file");
    books.run(&["profile", "set", "acme", "--name", "Acme, \"Ltd\""]);
    let month = ["cost-and-usage", "--period", "2023-12"];
    let rows = exported(&books, &month);
    let asked = books.sql("SELECT * FROM focus_cost_and_usage WHERE \"BillingPeriodStart\" = '2023-12-01T00:00:00'");
    assert_eq!(rows.len(), asked.len());
    for row in &rows {
        let name = if row["BillingAccountId"] == "acme" { "Acme, \"Ltd\"" } else { "" };
        assert_eq!(
            (row["BillingAccountName"].as_str(), row["ServiceProviderName"].as_str()),
            (name, "Example Compute Ltd")
        );
        assert!(["SPEU", "SPUS", "SPUK"].contains(&row["InvoiceIssuerName"].as_str()), "{row:?}");
        for (column, value) in row {
            if column.ends_with("Start") || column.ends_with("End") {
                assert!(value.len() == 20 && value.ends_with(":00:00Z"), "{column} {value}");
            }
            if column.ends_with("Cost") || column.ends_with("Quantity") {
                assert!(value.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-'), "{column} {value}");
            }
        }
    }
    for (dataset, date) in [("invoice-detail", "InvoiceIssueDate"), ("billing-period", "BillingPeriodCreated")] {
        let rows = exported(&books, &[dataset]);
        assert!(!rows.is_empty() && rows.iter().all(|row| row[date].len() == 20), "{rows:?}");
    }
    let error = books.fail(&["focus", "billing-period", "--format", "parquet"]);
    assert!(error.contains("--out"), "{error}");
    let error = books.fail(&["focus", "billing-period", "--period", "2023-13"]);
    assert!(error.contains("is not a month such as 2023-11"), "{error}");
    let file = books.folder().join("nowhere/a.csv");
    assert!(books.fail(&["focus", "billing-period", "--out", &file.to_string_lossy()]).contains("failed to write"));
    parquet_says_the_same(&books);
}

/// The file of Parquet, read by DuckDB, has what the view has there.
fn parquet_says_the_same(books: &Books) {
    let Some(python) = crate::foreign::python("focus::parquet_says_the_same") else { return };
    for (dataset, view) in [
        ("cost-and-usage", "focus_cost_and_usage"),
        ("invoice-detail", "focus_invoice_detail"),
        ("billing-period", "focus_billing_period"),
    ] {
        let file = books.folder().join(format!("{dataset}.parquet")).to_string_lossy().into_owned();
        let said = books.run(&["focus", dataset, "--format", "parquet", "--out", &file]);
        assert_eq!(said, "", "nothing but the file is written");
        let names = ["BillingAccountName", "ServiceProviderName", "HostProviderName"];
        let ours = books.sql(&format!("SELECT * FROM {view}"));
        let theirs = crate::foreign::asked(
            &python,
            &books.data().join("lake"),
            &format!("SELECT * FROM read_parquet('{file}')"),
        );
        let plain = |rows: Vec<Value>| {
            let mut rows: Vec<String> = rows
                .into_iter()
                .map(|mut row| {
                    names.iter().for_each(|name| drop(row.as_object_mut().and_then(|row| row.remove(*name))));
                    row.to_string()
                })
                .collect();
            rows.sort();
            rows
        };
        assert_eq!(plain(theirs), plain(ours), "{dataset}");
    }
    let types = crate::foreign::asked(
        &python,
        &books.data().join("lake"),
        &format!(
            "SELECT typeof(\"BilledCost\") AS cost, typeof(\"ChargePeriodStart\") AS moment FROM read_parquet('{}') LIMIT 1",
            books.folder().join("cost-and-usage.parquet").to_string_lossy()
        ),
    );
    assert_eq!(
        text(types[0].to_string().as_bytes()),
        r#"{"cost":"DECIMAL(38,12)","moment":"TIMESTAMP WITH TIME ZONE"}"#
    );
}
