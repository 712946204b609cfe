//! Logs on standard error.

use std::io::IsTerminal;

use orch_config::cli::LogLevel;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging from `level` on.
pub(crate) fn start(level: LogLevel) {
    let filter = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let subscriber = tracing_subscriber::fmt().with_max_level(filter).with_writer(std::io::stderr);
    // What cannot be written (a full disk, a reader that has gone) is lost: to say so on the same standard error would panic.
    let subscriber = subscriber.log_internal_errors(false);
    // A second start in one process keeps the first.
    drop(subscriber.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init());
}
