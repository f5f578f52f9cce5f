//! Taking over from a process that stopped in the middle of its work, or while
//! it goes on: folds in one process, where the test decides who sees how much.
//!
//! Guards invariant 1 (exactly once) where real processes would meet it once
//! in many thousand moments.

mod fold;
mod half;
mod starting;
mod view;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use stempoint_ingest::audit::audit;
use stempoint_ingest::log::embedded::{EmbeddedLog, EmbeddedOptions};
use stempoint_ingest::log::{Batch, EventLog, Topic};
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::ledger::Ledger;
use tokio::runtime::Runtime;

use super::compare::accepted;
use super::producer::Sent;

/// A folder with an embedded log, and a runtime for all that works there.
struct Place {
    folder: tempfile::TempDir,
    runtime: Runtime,
    log: Arc<dyn EventLog>,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let log = EmbeddedLog::open(&folder.path().join("log"), EmbeddedOptions::default()).expect("the log opens");
        Place { folder, runtime: Runtime::new().expect("a runtime"), log: Arc::new(log) }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn send(&self, records: &[Sent]) {
        for records in records.chunks(1_000) {
            let mut batch = Batch::new();
            records.iter().for_each(|(key, value)| batch.push(key, value));
            self.log.submit(Topic::Usage, batch).wait().expect("the log takes the batch");
        }
    }

    fn ends(&self) -> Watermarks {
        Watermarks::from_vec(self.log.ends(Topic::Usage).expect("the log has ends"))
    }

    fn ledger(&self, lake: &Path) -> Ledger {
        let partitions = self.log.partitions(Topic::Usage) as usize;
        self.runtime.block_on(Ledger::open_or_create(lake, partitions)).expect("the ledger opens")
    }

    /// Audits a lake that has folded all of the log, and compares how much
    /// was accepted with the model.
    fn check(&self, lake: &Path, sent: &[Sent], what: &str) {
        let ledger = self.ledger(lake);
        let audited = self.runtime.block_on(audit(&ledger, &self.at("scratch"), &self.at("manifest"), |_| ()));
        let (head, checks) = audited.unwrap_or_else(|error| panic!("{what}: the audit cannot be finished: {error}"));
        let problems: Vec<String> = checks.iter().flat_map(|check| check.problems.clone()).collect();
        assert!(problems.is_empty(), "{what}:\n{}", problems.join("\n"));
        assert!(head.visible().covers(&self.ends()), "{what}: not all of the log was folded");
        let counted: u64 = head.shards.iter().map(|shard| shard.counts.accepted).sum();
        assert_eq!(counted, accepted(sent).len() as u64, "{what}: nothing lost, nothing doubled");
    }
}
