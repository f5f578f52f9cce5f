//! The general ledger for accounting packages: balanced to the cent, and in
//! agreement with the books' own balances.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::focus::lively;
use crate::harness::{Books, scaled};

/// A line as the CSV has it.
type Line = BTreeMap<String, String>;

fn lines(books: &Books, month: &str) -> Vec<Line> {
    let output = books.run(&["general-ledger", month]);
    let mut reader = csv::Reader::from_reader(output.as_bytes());
    let names = reader.headers().expect("a heading").clone();
    assert_eq!(
        names.iter().collect::<Vec<_>>().join(","),
        "date,entry,account_code,account_name,party,debit,credit,currency,description,document"
    );
    let named =
        |record: csv::StringRecord| names.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect();
    reader.records().map(|record| named(record.expect("a record"))).collect()
}

/// Debit less credit in cents; one of them is given, and it has two decimal places.
fn cents(line: &Line) -> i128 {
    let side = |column: &str| {
        let text = &line[column];
        assert!(text.is_empty() || text.split_once('.').is_some_and(|(_, cents)| cents.len() == 2), "{line:?}");
        scaled(&Value::from(if text.is_empty() { "0" } else { text.as_str() }), 2)
    };
    assert!(line["debit"].is_empty() != line["credit"].is_empty(), "{line:?}");
    side("debit") - side("credit")
}

/// What accounts hold at a moment, rounded to cents by the test itself.
fn balances(books: &Books, until: &str) -> BTreeMap<String, i128> {
    let rows = books.sql(&format!(
        "SELECT account, sum(amount) AS balance FROM journal WHERE effective_at < TIMESTAMP '{until}' GROUP BY account"
    ));
    let rounded = |pico: i128| {
        let cent = 10_i128.pow(10);
        (pico + pico.signum() * cent / 2) / cent
    };
    let named =
        |row: &Value| (row["account"].as_str().expect("an account").to_owned(), rounded(scaled(&row["balance"], 12)));
    rows.iter().map(named).collect()
}

#[test]
fn entries_balance_and_months_add_up_to_the_books_balances() {
    let books = lively();
    let mut totals: BTreeMap<String, i128> = BTreeMap::new();
    let months = books.sql("SELECT DISTINCT substr(CAST(CAST(effective_at AS DATE) AS VARCHAR), 1, 7) AS month FROM journal ORDER BY month");
    assert!(months.len() > 2, "{months:?}");
    for month in &months {
        let month = month["month"].as_str().expect("a month");
        let lines = lines(&books, month);
        let mut entries: BTreeMap<&str, i128> = BTreeMap::new();
        for line in &lines {
            assert!(line["date"].starts_with(month) && line["entry"].starts_with(month), "{line:?}");
            *entries.entry(&line["entry"]).or_default() += cents(line);
            *totals.entry(line["account_name"].clone()).or_default() += cents(line);
        }
        assert!(entries.values().all(|sum| *sum == 0), "{entries:?}");
        let (year, number) = month.split_once('-').expect("a month");
        let (year, number): (u32, u32) = (year.parse().expect("a year"), number.parse().expect("a number"));
        let next = if number == 12 { format!("{}-01", year + 1) } else { format!("{year}-{:02}", number + 1) };
        let mut expected = balances(&books, &format!("{next}-01T00:00:00Z"));
        // What cents leave over is the other side of the rounded balances.
        expected.insert("export/rounding".to_owned(), -expected.values().sum::<i128>());
        expected.retain(|_, cents| *cents != 0);
        let mut exported = totals.clone();
        exported.retain(|_, cents| *cents != 0);
        assert_eq!(exported, expected, "at the end of {month}");
    }
}

#[test]
fn documents_have_entries_of_their_own_and_closed_months_stay() {
    let books = lively();
    let november = books.run(&["general-ledger", "2023-11"]);
    let documents: BTreeSet<String> = lines(&books, "2023-11").iter().map(|line| line["document"].clone()).collect();
    // SPUS-000001 has no tax, and its rounding moves no account by a cent.
    assert_eq!(documents, ["", "SPEU-000001"].map(str::to_owned).into());
    let december = lines(&books, "2023-12");
    let paid = december.iter().find(|line| line["account_name"] == "treasury/bank").expect("a payment");
    assert_eq!(
        (paid["account_code"].as_str(), paid["debit"].as_str(), paid["date"].as_str()),
        ("1000", "10.00", "2023-12-05")
    );
    assert!(paid["description"].starts_with("Payment-") && paid["description"].ends_with(" of acme"), "{paid:?}");
    let owed = december.iter().find(|line| line["account_name"] == "customer/late/receivable").expect("usage");
    assert_eq!((owed["account_code"].as_str(), owed["party"].as_str()), ("1200", "late"));

    books.run(&["payment", "add", "blue", "1", "--received", "2023-11-05T00:00:00Z", "--id", "bank-2"]);
    books.run(&["trial-balance"]);
    assert_eq!(books.run(&["general-ledger", "2023-11"]), november);
    assert_eq!(books.run(&["general-ledger", "2001-01"]).lines().count(), 1, "only the heading");
    let error = books.fail(&["general-ledger", "2023-13"]);
    assert!(error.contains("is not a month such as 2023-11"), "{error}");
}

/// The texts for programs say what the CSV says.
#[test]
fn the_journals_for_programs_have_the_same_entries() {
    let books = lively();
    let csv: Vec<i128> = lines(&books, "2023-12").iter().map(cents).collect();
    let amounts = |text: &str, currency: &str| -> Vec<i128> {
        let of = |line: &str| line.strip_suffix(currency)?.trim_end().rsplit(' ').next().map(str::to_owned);
        let postings = text
            .lines()
            .filter(|line| line.starts_with("  ") && line.trim_start().starts_with(|c: char| c.is_ascii_uppercase()));
        postings.map(|line| scaled(&Value::from(of(line).unwrap_or_else(|| panic!("{line}"))), 2)).collect()
    };
    let hledger = books.run(&["general-ledger", "2023-12", "--format", "hledger"]);
    let beancount = books.run(&["general-ledger", "2023-12", "--format", "beancount"]);
    assert_eq!(amounts(&hledger, " \"USD\""), csv);
    assert_eq!(amounts(&beancount, " USD"), csv);
    assert!(beancount.contains("  Assets:Receivable:P-acme "), "{beancount}");
    let file = books.folder().join("2023-12.beancount");
    books.run(&["general-ledger", "2023-12", "--format", "beancount", "--out", &file.to_string_lossy()]);
    assert_eq!(std::fs::read_to_string(&file).expect("it was written"), beancount);
}
