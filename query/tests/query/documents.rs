//! Invoices, statements of earnings and the trial balance, to the byte.

use stempoint_query::documents::{
    DocumentError, DocumentFormat, Letterhead, Line, Request, Statement, earnings, invoice, render, trial_balance,
};
use stempoint_query::{QueryError, Session};
use stempoint_schemas::decimal;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::{Amount, Price, Quantity, Share};
use stempoint_schemas::tables::{CHARGES, JOURNAL, PRICES};
use stempoint_schemas::time::Month;

use crate::golden;
use crate::support::{Books, Cell, Row, csv};

/// A price of one of the books.
struct TestPrice {
    /// The control offset of its book, and its place in it.
    name: (i64, i64),
    from: &'static str,
    meter: Meter,
    amount: &'static str,
    per: &'static str,
    share: &'static str,
}

const FIRST: &str = "2023-11-01T00:00:00Z";
const SECOND: &str = "2023-11-16T09:00:00Z";

/// The second book raises one price and repeats another; a third one, for the
/// same time, repeats it once more.
const BOOK: [TestPrice; 7] = [
    TestPrice { name: (12, 1), from: FIRST, meter: Meter::TokensInput, amount: "2.5", per: "1000000", share: "0" },
    TestPrice { name: (12, 2), from: FIRST, meter: Meter::TokensOutput, amount: "10", per: "1000000", share: "0.7" },
    TestPrice { name: (12, 3), from: FIRST, meter: Meter::Requests, amount: "0.0004", per: "1", share: "0.5" },
    TestPrice { name: (12, 4), from: FIRST, meter: Meter::GpuSeconds, amount: "0.35", per: "3600", share: "0.8" },
    TestPrice { name: (13, 1), from: SECOND, meter: Meter::TokensInput, amount: "3", per: "1000000", share: "0" },
    TestPrice { name: (13, 2), from: SECOND, meter: Meter::GpuSeconds, amount: "0.35", per: "3600", share: "0.8" },
    TestPrice { name: (14, 1), from: SECOND, meter: Meter::GpuSeconds, amount: "0.35", per: "3600", share: "0.8" },
];

fn prices(books: &mut Books) {
    let rows: Vec<Row> = BOOK
        .iter()
        .map(|price| {
            let (offset, line) = price.name;
            vec![
                ("_offset", offset.into()),
                ("line", line.into()),
                ("price", format!("{offset}-{line}").into()),
                ("currency", "USD".into()),
                ("effective_from", price.from.into()),
                ("meter", price.meter.name().into()),
                ("per", price.per.into()),
                ("amount", price.amount.into()),
                ("provider_share", price.share.into()),
            ]
        })
        .collect();
    books.add(&PRICES, &rows);
}

/// Dimensions as (model, gpu, region).
type Dimensions<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

/// What one customer used and one provider served: both postings, and the
/// platform's, in two settlements so that lines are sums.
fn usage(books: &mut Books, customer: &str, provider: &str, price: usize, dimensions: Dimensions<'_>, quantity: &str) {
    let of = &BOOK[price - 1];
    let linear = Price::new(Amount::parse(of.amount).unwrap(), Quantity::parse(of.per).unwrap()).unwrap();
    let share = Share::parse(of.share).unwrap().unwrap();
    let whole = Quantity::parse(quantity).unwrap();
    let first = Quantity::from_nano(whole.nano() / 3).unwrap();
    let mut rows: Vec<Row> = Vec::new();
    for (offset, from, to) in [(13, Quantity::ZERO, first), (14, first, whole)] {
        let step = |share| linear.of(to, share).unwrap().minus(linear.of(from, share).unwrap()).unwrap();
        let (due, earned) = (step(Share::WHOLE), step(share));
        let used = Cell::from(to.plus(from.negated()).unwrap().to_string());
        let mut parts = vec![(format!("customer/{customer}/receivable"), due, used.clone())];
        if share != Share::NONE {
            parts.push((format!("provider/{provider}/payable"), earned.negated(), used));
        }
        parts.push(("platform/revenue".to_owned(), earned.minus(due).unwrap(), Cell::Null));
        for (account, amount, quantity) in parts {
            rows.push(vec![
                ("_offset", offset.into()),
                ("account", account.into()),
                ("asset", "USD".into()),
                ("amount", amount.to_string().into()),
                ("meter", of.meter.name().into()),
                ("model", dimensions.0.into()),
                ("gpu", dimensions.1.into()),
                ("region", dimensions.2.into()),
                ("period", "2023-11".into()),
                ("price", format!("{}-{}", of.name.0, of.name.1).into()),
                ("quantity", quantity),
            ]);
        }
    }
    books.add(&JOURNAL, &rows);
    for (side, party) in [("customer", customer), ("provider", provider)] {
        charge(books, side, party, of.meter, dimensions, ("charged", quantity));
    }
}

