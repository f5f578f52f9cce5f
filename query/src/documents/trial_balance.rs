//! The balance of every account, and the proof that they add up to zero.
//!
//! Invariant 3: per asset, debits equal credits at every ledger version.

use std::collections::BTreeMap;
use std::io::{self, Write};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use stempoint_schemas::money::{Amount, Overflow};

use super::currency::minor_units;
use super::error::DocumentError;
use super::figures::grouped;
use super::sums::{checked, items, missing, texts};
use crate::catalogue::Session;
use crate::output::{Align, Block};

/// One account in one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// The account.
    pub account: String,
    /// The currency or token.
    pub asset: String,
    /// The sum of its postings: positive is debit, negative is credit.
    pub amount: Amount,
    /// How many postings there are.
    pub postings: u64,
}

/// All accounts in one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetTotal {
    /// The currency or token.
    pub asset: String,
    /// The sum of the accounts on the debit side.
    pub debit: Amount,
    /// The sum of the accounts on the credit side, as a positive number.
    pub credit: Amount,
}

/// The balances of all accounts at one ledger version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialBalance {
    /// The ledger version that was read.
    pub ledger_version: i64,
    /// By asset, then account.
    pub balances: Vec<Balance>,
    /// By asset.
    pub totals: Vec<AssetTotal>,
}

/// Adds up the journal.
///
/// # Errors
/// [`DocumentError::Overflow`] if a sum may not fit, and errors of reading.
pub async fn trial_balance(session: &Session) -> Result<TrialBalance, DocumentError> {
    let sql = format!(
        "SELECT account, asset, {} FROM journal GROUP BY account, asset ORDER BY asset, account",
        items("amount")
    );
    let mut balances = Vec::new();
    for batch in session.rows(&sql).await? {
        let (accounts, assets) = (texts(&batch, "account", "journal")?, texts(&batch, "asset", "journal")?);
        let count = batch.column_by_name("amount_count").and_then(|a| a.as_primitive_opt::<Int64Type>());
        let count = count.ok_or_else(|| missing("journal", "amount"))?;
        for row in 0..batch.num_rows() {
            let account = accounts.value(row).to_owned();
            let amount = Amount::from_pico(checked(&batch, "amount", row, "journal")?);
            let amount = amount.map_err(|_| DocumentError::Overflow { what: account.clone() })?;
            let postings = count.value(row).unsigned_abs();
            balances.push(Balance { account, asset: assets.value(row).to_owned(), amount, postings });
        }
    }
    TrialBalance::new(session.pin().version, balances)
}

impl TrialBalance {
    fn new(ledger_version: i64, balances: Vec<Balance>) -> Result<TrialBalance, DocumentError> {
        let mut totals: BTreeMap<&str, (Amount, Amount)> = BTreeMap::new();
        for balance in &balances {
            let overflow = |_: Overflow| DocumentError::Overflow { what: format!("all accounts in {}", balance.asset) };
            let (debit, credit) = totals.entry(&balance.asset).or_default();
            let (side, amount) = if balance.amount < Amount::ZERO {
                (credit, balance.amount.negated())
            } else {
                (debit, balance.amount)
            };
            *side = side.plus(amount).map_err(overflow)?;
        }
        let totals = totals
            .into_iter()
            .map(|(asset, (debit, credit))| AssetTotal { asset: asset.to_owned(), debit, credit })
            .collect();
        Ok(TrialBalance { ledger_version, balances, totals })
    }

    /// Whether debits equal credits in every asset.
    pub fn is_balanced(&self) -> bool {
        self.totals.iter().all(|total| total.debit == total.credit)
    }

    /// The same with accounts of one kind as one line: `customer/*/receivable`
    /// stands for all customers. The totals then are those of the lines.
    ///
    /// # Errors
    /// [`DocumentError::Overflow`] if a sum does not fit.
    pub fn condensed(&self) -> Result<TrialBalance, DocumentError> {
        let mut kinds: BTreeMap<(&str, String), (Amount, u64)> = BTreeMap::new();
        for balance in &self.balances {
            let kind = account_kind(&balance.account);
            let overflow = |_: Overflow| DocumentError::Overflow { what: kind.clone() };
            let (sum, postings) = kinds.entry((&balance.asset, kind.clone())).or_default();
            *sum = sum.plus(balance.amount).map_err(overflow)?;
            *postings += balance.postings;
        }
        let balances = kinds.into_iter().map(|((asset, account), (amount, postings))| Balance {
            account,
            asset: asset.to_owned(),
            amount,
            postings,
        });
        TrialBalance::new(self.ledger_version, balances.collect())
    }

