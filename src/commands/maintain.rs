//! `stempoint maintain`: one round of maintenance, now.

use anyhow::Result;
use stempoint_ingest::log::Topic;
use stempoint_store::ledger::Ledger;

use crate::context::Context;
use crate::maintenance::{self, Options};
use crate::node;

pub fn run(context: &Context) -> Result<()> {
    let _lock = context.data.lock()?;
    let log = node::open_log(&context.data, &context.log)?;
    let partitions = log.partitions(Topic::Usage) as usize;
    context.runtime.block_on(async {
        let ledger = Ledger::open_or_create(&context.data.lake(), partitions).await?;
        maintenance::round(&ledger, log.as_ref(), &Options::new(context.data.manifest()), true).await?;
        for table in stempoint_schemas::tables::ALL {
            let snapshot = ledger.table(table).snapshot();
            println!(
                "{:<12} {:>6} files {:>12} rows {:>14} bytes",
                table.name,
                snapshot.file_count(),
                snapshot.rows(),
                snapshot.bytes()
            );
        }
        Ok(())
    })
}