fn charge(
    books: &mut Books,
    side: &str,
    party: &str,
    meter: Meter,
    dimensions: Dimensions<'_>,
    (state, quantity): (&str, &str),
) {
    books.add(
        &CHARGES,
        &[vec![
            ("_offset", 13.into()),
            ("side", side.into()),
            ("party", party.into()),
            ("meter", meter.name().into()),
            ("model", dimensions.0.into()),
            ("gpu", dimensions.1.into()),
            ("region", dimensions.2.into()),
            ("period", "2023-11".into()),
            ("state", state.into()),
            ("currency", "USD".into()),
            ("quantity", quantity.into()),
        ]],
    );
}

pub const HOSTILE: &str = "o'brien & <script>alert(\"1\")</script> \u{202e}GmbH";
pub const LONG: &str = "a-customer-with-a-name-that-goes-on-and-on-because-somebody-pasted-the-whole-registration-number-into-it-0123456789";

pub fn books() -> Books {
    let mut books = Books::new();
    prices(&mut books);
    let code = (Some("code-1"), None, Some("eu-west-1"));
    usage(&mut books, "acme", "node-7", 1, code, "1234567");
    usage(&mut books, "acme", "node-7", 5, code, "500");
    usage(&mut books, "acme", "node-7", 2, (Some("code-1"), None, None), "345678");
    usage(&mut books, "acme", "node-8", 3, (Some("chat-9"), None, None), "1");
    usage(&mut books, "acme", "node-7", 4, (None, Some("T4"), None), "7261.123456789");
    usage(&mut books, "acme", "node-7", 4, (None, Some("H100"), Some("eu-west-1")), "36000");
    // At prices that differ by nothing but the time from which they hold.
    usage(&mut books, "repeated", "node-9", 4, (None, Some("T4"), None), "3600");
    usage(&mut books, "repeated", "node-9", 6, (None, Some("T4"), None), "7200");
    usage(&mut books, "repeated", "node-9", 4, (None, Some("H100"), None), "3600");
    usage(&mut books, "repeated", "node-9", 6, (None, Some("H100"), None), "3600");
    usage(&mut books, "repeated", "node-9", 7, (None, Some("H100"), None), "3600");
    usage(&mut books, "repeated", "node-9", 4, (None, Some("A100"), None), "3600");
    // Used and taken back: no line.
    usage(&mut books, "acme", "node-7", 4, (None, Some("A100"), None), "5");
    usage(&mut books, "acme", "node-7", 4, (None, Some("A100"), None), "-5");
    for side in [("customer", "acme"), ("provider", "node-7")] {
        charge(&mut books, side.0, side.1, Meter::EnergyJoules, (None, Some("H100"), None), ("unrated", "1500.5"));
        charge(&mut books, side.0, side.1, Meter::EnergyJoules, (None, Some("T4"), None), ("unrated", "9"));
        charge(&mut books, side.0, side.1, Meter::EnergyJoules, (None, Some("T4"), None), ("unrated", "-9"));
        charge(
            &mut books,
            side.0,
            side.1,
            Meter::TokensCachedInput,
            (Some("code-1"), None, None),
            ("not_billed", "77"),
        );
    }
    usage(&mut books, HOSTILE, "no<de", 1, (Some("a'b\" <b>&"), None, Some("x,y")), "3");
    usage(
        &mut books,
        LONG,
        "node-8",
        2,
        (Some(&"m".repeat(90)), None, Some("region-of-the-far-far-north")),
        "987654321",
    );
    for number in 1..=60 {
        let model = format!("model-{number:02}");
        let price = [1, 2, 3][number % 3];
        let quantity = (number * number * 1_237).to_string();
        usage(&mut books, "globex", "node-8", price, (Some(&model), None, Some("us-east-1")), &quantity);
    }
    charge(&mut books, "customer", "waiting", Meter::GpuSeconds, (None, Some("B200"), None), ("unrated", "1"));
    books.commit(41, &[(0, 0)], 12);
    books.commit(42, &[(0, 0)], 20);
    books
}

