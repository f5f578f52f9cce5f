//! From sums of postings to lines with their prices and queries.
//!
//! Invariant: each sum that is not zero is one line, with the query that gives
//! the same figures.

use std::collections::{BTreeSet, HashMap};

use arrow::array::{Array, AsArray, Decimal128Array};
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
use stempoint_core::charge_model::PERCENT_SCALE;
use stempoint_schemas::decimal;
use stempoint_schemas::meter::Dimension;
use stempoint_schemas::money::{AMOUNT_SCALE, Amount, Overflow, Quantity, Share};
use stempoint_schemas::time::Instant;

use super::error::DocumentError;
use super::postings::{LineKey, Sums, named};
use super::statement::{Kind, Line, Request};
use super::sums::{missing, texts};
use crate::catalogue::Session;
use crate::literal;

/// Price rows by name.
pub(crate) type Prices = HashMap<String, PriceRow>;

/// What a line says of its price.
pub(crate) struct PriceRow {
    amount: Amount,
    per: Quantity,
    share: Share,
    effective_from: Instant,
    /// The charge model in words; `None` where customers pay the amount.
    model: Option<String>,
}

/// The lines of sums, and what they add up to.
pub(crate) fn lines(
    kind: Kind,
    request: &Request,
    currency: &str,
    sums: Option<&Sums>,
    prices: &Prices,
) -> Result<(Vec<Line>, Amount), DocumentError> {
    let mut lines = Vec::new();
    for (key, &(quantity, amount)) in sums.into_iter().flatten() {
        if quantity != Quantity::ZERO || amount != Amount::ZERO {
            lines.push(line(kind, request, currency, key, (quantity, amount), prices)?);
        }
    }
    let overflow = |_: Overflow| DocumentError::Overflow { what: "the lines".to_owned() };
    let subtotal = lines.iter().try_fold(Amount::ZERO, |sum, line| sum.plus(line.amount)).map_err(overflow)?;
    Ok((lines, subtotal))
}

/// The price rows of the lines by name.
pub(crate) async fn prices<'a>(
    session: &Session,
    sums: impl Iterator<Item = &'a Sums>,
) -> Result<Prices, DocumentError> {
    let names: BTreeSet<&str> = sums.flat_map(Sums::keys).map(|(.., price)| price.name.as_str()).collect();
    let mut found = Prices::new();
    if names.is_empty() {
        return Ok(found);
    }
    let list = names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ");
    let mut models = charge_models(session, &list).await?;
    let sql = format!("SELECT price, per, amount, provider_share, effective_from FROM prices WHERE price IN ({list})");
    for batch in session.rows(&sql).await? {
        let rows = texts(&batch, "price", "prices")?;
        let decimal = |name: &str| {
            let array = batch.column_by_name(name).and_then(|a| a.as_primitive_opt::<Decimal128Type>().cloned());
            array.ok_or_else(|| missing("prices", name))
        };
        let (per, amount, share) = (decimal("per")?, decimal("amount")?, decimal("provider_share")?);
        let from = batch.column_by_name("effective_from");
        let from = from.and_then(|from| from.as_primitive_opt::<TimestampMicrosecondType>().cloned());
        let from = from.ok_or_else(|| missing("prices", "effective_from"))?;
        for row in 0..batch.num_rows() {
            let damaged =
                || DocumentError::Damaged { table: "prices", detail: format!("{} is out of range", rows.value(row)) };
            let price = PriceRow {
                amount: Amount::from_pico(amount.value(row)).map_err(|_| damaged())?,
                per: Quantity::from_nano(per.value(row)).map_err(|_| damaged())?,
                share: share_of(share.value(row)).ok_or_else(damaged)?,
                effective_from: Instant::from_us(from.value(row)).ok_or_else(damaged)?,
                model: models.remove(rows.value(row)),
            };
            found.insert(rows.value(row).to_owned(), price);
        }
    }
    Ok(found)
}

