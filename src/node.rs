//! A node: the event log, the folds and maintenance in this process.
//!
//! Invariant: whoever stops a node waits until what was read is committed;
//! when a fold stops on its own the node says why and ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use stempoint_ingest::fold::{FoldObserver, FoldOptions, FoldService};
use stempoint_ingest::log::embedded::{EmbeddedLog, EmbeddedOptions};
use stempoint_ingest::log::kafka::{KafkaLog, KafkaOptions};
use stempoint_ingest::log::{EventLog, Topic};
use stempoint_ingest::settlement::{SettleObserver, SettleOptions, SettleService};
use stempoint_store::ledger::Ledger;
use tokio::runtime::Handle;

use crate::data::DataFolder;
use crate::maintenance;

/// Which event log is used.
#[derive(Debug, Clone)]
pub enum LogChoice {
    /// The one in the data folder.
    Embedded,
    /// A Kafka cluster.
    Kafka {
        /// Its brokers, `host:port,…`.
        brokers: String,
        /// The topics' prefix.
        prefix: String,
    },
}

/// Which parts a node runs.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The ingest fold, with its options.
    pub fold: Option<FoldOptions>,
    /// Settlement, with its options.
    pub settle: Option<SettleOptions>,
    /// Whether it maintains the tables and trims the log.
    pub maintain: Option<maintenance::Options>,
}

impl Parts {
    /// Both folds, without maintenance: what a command that writes needs.
    pub fn folds(data: &DataFolder) -> Parts {
        Parts {
            fold: Some(FoldOptions::new(data.index())),
            settle: Some(SettleOptions::new(data.settlement())),
            maintain: None,
        }
    }
}

/// Who watches a node's work.
pub trait Observer: FoldObserver + SettleObserver {}

impl<T: FoldObserver + SettleObserver> Observer for T {}

/// What a node consists of while it runs.
pub struct Node {
    /// The event log.
    pub log: Arc<dyn EventLog>,
    /// The ledger.
    pub ledger: Ledger,
    fold: Option<FoldService>,
    settle: Option<SettleService>,
    maintain: Option<Maintainer>,
}

struct Maintainer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Opens the event log.
pub fn open_log(data: &DataFolder, choice: &LogChoice) -> Result<Arc<dyn EventLog>> {
    Ok(match choice {
        LogChoice::Embedded => Arc::new(EmbeddedLog::open(&data.log(), EmbeddedOptions::default())?),
        LogChoice::Kafka { brokers, prefix } => {
            let options = KafkaOptions { topic_prefix: prefix.clone(), ..KafkaOptions::default() };
            Arc::new(KafkaLog::connect(brokers, options)?)
        }
    })
}

impl Node {
    /// Opens log and ledger and starts the parts.
    pub fn start(
        data: &DataFolder,
        choice: &LogChoice,
        parts: Parts,
        runtime: &Handle,
        observer: Arc<impl Observer + 'static>,
    ) -> Result<Node> {
        let log = open_log(data, choice)?;
        let partitions = log.partitions(Topic::Usage) as usize;
        let ledger = runtime.block_on(Ledger::open_or_create(&data.lake(), partitions))?;
        let fold = match parts.fold {
            Some(options) => {
                let observer: Arc<dyn FoldObserver> = observer.clone();
                Some(FoldService::start(&ledger, &log, options, runtime, observer)?)
            }
            None => None,
        };
        let settle = match parts.settle {
            Some(options) => {
                let observer: Arc<dyn SettleObserver> = observer;
                Some(SettleService::start(&ledger, &log, options, runtime, observer)?)
            }
            None => None,
        };
        let maintain = match parts.maintain {
            Some(options) => Some(Maintainer::start(&ledger, &log, options, runtime)?),
            None => None,
        };
        Ok(Node { log, ledger, fold, settle, maintain })
    }

    /// Whether a part has ended on its own.
    pub fn has_failed(&self) -> bool {
        self.fold.as_ref().is_some_and(FoldService::has_stopped)
            || self.settle.as_ref().is_some_and(SettleService::has_stopped)
    }

    /// Stops all parts and says what went wrong, if anything did.
    pub fn stop(self) -> Result<()> {
        if let Some(maintainer) = self.maintain {
            maintainer.stop.store(true, Ordering::SeqCst);
            maintainer.thread.join().map_err(|_| anyhow!("the maintenance thread stopped unexpectedly"))?;
        }
        let fold = self.fold.map_or(Ok(()), FoldService::stop).context("the ingest fold stopped");
        let settle = self.settle.map_or(Ok(()), SettleService::stop).context("settlement stopped");
        fold.and(settle)
    }
}

impl Maintainer {
    fn start(
        ledger: &Ledger,
        log: &Arc<dyn EventLog>,
        options: maintenance::Options,
        runtime: &Handle,
    ) -> Result<Maintainer> {
        let stop = Arc::new(AtomicBool::new(false));
        let (ledger, log, runtime, stopping) = (ledger.clone(), Arc::clone(log), runtime.clone(), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("maintenance".to_owned())
            .spawn(move || maintenance::run(&ledger, log.as_ref(), &options, &runtime, &stopping))
            .context("failed to start the maintenance thread")?;
        Ok(Maintainer { stop, thread })
    }
}
