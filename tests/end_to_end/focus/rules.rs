//! The rules of FOCUS 1.4, written from the specification and not from the views.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::harness::{Books, scaled};

/// Columns that must be there and never null.
const COST_AND_USAGE: [&str; 18] = [
    "BilledCost",
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "HostProviderName",
    "InvoiceIssuerName",
    "ListCost",
    "ServiceCategory",
    "ServiceName",
    "ServiceProviderName",
    "ChargeFrequency",
];
/// Columns that must be there and can be null.
const COST_AND_USAGE_NULLABLE: [&str; 6] =
    ["BillingAccountName", "ChargeClass", "InvoiceDetailId", "InvoiceId", "PricingQuantity", "PricingUnit"];
const INVOICE_DETAIL: [&str; 17] = [
    "BilledCost",
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "InvoiceDetailCreated",
    "InvoiceDetailDescription",
    "InvoiceDetailGrain",
    "InvoiceDetailId",
    "InvoiceDetailLastUpdated",
    "InvoiceId",
    "InvoiceIssueDate",
    "InvoiceIssueStatus",
    "InvoiceIssuerName",
    "PaymentTerms",
    "ReferenceInvoiceId",
];
const BILLING_PERIOD: [&str; 6] = [
    "BillingPeriodCreated",
    "BillingPeriodEnd",
    "BillingPeriodLastUpdated",
    "BillingPeriodStart",
    "BillingPeriodStatus",
    "InvoiceIssuerName",
];

pub fn is_text(row: &Value, column: &str) -> String {
    row[column].as_str().unwrap_or_else(|| panic!("{column} of {row}")).to_owned()
}

fn all_there(rows: &[Value], columns: &[&str], nullable: &[&str]) {
    for row in rows {
        for column in columns {
            let value = is_text(row, column);
            assert!(!value.trim().is_empty(), "{column} of {row}");
        }
        for column in nullable {
            assert!(row.get(*column).is_some(), "{column} of {row}");
        }
    }
}

/// A month's first moment, as the output has it.
fn first_moment(month: &str) -> String {
    format!("{month}-01T00:00:00Z")
}

fn next_month(month: &str) -> String {
    let (year, number) = month.split_once('-').expect("a month");
    let (year, number): (u32, u32) = (year.parse().expect("a year"), number.parse().expect("a number"));
    if number == 12 { format!("{:04}-01", year + 1) } else { format!("{year:04}-{:02}", number + 1) }
}

/// The rules that concern one row of Cost and Usage.
fn check_charge(row: &Value, fixed: &BTreeSet<String>) {
    let of = |column: &str| is_text(row, column);
    let month = of("BillingPeriodStart")[..7].to_owned();
    assert_eq!(of("BillingPeriodStart"), first_moment(&month), "{row}");
    assert_eq!(of("BillingPeriodEnd"), first_moment(&next_month(&month)), "{row}");
    assert!(of("ChargePeriodStart") < of("ChargePeriodEnd"), "{row}");
    // Usage is billed in its own month, or as a correction in a later one.
    let is_late = of("ChargePeriodStart") < of("BillingPeriodStart");
    assert_eq!(row["ChargeClass"], if is_late { Value::from("Correction") } else { Value::Null }, "{row}");
    if is_late {
        assert!(fixed.contains(&of("ChargePeriodStart")[..7]), "only what is fixed is corrected: {row}");
    }
    assert!(of("ChargePeriodStart") < of("BillingPeriodEnd"), "{row}");
    let category = of("ChargeCategory");
    let is_usage = match category.as_str() {
        "Usage" => true,
        "Tax" | "Credit" | "Purchase" | "Adjustment" => false,
        other => panic!("{other} is no category: {row}"),
    };
    let of_usage = [
        "PricingQuantity",
        "PricingUnit",
        "ConsumedQuantity",
        "ConsumedUnit",
        "ListUnitPrice",
        "ContractedUnitPrice",
        "SkuId",
        "SkuMeter",
        "SkuPriceId",
        "x_Meter",
        "x_PriceId",
    ];
    for column in of_usage {
        assert_eq!(row[column].is_null(), !is_usage, "{column} of {row}");
    }
    for column in ["ContractedCost", "EffectiveCost", "ListCost"] {
        assert_eq!(row[column], row["BilledCost"], "{row}");
    }
    assert_eq!(row["RegionId"], row["RegionName"], "{row}");
    assert_eq!(row["InvoiceId"].is_null(), row["InvoiceDetailId"].is_null(), "{row}");
    if is_usage {
        // Quantity times price, off by the rounding of the two alone.
        let product = scaled(&row["PricingQuantity"], 15) * scaled(&row["ListUnitPrice"], 12);
        let off = product - scaled(&row["ListCost"], 12) * 10_i128.pow(15);
        let price = scaled(&row["ListUnitPrice"], 12) / 10_i128.pow(12) + 1;
        assert!(off.abs() <= 10_i128.pow(15) + price * 10_i128.pow(12), "{row}");
        let per: i128 = of("PricingUnit").split_once(' ').map_or(1, |(per, _)| per.parse().expect("whole"));
        let back = scaled(&row["PricingQuantity"], 15) * per;
        let quantity = scaled(&row["ConsumedQuantity"], 9) * 10_i128.pow(6);
        assert!((back - quantity).abs() <= per, "{row}");
    }
}