pub fn request(party: &str) -> Request {
    Request { party: party.to_owned(), period: Month::parse("2023-11").unwrap(), currency: None }
}

fn text(statement: &Statement, format: DocumentFormat) -> String {
    String::from_utf8(render(statement, &Letterhead::default(), format)).unwrap()
}

fn check(name: &str, statement: &Statement) {
    for format in [DocumentFormat::Text, DocumentFormat::Json, DocumentFormat::Csv, DocumentFormat::Html] {
        let extension = if format == DocumentFormat::Text { "txt" } else { format.name() };
        golden::check(&format!("{name}.{extension}"), &text(statement, format));
    }
}

#[tokio::test]
async fn invoices_are_as_the_files_say() {
    let books = books();
    let session = books.session(None).await.unwrap();
    for (name, party) in [
        ("short", "acme"),
        ("long", "globex"),
        ("hostile", HOSTILE),
        ("wide", LONG),
        ("waiting", "waiting"),
        ("repeated", "repeated"),
    ] {
        check(&format!("invoice-{name}"), &invoice(&session, &request(party)).await.unwrap());
    }
}

#[tokio::test]
async fn earnings_are_as_the_files_say() {
    let books = books();
    let session = books.session(None).await.unwrap();
    for (name, party) in [("short", "node-7"), ("long", "node-8"), ("none", "no<de"), ("repeated", "node-9")] {
        check(&format!("earnings-{name}"), &earnings(&session, &request(party)).await.unwrap());
    }
}

/// The promise of the issue: the SQL of each line gives its figures.
#[tokio::test]
async fn the_query_of_each_line_gives_its_figures() {
    let books = books();
    let session = books.session(Some(42)).await.unwrap();
    let mut lines: Vec<Line> = Vec::new();
    for party in ["acme", "globex", HOSTILE, LONG] {
        lines.extend(invoice(&session, &request(party)).await.unwrap().lines);
    }
    for party in ["node-7", "node-8"] {
        lines.extend(earnings(&session, &request(party)).await.unwrap().lines);
    }
    assert!(lines.len() > 80);
    for line in lines {
        let answer = csv(&session, &line.sql).await.unwrap();
        assert_eq!(answer, format!("quantity,amount\n{},{}\n", line.quantity, line.amount), "{}", line.sql);
    }
}

