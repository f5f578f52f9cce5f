//! What providers' statements say once their month was closed.
//!
//! Invariant: a statement has the figures of its row in `statements`, and its
//! lines add up to what that says was earned.

use stempoint_schemas::money::Amount;

use super::collect::Figures;
use super::currency::minor_units;
use super::error::DocumentError;
use super::issued::{Issued, Totals, decimal, time};
use super::statement::Request;
use super::sums::{missing, texts};
use crate::catalogue::Session;
use crate::literal;

const TABLE: &str = "statements";

/// A row of `statements`.
pub(super) struct StatedRow {
    pub provider: String,
    pub currency: String,
    earned: Amount,
    carried: Amount,
    total: Amount,
    issued: Issued,
}

impl StatedRow {
    /// Its figures, if its lines add up to what it says was earned.
    pub fn figures(self, earned: Amount) -> Result<Figures, DocumentError> {
        if self.earned != earned {
            let detail = format!("what {} says was earned is not the sum of its lines in journal", self.issued.number);
            return Err(DocumentError::Damaged { table: TABLE, detail });
        }
        let totals = Totals::of_provider(Some(self.issued), self.total);
        Ok(Figures { carried: Some(self.carried), ..Figures::of(earned, totals) })
    }
}

/// The rows of `statements` that meet a condition, in the order of their issue.
pub(super) async fn stated(session: &Session, condition: &str) -> Result<Vec<StatedRow>, DocumentError> {
    let sql = format!(
        "SELECT number, provider, currency, earned, carried, total, issued_at FROM statements \
         WHERE {condition} ORDER BY _offset, line"
    );
    let mut rows = Vec::new();
    for batch in session.rows(&sql).await? {
        let text = |column| texts(&batch, column, TABLE);
        let (numbers, providers, currencies) = (text("number")?, text("provider")?, text("currency")?);
        for row in 0..batch.num_rows() {
            let issued_at = time(&batch, TABLE, "issued_at", row)?.ok_or_else(|| missing(TABLE, "issued_at"))?;
            let number = numbers.value(row).to_owned();
            rows.push(StatedRow {
                provider: providers.value(row).to_owned(),
                currency: currencies.value(row).to_owned(),
                earned: decimal(&batch, TABLE, "earned", row)?,
                carried: decimal(&batch, TABLE, "carried", row)?,
                total: decimal(&batch, TABLE, "total", row)?,
                issued: Issued { number, is_credit_note: false, issued_at, due_at: None },
            });
        }
    }
    Ok(rows)
}

/// The figures of a provider's month in which so much was earned.
pub(super) async fn figures(
    session: &Session,
    request: &Request,
    currency: &str,
    earned: Amount,
) -> Result<Figures, DocumentError> {
    let condition = format!(
        "provider = {} AND period = '{}' AND currency = {}",
        literal(&request.party),
        request.period,
        literal(currency)
    );
    if let Some(row) = stated(session, &condition).await?.into_iter().next() {
        return row.figures(earned);
    }
    let total = earned.rounded(minor_units(currency));
    Ok(Figures::of(earned, Totals::of_provider(None, total)))
}