/// What customers pay at price rows instead of the amount, in words.
async fn charge_models(session: &Session, list: &str) -> Result<HashMap<String, String>, DocumentError> {
    let sql =
        format!("SELECT price, charge_model, percent, minimum FROM charge_models WHERE tier = 1 AND price IN ({list})");
    let mut found = HashMap::new();
    for batch in session.rows(&sql).await? {
        let (prices, models) =
            (texts(&batch, "price", "charge_models")?, texts(&batch, "charge_model", "charge_models")?);
        let decimal = |name: &str| {
            let array = batch.column_by_name(name).and_then(|a| a.as_primitive_opt::<Decimal128Type>().cloned());
            array.ok_or_else(|| missing("charge_models", name))
        };
        let (percents, minimums) = (decimal("percent")?, decimal("minimum")?);
        for row in 0..batch.num_rows() {
            let some = |array: &Decimal128Array| array.is_valid(row).then(|| array.value(row));
            let words = model_in_words(models.value(row), some(&percents), some(&minimums));
            found.insert(prices.value(row).to_owned(), words);
        }
    }
    Ok(found)
}

fn model_in_words(name: &str, percent: Option<i128>, minimum: Option<i128>) -> String {
    let model = match (name, percent) {
        ("graduated" | "volume" | "package", _) => Some(format!("{name} price")),
        ("percentage", Some(percent)) => Some(format!("{} % of the price", decimal::format(percent, PERCENT_SCALE))),
        _ => None,
    };
    let minimum = minimum.map(|minimum| format!("minimum of {}", decimal::format(minimum, AMOUNT_SCALE)));
    let words: Vec<String> = model.into_iter().chain(minimum).collect();
    words.join(", ")
}

fn share_of(pico: i128) -> Option<Share> {
    let text = stempoint_schemas::decimal::format(pico, stempoint_schemas::money::SHARE_SCALE);
    Share::parse(&text).ok().flatten()
}

fn line(
    kind: Kind,
    request: &Request,
    currency: &str,
    key: &LineKey,
    (quantity, amount): (Quantity, Amount),
    prices: &Prices,
) -> Result<Line, DocumentError> {
    let (meter, adjusts, dimensions, price) = key;
    let row = prices.get(&price.name).ok_or_else(|| DocumentError::MissingPrice { price: price.name.clone() })?;
    Ok(Line {
        meter: *meter,
        dimensions: named(dimensions),
        price: price.name.clone(),
        adjustment: adjusts.then(|| row.model.clone().unwrap_or_default()),
        quantity,
        unit_price: row.amount,
        per: row.per,
        effective_from: row.effective_from,
        share: if kind == Kind::Earnings { row.share } else { Share::WHOLE },
        amount,
        sql: line_sql(kind, request, currency, key, row.model.is_some()),
    })
}

/// The query that gives a line's quantity and amount.
fn line_sql(
    kind: Kind,
    request: &Request,
    currency: &str,
    (meter, adjusts, dimensions, price): &LineKey,
    has_model: bool,
) -> String {
    let sign = if kind == Kind::Earnings { "-" } else { "" };
    let mut conditions = vec![
        format!("account = {}", literal(&kind.account(&request.party))),
        format!("period = '{}'", request.period),
        format!("asset = {}", literal(currency)),
        format!("meter = '{meter}'"),
    ];
    for (dimension, value) in Dimension::ALL.into_iter().zip(dimensions).filter(|_| !adjusts) {
        conditions.push(match value {
            Some(value) => format!("{} = {}", dimension.name(), literal(value)),
            None => format!("{} IS NULL", dimension.name()),
        });
    }
    conditions.push(format!("price = {}", literal(&price.name)));
    if kind == Kind::Invoice && has_model {
        conditions.push(format!("quantity IS {}", if *adjusts { "NULL" } else { "NOT NULL" }));
    }
    format!(
        "SELECT sum(quantity) AS quantity, {sign}sum(amount) AS amount FROM journal WHERE {}",
        conditions.join(" AND ")
    )
}
