//! The answer to a submit, which comes later.
//!
//! Invariant: every receipt is answered exactly once: a promise that is dropped
//! unanswered answers [`LogError::Closed`], so nobody waits for ever.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{LogError, Position, lock};

type Answer = Result<Vec<Position>, LogError>;

/// Stands for a submitted batch. It resolves, by [`Receipt::wait`] or as a
/// future, to the records' positions in the batch's order once all are durable.
/// Dropping it does not take the records back.
#[must_use = "records are durable only once their receipt says so"]
pub struct Receipt {
    slot: Arc<Slot>,
}

/// The other end of a receipt.
pub(super) struct Promise {
    slot: Option<Arc<Slot>>,
}

struct Slot {
    state: Mutex<State>,
    answered: Condvar,
}

enum State {
    Waiting(Option<Waker>),
    Answered(Answer),
    Taken,
}

/// A promise and its receipt.
pub(super) fn promise() -> (Promise, Receipt) {
    let slot = Arc::new(Slot { state: Mutex::new(State::Waiting(None)), answered: Condvar::new() });
    let promise = Promise { slot: Some(Arc::clone(&slot)) };
    (promise, Receipt { slot })
}

impl Promise {
    /// Answers the receipt.
    pub(super) fn answer(mut self, answer: Answer) {
        if let Some(slot) = self.slot.take() {
            slot.answer(answer);
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.answer(Err(LogError::Closed));
        }
    }
}

impl Slot {
    fn answer(&self, answer: Answer) {
        let before = std::mem::replace(&mut *lock(&self.state), State::Answered(answer));
        self.answered.notify_all();
        if let State::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl State {
    fn take(&mut self) -> Option<Answer> {
        match std::mem::replace(self, State::Taken) {
            State::Answered(answer) => Some(answer),
            State::Taken => Some(Err(LogError::Closed)),
            waiting @ State::Waiting(_) => {
                *self = waiting;
                None
            }
        }
    }
}

impl Receipt {
    /// A receipt that is answered already.
    pub(crate) fn ready(answer: Answer) -> Self {
        let (promise, receipt) = promise();
        promise.answer(answer);
        receipt
    }

    /// Blocks until all records are durable and returns their positions in the
    /// batch's order. Both logs bound how long that takes.
    ///
    /// # Errors
    /// When a record could not be made durable.
    pub fn wait(self) -> Answer {
        let mut state = lock(&self.slot.state);
        loop {
            if let Some(answer) = state.take() {
                return answer;
            }
            state = self.slot.answered.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Future for Receipt {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let mut state = lock(&self.slot.state);
        if let Some(answer) = state.take() {
            return Poll::Ready(answer);
        }
        *state = State::Waiting(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(offset: u64) -> Position {
        Position { partition: 0, offset }
    }

    #[test]
    fn answers_a_thread_that_waits() {
        let (promise, receipt) = promise();
        let waiting = std::thread::spawn(move || receipt.wait());
        promise.answer(Ok(vec![position(7)]));
        assert_eq!(waiting.join().unwrap().unwrap(), [position(7)]);
    }

    #[test]
    fn answers_a_future_that_was_polled_before() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (promise, mut receipt) = promise();
        runtime.block_on(async {
            let pending = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut receipt).poll(cx).is_pending()));
            assert!(pending.await);
        });
        let answering = std::thread::spawn(move || promise.answer(Ok(vec![position(1)])));
        assert_eq!(runtime.block_on(receipt).unwrap(), [position(1)]);
        answering.join().unwrap();
    }

    #[test]
    fn a_dropped_promise_answers_closed() {
        let (promise, receipt) = promise();
        drop(promise);
        assert!(matches!(receipt.wait(), Err(LogError::Closed)));
    }
}
