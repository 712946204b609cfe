//! What a server says that nobody has asked for, as fast as it is read.

use std::io::{self, Write};
use std::thread;

/// So much is written at once.
const BATCH: usize = 16 * 1024;

const NEWS: &str = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"something has happened, and something else, and it goes on"}}"#;

const COMPLAINT: &str = "something is wrong, and it is still wrong, and nobody does anything about it";

/// Floods both outputs until nobody reads them any more.
pub(crate) fn begin() {
    let (news, complaints) = (batch_of(NEWS), batch_of(COMPLAINT));
    thread::spawn(move || while io::stdout().write_all(&news).and_then(|()| io::stdout().flush()).is_ok() {});
    thread::spawn(move || while io::stderr().write_all(&complaints).is_ok() {});
}

fn batch_of(line: &str) -> Vec<u8> {
    format!("{line}\n").repeat(BATCH / line.len()).into_bytes()
}
