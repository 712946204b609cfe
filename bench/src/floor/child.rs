//! The one child: a task that writes to it, a task that reads from it, and a map of who waits for what.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::process::Stdio;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memmem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Notify, oneshot};
use tokio::task::spawn_local;

const CHUNK: usize = 64 * 1024;

/// Who waits for an answer, and the id that it gave.
type Waiting = Rc<RefCell<HashMap<u64, (oneshot::Sender<Bytes>, Bytes)>>>;

pub(super) struct Bridge {
    waiting: Waiting,
    next: Cell<u64>,
    queue: Rc<Queue>,
    _child: Child,
}

#[derive(Default)]
struct Queue {
    bytes: RefCell<Vec<u8>>,
    filled: Notify,
}

impl Bridge {
    pub(super) fn start() -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("echo-server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (waiting, queue) = (Waiting::default(), Rc::<Queue>::default());
        if let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) {
            spawn_local(write(stdin, Rc::clone(&queue)));
            spawn_local(read(stdout, Rc::clone(&waiting)));
        }
        Ok(Self { waiting, next: Cell::new(1), queue, _child: child })
    }

    /// Sends a request under an id of its own; the answer comes with the id that it had.
    pub(super) fn request(&self, message: &Bytes) -> Option<oneshot::Receiver<Bytes>> {
        let (start, end) = id_in(message)?;
        let (sender, receiver) = oneshot::channel();
        let id = self.next.replace(self.next.get() + 1);
        self.waiting.borrow_mut().insert(id, (sender, message.slice(start..end)));
        let mut out = self.queue.bytes.borrow_mut();
        splice(&mut out, message, (start, end), id.to_string().as_bytes());
        out.push(b'\n');
        self.queue.filled.notify_one();
        Some(receiver)
    }
}

async fn write(mut stdin: ChildStdin, queue: Rc<Queue>) -> io::Result<()> {
    loop {
        let batch = queue.bytes.take();
        if batch.is_empty() {
            queue.filled.notified().await;
        } else {
            stdin.write_all(&batch).await?;
        }
    }
}

async fn read(mut stdout: ChildStdout, waiting: Waiting) -> io::Result<()> {
    let mut pending = BytesMut::with_capacity(CHUNK);
    loop {
        let seen = pending.len();
        pending.reserve(CHUNK);
        if stdout.read_buf(&mut pending).await? == 0 {
            return Ok(());
        }
        let mut from = seen;
        while let Some(at) = memchr(b'\n', pending.get(from..).unwrap_or_default()) {
            answer(&pending.split_to(from + at + 1), &waiting);
            from = 0;
        }
    }
}

/// Gives an answer to whoever waits for it.
fn answer(line: &[u8], waiting: &Waiting) -> Option<()> {
    let (start, end) = id_in(line)?;
    let id = std::str::from_utf8(line.get(start..end)?).ok()?.parse().ok()?;
    let (sender, theirs) = waiting.borrow_mut().remove(&id)?;
    let mut out = Vec::with_capacity(line.len() + theirs.len());
    splice(&mut out, line.strip_suffix(b"\n").unwrap_or(line), (start, end), &theirs);
    sender.send(out.into()).ok()
}

fn splice(out: &mut Vec<u8>, text: &[u8], (start, end): (usize, usize), id: &[u8]) {
    out.extend_from_slice(text.get(..start).unwrap_or_default());
    out.extend_from_slice(id);
    out.extend_from_slice(text.get(end..).unwrap_or_default());
}

/// Where the id of a message is: the first, as both sides write it.
fn id_in(message: &[u8]) -> Option<(usize, usize)> {
    let start = memmem::find(message, b"\"id\":")? + 5;
    let length = message.get(start..)?.iter().position(|byte| matches!(byte, b',' | b'}'))?;
    Some((start, start + length))
}
