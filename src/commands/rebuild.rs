//! `stempoint rebuild`: fold and settle again into a new folder, and compare.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use stempoint_ingest::Unwatched;
use stempoint_ingest::fold::{FoldOptions, FoldService};
use stempoint_ingest::log::{EventLog, Topic};
use stempoint_ingest::rebuild::{LakeLog, compare};
use stempoint_ingest::settlement::{SettleOptions, SettleService};
use stempoint_schemas::commit::Commit;
use stempoint_store::ledger::Ledger;

use super::DIFFERENT;
use crate::cli::{RebuildArgs, RebuildFrom};
use crate::context::Context;
use crate::data::{DataFolder, LockError, must_be_empty};
use crate::node::{self, LogChoice};
use crate::progress::Progress;

/// How long the rebuild waits between two looks.
const LOOK: Duration = Duration::from_millis(50);

pub fn run(context: &Context, args: &RebuildArgs) -> Result<ExitCode> {
    must_be_empty(&args.into)?;
    let into = DataFolder::new(args.into.clone());
    let older = context.runtime.block_on(Ledger::open(&context.data.lake()))?;
    let (log, head, _lock) = source(context, args.from, &older)?;
    let newer = context.runtime.block_on(Ledger::open_or_create(&into.lake(), older.partitions()))?;
    let handle = context.runtime.handle();
    let fold = FoldService::start(&newer, &log, FoldOptions::new(into.index()), handle, Arc::new(Unwatched))?;
    let options = SettleOptions { leads: false, ..SettleOptions::new(into.settlement()) };
    let settle = SettleService::start(&newer, &log, options, handle, Arc::new(Unwatched))?;
    let rows: u64 = head.shards.iter().map(|shard| shard.counts.received).sum();
    let progress = Progress::new("rebuilding", rows);
    let waited = wait(context, &newer, &head, &fold, &settle, &progress);
    let settled = settle.stop().context("settlement stopped");
    let folded = fold.stop().context("the fold stopped");
    waited.and(folded).and(settled)?;
    progress.done();
    let comparison = context.runtime.block_on(compare(&older, &newer))?;
    if comparison.differences.is_empty() {
        println!(
            "identical: {} rows of usage and {} rows of settlement, up to ledger version {}",
            comparison.usage_rows, comparison.settlement_rows, head.version
        );
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "DIFFERENT after {} rows of usage and {} of settlement:",
        comparison.usage_rows, comparison.settlement_rows
    );
    comparison.differences.iter().for_each(|difference| println!("  {difference}"));
    Ok(ExitCode::from(DIFFERENT))
}

/// What is folded again, and the head up to which it is compared.
fn source(
    context: &Context,
    from: RebuildFrom,
    older: &Ledger,
) -> Result<(Arc<dyn EventLog>, Commit, Option<crate::data::Lock>)> {
    let head = context.runtime.block_on(older.head())?;
    match from {
        RebuildFrom::Lake => {
            context.runtime.block_on(async {
                for table in stempoint_schemas::tables::ALL {
                    older.table(table).refresh().await?;
                }
                Ok::<(), anyhow::Error>(())
            })?;
            Ok((Arc::new(LakeLog::new(older, head.clone())), head, None))
        }
        RebuildFrom::Log => {
            let lock = match (&context.log, context.data.lock()) {
                (LogChoice::Kafka { .. }, _) => None,
                (LogChoice::Embedded, Ok(lock)) => Some(lock),
                (LogChoice::Embedded, Err(LockError::Served(address))) => {
                    bail!("the server at {address} has the event log open: stop it first, or use --from lake")
                }
                (LogChoice::Embedded, Err(error)) => return Err(error.into()),
            };
            let log = node::open_log(&context.data, &context.log)?;
            if log.starts(Topic::Usage)?.iter().any(|&start| start > 0) {
                bail!("the event log was trimmed, so it does not hold everything: use --from lake");
            }
            Ok((log, head, lock))
        }
    }
}

fn wait(
    context: &Context,
    newer: &Ledger,
    head: &Commit,
    fold: &FoldService,
    settle: &SettleService,
    progress: &Progress,
) -> Result<()> {
    loop {
        let now = context.runtime.block_on(newer.head())?;
        progress.set(now.shards.iter().map(|shard| shard.counts.received).sum());
        if now.visible().covers(&head.visible()) && now.control_offset >= head.control_offset {
            return Ok(());
        }
        if fold.has_stopped() || settle.has_stopped() {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
}