    /// Writes a table with debits and credits, and a verdict.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let headings =
            [("account", Align::Left), ("asset", Align::Left), ("debit", Align::Right), ("credit", Align::Right)];
        let mut block = Block::new(headings.map(|(name, align)| (name.to_owned(), align)).into());
        let shown = |amount: Amount, asset: &str| {
            if amount == Amount::ZERO { String::new() } else { grouped(&amount.with_places(minor_units(asset))) }
        };
        for balance in &self.balances {
            let is_credit = balance.amount < Amount::ZERO;
            let amount = shown(if is_credit { balance.amount.negated() } else { balance.amount }, &balance.asset);
            let (debit, credit) = if is_credit { ("", amount.as_str()) } else { (amount.as_str(), "") };
            block.push_texts(&[&balance.account, &balance.asset, debit, credit], out)?;
        }
        for total in &self.totals {
            let (debit, credit) = (shown(total.debit, &total.asset), shown(total.credit, &total.asset));
            block.push_texts(&["= total", &total.asset, &debit, &credit], out)?;
        }
        block.flush(out)?;
        let verdict = if self.is_balanced() { "debits equal credits" } else { "DEBITS AND CREDITS DIFFER: run audit" };
        writeln!(out, "{verdict} at ledger version {}", self.ledger_version)
    }
}

/// An account without its owner.
fn account_kind(account: &str) -> String {
    for (role, name) in [("customer", "receivable"), ("provider", "payable")] {
        let rest = account.strip_prefix(role).and_then(|rest| rest.strip_prefix('/'));
        if rest.is_some_and(|rest| rest.ends_with(&format!("/{name}"))) {
            return format!("{role}/*/{name}");
        }
    }
    account.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(account: &str, asset: &str, amount: &str) -> Balance {
        let amount = Amount::parse(amount).expect("an amount");
        Balance { account: account.to_owned(), asset: asset.to_owned(), amount, postings: 1 }
    }

    #[test]
    fn accounts_of_a_kind_become_one_line_and_still_balance() {
        let all = vec![
            balance("customer/a/receivable", "USD", "3.5"),
            balance("customer/b/c/receivable", "USD", "1000"),
            balance("platform/revenue", "USD", "-1000.000000000001"),
            balance("provider/n/payable", "USD", "-3.5"),
            balance("platform/rounding", "USD", "0.000000000001"),
        ];
        let whole = TrialBalance::new(7, all).expect("fits");
        assert!(whole.is_balanced());
        let condensed = whole.condensed().expect("fits");
        assert!(condensed.is_balanced());
        let accounts: Vec<_> = condensed.balances.iter().map(|b| b.account.as_str()).collect();
        assert_eq!(accounts, ["customer/*/receivable", "platform/revenue", "platform/rounding", "provider/*/payable"]);
        let mut text = Vec::new();
        condensed.write(&mut text).expect("memory");
        let expected = " \
account               | asset |              debit |             credit
-----------------------+-------+--------------------+--------------------
 customer/*/receivable | USD   | 1,003.50           |
 platform/revenue      | USD   |                    | 1,000.000000000001
 platform/rounding     | USD   |     0.000000000001 |
 provider/*/payable    | USD   |                    |     3.50
 = total               | USD   | 1,003.500000000001 | 1,003.500000000001
debits equal credits at ledger version 7
";
        assert_eq!(String::from_utf8(text).expect("text"), expected);
    }

    #[test]
    fn a_difference_is_seen_in_its_asset() {
        let all = vec![balance("customer/a/receivable", "USD", "1"), balance("provider/n/payable", "EUR", "-1")];
        let whole = TrialBalance::new(7, all).expect("fits");
        assert!(!whole.is_balanced());
        let mut text = Vec::new();
        whole.write(&mut text).expect("memory");
        assert!(String::from_utf8(text).expect("text").contains("DIFFER"));
    }
}