#[tokio::test]
async fn the_sums_are_the_sums() {
    let books = books();
    let session = books.session(None).await.unwrap();
    let acme = invoice(&session, &request("acme")).await.unwrap();
    // 1234567 × 2.5 / 10⁶ + 500 × 3 / 10⁶ + 345678 × 10 / 10⁶ + 0.0004
    // + 7261.123456789 × 0.35 / 3600 + 10 × 0.35
    let exact =
        3_086_417_500_000_i128 + 1_500_000_000 + 3_456_780_000_000 + 400_000_000 + 705_942_558_299 + 3_500_000_000_000;
    assert_eq!(acme.subtotal.pico(), exact);
    assert_eq!(acme.total.with_places(2), "10.75");
    let parsed: serde_json::Value = serde_json::from_str(&text(&acme, DocumentFormat::Json)).unwrap();
    let sum: i128 = parsed["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| decimal::parse(line["amount"].as_str().unwrap(), 12).unwrap())
        .sum();
    assert_eq!(sum, exact);
    assert_eq!(parsed["total"], "10.75");
    let keys: Vec<&str> =
        ["number", "customer", "period", "currency", "lines", "unrated", "subtotal", "tax", "total", "ledger_version"]
            .into();
    assert_eq!(
        parsed.as_object().unwrap().keys().map(String::as_str).collect::<std::collections::BTreeSet<_>>(),
        keys.into_iter().collect()
    );
}

#[tokio::test]
async fn an_older_version_has_the_older_document() {
    let books = books();
    let session = books.session(Some(41)).await.unwrap();
    let error = invoice(&session, &request("acme")).await.unwrap_err().to_string();
    assert!(error.contains("nothing of that month is settled yet"), "{error}");
}

#[tokio::test]
async fn an_unknown_party_or_month_is_answered_with_what_there_is() {
    let books = books();
    let session = books.session(None).await.unwrap();
    let error = invoice(&session, &request("acmee")).await.unwrap_err().to_string();
    assert!(
        error.starts_with(
            "failed to find settled usage of customer \"acmee\" in 2023-11: that month has usage of \"acme\""
        ),
        "{error}"
    );
    let december = Request { period: Month::parse("2023-12").unwrap(), ..request("acme") };
    let error = invoice(&session, &december).await.unwrap_err().to_string();
    assert!(error.ends_with("the months with usage of that customer are 2023-11"), "{error}");
    let euro = Request { currency: Some("EUR".to_owned()), ..request("acme") };
    let error = invoice(&session, &euro).await.unwrap_err().to_string();
    assert!(error.contains("there are USD"), "{error}");
}

async fn session_with(rows: &[Row]) -> Result<Session, QueryError> {
    let mut books = Books::new();
    prices(&mut books);
    books.add(&JOURNAL, rows);
    books.commit(1, &[], 20);
    let session = books.session(None).await;
    // The files must outlive the queries.
    std::mem::forget(books);
    session
}

fn posting(account: &str, asset: &str, amount: &str, price: &str) -> Row {
    vec![
        ("account", account.into()),
        ("asset", asset.into()),
        ("amount", amount.into()),
        ("meter", "requests".into()),
        ("period", "2023-11".into()),
        ("price", price.into()),
        ("quantity", "1".into()),
    ]
}

#[tokio::test]
async fn several_currencies_must_be_chosen_from() {
    let rows = [
        posting("customer/a/receivable", "USD", "1", "12-3"),
        posting("customer/a/receivable", "JPY", "150.5", "12-3"),
    ];
    let session = session_with(&rows).await.unwrap();
    let error = invoice(&session, &request("a")).await.unwrap_err().to_string();
    assert!(error.contains("there are JPY, USD"), "{error}");
    let yen = Request { currency: Some("JPY".to_owned()), ..request("a") };
    assert_eq!(invoice(&session, &yen).await.unwrap().total.with_places(0), "151");
}

/// What two documents say of sums of these amounts.
async fn documents_of(amounts: [&str; 6]) -> [DocumentError; 2] {
    let rows = amounts.map(|amount| posting("customer/a/receivable", "USD", amount, "12-3"));
    let session = session_with(&rows).await.unwrap();
    [
        invoice(&session, &request("a")).await.map(drop).unwrap_err(),
        trial_balance(&session).await.map(drop).unwrap_err(),
    ]
}

#[tokio::test]
async fn sums_that_do_not_fit_or_might_have_wrapped_are_errors() {
    let (debit, credit) = ("60000000000000000000000000", "-60000000000000000000000000");
    for error in documents_of([debit; 6]).await {
        assert!(error.to_string().contains("decimal overflow in sum("), "{error}");
    }
    for error in documents_of([debit, credit, debit, credit, debit, credit]).await {
        assert!(matches!(error, DocumentError::Overflow { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_posting_without_its_price_row_is_an_error() {
    let session = session_with(&[posting("customer/a/receivable", "USD", "1", "99-1")]).await.unwrap();
    let error = invoice(&session, &request("a")).await.unwrap_err().to_string();
    assert!(error.contains("99-1") && error.contains("audit"), "{error}");
}

#[tokio::test]
async fn the_trial_balance_is_as_the_file_says() {
    let books = books();
    let session = books.session(None).await.unwrap();
    let balance = trial_balance(&session).await.unwrap();
    assert!(balance.is_balanced());
    for (name, balance) in
        [("trial-balance", balance.clone()), ("trial-balance-condensed", balance.condensed().unwrap())]
    {
        let mut text = Vec::new();
        balance.write(&mut text).unwrap();
        golden::check(&format!("{name}.txt"), &String::from_utf8(text).unwrap());
    }
}
