//! `stempoint ingest` and `stempoint settle`: the folds as processes of their
//! own, on Kafka.
//!
//! A process that was overtaken by another starts again from the ledger; that
//! is what two processes on the same partitions do all the time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use stempoint_ingest::Unwatched;
use stempoint_ingest::fold::{FoldError, FoldOptions};
use stempoint_ingest::settlement::{Due, SettleOptions};

use crate::cli::{IngestArgs, SettleArgs};
use crate::context::Context;
use crate::node::{LogChoice, Node, Parts};
use crate::stop::StopRequest;

/// The wait before a process that was overtaken starts again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

pub fn ingest(context: &Context, args: &IngestArgs) -> Result<()> {
    needs_kafka(context, "ingest")?;
    let options = FoldOptions {
        partitions: args.partitions.clone(),
        commit_interval: Duration::from_millis(args.commit_interval_ms),
        ..FoldOptions::new(args.index.clone().unwrap_or_else(|| context.data.index()))
    };
    until_stopped(context, || Parts { fold: Some(options.clone()), settle: None, maintain: None })
}

pub fn settle(context: &Context, args: &SettleArgs) -> Result<()> {
    needs_kafka(context, "settle")?;
    let options = SettleOptions {
        due: Due { interval: Duration::from_secs(args.settle_interval_s), ..Due::default() },
        ..SettleOptions::new(context.data.settlement())
    };
    until_stopped(context, || Parts { fold: None, settle: Some(options.clone()), maintain: None })
}

fn needs_kafka(context: &Context, command: &str) -> Result<()> {
    match context.log {
        LogChoice::Kafka { .. } => Ok(()),
        LogChoice::Embedded => {
            bail!("`stempoint {command}` needs --kafka HOST:PORT; on one machine use `stempoint up`")
        }
    }
}

fn until_stopped(context: &Context, parts: impl Fn() -> Parts) -> Result<()> {
    let stop_request = StopRequest::listen(context.runtime.handle())?;
    while !stop_request.was_asked() {
        let node = Node::start(&context.data, &context.log, parts(), context.runtime.handle(), Arc::new(Unwatched))?;
        while !stop_request.was_asked() && !node.has_failed() {
            std::thread::sleep(Duration::from_millis(50));
        }
        match node.stop() {
            Err(error) if was_overtaken(&error) => std::thread::sleep(AGAIN_AFTER),
            other => return other,
        }
    }
    Ok(())
}

fn was_overtaken(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<FoldError>(), Some(FoldError::Overtaken))
}
