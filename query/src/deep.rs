//! The threads that queries are planned and run on.
//!
//! Invariant: parsers, planners and expressions recurse once per operator of
//! a chain and once per table of a join, and a stack that overflows ends the
//! process; every query that [`crate::catalogue`] lets through fits the stack
//! of these threads. A task that panics there is an error here.

use std::future::Future;
use std::sync::Arc;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use futures::StreamExt;
use tokio::runtime::{Builder, Runtime};

use crate::error::QueryError;

/// The stack of each thread (bytes). Only what is used of it takes memory.
pub(crate) const STACK_BYTES: usize = 64 << 20;

/// Batches that are made ahead of their reader.
const BATCHES_AHEAD: usize = 2;

/// Threads with a deep stack; copies share them.
#[derive(Debug, Clone)]
pub(crate) struct DeepThreads(Arc<Owned>);

#[derive(Debug)]
struct Owned(Option<Runtime>);

impl Drop for Owned {
    /// A runtime may not be waited for by a thread of another one.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl DeepThreads {
    /// So many threads.
    ///
    /// # Errors
    /// [`QueryError::Failed`] if they cannot be started.
    pub(crate) fn new(threads: usize) -> Result<DeepThreads, QueryError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("stempoint-query")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|error| QueryError::Failed(format!("its threads cannot be started: {error}")))?;
        Ok(DeepThreads(Arc::new(Owned(Some(runtime)))))
    }

    fn runtime(&self) -> Result<&Runtime, QueryError> {
        self.0.0.as_ref().ok_or_else(|| QueryError::Failed("its threads have ended".to_owned()))
    }

    /// Runs `work` there and waits for what it gives.
    ///
    /// # Errors
    /// [`QueryError::Failed`] if it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, QueryError> {
        self.runtime()?.spawn(work).await.map_err(|error| QueryError::Failed(error.to_string()))
    }

    /// Has `rows` made there, a little ahead of their reader.
    ///
    /// # Errors
    /// [`QueryError::Failed`] if the threads have ended.
    pub(crate) fn stream(&self, mut rows: SendableRecordBatchStream) -> Result<SendableRecordBatchStream, QueryError> {
        let mut builder = RecordBatchReceiverStream::builder(rows.schema(), BATCHES_AHEAD);
        let sender = builder.tx();
        let owner = self.clone();
        let forward = async move {
            // The threads live as long as a stream is read from them.
            let _owner = owner;
            while let Some(batch) = rows.next().await {
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        builder.spawn_on(forward, self.runtime()?.handle());
        Ok(builder.build())
    }
}
