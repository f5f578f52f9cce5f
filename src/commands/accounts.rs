//! `stempoint accounts` and `balance`: what accounts hold, at any moment and
//! as it was known at any other.
//!
//! Invariant: nothing is settled by asking, so that the same question at the
//! same version gives the same answer for ever.

use anyhow::{Result, bail};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use stempoint_query::literal;
use stempoint_schemas::time::Instant;
use stempoint_store::ledger::Ledger;

use super::sql;
use crate::cli::{AccountsArgs, BalanceArgs};
use crate::context::Context;

pub fn accounts(context: &Context, args: &AccountsArgs) -> Result<()> {
    let condition = args.prefix.as_deref().map_or_else(|| "true".to_owned(), |prefix| begins_with("account", prefix));
    sql::print(context, &balances(&condition), args.format, None)
}

pub fn balance(context: &Context, args: &BalanceArgs) -> Result<()> {
    let (version, known) = known_at(args.known_at.as_deref())?;
    let account =
        format!("(account = {} OR {})", literal(&args.account), begins_with("account", &format!("{}/", args.account)));
    let mut conditions = vec![account.clone()];
    if let Some(at) = &args.at {
        conditions.push(format!("effective_at <= {}", moment(Instant::parse(at)?)));
    }
    conditions.extend(known);
    let any = format!("SELECT count(*) AS n FROM journal WHERE {account}");
    if context.runtime.block_on(count(context, &any))? == 0 {
        bail!("there is no account {:?}; `stempoint accounts` lists those there are", args.account);
    }
    sql::print(context, &balances(&conditions.join(" AND ")), args.format, version)
}

/// What the accounts of some postings hold.
fn balances(condition: &str) -> String {
    format!(
        "SELECT account, asset, sum(amount) AS balance, count(*) AS postings FROM journal WHERE {condition} \
         GROUP BY account, asset ORDER BY account, asset"
    )
}

/// A ledger version, or a condition on the log's record times.
fn known_at(text: Option<&str>) -> Result<(Option<i64>, Option<String>)> {
    let Some(text) = text else { return Ok((None, None)) };
    if let Ok(version) = text.parse() {
        return Ok((Some(version), None));
    }
    let known = moment(Instant::parse(text)?);
    Ok((None, Some(format!("_offset IN (SELECT _offset FROM control WHERE _recorded_at <= {known})"))))
}

async fn count(context: &Context, query: &str) -> Result<i64> {
    let ledger = Ledger::open(&context.data.lake()).await?;
    let batches = sql::session(&ledger, None).await?.rows(query).await?;
    let first = |batch: &RecordBatch| batch.column(0).as_primitive_opt::<Int64Type>().map(|counts| counts.value(0));
    Ok(batches.iter().find_map(first).unwrap_or(0))
}

fn moment(time: Instant) -> String {
    format!("TIMESTAMP '{time}'")
}

fn begins_with(column: &str, prefix: &str) -> String {
    format!("starts_with({column}, {})", literal(prefix))
}
