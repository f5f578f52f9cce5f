//! From postings, prices and charges to the lines of one party's month.
//!
//! Invariant: every posting on the party's account in the month and currency
//! is in exactly one line, and every unrated charge in one note; what a
//! commitment lacks is one more line.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::common::utils::datafusion_strsim::levenshtein;
use stempoint_schemas::meter::Meter;
use stempoint_schemas::money::{Amount, Quantity};
use stempoint_schemas::time::Month;

use super::error::DocumentError;
use super::issued::{Totals, draft, issued};
use super::lines::{lines, prices};
use super::postings::{Keys, named, postings};
use super::stated;
use super::statement::{Kind, Line, Request, Statement, TrueUp, Unrated};
use super::sums::{checked, items, text, texts};
use super::true_ups::{OfCustomer, true_ups};
use crate::catalogue::Session;
use crate::literal;

/// How many names or periods an error lists.
const HINTS_MAX: usize = 5;

/// Reads one party's month.
pub(crate) async fn collect(session: &Session, kind: Kind, request: &Request) -> Result<Statement, DocumentError> {
    let postings = postings(session, kind, Some(&request.party), request.period).await?;
    let postings = postings.into_values().next().unwrap_or_default();
    let is_closed = is_closed(session, request.period).await?;
    // Nothing of a closed month waits for a price, and reading all charges is
    // most of the work.
    let charges = if !postings.is_empty() && is_closed {
        Charges::default()
    } else {
        Charges::read(session, kind, request).await?
    };
    let mut currencies: BTreeSet<String> = postings.keys().chain(&charges.currencies).cloned().collect();
    if currencies.is_empty() && is_closed {
        currencies = without_lines(session, kind, request).await?;
    }
    if currencies.is_empty() {
        return Err(unknown_party(session, kind, request).await?);
    }
    let currency = choose(kind, request, currencies)?;
    let sums = postings.get(&currency);
    let prices = prices(session, sums.into_iter()).await?;
    let (lines, used) = lines(kind, request, &currency, sums, &prices)?;
    let unrated = charges.unrated.into_iter().filter(|(of, _)| *of == currency).map(|(_, unrated)| unrated).collect();
    let figures = match kind {
        Kind::Invoice => figures(session, request, &currency, used, is_closed).await?,
        Kind::Earnings => stated::figures(session, request, &currency, used).await?,
    };
    let statement = figures.below((kind, request), currency, lines, session.pin().version);
    Ok(Statement { unrated, ..statement })
}

/// The currencies of documents without lines of usage: who used nothing can be
/// charged for what it promised, and who served nothing gets what was accepted
/// of its disputes.
async fn without_lines(session: &Session, kind: Kind, request: &Request) -> Result<BTreeSet<String>, DocumentError> {
    Ok(match kind {
        Kind::Invoice => {
            let lacking = true_ups(session, request.period, Some(&request.party)).await?;
            lacking.into_iter().map(|of| of.currency).collect()
        }
        Kind::Earnings => {
            let condition = format!("provider = {} AND period = '{}'", literal(&request.party), request.period);
            stated::stated(session, &condition).await?.into_iter().map(|row| row.currency).collect()
        }
    })
}

/// What stands below the lines of usage.
pub(super) struct Figures {
    pub true_up: Option<TrueUp>,
    pub subtotal: Amount,
    pub carried: Option<Amount>,
    pub totals: Totals,
}

impl Figures {
    /// Of lines of usage alone.
    pub fn of(subtotal: Amount, totals: Totals) -> Figures {
        Figures { true_up: None, subtotal, carried: None, totals }
    }

    /// The statement of a party's month that has these lines and figures.
    pub fn below(
        self,
        (kind, request): (Kind, &Request),
        currency: String,
        lines: Vec<Line>,
        ledger_version: i64,
    ) -> Statement {
        Statement {
            kind,
            party: request.party.clone(),
            profile: None,
            period: request.period,
            currency,
            lines,
            true_up: self.true_up,
            unrated: Vec::new(),
            issued: self.totals.issued,
            subtotal: self.subtotal,
            carried: self.carried,
            tax_terms: self.totals.tax_terms,
            tax: self.totals.tax,
            total: self.totals.total,
            paid: self.totals.paid,
            ledger_version,
        }
    }
}

/// The figures of a customer's month of which so much was used.
async fn figures(
    session: &Session,
    request: &Request,
    currency: &str,
    used: Amount,
    is_closed: bool,
) -> Result<Figures, DocumentError> {
    let document = issued(session, request, currency).await?;
    // Where the lines add up to the document nothing was lacking.
    let is_whole = document.as_ref().map_or(!is_closed, |document| document.subtotal == used);
    let true_up = if is_whole { None } else { lacking(session, request, currency).await? };
    let subtotal = with_true_up(used, true_up.as_ref())?;
    let totals = match document {
        Some(document) => document.totals(subtotal)?,
        None => draft(session, &request.party, currency, subtotal).await?,
    };
    Ok(Figures { true_up, ..Figures::of(subtotal, totals) })
}

async fn lacking(session: &Session, request: &Request, currency: &str) -> Result<Option<TrueUp>, DocumentError> {
    let of_all = true_ups(session, request.period, Some(&request.party)).await?;
    let is_meant = |of: &OfCustomer| of.currency == currency;
    Ok(of_all.into_iter().find(is_meant).map(|of| of.true_up))
}

/// What was used and what a commitment lacks.
pub(crate) fn with_true_up(used: Amount, true_up: Option<&TrueUp>) -> Result<Amount, DocumentError> {
    let lacking = true_up.map_or(Amount::ZERO, |true_up| true_up.amount);
    used.plus(lacking).map_err(|_| DocumentError::Overflow { what: "the lines".to_owned() })
}

/// Whether nothing of a month changes any more: closing one closes all before.
pub(crate) async fn is_closed(session: &Session, period: Month) -> Result<bool, DocumentError> {
    let sql = format!("SELECT count(*) AS n FROM periods WHERE state = 'closed' AND period >= '{period}'");
    let batches = session.rows(&sql).await?;
    let counts = batches.iter().filter_map(|batch| batch.column(0).as_primitive_opt::<Int64Type>());
    Ok(counts.flatten().flatten().any(|count| count > 0))
}

/// What the charges say of the party's month.
#[derive(Default)]
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
