//! The signals that ask a process to stop: SIGTERM and SIGINT.
//!
//! Invariant: once a [`StopRequest`] is there, no such signal ends the process
//! by itself, so it is made before anything starts that has to be drained.

use std::io;

use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the process was asked to stop.
pub struct StopRequest(watch::Receiver<bool>);

impl StopRequest {
    /// Listens from now on.
    pub fn listen(runtime: &Handle) -> io::Result<StopRequest> {
        let _within = runtime.enter();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (ask, asked) = watch::channel(false);
        runtime.spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            ask.send_replace(true);
        });
        Ok(StopRequest(asked))
    }

    /// Whether it was asked by now.
    pub fn was_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is asked.
    pub async fn asked(&mut self) {
        // An error means that the runtime is ending, which is a stop too.
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}
