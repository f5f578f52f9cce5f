//! From sums of postings to lines with their prices and queries.
//!
//! Invariant: each sum that is not zero is one line, with the query that gives
//! the same figures.

use std::collections::{BTreeSet, HashMap};

use arrow::array::AsArray;
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
use stempoint_schemas::meter::Dimension;
use stempoint_schemas::money::{Amount, Overflow, Quantity, Share};
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
    let names: BTreeSet<&str> = sums.flat_map(Sums::keys).map(|(_, _, price)| price.name.as_str()).collect();
    let mut found = Prices::new();
    if names.is_empty() {
        return Ok(found);
    }
    let list = names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ");
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
            };
            found.insert(rows.value(row).to_owned(), price);
        }
    }
    Ok(found)
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
    let (meter, dimensions, price) = key;
    let row = prices.get(&price.name).ok_or_else(|| DocumentError::MissingPrice { price: price.name.clone() })?;
    Ok(Line {
        meter: *meter,
        dimensions: named(dimensions),
        price: price.name.clone(),
        quantity,
        unit_price: row.amount,
        per: row.per,
        effective_from: row.effective_from,
        share: if kind == Kind::Earnings { row.share } else { Share::WHOLE },
        amount,
        sql: line_sql(kind, request, currency, key),
    })
}

/// The query that gives a line's quantity and amount.
fn line_sql(kind: Kind, request: &Request, currency: &str, (meter, dimensions, price): &LineKey) -> String {
    let sign = if kind == Kind::Earnings { "-" } else { "" };
    let mut conditions = vec![
        format!("account = {}", literal(&kind.account(&request.party))),
        format!("period = '{}'", request.period),
        format!("asset = {}", literal(currency)),
        format!("meter = '{meter}'"),
    ];
    for (dimension, value) in Dimension::ALL.into_iter().zip(dimensions) {
        conditions.push(match value {
            Some(value) => format!("{} = {}", dimension.name(), literal(value)),
            None => format!("{} IS NULL", dimension.name()),
        });
    }
    conditions.push(format!("price = {}", literal(&price.name)));
    format!(
        "SELECT sum(quantity) AS quantity, {sign}sum(amount) AS amount FROM journal WHERE {}",
        conditions.join(" AND ")
    )
}
