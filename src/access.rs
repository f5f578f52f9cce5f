//! How a command reaches the books: through a node of its own, or through the
//! server that works on the data folder.
//!
//! Invariant: both ways give the same answers; what was appended is durable
//! when `append` returns.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use prost::Message;
use stempoint_api::{decode_positions, encode_batch};
use stempoint_core::control::{self, Act};
use stempoint_core::period::Periods;
use stempoint_core::settlement::Answer;
use stempoint_ingest::Unwatched;
use stempoint_ingest::log::{Batch, Topic};
use stempoint_ingest::settlement::{StoredControl, control_rows, periods, settle_event};
use stempoint_schemas::commit::Commit;
use stempoint_schemas::tables::CONTROL;
use stempoint_schemas::watermark::Watermarks;
use stempoint_store::ledger::Ledger;

use crate::context::Context as Invocation;
use crate::data::{Lock, LockError};
use crate::node::{LogChoice, Node, Parts};

/// How long a command waits between two looks at the ledger.
const LOOK: Duration = Duration::from_millis(15);
/// How long a command waits without any progress before it gives up.
const STALLED: Duration = Duration::from_secs(120);

/// How many acts are appended together.
const ACTS_TOGETHER: usize = 100;

/// A way to the books.
pub struct Access {
    way: Way,
    ledger: Ledger,
    runtime: tokio::runtime::Handle,
}

#[expect(clippy::large_enum_variant, reason = "there is one for each command")]
enum Way {
    Own { node: Node, _lock: Option<Lock> },
    Served { agent: ureq::Agent, address: SocketAddr },
}

