//! Sums of postings by what they are of.
//!
//! Invariant: every posting of usage on the accounts asked for is in exactly
//! one sum.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use stempoint_schemas::meter::{Dimension, Meter};
use stempoint_schemas::money::{Amount, Overflow, Quantity};
use stempoint_schemas::time::Month;

use super::error::DocumentError;
use super::statement::Kind;
use super::sums::{checked, items, missing, text, texts};
use crate::catalogue::Session;
use crate::literal;

/// Meter, whether it is what a charge model adds, dimensions (as
/// [`Dimension::ALL`]) and price row: adjustments follow the lines of their
/// meter.
pub(crate) type LineKey = (Meter, bool, [Option<String>; 3], PriceOrder);

/// Price rows in the order in which they were applied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PriceOrder {
    offset: u64,
    position: u64,
    pub(crate) name: String,
}

/// Quantity and amount of each line of one party and currency.
pub(crate) type Sums = BTreeMap<LineKey, (Quantity, Amount)>;

/// The sums of each party by currency.
pub(crate) type OfParties = BTreeMap<String, BTreeMap<String, Sums>>;

/// The postings of a month's usage on the account of one party, or on those of
/// all.
pub(crate) async fn postings(
    session: &Session,
    kind: Kind,
    party: Option<&str>,
    period: Month,
) -> Result<OfParties, DocumentError> {
    let whose = match party {
        Some(party) => format!("account = {}", literal(&kind.account(party))),
        None => format!("starts_with(account, '{}/')", kind.role()),
    };
    let sql = format!(
        "SELECT account, asset, meter, model, gpu, region, price, quantity IS NULL AS adjusts, {}, {} FROM journal \
         WHERE {whose} AND period = {} AND price IS NOT NULL \
         GROUP BY account, asset, meter, model, gpu, region, price, quantity IS NULL",
        items("quantity"),
        items("amount"),
        literal(&period.to_string()),
    );
    let mut parties = OfParties::new();
    for batch in session.rows(&sql).await? {
        let keys = Keys::new(&batch, "journal")?;
        let accounts = texts(&batch, "account", "journal")?;
        let assets = texts(&batch, "asset", "journal")?;
        let prices = texts(&batch, "price", "journal")?;
        let adjusts = batch.column_by_name("adjusts").and_then(|array| array.as_boolean_opt().cloned());
        let adjusts = adjusts.ok_or_else(|| missing("journal", "adjusts"))?;
        for row in 0..batch.num_rows() {
            let Some(party) = kind.party_of(accounts.value(row)) else { continue };
            let (meter, dimensions) = keys.at(row)?;
            let price = price_order(prices.value(row));
            let overflow = |_: Overflow| DocumentError::Overflow { what: format!("price row {}", price.name) };
            let quantity = Quantity::from_nano(checked(&batch, "quantity", row, "journal")?).map_err(overflow)?;
            let amount = Amount::from_pico(checked(&batch, "amount", row, "journal")?).map_err(overflow)?;
            // A payable is a credit, which is negative in the journal.
            let amount = if kind == Kind::Earnings { amount.negated() } else { amount };
            let currencies = parties.entry(party.to_owned()).or_default();
            let sums = currencies.entry(assets.value(row).to_owned()).or_default();
            sums.insert((meter, adjusts.value(row), dimensions, price), (quantity, amount));
        }
    }
    Ok(parties)
}

/// The columns that say what a quantity is of.
pub(crate) struct Keys {
    table: &'static str,
    meter: arrow::array::StringViewArray,
    dimensions: [arrow::array::StringViewArray; 3],
}

impl Keys {
    pub(crate) fn new(batch: &RecordBatch, table: &'static str) -> Result<Keys, DocumentError> {
        let [model, gpu, region] = Dimension::ALL.map(|dimension| texts(batch, dimension.name(), table));
        Ok(Keys { table, meter: texts(batch, "meter", table)?, dimensions: [model?, gpu?, region?] })
    }

    pub(crate) fn at(&self, row: usize) -> Result<(Meter, [Option<String>; 3]), DocumentError> {
        let name = self.meter.value(row);
        let unknown = || DocumentError::Damaged { table: self.table, detail: format!("the meter {name:?} is not one") };
        let meter = Meter::from_name(name).ok_or_else(unknown)?;
        Ok((meter, [0, 1, 2].map(|dimension: usize| text(&self.dimensions[dimension], row))))
    }
}

/// The dimensions that have a value.
pub(crate) fn named(dimensions: &[Option<String>; 3]) -> Vec<(Dimension, String)> {
    Dimension::ALL.into_iter().zip(dimensions).filter_map(|(d, value)| Some((d, value.clone()?))).collect()
}

pub(crate) fn price_order(name: &str) -> PriceOrder {
    let (offset, position) = name.split_once('-').unwrap_or((name, ""));
    let number = |text: &str| text.parse().unwrap_or(u64::MAX);
    PriceOrder { offset: number(offset), position: number(position), name: name.to_owned() }
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

    #[test]
    fn an_account_names_its_party() {
        for party in ["acme", "a/b", ""] {
            assert_eq!(Kind::Invoice.party_of(&Kind::Invoice.account(party)), Some(party));
            assert_eq!(Kind::Earnings.party_of(&Kind::Earnings.account(party)), Some(party));
        }
        assert_eq!(Kind::Invoice.party_of("customer/acme/credit"), None);
        assert_eq!(Kind::Invoice.party_of("provider/acme/payable"), None);
    }
}