/// What documents say is to be paid, by number.
fn totals(books: &Books) -> BTreeMap<String, i128> {
    let rows = books.sql("SELECT number, total FROM invoices");
    rows.iter().map(|row| (is_text(row, "number"), scaled(&row["total"], 12))).collect()
}

fn sums(rows: &[Value], by: impl Fn(&Value) -> Option<String>) -> BTreeMap<String, i128> {
    let mut sums = BTreeMap::new();
    for row in rows {
        if let Some(key) = by(row) {
            *sums.entry(key).or_default() += scaled(&row["BilledCost"], 12);
        }
    }
    sums
}

/// All rules of the three datasets on some books.
pub fn check(books: &Books) {
    let charges = books.sql("SELECT * FROM focus_cost_and_usage");
    let lines = books.sql("SELECT * FROM focus_invoice_detail");
    let months = books.sql("SELECT * FROM focus_billing_period");
    let closed = months_until(books, &charges, "state = 'closed'");
    // What comes for a month that is being closed is billed in a later one already.
    let fixed = months_until(books, &charges, "true");
    all_there(&charges, &COST_AND_USAGE, &COST_AND_USAGE_NULLABLE);
    all_there(&lines, &INVOICE_DETAIL, &["PaymentDueDate"]);
    all_there(&months, &BILLING_PERIOD, &[]);
    charges.iter().for_each(|row| check_charge(row, &fixed));

    let totals = totals(books);
    let id = |row: &Value| row["InvoiceId"].as_str().map(str::to_owned);
    assert_eq!(sums(&charges, id), totals, "charges add up to what is to be paid");
    assert_eq!(sums(&lines, id), totals, "lines add up to what is to be paid");
    let detail = |row: &Value| row["InvoiceDetailId"].as_str().map(str::to_owned);
    assert_eq!(sums(&charges, detail), sums(&lines, detail), "a line is the sum of its charges");
    assert_eq!(sums(&lines, detail).len(), lines.len(), "a line's id is its own");
    check_journal(books, &charges);
    for row in &lines {
        let grain: BTreeMap<String, String> =
            serde_json::from_str(&is_text(row, "InvoiceDetailGrain")).expect("an object of texts");
        assert!(grain.contains_key("ServiceName"), "{row}");
    }

    let mut statuses = BTreeMap::new();
    for row in &months {
        let month = is_text(row, "BillingPeriodStart")[..7].to_owned();
        assert_eq!(is_text(row, "BillingPeriodEnd"), first_moment(&next_month(&month)));
        let status = if closed.contains(&month) { "Closed" } else { "Open" };
        assert_eq!(row["BillingPeriodStatus"], status, "{row}");
        assert!(is_text(row, "BillingPeriodCreated") <= is_text(row, "BillingPeriodLastUpdated"), "{row}");
        let key = (is_text(row, "BillingPeriodStart"), is_text(row, "InvoiceIssuerName"));
        assert!(statuses.insert(key, status).is_none(), "once each: {row}");
    }
    for row in charges.iter().chain(&lines) {
        let key = (is_text(row, "BillingPeriodStart"), is_text(row, "InvoiceIssuerName"));
        assert!(statuses.contains_key(&key), "its month is listed: {row}");
        // In a month that is not closed only credits have a document.
        let has_document = statuses[&key] == "Closed" || row["InvoiceId"].is_null();
        assert!(has_document || totals[&is_text(row, "InvoiceId")] < 0, "{row}");
    }
}

/// The months of the charges up to the last one whose row in `periods` is meant.
fn months_until(books: &Books, charges: &[Value], is_meant: &str) -> BTreeSet<String> {
    let query = format!("SELECT max(period) AS last FROM periods WHERE {is_meant}");
    let last = books.sql(&query)[0]["last"].clone();
    let months = charges.iter().flat_map(|row| [is_text(row, "BillingPeriodStart"), is_text(row, "ChargePeriodStart")]);
    let months = months.map(|moment| moment[..7].to_owned());
    months.filter(|month| last.as_str().is_some_and(|last| month.as_str() <= last)).collect()
}

/// Usage adds up to what the journal has on customers' accounts, for each
/// price row, dimensions and month.
pub fn check_journal(books: &Books, charges: &[Value]) {
    let postings = books.sql(
        "SELECT account, asset, period, meter, model, gpu, region, price, sum(amount) AS amount FROM journal \
         WHERE account LIKE 'customer/%' AND price IS NOT NULL \
         GROUP BY account, asset, period, meter, model, gpu, region, price",
    );
    let key = |row: &Value, columns: [&str; 6]| columns.map(|column| row[column].to_string()).join(" ");
    let mut posted = BTreeMap::new();
    for row in &postings {
        let party = is_text(row, "account");
        let party = party.trim_start_matches("customer/").trim_end_matches("/receivable").to_owned();
        let rest = key(row, ["asset", "meter", "model", "gpu", "region", "price"]);
        posted.insert(format!("{party} {} {rest}", is_text(row, "period")), scaled(&row["amount"], 12));
    }
    posted.retain(|_, amount| *amount != 0);
    let mut used = sums(charges, |row| {
        let rest = key(row, ["BillingCurrency", "x_Meter", "x_Model", "x_Gpu", "RegionId", "x_PriceId"]);
        let month = is_text(row, "BillingPeriodStart")[..7].to_owned();
        (row["ChargeCategory"] == "Usage").then(|| format!("{} {month} {rest}", is_text(row, "BillingAccountId")))
    });
    used.retain(|_, amount| *amount != 0);
    assert_eq!(used, posted);
}
