//! From postings, prices and charges to the lines of one party's month.
//!
//! Invariant: every posting on the party's account in the month and currency
//! is in exactly one line, and every unrated charge in one note.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::{Array, AsArray, Decimal128Array, RecordBatch};
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
use datafusion::common::utils::datafusion_strsim::levenshtein;
use stempoint_core::charge_model::PERCENT_SCALE;
use stempoint_schemas::decimal;
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::{AMOUNT_SCALE, Amount, Overflow, Quantity, Share};
use stempoint_schemas::time::Instant;

use super::currency::minor_units;
use super::error::DocumentError;
use super::issued::{Totals, totals};
use super::statement::{Kind, Line, Request, Statement, Unrated};
use super::sums::{checked, items, missing, text, texts};
use crate::catalogue::Session;
use crate::literal;

/// How many names or periods an error lists.
const HINTS_MAX: usize = 5;

/// Meter, dimensions (as [`Dimension::ALL`]), price row, and whether it is what
/// a charge model adds: an adjustment follows the lines of its meter.
type LineKey = (Meter, bool, [Option<String>; 3], PriceOrder);

/// Price rows in the order in which they were applied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct PriceOrder {
    offset: u64,
    position: u64,
    name: String,
}

struct PriceRow {
    amount: Amount,
    per: Quantity,
    share: Share,
    effective_from: Instant,
    /// The charge model in words; `None` where customers pay the amount.
    model: Option<String>,
}

type Sums = BTreeMap<LineKey, (Quantity, Amount)>;

/// Reads one party's month.
pub(crate) async fn collect(session: &Session, kind: Kind, request: &Request) -> Result<Statement, DocumentError> {
    let postings = postings(session, kind, request).await?;
    let charges = Charges::read(session, kind, request).await?;
    if postings.is_empty() && charges.currencies.is_empty() {
        return Err(unknown_party(session, kind, request).await?);
    }
    let currency = choose(kind, request, postings.keys().chain(&charges.currencies).cloned().collect())?;
    let prices = prices(session, postings.get(&currency)).await?;
    let sums = postings.get(&currency).into_iter().flatten();
    let mut lines = Vec::new();
    for (key, &(quantity, amount)) in sums {
        if quantity != Quantity::ZERO || amount != Amount::ZERO {
            lines.push(line(kind, request, &currency, key, (quantity, amount), &prices)?);
        }
    }
    let unrated = charges.unrated.into_iter().filter(|(of, _)| *of == currency).map(|(_, unrated)| unrated).collect();
    let overflow = |_: Overflow| DocumentError::Overflow { what: "the lines".to_owned() };
    let subtotal = lines.iter().try_fold(Amount::ZERO, |sum, line| sum.plus(line.amount)).map_err(overflow)?;
    let totals = match kind {
        Kind::Invoice => totals(session, request, &currency, subtotal).await?,
        Kind::Earnings => {
            let total = subtotal.rounded(minor_units(&currency));
            Totals { issued: None, tax_terms: None, tax: Amount::ZERO, total }
        }
    };
    Ok(Statement {
        kind,
        party: request.party.clone(),
        profile: None,
        period: request.period,
        currency,
        lines,
        unrated,
        issued: totals.issued,
        subtotal,
        tax_terms: totals.tax_terms,
        tax: totals.tax,
        total: totals.total,
        ledger_version: session.pin().version,
    })
}

/// The postings on the party's account by currency and line.
async fn postings(session: &Session, kind: Kind, request: &Request) -> Result<BTreeMap<String, Sums>, DocumentError> {
    let sql = format!(
        "SELECT asset, meter, model, gpu, region, price, quantity IS NULL AS adjusts, {}, {} FROM journal \
         WHERE account = {} AND period = {} AND price IS NOT NULL \
         GROUP BY asset, meter, model, gpu, region, price, quantity IS NULL",
        items("quantity"),
        items("amount"),
        literal(&kind.account(&request.party)),
        literal(&request.period.to_string()),
    );
    let mut by_currency: BTreeMap<String, Sums> = BTreeMap::new();
    for batch in session.rows(&sql).await? {
        let keys = Keys::new(&batch, "journal")?;
        let assets = texts(&batch, "asset", "journal")?;
        let prices = texts(&batch, "price", "journal")?;
        let adjusts = batch.column_by_name("adjusts").and_then(|array| array.as_boolean_opt().cloned());
        let adjusts = adjusts.ok_or_else(|| missing("journal", "adjusts"))?;
        for row in 0..batch.num_rows() {
            let (meter, dimensions) = keys.at(row)?;
            let price = price_order(prices.value(row));
            let overflow = |_: Overflow| DocumentError::Overflow { what: format!("price row {}", price.name) };
            let quantity = Quantity::from_nano(checked(&batch, "quantity", row, "journal")?).map_err(overflow)?;
            let amount = Amount::from_pico(checked(&batch, "amount", row, "journal")?).map_err(overflow)?;
            // A payable is a credit, which is negative in the journal.
            let amount = if kind == Kind::Earnings { amount.negated() } else { amount };
            let sums = by_currency.entry(assets.value(row).to_owned()).or_default();
            sums.insert((meter, adjusts.value(row), dimensions, price), (quantity, amount));
        }
    }
    Ok(by_currency)
}

/// What the charges say of the party's month.
struct Charges {
    currencies: BTreeSet<String>,
    unrated: Vec<(String, Unrated)>,
}

