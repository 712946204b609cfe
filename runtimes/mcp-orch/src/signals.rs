//! When to stop: at the first signal in order, at the second at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The signals that ask for a stop. From the moment that it exists, they end the process no more.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Ready when it is time to end, which the log is told: at the next of them, or when another hub has `taken` the place
    /// of this one. Whether it is the latter.
    pub(crate) async fn next_or(&mut self, taken: &CancellationToken) -> bool {
        tokio::select! {
            signal = self.next() => {
                tracing::info!(signal, "stopping: calls that are under way may end; another signal ends them now");
                false
            }
            () = taken.cancelled() => {
                tracing::info!("another hub takes over: calls that are under way may end; a signal ends them now");
                true
            }
        }
    }

    /// Ready at the next of them.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }
}
