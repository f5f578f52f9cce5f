//! What a provider's statement says once its month was closed.
//!
//! Invariant: it has the figures of its row in `statements`, and its lines add
//! up to what that says was earned.

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

/// The figures of a provider's month in which so much was earned.
pub(super) async fn figures(
    session: &Session,
    request: &Request,
    currency: &str,
    earned: Amount,
) -> Result<Figures, DocumentError> {
    let sql = format!(
        "SELECT number, earned, carried, total, issued_at FROM statements \
         WHERE provider = {} AND period = '{}' AND currency = {}",
        literal(&request.party),
        request.period,
        literal(currency)
    );
    let batches = session.rows(&sql).await?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
        let total = earned.rounded(minor_units(currency));
        return Ok(Figures::of(earned, Totals { issued: None, tax_terms: None, tax: Amount::ZERO, total }));
    };
    let number = texts(batch, "number", TABLE)?.value(0).to_owned();
    if decimal(batch, TABLE, "earned", 0)? != earned {
        let detail = format!("what {number} says was earned is not the sum of its lines in journal");
        return Err(DocumentError::Damaged { table: TABLE, detail });
    }
    let issued_at = time(batch, TABLE, "issued_at", 0)?.ok_or_else(|| missing(TABLE, "issued_at"))?;
    let issued = Issued { number, is_credit_note: false, issued_at, due_at: None };
    let total = decimal(batch, TABLE, "total", 0)?;
    let totals = Totals { issued: Some(issued), tax_terms: None, tax: Amount::ZERO, total };
    Ok(Figures { carried: Some(decimal(batch, TABLE, "carried", 0)?), ..Figures::of(earned, totals) })
}
