//! `stempoint head`: what to publish.

use anyhow::{Result, anyhow};
use stempoint_schemas::head::Head;
use stempoint_store::ledger::Ledger;

use crate::cli::{HeadArgs, HeadFormat};
use crate::context::Context;

pub fn run(context: &Context, args: &HeadArgs) -> Result<()> {
    let head = context.runtime.block_on(async {
        let ledger = Ledger::open(&context.data.lake()).await?;
        let newest = ledger.head().await?;
        let commit = match args.version {
            Some(version) => ledger
                .version(version)
                .await?
                .ok_or_else(|| anyhow!("there is no ledger version {version}: the newest is {}", newest.version))?,
            None => newest,
        };
        anyhow::Ok(Head::from(&commit))
    })?;
    match args.format {
        HeadFormat::Text => println!("{head}"),
        HeadFormat::Json => println!("{}", serde_json::to_string(&head)?),
    }
    Ok(())
}
