//! `stempoint up`: everything in one process, until it is asked to stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use stempoint_api::{Api, Metrics, Webhooks, serve};
use stempoint_ingest::fold::FoldOptions;
use stempoint_ingest::settlement::{Due, SettleOptions};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::cli::UpArgs;
use crate::context::Context;
use crate::maintenance;
use crate::node::{Node, Parts};
use crate::stop::StopRequest;

/// How often the node is looked at.
const LOOK: Duration = Duration::from_millis(200);

pub fn run(context: &Context, args: &UpArgs) -> Result<()> {
    if !args.listen.ip().is_loopback() {
        bail!(
            "--listen {} is not on this machine: there are no API keys yet, so only a loopback address can be used",
            args.listen
        );
    }
    let receivers = context.config.receivers()?;
    let stop_request = StopRequest::listen(context.runtime.handle())?;
    let mut lock = context.data.lock()?;
    let listener = context
        .runtime
        .block_on(TcpListener::bind(args.listen))
        .with_context(|| format!("failed to listen on {}: choose another port with --listen", args.listen))?;
    let address = listener.local_addr()?;
    let metrics = Arc::new(Metrics::new()?);
    let parts = Parts {
        fold: Some(FoldOptions {
            commit_interval: Duration::from_millis(args.commit_interval_ms),
            ..FoldOptions::new(context.data.index())
        }),
        settle: Some(SettleOptions {
            due: Due { interval: Duration::from_secs(args.settle_interval_s), ..Due::default() },
            ..SettleOptions::new(context.data.settlement())
        }),
        maintain: Some(maintenance::Options {
            interval: Duration::from_secs(args.maintenance_interval_s),
            log_records_kept: Some(args.log_records_kept),
            ..maintenance::Options::new(context.data.manifest())
        }),
    };
    let node = Node::start(&context.data, &context.log, parts, context.runtime.handle(), Arc::clone(&metrics))?;
    let (folder, runtime) = (context.data.webhooks(), context.runtime.handle());
    let webhooks = Webhooks::start(receivers, &node.ledger, &folder, runtime, metrics.webhooks())?;
    lock.announce(address)?;
    let api = Arc::new(Api::new(Arc::clone(&node.log), node.ledger.clone(), metrics));
    eprintln!(
        "stempoint is up: data {}, events at http://{address}/api/v1/events, stop with Ctrl-C",
        context.data.path().display()
    );
    let served = context.runtime.block_on(serve_until_stopped(&node, Arc::clone(&api), listener, stop_request));
    eprintln!("stopping: what was taken is committed first");
    webhooks.stop();
    let stopped = node.stop();
    drop(lock);
    served.and(stopped)?;
    match api.failure() {
        Some(reason) => bail!(reason),
        None => Ok(()),
    }
}

async fn serve_until_stopped(
    node: &Node,
    api: Arc<Api>,
    listener: TcpListener,
    stop_request: StopRequest,
) -> Result<()> {
    let (stop, mut stopped) = watch::channel(false);
    let server = tokio::spawn(serve(Arc::clone(&api), listener, async move {
        // An error means that the sender is gone, which is a stop too.
        let _ = stopped.changed().await;
    }));
    wait_for_stop(node, &api, stop_request).await;
    api.drain();
    let _ = stop.send(true);
    // Clients that keep their connections open do not hold up the stop.
    match tokio::time::timeout(Duration::from_secs(10), server).await {
        Ok(ended) => ended.context("the HTTP server stopped unexpectedly")??,
        Err(_) => tracing::warn!("some clients kept their connections open and were cut off"),
    }
    Ok(())
}

/// Waits for a signal, or for a part that has ended on its own.
async fn wait_for_stop(node: &Node, api: &Api, mut stop_request: StopRequest) {
    loop {
        tokio::select! {
            () = stop_request.asked() => return,
            () = tokio::time::sleep(LOOK) => {
                if node.has_failed() {
                    api.fail("a fold has stopped; the process ends");
                }
                if api.failure().is_some() {
                    return;
                }
            }
        }
    }
}
