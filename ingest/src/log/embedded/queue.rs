//! What callers ask of the writer thread.
//!
//! Invariant: the queue holds a bounded number of bytes, keeps the order in
//! which jobs came, and after the writer has stopped every job is refused with
//! the reason.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::log::receipt::Promise;
use crate::log::{Batch, LogError, Topic, deadline, lock};

/// One request to the writer.
pub(super) enum Job {
    Append {
        topic: Topic,
        batch: Batch,
        promise: Promise,
    },
    Trim {
        topic: Topic,
        partition: u32,
        below: u64,
        done: SyncSender<Result<(), LogError>>,
    },
    /// Leaves offsets without a record, so that tests can have gaps.
    Gap {
        topic: Topic,
        partition: u32,
        unused: u64,
        done: SyncSender<Result<(), LogError>>,
    },
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Job::Append { batch, .. } => batch.footprint(),
            Job::Trim { .. } | Job::Gap { .. } => 0,
        }
    }

    /// Tells whoever waits that the job failed.
    pub(super) fn refuse(self, error: LogError) {
        match self {
            Job::Append { promise, .. } => promise.answer(Err(error)),
            // Nobody listens any more if this fails, which is fine.
            Job::Trim { done, .. } | Job::Gap { done, .. } => drop(done.send(Err(error))),
        }
    }
}

pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
    bytes_max: usize,
    wait_max: Duration,
}

struct State {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// Why no more jobs are taken.
    stopped: Option<LogError>,
}

impl Queue {
    pub(super) fn new(bytes_max: usize, wait_max: Duration) -> Self {
        Self {
            state: Mutex::new(State { jobs: VecDeque::new(), bytes: 0, stopped: None }),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            bytes_max,
            wait_max,
        }
    }

    /// Adds a job, or refuses it when there is no room for too long. A job
    /// above the bound is taken when the queue is empty.
    pub(super) fn push(&self, job: Job) {
        let deadline = deadline(self.wait_max);
        let bytes = job.bytes();
        let mut state = lock(&self.state);
        let refusal = loop {
            if let Some(reason) = &state.stopped {
                break reason.clone();
            }
            if state.bytes == 0 || state.bytes + bytes <= self.bytes_max {
                state.bytes += bytes;
                state.jobs.push_back(job);
                self.filled.notify_one();
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break LogError::Overloaded { waited: self.wait_max };
            }
            state = self.emptied.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(state);
        job.refuse(refusal);
    }

    /// Takes the jobs of one group: at least one, and further ones up to
    /// `bytes_max` in all. Without a job it waits for one, or gives an empty
    /// group where it must not wait. `None` when the queue was stopped and all
    /// its jobs are done.
    pub(super) fn take(&self, bytes_max: usize, may_wait: bool) -> Option<Vec<Job>> {
        let mut state = lock(&self.state);
        while state.jobs.is_empty() {
            if state.stopped.is_some() {
                return None;
            }
            if !may_wait {
                return Some(Vec::new());
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(job) = state.jobs.front() {
            if !group.is_empty() && bytes + job.bytes() > bytes_max {
                break;
            }
            bytes += job.bytes();
            group.extend(state.jobs.pop_front());
        }
        state.bytes -= bytes;
        drop(state);
        self.emptied.notify_all();
        Some(group)
    }

    /// Takes no more jobs. Those that wait are still handed out.
    pub(super) fn stop(&self, reason: LogError) {
        lock(&self.state).stopped.get_or_insert(reason);
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    /// Takes no more jobs and refuses those that wait.
    pub(super) fn refuse_all(&self, reason: &LogError) {
        self.stop(reason.clone());
        let jobs = {
            let mut state = lock(&self.state);
            state.bytes = 0;
            std::mem::take(&mut state.jobs)
        };
        for job in jobs {
            job.refuse(reason.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::receipt::promise;

    fn append(bytes: usize) -> (Job, crate::log::Receipt) {
        let mut batch = Batch::new();
        batch.push(b"", &vec![0; bytes]);
        let (promise, receipt) = promise();
        let job = Job::Append { topic: Topic::Usage, batch, promise };
        (job, receipt)
    }

    #[test]
    fn a_full_queue_refuses_after_the_wait_and_takes_one_job_of_any_size() {
        let queue = Queue::new(100, Duration::from_millis(20));
        let (large, _waiting) = append(1000);
        queue.push(large);
        let (small, refused) = append(10);
        queue.push(small);
        assert!(matches!(refused.wait(), Err(LogError::Overloaded { .. })));
        assert_eq!(queue.take(0, true).map(|jobs| jobs.len()), Some(1));
    }

    #[test]
    fn a_stopped_queue_hands_out_what_waits_and_refuses_the_rest() {
        let queue = Queue::new(1000, Duration::ZERO);
        queue.push(append(10).0);
        queue.push(append(10).0);
        queue.stop(LogError::Closed);
        let (late, refused) = append(10);
        queue.push(late);
        assert!(matches!(refused.wait(), Err(LogError::Closed)));
        assert_eq!(queue.take(1000, true).map(|jobs| jobs.len()), Some(2));
        assert!(queue.take(1000, true).is_none());
        assert!(queue.take(1000, false).is_none());
    }
}
