//! A line for each call, gathered in memory and written by the thread that serves: no wake-up for a line.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::sleep;

const FLUSH: Duration = Duration::from_millis(10);

pub(super) struct Record {
    lines: Rc<RefCell<Vec<u8>>>,
}

impl Record {
    pub(super) fn open(path: &str) -> io::Result<Self> {
        let mut file = File::create(path)?;
        let lines: Rc<RefCell<Vec<u8>>> = Rc::default();
        let written = Rc::clone(&lines);
        spawn_local(async move {
            loop {
                sleep(FLUSH).await;
                let mut lines = written.borrow_mut();
                if file.write_all(&lines).is_err() {
                    return;
                }
                lines.clear();
            }
        });
        Ok(Self { lines })
    }

    /// A call was answered.
    pub(super) fn call(&self, session: &str, bytes: usize, took: Duration) {
        let mut lines = self.lines.borrow_mut();
        let _in_memory = writeln!(lines, "{session} tools/call {bytes} {}", took.as_micros());
    }
}