impl Charges {
    async fn read(session: &Session, kind: Kind, request: &Request) -> Result<Charges, DocumentError> {
        let sql = format!(
            "SELECT currency, state, meter, model, gpu, region, {} FROM charges \
             WHERE side = '{}' AND party = {} AND period = {} GROUP BY currency, state, meter, model, gpu, region",
            items("quantity"),
            kind.role(),
            literal(&request.party),
            literal(&request.period.to_string()),
        );
        let mut currencies = BTreeSet::new();
        let mut unrated: BTreeMap<(String, Meter, [Option<String>; 3]), Quantity> = BTreeMap::new();
        for batch in session.rows(&sql).await? {
            let keys = Keys::new(&batch, "charges")?;
            let of = texts(&batch, "currency", "charges")?;
            let states = texts(&batch, "state", "charges")?;
            for row in 0..batch.num_rows() {
                currencies.insert(of.value(row).to_owned());
                if states.value(row) == "unrated" {
                    let (meter, dimensions) = keys.at(row)?;
                    let quantity = Quantity::from_nano(checked(&batch, "quantity", row, "charges")?);
                    let quantity =
                        quantity.map_err(|_| DocumentError::Overflow { what: "unrated usage".to_owned() })?;
                    unrated.insert((of.value(row).to_owned(), meter, dimensions), quantity);
                }
            }
        }
        let waiting = unrated.into_iter().filter(|(_, quantity)| *quantity != Quantity::ZERO);
        let unrated = waiting.map(|((currency, meter, dimensions), quantity)| {
            (currency, Unrated { meter, dimensions: named(&dimensions), quantity })
        });
        Ok(Charges { currencies, unrated: unrated.collect() })
    }
}

/// The columns that say what a quantity is of.
struct Keys {
    table: &'static str,
    meter: arrow::array::StringViewArray,
    dimensions: [arrow::array::StringViewArray; 3],
}

impl Keys {
    fn new(batch: &RecordBatch, table: &'static str) -> Result<Keys, DocumentError> {
        let [model, gpu, region] = Dimension::ALL.map(|dimension| texts(batch, dimension.name(), table));
        Ok(Keys { table, meter: texts(batch, "meter", table)?, dimensions: [model?, gpu?, region?] })
    }

    fn at(&self, row: usize) -> Result<(Meter, [Option<String>; 3]), DocumentError> {
        let name = self.meter.value(row);
        let unknown = || DocumentError::Damaged { table: self.table, detail: format!("the meter {name:?} is not one") };
        let meter = Meter::from_name(name).ok_or_else(unknown)?;
        Ok((meter, [0, 1, 2].map(|dimension: usize| text(&self.dimensions[dimension], row))))
    }
}

fn named(dimensions: &[Option<String>; 3]) -> Vec<(Dimension, String)> {
    Dimension::ALL.into_iter().zip(dimensions).filter_map(|(d, value)| Some((d, value.clone()?))).collect()
}

fn price_order(name: &str) -> PriceOrder {
    let (offset, position) = name.split_once('-').unwrap_or((name, ""));
    let number = |text: &str| text.parse().unwrap_or(u64::MAX);
    PriceOrder { offset: number(offset), position: number(position), name: name.to_owned() }
}

/// The price rows of the lines by name.
async fn prices(session: &Session, sums: Option<&Sums>) -> Result<HashMap<String, PriceRow>, DocumentError> {
    let names: BTreeSet<&str> =
        sums.into_iter().flat_map(BTreeMap::keys).map(|(.., price)| price.name.as_str()).collect();
    let mut found = HashMap::new();
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

/// What customers pay instead of the amount.
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
    prices: &HashMap<String, PriceRow>,
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

fn choose(kind: Kind, request: &Request, known: BTreeSet<String>) -> Result<String, DocumentError> {
    let chosen = match &request.currency {
        Some(wanted) => known.get(wanted),
        None if known.len() == 1 => known.first(),
        None => None,
    };
    chosen.cloned().ok_or_else(|| DocumentError::Currency {
        role: kind.role(),
        party: request.party.clone(),
        period: request.period.to_string(),
        known: known.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    })
}

/// Says what there is instead of what was asked for.
async fn unknown_party(session: &Session, kind: Kind, request: &Request) -> Result<DocumentError, DocumentError> {
    let side = format!("SELECT DISTINCT period, party FROM charges WHERE side = '{}'", kind.role());
    let theirs =
        column(session, &format!("{side} AND party = {} ORDER BY period", literal(&request.party)), "period").await?;
    let mut others =
        column(session, &format!("{side} AND period = '{}' ORDER BY party", request.period), "party").await?;
    others.sort_by_key(|other| levenshtein(other, &request.party));
    let hint = if !theirs.is_empty() {
        let last = theirs.iter().rev().take(HINTS_MAX).rev().map(String::as_str).collect::<Vec<_>>().join(", ");
        format!("the months with usage of that {} are {last}", kind.role())
    } else if others.is_empty() {
        "nothing of that month is settled yet; check the month, or send or import usage first".to_owned()
    } else {
        let more = others.len().saturating_sub(HINTS_MAX);
        let first = others.iter().take(HINTS_MAX).map(|other| format!("{other:?}")).collect::<Vec<_>>().join(", ");
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("that month has usage of {first}{more}")
    };
    Ok(DocumentError::UnknownParty {
        role: kind.role(),
        party: request.party.clone(),
        period: request.period.to_string(),
        hint,
    })
}

async fn column(session: &Session, sql: &str, name: &str) -> Result<Vec<String>, DocumentError> {
    let mut values = Vec::new();
    for batch in session.rows(sql).await? {
        let array = texts(&batch, name, "charges")?;
        values.extend((0..batch.num_rows()).filter_map(|row| text(&array, row)));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn price_rows_are_ordered_as_numbers() {
        let mut names = vec!["12-10", "9-1", "12-2", "odd"];
        names.sort_by_key(|name| price_order(name));
        assert_eq!(names, ["9-1", "12-2", "12-10", "odd"]);
    }
}
