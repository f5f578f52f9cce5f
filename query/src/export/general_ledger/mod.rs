//! The general ledger of a month as entries that accounting packages import.
//!
//! Invariants: each entry balances to the cent; an account's lines up to any
//! moment add up to its balance then, rounded to the currency's cents, because
//! a line is the rounded balance after it less the rounded balance before it;
//! what that leaves over in an entry is on [`CENTS`], which is no account of
//! the books.

mod account;
mod read;
mod write;

use std::collections::HashMap;

use stempoint_schemas::currency::minor_units;
use stempoint_schemas::money::{Amount, Overflow};
use stempoint_schemas::time::Month;

use crate::catalogue::Session;
use crate::documents::DocumentError;

pub use write::{Form, WriteError, write};

/// The account of what rounding to cents leaves over.
pub const CENTS: &str = "export/rounding";

/// One entry: what happened on a day with a document, or with usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number: the month and a count, for example `2023-11-000001`.
    pub number: String,
    /// The day from which it counts, for example `2023-11-30`.
    pub day: String,
    /// What it is, in words.
    pub description: String,
    /// The invoice, credit note or payment; `None` for usage.
    pub document: Option<String>,
    /// The currency or token.
    pub asset: String,
    /// Accounts and whole cents: positive is debit. They add up to zero.
    pub lines: Vec<(String, Amount)>,
}

/// The entries of a month in their order.
///
/// # Errors
/// [`DocumentError`] where the journal cannot be read or a sum does not fit.
pub async fn entries(session: &Session, period: Month) -> Result<Vec<Entry>, DocumentError> {
    let mut balances = read::opening(session, period).await?;
    let mut entries: Vec<Entry> = Vec::new();
    for group in read::groups(session, period).await? {
        let lines = in_cents(&group, &mut balances)
            .map_err(|_| DocumentError::Overflow { what: format!("the entries of {}", group.day) })?;
        if !lines.is_empty() {
            entries.push(Entry {
                number: format!("{period}-{:06}", entries.len() + 1),
                description: group.description(),
                day: group.day,
                document: group.document,
                asset: group.asset,
                lines,
            });
        }
    }
    Ok(entries)
}

/// What accounts hold, by account and asset.
type Balances = HashMap<(String, String), Amount>;

/// The lines of an entry in whole cents, with what they leave over.
fn in_cents(group: &read::Group, balances: &mut Balances) -> Result<Vec<(String, Amount)>, Overflow> {
    let places = minor_units(&group.asset);
    let mut lines = Vec::with_capacity(group.sums.len() + 1);
    let mut left = Amount::ZERO;
    for (account, amount) in &group.sums {
        let balance = balances.entry((account.clone(), group.asset.clone())).or_default();
        let before = balance.rounded(places);
        *balance = balance.plus(*amount)?;
        let line = balance.rounded(places).minus(before)?;
        if line != Amount::ZERO {
            left = left.minus(line)?;
            lines.push((account.clone(), line));
        }
    }
    if left != Amount::ZERO {
        lines.push((CENTS.to_owned(), left));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn group(asset: &str, sums: &[(&str, &str)]) -> read::Group {
        let sums = sums.iter().map(|(account, sum)| ((*account).to_owned(), amount(sum))).collect();
        read::Group {
            day: "2023-11-01".to_owned(),
            document: None,
            kind: None,
            party: None,
            asset: asset.to_owned(),
            sums,
        }
    }

    #[test]
    fn lines_add_up_to_rounded_balances_and_entries_to_zero() {
        let mut balances = Balances::new();
        let mut totals: HashMap<String, Amount> = HashMap::new();
        for _ in 0..10 {
            let group = group("USD", &[("a", "0.004"), ("b", "-0.0015"), ("c", "-0.0025")]);
            let lines = in_cents(&group, &mut balances).unwrap();
            let sum = lines.iter().try_fold(Amount::ZERO, |sum, (_, line)| sum.plus(*line)).unwrap();
            assert_eq!(sum, Amount::ZERO, "{lines:?}");
            for (account, line) in lines {
                let total = totals.entry(account).or_default();
                *total = total.plus(line).unwrap();
            }
        }
        for (account, total) in [("a", "0.04"), ("b", "-0.02"), ("c", "-0.03"), (CENTS, "0.01")] {
            assert_eq!(totals[account], amount(total), "{account}");
        }
    }

    #[test]
    fn a_currency_without_cents_has_whole_units() {
        let lines = in_cents(&group("JPY", &[("a", "10.5"), ("b", "-10.5")]), &mut Balances::new()).unwrap();
        assert_eq!(lines, [("a".to_owned(), amount("11")), ("b".to_owned(), amount("-11"))]);
    }
}
