//! What commitments lacked, as the last lines of invoices.
//!
//! Invariant: a row of `true_ups` is in exactly one document, that of the last
//! month of its term.

use stempoint_schemas::time::Month;

use super::error::DocumentError;
use super::issued::decimal;
use super::statement::TrueUp;
use super::sums::{missing, texts};
use crate::catalogue::Session;
use crate::literal;

const TABLE: &str = "true_ups";

/// What a customer's commitment in a currency lacked.
pub(crate) struct OfCustomer {
    pub customer: String,
    pub currency: String,
    pub true_up: TrueUp,
}

/// What was charged in a month of one customer, or of all.
pub(crate) async fn true_ups(
    session: &Session,
    period: Month,
    customer: Option<&str>,
) -> Result<Vec<OfCustomer>, DocumentError> {
    let whose = customer.map_or_else(String::new, |customer| format!(" AND customer = {}", literal(customer)));
    let sql = format!(
        "SELECT customer, currency, first_period, committed, billed, amount FROM true_ups \
         WHERE period = '{period}'{whose} ORDER BY _offset, line"
    );
    let mut found = Vec::new();
    for batch in session.rows(&sql).await? {
        let text = |column| texts(&batch, column, TABLE);
        let (customers, currencies, firsts) = (text("customer")?, text("currency")?, text("first_period")?);
        for row in 0..batch.num_rows() {
            let (customer, currency) = (customers.value(row).to_owned(), currencies.value(row).to_owned());
            let money = |column| decimal(&batch, TABLE, column, row);
            let true_up = TrueUp {
                first: Month::parse(firsts.value(row)).map_err(|_| missing(TABLE, "first_period"))?,
                committed: money("committed")?,
                billed: money("billed")?,
                amount: money("amount")?,
                sql: format!(
                    "SELECT amount FROM true_ups WHERE customer = {} AND period = '{period}' AND currency = {}",
                    literal(&customer),
                    literal(&currency)
                ),
            };
            found.push(OfCustomer { customer, currency, true_up });
        }
    }
    Ok(found)
}
