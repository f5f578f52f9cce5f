//! The journal of a month, added up by what becomes an entry.
//!
//! Invariant: every posting that counts from within the month is in exactly
//! one group; groups come in the order of their days, on a day usage before
//! documents, and those in the order of their control events.

use arrow::array::RecordBatch;
use stempoint_schemas::money::Amount;
use stempoint_schemas::time::Month;

use super::Balances;
use crate::catalogue::Session;
use crate::documents::DocumentError;
use crate::documents::sums::{checked, items, text, texts};

/// Postings that become one entry, added up by account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub day: String,
    pub document: Option<String>,
    /// `invoice`, `credit_note` or `payment`.
    pub kind: Option<String>,
    /// Whose document it is.
    pub party: Option<String>,
    pub asset: String,
    /// Accounts with exact sums, in the order of their names.
    pub sums: Vec<(String, Amount)>,
}

impl Group {
    /// What it is, in words.
    pub fn description(&self) -> String {
        let Some(document) = &self.document else { return format!("Usage that counts from {}", self.day) };
        let what = match self.kind.as_deref() {
            Some("invoice") => "Invoice ",
            Some("credit_note") => "Credit note ",
            _ => "",
        };
        let whose = self.party.as_ref().map_or_else(String::new, |party| format!(" of {party}"));
        let mut words = format!("{what}{document}{whose}");
        if let Some(first) = words.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        words
    }
}

/// What accounts held before the month.
pub(super) async fn opening(session: &Session, period: Month) -> Result<Balances, DocumentError> {
    let sql = format!(
        "SELECT account, asset, {} FROM journal WHERE effective_at < TIMESTAMP '{}' GROUP BY account, asset",
        items("amount"),
        period.start(),
    );
    let mut balances = Balances::new();
    for batch in session.rows(&sql).await? {
        let (accounts, assets) = (texts(&batch, "account", "journal")?, texts(&batch, "asset", "journal")?);
        for row in 0..batch.num_rows() {
            let account = (accounts.value(row).to_owned(), assets.value(row).to_owned());
            balances.insert(account, sum(&batch, row)?);
        }
    }
    Ok(balances)
}

/// The month's postings.
pub(super) async fn groups(session: &Session, period: Month) -> Result<Vec<Group>, DocumentError> {
    let sql = format!(
        "SELECT CAST(CAST(effective_at AS DATE) AS VARCHAR) AS day, \
         CASE WHEN document IS NULL THEN -1 ELSE journal._offset END AS event, \
         document, kind, party, account, asset, {} \
         FROM journal LEFT JOIN (\
         SELECT number, kind, customer AS party FROM invoices \
         UNION ALL SELECT payment AS number, 'payment' AS kind, customer AS party FROM payments \
         UNION ALL SELECT name AS number, 'grant' AS kind, customer AS party FROM grants \
         UNION ALL SELECT DISTINCT source AS number, 'write_off' AS kind, customer AS party FROM allocations \
         WHERE source LIKE 'write-off-%' \
         UNION ALL SELECT name AS number, 'dispute' AS kind, party FROM disputes WHERE step = 'opened'\
         ) AS documents ON documents.number = journal.document \
         WHERE effective_at >= TIMESTAMP '{}' AND effective_at < TIMESTAMP '{}' \
         GROUP BY day, event, document, kind, party, account, asset \
         ORDER BY day, event, document, asset, account",
        items("amount"),
        period.start(),
        period.end(),
    );
    let mut groups: Vec<Group> = Vec::new();
    for batch in session.rows(&sql).await? {
        let column = |name| texts(&batch, name, "journal");
        let (days, accounts, assets) = (column("day")?, column("account")?, column("asset")?);
        let (documents, kinds, parties) = (column("document")?, column("kind")?, column("party")?);
        for row in 0..batch.num_rows() {
            let (day, asset) = (days.value(row), assets.value(row));
            let document = text(&documents, row);
            let line = (accounts.value(row).to_owned(), sum(&batch, row)?);
            match groups.last_mut() {
                Some(last) if last.day == day && last.document == document && last.asset == asset => {
                    last.sums.push(line);
                }
                _ => groups.push(Group {
                    day: day.to_owned(),
                    document,
                    kind: text(&kinds, row),
                    party: text(&parties, row),
                    asset: asset.to_owned(),
                    sums: vec![line],
                }),
            }
        }
    }
    Ok(groups)
}

fn sum(batch: &RecordBatch, row: usize) -> Result<Amount, DocumentError> {
    let sum = Amount::from_pico(checked(batch, "amount", row, "journal")?);
    sum.map_err(|_| DocumentError::Overflow { what: "an account".to_owned() })
}