impl Access {
    /// Opens the books for appending and settling.
    pub fn open(invocation: &Invocation) -> Result<Access> {
        let runtime = invocation.runtime.handle().clone();
        match invocation.data.lock() {
            Ok(lock) => {
                let parts = Parts::folds(&invocation.data);
                let node = Node::start(&invocation.data, &invocation.log, parts, &runtime, Arc::new(Unwatched))?;
                let ledger = node.ledger.clone();
                Ok(Access { way: Way::Own { node, _lock: Some(lock) }, ledger, runtime })
            }
            Err(LockError::Served(address)) => {
                if matches!(invocation.log, LogChoice::Kafka { .. }) {
                    tracing::info!(%address, "going through the server; --kafka is its own choice");
                }
                let ledger = runtime.block_on(Ledger::open(&invocation.data.lake()))?;
                let config = ureq::Agent::config_builder().timeout_global(Some(STALLED)).http_status_as_error(false);
                let agent = ureq::Agent::new_with_config(config.build());
                Ok(Access { way: Way::Served { agent, address }, ledger, runtime })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The ledger, for reading.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Appends records and waits until they are durable. Returns, per
    /// partition that took any, the offset after the last.
    pub fn append(&self, topic: Topic, batch: Batch) -> Result<Watermarks> {
        match &self.way {
            Way::Own { node, .. } => {
                let mut ends = Watermarks::default();
                for position in node.log.submit(topic, batch).wait()? {
                    ends.set(position.partition, ends.get(position.partition).max(position.offset + 1));
                }
                Ok(ends)
            }
            Way::Served { agent, address } => {
                let url = format!("http://{address}/internal/append/{topic}");
                let mut response = agent
                    .post(&url)
                    .send(&encode_batch(&batch))
                    .with_context(|| format!("failed to reach the server at {address}"))?;
                let text = response.body_mut().read_to_string().context("failed to read the server's answer")?;
                if !response.status().is_success() {
                    bail!("the server at {address} did not take the records: {text}");
                }
                decode_positions(&text).ok_or_else(|| anyhow!("the server's answer makes no sense: {text:?}"))
            }
        }
    }

    /// The ends of the usage topic's partitions: what has arrived.
    pub fn ends(&self) -> Result<Watermarks> {
        match &self.way {
            Way::Own { node, .. } => Ok(Watermarks::from_vec(node.log.ends(Topic::Usage)?)),
            Way::Served { agent, address } => {
                let url = format!("http://{address}/internal/ends");
                let mut response =
                    agent.get(&url).call().with_context(|| format!("failed to reach the server at {address}"))?;
                let text = response.body_mut().read_to_string().context("failed to read the server's answer")?;
                decode_positions(&text).ok_or_else(|| anyhow!("the server's answer makes no sense: {text:?}"))
            }
        }
    }

    /// Waits until the ledger shows what `reached` asks for.
    fn wait(&self, what: &str, mut reached: impl FnMut(&Commit) -> bool) -> Result<Commit> {
        let mut progress = (0, Instant::now());
        loop {
            let head = self.runtime.block_on(self.ledger.head())?;
            if reached(&head) {
                return Ok(head);
            }
            if head.version != progress.0 {
                progress = (head.version, Instant::now());
            }
            if let Way::Own { node, .. } = &self.way
                && node.has_failed()
            {
                bail!("failed to wait for {what}");
            }
            if progress.1.elapsed() > STALLED {
                bail!(
                    "waited {} s for {what} without progress; is the fold of every partition running?",
                    STALLED.as_secs()
                );
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until everything below `ends` is visible; `each` sees the head
    /// while it waits.
    pub fn wait_visible(&self, ends: &Watermarks, mut each: impl FnMut(&Commit)) -> Result<Commit> {
        self.wait("the events to be folded", |head| {
            each(head);
            head.visible().covers(ends)
        })
    }

    /// Settles everything that has arrived and returns the ledger version
    /// that shows it.
    pub fn settle(&self) -> Result<Commit> {
        let ends = self.ends()?;
        let visible = self.wait_visible(&ends, |_| ())?;
        if visible.settled().covers(&ends) {
            return Ok(visible);
        }
        let asked = self.append(Topic::Control, settle_event("settlement/request", &ends))?.get(0);
        let head = self.wait("the usage to be settled", |head| head.control_offset >= asked)?;
        if !head.settled().covers(&ends) {
            bail!("settlement did not settle what has arrived: {}", self.answer(asked)?.message);
        }
        Ok(head)
    }

    /// Sends an act of a person and waits for its answer, which must be that
    /// it was done.
    pub fn control(&self, act: &Act) -> Result<StoredControl> {
        let id = format!("{}-{:016x}{:016x}", act.kind(), fastrand::u64(..), fastrand::u64(..));
        let row = self.control_once("operator/cli", &id, act)?;
        if row.answer != Answer::Applied {
            bail!("{} by settlement: {}", row.answer.name(), row.message);
        }
        Ok(row)
    }

    /// Sends an act with an id of its own, so that sending it again changes
    /// nothing, and waits for its answer.
    pub fn control_once(&self, source: &str, id: &str, act: &Act) -> Result<StoredControl> {
        let mut batch = Batch::new();
        batch.push(source.as_bytes(), &control::to_proto(id, act).encode_to_vec());
        let end = self.append(Topic::Control, batch)?.get(0);
        self.wait("settlement's answer", |head| head.control_offset >= end)?;
        self.answer(end)
    }

    /// Sends acts with ids of their own and waits for the answers, which come in
    /// the order of the acts. Waiting and reading is done once for all.
    pub fn control_all(&self, source: &str, acts: &[(String, Act)]) -> Result<Vec<StoredControl>> {
        let values: Vec<Vec<u8>> = acts.iter().map(|(id, act)| control::to_proto(id, act).encode_to_vec()).collect();
        let mut end = 0;
        for together in values.chunks(ACTS_TOGETHER) {
            let mut batch = Batch::new();
            together.iter().for_each(|value| batch.push(source.as_bytes(), value));
            end = self.append(Topic::Control, batch)?.get(0).max(end);
        }
        self.wait("settlement's answers", |head| head.control_offset >= end)?;
        self.runtime.block_on(self.ledger.table(&CONTROL).refresh())?;
        let mut answers = Vec::with_capacity(values.len());
        let mut rows = control_rows(&self.ledger, end)?.into_iter().rev();
        // The log keeps the order of what one source sends, so from its end on
        // the records are met in the opposite order.
        for value in values.iter().rev() {
            let is_meant = |row: &StoredControl| row.key.as_deref() == Some(source.as_bytes()) && row.raw == *value;
            answers.push(rows.find(is_meant).ok_or_else(|| anyhow!("settlement has no answer to an act of {source}"))?);
        }
        answers.reverse();
        Ok(answers)
    }

    /// The answer to the control event just below an offset.
    fn answer(&self, end: u64) -> Result<StoredControl> {
        self.runtime.block_on(self.ledger.table(&CONTROL).refresh())?;
        let rows = control_rows(&self.ledger, end)?;
        let row = rows.into_iter().rev().find(|row| row.offset + 1 == end);
        row.ok_or_else(|| anyhow!("settlement has no answer at control offset {}", end - 1))
    }

    /// Waits for something asynchronous.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Which months are closed.
    pub fn periods(&self) -> Result<Periods> {
        let head = self.runtime.block_on(self.ledger.head())?;
        self.runtime.block_on(self.ledger.table(&CONTROL).refresh())?;
        Ok(periods(&self.ledger, head.control_offset)?)
    }

    /// Ends as [`Access::finish`] does and prints the answer to an act.
    pub fn report(self, done: Result<StoredControl>) -> Result<()> {
        let row = self.finish(done)?;
        println!("{} (control event {})", row.message, row.offset);
        Ok(())
    }

    /// Ends a node of its own, or just lets go of the server, and gives what
    /// was done. Where a part of the node stopped, that is why it failed.
    pub fn finish<T>(self, done: Result<T>) -> Result<T> {
        let closed = match self.way {
            Way::Own { node, .. } => node.stop(),
            Way::Served { .. } => Ok(()),
        };
        match (closed, done) {
            (Ok(()), done) => done,
            (Err(cause), Ok(_)) => Err(cause),
            (Err(cause), Err(failed)) => Err(cause.context(failed.to_string())),
        }
    }
}
