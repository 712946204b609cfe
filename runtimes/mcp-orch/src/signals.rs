//! When to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Ready at the first SIGTERM or SIGINT.
pub(crate) async fn stop_asked() -> std::io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
