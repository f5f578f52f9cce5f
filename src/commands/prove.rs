//! `stempoint prove`: one row's way into the head, as a file for others.

use std::io::Write;

use anyhow::{Context as _, Result, anyhow, bail};
use stempoint_ingest::prove::{Wanted, numbers_of, prove};
use stempoint_schemas::tables::SETTLEMENT;
use stempoint_store::ledger::Ledger;

use super::rejects;
use crate::cli::ProveArgs;
use crate::context::Context;
use crate::print::Output;

pub fn run(context: &Context, args: &ProveArgs) -> Result<()> {
    let wanted = wanted(args)?;
    let proof = context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        anyhow::Ok(prove(&ledger, &wanted, args.version).await?)
    })?;
    let text = proof.to_text()?;
    match &args.out {
        Some(file) => {
            std::fs::write(file, text).with_context(|| format!("failed to write {}", file.display()))?;
            println!(
                "{} proves a row of {} in ledger version {}",
                file.display(),
                proof.row.table(),
                proof.head.version
            );
            println!("check it with: stempoint verify-proof {} --head {}", file.display(), proof.head);
        }
        None => Output.write_all(text.as_bytes())?,
    }
    Ok(())
}

fn wanted(args: &ProveArgs) -> Result<Wanted> {
    match (&args.event, &args.at, &args.row) {
        (Some(id), ..) => Ok(Wanted::Event { id: id.clone(), source: args.source.clone() }),
        (None, Some(place), _) => {
            let (partition, offset) = rejects::parse(place)?;
            Ok(Wanted::Place { partition, offset })
        }
        (None, None, Some(row)) => settled(row),
        (None, None, None) => bail!("name an event, --at PARTITION:OFFSET or --row TABLE:N"),
    }
}

fn settled(text: &str) -> Result<Wanted> {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default();
    let table = SETTLEMENT.into_iter().find(|table| table.name == name).ok_or_else(|| {
        let names = SETTLEMENT.map(|table| table.name).join(", ");
        anyhow!("{name:?} is no table of settlement, whose tables are {names}; usage is proved by its id or with --at")
    })?;
    let numbers: Option<Vec<i64>> = parts.map(|part| part.parse().ok()).collect();
    let columns = numbers_of(table);
    match numbers {
        Some(numbers) if numbers.len() == columns.len() => Ok(Wanted::Settled { table, numbers }),
        _ => bail!("{text:?} names no row: it must be {name}:{}, the numbers in these columns", columns.join(":")),
    }
}
